/* inquest type: how a type of the kernel lies in memory. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <inquest/types.h>

#include "cli/memory.h"
#include "cli/say.h"

#define INDENT "substr('                ', 1, 2 * depth)"

static const struct form {
	const char *cells;
	struct view_col col[VIEW_COLS];
} for_people = {"coalesce(offset || iif(bit IS NULL, '', '.' || bit), value),"
		" coalesce(size, bits || ' bits', ''), " INDENT
		" || iif(kind IN ('hole', 'padding'), '(' || kind || ')',"
		" iif(declaration = '', member, declaration))",
		{{"OFFSET", VIEW_TEXT, 8}, {"SIZE", VIEW_TEXT, 8}, {"MEMBER", VIEW_TEXT, 8}}},
  for_programs = {"depth, kind, member, declaration, offset, bit, bits, size, value",
		  {{"DEPTH", VIEW_DEC, 1},
		   {"KIND", VIEW_TEXT, 1},
		   {"MEMBER", VIEW_TEXT, 1},
		   {"DECLARATION", VIEW_TEXT, 1},
		   {"OFFSET", VIEW_DEC, 1},
		   {"BIT", VIEW_DEC, 1},
		   {"BITS", VIEW_DEC, 1},
		   {"SIZE", VIEW_DEC, 1},
		   {"VALUE", VIEW_DEC, 1}}};

/* What stands above the members: the type itself. */
static void put_head(struct inq_type t, const struct inq_type_info *info)
{
	char name[256];
	const char *module = inq_type_module(t);

	inq_type_format(t, info->kind == INQ_TYPE_FUNC ? info->name : NULL, name, sizeof(name));
	cli_put_safe(stdout, name);
	if (*info->name && !strstr(name, info->name)) { /* a typedef */
		printf(" (");
		cli_put_safe(stdout, info->name);
		printf(")");
	}
	if (info->kind != INQ_TYPE_FUNC)
		printf(": %" PRIu64 " byte%s", info->size, info->size == 1 ? "" : "s");
	if (module) {
		printf(", of module ");
		cli_put_safe(stdout, module);
	}
	puts("");
}

static int print_type(const struct cli_args *a, struct session *s, const struct inq_machine *m)
{
	const struct form *f = a->json ? &for_programs : &for_people;
	enum view_form form = a->sql ? VIEW_FORM_SQL : a->json ? VIEW_FORM_JSON : VIEW_FORM_TEXT;
	struct inq_err err = {0};
	struct inq_type t;
	char sql[1024];
	enum inq_status st = inq_type_named(m, a->arg[1], &t, &err);
	struct view v = {.name = "type", .sql = sql};

	if (st)
		return cli_fail(a->arg[0], &err,
				st == INQ_EUSAGE ? "inquest help type explains names" : NULL);
	/* the name is one of a type, so there is no quote in it */
	snprintf(sql, sizeof(sql),
		 "SELECT %" PRId64 ", NULL, NULL, NULL, %s FROM type_member('%s')", m->machine_id,
		 f->cells, a->arg[1]);
	memcpy(v.col, f->col, sizeof(v.col));
	struct inq_type_info info;
	inq_type_info(t, &info);
	if (form == VIEW_FORM_TEXT) {
		if (info.kind == INQ_TYPE_ENUM)
			v.col[0].head = "VALUE";
		put_head(t, &info);
	}
	return view_print(s->store, &v, NULL, form, stdout, &err) ? cli_fail(a->arg[0], &err, NULL)
								  : CLI_GOOD;
}

static int run(const struct cli_args *a)
{
	INQ_SCOPED(session_close_scope_) struct session *s = NULL;
	const struct inq_machine *m = cli_machine_open(a, &s);

	return m ? print_type(a, s, m) : CLI_FAILED;
}

const struct cli_command cli_cmd_type = {
	.name = "type",
	.usage = "[--json | --sql] FILE TYPE",
	.doc = "show how a type of the kernel lies in memory",
	.help = "  inquest type guest.core 'struct page'\n"
		"  inquest type guest.core 'enum pageflags'\n"
		"  inquest type guest.core gfp_t\n"
		"\n"
		"Offsets and sizes are in bytes; 4.3 is bit 3 of byte 4.  What no member covers\n"
		"is a (hole), behind the last member (padding).  Members of an anonymous struct\n"
		"or union stand indented below it.  The types are those that the dumped kernel\n"
		"carries in its own memory (BTF), those of its modules included.  In SQL the same\n"
		"is type_member(type); without a type it has all of them.\n",
	.options = CLI_JSON | CLI_SQL | CLI_VERBOSE | CLI_BASE,
	.min_args = 2,
	.max_args = 2,
	.run = run,
};
