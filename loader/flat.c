/*
 * Knows the flattened format: a header of 4096 bytes, then records of two big-endian numbers, the
 * offset and the length, and that many bytes; both numbers are -1 at the end.  A later record wins
 * over an earlier one at the same place: writers come back to their headers when they know more.
 * Source: makedumpfile(8) -F; libkdumpfile's documentation; streams of QEMU and makedumpfile.
 */
#include "loader/flat.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
	SIGNATURE = 16,
	HEADER = 4096,
	RECORD = 16,
	TYPE_FLAT = 1,
	VERSION = 1,
	MAX_RECORDS = 1 << 24
};
static const char magic[] = "makedumpfile";

/* A record: nr tells which came later. */
struct record {
	struct loader_flat_piece p;
	uint32_t nr;
};

/* Records that wait, the one with the lowest offset on top. */
struct heap {
	struct record *r;
	size_t n, cap;
};

static void heap_scope(struct heap *h)
{
	free(h->r);
}

static uint64_t be(struct span *s)
{
	return __builtin_bswap64(span_u64le(s));
}

int loader_flat_probe(struct span head)
{
	const uint8_t *p = span_take(&head, SIGNATURE);

	return p && !memcmp(p, magic, sizeof(magic)) ? 95 : 0;
}

static bool before(const struct record *a, const struct record *b)
{
	return a->p.off != b->p.off ? a->p.off < b->p.off : a->nr < b->nr;
}

static void swap(struct record *a, struct record *b)
{
	struct record t = *a;

	*a = *b;
	*b = t;
}

static enum inq_status push(struct heap *h, struct record r, struct inq_err *err)
{
	if (!r.p.n)
		return INQ_OK;
	if (h->n == h->cap) {
		size_t cap = h->cap ? 2 * h->cap : 1024; /* a record takes 16 bytes in the file */
		struct record *grown = reallocarray(h->r, cap, sizeof(r));
		if (!grown)
			return inq_fail(err, INQ_ENOMEM, "%zu pieces of a flattened stream", cap);
		h->r = grown;
		h->cap = cap;
	}
	size_t i = h->n++;
	for (h->r[i] = r; i && before(&h->r[i], &h->r[(i - 1) / 2]); i = (i - 1) / 2)
		swap(&h->r[i], &h->r[(i - 1) / 2]);
	return INQ_OK;
}

static struct record pop(struct heap *h)
{
	struct record top = h->r[0];

	h->r[0] = h->r[--h->n];
	for (size_t i = 0, least;; i = least) {
		least = i;
		for (size_t child = 2 * i + 1; child <= 2 * i + 2; child++)
			if (child < h->n && before(&h->r[child], &h->r[least]))
				least = child;
		if (least == i)
			return top;
		swap(&h->r[i], &h->r[least]);
	}
}

/* The records in the order of the file.  Says where the stream was cut. */
static enum inq_status read_records(struct loader_dump *d, struct heap *h, struct inq_err *err)
{
	struct span s = span_of(d->map->p + HEADER, d->map->n - HEADER);
	enum inq_status st = INQ_OK;

	for (uint32_t nr = 0; !st && nr < MAX_RECORDS; nr++) {
		size_t at = d->map->n - s.left;
		uint64_t off = be(&s), n = be(&s);
		if (!s.bad && off == UINT64_MAX && n == UINT64_MAX)
			return INQ_OK;
		bool cut = s.bad || n > s.left;
		if (!s.bad && (off + n < off || off + n > INT64_MAX)) {
			loader_damage(d, INQ_ECORRUPT, 0, at, RECORD,
				      "record %" PRIu32 " of the flattened stream wraps: nothing "
				      "behind it is used",
				      nr);
			return INQ_OK;
		}
		struct record r = {.p = {.off = off, .n = cut ? s.left : n, .at = at + RECORD},
				   .nr = nr};
		if (!s.bad)
			st = push(h, r, err);
		if (cut) {
			d->truncated = 1;
			loader_damage(d, INQ_EABSENT, 0, d->map->n, 0,
				      "the file ends at 0x%zx, before the end of the flattened "
				      "stream",
				      d->map->n);
			return st;
		}
		span_skip(&s, (size_t)n);
	}
	return st ? st
		  : inq_fail(err, INQ_ELIMIT, "over %d records in a flattened stream", MAX_RECORDS);
}

