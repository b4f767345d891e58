/*
 * Knows the crash dumps that 64-bit Windows writes: which pages lie where.  All begin with the same
 * header of 8 KiB; the type in it says what follows.
 * Source: QEMU include/qemu/win_dump_defs.h; Volatility symbols/windows/crash64.json; rekall
 * crashdump.py (the bitmap's header); kdmp-parser kdmp-parser-structs.h (types 8 to 10).
 */
#include "loader/windows.h"

#include <inttypes.h>
#include <stdio.h>

enum {
	MACHINE = 0x30,
	RUNS = 0x88,
	FIRST_RUN = 0x98,
	DUMP_TYPE = 0xf98,
	MOST_RUNS = 42, /* what fits into the 700 bytes of the header */
	MACHINE_X64 = 0x8664,
	MACHINE_ARM64 = 0xaa64,
};
#define PAGE_FILLER                                                                                \
	0x45474150u /* "PAGE": what Windows fills a header with before it knows better */
#define MAGIC_SDMP 0x504d4453u
#define MAGIC_FDMP 0x504d4446u
#define MAGIC_RDMP 0x504d4452u
#define MAGIC_DUMP 0x504d5544u

static int probe(struct span head)
{
	uint32_t page = span_u32le(&head), valid = span_u32le(&head);

	/* PAGEDU64, and PAGEDUMP of 32-bit Windows, which is refused with its name */
	return page == PAGE_FILLER && (valid == 0x34365544u || valid == MAGIC_DUMP) ? 90 : 0;
}

static uint64_t get(const struct loader_dump *d, size_t off, size_t width)
{
	uint64_t v = 0;

	return span_at(d->map->p, d->map->n, off, width, &v) ? v : 0;
}

static const char *variant(uint64_t type)
{
	static const char *const names[] = {
		[1] = "windows full dump",           [2] = "windows kernel dump",
		[4] = "windows mini dump",           [5] = "windows full dump, bitmap",
		[6] = "windows kernel dump, bitmap", [7] = "windows automatic dump",
		[8] = "windows kernel dump, ranges", [9] = "windows kernel and user dump, ranges",
		[10] = "windows full dump, ranges",
	};
	return type < sizeof(names) / sizeof(*names) ? names[type] : NULL;
}

static enum inq_status check_header(const struct loader_dump *d, struct inq_err *err)
{
	uint64_t machine = get(d, MACHINE, 4), type = get(d, DUMP_TYPE, 4);

	if (get(d, 4, 4) == MAGIC_DUMP)
		return inq_fail(err, INQ_EUNSUPPORTED, "a dump of 32-bit Windows");
	if (d->map->n < WINDOWS_HEADER)
		return inq_fail(err, INQ_ECORRUPT,
				"the file ends inside its header: 0x%zx of 0x%zx bytes", d->map->n,
				(size_t)WINDOWS_HEADER);
	if (machine != MACHINE_X64)
		return inq_fail(err, INQ_EUNSUPPORTED,
				"a Windows dump of machine 0x%" PRIx64 "%s, not of x64", machine,
				machine == MACHINE_ARM64 ? " (ARM64)" : "");
	if (type == 3)
		return inq_fail(err, INQ_EUNSUPPORTED, "a Windows dump that is only a header");
	if (!variant(type))
		return inq_fail(err, INQ_EUNSUPPORTED, "a Windows dump of unknown type %" PRIu64,
				type);
	return INQ_OK;
}

/*
 * The memory that the header says the machine has.  in_file: its pages follow from there on, else
 * all of it counts as left out, where nothing else says more.
 */
static enum inq_status add_runs(struct loader_dump *d, struct loader_segments *l, uint64_t in_file,
				struct inq_err *err)
{
	uint64_t nr = get(d, RUNS, 4), off = in_file;
	enum inq_status st = INQ_OK;

