/*
 * Knows which page frames a kdump has and where each lies.  The first bitmap tells of the frames
 * that exist, the second of those that were dumped; the n-th of these has the n-th descriptor.
 * Source: as kdump.c.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "loader/kdump.h"

enum {
	DESC = 24,             /* u64 offset, u32 bytes, u32 flags, u64 of struct page's flags */
	GROUP = 512,           /* frames for which their number among the dumped is kept */
	MAX_EXTENTS = 1 << 20, /* then finer ones are joined; the pages still tell each its own */
	FLAG_ZLIB = 1,
	FLAG_LZO = 2,
	FLAG_SNAPPY = 4,
	FLAG_VMEMMAP = 0x10, /* of excluded struct pages: nothing is stored */
	FLAG_ZSTD = 0x20,
};

struct pages {
	uint64_t nr;      /* frames that both bitmaps tell of */
	uint64_t *there;  /* first bitmap */
	uint64_t *dumped; /* second bitmap */
	uint64_t *rank;   /* dumped frames before each group */
	uint64_t nr_dumped;
	uint64_t desc_off, first_pfn, last_pfn;
	uint64_t file_bytes;
};

static void pages_destroy(void *own)
{
	struct pages *p = own;

	if (!p)
		return;
	free(p->there);
	free(p->dumped);
	free(p->rank);
	free(p);
}

static bool bit(const uint64_t *map, uint64_t pfn)
{
	return map[pfn / 64] >> (pfn % 64) & 1;
}

/* How many frames before pfn, which is dumped, are dumped, too. */
static uint64_t rank_of(const struct pages *p, uint64_t pfn)
{
	uint64_t r = p->rank[pfn / GROUP];

	for (uint64_t w = pfn / GROUP * (GROUP / 64); w < pfn / 64; w++)
		r += (uint64_t)__builtin_popcountll(p->dumped[w]);
	if (pfn % 64)
		r += (uint64_t)__builtin_popcountll(p->dumped[pfn / 64] << (64 - pfn % 64));
	return r;
}

/* The codec of a descriptor's flags; LOADER_BAD: two at once, or one that is not known. */
static enum loader_codec codec_of(uint32_t flags)
{
	switch (flags) {
	case 0:
		return LOADER_RAW;
	case FLAG_ZLIB:
		return LOADER_ZLIB;
	case FLAG_LZO:
		return LOADER_LZO;
	case FLAG_SNAPPY:
		return LOADER_SNAPPY;
	case FLAG_ZSTD:
		return LOADER_ZSTD;
	case FLAG_VMEMMAP:
		return LOADER_EXCLUDED;
	default:
		return LOADER_BAD;
	}
}

/* Descriptor i into *ret; false when the file lost it. */
static bool read_desc(const struct loader_dump *d, uint64_t i, struct loader_block *ret)
{
	const struct pages *p = d->own;
	uint8_t buf[DESC];
	const uint8_t *at = loader_bytes(d, p->desc_off + i * DESC, DESC, buf);

	if (!at)
		return false;
	struct span s = span_of(at, DESC);
	ret->off = span_u64le(&s);
	ret->packed = span_u32le(&s);
	ret->codec = codec_of(span_u32le(&s));
	if (ret->codec == LOADER_RAW && ret->packed != LOADER_PAGE)
		ret->codec = LOADER_BAD;
	return true;
}

static void page_at(const struct loader_dump *d, uint64_t addr, struct loader_block *ret)
{
	const struct pages *p = d->own;
	uint64_t pfn = addr / LOADER_PAGE;

	*ret = (struct loader_block){
		.first = pfn * LOADER_PAGE, .bytes = LOADER_PAGE, .codec = LOADER_ABSENT};
	if (pfn >= p->nr || pfn < p->first_pfn || pfn >= p->last_pfn)
		return;
	if (!bit(p->dumped, pfn)) {
		ret->codec = bit(p->there, pfn) ? LOADER_EXCLUDED : LOADER_ABSENT;
		return;
	}
	struct loader_block b = *ret;
	if (read_desc(d, rank_of(p, pfn) - rank_of(p, p->first_pfn), &b))
		*ret = b;
}

