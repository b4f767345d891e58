/* inquest what: what an address of the kernel's memory belongs to. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/memory.h"
#include "cli/say.h"
#include "machine/expr.h"

static void free_text(char **p)
{
	free(*p);
}

static int print(const struct cli_args *a, struct session *s, const struct inq_machine *m)
{
	enum view_form form = a->sql ? VIEW_FORM_SQL : a->json ? VIEW_FORM_JSON : VIEW_FORM_TEXT;
	INQ_SCOPED(free_text) char *sql = NULL;
	struct inq_err err = {0};
	uint64_t addr = 0;

	if (machine_object_addr(m, a->arg[1], &addr, &err))
		return cli_fail(a->arg[0], &err, "inquest help print explains addresses");
	if (asprintf(&sql,
		     "SELECT %" PRId64 ", NULL, addr, NULL, kind, addr, offset, text"
		     " FROM what(0x%" PRIx64 ")",
		     m->machine_id, addr) < 0) {
		(void)inq_fail(&err, INQ_ENOMEM, "query");
		return cli_fail(a->arg[0], &err, NULL);
	}
	const struct view v = {.name = "what",
			       .sql = sql,
			       .col = {{"KIND", VIEW_TEXT, 7},
				       {"BEGINS AT", VIEW_HEX, 18},
				       {"OFFSET", VIEW_HEX, 8},
				       {"WHAT", VIEW_TEXT, 8}}};
	return view_print(s->store, &v, NULL, form, stdout, &err) ? cli_fail(a->arg[0], &err, NULL)
								  : CLI_GOOD;
}

static int run(const struct cli_args *a)
{
	INQ_SCOPED(session_close_scope_) struct session *s = NULL;
	const struct inq_machine *m = cli_machine_open(a, &s);

	return m ? print(a, s, m) : CLI_FAILED;
}

const struct cli_command cli_cmd_what = {
	.name = "what",
	.usage = "[--json | --sql] FILE ADDRESS",
	.doc = "say what an address of the kernel's memory belongs to",
	.help = "  inquest what guest.core 0xffff888003a28480\n"
		"  inquest what guest.core init_task.comm\n"
		"\n"
		"Every answer is a line: the symbol or module, the per-CPU variable and whose it\n"
		"is, the task, the kernel stack and what the word there leads to, the page with\n"
		"its flags, the file that it is of, the processes that map it, whose page table\n"
		"it is, the slab cache, which of its objects and whether that is free.  What the\n"
		"dump lacks leaves answers out; nothing printed means that nothing is known.\n"
		"ADDRESS is one of the kernel, or a variable or a part of one, or a place\n"
		"(`inquest help mem`).  In SQL the same is what(address).\n",
	.options = CLI_JSON | CLI_SQL | CLI_VERBOSE | CLI_BASE,
	.min_args = 2,
	.max_args = 2,
	.run = run,
};
