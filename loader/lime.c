/*
 * Knows LiME's ranges and their packed sort, AVML's: each range has a header of 32 bytes in front
 * of its memory.  Source: LiME doc/README "Spec"; AVML src/image.rs; Snappy framing_format.txt.
 *
 * AVML 1 writes what LiME writes.  Of a packed range nobody states the bytes in front, so its
 * chunks are walked; the checksum of a chunk is not looked at.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "loader/dump.h"

enum { RANGE_HEAD = 32, CHUNK_HEAD = 4, CHUNK_CRC = 4, MOST_CHUNK = 65536, END_MARK = 8 };
#define MAGIC_LIME 0x4c694d45u /* "EMiL" */
#define MAGIC_AVML 0x4c4d5641u /* "AVML" */

/* Memory that lies together in the file, packed or not: what block_at answers from. */
struct chunk {
	uint64_t first, bytes, off;
	uint32_t packed; /* bytes in the file; 0: as they are */
	uint32_t nr;     /* order in the file */
};

struct lime {
	struct chunk *chunks;
	size_t nr_chunks, cap;
	struct loader_segments ranges; /* off and filesz are of no use here */
	bool any_avml, any_packed, any_bad_chunk;
};

static void lime_free(void *own)
{
	struct lime *l = own;

	if (!l)
		return;
	loader_segments_deinit(&l->ranges);
	free(l->chunks);
	free(l);
}

static int probe(struct span head)
{
	uint32_t magic = span_u32le(&head), version = span_u32le(&head);

	if ((magic == MAGIC_LIME && version == 1) || (magic == MAGIC_AVML && version == 2))
		return 90;
	return 0;
}

static enum inq_status add_chunk(struct lime *l, struct chunk c, struct inq_err *err)
{
	if (l->nr_chunks == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 64; /* each takes bytes of the file */
		struct chunk *grown = reallocarray(l->chunks, cap, sizeof(*grown));
		if (!grown)
			return inq_fail(err, INQ_ENOMEM, "%zu pieces of memory", cap);
		l->chunks = grown;
		l->cap = cap;
	}
	c.nr = (uint32_t)l->nr_chunks;
	l->chunks[l->nr_chunks++] = c;
	l->any_packed |= c.packed != 0;
	return INQ_OK;
}

/* The bytes that a block of Snappy says it makes; 0: it says nothing sensible. */
static uint64_t unpacked_bytes(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n && i < 5; i++) {
		v |= (uint64_t)(p[i] & 0x7f) << (7 * i);
		if (!(p[i] & 0x80))
			return v <= MOST_CHUNK ? v : 0;
	}
	return 0;
}

/* A chunk that holds memory: its data without the checksum, at file_off. */
static const char *take_data(struct lime *l, struct span data, bool packed, uint64_t file_off,
			     struct chunk *at, enum inq_status *ret_st, struct inq_err *err)
{
	span_skip(&data, CHUNK_CRC);
	uint64_t n = packed ? unpacked_bytes(data.p, data.left) : data.left;

	if (data.bad || !n || n > MOST_CHUNK)
		return "its size is absurd";
	if (n > at->bytes)
		return "it holds more than its range";
	*ret_st = add_chunk(l,
			    (struct chunk){.first = at->first,
					   .bytes = n,
					   .off = file_off + CHUNK_CRC,
					   .packed = packed ? (uint32_t)data.left : 0},
			    err);
	at->first += n;
	at->bytes -= n;
	return NULL;
}

/* The chunks of a range; `at` is what is left of it.  Stops where they end or make no sense. */
static enum inq_status walk_chunks(struct loader_dump *d, struct lime *l, struct span *s,
				   struct chunk *at, struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	while (!st && at->bytes && s->left >= CHUNK_HEAD) {
		uint64_t off = d->map->n - s->left;
		uint8_t type = span_u8(s);
		struct span data = span_of(NULL, (size_t)span_le(s, 3));
		const char *why = NULL;
		data.p = span_take(s, data.left);
		if (s->bad)
			return INQ_OK; /* the file ends here, which the range reports */
		if (type <= 1)
			why = take_data(l, data, type == 0, off + CHUNK_HEAD, at, &st, err);
		else if (type < 0x80)
			why = "it is of a kind that cannot be skipped";
		if (!why)
			continue;
		loader_damage(d, INQ_ECORRUPT, 0, off, CHUNK_HEAD + data.left,
			      "chunk at 0x%" PRIx64 ": %s", off, why);
		s->bad = l->any_bad_chunk = true;
	}
	return st;
}

