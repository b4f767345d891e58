/* inquest why-entry-failed: how a hypervisor's last VM entry ended, and what the next is refused
 * for. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/session.h"
#include "cli/show.h"
#include "views/query.h"

/* Has the CPU, or any, a VMCS in use? */
static enum inq_status has_vmcs(struct session *s, const struct view_ref *from, bool *ret,
				struct inq_err *err)
{
	char sql[128], *yes = NULL;

	snprintf(sql, sizeof(sql),
		 "SELECT EXISTS (SELECT 1 FROM entry_check WHERE %d OR cpu = %lld)", !from->known,
		 (long long)from->part[VIEW_REF_CPU]);
	enum inq_status st = query_text(s->store, sql, &yes, err);
	*ret = yes && *yes == '1';
	free(yes);
	return st;
}

static void put_none(const struct view_ref *from)
{
	if (from->known)
		printf("CPU %lld: ", (long long)from->part[VIEW_REF_CPU]);
	puts("no VMCS in use is known; VMRUN's checks are not made.");
}

static enum inq_status explain(struct session *s, const struct view_ref *from, bool json,
			       struct inq_err *err)
{
	const struct view *entries = view_find("entries"), *checks = view_find("entry-checks");
	const enum view_form form = json ? VIEW_FORM_JSON : VIEW_FORM_TEXT;
	bool has = false;
	enum inq_status st = session_need_view(s, entries, err);

	if (!st)
		st = session_need_view(s, checks, err);
	if (!st)
		st = has_vmcs(s, from, &has, err);
	if (!st && !has && !json)
		put_none(from);
	if (!st && (has || json))
		st = view_print(s->store, entries, from, form, stdout, err);
	if (!st && has && !json)
		putchar('\n');
	if (!st && (has || json))
		st = view_print(s->store, checks, from, form, stdout, err);
	return st ? st : cli_note_incomplete(s, checks, err);
}

static int run(const struct cli_args *a)
{
	INQ_SCOPED(session_close_scope_) struct session *s = NULL;
	const struct session_plan plan = {.file = a->arg[0], .verbose = a->verbose};
	struct inq_err err = {0};
	struct view_ref from;

	if (!cli_show_cpu(a->nr_args > 1 ? a->arg[1] : NULL, &from))
		return cli_fail_usage("inquest help why-entry-failed", "CPU %s is no number",
				      a->arg[1]);
	enum inq_status st = session_open(&plan, &s, &err);
	if (!st)
		st = explain(s, &from, a->json, &err);
	return st ? cli_fail(a->arg[0], &err, NULL) : CLI_GOOD;
}

const struct cli_command cli_cmd_why_entry_failed = {
	.name = "why-entry-failed",
	.usage = "[--json] FILE [CPU]",
	.doc = "tell why a VM entry failed, or the next one would",
	.help = "  inquest why-entry-failed guest.core     of every CPU that has a VMCS in use\n"
		"  inquest why-entry-failed guest.core 1   of CPU 1\n"
		"\n"
		"First how the last entry ended: the exit reason (33, 34 and 41 with bit 31 are\n"
		"failed entries) and the VM-instruction error, which stays in its field until the\n"
		"next one and so may be older.  Then each check that fails with the VMCS as it\n"
		"is now: field, value, rule, section of the SDM; and each that is unknown, with\n"
		"what is lacking.  They are most of the checks, not all: docs/nested.md.\n"
		"The same are the views entries and entry-checks; --json prints both.\n",
	.options = CLI_JSON | CLI_VERBOSE,
	.min_args = 1,
	.max_args = 2,
	.run = run,
};
