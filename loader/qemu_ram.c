/*
 * Knows the RAM section of QEMU's migration streams: its blocks, and where each page lies.
 * Source: QEMU's migration/ram.c (ram_save_setup, ram_load_precopy) and for mapped-ram its
 * docs/devel/migration/mapped-ram.rst.  All integers are big-endian; a bitmap of mapped-ram is not.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "loader/qemu.h"

/* Flags in the low bits of a page's address. */
enum {
	FLAG_ZERO = 0x02,
	FLAG_SIZE = 0x04,
	FLAG_PAGE = 0x08,
	FLAG_EOS = 0x10,
	FLAG_CONTINUE = 0x20,
	FLAG_XBZRLE = 0x40,
	FLAG_HOOK = 0x80,
	FLAG_COMPRESS = 0x100,
	FLAG_MULTIFD_FLUSH = 0x200,
	FLAGS = LOADER_PAGE - 1,
};
enum { MAPPED_VERSION = 1 };

static bool grow(void **list, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return true;
	size_t more = *cap ? 2 * *cap : 64; /* each takes bytes in the file, which bounds them */
	void *grown = reallocarray(*list, more, size);
	if (!grown)
		return false;
	*list = grown;
	*cap = more;
	return true;
}

/* The next page, or one more at the end of those that came last. */
static enum inq_status add_pages(struct qemu *q, struct qemu_pages p, struct inq_err *err)
{
	struct qemu_pages *last = q->nr_pages ? &q->pages[q->nr_pages - 1] : NULL;

	if (last && last->codec == p.codec && p.first == last->first + last->nr) {
		if (p.codec == LOADER_RAW && last->nr == 1 && p.nr == 1 &&
		    p.off - last->off <= UINT32_MAX)
			last->step = (uint32_t)(p.off - last->off);
		if (p.codec == LOADER_ZERO || (p.codec == LOADER_RAW && p.nr == 1 &&
					       p.off == last->off + last->nr * last->step)) {
			last->nr += p.nr;
			return INQ_OK;
		}
	}
	if (!grow((void **)&q->pages, q->nr_pages, &q->pages_cap, sizeof(p)))
		return inq_fail(err, INQ_ENOMEM, "%zu stretches of memory", q->nr_pages);
	q->pages[q->nr_pages++] = p;
	return INQ_OK;
}

/*
 * A block whose pages have fixed places: its bitmap says which of them were written, the others
 * are zero.  Reading goes on behind its pages.
 */
static enum inq_status read_mapped(struct qemu *q, const struct qemu_block *b, struct inq_err *err)
{
	uint64_t version = span_be(&q->s, 4), page_size = span_be(&q->s, 8);
	uint64_t bitmap = span_be(&q->s, 8), pages = span_be(&q->s, 8);
	uint64_t nr = b->bytes / LOADER_PAGE, n = q->d->map->n, end;
	enum inq_status st = INQ_OK;

	if (q->s.bad || version != MAPPED_VERSION || page_size != LOADER_PAGE || bitmap > n ||
	    (nr + 7) / 8 > n - bitmap || __builtin_add_overflow(pages, b->bytes, &end)) {
		qemu_odd(q);
		return INQ_OK;
	}
	const uint8_t *bits = q->d->map->p + bitmap;
	for (uint64_t i = 0; i < nr && !st; i++) {
		struct qemu_pages p = {.first = b->page0 + i, .nr = 1, .codec = LOADER_ZERO};
		if (bits[i / 8] >> (i % 8) & 1) {
			p.codec = LOADER_RAW;
			p.step = LOADER_PAGE;
			p.off = pages + i * LOADER_PAGE;
		}
		st = add_pages(q, p, err);
	}
	q->s = span_of(q->d->map->p + (end < n ? end : n), (size_t)(end < n ? n - end : 0));
	return st;
}

static enum inq_status read_block(struct qemu *q, uint64_t *left, struct inq_err *err)
{
	struct qemu_block b = {.page0 = q->total_pages};

	qemu_string(q, b.name);
	b.bytes = span_be(&q->s, 8);
	if (q->ignore_shared)
		span_skip(&q->s, 8); /* its address */
	if (q->s.bad || b.bytes % LOADER_PAGE || b.bytes > *left ||
	    q->nr_blocks >= QEMU_MAX_BLOCKS) {
		qemu_odd(q);
		return INQ_OK;
	}
	*left -= b.bytes;
	q->total_pages += b.bytes / LOADER_PAGE;
	if (!grow((void **)&q->blocks, q->nr_blocks, &q->blocks_cap, sizeof(b)))
		return inq_fail(err, INQ_ENOMEM, "%zu blocks of memory", q->nr_blocks);
	q->blocks[q->nr_blocks++] = b;
	return q->mapped_ram ? read_mapped(q, &b, err) : INQ_OK;
}

enum inq_status qemu_ram_start(struct qemu *q, struct inq_err *err)
{
	uint64_t total = span_be(&q->s, 8), left = total & ~(uint64_t)FLAGS;
	enum inq_status st = INQ_OK;

	if (!(total & FLAG_SIZE) || left > QEMU_MAX_RAM || q->nr_blocks)
		qemu_odd(q);
	while (!st && left && !q->s.bad)
		st = read_block(q, &left, err);
	return st || q->s.bad ? st : qemu_ram_part(q, err);
}

const struct qemu_block *qemu_block_named(const struct qemu *q, const char *name)
{
	for (size_t i = 0; i < q->nr_blocks; i++)
		if (!strcmp(q->blocks[i].name, name))
			return &q->blocks[i];
	return NULL;
}

