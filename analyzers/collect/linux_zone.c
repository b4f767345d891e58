/*
 * Knows where the kernel keeps its zones, and whose a slab is.  Sources: Linux
 * include/linux/mmzone.h (pglist_data, zone), include/linux/nodemask.h (node_states), mm/slab.h.
 */
#include "analyzers/collect/linux_zone.h"

#include <stdlib.h>

#include "analyzers/collect/linux.h"

enum { PER_ZONE = 256, NODES_MAX = 1024, SPANS_MAX = 128, SAMPLES_MAX = SPANS_MAX * PER_ZONE / 4 };

struct span {
	uint64_t first, nr; /* pages */
	uint32_t node, zone;
};

struct zones {
	const struct inq_machine *m;
	const struct page_shape *shape;
	const struct page_map *map;
	struct inq_field start, spanned, name; /* of struct zone */
	uint64_t zone_bytes, zones_at;         /* the zones in pglist_data */
	struct page_widths widths;
	struct span span[SPANS_MAX];
	size_t nr_spans;
	struct page_sample sample[SAMPLES_MAX];
	size_t nr_samples;
};

#define ZONE(f, at) LINUX_MEMBER(struct zones, f, at)
static const struct inq_shape_member of_zone[] = {
	ZONE(start, "zone_start_pfn"), ZONE(spanned, "spanned_pages"), ZONE(name, "name"), {0}};

static bool find_types(struct zones *z)
{
	const struct inq_kernel *k = inq_machine_kernel(z->m);
	struct inq_type mask;
	struct inq_member mb;
	uint64_t nr = 0, flags = 0;

	if (inq_shape(z->m, "struct zone", of_zone, z, &z->zone_bytes, NULL) ||
	    inq_member_of(z->m, "struct pglist_data", "node_zones", &mb, NULL) ||
	    inq_type_named(z->m, "nodemask_t", &mask, NULL) ||
	    inq_enum_value(z->m, "zone_type", "__MAX_NR_ZONES", &nr, NULL) || nr > LINUX_ZONES ||
	    inq_enum_value(z->m, "pageflags", "__NR_PAGEFLAGS", &flags, NULL) || flags > PAGE_FLAGS)
		return false;
	z->zones_at = inq_member_at(&mb);
	z->widths = (struct page_widths){
		.nr_zones = (unsigned)nr,
		.nodemask = (unsigned)inq_type_size(mask) * 8,
		/* MAX_PHYSMEM_BITS - SECTION_SIZE_BITS of asm/sparsemem.h */
		.section_bits = (k->levels == 5 ? 52U : 46U) - (PAGE_SECTION_SHIFT + 12),
		.nr_flags = (unsigned)flags,
	};
	return true;
}

static void add_node(struct zones *z, uint32_t node, uint64_t pgdat, struct linux_zones *ret)
{
	for (uint32_t i = 0; i < z->widths.nr_zones; i++) {
		uint64_t at = pgdat + z->zones_at + i * z->zone_bytes, name = 0;
		struct span s = {.node = node, .zone = i};
		if (inq_read_field(z->m, at, &z->start, &s.first, NULL) ||
		    inq_read_field(z->m, at, &z->spanned, &s.nr, NULL))
			continue;
		if (!*ret->name[i] && !inq_read_field(z->m, at, &z->name, &name, NULL) &&
		    linux_string(z->m, name, ret->name[i], LINUX_ZONE_NAME, NULL))
			*ret->name[i] = '\0';
		if (s.nr && s.first + s.nr > s.first && z->nr_spans < SPANS_MAX)
			z->span[z->nr_spans++] = s;
	}
}

/* Nodes that are online; without NUMA there is one, and it is a variable. */
static void find_nodes(struct zones *z, struct linux_zones *ret)
{
	struct inq_type t;
	uint64_t states = 0, nodes = 0, online = 0, bits = 0, pgdat = 0;
	uint64_t mask_bytes = z->widths.nodemask / 8;

	if (inq_var(z->m, "node_data", &nodes, &t, NULL)) {
		if (!inq_var(z->m, "contig_page_data", &pgdat, &t, NULL))
			add_node(z, 0, pgdat, ret);
		return;
	}
	if (inq_var(z->m, "node_states", &states, &t, NULL) ||
	    inq_enum_value(z->m, "node_states", "N_ONLINE", &online, NULL))
		return;
	for (uint32_t i = 0; i < z->widths.nodemask && i < NODES_MAX; i++) {
		if (i % 64 == 0 &&
		    inq_read_u64(z->m, states + online * mask_bytes + i / 8, &bits, NULL))
			return;
		if (bits >> i % 64 & 1 && !inq_read_u64(z->m, nodes + 8 * i, &pgdat, NULL))
			add_node(z, i, pgdat, ret);
	}
}

