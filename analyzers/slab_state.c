/*
 * Knows where SLUB keeps its free objects: on the slab's own list, and on that of the CPU that
 * allocates from it; and how their links are disguised.  A list whose length is not what the slab
 * counts was being changed: then what is on no list may be free all the same.  So may what a cache
 * with sheaves has.
 * Source: Linux mm/slub.c (freelist_ptr_decode, ___slab_alloc, get_freelist).
 */
#include "analyzers/slab_state.h"

#include <byteswap.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <inquest/names.h>

enum { CPUS_MOST = 8192 };

static bool is_object(const struct slab_lists *l, uint64_t p, uint64_t *ret_i)
{
	uint64_t off = p - l->first - l->pad;

	*ret_i = off / l->size;
	return off % l->size == 0 && *ret_i < l->objects;
}

/* Until Linux 5.7 the place of a pointer went into its disguise as it is: what fits is right. */
static uint64_t undisguise(const struct slab_lists *l, uint64_t at, uint64_t stored)
{
	uint64_t p, i;

	if (!l->hardened)
		return stored;
	p = stored ^ l->random ^ bswap_64(at);
	if (p && !is_object(l, p, &i)) {
		uint64_t old = stored ^ l->random ^ at;
		if (!old || is_object(l, old, &i))
			return old;
	}
	return p;
}

bool slab_list_mark(const struct slab_lists *l, uint64_t first, slab_read_fn *read, void *ctx,
		    struct slab_free *to, char *why)
{
	for (uint64_t p = first, i = 0, stored = 0; p;) {
		if (!is_object(l, p, &i) || i >= 8 * sizeof(to->bit)) {
			snprintf(why, SLAB_WHY, "a list of free objects leads to 0x%" PRIx64, p);
			return false;
		}
		if (to->bit[i / 8] >> (i % 8) & 1) {
			snprintf(why, SLAB_WHY, "object %" PRIu64 " is on its lists twice", i);
			return false;
		}
		to->bit[i / 8] |= (uint8_t)(1 << (i % 8));
		to->nr++;
		if (!read(ctx, p + l->link, &stored)) {
			snprintf(why, SLAB_WHY, "object %" PRIu64 " cannot be read", i);
			return false;
		}
		p = undisguise(l, p + l->link, stored);
	}
	return true;
}

struct shape {
	struct inq_field freelist, inuse, objects;                   /* of a slab */
	struct inq_field cpu_slab, size, link, pad, random, sheaves; /* of a cache */
	struct inq_field cpu_freelist, cpu_page;                     /* of a cache on a CPU */
};

static bool shape_of(const struct inq_machine *m, struct shape *s)
{
	static const struct inq_shape_member slab[] = {
		{offsetof(struct shape, freelist), "freelist", NULL, NULL, false},
		{offsetof(struct shape, inuse), "inuse", NULL, NULL, false},
		{offsetof(struct shape, objects), "objects", NULL, NULL, false},
		{0}};
	static const struct inq_shape_member cache[] = {
		{offsetof(struct shape, cpu_slab), "cpu_slab", NULL, NULL, false},
		{offsetof(struct shape, size), "size", NULL, NULL, false},
		{offsetof(struct shape, link), "offset", NULL, NULL, false},
		{offsetof(struct shape, pad), "red_left_pad", NULL, NULL, true},
		{offsetof(struct shape, random), "random", NULL, NULL, true},
		{offsetof(struct shape, sheaves), "cpu_sheaves", NULL, NULL, true},
		{0}};
	static const struct inq_shape_member cpu[] = {
		{offsetof(struct shape, cpu_freelist), "freelist", NULL, NULL, false},
		{offsetof(struct shape, cpu_page), "slab", "page", NULL, false},
		{0}};

	return (!inq_shape(m, "struct slab", slab, s, NULL, NULL) ||
		!inq_shape(m, "struct page", slab, s, NULL, NULL)) &&
	       !inq_shape(m, "struct kmem_cache", cache, s, NULL, NULL) &&
	       !inq_shape(m, "struct kmem_cache_cpu", cpu, s, NULL, NULL);
}

static bool read_lists(const struct inq_machine *m, const struct shape *s, uint64_t slab,
		       uint64_t cache, struct slab_lists *l)
{
	l->pad = 0;
	l->hardened = s->random.size;
	return !inq_read_field(m, slab, &s->freelist, &l->freelist, NULL) &&
	       !inq_read_field(m, slab, &s->inuse, &l->inuse, NULL) &&
	       !inq_read_field(m, slab, &s->objects, &l->objects, NULL) &&
	       !inq_read_field(m, cache, &s->size, &l->size, NULL) && l->size &&
	       !inq_read_field(m, cache, &s->link, &l->link, NULL) &&
	       (!s->pad.size || !inq_read_field(m, cache, &s->pad, &l->pad, NULL)) &&
	       (!l->hardened || !inq_read_field(m, cache, &s->random, &l->random, NULL));
}

static bool read_word(void *ctx, uint64_t addr, uint64_t *ret)
{
	return !inq_read_u64(ctx, addr, ret, NULL);
}

struct asked {
	const struct inq_machine *m;
	struct shape shape;
	struct slab_lists lists;
	uint64_t slab, cache, i; /* i: of the object */
	struct slab_free free;
	char *why;
};