/* One bitmap in words; what the file has not of it is 0. */
static uint64_t *read_bitmap(const struct loader_dump *d, uint64_t off, uint64_t bits)
{
	uint64_t size = loader_bytes_n(d), n = (bits + 7) / 8;
	uint64_t have = off < size ? size - off : 0;
	uint64_t *map = calloc(n / 8 + 1, 8);

	if (!map || !n)
		return map;
	if (have > n)
		have = n;
	const uint8_t *p = loader_bytes(d, off, (size_t)have, (uint8_t *)map);
	if (p && p != (const uint8_t *)map)
		memcpy(map, p, (size_t)have);
	if (bits % 64)
		map[bits / 64] &= (UINT64_C(1) << bits % 64) - 1;
	return map;
}

static enum inq_status read_bitmaps(struct loader_dump *d, struct pages *p,
				    const struct kdump_layout *l, struct inq_err *err)
{
	uint64_t one = (l->max_pfn + 7) / 8, half = l->bitmap_n / 2;
	bool two = half >= one; /* old dumps have only one */
	uint64_t room = two ? half : l->bitmap_n, size = loader_bytes_n(d);

	p->nr = l->max_pfn;
	if (one > room) {
		p->nr = room * 8;
		loader_damage(d, INQ_ECORRUPT, 0, l->bitmap_off, l->bitmap_n,
			      "the bitmaps tell of 0x%" PRIx64 " page frames, not of 0x%" PRIx64,
			      p->nr, l->max_pfn);
	}
	if (l->bitmap_off + l->bitmap_n > size)
		loader_damage(d, INQ_EABSENT, 0, d->map->n, l->bitmap_off + l->bitmap_n - size,
			      "the file ends inside its bitmaps: which pages it should hold is "
			      "not known");
	if (p->nr / 8 > size) /* nothing of the rest is in the file */
		p->nr = size * 8;
	p->there = read_bitmap(d, l->bitmap_off, p->nr);
	p->dumped = read_bitmap(d, l->bitmap_off + (two ? half : 0), p->nr);
	p->rank = calloc(p->nr / GROUP + 1, sizeof(*p->rank));
	if (!p->there || !p->dumped || !p->rank)
		return inq_fail(err, INQ_ENOMEM, "bitmaps of 0x%" PRIx64 " page frames", p->nr);
	for (uint64_t w = 0; w * 64 < p->nr; w++) {
		if (w % (GROUP / 64) == 0)
			p->rank[w / (GROUP / 64)] = p->nr_dumped;
		p->nr_dumped += (uint64_t)__builtin_popcountll(p->dumped[w]);
	}
	return INQ_OK;
}

enum what { NOTHING, LEFT_OUT, DUMPED };

static enum what what_is(const struct pages *p, uint64_t pfn)
{
	if (bit(p->dumped, pfn))
		return DUMPED;
	return bit(p->there, pfn) ? LEFT_OUT : NOTHING;
}

/* The first frame from pfn on that is something else; whole words at a time. */
static uint64_t run_end(const struct pages *p, uint64_t pfn, enum what w)
{
	uint64_t there = w == LEFT_OUT ? UINT64_MAX : 0, dumped = w == DUMPED ? UINT64_MAX : 0;

	while (pfn < p->nr) {
		bool same = p->dumped[pfn / 64] == dumped &&
			    (w == DUMPED || p->there[pfn / 64] == there);
		if (pfn % 64 == 0 && same)
			pfn += 64;
		else if (what_is(p, pfn) == w)
			pfn++;
		else
			return pfn;
	}
	return p->nr;
}

