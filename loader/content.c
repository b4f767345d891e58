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

/* A place among the bytes of all extents, counted in order. */
struct place {
	const struct inq_extent *e, *end;
	uint64_t before; /* bytes of the extents before e */
};

static uint64_t bytes_of(const struct inq_extent *e)
{
	return e->kind == INQ_EXTENT_BYTES ? e->last - e->first + 1 : 0;
}

static uint64_t bytes_in_file(const struct loader_dump *d)
{
	uint64_t n = 0;

	for (size_t i = 0; i < d->pub.nr_extents; i++)
		n += bytes_of(&d->extents[i]);
	return n;
}

static void go_to(struct place *at, uint64_t pos)
{
	while (at->e < at->end && pos - at->before >= bytes_of(at->e))
		at->before += bytes_of(at->e++);
}

/* Reads with pread: a sample is no reason to mark a page as lost. */
static void add_sample(const struct loader_dump *d, struct place at, uint64_t pos,
		       XXH3_state_t *state)
{
	uint64_t end = pos + LOADER_PAGE;
	uint8_t page[LOADER_PAGE];

	for (go_to(&at, pos); at.e < at.end && pos < end; go_to(&at, pos)) {
		uint64_t off = pos - at.before, left = bytes_of(at.e) - off;
		uint64_t n = left < end - pos ? left : end - pos;
		ssize_t got = pread(loader_memory(d)->fd, page, n, (off_t)(at.e->file_off + off));
		if (got > 0)
			(void)XXH3_128bits_update(state, page, (size_t)got);
		pos += n;
	}
}

/* The first page, the last, and others between; positions ascend, so one walk finds them all. */
static void add_samples(const struct loader_dump *d, XXH3_state_t *state)
{
	uint64_t total = bytes_in_file(d);

	if (!total)
		return;
	struct place at = {d->extents, d->extents + d->pub.nr_extents, 0};
	for (uint64_t i = 0; i < SAMPLES; i++) {
		uint64_t pos = (uint64_t)((__uint128_t)(total - 1) * i / (SAMPLES - 1));
		pos -= pos % LOADER_PAGE;
		go_to(&at, pos);
		add_sample(d, at, pos, state);
	}
}

/* Memory that does not lie flat: samples of the file as it is. */
static void add_file_samples(const struct loader_dump *d, XXH3_state_t *state)
{
	const struct mapping *m = loader_memory(d);
	uint8_t page[LOADER_PAGE];

	for (uint64_t i = 0; m->n && i < SAMPLES; i++) {
		uint64_t pos = (uint64_t)((__uint128_t)(m->n - 1) * i / (SAMPLES - 1));
		ssize_t got = pread(m->fd, page, sizeof(page), (off_t)(pos - pos % LOADER_PAGE));
		if (got > 0)
			(void)XXH3_128bits_update(state, page, (size_t)got);
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
	if (d->block_at)
		add_file_samples(d, state);
	else
		add_samples(d, state);
	XXH128_hash_t h = XXH3_128bits_digest(state);
	snprintf(d->pub.content_id, sizeof(d->pub.content_id), "%016" PRIx64 "%016" PRIx64,
		 (uint64_t)h.high64, (uint64_t)h.low64);
	return INQ_OK;
}
