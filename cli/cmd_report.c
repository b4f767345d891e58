/* inquest report: the verdict. */
#include "cli/commands.h"
#include "cli/report.h"
#include "cli/say.h"

static int run(const struct cli_args *a)
{
	INQ_SCOPED(session_close_scope_) struct session *s = NULL;
	struct inq_err err = {0};
	int code = CLI_FAILED;
	const struct session_plan plan = {
		.file = a->arg[0], .vmlinux = a->vmlinux, .verbose = a->verbose, .base = a->base};
	enum inq_status st = session_open(&plan, &s, &err);

	if (!st)
		st = session_need(s, "*", &err);
	if (!st)
		st = session_need(s, "finding", &err);
	if (!st)
		st = a->json ? report_json(s, stdout, &err)
			     : report_text(s, stdout, cli_colour(), &err);
	if (!st)
		st = report_exit(s, &code, &err);
	return st ? cli_fail(a->arg[0], &err, NULL) : code;
}

const struct cli_command cli_cmd_report = {
	.name = "report",
	.usage = "[--json] FILE",
	.doc = "say what is wrong, and which rows prove it",
	.help = "  inquest report guest.core\n"
		"  inquest report --json guest.core | jq '.findings[].title'\n"
		"\n"
		"The worst finding stands first, with its evidence and what to look at next.  At\n"
		"the end stands what could not be seen or asked: no news is good news only beside\n"
		"\"0 rules not evaluated, 0 gaps\".\n"
		"Exit codes: 0 nothing of severity error or worse, 1 such a finding, 2 no "
		"answer.\n",
	.options = CLI_JSON | CLI_VERBOSE | CLI_BASE | CLI_VMLINUX,
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
