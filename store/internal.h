/* What the files of this folder share about one open index. */
#ifndef STORE_INTERNAL_H
#define STORE_INTERNAL_H

#include <stdbool.h>

#include "store/sql.h"
#include "store/store.h"

struct store {
	sqlite3 *db;
	bool read_only; /* opened from a file */
	store_stop_fn *stop;
	void *stop_ctx;
	bool budget_on, budget_spent; /* while a rule runs, see detect.c */
	long budget;                  /* calls of the progress handler that are left */
};

/* Has the user asked to stop? */
static inline bool store_stopped(const struct store *s)
{
	return s->stop && s->stop(s->stop_ctx);
}

enum { STORE_STEPS_PER_CALL = 1000 }; /* SQLite instructions between two progress calls */

INQ_MUST enum inq_status store_schema_create(sqlite3 *db, struct inq_err *err);
/* Does the file hold our framework tables, and nothing that computes when it is read? */
INQ_MUST enum inq_status store_schema_check(sqlite3 *db, struct inq_err *err);
/* The machine's spaces that have no row yet: one may have come since. */
INQ_MUST enum inq_status store_add_spaces(struct store *s, const struct inq_machine *m,
					  struct inq_err *err);
INQ_MUST enum inq_status store_functions_register(sqlite3 *db, struct inq_err *err);

#endif
