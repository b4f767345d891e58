/*
 * Knows the mini dump of 64-bit Windows (DumpType 4, a "triage dump"): no page of physical memory,
 * but a few pieces of linear memory, the processor that crashed, the debugger's data.
 * Source: TRIAGE_DUMP64 as in rizin dmp_specs.h and Ghidra's pagedump (Triagedump.java).
 */
#include <inttypes.h>

#include "loader/windows.h"

enum {
	TRIAGE_BYTES = 0x80,
	MOST_PRCB = 0x20000,
	DATA_BLOCK = 16,
	KDBG_VA = 0x80, /* in the first header */
};
#define TRIAGE_VALID 0x44475254u /* "TRGD": written last */

/* The header behind the first one.  Offsets are those of the file; 0: not there. */
struct triage {
	uint32_t size, valid_at, prcb, process, stack_at, stack_n;
	uint64_t stack_va, page_va;
	uint32_t page_at, page_n, kdbg_at, kdbg_n, blocks_at, nr_blocks;
};

static uint32_t u32(const uint8_t *p, size_t off)
{
	uint64_t v = 0;

	return span_at(p, TRIAGE_BYTES, off, 4, &v) ? (uint32_t)v : 0;
}

static uint64_t u64(const uint8_t *p, size_t off)
{
	uint64_t v = 0;

	return span_at(p, TRIAGE_BYTES, off, 8, &v) ? v : 0;
}

static void read_triage(const uint8_t *p, struct triage *ret)
{
	*ret = (struct triage){
		.size = u32(p, 0x04),
		.valid_at = u32(p, 0x08),
		.prcb = u32(p, 0x1c),
		.process = u32(p, 0x20),
		.stack_at = u32(p, 0x28),
		.stack_n = u32(p, 0x2c),
		.stack_va = u64(p, 0x48),
		.page_va = u64(p, 0x60),
		.page_at = u32(p, 0x68),
		.page_n = u32(p, 0x6c),
		.kdbg_at = u32(p, 0x70),
		.kdbg_n = u32(p, 0x74),
		.blocks_at = u32(p, 0x78),
		.nr_blocks = u32(p, 0x7c),
	};
}

/* How many of n bytes at off the file has; 0 for what is not there. */
static uint64_t have(const struct loader_dump *d, uint64_t off, uint64_t n)
{
	uint64_t left = off < d->map->n ? d->map->n - off : 0;

	return off ? (n < left ? n : left) : 0;
}

static void check_whole(struct loader_dump *d, const struct triage *t)
{
	uint64_t mark = 0;
	char share[LOADER_SHARE];

	if (t->size > d->map->n) {
		d->truncated = 1;
		loader_share(t->size - d->map->n, t->size, share);
		loader_damage(
			d, INQ_EABSENT, 0, d->map->n, t->size - d->map->n,
			"%s of the dump is missing: the file ends at 0x%zx, the dump at 0x%" PRIx32,
			share, d->map->n, t->size);
		return;
	}
	if (!span_at(d->map->p, d->map->n, t->valid_at, 4, &mark) || mark != TRIAGE_VALID)
		loader_damage(d, INQ_ECORRUPT, 0, t->valid_at, 4,
			      "no mark at 0x%" PRIx32 " that the dump was written whole",
			      t->valid_at);
}

static enum inq_status add_blocks(struct loader_dump *d, const struct triage *t,
				  struct inq_err *err)
{
	uint64_t n = have(d, t->blocks_at, (uint64_t)t->nr_blocks * DATA_BLOCK) / DATA_BLOCK;
	const uint8_t *p = d->map->p + t->blocks_at;
	enum inq_status st = INQ_OK;

	if (n < t->nr_blocks)
		loader_damage(d, INQ_EABSENT, 0, t->blocks_at, t->nr_blocks * UINT64_C(16),
			      "the file has %" PRIu64 " of %" PRIu32 " pieces of memory", n,
			      t->nr_blocks);
	for (uint64_t i = 0; !st && i < n; i++, p += DATA_BLOCK) {
		struct span s = span_of(p, DATA_BLOCK);
		uint64_t va = span_u64le(&s), off = span_u32le(&s), bytes = span_u32le(&s);
		st = loader_virt_add(d, va, bytes, off, err);
	}
	return st;
}

/* A part that the dump holds as a structure of the kernel. */
static enum inq_status add_part(struct loader_dump *d, uint32_t kind, uint64_t off, uint64_t n,
				struct inq_err *err)
{
	n = have(d, off, n);
	return n ? loader_blob_copy(d, INQ_SNAP_VM, kind, d->map->p + off, (size_t)n, err) : INQ_OK;
}

/* Nobody states its size; the process follows it. */
static uint64_t prcb_bytes(const struct triage *t)
{
	uint64_t n = t->process > t->prcb ? t->process - t->prcb : MOST_PRCB;

	return n < MOST_PRCB ? n : MOST_PRCB;
}

enum inq_status loader_windows_mini(struct loader_dump *d, struct inq_err *err)
{
	struct triage t;
	uint64_t kdbg_va = 0;

	if (d->map->n < WINDOWS_HEADER + TRIAGE_BYTES)
		return inq_fail(err, INQ_ECORRUPT,
				"the file ends inside the header of a mini dump");
	read_triage(d->map->p + WINDOWS_HEADER, &t);
	check_whole(d, &t);
	(void)span_at(d->map->p, d->map->n, KDBG_VA, 8, &kdbg_va);
	enum inq_status st = INQ_OK;
	if (t.stack_at)
		st = loader_virt_add(d, t.stack_va, t.stack_n, t.stack_at, err);
	if (!st && t.page_at)
		st = loader_virt_add(d, t.page_va, t.page_n, t.page_at, err);
	if (!st && t.kdbg_at && kdbg_va)
		st = loader_virt_add(d, kdbg_va, t.kdbg_n, t.kdbg_at, err);
	if (!st)
		st = add_blocks(d, &t, err);
	if (!st)
		st = add_part(d, INQ_BLOB_WIN_KDBG, t.kdbg_at, t.kdbg_n, err);
	if (!st)
		st = add_part(d, INQ_BLOB_WIN_PRCB, t.prcb, prcb_bytes(&t), err);
	if (!st)
		loader_virt_init(d);
	return st;
}
