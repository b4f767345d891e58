/*
 * The open machine in SQL: functions and table-valued functions that read its memory.  They exist
 * on every connection; without a dump they yield NULL and no rows.  `space` is a space's number or
 * anything that machine/place.h knows as the name of one, `addr` an integer or such a text.
 */
#ifndef ANALYZERS_LIVE_H
#define ANALYZERS_LIVE_H

#include <stdbool.h>

#include <inquest/collect.h>

struct store;

/* Whose connection it is; must outlive the store. */
struct live_host {
	/* NULL: there is no dump.  Asked each time, so that it may be opened late. */
	const struct inq_machine *(*machine)(void *ctx);
	/* While one row takes long: so much of it is done (total 0: nobody knows).  False: stop. */
	bool (*progress)(void *ctx, uint64_t done, uint64_t total);
	void *ctx;
};

/* Errors: INQ_ENOMEM. */
INQ_MUST enum inq_status live_register(struct store *s, const struct live_host *host,
				       struct inq_err *err);

/*
 * Rows of addr_name for what the collector's addresses are called, so that an index still reads
 * well without the dump.  Errors: INQ_ENOMEM, INQ_EIO.
 */
INQ_MUST enum inq_status live_keep_names(struct store *s, const struct inq_collector *c,
					 struct inq_err *err);

/* For `inquest schema`: what a table-valued function takes and yields. */
struct live_column {
	const char *name, *type, *doc; /* type as in CREATE TABLE */
};
struct live_doc {
	const char *name, *doc;
	const struct live_column *cols; /* ends at a NULL name */
	const struct live_column *args; /* the same */
	int nr_needed;                  /* of the arguments, from the first on */
};
const struct live_doc *live_doc_at(size_t i); /* NULL behind the last */

#endif
