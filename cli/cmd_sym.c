/* inquest sym: what an address is called, and where a name is. */
#include <inquest/names.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/memory.h"
#include "cli/say.h"

enum { MAX_ASKED = 64 };
#define NOTHING "SELECT 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL WHERE 0"

/* An address is told by its number, or as a place: cpu0:rip. */
static bool is_address(const struct inq_machine *m, const char *text, uint64_t *ret)
{
	struct machine_where where;

	return machine_number(text, strlen(text), ret) ||
	       (strchr(text, ':') && !machine_place(m, text, &where, ret, NULL));
}

/* One question as a query, to be freed; NULL: there is no answer, and err says why. */
static char *query(const struct inq_machine *m, const char *text, struct inq_err *err)
{
	struct inq_symbol s;
	uint64_t addr = 0;
	char *sql = NULL;
	bool is_addr = is_address(m, text, &addr);
	enum inq_status st = is_addr ? inq_symbol_at(m, addr, &s, err)
			     : strchr(text, '\'')
				     ? inq_fail(err, INQ_ENOTFOUND, "no symbol is named %s", text)
				     : inq_symbol_named(m, text, 0, &s, err);

	if (st)
		return NULL;
	int n = is_addr ? asprintf(&sql,
				   "SELECT * FROM (SELECT %" PRId64 ", NULL, 0x%" PRIx64 ", NULL,"
				   " 0x%" PRIx64 ", size, type, sym(0x%" PRIx64 ")"
				   " FROM symbol WHERE addr = 0x%" PRIx64 " LIMIT 1)",
				   m->machine_id, addr, addr, addr, s.addr)
			: asprintf(&sql,
				   "SELECT %" PRId64 ", NULL, addr, NULL, addr, size, type,"
				   " name || coalesce(' [' || module || ']', '')"
				   " FROM symbol('%s')",
				   m->machine_id, text);
	if (n >= 0)
		return sql;
	(void)inq_fail(err, INQ_ENOMEM, "a query");
	return NULL;
}

static int print(const struct cli_args *a, struct session *s, const char *sql)
{
	const struct view v = {
		.name = "sym",
		.sql = sql,
		.col = {{"ADDRESS", VIEW_HEX, 18},
			{"SIZE", VIEW_DEC, 7},
			{"TYPE", VIEW_TEXT, 4},
			{"NAME", VIEW_TEXT, 8}},
	};
	const struct cli_place p = {.s = s};

	return cli_place_print(&p, a, &v);
}

static int answer(const struct cli_args *a, struct session *s, const struct inq_machine *m)
{
	struct inq_err err = {0};
	char *all = NULL;
	int code = CLI_GOOD;

	for (int i = 1; i < a->nr_args; i++) {
		char *longer = NULL, *one = query(m, a->arg[i], &err);
		if (!one) {
			code = cli_fail(a->arg[0], &err, NULL);
			continue;
		}
		if (asprintf(&longer, "%s%s%s", all ? all : "", all ? " UNION ALL " : "", one) < 0)
			longer = NULL;
		free(one);
		free(all);
		all = longer;
	}
	int printed = all ? print(a, s, all) : a->json ? print(a, s, NOTHING) : CLI_GOOD;
	free(all);
	return code ? code : printed;
}

static int run(const struct cli_args *a)
{
	INQ_SCOPED(session_close_scope_) struct session *s = NULL;
	const struct inq_machine *m = cli_machine_open(a, &s);

	return m ? answer(a, s, m) : CLI_FAILED;
}

const struct cli_command cli_cmd_sym = {
	.name = "sym",
	.usage = "[--json | --sql] FILE ADDRESS|NAME...",
	.doc = "what an address of the kernel is called, and where a name is",
	.help = "  inquest sym guest.core cpu0:rip\n"
		"  inquest sym guest.core 0xffffffff9c03d023\n"
		"  inquest sym guest.core schedule virtio:init_module\n"
		"\n"
		"An address is shown as function+0xoffset/0xsize [module], as the kernel itself\n"
		"would print it; of a name all symbols that have it are.  The names are those\n"
		"that the dumped kernel carries in its own memory (kallsyms), those of its\n"
		"modules included.  ADDRESS is one of the kernel, or a place (`inquest help\n"
		"mem`).  In SQL sym(address) is the text, and symbol has all of them.\n",
	.options = CLI_JSON | CLI_SQL | CLI_VERBOSE | CLI_BASE,
	.min_args = 2,
	.max_args = 1 + MAX_ASKED,
	.run = run,
};