/* Spans of nodes may lie in one another; of what is in two nothing is known. */
static bool is_in_one(const struct zones *z, uint64_t pfn)
{
	size_t in = 0;

	for (size_t i = 0; i < z->nr_spans; i++)
		in += pfn - z->span[i].first < z->span[i].nr;
	return in == 1;
}

static int by_first(const void *key, const void *elem)
{
	uint64_t pfn = *(const uint64_t *)key, first = ((const struct page_section *)elem)->first;

	return pfn < first ? -1 : pfn - first >= 1ULL << PAGE_SECTION_SHIFT;
}

static bool flags_of(const struct zones *z, uint64_t pfn, uint64_t *ret)
{
	const struct page_section *s = z->map->nr ? bsearch(&pfn, z->map->section, z->map->nr,
							    sizeof(*z->map->section), by_first)
						  : NULL;

	/* all ones: PAGE_POISON_PATTERN, never set up */
	return s && s->pages &&
	       !inq_read_field(z->m, s->pages + (pfn - s->first) * z->shape->size, &z->shape->flags,
			       ret, NULL) &&
	       *ret != UINT64_MAX;
}

static void sample_span(struct zones *z, const struct span *s)
{
	uint64_t nr = s->nr < PER_ZONE ? s->nr : PER_ZONE;

	for (uint64_t i = 0; i < nr && z->nr_samples < SAMPLES_MAX; i++) {
		struct page_sample p = {
			.pfn = s->first + s->nr / nr * i, .node = s->node, .zone = s->zone};
		if (is_in_one(z, p.pfn) && flags_of(z, p.pfn, &p.flags))
			z->sample[z->nr_samples++] = p;
	}
}

void linux_zones_find(const struct inq_machine *m, const struct page_shape *shape,
		      const struct page_map *map, struct linux_zones *ret)
{
	struct zones *z = calloc(1, sizeof(*z));

	*ret = (struct linux_zones){0};
	if (!z)
		return;
	*z = (struct zones){.m = m, .shape = shape, .map = map};
	if (find_types(z)) {
		find_nodes(z, ret);
		for (size_t i = 0; i < z->nr_spans; i++)
			sample_span(z, &z->span[i]);
		ret->layout = page_layout_solve(&z->widths, z->sample, z->nr_samples);
	}
	free(z);
}

#define SLAB(f, at) LINUX_MEMBER(struct linux_slab_shape, f, at)
static const struct inq_shape_member of_slab[] = {SLAB(cache, "slab_cache"), {0}};
static const struct inq_shape_member of_cache[] = {SLAB(name, "name"), SLAB(object, "size"), {0}};

enum inq_status linux_slab_shape(const struct inq_machine *m, struct linux_slab_shape *ret,
				 struct inq_err *err)
{
	/* a structure of its own since 5.17 */
	enum inq_status st = inq_shape(m, "struct slab", of_slab, ret, NULL, NULL)
				     ? inq_shape(m, "struct page", of_slab, ret, NULL, err)
				     : INQ_OK;

	return st ? st : inq_shape(m, "struct kmem_cache", of_cache, ret, NULL, err);
}

enum inq_status linux_slab_cache(const struct inq_machine *m, const struct linux_slab_shape *shape,
				 uint64_t head, uint64_t *ret_cache, char *name, size_t n,
				 struct inq_err *err)
{
	uint64_t cache = 0, at = 0;
	enum inq_status st = inq_read_field(m, head, &shape->cache, &cache, err);

	*name = '\0';
	st = st ? st : inq_read_field(m, cache, &shape->name, &at, err);
	st = st ? st : linux_string(m, at, name, n, err);
	if (!st)
		*ret_cache = cache;
	return st;
}
