/*
 * Knows how sections of struct pages are shared out among threads and come back in order.  A
 * section whose struct pages lie in one piece of the file is looked at where it lies.
 */
#include "analyzers/page_scan.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/cores.h"

enum {
	BLOCK = 4096, /* bytes that are there or not */
	CHUNKS = 16,  /* sections of one round; rounds begin small: the first rows come soon */
	SECTION_BYTES = 8 << 20, /* struct pages of a section: 256 bytes each at most */
};

const struct page_filter page_all = {.last = UINT64_MAX,
				     .flags_first = INT64_MIN,
				     .flags_last = INT64_MAX,
				     .mapping_first = INT64_MIN,
				     .mapping_last = INT64_MAX};

enum state { THERE, ABSENT, UNMAPPED };

struct chunk {
	const struct page_section *of;
	const uint8_t *p; /* all struct pages of the section */
	uint8_t *copy;    /* NULL: p lies in the file */
	uint8_t *state;   /* enum state, of each BLOCK from the section's struct pages on; NULL: all
			     are there */
	uint32_t *hit;    /* pages of the section that fit */
	size_t nr, at;    /* of them; next to be told */
	bool no_memory;
};

struct page_scan {
	const struct page_map *map;
	const struct page_shape *shape;
	struct page_filter f;
	bool (*go)(void *ctx, uint64_t done, uint64_t total);
	void *ctx;
	size_t section, round; /* the next one to be looked at; how many at once */
	struct chunk chunk[CHUNKS];
	size_t nr_chunks, chunk_at;
	_Atomic size_t taken;
};

static uint64_t bytes_of(const struct page_scan *s)
{
	return s->map->per_section * s->shape->size;
}

/* Read what can be read, a block at a time where it must be. */
static void copy_section(const struct page_scan *s, struct chunk *c)
{
	uint64_t n = bytes_of(s);

	for (uint64_t at = 0; at < n; at += BLOCK) {
		size_t len = n - at < BLOCK ? (size_t)(n - at) : BLOCK;
		struct inq_err err;
		enum inq_status st = c->of->pages ? inq_read(s->map->sp, c->of->pages + at,
							     c->copy + at, len, &err)
						  : INQ_EABSENT;
		c->state[at / BLOCK] = st == INQ_OK ? THERE : st == INQ_EFAULT ? UNMAPPED : ABSENT;
	}
}

static bool load_section(const struct page_scan *s, struct chunk *c)
{
	uint64_t n = bytes_of(s);
	struct inq_run run;

	if (c->of->pages && s->map->sp->runs &&
	    !inq_runs(s->map->sp, c->of->pages, n, &run, NULL) && run.kind == INQ_RUN_BYTES &&
	    run.len == n) {
		c->p = run.p;
		return true;
	}
	c->copy = calloc(1, n);
	c->state = calloc(1, n / BLOCK + 1);
	if (!c->copy || !c->state)
		return false;
	c->p = c->copy;
	copy_section(s, c);
	return true;
}

static enum state state_of(const struct page_scan *s, const struct chunk *c, uint64_t i)
{
	uint64_t first = i * s->shape->size, last = first + s->shape->size - 1;

	if (!c->state)
		return THERE;
	return c->state[first / BLOCK] ? (enum state)c->state[first / BLOCK]
				       : (enum state)c->state[last / BLOCK];
}

/* The pages first to last of the section: the loop that everything waits for. */
static void match(const struct page_scan *s, struct chunk *c, uint64_t first, uint64_t last)
{
	const struct page_filter f = s->f;
	uint64_t size = s->shape->size, both = f.has | f.lacks;
	const struct page_shape *shape = s->shape;
	const uint8_t *p = c->p + first * size;
	uint32_t *hit = c->hit;
	size_t nr = c->nr;

	for (uint64_t i = first; i <= last; i++, p += size) {
		uint64_t flags = page_word(shape, &shape->flags, p);
		int64_t mapping = (int64_t)page_word(shape, &shape->mapping, p);
		hit[nr] = (uint32_t)i;
		nr += ((flags & both) == f.has) & ((int64_t)flags >= f.flags_first) &
		      ((int64_t)flags <= f.flags_last) & (mapping >= f.mapping_first) &
		      (mapping <= f.mapping_last);
	}
	c->nr = nr;
}

/* What is not in the dump may be anything: its first page stands for all of the piece. */
static void match_pieces(const struct page_scan *s, struct chunk *c, uint64_t first, uint64_t last)
{
	for (uint64_t i = first; i <= last;) {
		enum state state = state_of(s, c, i);
		uint64_t end = i;
		while (end < last && state_of(s, c, end + 1) == state)
			end++;
		if (state == THERE)
			match(s, c, i, end);
		else if (state == ABSENT)
			c->hit[c->nr++] = (uint32_t)i;
		i = end + 1;
	}
}

static void look(const struct page_scan *s, struct chunk *c)
{
	uint64_t start = c->of->first, end = start + s->map->per_section - 1;
	uint64_t first = s->f.first > start ? s->f.first - start : 0;
	uint64_t last = s->f.last < end ? s->f.last - start : end - start;

	c->no_memory = !c->hit && !(c->hit = malloc((s->map->per_section + 1) * sizeof(*c->hit)));
	if (!c->no_memory && !load_section(s, c))
		c->no_memory = true;
	if (c->no_memory)
		return;
	if (c->state)
		match_pieces(s, c, first, last);
	else
		match(s, c, first, last);
}

