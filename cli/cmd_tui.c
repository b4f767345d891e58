/* inquest tui: the views, to look around in. */
#include <stdlib.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/say.h"
#include "cli/session.h"
#include "tui/tui.h"

static enum inq_status prepare(void *ctx, const struct view *v, struct inq_err *err)
{
	return session_need_view(ctx, v, err);
}

static void on_stop(void *ctx, bool (*stop)(void))
{
	((struct session *)ctx)->escaped = stop;
}

/* Everything, as the command index keeps it. */
static enum inq_status save(void *ctx, char **ret_path, struct inq_err *err)
{
	struct session *s = ctx;
	char *path = session_index_path(s);
	enum inq_status st =
		path ? session_need(s, "*", err) : inq_fail(err, INQ_ENOMEM, "name of the index");

	if (!st)
		st = session_need(s, "finding", err);
	if (!st)
		st = inq_wrap(err, session_save(s, path, err), "%s", path);
	if (st)
		free(path);
	else
		*ret_path = path;
	return st;
}

static int run(const struct cli_args *a)
{
	INQ_SCOPED(session_close_scope_) struct session *s = NULL;
	struct inq_err err = {0};

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return cli_fail_usage("inquest report FILE", "tui needs a terminal");
	const struct session_plan plan = {.file = a->arg[0],
					  .keeps_index = true,
					  .lines = true,
					  .vmlinux = a->vmlinux,
					  .verbose = a->verbose,
					  .base = a->base};
	enum inq_status st = session_open(&plan, &s, &err);
	if (!st) {
		s->quiet = true;
		const struct tui_source src = {.store = s->store,
					       .title = s->file,
					       .prepare = prepare,
					       .save = s->machine ? save : NULL,
					       .on_stop = on_stop,
					       .ctx = s,
					       .first = "findings"};
		st = tui_run(&src, &err);
	}
	if (s)
		s->escaped = NULL; /* the terminal is no longer the TUI's */
	return st ? cli_fail(a->arg[0], &err, NULL) : CLI_GOOD;
}

const struct cli_command cli_cmd_tui = {
	.name = "tui",
	.usage = "FILE",
	.doc = "look around: findings, their evidence, CPUs, code",
	.help = "  inquest tui guest.core\n"
		"  inquest guest.core          the same on a terminal\n"
		"\n"
		"Enter opens the row, Backspace goes back, ? explains the keys, q leaves.\n"
		"w writes an index of everything: beside the dump, or in the cache folder.\n",
	.options = CLI_VERBOSE | CLI_BASE | CLI_VMLINUX,
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
