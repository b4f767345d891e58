/*
 * Knows the kdump-compressed format, version 6 (makedumpfile's IMPLEMENTATION and diskdump_mod.h):
 * header, sub header with our notes behind it, two bitmaps of page frames, page descriptors; then
 * the bulk region that our notes point to, and the pages.  Pages are compressed a batch at a time,
 * by a thread per processor, and written in their order.
 */
#include "vmm/kdump.h"

#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ZLIB_CONST /* input is const */
#include <zlib.h>
#include <zstd.h>

#include "vmm/parts.h"
#include "vmm/vmcoreinfo.h"

enum { BLOCK = 4096, BATCH = 1024, MAX_THREADS = 8, UTS_FIELD = 65, UTS_FIELDS = 6 };
enum { FLAG_RAW = 0, FLAG_ZLIB = 1, FLAG_ZSTD = 0x20 };

/* struct disk_dump_header of a 64-bit machine. */
struct header {
	char signature[8];
	int32_t version;
	char uts[UTS_FIELDS][UTS_FIELD]; /* sysname, nodename, release, version, machine, domain */
	char pad[6];
	int64_t seconds, microseconds;
	uint32_t status;
	int32_t block_size, sub_header_blocks;
	uint32_t bitmap_blocks, max_mapnr, total_ram_blocks, device_blocks, written_blocks,
		current_cpu;
	int32_t nr_cpus;
};

/* struct kdump_sub_header; the fields without 64 are for readers of before version 6. */
struct sub_header {
	int64_t phys_base;
	int32_t dump_level, split;
	uint64_t start_pfn, end_pfn;
	uint64_t vmcoreinfo_off, vmcoreinfo_bytes;
	uint64_t notes_off, notes_bytes;
	uint64_t erase_off, erase_bytes;
	uint64_t start_pfn_64, end_pfn_64, max_mapnr_64;
};

struct page_desc {
	uint64_t off;
	uint32_t bytes, flags;
	uint64_t page_flags;
};

_Static_assert(offsetof(struct header, seconds) == 408, "diskdump");
_Static_assert(offsetof(struct header, nr_cpus) == 460, "diskdump");
_Static_assert(sizeof(struct sub_header) == 104, "diskdump");
_Static_assert(sizeof(struct page_desc) == 24, "diskdump");

/* What one thread compresses: every nr_threads-th page of the batch, from its number on. */
struct worker {
	struct batch *batch;
	unsigned nr;
	ZSTD_CCtx *zstd;
	z_stream zlib; /* kept: making one costs more than a page */
};

struct batch {
	enum vmm_format format;
	unsigned nr_threads, nr;
	struct worker worker[MAX_THREADS];
	const uint8_t *page[BATCH];
	uint8_t (*room)[BLOCK]; /* BATCH of them, heap: compressed bytes */
	uint32_t bytes[BATCH];  /* 0: a zero page; BLOCK: not compressed */
};

struct writer {
	const struct vmm_snapshot *s;
	struct snap_out *o;
	struct vmm_parts parts;
	uint64_t max_mapnr, bitmap_off, bitmap_bytes, desc_off, data_off; /* bitmap_bytes: of one */
	struct page_desc *desc, zero;                                     /* desc: heap */
	uint64_t nr_desc;
	struct batch batch;
	struct vmm_snapshot_done done;
};

static uint64_t blocks(uint64_t bytes)
{
	return (bytes + BLOCK - 1) / BLOCK;
}

/* Less than a page, or nothing: then the page is stored as it is. */
static uint32_t compress_page(struct worker *w, const uint8_t *page, uint8_t *to)
{
	if (w->batch->format == VMM_FORMAT_KDUMP_ZSTD) {
		size_t n = ZSTD_compressCCtx(w->zstd, to, BLOCK - 1, page, BLOCK, 1);

		return ZSTD_isError(n) ? 0 : (uint32_t)n;
	}
	z_stream *z = &w->zlib;
	if (deflateReset(z) != Z_OK)
		return 0;
	z->next_in = page;
	z->avail_in = BLOCK;
	z->next_out = to;
	z->avail_out = BLOCK - 1;
	return deflate(z, Z_FINISH) == Z_STREAM_END ? BLOCK - 1 - z->avail_out : 0;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct batch *b = w->batch;

	for (unsigned i = w->nr; i < b->nr; i += b->nr_threads) {
		b->bytes[i] = 0;
		if (vmm_page_is_zero(b->page[i]))
			continue;
		uint32_t n = compress_page(w, b->page[i], b->room[i]);
		b->bytes[i] = n ? n : BLOCK;
	}
	return NULL;
}

