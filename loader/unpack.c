/*
 * Knows how a packed block becomes memory again, and keeps the last ones.  A block's bytes are
 * copied before a library sees them: the file may change under us, and no library expects that.
 *
 * Many threads read at once: the blocks are spread over lanes, each with a lock, a library's state
 * and a few blocks.  They are found by their place in the file, because all zero pages of a kdump
 * are one block there.
 */
#include <libdeflate.h>
#include <lzo/lzo1x.h>
#include <pthread.h>
#include <snappy-c.h>
#include <stdlib.h>
#include <zstd.h>

#include "loader/dump.h"

enum { NR_LANES = 16, SLOTS = 32, SLACK = 4096 };

struct lane {
	pthread_mutex_t lock;
	struct libdeflate_decompressor *deflate;
	ZSTD_DCtx *zstd;
	uint8_t *packed;       /* a copy of what the file holds */
	uint8_t *room;         /* SLOTS blocks, unpacked */
	uint64_t off[SLOTS];   /* where each came from */
	uint64_t bytes[SLOTS]; /* 0: empty */
};

struct loader_unpacker {
	size_t most; /* bytes of a block */
	struct lane lane[NR_LANES];
};

void loader_unpacker_destroy(struct loader_unpacker *u)
{
	for (size_t i = 0; u && i < NR_LANES; i++) {
		struct lane *l = &u->lane[i];
		if (l->deflate)
			libdeflate_free_decompressor(l->deflate);
		ZSTD_freeDCtx(l->zstd);
		free(l->packed);
		free(l->room);
		pthread_mutex_destroy(&l->lock);
	}
	free(u);
}

static bool open_lane(struct lane *l, size_t most)
{
	l->deflate = libdeflate_alloc_decompressor();
	l->zstd = ZSTD_createDCtx();
	l->packed = malloc(most + SLACK);
	l->room = reallocarray(NULL, SLOTS, most);
	return l->deflate && l->zstd && l->packed && l->room;
}

enum inq_status loader_blocks_init(struct loader_dump *d, size_t most, struct inq_err *err)
{
	struct loader_unpacker *u = calloc(1, sizeof(*u));
	bool good = u && lzo_init() == LZO_E_OK;

	d->unpacker = u;
	for (size_t i = 0; u && i < NR_LANES; i++) {
		pthread_mutex_init(&u->lane[i].lock, NULL);
		good = good && open_lane(&u->lane[i], most);
	}
	if (!good)
		return inq_fail(err, INQ_ENOMEM, "blocks of %zu bytes", most);
	u->most = most;
	return INQ_OK;
}

/* Fills all bytes of the block or fails. */
static bool unpack(struct lane *l, const struct loader_block *b, uint8_t *out)
{
	size_t n = (size_t)b->bytes, got = n;
	lzo_uint lzo_got = n;

	switch (b->codec) {
	case LOADER_ZLIB:
		return !libdeflate_zlib_decompress(l->deflate, l->packed, b->packed, out, n,
						   &got) &&
		       got == n;
	case LOADER_LZO:
		return lzo1x_decompress_safe(l->packed, b->packed, out, &lzo_got, NULL) ==
			       LZO_E_OK &&
		       lzo_got == n;
	case LOADER_SNAPPY:
		return snappy_uncompress((const char *)l->packed, b->packed, (char *)out, &got) ==
			       SNAPPY_OK &&
		       got == n;
	case LOADER_ZSTD:
		return ZSTD_decompressDCtx(l->zstd, out, n, l->packed, b->packed) == n;
	case LOADER_RAW:
		memcpy(out, l->packed, n);
		return true;
	case LOADER_ZERO:
	case LOADER_ABSENT:
	case LOADER_EXCLUDED:
	case LOADER_BAD:
	case LOADER_FOREIGN:
		break;
	}
	return false;
}

/* The lane's copy of the packed bytes; NULL, or what is wrong. */
static const char *fetch(const struct loader_dump *d, struct lane *l, const struct loader_block *b)
{
	size_t n = b->codec == LOADER_RAW ? (size_t)b->bytes : b->packed;

	if (b->bytes > d->unpacker->most || n > d->unpacker->most + SLACK)
		return "is damaged in the file: its size is absurd";
	const uint8_t *p = loader_bytes(d, b->off, n, l->packed);
	if (!p)
		return "is missing from the file";
	if (p != l->packed)
		memcpy(l->packed, p, n);
	return loader_bytes_good(d, b->off, n) ? NULL : "can no longer be read from the file";
}

static uint64_t hash(uint64_t off)
{
	return off * UINT64_C(0x9e3779b97f4a7c15) >> 32;
}

/* The block in the lane's cache, from there or from the file. */
static const char *cached(const struct loader_dump *d, struct lane *l, const struct loader_block *b,
			  const uint8_t **ret)
{
	size_t slot = hash(b->off) / NR_LANES % SLOTS;
	uint8_t *at = l->room + slot * d->unpacker->most;

	*ret = at;
	if (l->bytes[slot] == b->bytes && l->off[slot] == b->off)
		return NULL;
	bool foreign = b->codec == LOADER_FOREIGN;
	l->bytes[slot] = 0;
	const char *why = foreign ? d->fetch(d, b, at) : fetch(d, l, b);
	if (why)
		return why;
	if (!foreign && !unpack(l, b, at))
		return "is damaged in the file: it cannot be unpacked";
	l->bytes[slot] = b->bytes;
	l->off[slot] = b->off;
	return NULL;
}

const char *loader_unpack(const struct loader_dump *d, const struct loader_block *b, uint64_t from,
			  size_t n, uint8_t *out)
{
	struct lane *l = &d->unpacker->lane[hash(b->off) % NR_LANES];
	const uint8_t *block;

	pthread_mutex_lock(&l->lock);
	const char *why = cached(d, l, b, &block);
	if (!why)
		memcpy(out, block + from, n);
	pthread_mutex_unlock(&l->lock);
	return why;
}
