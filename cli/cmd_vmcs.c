/* inquest vmcs, vmcb: the state of hypervisors that run inside, or what differs between two dumps.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/wrap.h"
#include "cli/say.h"
#include "cli/session.h"
#include "cli/show.h"
#include "views/query.h"

#define OPTIONS (CLI_JSON | CLI_SQL | CLI_VERBOSE | CLI_CPU)

enum { CPU, BLOCK, FIELD, VALUE, TEXT, PARTS };

/* The fields of one file, in their order. */
struct fields {
	struct field {
		char *part[PARTS];
	} * of;
	size_t nr;
};

static void fields_free(struct fields *f)
{
	for (size_t i = 0; i < f->nr; i++)
		for (int k = 0; k < PARTS; k++)
			free(f->of[i].part[k]);
	free(f->of);
}

static enum inq_status keep(void *ctx, int nr_cols, const char *const *cell, struct inq_err *err)
{
	struct fields *f = ctx;
	struct field *more = realloc(f->of, (f->nr + 1) * sizeof(*more));

	if (!more)
		return inq_fail(err, INQ_ENOMEM, "%zu fields", f->nr + 1);
	f->of = more;
	more[f->nr] = (struct field){0};
	struct field *to = &more[f->nr++];
	for (int i = 0; i < nr_cols && i < PARTS; i++)
		if (!(to->part[i] = strdup(cell[i] ? cell[i] : "-")))
			return inq_fail(err, INQ_ENOMEM, "%zu fields", f->nr);
	return INQ_OK;
}

static enum inq_status read_fields(const struct cli_args *a, int file, const char *table,
				   struct fields *ret, struct inq_err *err)
{
	INQ_SCOPED(session_close_scope_) struct session *s = NULL;
	const char *const given[] = {a->arg[1]};
	const struct session_plan plan = {
		.file = a->arg[file], .given = given, .nr_given = 1, .verbose = a->verbose};
	char sql[256];

	snprintf(sql, sizeof(sql),
		 "SELECT cpu, block, name, hex64(value), coalesce(text, '') FROM %s"
		 " ORDER BY machine_id, sample_id, cpu, rowid",
		 table);
	enum inq_status st = session_open(&plan, &s, err);
	if (!st)
		st = session_need(s, table, err);
	return st ? st : query_each(s->store, sql, keep, ret, err);
}

static bool is_same(const struct field *a, const struct field *b, int from, int to)
{
	for (int i = from; i <= to; i++)
		if (strcmp(a->part[i], b->part[i]) != 0)
			return false;
	return true;
}

/* near: where it stands if both files have the same fields, as most do. */
static const struct field *find(const struct fields *in, const struct field *like, size_t near)
{
	if (near < in->nr && is_same(&in->of[near], like, CPU, FIELD))
		return &in->of[near];
	for (size_t i = 0; i < in->nr; i++)
		if (is_same(&in->of[i], like, CPU, FIELD))
			return &in->of[i];
	return NULL;
}

static void put_texts(const struct field *a, const struct field *b)
{
	if (a && b && is_same(a, b, TEXT, TEXT))
		return;
	text_put_entry(stdout, 12, "first:", 8, a && *a->part[TEXT] ? a->part[TEXT] : "-");
	text_put_entry(stdout, 12, "second:", 8, b && *b->part[TEXT] ? b->part[TEXT] : "-");
}

/* Either may be NULL: the other file has no such field. */
static void put_pair(const struct field *a, const struct field *b)
{
	const struct field *any = a ? a : b;

	if (a && b && is_same(a, b, VALUE, TEXT))
		return;
	printf("%3s %-7s %-29s %18s %18s\n", any->part[CPU], any->part[BLOCK], any->part[FIELD],
	       a ? a->part[VALUE] : "-", b ? b->part[VALUE] : "-");
	put_texts(a, b);
}

static void put_pairs(const struct fields *a, const struct fields *b)
{
	printf("%3s %-7s %-29s %18s %18s\n", "CPU", "BLOCK", "FIELD", "FIRST", "SECOND");
	for (size_t i = 0; i < a->nr; i++)
		put_pair(&a->of[i], find(b, &a->of[i], i));
	for (size_t i = 0; i < b->nr; i++)
		if (!find(a, &b->of[i], i))
			put_pair(NULL, &b->of[i]);
}

static int compare(const struct cli_args *a, const char *table)
{
	struct fields first = {0}, second = {0};
	struct inq_err err = {0};
	enum inq_status st = read_fields(a, 0, table, &first, &err);
	const char *file = a->arg[0];

	if (!st) {
		file = a->arg[1];
		st = read_fields(a, 1, table, &second, &err);
	}
	if (!st)
		put_pairs(&first, &second);
	fields_free(&first);
	fields_free(&second);
	return st ? cli_fail(file, &err, NULL) : CLI_GOOD;
}

static int show(const struct cli_args *a, const char *view, const char *table)
{
	struct view_ref from;

	if (!cli_show_cpu(a->cpu, &from))
		return cli_fail_usage("inquest help vmcs", "--cpu %s is no number", a->cpu);
	if (a->nr_args == 2 && (a->json || a->sql || a->cpu))
		return cli_fail_usage("inquest help vmcs", "two files are compared as they are");
	if (a->nr_args == 2)
		return compare(a, table);
	if (!a->sql && !a->nr_args)
		return cli_fail_usage("inquest help", "argument missing: a dump or an index");
	return cli_show(view_find(view), a->cpu ? &from : NULL, a, a->nr_args ? a->arg[0] : NULL);
}

static int run_vmcs(const struct cli_args *a)
{
	return show(a, "vmcs", "vmcs_field");
}

const struct cli_command cli_cmd_vmcs = {
	.name = "vmcs",
	.usage = "[--json | --sql] [--cpu N] FILE [SECOND]",
	.doc = "print the VMCS of a hypervisor inside, decoded",
	.help = "  inquest vmcs guest.core             every field of every CPU's current VMCS\n"
		"  inquest vmcs --cpu 1 guest.core     those of CPU 1\n"
		"  inquest vmcs before.core after.core only fields that differ between the two\n"
		"  inquest show vmcs-bits guest.core   every control bit and what it means\n"
		"\n"
		"! under DIFF: the same field of another CPU says something else.  A dash is a\n"
		"field that the kernel which wrote it may not have had.  Encodings, widths and\n"
		"the manual's sections stand in SQL: table vmcs_field.\n",
	.options = OPTIONS,
	.max_args = 2,
	.run = run_vmcs,
};

static int run_vmcb(const struct cli_args *a)
{
	return show(a, "vmcb", "vmcb_field");
}

const struct cli_command cli_cmd_vmcb = {
	.name = "vmcb",
	.usage = "[--json | --sql] [--cpu N] FILE [SECOND]",
	.doc = "print the VMCB of a hypervisor inside, decoded",
	.help = "  inquest vmcb guest.core\n"
		"  inquest vmcb before.core after.core only fields that differ between the two\n"
		"\n"
		"GROUP tells whose it is: control is KVM's copy of the control area, fresher than\n"
		"memory, the guest's own page, whose save area is that of the last exit; l1 and\n"
		"hsave are what the hypervisor gets back.  While its guest runs, the guest's\n"
		"registers are the CPU's.  In SQL: table vmcb_field.\n",
	.options = OPTIONS,
	.max_args = 2,
	.run = run_vmcb,
};