/* All on this thread when no other can be had. */
static void compress_batch(struct batch *b)
{
	pthread_t thread[MAX_THREADS];
	bool started[MAX_THREADS] = {false};

	for (unsigned i = 1; i < b->nr_threads; i++)
		started[i] = !pthread_create(&thread[i], NULL, work, &b->worker[i]);
	work(&b->worker[0]);
	for (unsigned i = 1; i < b->nr_threads; i++) {
		if (started[i])
			pthread_join(thread[i], NULL);
		else
			work(&b->worker[i]);
	}
}

static enum inq_status put(struct writer *w, const void *p, uint64_t n, uint64_t off,
			   struct inq_err *err)
{
	w->done.written_bytes += n;
	return snap_out_write(w->o, p, n, off, err);
}

/* Compressed pages of a batch, one behind the other, with few writes. */
static enum inq_status put_batch(struct writer *w, struct inq_err *err)
{
	struct batch *b = &w->batch;
	const uint32_t packed = b->format == VMM_FORMAT_KDUMP_ZSTD ? FLAG_ZSTD : FLAG_ZLIB;
	uint8_t *all = malloc((size_t)BATCH * BLOCK);
	uint64_t n = 0;

	if (!all)
		return inq_fail(err, INQ_ENOMEM, "%s: pages", w->o->path);
	compress_batch(b);
	for (unsigned i = 0; i < b->nr; i++) {
		bool raw = b->bytes[i] == BLOCK;

		if (!b->bytes[i]) {
			w->desc[w->nr_desc++] = w->zero;
			w->done.zero_pages++;
			continue;
		}
		memcpy(all + n, raw ? b->page[i] : b->room[i], b->bytes[i]);
		w->desc[w->nr_desc++] =
			(struct page_desc){.off = w->data_off + n,
					   .bytes = b->bytes[i],
					   .flags = raw ? (uint32_t)FLAG_RAW : packed};
		n += b->bytes[i];
	}
	b->nr = 0;
	enum inq_status st = n ? put(w, all, n, w->data_off, err) : INQ_OK;
	w->data_off += n;
	free(all);
	return st;
}

static enum inq_status put_zero_page(struct writer *w, struct inq_err *err)
{
	static const uint8_t zero[BLOCK];

	w->zero = (struct page_desc){.off = w->data_off, .bytes = BLOCK, .flags = FLAG_RAW};
	w->data_off += BLOCK;
	return put(w, zero, BLOCK, w->zero.off, err);
}

static void add_zeros(struct writer *w, uint64_t nr)
{
	for (; nr; nr--, w->done.zero_pages++)
		w->desc[w->nr_desc++] = w->zero;
}

static enum inq_status put_region(struct writer *w, const struct vmm_region *r, struct inq_err *err)
{
	const struct vmm_memory *m = w->s->mem;
	uint64_t at = r->off, end = r->off + r->bytes;
	enum inq_status st = INQ_OK;

	while (at < end && !st) {
		uint64_t from = at, to;

		vmm_memory_next_data(m, &from, &to, end);
		if (from > at && w->batch.nr)
			st = put_batch(w, err);
		add_zeros(w, (from - at) / BLOCK);
		for (at = from; at < to && !st; at += BLOCK) {
			w->batch.page[w->batch.nr++] = m->ram + at;
			if (w->batch.nr == BATCH)
				st = put_batch(w, err);
		}
	}
	return st || !w->batch.nr ? st : put_batch(w, err);
}

/* Both bitmaps, of frames that are memory and of frames that are in the dump, are the same. */
static enum inq_status put_bitmaps(struct writer *w, struct inq_err *err)
{
	const struct vmm_memory *m = w->s->mem;
	uint8_t *bits = calloc(1, w->bitmap_bytes);

