/* Hits of a search, as they are found. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "analyzers/live/table.h"
#include "machine/name_addr.h"
#include "machine/search.h"

enum { SHOWN = 16 };
enum { ARG_WHAT, ARG_SPACE, ARG_FIRST, ARG_LAST };
enum { COL_STATE, COL_ADDR, COL_LEN, COL_BYTES, COL_TEXT };

static const struct live_column cols[] = {
	{"state", "TEXT", "hit; the last row, if anything could not be read: unseen"},
	{"addr", "INTEGER", "address of the hit; NULL: unseen"},
	{"len", "INTEGER", "bytes of the hit; of all that was not seen"},
	{"bytes", "TEXT", "16 bytes from there on in hexadecimal, fewer where they end"},
	{"text", "TEXT", "the same as ASCII"},
	{0},
};
static const struct live_column args[] = {
	{"what", "", "hex:F4EB.., u64:FIRST-LAST, ... as in `inquest help search`"},
	{"space", "", "the space; phys when not given"},
	{"first", "", "first address, and"},
	{"last", "", "the last one; all of the space when not given"},
	{0},
};

struct state {
	struct machine_where where;
	struct machine_pattern pt;
	struct machine_search *search;
	uint64_t addr, len; /* the row */
	bool is_hit, unseen_said;
	uint8_t bytes[SHOWN];
	size_t nr_bytes;
};

static enum inq_status take_range(const struct live_call *call, struct state *s,
				  uint64_t *ret_first, uint64_t *ret_last, struct inq_err *err)
{
	enum inq_status st = call->arg[ARG_SPACE]
				     ? live_space(call->m, call->arg[ARG_SPACE], &s->where, err)
				     : machine_space_named(call->m, "phys", 4, &s->where, err);

	*ret_first = 0;
	*ret_last = UINT64_MAX;
	if (!st && call->arg[ARG_FIRST])
		st = live_addr(&s->where, call->arg[ARG_FIRST], ret_first, err);
	if (!st && call->arg[ARG_LAST])
		st = live_addr(&s->where, call->arg[ARG_LAST], ret_last, err);
	return st;
}

/* ptr:NAME is ptr:FIRST-LAST of what is named so; everything else tells itself what it is. */
static enum inq_status take_pattern(const struct inq_machine *m, const char *what,
				    struct machine_pattern *ret, struct inq_err *err)
{
	struct machine_name name = {0};
	char range[64];

	if (strncmp(what, "ptr:", 4) != 0 || (what[4] >= '0' && what[4] <= '9'))
		return machine_pattern(what, ret, err);
	enum inq_status st = machine_name_addr(m, what + 4, strlen(what + 4), NULL, &name, err);
	if (st)
		return st;
	(void)snprintf(range, sizeof(range), "ptr:0x%" PRIx64 "-0x%" PRIx64, name.addr,
		       name.addr + (name.size ? name.size - 1 : 0));
	return machine_pattern(range, ret, err);
}

static enum inq_status open_search(const struct live_call *call, void *state, struct inq_err *err)
{
	struct state *s = state;
	const char *what = (const char *)sqlite3_value_text(call->arg[ARG_WHAT]);
	uint64_t first = 0, last = 0;

	if (!what)
		return inq_fail(err, INQ_ENOMEM, "what to search");
	enum inq_status st = take_pattern(call->m, what, &s->pt, err);
	if (!st)
		st = take_range(call, s, &first, &last, err);
	return st ? st
		  : machine_search_open(call->m, s->where.space, first, last, &s->pt,
					call->host->progress, call->host->ctx, &s->search, err);
}

static void close_search(void *state)
{
	machine_search_close(((struct state *)state)->search);
}

/* What stands there, as much as can be read. */
static void look(struct state *s)
{
	size_t n = UINT64_MAX - s->addr < SHOWN ? (size_t)(UINT64_MAX - s->addr) + 1 : SHOWN;

	while (n && inq_read(s->where.space, s->addr, s->bytes, n, NULL))
		n--;
	s->nr_bytes = n;
}

static enum inq_status next_hit(void *state, bool *ret_more, struct inq_err *err)
{
	struct state *s = state;
	enum inq_status st = machine_search_next(s->search, &s->addr, &s->is_hit, err);

	if (st)
		return st;
	*ret_more = s->is_hit;
	s->len = s->pt.n;
	if (s->is_hit) {
		look(s);
	} else if (!s->unseen_said) {
		s->unseen_said = true;
		s->len = machine_search_unseen(s->search);
		*ret_more = s->len > 0;
	}
	return INQ_OK;
}

static void put_column(const void *state, int col, sqlite3_context *ctx)
{
	const struct state *s = state;
	char text[2 * SHOWN + 1];

	if (col == COL_STATE)
		sqlite3_result_text(ctx, s->is_hit ? "hit" : "unseen", -1, SQLITE_STATIC);
	else if (col == COL_LEN)
		sqlite3_result_int64(ctx, (sqlite3_int64)s->len);
	if (col == COL_STATE || col == COL_LEN || !s->is_hit)
		return;
	if (col == COL_ADDR) {
		sqlite3_result_int64(ctx, (sqlite3_int64)s->addr);
		return;
	}
	for (size_t i = 0; i < s->nr_bytes; i++)
		if (col == COL_BYTES)
			snprintf(text + 2 * i, 3, "%02x", s->bytes[i]);
		else
			text[i] = (char)(s->bytes[i] >= ' ' && s->bytes[i] < 0x7f ? s->bytes[i]
										  : '.');
	sqlite3_result_text(ctx, text, (int)(col == COL_BYTES ? 2 * s->nr_bytes : s->nr_bytes),
			    SQLITE_TRANSIENT);
}

const struct live_table live_search = {
	.doc = {.name = "search",
		.doc = "memory searched on all cores, hits in the order of their addresses",
		.cols = cols,
		.args = args,
		.nr_needed = 1},
	.state_bytes = sizeof(struct state),
	.open = open_search,
	.next = next_hit,
	.column = put_column,
	.close = close_search,
};