static void *work(void *ctx)
{
	struct page_scan *s = ctx;

	for (size_t i; (i = atomic_fetch_add(&s->taken, 1)) < s->nr_chunks;)
		look(s, &s->chunk[i]);
	return NULL;
}

static void drop(struct chunk *c)
{
	uint32_t *hit = c->hit; /* is used again */

	free(c->copy);
	free(c->state);
	*c = (struct chunk){.hit = hit};
}

static bool wanted(const struct page_scan *s, const struct page_section *of)
{
	return of->first <= s->f.last && of->first + (s->map->per_section - 1) >= s->f.first;
}

/* The next sections, looked at side by side.  None: that was all. */
static enum inq_status next_round(struct page_scan *s, struct inq_err *err)
{
	if (s->go && !s->go(s->ctx, s->section, s->map->nr))
		return inq_fail(err, INQ_EINTR, "stopped");
	for (size_t i = 0; i < CHUNKS; i++)
		drop(&s->chunk[i]);
	s->nr_chunks = s->chunk_at = 0;
	for (; s->section < s->map->nr && s->nr_chunks < s->round; s->section++)
		if (wanted(s, &s->map->section[s->section]))
			s->chunk[s->nr_chunks++].of = &s->map->section[s->section];
	s->taken = 0;
	cores_run(s->nr_chunks, work, s);
	for (size_t i = 0; i < s->nr_chunks; i++)
		if (s->chunk[i].no_memory)
			return inq_fail(err, INQ_ENOMEM, "struct pages");
	s->round = 2 * s->round < CHUNKS ? 2 * s->round : CHUNKS;
	return INQ_OK;
}

/* How many pages follow that are not in the dump, this one included. */
static uint64_t absent_from(const struct page_scan *s, const struct chunk *c, uint64_t i)
{
	uint64_t end = i + 1;

	while (end < s->map->per_section && state_of(s, c, end) == ABSENT &&
	       c->of->first + end <= s->f.last)
		end++;
	return end - i;
}

static void tell(const struct page_scan *s, struct chunk *c, struct page_row *ret)
{
	uint64_t i = c->hit[c->at++], size = s->shape->size;

	ret->pfn = c->of->first + i;
	ret->addr = c->of->pages + i * size;
	ret->nr = 1;
	ret->p = c->p + i * size;
	ret->next = i + 1 < s->map->per_section ? ret->p + size : NULL;
	if (!c->state)
		return;
	if (ret->next && state_of(s, c, i + 1) != THERE)
		ret->next = NULL;
	if (state_of(s, c, i) == THERE)
		return;
	ret->p = ret->next = NULL;
	ret->nr = absent_from(s, c, i);
}

enum inq_status page_scan_next(struct page_scan *s, struct page_row *ret, bool *ret_more,
			       struct inq_err *err)
{
	for (;;) {
		for (; s->chunk_at < s->nr_chunks; s->chunk_at++) {
			struct chunk *c = &s->chunk[s->chunk_at];
			if (c->at == c->nr)
				continue;
			tell(s, c, ret);
			*ret_more = true;
			return INQ_OK;
		}
		*ret_more = false;
		if (s->section >= s->map->nr)
			return INQ_OK;
		enum inq_status st = next_round(s, err);
		if (st)
			return st;
	}
}

/* A field that reaches over the end would be another page's. */
static bool fits(const struct page_shape *s, const struct inq_field *f)
{
	return f->size <= s->size && f->off <= s->size - f->size;
}

static bool is_sound(const struct page_map *map, const struct page_shape *s)
{
	const struct inq_field *const all[] = {&s->flags,   &s->mapping,  &s->index,
					       &s->private, &s->refcount, &s->mapcount,
					       &s->head,    &s->type,     &s->order};
	bool ok = map->per_section && s->size && s->size <= SECTION_BYTES / map->per_section &&
		  s->flags.size == 8 && s->mapping.size == 8;

	for (size_t i = 0; ok && i < sizeof(all) / sizeof(*all); i++)
		ok = fits(s, all[i]);
	return ok;
}

enum inq_status page_scan_open(const struct page_map *map, const struct page_shape *shape,
			       const struct page_filter *filter,
			       bool (*go)(void *ctx, uint64_t done, uint64_t total), void *ctx,
			       struct page_scan **ret, struct inq_err *err)
{
	struct page_scan *s;

	if (!is_sound(map, shape))
		return inq_fail(err, INQ_ECORRUPT, "struct page cannot be so");
	s = calloc(1, sizeof(*s));
	if (!s)
		return inq_fail(err, INQ_ENOMEM, "struct pages");
	*s = (struct page_scan){
		.map = map, .shape = shape, .f = *filter, .go = go, .ctx = ctx, .round = 1};
	*ret = s;
	return INQ_OK;
}

void page_scan_close(struct page_scan *s)
{
	for (size_t i = 0; s && i < CHUNKS; i++) {
		drop(&s->chunk[i]);
		free(s->chunk[i].hit);
	}
	free(s);
}

enum inq_status page_map_add(struct page_map *map, uint64_t first, uint64_t pages,
			     struct inq_err *err)
{
	if (map->nr == map->cap) {
		size_t cap = map->cap ? 2 * map->cap : 64;
		struct page_section *more = realloc(map->section, cap * sizeof(*more));
		if (!more)
			return inq_fail(err, INQ_ENOMEM, "sections of memory");
		map->section = more;
		map->cap = cap;
	}
	map->section[map->nr++] = (struct page_section){first, pages};
	return INQ_OK;
}

void page_map_deinit(struct page_map *map)
{
	free(map->section);
	*map = (struct page_map){0};
}
