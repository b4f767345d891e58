/* Symbols of the kernel and its modules, in the order of their addresses as SQL has them: signed.
 */
#include <inquest/names.h>
#include <string.h>

#include "analyzers/live/table.h"

enum { ARG_NAME };
enum { COL_ADDR, COL_SIZE, COL_NAME, COL_TYPE, COL_MODULE };

static const struct live_column cols[] = {
	{"addr", "INTEGER", "its address, or value"},
	{"size", "INTEGER", "bytes to the next one, or the end; NULL: unknown"},
	{"name", "TEXT", "its name; NULL: lost, the memory that has it is not in the dump"},
	{"type", "TEXT", "letter as nm(1) has it, small: local; NULL: unknown"},
	{"module", "TEXT", "whose it is; NULL: the kernel's"},
	{0},
};
static const struct live_column args[] = {
	{"named", "", "a name, or MODULE:NAME: only symbols called so; without it: all"},
	{0},
};

struct state {
	const struct inq_machine *m;
	const char *name; /* NULL: all */
	char own[512];
	size_t at, nr, first; /* all: how many are told, of how many, and which one begins */
	int64_t last;         /* all: no address behind it is asked for */
	struct inq_symbol row;
};

static enum inq_status open_range(struct state *s, const struct live_range *r, struct inq_err *err)
{
	enum inq_status st = inq_nr_symbols(s->m, &s->nr, err);

	if (st)
		return st;
	size_t begin = inq_symbol_first(s->m, (uint64_t)r->first);
	s->first = inq_symbol_first(s->m, UINT64_C(1) << 63);
	s->at = r->first < 0 ? begin - s->first : s->nr - s->first + begin;
	s->last = r->last;
	return INQ_OK;
}

static enum inq_status open_symbols(const struct live_call *call, void *state, struct inq_err *err)
{
	struct state *s = state;

	s->m = call->m;
	if (call->arg[ARG_NAME]) {
		const char *name = (const char *)sqlite3_value_text(call->arg[ARG_NAME]);
		if (!name)
			return inq_fail(err, INQ_ENOMEM, "name of a symbol");
		if (strlen(name) >= sizeof(s->own))
			return inq_fail(err, INQ_EUSAGE, "%.40s...: no name is that long", name);
		s->name = strcpy(s->own, name);
		return INQ_OK;
	}
	return open_range(s, &call->range[COL_ADDR], err);
}

static enum inq_status next_symbol(void *state, bool *ret_more, struct inq_err *err)
{
	struct state *s = state;
	enum inq_status st = INQ_OK;

	if (s->name) {
		st = inq_symbol_named(s->m, s->name, s->at, &s->row, err);
		*ret_more = !st;
	} else {
		*ret_more = s->at < s->nr &&
			    inq_symbol_nth(s->m, (s->first + s->at) % s->nr, &s->row) &&
			    (int64_t)s->row.addr <= s->last;
	}
	s->at++;
	return st == INQ_ENOTFOUND ? INQ_OK : st;
}

static void put_column(const void *state, int col, sqlite3_context *ctx)
{
	const struct state *s = state;

	if (col == COL_ADDR)
		sqlite3_result_int64(ctx, (sqlite3_int64)s->row.addr);
	else if (col == COL_SIZE && s->row.size)
		sqlite3_result_int64(ctx, (sqlite3_int64)s->row.size);
	else if (col == COL_NAME && *s->row.name)
		sqlite3_result_text(ctx, s->row.name, -1, SQLITE_TRANSIENT);
	else if (col == COL_TYPE && s->row.type)
		sqlite3_result_text(ctx, &s->row.type, 1, SQLITE_TRANSIENT);
	else if (col == COL_MODULE && s->row.module)
		sqlite3_result_text(ctx, s->row.module, -1, SQLITE_TRANSIENT);
}

const struct live_table live_symbol = {
	.doc = {.name = "symbol",
		.doc = "symbols of the kernel and its modules",
		.cols = cols,
		.args = args},
	.state_bytes = sizeof(struct state),
	.nr_ranges = COL_ADDR + 1,
	.open = open_symbols,
	.next = next_symbol,
	.column = put_column,
};

/* sym(addr): "function+0xoff/0xsize [module]", or NULL. */
void live_sym(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	const struct live_host *host = sqlite3_user_data(ctx);
	const struct inq_machine *m = host->machine(host->ctx);
	char text[640];

	(void)n;
	/* the kernel's half: nothing need be looked for to know that no other address has a name */
	if (m && sqlite3_value_type(v[0]) == SQLITE_INTEGER && sqlite3_value_int64(v[0]) < 0 &&
	    inq_symbol_text(m, (uint64_t)sqlite3_value_int64(v[0]), text, sizeof(text)))
		sqlite3_result_text(ctx, text, -1, SQLITE_TRANSIENT);
}

/* is_code(addr): 1 in code of the kernel or a module, else 0; NULL without a machine. */
void live_is_code(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	const struct live_host *host = sqlite3_user_data(ctx);
	const struct inq_machine *m = host->machine(host->ctx);

	(void)n;
	if (m && sqlite3_value_type(v[0]) == SQLITE_INTEGER)
		sqlite3_result_int(ctx, inq_is_text(m, (uint64_t)sqlite3_value_int64(v[0]), NULL));
}
