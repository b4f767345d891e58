/* inquest bt: backtraces of CPUs. */
#include <stddef.h>

#include "cli/memory.h"
#include "cli/say.h"

static int run(const struct cli_args *a)
{
	INQ_SCOPED(session_close_scope_) struct session *s = NULL;
	const struct view *v = view_find("cpu-frames");
	enum view_form form = a->sql ? VIEW_FORM_SQL : a->json ? VIEW_FORM_JSON : VIEW_FORM_TEXT;
	struct inq_err err = {0};

	if (!a->cpus)
		return cli_fail_usage("inquest help bt", "bt: -c is missing");
	if (!cli_machine_open(a, &s))
		return CLI_FAILED;
	enum inq_status st = session_need_view(s, v, &err);
	if (!st)
		st = view_print(s->store, v, NULL, form, stdout, &err);
	return st ? cli_fail(a->arg[0], &err, NULL) : CLI_GOOD;
}

const struct cli_command cli_cmd_bt = {
	.name = "bt",
	.usage = "[--json | --sql] -c FILE",
	.doc = "print backtraces of CPUs",
	.help = "  inquest bt -c guest.core    of all CPUs, from their registers on\n"
		"  inquest sql guest.core \"SELECT * FROM bt(0xffff888012345600)\"\n"
		"\n"
		"HOW tells how a frame was found: in registers, where the task was switched away,\n"
		"by the kernel's own tables (orc), in saved registers, by a frame pointer, or, in\n"
		"the last place, by a scan for return addresses.  A stack that was not climbed to\n"
		"its end says why.  In SQL: bt(task), by the address of a task_struct, and\n"
		"bt_cpu(cpu).\n",
	.options = CLI_JSON | CLI_SQL | CLI_VERBOSE | CLI_BASE | CLI_CPUS,
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
