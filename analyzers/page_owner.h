/* Whose a page is: the file that it is of, the processes that map it, the page tables it is in. */
#ifndef ANALYZERS_PAGE_OWNER_H
#define ANALYZERS_PAGE_OWNER_H

#include "analyzers/page_scan.h"

/* One answer: kind "inode", "mapped", "table"; addr: of the inode, VMA or mm_struct; 0: none. */
typedef void page_owner_fn(void *ctx, const char *kind, uint64_t addr, const char *text);

/*
 * Tell what is known of a page; facts: its own, or of a tail its head's; before: pages between head
 * and it.  What the dump lacks leaves answers out; all lists, trees and tables are walked with a
 * bound, and an answer says so where that or damage ended one.
 */
void page_owner_tell(const struct inq_machine *m, uint64_t pfn, const struct page_facts *facts,
		     uint64_t before, page_owner_fn *say, void *ctx);

#endif
