/* Memory, 16 bytes to a line; what cannot be read is a line of its own, however long. */
#include <string.h>

#include "analyzers/live/table.h"

enum { LINE = 16, PAGE = 4096, DEFAULT_BYTES = 256 };
enum { ARG_SPACE, ARG_ADDR, ARG_N };
enum { COL_ADDR, COL_LEN, COL_STATE, COL_BYTES, COL_HEX, COL_WORDS, COL_TEXT, COL_MESSAGE };

static const struct live_column cols[] = {
	{"addr", "INTEGER", "address of its first byte"},
	{"len", "INTEGER", "bytes; 16 at most, unless they cannot be read"},
	{"state", "TEXT", "bytes, absent (not dumped), fault (nothing is mapped there)"},
	{"bytes", "BLOB", "the bytes; NULL unless known"},
	{"hex", "TEXT", "in pairs, where they stand in a line of 16"},
	{"words", "TEXT", "as little-endian words of 8 bytes; .. is outside what was asked for"},
	{"text", "TEXT", "as ASCII; a dot is any other byte"},
	{"message", "TEXT", "why they cannot be read"},
	{0},
};
static const struct live_column args[] = {
	{"space", "", "the space"},
	{"start", "", "the first address"},
	{"n", "", "bytes; 256 when not given"},
	{0},
};

struct state {
	struct machine_where where;
	const struct inq_machine *m;
	uint64_t at, last; /* what comes next */
	bool done;
	uint64_t addr, len; /* the row */
	enum inq_status why;
	uint8_t bytes[LINE];
	struct inq_err err;
};

static enum inq_status open_lines(const struct live_call *call, void *state, struct inq_err *err)
{
	struct state *s = state;
	sqlite3_int64 n = call->arg[ARG_N] ? sqlite3_value_int64(call->arg[ARG_N]) : DEFAULT_BYTES;
	enum inq_status st = live_space(call->m, call->arg[ARG_SPACE], &s->where, err);

	if (!st)
		st = live_addr(&s->where, call->arg[ARG_ADDR], &s->at, err);
	if (st)
		return st;
	s->m = call->m;
	s->done = n <= 0;
	s->last = s->done ? s->at : live_last(s->at, (uint64_t)n);
	return INQ_OK;
}

/* How far what cannot be read goes on, as far as that can be told without reading on. */
static uint64_t hole(const struct state *s)
{
	const struct inq_space *sp = s->where.space;
	uint64_t page = PAGE - s->at % PAGE, next;
	uint64_t left = s->last - s->at == UINT64_MAX ? UINT64_MAX : s->last - s->at + 1;
	struct inq_run run;

	if (page >= left)
		return left;
	if (s->why == INQ_EFAULT) {
		if (!machine_space_next(s->m, sp, s->at, s->last, &next))
			return left;
		return next > s->at ? next - s->at : page;
	}
	if (s->why == INQ_EABSENT && sp->runs && !inq_runs(sp, s->at, left, &run, NULL) &&
	    run.kind == INQ_RUN_ABSENT)
		return run.len;
	return page;
}

static enum inq_status next_line(void *state, bool *ret_more, struct inq_err *err)
{
	struct state *s = state;

	(void)err;
	*ret_more = !s->done;
	if (s->done)
		return INQ_OK;
	uint64_t left = s->last - s->at, room = LINE - s->at % LINE;
	s->addr = s->at;
	s->len = room - 1 < left ? room : left + 1;
	s->why = inq_read(s->where.space, s->at, s->bytes, (size_t)s->len, &s->err);
	if (s->why && s->err.addr - s->at < s->len && s->err.addr != s->at) {
		s->len = s->err.addr - s->at; /* what comes before the first bad byte */
		s->why = inq_read(s->where.space, s->at, s->bytes, (size_t)s->len, &s->err);
	}
	if (s->why)
		s->len = hole(s);
	s->done = !s->len || s->len - 1 >= left;
	s->at += s->len;
	return INQ_OK;
}

static const char digits[] = "0123456789abcdef";

static void put_hex(const struct state *s, sqlite3_context *ctx)
{
	char text[LINE * 2 + LINE / 2];
	size_t n = 0, skip = s->addr % LINE;

	for (size_t i = 0; i < skip + s->len; i++) {
		if (i && i % 2 == 0)
			text[n++] = ' ';
		text[n++] = i < skip ? ' ' : digits[s->bytes[i - skip] >> 4];
		text[n++] = i < skip ? ' ' : digits[s->bytes[i - skip] & 15];
	}
	sqlite3_result_text(ctx, text, (int)n, SQLITE_TRANSIENT);
}

static void put_words(const struct state *s, sqlite3_context *ctx)
{
	char text[2 * 19 + 1];
	size_t n = 0, skip = s->addr % LINE;

	for (size_t w = 0; w < LINE; w += 8) {
		if (w && w >= skip + s->len)
			break;
		memcpy(text + n, w ? " 0x" : "0x", 3);
		n += w ? 3 : 2;
		for (size_t i = w + 8; i-- > w;) {
			bool in = i >= skip && i - skip < s->len;
			text[n++] = in ? digits[s->bytes[i - skip] >> 4] : '.';
			text[n++] = in ? digits[s->bytes[i - skip] & 15] : '.';
		}
	}
	sqlite3_result_text(ctx, text, (int)n, SQLITE_TRANSIENT);
}

static void put_text(const struct state *s, sqlite3_context *ctx)
{
	char text[LINE];
	size_t skip = s->addr % LINE;

	memset(text, ' ', sizeof(text));
	for (size_t i = 0; i < s->len; i++)
		text[skip + i] =
			(char)(s->bytes[i] >= ' ' && s->bytes[i] < 0x7f ? s->bytes[i] : '.');
	sqlite3_result_text(ctx, text, (int)(skip + s->len), SQLITE_TRANSIENT);
}

static void put_column(const void *state, int col, sqlite3_context *ctx)
{
	const struct state *s = state;

	if (col == COL_ADDR)
		sqlite3_result_int64(ctx, (sqlite3_int64)s->addr);
	else if (col == COL_LEN)
		sqlite3_result_int64(ctx, (sqlite3_int64)s->len);
	else if (col == COL_STATE)
		sqlite3_result_text(ctx, s->why ? inq_status_name(s->why) : "bytes", -1,
				    SQLITE_STATIC);
	else if (col == COL_MESSAGE && s->why)
		sqlite3_result_text(ctx, s->err.msg, -1, SQLITE_TRANSIENT);
	else if (s->why || col == COL_MESSAGE)
		sqlite3_result_null(ctx);
	else if (col == COL_BYTES)
		sqlite3_result_blob(ctx, s->bytes, (int)s->len, SQLITE_TRANSIENT);
	else if (col == COL_HEX)
		put_hex(s, ctx);
	else if (col == COL_WORDS)
		put_words(s, ctx);
	else
		put_text(s, ctx);
}

const struct live_table live_mem_line = {
	.doc = {.name = "mem_line",
		.doc = "memory, 16 bytes to a row; what cannot be read is a row of its own",
		.cols = cols,
		.args = args,
		.nr_needed = 2},
	.state_bytes = sizeof(struct state),
	.open = open_lines,
	.next = next_line,
	.column = put_column,
};