	if (!bits)
		return inq_fail(err, INQ_ENOMEM, "%s: bitmap of page frames", w->o->path);
	for (unsigned i = 0; i < m->nr_regions; i++)
		for (uint64_t pfn = m->region[i].gpa / BLOCK,
			      end = pfn + m->region[i].bytes / BLOCK;
		     pfn < end; pfn++)
			bits[pfn / 8] |= (uint8_t)(1u << (pfn % 8));
	enum inq_status st = put(w, bits, w->bitmap_bytes, w->bitmap_off, err);
	if (!st)
		st = put(w, bits, w->bitmap_bytes, w->bitmap_off + w->bitmap_bytes, err);
	free(bits);
	return st;
}

/* What uname says in there; unknown where the kernel does not tell.  libkdumpfile takes the
   machine's name only when no field is empty. */
static void put_uts(const struct writer *w, struct header *h)
{
	static const char *const unknown[UTS_FIELDS] = {"unknown", "unknown", "unknown",
							"unknown", "x86_64",  "unknown"};
	const uint8_t *uts =
		vmm_vmcoreinfo_uts(w->s->mem, w->s->vmcoreinfo, w->s->vmcoreinfo_bytes);

	for (unsigned i = 0; i < UTS_FIELDS; i++) {
		const char *p = uts ? (const char *)uts + (size_t)i * UTS_FIELD : "";

		if (!*p || strnlen(p, UTS_FIELD) == UTS_FIELD)
			p = unknown[i];
		memcpy(h->uts[i], p, strlen(p));
	}
}

static void build_header(const struct writer *w, struct header *h)
{
	const uint64_t ns = w->s->header.t_realtime_ns;

	*h = (struct header){
		.signature = {'K', 'D', 'U', 'M', 'P', ' ', ' ', ' '},
		.version = 6,
		.seconds = (int64_t)(ns / 1000000000u),
		.microseconds = (int64_t)(ns % 1000000000u / 1000),
		.status = w->s->format == VMM_FORMAT_KDUMP_ZSTD ? FLAG_ZSTD : FLAG_ZLIB,
		.block_size = BLOCK,
		.sub_header_blocks = (int32_t)(w->bitmap_off / BLOCK - 1),
		.bitmap_blocks = (uint32_t)(2 * w->bitmap_bytes / BLOCK),
		.max_mapnr = w->max_mapnr < UINT32_MAX ? (uint32_t)w->max_mapnr : UINT32_MAX,
		.nr_cpus = (int32_t)w->s->header.nr_vcpus,
	};
	put_uts(w, h);
}

static void build_sub_header(const struct writer *w, struct sub_header *h)
{
	const struct vmm_snapshot *s = w->s;
	const struct snap_notes *n = &w->parts.notes;
	uint64_t base = 0;

	*h = (struct sub_header){
		.notes_off = BLOCK + sizeof(*h),
		.notes_bytes = n->len,
		.end_pfn = w->max_mapnr,
		.end_pfn_64 = w->max_mapnr,
		.max_mapnr_64 = w->max_mapnr,
	};
	if (!s->vmcoreinfo)
		return;
	/* the note is the last of those for others */
	h->vmcoreinfo_bytes = s->vmcoreinfo_bytes;
	h->vmcoreinfo_off = h->notes_off + s->core.len - ((s->vmcoreinfo_bytes + 3) & ~UINT64_C(3));
	if (vmm_vmcoreinfo_number(s->vmcoreinfo, s->vmcoreinfo_bytes, "NUMBER(phys_base)", 10,
				  &base))
		h->phys_base = (int64_t)base;
}

static enum inq_status put_headers(struct writer *w, struct inq_err *err)
{
	uint8_t *at = calloc(1, w->bitmap_off);
	struct header h;
	struct sub_header sub;

	if (!at)
		return inq_fail(err, INQ_ENOMEM, "%s: headers", w->o->path);
	build_header(w, &h);
	build_sub_header(w, &sub);
	memcpy(at, &h, sizeof(h));
	memcpy(at + BLOCK, &sub, sizeof(sub));
	vmm_parts_finish(&w->parts, at, BLOCK + sizeof(sub), w->data_off);
	memcpy(at + sub.notes_off, w->parts.notes.bytes, w->parts.notes.len);
	enum inq_status st = put(w, at, w->bitmap_off, 0, err);
	free(at);
	return st;
}