	if (nr == PAGE_FILLER)
		return INQ_OK;
	if (nr > MOST_RUNS && in_file)
		return inq_fail(err, INQ_ECORRUPT, "%" PRIu64 " runs of memory, %d at most", nr,
				MOST_RUNS);
	if (nr > MOST_RUNS) {
		loader_damage(d, INQ_ECORRUPT, 0, RUNS, 4,
			      "%" PRIu64 " runs of memory, %d at most fit the header", nr,
			      MOST_RUNS);
		return INQ_OK;
	}
	for (size_t i = 0; !st && i < nr; i++) {
		uint64_t page = get(d, FIRST_RUN + 16 * i, 8),
			 n = get(d, FIRST_RUN + 16 * i + 8, 8);
		if (page >> 52 || n >> 52) {
			loader_damage(d, INQ_ECORRUPT, 0, FIRST_RUN + 16 * i, 16,
				      "run %zu of memory is absurd: 0x%" PRIx64
				      " pages at 0x%" PRIx64,
				      i, n, page);
			break;
		}
		st = loader_segments_add(
			d, l,
			(struct loader_segment){.gpa = page * LOADER_PAGE,
						.memsz = n * LOADER_PAGE,
						.off = off,
						.filesz = in_file ? n * LOADER_PAGE : 0,
						.left_out = !in_file,
						.zero_at = LOADER_NO_BITS},
			err);
		off += n * LOADER_PAGE;
	}
	return st;
}

/* One bitmap of pages, bit by bit from page 0, and where the first of them lies. */
struct bitmap {
	const uint8_t *p;
	uint64_t bits, first_off;
};

/* The next run of set bits from `at` on; false when there is none. */
static bool next_run(const struct bitmap *b, uint64_t *at, uint64_t *ret_n)
{
	uint64_t i = *at;

	while (i < b->bits && !(b->p[i / 8] >> (i % 8) & 1))
		i += i % 8 == 0 && !b->p[i / 8] ? 8 : 1;
	*at = i;
	while (i < b->bits && (b->p[i / 8] >> (i % 8) & 1))
		i++;
	*ret_n = i - *at;
	return *at < b->bits;
}

/* n pages of memory that lie together at off. */
static enum inq_status add_pages(struct loader_dump *d, struct loader_segments *l, uint64_t page,
				 uint64_t n, uint64_t off, struct inq_err *err)
{
	struct loader_segment s = {.gpa = page * LOADER_PAGE,
				   .memsz = n * LOADER_PAGE,
				   .off = off,
				   .filesz = n * LOADER_PAGE,
				   .zero_at = LOADER_NO_BITS};

	return loader_segments_add(d, l, s, err);
}

static enum inq_status add_bits(struct loader_dump *d, struct loader_segments *l,
				const struct bitmap *b, uint64_t *ret_pages, struct inq_err *err)
{
	uint64_t off = b->first_off, n;
	enum inq_status st = INQ_OK;

	*ret_pages = 0;
	for (uint64_t at = 0; !st && next_run(b, &at, &n); at += n) {
		st = add_pages(d, l, at, n, off, err);
		off += n * LOADER_PAGE;
		*ret_pages += n;
	}
	return st;
}

/* "SDMP" or "FDMP": where the first page lies, how many there are, bits, and the bits. */
static enum inq_status read_bitmap(struct loader_dump *d, struct loader_segments *l,
				   struct inq_err *err)
{
	enum { HEAD = WINDOWS_HEADER, BITS = HEAD + 0x38 };
	uint64_t magic = get(d, HEAD, 4), pages, told = get(d, HEAD + 0x28, 8);
	struct bitmap b = {.first_off = get(d, HEAD + 0x20, 8), .bits = get(d, HEAD + 0x30, 8)};

	if ((magic != MAGIC_SDMP && magic != MAGIC_FDMP) || get(d, HEAD + 4, 4) != MAGIC_DUMP ||
	    d->map->n < BITS)
		return inq_fail(err, INQ_ECORRUPT, "no bitmap of pages at 0x%zx", (size_t)HEAD);
	uint64_t fit = (d->map->n - BITS) * 8;
	if (b.first_off < BITS || b.bits > (b.first_off - BITS) * 8)
		return inq_fail(err, INQ_ECORRUPT,
				"a bitmap of 0x%" PRIx64
				" pages does not end before the first page at "
				"0x%" PRIx64,
				b.bits, b.first_off);
	b.p = d->map->p + BITS;
	if (b.bits > fit) {
		d->truncated = 1;
		loader_damage(d, INQ_EABSENT, 0, d->map->n, b.bits / 8 - fit / 8,
			      "the file ends at 0x%zx, inside the bitmap of its pages", d->map->n);
		b.bits = fit;
		told = UINT64_MAX; /* nothing to compare any more */
	}
	enum inq_status st = add_bits(d, l, &b, &pages, err);
	if (!st && told != UINT64_MAX && pages != told)
		loader_damage(d, INQ_ECORRUPT, 0, HEAD + 0x28, 8,
			      "the header tells of 0x%" PRIx64 " pages, the bitmap of 0x%" PRIx64,
			      told, pages);
	return st ? st : add_runs(d, l, 0, err);
}

