/* What an address of the kernel's memory belongs to. */
#ifndef ANALYZERS_WHAT_H
#define ANALYZERS_WHAT_H

#include <inquest/types.h>

/* One answer; addr is where what it tells of begins: of "mapped" a VMA, of "table" an mm_struct. */
struct what {
	const char *kind; /* "symbol", "per_cpu", "task", "stack", "page", "inode", "mapped",
			     "table", "slab" */
	uint64_t addr;
	bool around;    /* what was asked of is part of it */
	char text[260]; /* may hold any bytes of the dump but NUL */
};

enum { WHAT_MAX = 24 };

/*
 * All that is known, WHAT_MAX at most; *ret_nr is 0 when nothing is.  What the dump lacks,
 * names, types, single pages, leaves answers out.  Errors: INQ_ENOMEM, and INQ_EABSENT: no kernel.
 */
INQ_MUST enum inq_status what_is(const struct inq_machine *m, uint64_t addr,
				 struct what ret[WHAT_MAX], size_t *ret_nr, struct inq_err *err);

#endif
