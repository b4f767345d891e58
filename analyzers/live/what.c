/* What an address of the kernel's memory belongs to. */
#include "analyzers/what.h"
#include "analyzers/live/table.h"
#include "machine/expr.h"

enum { ARG_ADDR };
enum { COL_NR, COL_KIND, COL_ADDR, COL_OFFSET, COL_TEXT };

static const struct live_column cols[] = {
	{"nr", "INTEGER", "order of the answers, from 0"},
	{"kind", "TEXT", "symbol, per_cpu, task, stack, page, inode, mapped, table, slab"},
	{"addr", "INTEGER",
	 "where that begins: the symbol, object, stack, inode; its struct page; of mapped the "
	 "VMA, of table the mm_struct, 0 for the kernel's own"},
	{"offset", "INTEGER", "from there to the address; NULL: it is no part of that"},
	{"text", "TEXT", "what it is"},
	{0},
};
static const struct live_column args[] = {
	{"of_addr", "", "an address of the kernel, or a variable or a part of one"},
	{0},
};

struct state {
	struct what what[WHAT_MAX];
	size_t nr, at;
	uint64_t addr;
	bool began;
};

static enum inq_status open_what(const struct live_call *call, void *state, struct inq_err *err)
{
	struct state *s = state;
	sqlite3_value *v = call->arg[ARG_ADDR];
	enum inq_status st = INQ_OK;

	s->addr = (uint64_t)sqlite3_value_int64(v);
	if (sqlite3_value_type(v) != SQLITE_INTEGER) {
		const char *text = (const char *)sqlite3_value_text(v);
		st = text ? machine_object_addr(call->m, text, &s->addr, err)
			  : inq_fail(err, INQ_ENOMEM, "an address");
	}
	return st ? st : what_is(call->m, s->addr, s->what, &s->nr, err);
}

static enum inq_status next_row(void *state, bool *ret_more, struct inq_err *err)
{
	struct state *s = state;

	(void)err;
	*ret_more = live_step(&s->at, &s->began, s->nr);
	return INQ_OK;
}

static void put_column(const void *state, int col, sqlite3_context *ctx)
{
	const struct state *s = state;
	const struct what *w = &s->what[s->at];

	if (col == COL_NR)
		sqlite3_result_int64(ctx, (sqlite3_int64)s->at);
	else if (col == COL_KIND)
		sqlite3_result_text(ctx, w->kind, -1, SQLITE_STATIC);
	else if (col == COL_ADDR)
		sqlite3_result_int64(ctx, (sqlite3_int64)w->addr);
	else if (col == COL_TEXT)
		sqlite3_result_text(ctx, w->text, -1, SQLITE_TRANSIENT);
	else if (w->around)
		sqlite3_result_int64(ctx, (sqlite3_int64)(s->addr - w->addr));
}

const struct live_table live_what = {
	.doc = {.name = "what",
		.doc = "what an address of the kernel's memory belongs to",
		.cols = cols,
		.args = args,
		.nr_needed = 1},
	.state_bytes = sizeof(struct state),
	.open = open_what,
	.next = next_row,
	.column = put_column,
};
