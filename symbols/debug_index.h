/* Which unit an address is of. For the child. */
#ifndef SYMBOLS_DEBUG_INDEX_H
#define SYMBOLS_DEBUG_INDEX_H

#include "symbols/debug_job.h"
#include "symbols/debug_unit.h"

/* Ascending, none overlapping. */
struct debug_ranges {
	struct job_range *at;
	size_t nr, room;
};

/* False: no memory, or there are too many. */
bool debug_ranges_add(struct debug_ranges *r, uint64_t first, uint64_t last, uint64_t unit);
void debug_ranges_sort(struct debug_ranges *r); /* makes them ascending, and not overlapping */
void debug_ranges_free(struct debug_ranges *r);

/*
 * All of the file: .debug_aranges says, and where it tells nothing of a unit, the unit itself.
 * Errors: INQ_ENOMEM, INQ_ELIMIT, INQ_ECORRUPT, INQ_ENOTFOUND (no debug information).
 */
INQ_MUST enum inq_status debug_index_ranges(struct debug_file *f, struct debug_ranges *ret,
					    struct inq_err *err);

#endif