static bool is_marked(const struct asked *q)
{
	return q->free.bit[q->i / 8] >> (q->i % 8) & 1;
}

static bool mark(struct asked *q, uint64_t first)
{
	/* a word is read from the machine, which is not changed by that */
	return slab_list_mark(&q->lists, first, read_word, (void *)(uintptr_t)q->m, &q->free,
			      q->why);
}

/* The list of the CPU, when it allocates from this slab; false: it cannot be followed. */
static bool mark_cpu(struct asked *q, uint32_t cpu)
{
	uint64_t base = 0, per_cpu = 0, page = 0, first = 0;

	enum inq_status st = inq_per_cpu_base(q->m, cpu, &base, NULL);
	if (st == INQ_ENOTFOUND || (!st && !base))
		return true; /* there is no such CPU */
	if (st || inq_read_field(q->m, q->cache, &q->shape.cpu_slab, &per_cpu, NULL) ||
	    inq_read_field(q->m, base + per_cpu, &q->shape.cpu_page, &page, NULL) ||
	    inq_read_field(q->m, base + per_cpu, &q->shape.cpu_freelist, &first, NULL)) {
		snprintf(q->why, SLAB_WHY, "the list of cpu %" PRIu32 " cannot be read", cpu);
		return false;
	}
	return page != q->slab || mark(q, first);
}

/*
 * Since Linux 6.18 a cache may keep free objects in sheaves, which its slabs count as in use
 * (mm/slub.c:alloc_from_pcs, free_to_pcs).  They are not read: only that there are none is sure.
 */
static bool has_sheaves(const struct asked *q)
{
	uint64_t sheaves = 0;

	return q->shape.sheaves.size &&
	       (inq_read_field(q->m, q->cache, &q->shape.sheaves, &sheaves, NULL) || sheaves);
}

static enum slab_verdict ask_cpus(struct asked *q)
{
	uint32_t nr = 0;
	bool sure = !inq_nr_cpus(q->m, &nr, NULL);

	if (!sure)
		snprintf(q->why, SLAB_WHY, "how many CPUs there are is unknown");
	for (uint32_t cpu = 0; cpu < nr && cpu < CPUS_MOST; cpu++) {
		sure = mark_cpu(q, cpu) && sure;
		if (is_marked(q)) {
			snprintf(q->why, SLAB_WHY, "on the list of cpu %" PRIu32, cpu);
			return SLAB_FREE;
		}
	}
	return sure ? SLAB_IN_USE : SLAB_UNKNOWN;
}

static enum slab_verdict ask_lists(struct asked *q)
{
	bool sure = mark(q, q->lists.freelist);

	if (is_marked(q)) {
		snprintf(q->why, SLAB_WHY, "on its slab's list");
		return SLAB_FREE;
	}
	if (sure && q->free.nr + q->lists.inuse != q->lists.objects) {
		snprintf(q->why, SLAB_WHY,
			 "%" PRIu64 " objects, %" PRIu64 " in use, but %" PRIu64 " on its list",
			 q->lists.objects, q->lists.inuse, q->free.nr);
		sure = false;
	}
	if (!sure) {
		char kept[SLAB_WHY];
		snprintf(kept, sizeof(kept), "%s", q->why);
		if (ask_cpus(q) == SLAB_FREE)
			return SLAB_FREE;
		snprintf(q->why, SLAB_WHY, "%s", kept);
		return SLAB_UNKNOWN;
	}
	enum slab_verdict v = ask_cpus(q);
	if (v != SLAB_IN_USE || !has_sheaves(q))
		return v;
	snprintf(q->why, SLAB_WHY, "it may be in a sheaf of its cache");
	return SLAB_UNKNOWN;
}

static enum slab_verdict ask(struct asked *q, uint64_t first, uint64_t addr)
{
	if (!shape_of(q->m, &q->shape)) {
		snprintf(q->why, SLAB_WHY, "the kernel has no SLUB, or no types");
		return SLAB_UNKNOWN;
	}
	q->lists.first = first;
	if (!read_lists(q->m, &q->shape, q->slab, q->cache, &q->lists)) {
		snprintf(q->why, SLAB_WHY, "what describes it cannot be read");
		return SLAB_UNKNOWN;
	}
	q->i = (addr - first) / q->lists.size;
	if (q->i < q->lists.objects && q->i < 8 * sizeof(q->free.bit))
		return ask_lists(q);
	snprintf(q->why, SLAB_WHY, "the slab has %" PRIu64 " objects only", q->lists.objects);
	return SLAB_UNKNOWN;
}

enum slab_verdict slab_state_of(const struct inq_machine *m, uint64_t slab, uint64_t cache,
				uint64_t first, uint64_t addr, char why[SLAB_WHY])
{
	struct asked *q = calloc(1, sizeof(*q));
	enum slab_verdict v = SLAB_UNKNOWN;

	*why = '\0';
	if (!q) {
		snprintf(why, SLAB_WHY, "out of memory");
		return v;
	}
	q->m = m;
	q->slab = slab;
	q->cache = cache;
	q->why = why;
	v = ask(q, first, addr);
	if (v == SLAB_IN_USE)
		*why = '\0';
	free(q);
	return v;
}
