/* inquest show: one view of a file. */
#include <inquest/lines.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/say.h"
#include "cli/session.h"
#include "cli/show.h"
#include "machine/place.h"
#include "views/query.h"

/* An empty or short table may be so because something could not be seen. */
static enum inq_status say_state(void *ctx, int nr_cols, const char *const *cell,
				 struct inq_err *err)
{
	const struct session *s = ctx;

	(void)nr_cols;
	(void)err;
	cli_note(s->file, "table %s is %s%s%s; inquest show gaps says what is missing", cell[0],
		 cell[1], cell[2] ? ": " : "", cell[2] ? cell[2] : "");
	return INQ_OK;
}

enum inq_status cli_note_incomplete(struct session *s, const struct view *v, struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	for (int i = 0; !st && i < VIEW_NEEDS && v->needs[i]; i++) {
		char sql[160];
		snprintf(sql, sizeof(sql),
			 "SELECT DISTINCT tbl, state, message FROM run WHERE tbl = '%s'"
			 " AND state <> 'complete'",
			 v->needs[i]);
		st = query_each(s->store, sql, say_state, s, err);
	}
	return st;
}

static enum inq_status say_no_kernel(void *ctx, int nr_cols, const char *const *cell,
				     struct inq_err *err)
{
	const struct session *s = ctx;

	(void)nr_cols;
	(void)err;
	cli_note(s->file, "no Linux was found%s%s", cell[0] ? ": " : "", cell[0] ? cell[0] : "");
	return INQ_OK;
}

/* A table of a Linux, needed before kernel, is empty where none was found, and then tells nothing.
 */
static enum inq_status check_kernel(struct session *s, const struct view *v, struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	for (int i = 1; !st && i < VIEW_NEEDS && v->needs[i]; i++)
		if (!strcmp(v->needs[i], "kernel"))
			st = query_each(s->store, "SELECT note FROM kernel WHERE os IS NULL",
					say_no_kernel, s, err);
	return st;
}

/* Without a debug file rows lack their lines, which is no failure, but is to be said. */
static void check_lines(struct session *s)
{
	static struct inq_lines l;
	const struct inq_machine *m = session_machine(s);
	struct inq_err why = {0};

	if (!m)
		cli_note(s->file, "an index has no memory; stacks are climbed in the dump itself");
	else if (inq_lines_at(m, inq_machine_kernel(m)->text, &l, &why) == INQ_EABSENT)
		cli_note(s->file, "no lines: %s", why.msg);
}

bool cli_show_cpu(const char *text, struct view_ref *ret)
{
	uint64_t cpu = 0;

	*ret = (struct view_ref){0};
	if (text && (!machine_number(text, strlen(text), &cpu) || cpu > INT32_MAX))
		return false;
	ret->part[VIEW_REF_CPU] = (int64_t)cpu;
	ret->known = text ? 1U << VIEW_REF_CPU : 0;
	return true;
}

int cli_show(const struct view *v, const struct view_ref *from, const struct cli_args *a,
	     const char *file)
{
	INQ_SCOPED(session_close_scope_) struct session *s = NULL;
	struct inq_err err = {0};
	const struct session_plan plan = {.file = file,
					  .vmlinux = a->vmlinux,
					  .lines = a->lines,
					  .verbose = a->verbose,
					  .base = a->base};

	if (a->sql)
		return view_print(NULL, v, NULL, VIEW_FORM_SQL, stdout, &err)
			       ? cli_fail("standard output", &err, NULL)
			       : CLI_GOOD;
	enum inq_status st = session_open(&plan, &s, &err);

	if (!st)
		st = session_need_view(s, v, &err);
	if (!st)
		st = view_print(s->store, v, from, a->json ? VIEW_FORM_JSON : VIEW_FORM_TEXT,
				stdout, &err);
	if (!st)
		st = cli_note_incomplete(s, v, &err);
	if (!st)
		st = check_kernel(s, v, &err);
	if (!st && a->lines)
		check_lines(s);
	return st ? cli_fail(file, &err, NULL) : CLI_GOOD;
}

static int run(const struct cli_args *a)
{
	const struct view *v = view_find(a->arg[0]);

	if (!v)
		return cli_fail_usage("inquest views", "no view named %s", a->arg[0]);
	if (!a->sql && a->nr_args < 2)
		return cli_fail_usage("inquest help show", "show: argument missing");
	return cli_show(v, NULL, a, a->nr_args < 2 ? NULL : a->arg[1]);
}

const struct cli_command cli_cmd_show = {
	.name = "show",
	.usage = "[--json | --sql] VIEW FILE",
	.doc = "print one view of a dump or an index",
	.help = "  inquest show cpus guest.core          one line per CPU\n"
		"  inquest show insns guest.core         what each CPU is about to run\n"
		"  inquest show gaps guest.core          what could not be seen\n"
		"  inquest show --json regs guest.core   for programs\n"
		"  inquest show --sql cpus               the query behind the view\n"
		"\n"
		"A dash is a value that the dump does not tell.  `inquest views` lists the views.\n"
		"In JSON an address is a string, \"0xffff...\", and unknown is null.\n",
	.options = CLI_JSON | CLI_SQL | CLI_VERBOSE | CLI_BASE | CLI_VMLINUX,
	.min_args = 1,
	.max_args = 2,
	.run = run,
};
