/*
 * A translation, entry by entry.  Where a guest's tables lie in memory that a hypervisor translates
 * in turn, the walk that finds each entry comes before it, one level deeper.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/live/table.h"

enum { ARG_SPACE, ARG_ADDR };
enum {
	COL_NR,
	COL_DEPTH,
	COL_SPACE,
	COL_INPUT,
	COL_TABLE,
	COL_IDX,
	COL_ADDR,
	COL_IN,
	COL_ENTRY,
	COL_FLAGS,
	COL_OK,
	COL_VERDICT
};

static const struct live_column cols[] = {
	{"nr", "INTEGER", "order in which a CPU looks, from 0"},
	{"depth", "INTEGER", "0: the walk asked for; 1: one that finds an entry of it; and so on"},
	{"space", "TEXT", "space whose address is translated"},
	{"input", "INTEGER", "that address"},
	{"tbl", "TEXT", "pml5, pml4, pdpt, pd, pt; page: where the walk ends"},
	{"idx", "INTEGER", "entry of the table"},
	{"addr", "INTEGER", "where the entry lies, or the page's byte; NULL: a loaded PDPTR"},
	{"lower", "TEXT", "the space of addr"},
	{"entry", "INTEGER", "its value; NULL: not known"},
	{"flags", "TEXT", "its bits by name; of a page its size and combined rights"},
	{"ok", "INTEGER", "1: leads on, or can be read"},
	{"verdict", "TEXT", "ok, or why the walk ends here, bit by bit"},
	{0},
};
static const struct live_column args[] = {
	{"of_space", "", "the space"},
	{"start", "", "the address"},
	{0},
};

enum { DEPTH_MAX = 4, ROWS_MAX = 64 }; /* two dimensions of five levels have 35 */

struct row {
	int depth;
	const struct paging_space *ps; /* NULL: no tables, the address is as it is */
	const struct inq_space *space;
	uint64_t input;
	struct paging_step step; /* level 0: the page */
	struct paging_walk walk;
	enum inq_status why; /* of the page */
};

struct state {
	struct machine_where where;
	struct row row[ROWS_MAX];
	int nr, at;
};

static struct row *add(struct state *s, int depth, const struct inq_space *sp, uint64_t input)
{
	struct row *r = s->nr < ROWS_MAX ? &s->row[s->nr++] : NULL;

	if (r)
		*r = (struct row){
			.depth = depth, .ps = paging_space_of(sp), .space = sp, .input = input};
	return r;
}

static bool from_register(const struct paging_space *ps, const struct paging_step *step)
{
	return ps->mode.levels == 3 && step->level == 3 && ps->mode.pdptr_known;
}

/* The page's byte: can it be read? */
static void add_page(struct state *s, int depth, const struct inq_space *sp, uint64_t input,
		     const struct paging_walk *w)
{
	struct row *r = add(s, depth, sp, input);
	uint8_t byte;

	if (!r)
		return;
	r->walk = *w;
	r->why = inq_read(r->ps ? sp->lower : sp, w->pa, &byte, 1, NULL);
}

static void walk(struct state *s, int depth, const struct inq_space *sp, uint64_t input)
{
	const struct paging_space *ps = paging_space_of(sp);
	struct paging_walk w = {.pa = input};
	bool nested = ps && paging_space_of(sp->lower) && depth < DEPTH_MAX;

	if (ps)
		paging_walk(&ps->mode, sp->lower, input, &w);
	for (int i = 0; i < w.nr_steps; i++) {
		if (nested && !from_register(ps, &w.step[i]))
			walk(s, depth + 1, sp->lower, w.step[i].entry_addr);
		struct row *r = add(s, depth, sp, input);
		if (r)
			r->step = w.step[i];
	}
	if (w.verdict != PAGING_OK && !w.nr_steps) {
		struct row *r = add(s, depth, sp, input);
		if (r)
			r->walk = w;
		return;
	}
	if (w.verdict != PAGING_OK)
		return;
	if (nested)
		walk(s, depth + 1, sp->lower, w.pa);
	add_page(s, depth, sp, input, &w);
}

static enum inq_status open_walk(const struct live_call *call, void *state, struct inq_err *err)
{
	struct state *s = state;
	uint64_t addr = 0;
	enum inq_status st = live_space(call->m, call->arg[ARG_SPACE], &s->where, err);

	if (!st)
		st = live_addr(&s->where, call->arg[ARG_ADDR], &addr, err);
	if (st)
		return st;
	walk(s, 0, s->where.space, addr);
	s->at = -1;
	return INQ_OK;
}

static enum inq_status next_row(void *state, bool *ret_more, struct inq_err *err)
{
	struct state *s = state;