static enum inq_status read_packed(struct loader_dump *d, struct lime *l, struct span *s,
				   struct chunk *at, struct inq_err *err)
{
	size_t before = s->left;
	enum inq_status st = walk_chunks(d, l, s, at, err);

	if (st || at->bytes || s->left < END_MARK)
		return st;
	uint64_t took = before - s->left, off = d->map->n - s->left, said = span_u64le(s);
	if (said != took)
		loader_damage(d, INQ_ECORRUPT, 0, off, END_MARK,
			      "range at 0x%" PRIx64 " says it took 0x%" PRIx64
			      " bytes, not 0x%" PRIx64,
			      at->off, said, took);
	return INQ_OK;
}

static enum inq_status read_plain(struct lime *l, struct span *s, uint64_t file_off,
				  struct chunk *at, struct inq_err *err)
{
	uint64_t n = at->bytes < s->left ? at->bytes : s->left;
	struct chunk c = {.first = at->first, .bytes = n, .off = file_off};

	span_skip(s, (size_t)n);
	at->bytes -= n;
	return n ? add_chunk(l, c, err) : INQ_OK;
}

/* One range; false with damage where there is none. */
static bool read_head(struct loader_dump *d, struct span *s, struct chunk *ret, bool *ret_packed)
{
	uint64_t off = d->map->n - s->left;
	const char *why = NULL;

	if (s->bad || !s->left)
		return false;
	uint32_t magic = span_u32le(s), version = span_u32le(s);
	uint64_t first = span_u64le(s), last = span_u64le(s);
	span_skip(s, 8);
	*ret_packed = magic == MAGIC_AVML;
	if (s->bad)
		why = "the file ends inside it";
	else if (magic != MAGIC_LIME && magic != MAGIC_AVML)
		why = "no range begins there";
	else if (version != (*ret_packed ? 2 : 1))
		why = "its version is not known";
	else if (last < first || last - first == UINT64_MAX)
		why = "it ends before it begins";
	if (why)
		loader_damage(d, INQ_ECORRUPT, 0, off, d->map->n - off,
			      "header at 0x%" PRIx64 ": %s; what follows is not read", off, why);
	*ret = (struct chunk){.first = first, .bytes = last - first + 1, .off = off};
	return !why;
}

static enum inq_status read_ranges(struct loader_dump *d, struct lime *l, struct inq_err *err)
{
	struct span s = span_of(d->map->p, d->map->n);
	enum inq_status st = INQ_OK;
	struct chunk at;
	bool packed;

	while (!st && read_head(d, &s, &at, &packed)) {
		l->any_avml |= packed;
		st = loader_segments_add(
			d, &l->ranges, (struct loader_segment){.gpa = at.first, .memsz = at.bytes},
			err);
		if (!st && packed)
			st = read_packed(d, l, &s, &at, err);
		else if (!st)
			st = read_plain(l, &s, d->map->n - s.left, &at, err);
		loader_segments_lost(&l->ranges, at.bytes);
	}
	return st;
}

static int by_address(const void *a, const void *b)
{
	const struct chunk *ca = a, *cb = b;

	if (ca->first != cb->first)
		return ca->first < cb->first ? -1 : 1;
	return ca->nr < cb->nr ? -1 : 1;
}

static int by_gpa(const void *a, const void *b)
{
	const struct loader_segment *sa = a, *sb = b;

	return sa->gpa < sb->gpa ? -1 : sa->gpa > sb->gpa;
}

/* In order of address, each address once: what claims one again is damage and left out. */
static void sort_chunks(struct loader_dump *d, struct lime *l)
{
	size_t kept = 0;

	if (l->nr_chunks)
		qsort(l->chunks, l->nr_chunks, sizeof(*l->chunks), by_address);
	for (size_t i = 0; i < l->nr_chunks; i++) {
		const struct chunk *c = &l->chunks[i], *before = kept ? &l->chunks[kept - 1] : NULL;
		if (before && c->first - before->first < before->bytes) {
			loader_damage(d, INQ_ECORRUPT, 1, c->first, c->bytes,
				      "0x%" PRIx64 " is there twice: the later 0x%" PRIx64
				      " bytes are not used",
				      c->first, c->bytes);
			continue;
		}
		l->chunks[kept++] = *c;
	}
	l->nr_chunks = kept;
}

