/*
 * Knows what makes two files the same dump: length, headers, notes, and samples of memory.  XXH3 of
 * 128 bits; an identity, not a defence against forgers.
 */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>
#include <xxhash.h>

#include "loader/dump.h"

enum { SAMPLES = 64 };

static void state_scope(XXH3_state_t **s)
{
	XXH3_freeState(*s);
}

static uint64_t bytes_in_file(const struct loader_dump *d)
{
	uint64_t n = 0;

	for (size_t i = 0; i < d->pub.nr_extents; i++)
		if (d->extents[i].kind == INQ_EXTENT_BYTES)
			n += d->extents[i].last - d->extents[i].first + 1;
	return n;
}

/*
 * Reads with pread: a sample is no reason to mark a page as lost.  Positions count the bytes of all
 * extents in order, and ascend, so one walk over the extents finds them all.
 */
static void add_samples(const struct loader_dump *d, XXH3_state_t *state)
{
	uint64_t total = bytes_in_file(d), before = 0;
	const struct inq_extent *e = d->extents, *end = d->extents + d->pub.nr_extents;
	uint8_t page[LOADER_PAGE];

	for (uint64_t i = 0; total && i < SAMPLES; i++) {
		uint64_t pos = (uint64_t)((__uint128_t)total * i / SAMPLES);
		pos -= pos % LOADER_PAGE;
		while (e < end &&
		       (e->kind != INQ_EXTENT_BYTES || pos - before > e->last - e->first)) {
			before += e->kind == INQ_EXTENT_BYTES ? e->last - e->first + 1 : 0;
			e++;
		}
		if (e == end)
			return;
		uint64_t left = e->last - e->first - (pos - before) + 1;
		ssize_t n = pread(d->map->fd, page, left < LOADER_PAGE ? left : LOADER_PAGE,
				  (off_t)(e->file_off + (pos - before)));
		if (n > 0)
			(void)XXH3_128bits_update(state, page, (size_t)n);
	}
}

enum inq_status loader_content_id(struct loader_dump *d, const struct span *head, size_t nr_heads,
				  struct inq_err *err)
{
	INQ_SCOPED(state_scope) XXH3_state_t *state = XXH3_createState();
	uint64_t n = d->map->n;

	if (!state)
		return inq_fail(err, INQ_ENOMEM, "out of memory");
	(void)XXH3_128bits_reset(state);
	(void)XXH3_128bits_update(state, &n, sizeof(n));
	for (size_t i = 0; i < nr_heads; i++)
		(void)XXH3_128bits_update(state, head[i].p, head[i].left);
	add_samples(d, state);
	XXH128_hash_t h = XXH3_128bits_digest(state);
	snprintf(d->pub.content_id, sizeof(d->pub.content_id), "%016" PRIx64 "%016" PRIx64,
		 (uint64_t)h.high64, (uint64_t)h.low64);
	return INQ_OK;
}
