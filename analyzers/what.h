/* What an address of the kernel's memory belongs to. */
#ifndef ANALYZERS_WHAT_H
#define ANALYZERS_WHAT_H

#include <inquest/types.h>

/* One answer; addr is where what it tells of begins. */
struct what {
	const char *kind; /* "symbol", "per_cpu", "task", "stack", "page", "slab" */
	uint64_t addr;
	char text[260]; /* may hold any bytes of the dump but NUL */
};

enum { WHAT_MAX = 16 };

/*
 * All that is known, WHAT_MAX at most; *ret_nr is 0 when nothing is.  What the dump lacks,
 * names, types, single pages, leaves answers out.  Errors: INQ_ENOMEM, and INQ_EABSENT: no kernel.
 */
INQ_MUST enum inq_status what_is(const struct inq_machine *m, uint64_t addr,
				 struct what ret[WHAT_MAX], size_t *ret_nr, struct inq_err *err);

#endif