static const struct chunk *chunk_behind(const struct lime *l, uint64_t addr)
{
	size_t low = 0, high = l->nr_chunks;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (l->chunks[mid].first + (l->chunks[mid].bytes - 1) < addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low < l->nr_chunks ? &l->chunks[low] : NULL;
}

static void block_at(const struct loader_dump *d, uint64_t addr, struct loader_block *ret)
{
	const struct chunk *c = chunk_behind(d->own, addr);

	*ret = (struct loader_block){.first = addr, .bytes = 1, .codec = LOADER_ABSENT};
	if (!c || c->first > addr)
		return;
	*ret = (struct loader_block){.first = c->first,
				     .bytes = c->bytes,
				     .off = c->off,
				     .packed = c->packed,
				     .codec = c->packed ? LOADER_SNAPPY : LOADER_RAW};
}

/* Append [first, last], joined to the one before when that goes on in the same way. */
static enum inq_status put_extent(struct loader_dump *d, uint64_t first, uint64_t last,
				  const struct chunk *c, struct inq_err *err)
{
	size_t n = d->pub.nr_extents;
	struct inq_extent *before = n ? &d->extents[n - 1] : NULL;
	struct inq_extent e = {.first = first,
			       .last = last,
			       .kind = c ? INQ_EXTENT_BYTES : INQ_EXTENT_ABSENT,
			       .file_off = 0};

	if (c)
		e.file_off = d->block_at ? INQ_NO_OFFSET : c->off + (first - c->first);
	if (before && before->kind == e.kind && before->last + 1 == first &&
	    e.file_off == INQ_NO_OFFSET) {
		before->last = last;
		return INQ_OK;
	}
	return loader_extent(d, e, err);
}

/* One range, from `first` on: the chunks in it, and what is missing between them. */
static enum inq_status put_range(struct loader_dump *d, const struct lime *l, uint64_t first,
				 uint64_t last, struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	for (bool more = true; !st && more;) {
		const struct chunk *c = chunk_behind(l, first);
		uint64_t end = last;
		if (c && c->first > first) {
			if (c->first <= last)
				end = c->first - 1;
			c = NULL;
		} else if (c && c->first + (c->bytes - 1) < last) {
			end = c->first + (c->bytes - 1);
		}
		st = put_extent(d, first, end, c, err);
		more = end < last;
		first = end + 1;
	}
	return st;
}

static enum inq_status put_ranges(struct loader_dump *d, struct lime *l, struct inq_err *err)
{
	enum inq_status st = INQ_OK;
	uint64_t next = 0;

	if (!l->ranges.nr)
		return inq_fail(err, INQ_ECORRUPT, "the file states no memory");
	qsort(l->ranges.p, l->ranges.nr, sizeof(*l->ranges.p), by_gpa);
	for (size_t i = 0; !st && i < l->ranges.nr; i++) {
		uint64_t first = l->ranges.p[i].gpa, last = first + (l->ranges.p[i].memsz - 1);
		if (i && first < next)
			first = next;
		if (i && (!next || last < next))
			continue;
		st = put_range(d, l, first, last, err);
		next = last + 1;
	}
	return st;
}

static enum inq_status open_lime(struct loader_dump *d, struct inq_err *err)
{
	struct lime *l = d->own = calloc(1, sizeof(*l));
	enum inq_status st = INQ_OK;

	if (!l)
		return inq_fail(err, INQ_ENOMEM, "out of memory");
	d->own_free = lime_free;
	st = read_ranges(d, l, err);
	if (st)
		return st;
	sort_chunks(d, l);
	d->pub.variant = l->any_avml ? "avml ranges" : "lime ranges";
	if (l->any_packed) {
		d->block_at = block_at;
		st = loader_blocks_init(d, MOST_CHUNK, err);
	}
	loader_segments_report(d, &l->ranges, l->any_bad_chunk ? "behind a bad chunk" : NULL);
	loader_phys_init(d);
	if (!st)
		st = put_ranges(d, l, err);
	if (!st)
		st = loader_index_blobs(d, err);
	const struct span head =
		span_of(d->map->p, d->map->n < RANGE_HEAD ? d->map->n : RANGE_HEAD);
	if (!st)
		st = loader_content_id(d, &head, 1, err);
	return st ? st : loader_still_there(d, err);
}

const struct inq_loader loader_lime = {
	.name = "lime",
	.doc = "LiME, and AVML (plain or packed with Snappy): memory of a running Linux",
	.carries = "memory",
	.probe = probe,
	.open = open_lime,
};