static enum inq_status refuse(uint64_t flags, struct inq_err *err)
{
	if (flags & FLAG_XBZRLE)
		return inq_fail(err, INQ_EUNSUPPORTED,
				"pages are sent as differences (xbzrle): migrate without");
	if (flags & FLAG_MULTIFD_FLUSH)
		return inq_fail(err, INQ_EUNSUPPORTED,
				"pages are sent over other channels (multifd): migrate without, or "
				"with mapped-ram");
	return inq_fail(err, INQ_EUNSUPPORTED, "pages are sent by RDMA");
}

/* The bytes of one page, as its flags say.  Leaves codec as it is when there is something odd. */
static void read_page(struct qemu *q, uint64_t flags, struct qemu_pages *p)
{
	p->off = qemu_at(q);
	if (flags & FLAG_ZERO) { /* a byte to fill it with: only ancient versions sent another */
		p->codec = span_be(&q->s, 1) ? LOADER_BAD : LOADER_ZERO;
	} else if (flags & FLAG_PAGE) {
		p->codec = LOADER_RAW;
		span_skip(&q->s, LOADER_PAGE);
	} else {
		p->codec = LOADER_ZLIB;
		p->packed = (uint32_t)span_be(&q->s, 4);
		p->off = qemu_at(q);
		if (p->packed > 2 * LOADER_PAGE)
			qemu_odd(q);
		span_skip(&q->s, p->packed);
	}
}

static enum inq_status add_page(struct qemu *q, uint64_t addr, uint64_t flags, struct inq_err *err)
{
	struct qemu_pages p = {.nr = 1, .codec = LOADER_BAD};
	char name[QEMU_NAME];

	if (!(flags & FLAG_CONTINUE)) {
		qemu_string(q, name);
		q->block = q->s.bad ? NULL : qemu_block_named(q, name);
	}
	if (!q->block || addr >= q->block->bytes)
		qemu_odd(q);
	if (q->s.bad)
		return INQ_OK;
	p.first = q->block->page0 + addr / LOADER_PAGE;
	read_page(q, flags, &p);
	return q->s.bad ? INQ_OK : add_pages(q, p, err);
}

enum inq_status qemu_ram_part(struct qemu *q, struct inq_err *err)
{
	for (;;) {
		uint64_t word = span_be(&q->s, 8), flags = word & FLAGS;
		if (q->s.bad || flags & FLAG_EOS)
			return INQ_OK;
		if (flags & (FLAG_XBZRLE | FLAG_HOOK | FLAG_MULTIFD_FLUSH))
			return refuse(flags, err);
		if (!(flags & (FLAG_ZERO | FLAG_PAGE | FLAG_COMPRESS))) {
			qemu_odd(q);
			return INQ_OK;
		}
		enum inq_status st = add_page(q, word & ~(uint64_t)FLAGS, flags, err);
		if (st)
			return st;
	}
}

/* Later in the stream is later in the file. */
static int by_page(const void *a, const void *b)
{
	const struct qemu_pages *x = a, *y = b;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return x->off < y->off ? -1 : x->off > y->off;
}

static bool is_sorted(const struct qemu *q)
{
	for (size_t i = 1; i < q->nr_pages; i++)
		if (q->pages[i].first < q->pages[i - 1].first + q->pages[i - 1].nr)
			return false;
	return true;
}

/* Each page for itself, so that those that came twice lie side by side. */
static enum inq_status take_apart(struct qemu *q, struct inq_err *err)
{
	uint64_t nr = 0;

	for (size_t i = 0; i < q->nr_pages; i++)
		nr += q->pages[i].nr;
	if (nr > q->d->map->n) /* in a stream, each page has bytes of its own */
		return inq_fail(err, INQ_ELIMIT, "%" PRIu64 " pages in a file of 0x%zx bytes", nr,
				q->d->map->n);
	struct qemu_pages *all = calloc((size_t)nr + 1, sizeof(*all));
	if (!all)
		return inq_fail(err, INQ_ENOMEM, "%" PRIu64 " pages", nr);
	nr = 0;
	for (size_t i = 0; i < q->nr_pages; i++)
		for (uint64_t k = 0; k < q->pages[i].nr; k++) {
			all[nr] = q->pages[i];
			all[nr].first += k;
			all[nr].off += k * q->pages[i].step;
			all[nr++].nr = 1;
		}
	free(q->pages);
	q->pages = all;
	q->nr_pages = q->pages_cap = (size_t)nr;
	return INQ_OK;
}

/* Sorted single pages: keep the last of each. */
static enum inq_status put_together(struct qemu *q, struct inq_err *err)
{
	struct qemu_pages *all = q->pages;
	size_t nr = q->nr_pages;
	enum inq_status st = INQ_OK;

	q->pages = NULL;
	q->nr_pages = q->pages_cap = 0;
	for (size_t i = 0; i < nr && !st; i++) {
		if (i + 1 < nr && all[i + 1].first == all[i].first)
			continue;
		all[i].step = 0;
		st = add_pages(q, all[i], err);
	}
	free(all);
	return st;
}

enum inq_status qemu_ram_sort(struct qemu *q, struct inq_err *err)
{
	if (is_sorted(q))
		return INQ_OK;
	qsort(q->pages, q->nr_pages, sizeof(*q->pages), by_page);
	if (is_sorted(q))
		return INQ_OK;
	enum inq_status st = take_apart(q, err);
	if (st)
		return st;
	qsort(q->pages, q->nr_pages, sizeof(*q->pages), by_page);
	return put_together(q, err);
}

const struct qemu_pages *qemu_pages_at(const struct qemu *q, uint64_t page)
{
	size_t low = 0, high = q->nr_pages;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (q->pages[mid].first + q->pages[mid].nr <= page)
			low = mid + 1;
		else
			high = mid;
	}
	return low < q->nr_pages ? &q->pages[low] : NULL;
}
