/* The pages of a kdump: two bitmaps, descriptors, what is stored behind them. */
#ifndef LOADER_KDUMP_H
#define LOADER_KDUMP_H

#include "loader/dump.h"

/* Places in the file that loader_bytes serves. */
struct kdump_layout {
	uint64_t max_pfn;              /* page frames that the bitmaps tell of */
	uint64_t bitmap_off, bitmap_n; /* both bitmaps together, bytes */
	uint64_t desc_off;
	uint64_t first_pfn, last_pfn; /* frames of this part of a split dump; last exclusive */
};

/*
 * Extents from the bitmaps, d->block_at for the pages.  Pages that the file lost are damage.
 * Errors: INQ_ENOMEM, INQ_ECORRUPT (no page at all).
 */
INQ_MUST enum inq_status kdump_pages_open(struct loader_dump *d, const struct kdump_layout *l,
					  struct inq_err *err);

#endif