/* "RDMP": pairs of page number and count. */
static enum inq_status read_ranges(struct loader_dump *d, struct loader_segments *l,
				   struct inq_err *err)
{
	enum { HEAD = WINDOWS_HEADER, RANGES = HEAD + 0x30 };
	uint64_t bytes = get(d, HEAD + 0x10, 8), off = get(d, HEAD + 0x18, 8);
	enum inq_status st = INQ_OK;

	if (get(d, HEAD + 4, 4) != MAGIC_RDMP || get(d, HEAD + 8, 4) != MAGIC_DUMP)
		return inq_fail(err, INQ_ECORRUPT, "no ranges of pages at 0x%zx", (size_t)HEAD);
	for (uint64_t at = RANGES; !st && at + 16 <= RANGES + bytes && at + 16 <= off; at += 16) {
		uint64_t page = get(d, at, 8), n = get(d, at + 8, 8);
		if (!page || d->map->n < at + 16)
			break;
		if (page >> 52 || n >> 52) {
			loader_damage(d, INQ_ECORRUPT, 0, at, 16,
				      "range at 0x%" PRIx64 " is absurd: 0x%" PRIx64
				      " pages at 0x%" PRIx64,
				      at, n, page);
			break;
		}
		st = add_pages(d, l, page, n, off, err);
		off += n * LOADER_PAGE;
	}
	return st ? st : add_runs(d, l, 0, err);
}

static void segments_scope(struct loader_segments *l)
{
	loader_segments_deinit(l);
}

static enum inq_status read_memory(struct loader_dump *d, uint64_t type, struct inq_err *err)
{
	INQ_SCOPED(segments_scope) struct loader_segments l = {0};
	enum inq_status st;

	if (type == 1)
		st = add_runs(d, &l, WINDOWS_HEADER, err);
	else if (type == 4)
		st = add_runs(d, &l, 0, err);
	else if (type >= 8)
		st = read_ranges(d, &l, err);
	else
		st = read_bitmap(d, &l, err);
	if (st)
		return st;
	if (l.nr || type != 4)
		return loader_segments_use(d, &l, err);
	loader_phys_init(d); /* a mini dump need not tell what memory the machine had */
	return INQ_OK;
}

static enum inq_status open_windows(struct loader_dump *d, struct inq_err *err)
{
	enum inq_status st = check_header(d, err);
	uint64_t type = get(d, DUMP_TYPE, 4);

	if (st)
		return st;
	d->pub.variant = variant(type);
	st = loader_blob_copy(d, INQ_SNAP_VM, INQ_BLOB_WIN_HEADER, d->map->p, WINDOWS_HEADER, err);
	if (!st)
		st = read_memory(d, type, err);
	if (!st && type == 4)
		st = loader_windows_mini(d, err);
	if (!st)
		st = loader_index_blobs(d, err);
	const struct span head = span_of(d->map->p, WINDOWS_HEADER);
	if (!st)
		st = loader_content_id(d, &head, 1, err);
	return st ? st : loader_still_there(d, err);
}

const struct inq_loader loader_windows = {
	.name = "windows",
	.doc = "crash dumps of 64-bit Windows: full, kernel, automatic, live, mini",
	.carries = "memory; bug check; registers, those of all CPUs where memory holds them",
	.tells = {LOADER_YES, LOADER_SOME, LOADER_SOME, LOADER_NO, LOADER_NO, LOADER_NO},
	.probe = probe,
	.open = open_windows,
};
