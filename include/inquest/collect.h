/* A collector turns memory into rows.  Its column list is the SQL schema and the manual. */
#ifndef INQ_COLLECT_H
#define INQ_COLLECT_H

#include <inquest/machine.h>

struct inq_sink; /* one open table, for one machine */

/* INQ_NULL is no column's kind but a value's: unknown, which fits every column but a key. */
enum inq_kind { INQ_NULL, INQ_INT, INQ_ADDR, INQ_TEXT, INQ_BLOB };

struct inq_column {
	const char *name;
	enum inq_kind kind;
	const char *doc; /* meaning and unit, one line */
};

struct inq_value {
	enum inq_kind kind;
	int64_t i;
	const void *p; /* text (NUL-terminated) or bytes, borrowed until the row call returns */
	size_t n;      /* bytes of a blob */
};

/*
 * How to add one: a file analyzers/collect/<table>.c with the columns and run, a line in
 * collectors.h, a line in meson.build, and a test that goes from built memory to expected rows.
 */
struct inq_collector {
	const char *table;
	const char *doc;
	const struct inq_column *cols; /* ends at a NULL name; machine_id stands before them */
	int nr_keys;                   /* the first columns that, behind machine_id, are the key */
	enum inq_status (*run)(const struct inq_machine *m, struct inq_sink *out,
			       struct inq_err *err);
};

/* One row.  INQ_ECORRUPT when its key was reported before: a list of the target is a loop. */
INQ_MUST enum inq_status inq_row(struct inq_sink *out, const struct inq_value *v,
				 struct inq_err *err);

/*
 * Damage in the target (absent, fault, corrupt): why becomes a gap row, the table partial, and
 * the collector goes on or returns.  Any other failure is ours and comes back as it is.  Space
 * NULL: an offset in the file, or with length 0 no place: a value that the dump does not tell.
 */
INQ_MUST enum inq_status inq_gap(struct inq_sink *out, const struct inq_space *space, uint64_t addr,
				 uint64_t length, const struct inq_err *why, struct inq_err *err);

#define INQ_V_NULL ((struct inq_value){.kind = INQ_NULL})
#define INQ_V_INT(x) ((struct inq_value){.kind = INQ_INT, .i = (int64_t)(x)})
#define INQ_V_ADDR(x) ((struct inq_value){.kind = INQ_ADDR, .i = (int64_t)(x)})
#define INQ_V_TEXT(x) ((struct inq_value){.kind = INQ_TEXT, .p = (x)})
#define INQ_V_BLOB(x, len) ((struct inq_value){.kind = INQ_BLOB, .p = (x), .n = (len)})
#define INQ_ROW(out, err, ...) inq_row((out), (const struct inq_value[]){__VA_ARGS__}, (err))

#endif
