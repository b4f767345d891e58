/* inquest bt: backtraces of tasks and of CPUs. */
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "cli/say.h"
#include "cli/show.h"
#include "machine/place.h"

enum { MOST_ARGS = 64 };

static void free_text(char **p)
{
	free(*p);
}

/* The PIDs as a list, as the view wants it; NULL: one is none, which has been said. */
static char *list_of(const struct cli_args *a)
{
	char *list = calloc((size_t)a->nr_args + 1, 24), *to = list;
	uint64_t pid;

	for (int i = 1; list && i < a->nr_args; i++) {
		if (!machine_number(a->arg[i], strlen(a->arg[i]), &pid) || strlen(a->arg[i]) > 20) {
			(void)cli_fail_usage("inquest help bt", "%s is no PID", a->arg[i]);
			free(list);
			return NULL;
		}
		to = stpcpy(stpcpy(to, i > 1 ? "," : ""), a->arg[i]);
	}
	return list;
}

static const struct view *view_of(const struct cli_args *a)
{
	if (a->lines)
		return view_find(a->cpus ? "cpu-frame-lines" : "frame-lines");
	return view_find(a->cpus ? "cpu-frames" : "frames");
}

static int print(const struct cli_args *a, const char *file)
{
	const struct view *v = view_of(a);
	struct view_ref from = {.text = {NULL, a->locals ? "locals" : a->args ? "args" : NULL}};

	if (a->sql || a->nr_args == 1)
		return cli_show(v, &from, a, file);
	INQ_SCOPED(free_text) char *list = list_of(a);
	if (!list)
		return CLI_FAILED;
	from.text[0] = list;
	return cli_show(v, &from, a, file);
}

static int run(const struct cli_args *a)
{
	const char *file = a->nr_args ? a->arg[0] : NULL;
	struct cli_args with = *a;

	with.lines = a->lines || a->args || a->locals;
	if (!a->sql && !file)
		return cli_fail_usage("inquest help bt", "bt: argument missing");
	if (!a->sql && (a->nr_args > 1) + a->all + a->cpus != 1)
		return cli_fail_usage("inquest help bt", "bt: either PIDs, -a or -c");
	return print(&with, file);
}

const struct cli_command cli_cmd_bt = {
	.name = "bt",
	.usage = "[--json | --sql] [--lines | --args | --locals]\n"
		 "                  [-a | -c] FILE [PID...]",
	.doc = "print backtraces of tasks or CPUs",
	.help = "  inquest bt guest.core 412 413    of these threads\n"
		"  inquest bt -a guest.core         of all tasks\n"
		"  inquest bt -c guest.core         of all CPUs, from their registers on\n"
		"  inquest bt -l guest.core 412     with source lines, and functions inlined\n"
		"\n"
		"HOW tells how a frame was found: in registers, where the task was switched away,\n"
		"by the kernel's own tables (orc), in saved registers, by a frame pointer, or, in\n"
		"the last place, by a scan for return addresses.  A stack that was not climbed to\n"
		"its end says why.  `inquest show stacks` counts equal ones.  In SQL: table "
		"frame,\n"
		"bt(task) and bt_cpu(cpu), which climb one stack.\n"
		"\n"
		"-l (--lines) needs a debug file (`inquest help line`).  A function that was\n"
		"inlined has no frame: its row says so, has no number, and stands before that of\n"
		"the frame it is part of.  --args adds the arguments, --locals those and the\n"
		"variables, as far as the registers that they take are known: <optimized out> is\n"
		"nowhere at that place, <unknown> takes what the dump does not tell.  In SQL\n"
		"bt(task, 'lines'), bt_cpu(cpu, 'args') and so on.\n",
	.options = CLI_JSON | CLI_SQL | CLI_VERBOSE | CLI_BASE | CLI_VMLINUX | CLI_ALL | CLI_CPUS |
		   CLI_LINES | CLI_ARGS | CLI_LOCALS,
	.max_args = MOST_ARGS,
	.run = run,
};
