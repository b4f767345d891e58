/* inquest index: everything there is to know of a dump, in one SQLite file. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/wrap.h"
#include "cli/commands.h"
#include "cli/report.h"
#include "cli/say.h"

static void free_text(char **p)
{
	free(*p);
}

static bool same_file(const char *a, const char *b)
{
	struct stat x, y;

	return !stat(a, &x) && !stat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static int save(struct session *s, const char *path)
{
	INQ_SCOPED(free_text) char *counts = NULL;
	struct inq_err err = {0};

	if (same_file(path, s->file))
		return cli_fail_usage("inquest help index", "%s: is the dump itself", path);
	if (session_save(s, path, &err))
		return cli_fail(path, &err, "inquest index -o FILE writes elsewhere");
	if (report_counts(s, &counts, &err))
		return cli_fail(s->file, &err, NULL);
	cli_put_safe(stdout, path);
	fputs(": ", stdout);
	text_put_wrapped(stdout, counts, (int)strlen(path) + 2, 2);
	return CLI_GOOD;
}

static int run(const struct cli_args *a)
{
	INQ_SCOPED(session_close_scope_) struct session *s = NULL;
	INQ_SCOPED(free_text) char *path = NULL;
	struct inq_err err = {0};
	const struct session_plan plan = {.file = a->arg[0],
					  .fresh = true,
					  .keeps_index = true,
					  .output = a->output,
					  .vmlinux = a->vmlinux,
					  .verbose = a->verbose,
					  .base = a->base};
	enum inq_status st = session_open(&plan, &s, &err);

	if (!st && !s->machine)
		return cli_fail_usage("inquest report FILE", "%s: is an index already", a->arg[0]);
	if (!st)
		st = session_need(s, "*", &err);
	if (!st)
		st = session_need(s, "finding", &err);
	if (st)
		return cli_fail(a->arg[0], &err, NULL);
	path = a->output ? strdup(a->output) : session_index_path(s);
	if (!path) {
		(void)inq_fail(&err, INQ_ENOMEM, "name of the index");
		return cli_fail(a->arg[0], &err, NULL);
	}
	return save(s, path);
}

const struct cli_command cli_cmd_index = {
	.name = "index",
	.usage = "[-o INDEX] FILE",
	.doc = "collect everything, ask all rules, and keep it in a file",
	.help = "  inquest index guest.core               makes guest.core.inq\n"
		"  inquest index -o /tmp/x.inq guest.core\n"
		"  sqlite3 guest.core.inq 'SELECT * FROM finding'\n"
		"\n"
		"Without -o it lies beside the dump, or in the cache folder when that cannot be\n"
		"written.  An index is never needed: it is faster the second time, and it can be\n"
		"mailed without the dump.  It is written whole or not at all.\n",
	.options = CLI_OUTPUT | CLI_VERBOSE | CLI_BASE | CLI_VMLINUX,
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
