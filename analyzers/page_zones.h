/*
 * Node, zone and section of a page, as the upper bits of its flags tell them.  How many bits each
 * has is in no type: pages that are known to lie in a zone decide, or nothing is said.
 */
#ifndef ANALYZERS_PAGE_ZONES_H
#define ANALYZERS_PAGE_ZONES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bits of flags; width 0: not there. */
struct page_bits {
	unsigned shift, width;
};
struct page_layout {
	bool known;
	struct page_bits section, node, zone;
};

/* What is known of a page without the upper bits of its flags. */
struct page_sample {
	uint64_t pfn, flags;
	uint32_t node, zone; /* number of its zone among those of its node */
};
/* What the kernel's types say of widths. */
struct page_widths {
	unsigned nr_zones;     /* kinds of zones that it was built for */
	unsigned nodemask;     /* bits of nodemask_t: what it was built for, made up to 64 */
	unsigned section_bits; /* page numbers less those of a section, bits */
	unsigned nr_flags;     /* the layout lies above them */
};

/*
 * The one layout that the samples allow; !known where there is none, or more than one.  A few that
 * contradict are damage: one in 16.
 */
struct page_layout page_layout_solve(const struct page_widths *w, const struct page_sample *sample,
				     size_t nr);
/* False: flags do not tell. */
bool page_bits_of(const struct page_bits *b, uint64_t flags, uint64_t *ret);

#endif
