/*
 * One table-valued function over the machine.  To add one: analyzers/live/<name>.c with
 * `const struct live_table live_<name>`, its name in LIVE_TABLES, its file in meson.build, a test
 * in tests/analyzers/test_live.c.
 */
#ifndef ANALYZERS_LIVE_TABLE_H
#define ANALYZERS_LIVE_TABLE_H

#include <sqlite3.h>

#include "analyzers/live/live.h"
#include "machine/place.h"

/* One a line, whatever is added. */
/* clang-format off */
#define LIVE_TABLES(X) \
	X(bt) \
	X(bt_cpu) \
	X(dis) \
	X(lines) \
	X(mem_line) \
	X(object) \
	X(page) \
	X(pt_walk) \
	X(search) \
	X(symbol) \
	X(type_member) \
	X(walk) \
	X(what)
/* clang-format on */

enum { LIVE_MAX_ARGS = 4, LIVE_MAX_RANGES = 3 };

/* What a condition of the query allows, inclusive; all of int64_t when there is none. */
struct live_range {
	int64_t first, last;
};

struct live_call {
	const struct live_host *host;
	const struct inq_machine *m;
	sqlite3_value *arg[LIVE_MAX_ARGS]; /* NULL: not given; those that are needed never are */
	struct live_range
		range[LIVE_MAX_RANGES]; /* of the first columns; rows outside are dropped */
	void *kept; /* kept_bytes of this table and machine, zeroed at first: what each call needs
		     */
};

struct live_table {
	struct live_doc doc;
	size_t state_bytes;
	size_t kept_bytes;
	void (*drop)(void *kept); /* NULL: nothing to be freed in it */
	int nr_ranges; /* so many of its first columns, integers, can be asked for in ranges; rows
			  come in the order of the first one, unless an argument is given */
	/* Begin with a zeroed state, which stays where it is until close. */
	enum inq_status (*open)(const struct live_call *call, void *state, struct inq_err *err);
	/* The next row, or *ret_more false behind the last. */
	enum inq_status (*next)(void *state, bool *ret_more, struct inq_err *err);
	void (*column)(const void *state, int col, sqlite3_context *ctx);
	void (*close)(void *state); /* NULL: nothing to be freed */
};

#define LIVE_DECLARE(n) extern const struct live_table live_##n;
LIVE_TABLES(LIVE_DECLARE)
#undef LIVE_DECLARE

INQ_MUST enum inq_status live_tables_register(sqlite3 *db, const struct live_host *host,
					      struct inq_err *err);
/* mem() and its like. */
INQ_MUST enum inq_status live_functions_register(sqlite3 *db, const struct live_host *host,
						 struct inq_err *err);

/* line() and var_type(), in lines.c; sym() and is_code(), in symbol.c. */
void live_is_code(sqlite3_context *ctx, int n, sqlite3_value **v);
void live_line(sqlite3_context *ctx, int n, sqlite3_value **v);
void live_sym(sqlite3_context *ctx, int n, sqlite3_value **v);
void live_var_type(sqlite3_context *ctx, int n, sqlite3_value **v);

/* Values of SQL to a space and an address in it. */
INQ_MUST enum inq_status live_space(const struct inq_machine *m, sqlite3_value *v,
				    struct machine_where *ret, struct inq_err *err);
INQ_MUST enum inq_status live_addr(const struct machine_where *w, sqlite3_value *v, uint64_t *ret,
				   struct inq_err *err);

/* From one of nr rows to the next; *began: it is not the first that is asked for. */
static inline bool live_step(size_t *at, bool *began, size_t nr)
{
	*at += *began;
	*began = true;
	return *at < nr;
}

/* addr + n - 1, or the last address there is; n is not 0. */
static inline uint64_t live_last(uint64_t addr, uint64_t n)
{
	return n - 1 > UINT64_MAX - addr ? UINT64_MAX : addr + (n - 1);
}

#endif
