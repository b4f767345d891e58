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

enum { LINUX_PAGE_MAX = 256 }; /* bytes of struct page */
/* The head of the compound that a page is of, read into p; the page itself where it is of none, or
 * its head cannot be read. */
void linux_page_head(const struct inq_machine *m, const struct page_shape *shape,
		     const struct page_row *row, uint8_t p[LINUX_PAGE_MAX], struct page_row *ret,
		     struct page_facts *ret_facts);

#endif
