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

/*
 * All of the file: .debug_aranges says, and where it tells nothing of a unit, the unit itself.
 * Errors: INQ_ENOMEM, INQ_ELIMIT, INQ_ECORRUPT, INQ_ENOTFOUND (no debug information).
 */
INQ_MUST enum inq_status debug_index_ranges(struct debug_file *f, struct debug_ranges *ret,
					    struct inq_err *err);

#endif
