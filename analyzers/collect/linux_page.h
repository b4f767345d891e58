/* Where this kernel's struct pages are, and what they look like. */
#ifndef ANALYZERS_COLLECT_LINUX_PAGE_H
#define ANALYZERS_COLLECT_LINUX_PAGE_H

#include "analyzers/page_scan.h"

/*
 * Names of flags are the machine's.  Errors: INQ_ENOTFOUND, INQ_EABSENT (names or types are
 * missing), INQ_ECORRUPT, INQ_ENOMEM.
 */
INQ_MUST enum inq_status linux_page_shape(const struct inq_machine *m, struct page_shape *ret,
					  struct inq_err *err);
/* Sections that have struct pages, in order.  To be deinited, also when it fails. */
INQ_MUST enum inq_status linux_page_map(const struct inq_machine *m, const struct page_shape *shape,
					struct page_map *ret, struct inq_err *err);

#endif
