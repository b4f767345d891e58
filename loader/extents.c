/*
 * Knows how segments that overlap, repeat or contradict each other become one ordered list.
 * QEMU's paged dumps map the same bytes many times; a kdump holds the kernel's text twice.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "loader/dump.h"

struct part {
	struct inq_extent e;
	uint64_t zero_at;
};

enum {
	COMPARED = 8,         /* parts that overlap, and pages of each that are looked at */
	MOST_COMPARED = 4096, /* times in one dump: a kdump needs one or two */
};

static void part_scope(struct part **p)
{
	free(*p);
}

static int by_first(const void *a, const void *b)
{
	const struct part *pa = a, *pb = b;

	if (pa->e.first != pb->e.first)
		return pa->e.first < pb->e.first ? -1 : 1;
	return pa->e.file_off < pb->e.file_off ? -1 : pa->e.file_off > pb->e.file_off;
}

static void cut_front(struct part *p, uint64_t first)
{
	uint64_t old = p->e.first;

	p->e.first = first;
	if (p->e.kind == INQ_EXTENT_BYTES)
		p->e.file_off += first - old;
	if (p->zero_at != LOADER_NO_BITS)
		p->zero_at += first / LOADER_PAGE - old / LOADER_PAGE;
}

/* Two parts that claim the same addresses: do they say the same about them? */
static bool agree(struct loader_dump *d, const struct part *a, const struct part *b)
{
	uint64_t first = a->e.first > b->e.first ? a->e.first : b->e.first;
	uint64_t last = a->e.last < b->e.last ? a->e.last : b->e.last;

	if (last < first || a->e.kind != INQ_EXTENT_BYTES)
		return true;
	uint64_t at_a = a->e.file_off + (first - a->e.first);
	uint64_t at_b = b->e.file_off + (first - b->e.first);
	uint64_t n = last - first + 1, len = n < LOADER_PAGE ? n : LOADER_PAGE;
	const uint8_t *mem = loader_memory(d)->p;
	if (at_a == at_b || d->nr_compared > MOST_COMPARED)
		return true;
	if (d->nr_compared++ == MOST_COMPARED)
		loader_damage(d, INQ_ECORRUPT, 1, first, n,
			      "too many segments overlap: from 0x%" PRIx64 " on not compared",
			      first);
	for (uint64_t i = 0; i < COMPARED; i++) {
		uint64_t off = (n - len) / COMPARED * i;
		if (memcmp(mem + at_a + off, mem + at_b + off, (size_t)len) != 0)
			return false;
	}
	return true;
}

static bool joins(const struct part *a, const struct part *b)
{
	uint64_t n = b->e.first - a->e.first;

	if (a->e.kind != b->e.kind || a->e.last + 1 != b->e.first)
		return false;
	if (a->e.kind == INQ_EXTENT_BYTES && a->e.file_off + n != b->e.file_off)
		return false;
	if (a->zero_at == LOADER_NO_BITS || b->zero_at == LOADER_NO_BITS)
		return a->zero_at == b->zero_at;
	return a->zero_at + b->e.first / LOADER_PAGE - a->e.first / LOADER_PAGE == b->zero_at;
}

/* p against those that were kept before it; not against all, or a hostile file takes forever. */
static void compare(struct loader_dump *d, const struct part *parts, size_t kept,
		    const struct part *p)
{
	for (size_t back = 1; back <= kept && back <= COMPARED; back++) {
		const struct part *before = &parts[kept - back];
		if (before->e.last < p->e.first)
			return;
		if (agree(d, before, p))
			continue;
		loader_damage(d, INQ_ECORRUPT, 1, p->e.first, p->e.last - p->e.first + 1,
			      "two segments contradict each other about 0x%" PRIx64, p->e.first);
		return;
	}
}

