/* Source lines of an address, and the inlined functions that it lies in: see <inquest/lines.h>. */
#include <inquest/lines.h>
#include <stdio.h>
#include <stdlib.h>

#include "analyzers/live/table.h"

enum { ARG_ADDR };
enum { COL_DEPTH, COL_FUNCTION, COL_FILE, COL_LINE, COL_COLUMN, COL_INLINED };

static const struct live_column cols[] = {
	{"depth", "INTEGER", "0: where the code itself is from"},
	{"function", "TEXT", "its function; NULL: unknown"},
	{"file", "TEXT", "its source file; NULL: unknown"},
	{"line", "INTEGER", "line of that; of the outer ones, where they call the one before"},
	{"column", "INTEGER", "column of that; NULL: unknown"},
	{"inlined", "INTEGER", "1: inlined into the next row's function"},
	{0},
};
static const struct live_column args[] = {
	{"addr", "", "address of the kernel; of a return address, one less"},
	{0},
};

struct state {
	size_t at; /* the row, plus one */
	struct inq_lines lines;
};

/* What is not known has no lines: no error, since one address of many may be of that kind. */
static enum inq_status live_lines_of(const struct inq_machine *m, sqlite3_value *v,
				     struct inq_lines *ret, struct inq_err *err)
{
	enum inq_status st = inq_lines_at(m, (uint64_t)sqlite3_value_int64(v), ret, err);

	if (st)
		ret->nr = 0;
	return st == INQ_ENOMEM ? st : INQ_OK;
}

static enum inq_status open_lines(const struct live_call *call, void *state, struct inq_err *err)
{
	struct state *s = state;

	if (sqlite3_value_type(call->arg[ARG_ADDR]) == SQLITE_NULL)
		return INQ_OK; /* of nothing there is none: no file is looked for */
	return live_lines_of(call->m, call->arg[ARG_ADDR], &s->lines, err);
}

static enum inq_status next_line(void *state, bool *ret_more, struct inq_err *err)
{
	struct state *s = state;

	(void)err;
	*ret_more = s->at++ < s->lines.nr;
	return INQ_OK;
}

static void put_text(sqlite3_context *ctx, const char *text)
{
	if (text)
		sqlite3_result_text(ctx, text, -1, SQLITE_TRANSIENT);
}

static void put_column(const void *state, int col, sqlite3_context *ctx)
{
	const struct state *s = state;
	const struct inq_line_frame *f = &s->lines.frame[s->at - 1];

	if (col == COL_DEPTH)
		sqlite3_result_int64(ctx, (sqlite3_int64)s->at - 1);
	else if (col == COL_FUNCTION)
		put_text(ctx, f->function);
	else if (col == COL_FILE)
		put_text(ctx, f->file);
	else if (col == COL_LINE && f->line)
		sqlite3_result_int64(ctx, f->line);
	else if (col == COL_COLUMN && f->column)
		sqlite3_result_int64(ctx, f->column);
	else if (col == COL_INLINED)
		sqlite3_result_int(ctx, f->inlined);
}

const struct live_table live_lines = {
	.doc = {.name = "lines",
		.doc = "source lines of an address, inlined functions first",
		.cols = cols,
		.args = args,
		.nr_needed = 1},
	.state_bytes = sizeof(struct state),
	.open = open_lines,
	.next = next_line,
	.column = put_column,
};

/* line(addr): "kernel/time/hrtimer.c:2084", or NULL. */
void live_line(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	const struct live_host *host = sqlite3_user_data(ctx);
	const struct inq_machine *m = host->machine(host->ctx);
	struct inq_lines *l = NULL;
	struct inq_err err = {0};

	(void)n;
	if (!m || sqlite3_value_type(v[0]) == SQLITE_NULL)
		return;
	l = malloc(sizeof(*l));
	if (!l || live_lines_of(m, v[0], l, &err)) {
		sqlite3_result_error_nomem(ctx);
	} else if (l->nr && l->frame[0].file && l->frame[0].line) {
		char *text = sqlite3_mprintf("%s:%u", l->frame[0].file, l->frame[0].line);
		sqlite3_result_text(ctx, text, -1, sqlite3_free);
	}
	free(l);
}

/* var_type(name): "struct list_head", or NULL. */
void live_var_type(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	const struct live_host *host = sqlite3_user_data(ctx);
	const struct inq_machine *m = host->machine(host->ctx);
	const char *name = m ? (const char *)sqlite3_value_text(v[0]) : NULL;
	struct inq_debug_var var;
	struct inq_err err = {0};

	(void)n;
	if (!name)
		return;
	enum inq_status st = inq_debug_var(m, name, &var, &err);
	if (st == INQ_ENOMEM)
		sqlite3_result_error_nomem(ctx);
	else if (!st && *var.type)
		put_text(ctx, var.type);
}