	(void)err;
	*ret_more = ++s->at < s->nr;
	return INQ_OK;
}

static void put(sqlite3_context *ctx, const char *text)
{
	sqlite3_result_text(ctx, text, -1, SQLITE_TRANSIENT);
}

static void put_flags(const struct row *r, sqlite3_context *ctx)
{
	const struct paging_walk *w = &r->walk;
	char text[96];

	if (r->step.level) {
		paging_entry_flags(&r->ps->mode, &r->step, text, sizeof(text));
	} else if (!r->ps || !r->ps->mode.levels || w->verdict != PAGING_OK) {
		text[0] = '\0';
	} else {
		uint64_t kib = w->page_bytes >> 10;
		snprintf(text, sizeof(text), "%" PRIu64 " %s%s%s%s%s",
			 kib < 1024      ? kib
			 : kib < 1 << 20 ? kib >> 10
					 : kib >> 20,
			 kib < 1024      ? "KiB"
			 : kib < 1 << 20 ? "MiB"
					 : "GiB",
			 w->unreadable ? "" : ", readable", w->writable ? ", writable" : "",
			 w->nx ? "" : ", executable",
			 r->ps->mode.kind == PAGING_CPU && w->user ? ", user" : "");
	}
	put(ctx, text);
}

static const char *page_verdict(const struct row *r)
{
	if (!r->why)
		return "ok";
	if (r->why == INQ_EABSENT)
		return "the page was not dumped";
	return r->ps && paging_space_of(r->space->lower) ? "the page is not mapped there"
							 : "the page lies outside memory";
}

static void put_verdict(const struct row *r, sqlite3_context *ctx)
{
	char why[128], text[192];

	if (!r->step.level) {
		put(ctx, r->walk.verdict ? paging_verdict_name(r->walk.verdict) : page_verdict(r));
		return;
	}
	paging_explain(&r->ps->mode, &r->step, why, sizeof(why));
	snprintf(text, sizeof(text), "%s%s%s", paging_verdict_name(r->step.verdict),
		 *why ? ": " : "", why);
	put(ctx, text);
}

static bool entry_known(const struct paging_step *step)
{
	return step->level && step->verdict != PAGING_ABSENT && step->verdict != PAGING_UNREADABLE;
}

/* Where the entry or the byte lies, if it lies anywhere. */
static void put_place(const struct row *r, int col, sqlite3_context *ctx)
{
	const struct inq_space *lower = r->ps ? r->space->lower : r->space;

	if (r->step.level ? from_register(r->ps, &r->step) : r->walk.verdict != PAGING_OK)
		sqlite3_result_null(ctx);
	else if (col == COL_IN)
		put(ctx, lower->name);
	else
		sqlite3_result_int64(
			ctx, (sqlite3_int64)(r->step.level ? r->step.entry_addr : r->walk.pa));
}

static void put_column(const void *state, int col, sqlite3_context *ctx)
{
	const struct state *s = state;
	const struct row *r = &s->row[s->at];
	bool is_entry = r->step.level;

	if (col == COL_NR)
		sqlite3_result_int(ctx, s->at);
	else if (col == COL_DEPTH)
		sqlite3_result_int(ctx, r->depth);
	else if (col == COL_SPACE)
		put(ctx, r->space->name);
	else if (col == COL_INPUT)
		sqlite3_result_int64(ctx, (sqlite3_int64)r->input);
	else if (col == COL_TABLE)
		put(ctx, is_entry ? paging_table_name(r->step.level) : "page");
	else if (col == COL_IDX && is_entry)
		sqlite3_result_int(ctx, (int)paging_index(&r->ps->mode, r->step.level, r->input));
	else if (col == COL_ADDR || col == COL_IN)
		put_place(r, col, ctx);
	else if (col == COL_ENTRY && entry_known(&r->step))
		sqlite3_result_int64(ctx, (sqlite3_int64)r->step.entry);
	else if (col == COL_FLAGS)
		put_flags(r, ctx);
	else if (col == COL_OK)
		sqlite3_result_int(ctx, is_entry ? r->step.verdict == PAGING_OK
						 : !r->why && r->walk.verdict == PAGING_OK);
	else if (col == COL_VERDICT)
		put_verdict(r, ctx);
}

const struct live_table live_pt_walk = {
	.doc = {.name = "pt_walk",
		.doc = "a translation through page tables, every entry with its verdict",
		.cols = cols,
		.args = args,
		.nr_needed = 2},
	.state_bytes = sizeof(struct state),
	.open = open_walk,
	.next = next_row,
	.column = put_column,
};