/* Sort, let the first claim win, join what continues.  Returns how many are left. */
static size_t flatten(struct loader_dump *d, struct part *parts, size_t n)
{
	size_t kept = 0;

	qsort(parts, n, sizeof(*parts), by_first);
	for (size_t i = 0; i < n; i++) {
		struct part p = parts[i], *before = kept ? &parts[kept - 1] : NULL;
		if (before && p.e.first <= before->e.last) {
			compare(d, parts, kept, &p);
			if (p.e.last <= before->e.last)
				continue;
			cut_front(&p, before->e.last + 1);
		}
		if (before && joins(before, &p))
			before->e.last = p.e.last;
		else
			parts[kept++] = p;
	}
	return kept;
}

static void put(struct loader_dump *d, struct part p)
{
	d->zero_at[d->pub.nr_extents] = p.zero_at;
	d->extents[d->pub.nr_extents++] = p.e;
}

/* The bytes we have, and where there are none what is said about the rest. */
static void merge(struct loader_dump *d, const struct part *have, size_t nr_have,
		  const struct part *lack, size_t nr_lack)
{
	size_t h = 0;

	for (size_t i = 0; i < nr_lack; i++) {
		struct part p = lack[i];
		bool covered = false;
		while (!covered && h < nr_have && have[h].e.first <= p.e.last) {
			if (have[h].e.first > p.e.first) {
				struct part before = p;
				before.e.last = have[h].e.first - 1;
				put(d, before);
			}
			covered = have[h].e.last >= p.e.last;
			if (have[h].e.last >= p.e.first && !covered)
				cut_front(&p, have[h].e.last + 1);
			if (!covered)
				put(d, have[h++]);
		}
		if (!covered)
			put(d, p);
	}
	while (h < nr_have)
		put(d, have[h++]);
}

static void add(struct part *parts, size_t *n, struct part p, uint64_t bytes)
{
	if (!bytes)
		return;
	p.e.last = p.e.first + (bytes - 1);
	parts[(*n)++] = p;
}

/* What the file holds of a segment, what it lost, what was left out: at most three parts. */
static void split(const struct loader_dump *d, const struct loader_segment *s, struct part *have,
		  size_t *nr_have, struct part *lack, size_t *nr_lack)
{
	uint64_t left = s->off < loader_memory(d)->n ? loader_memory(d)->n - s->off : 0;
	uint64_t there = s->filesz < left ? s->filesz : left;
	struct part p = {.e = {.first = s->gpa, .kind = INQ_EXTENT_BYTES, .file_off = s->off},
			 .zero_at = s->zero_at};

	add(have, nr_have, p, there);
	p = (struct part){.e = {.first = s->gpa + there, .kind = INQ_EXTENT_ABSENT},
			  .zero_at = LOADER_NO_BITS};
	add(lack, nr_lack, p, s->filesz - there);
	p.e.first = s->gpa + s->filesz;
	p.e.kind = INQ_EXTENT_EXCLUDED;
	add(lack, nr_lack, p, s->memsz - s->filesz);
}

enum inq_status loader_extents(struct loader_dump *d, const struct loader_segment *segs, size_t n,
			       struct inq_err *err)
{
	size_t nr_have = 0, nr_lack = 0;
	INQ_SCOPED(part_scope) struct part *have = calloc(n + 1, sizeof(*have));
	INQ_SCOPED(part_scope) struct part *lack = calloc(2 * n + 1, sizeof(*lack));

	if (!have || !lack)
		return inq_fail(err, INQ_ENOMEM, "%zu segments", n);
	for (size_t i = 0; i < n; i++)
		split(d, &segs[i], have, &nr_have, lack, &nr_lack);
	nr_have = flatten(d, have, nr_have);
	nr_lack = flatten(d, lack, nr_lack);

	size_t most = 2 * nr_have + nr_lack + 1; /* each hole may be cut by each part we have */
	d->extents = calloc(most, sizeof(*d->extents));
	d->zero_at = calloc(most, sizeof(*d->zero_at));
	if (!d->extents || !d->zero_at)
		return inq_fail(err, INQ_ENOMEM, "%zu extents", most);
	merge(d, have, nr_have, lack, nr_lack);
	return INQ_OK;
}