static void cut_front(struct loader_flat_piece *p, uint64_t n)
{
	p->off += n;
	p->at += n;
	p->n -= n;
}

/* r overlaps the last piece that was placed: the later record keeps what both claim. */
static enum inq_status settle(struct heap *h, struct record *last, struct record r,
			      struct inq_err *err)
{
	uint64_t end = last->p.off + last->p.n;

	if (r.nr < last->nr) {
		uint64_t hidden = end - r.p.off;
		cut_front(&r.p, hidden < r.p.n ? hidden : r.p.n);
		return push(h, r, err);
	}
	struct record rest = *last;
	last->p.n = r.p.off - last->p.off;
	cut_front(&rest.p, last->p.n);
	enum inq_status st = INQ_OK;
	if (rest.p.n > r.p.n) {
		cut_front(&rest.p, r.p.n);
		st = push(h, rest, err);
	}
	return st ? st : push(h, r, err);
}

/* Pieces in the order of the file that they make, without overlap. */
static enum inq_status place(struct loader_dump *d, struct heap *h, struct record *placed,
			     size_t cap, struct inq_err *err)
{
	struct loader_flat *f = d->flat;
	size_t steps = 0;

	while (h->n) {
		struct record r = pop(h), *last = f->nr ? &placed[f->nr - 1] : NULL;
		if (last && !last->p.n) {
			f->nr--; /* all of it was replaced */
			last = f->nr ? &placed[f->nr - 1] : NULL;
		}
		if (last && r.p.off < last->p.off + last->p.n) {
			enum inq_status st = settle(h, last, r, err);
			if (st)
				return st;
		} else if (f->nr < cap) {
			placed[f->nr++] = r;
		}
		if (++steps > 4 * cap) {
			loader_damage(d, INQ_ECORRUPT, 0, r.p.off, 0,
				      "too many records of the flattened stream overlap: from "
				      "0x%" PRIx64 " on not used",
				      r.p.off);
			break;
		}
	}
	for (size_t i = 0; i < f->nr; i++)
		f->pieces[i] = placed[i].p;
	f->bytes = f->nr ? f->pieces[f->nr - 1].off + f->pieces[f->nr - 1].n : 0;
	return INQ_OK;
}

enum inq_status loader_flat_open(struct loader_dump *d, struct inq_err *err)
{
	INQ_SCOPED(heap_scope) struct heap h = {0}, placed = {0};
	struct span s = span_of(d->map->p, d->map->n);

	span_skip(&s, SIGNATURE);
	uint64_t type = be(&s), version = be(&s);
	if (d->map->n < HEADER || s.bad)
		return inq_fail(err, INQ_ECORRUPT, "the file ends inside its header");
	if (type != TYPE_FLAT || version != VERSION)
		return inq_fail(err, INQ_EUNSUPPORTED,
				"a makedumpfile stream of type %" PRIu64 ", version %" PRIu64
				": not a flattened dump",
				type, version);
	enum inq_status st = read_records(d, &h, err);
	if (st)
		return st;
	size_t cap = 2 * h.n + 64; /* each record cuts another in two at most */
	placed.r = calloc(cap, sizeof(*placed.r));
	d->flat = calloc(1, sizeof(*d->flat));
	if (d->flat)
		d->flat->pieces = calloc(cap, sizeof(*d->flat->pieces));
	if (!placed.r || !d->flat || !d->flat->pieces)
		return inq_fail(err, INQ_ENOMEM, "%zu pieces of a flattened stream", cap);
	return place(d, &h, placed.r, cap, err);
}
