/* Knows where a byte of the dump's file lies, also when the file comes in flattened pieces. */
#include "loader/dump.h"

#include "base/order.h"

uint64_t loader_bytes_n(const struct loader_dump *d)
{
	return d->flat ? d->flat->bytes : loader_memory(d)->n;
}

/* The piece that holds off; NULL: none does. */
static const struct loader_flat_piece *piece_at(const struct loader_flat *f, uint64_t off)
{
	size_t n = ORDER_UPTO(f->pieces, f->nr, off, off);
	const struct loader_flat_piece *p = n ? &f->pieces[n - 1] : NULL;

	return p && off - p->off < p->n ? p : NULL;
}

/* How many of n bytes at off lie together, and where in the file; 0: none are there. */
static size_t together(const struct loader_dump *d, uint64_t off, size_t n, uint64_t *ret_at)
{
	uint64_t left, size = loader_memory(d)->n;

	*ret_at = off;
	if (d->flat) {
		const struct loader_flat_piece *p = piece_at(d->flat, off);
		if (!p)
			return 0;
		*ret_at = p->at + (off - p->off);
		left = p->n - (off - p->off);
	} else {
		left = off < size ? size - off : 0;
	}
	return n < left ? n : (size_t)left;
}

static const uint8_t *gather(const struct loader_dump *d, uint64_t off, size_t n, uint8_t *buf)
{
	uint64_t at;

	for (size_t done = 0, len; done < n; done += len) {
		len = together(d, off + done, n - done, &at);
		if (!len)
			return NULL;
		memcpy(buf + done, loader_memory(d)->p + at, len);
	}
	return buf;
}

const uint8_t *loader_bytes(const struct loader_dump *d, uint64_t off, size_t n, uint8_t *buf)
{
	uint64_t at;

	if (off + n < off)
		return NULL;
	if (together(d, off, n, &at) == n)
		return loader_memory(d)->p + at;
	return buf && d->flat ? gather(d, off, n, buf) : NULL;
}

bool loader_bytes_good(const struct loader_dump *d, uint64_t off, size_t n)
{
	uint64_t at;

	for (size_t done = 0, len; done < n; done += len) {
		len = together(d, off + done, n - done, &at);
		if (!len || mapping_good(loader_memory(d), (size_t)at, len) < len)
			return false;
	}
	return true;
}