static enum inq_status lay_out(struct writer *w, struct inq_err *err)
{
	const struct vmm_memory *m = w->s->mem;
	const struct vmm_region *last = &m->region[m->nr_regions - 1];
	enum inq_status st = vmm_parts_build(&w->parts, w->o, err);

	if (st)
		return st;
	w->done.pages = vmm_parts_memory_bytes(m) / BLOCK;
	w->max_mapnr = (last->gpa + last->bytes) / BLOCK;
	w->bitmap_off = BLOCK + blocks(sizeof(struct sub_header) + w->parts.notes.len) * BLOCK;
	w->bitmap_bytes = blocks((w->max_mapnr + 7) / 8) * BLOCK;
	w->desc_off = w->bitmap_off + 2 * w->bitmap_bytes;
	vmm_parts_place_bulk(&w->parts,
			     vmm_page_up(w->desc_off + w->done.pages * sizeof(*w->desc)));
	w->data_off = vmm_page_up(w->parts.bulk_end);
	w->desc = calloc(w->done.pages, sizeof(*w->desc));
	if (!w->desc)
		return inq_fail(err, INQ_ENOMEM, "%s: page descriptors", w->o->path);
	return vmm_parts_build(&w->parts, w->o, err);
}

static enum inq_status start_batch(struct batch *b, enum vmm_format format, struct inq_err *err)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	b->format = format;
	b->nr_threads = n < 1 ? 1 : n > MAX_THREADS ? MAX_THREADS : (unsigned)n;
	b->room = calloc(BATCH, sizeof(*b->room));
	bool ok = b->room;
	for (unsigned i = 0; i < b->nr_threads; i++) {
		b->worker[i] = (struct worker){.batch = b, .nr = i};
		if (format == VMM_FORMAT_KDUMP_ZSTD)
			ok = (b->worker[i].zstd = ZSTD_createCCtx()) && ok;
		else
			ok = deflateInit(&b->worker[i].zlib, Z_BEST_SPEED) == Z_OK && ok;
	}
	return ok ? INQ_OK : inq_fail(err, INQ_ENOMEM, "compression");
}

static void end_batch(struct batch *b)
{
	for (unsigned i = 0; i < b->nr_threads; i++) {
		ZSTD_freeCCtx(b->worker[i].zstd);
		(void)deflateEnd(&b->worker[i].zlib); /* one that there is not it refuses */
	}
	free(b->room);
}

static enum inq_status put_all(struct writer *w, struct inq_err *err)
{
	const struct vmm_memory *m = w->s->mem;
	enum inq_status st = put_zero_page(w, err);

	for (unsigned i = 0; i < m->nr_regions && !st; i++)
		st = put_region(w, &m->region[i], err);
	if (!st)
		st = put_bitmaps(w, err);
	if (!st)
		st = put(w, w->desc, w->nr_desc * sizeof(*w->desc), w->desc_off, err);
	if (!st)
		st = vmm_parts_put_bulk(&w->parts, w->o, &w->done.written_bytes, err);
	if (!st)
		st = put_headers(w, err);
	return st ? st : snap_out_resize(w->o, w->data_off, err);
}

enum inq_status vmm_kdump_write(const struct vmm_snapshot *s, struct snap_out *o,
				struct vmm_snapshot_done *ret, struct inq_err *err)
{
	struct writer *w = calloc(1, sizeof(*w));

	if (!w)
		return inq_fail(err, INQ_ENOMEM, "%s", o->path);
	*w = (struct writer){.s = s, .o = o, .parts = {.s = s}};
	enum inq_status st = start_batch(&w->batch, s->format, err);
	if (!st)
		st = lay_out(w, err);
	if (!st)
		st = put_all(w, err);
	w->done.file_bytes = w->data_off;
	if (!st)
		*ret = w->done;
	end_batch(&w->batch);
	free(w->desc);
	vmm_parts_deinit(&w->parts);
	free(w);
	return st;
}