static enum inq_status add_run(struct loader_dump *d, uint64_t pfn, uint64_t end, enum what w,
			       struct inq_err *err)
{
	struct inq_extent e = {.first = pfn * LOADER_PAGE,
			       .last = end * LOADER_PAGE - 1,
			       .kind = w == DUMPED ? INQ_EXTENT_BYTES : INQ_EXTENT_EXCLUDED,
			       .file_off = INQ_NO_OFFSET};

	if (d->pub.nr_extents < MAX_EXTENTS)
		return loader_extent(d, e, err);
	d->extents[d->pub.nr_extents - 1].last = e.last;
	d->extents[d->pub.nr_extents - 1].kind = INQ_EXTENT_BYTES;
	return INQ_OK;
}

static enum inq_status add_extents(struct loader_dump *d, const struct pages *p,
				   struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	for (uint64_t pfn = 0, end; !st && pfn < p->nr; pfn = end) {
		enum what w = what_is(p, pfn);
		end = run_end(p, pfn, w);
		if (w != NOTHING)
			st = add_run(d, pfn, end < p->nr ? end : p->nr, w, err);
	}
	if (!st && !d->pub.nr_extents)
		return inq_fail(err, INQ_ECORRUPT, "no page frame is in its bitmaps");
	return st;
}

static bool in_file(const struct pages *p, const struct loader_block *b)
{
	return b->codec == LOADER_EXCLUDED ||
	       (b->off <= p->file_bytes && b->packed <= p->file_bytes - b->off);
}

/*
 * Pages are written in the order of their frames, but for the zero pages, which share one: so the
 * end of the file is that of the last one but for those.  Did all of them come?
 */
static bool is_whole(const struct loader_dump *d, const struct pages *p, uint64_t nr)
{
	struct loader_block b = {0}, last = {0};

	for (uint64_t i = nr; i-- > 0;) {
		if (!read_desc(d, i, &b) || !in_file(p, &b))
			return false;
		if (i + 1 < nr && b.off != last.off)
			return true;
		last = b;
	}
	return true;
}

static void report_missing(struct loader_dump *d, const struct pages *p, uint64_t nr)
{
	uint64_t lost = 0;
	char share[LOADER_SHARE];

	if (!nr || is_whole(d, p, nr))
		return;
	for (uint64_t i = 0; i < nr; i++) {
		struct loader_block b = {0};
		lost += !read_desc(d, i, &b) || !in_file(p, &b);
	}
	loader_share(lost, nr, share);
	d->truncated = 1;
	loader_damage(d, INQ_EABSENT, 0, d->map->n, lost * LOADER_PAGE,
		      "the file ends at 0x%zx: %" PRIu64 " of %" PRIu64
		      " pages (%s of memory) are missing",
		      d->map->n, lost, nr, share);
}

/* Descriptors of this file: of a split dump only those of its own frames. */
static uint64_t nr_descs(const struct pages *p)
{
	uint64_t first = p->first_pfn < p->nr ? rank_of(p, p->first_pfn) : p->nr_dumped;
	uint64_t last = p->last_pfn < p->nr ? rank_of(p, p->last_pfn) : p->nr_dumped;

	return last > first ? last - first : 0;
}

enum inq_status kdump_pages_open(struct loader_dump *d, const struct kdump_layout *l,
				 struct inq_err *err)
{
	struct pages *p = calloc(1, sizeof(*p));

	d->own = p;
	d->own_free = pages_destroy;
	if (!p)
		return inq_fail(err, INQ_ENOMEM, "page frames");
	p->desc_off = l->desc_off;
	p->first_pfn = l->first_pfn;
	p->last_pfn = l->last_pfn;
	p->file_bytes = loader_bytes_n(d);
	d->block_at = page_at;
	enum inq_status st = read_bitmaps(d, p, l, err);
	if (!st)
		st = add_extents(d, p, err);
	if (!st)
		st = loader_blocks_init(d, LOADER_PAGE, err);
	if (!st)
		report_missing(d, p, nr_descs(p));
	return st;
}
