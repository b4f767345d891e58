/*
 * Knows in which order section, node and zone lie in the flags of a page: from the top down, each
 * as wide as the configuration made it.  Source: Linux include/linux/page-flags-layout.h, mmzone.h.
 */
#include "analyzers/page_zones.h"

#include "analyzers/page_scan.h"

enum { FLAGS_BITS = 64, NODES_SHIFT_MAX = 10, DAMAGED = 16 };

bool page_bits_of(const struct page_bits *b, uint64_t flags, uint64_t *ret)
{
	if (!b->width)
		return false;
	*ret = flags >> b->shift & ((1ULL << b->width) - 1);
	return true;
}

/* ZONES_SHIFT */
static unsigned zone_width(unsigned nr_zones)
{
	return nr_zones <= 1 ? 0 : nr_zones <= 2 ? 1 : nr_zones <= 4 ? 2 : 3;
}

static bool is(const struct page_bits *b, uint64_t flags, uint64_t want)
{
	uint64_t v;

	return !page_bits_of(b, flags, &v) || v == want;
}

static bool agrees(const struct page_layout *l, const struct page_sample *sample, size_t nr)
{
	size_t bad = 0;

	for (size_t i = 0; i < nr; i++)
		bad += !is(&l->zone, sample[i].flags, sample[i].zone) ||
		       !is(&l->node, sample[i].flags, sample[i].node) ||
		       !is(&l->section, sample[i].flags, sample[i].pfn >> PAGE_SECTION_SHIFT);
	return bad <= nr / DAMAGED;
}

/* A nodemask_t has a bit for each node that the kernel was built for, in whole words. */
static bool mask_allows(const struct page_widths *w, unsigned node_width)
{
	return node_width <= NODES_SHIFT_MAX && (1U << node_width) <= w->nodemask &&
	       (1U << node_width) + FLAGS_BITS > w->nodemask;
}

struct page_layout page_layout_solve(const struct page_widths *w, const struct page_sample *sample,
				     size_t nr)
{
	const unsigned zone = zone_width(w->nr_zones);
	const unsigned sections[] = {0, w->section_bits};
	struct page_layout ret = {0};
	unsigned fits = 0;

	for (int s = 0; zone && nr && s < 2; s++)
		for (unsigned node = 0; node <= NODES_SHIFT_MAX; node++) {
			unsigned used = sections[s] + node + zone;
			if (!mask_allows(w, node) || used + w->nr_flags > FLAGS_BITS)
				continue;
			struct page_layout l = {
				.known = true,
				.section = {FLAGS_BITS - sections[s], sections[s]},
				.node = {FLAGS_BITS - sections[s] - node, node},
				.zone = {FLAGS_BITS - used, zone},
			};
			if (agrees(&l, sample, nr) && !fits++)
				ret = l;
		}
	return fits == 1 ? ret : (struct page_layout){0};
}
