/*
 * Knows memory without a header: raw images, and the memory files of Firecracker.  Only the user
 * can say where such a file begins, unless its first page gives itself away as physical page 0.
 * Source: Firecracker src/vmm/src/arch/x86_64/{layout,gdt}.rs; Linux Documentation/arch/x86/
 * boot.rst and zero-page.rst (e820 table); the interrupt vectors of a PC's BIOS.
 */
#include <inttypes.h>

#include "loader/dump.h"

enum {
	IVT_VECTORS = 256,
	IVT_ENOUGH =
		128, /* vectors into the BIOS's segments; memory that is none has next to none */
	FC_GDT = 0x500,
	ZERO_PAGE = 0x7000,
	E820_NR = ZERO_PAGE + 0x1e8,
	E820_TABLE = ZERO_PAGE + 0x2d0,
	E820_ENTRY = 20,
	E820_MOST = 128,
	E820_RAM = 1,
};
#define GIB UINT64_C(0x40000000)

/* Interrupt vectors of real mode, most of which lead into the segments of a BIOS. */
static bool has_ivt(struct span head)
{
	unsigned int hits = 0;

	for (int i = 0; i < IVT_VECTORS; i++) {
		uint32_t vector = span_u32le(&head);
		hits += !head.bad && (vector >> 28 == 0xf || vector >> 24 == 0xc0) &&
			vector != UINT32_MAX;
	}
	return hits >= IVT_ENOUGH;
}

/* The segments that Firecracker hands to a kernel, which leaves this page alone. */
static bool has_firecracker_gdt(struct span head)
{
	static const uint64_t gdt[] = {0, 0x00af9b000000ffff, 0x00cf93000000ffff,
				       0x008f8b000000ffff};

	span_skip(&head, FC_GDT);
	for (size_t i = 0; i < sizeof(gdt) / sizeof(*gdt); i++)
		if (span_u64le(&head) != gdt[i])
			return false;
	return !head.bad;
}

static int probe(struct span head)
{
	return has_ivt(head) || has_firecracker_gdt(head) ? 10 : 0;
}

static uint64_t get(const struct loader_dump *d, uint64_t off, size_t width)
{
	uint64_t v = 0;

	return span_at(d->map->p, d->map->n, (size_t)off, width, &v) ? v : 0;
}

/* Where memory below 4 GiB ends, from the map that Firecracker gave to Linux; 0: not told. */
static uint64_t end_below_4g(const struct loader_dump *d)
{
	uint64_t nr = get(d, E820_NR, 1), end = 0;

	for (uint64_t i = 0; i < nr && i < E820_MOST; i++) {
		uint64_t at = E820_TABLE + i * E820_ENTRY, addr = get(d, at, 8),
			 n = get(d, at + 8, 8);
		bool below = addr < 4 * GIB && n <= 4 * GIB - addr;
		if (below && get(d, at + 16, 4) == E820_RAM && addr + n > end)
			end = addr + n;
	}
	return end;
}

/*
 * Firecracker writes its regions without the hole below 4 GiB, which began at 3.25 GiB and begins
 * at 3 GiB now.  Where the kernel's map does not tell which, what follows has no address.
 */
static enum inq_status add_firecracker(struct loader_dump *d, struct loader_segments *l,
				       struct inq_err *err)
{
	uint64_t n = d->map->n, end = n > 3 * GIB ? end_below_4g(d) : n;

	if (end < 3 * GIB && n > 3 * GIB) {
		loader_damage(d, INQ_ECORRUPT, 0, 3 * GIB, n - 3 * GIB,
			      "nothing tells where memory behind 3 GiB belongs: it is not used");
		n = end = 3 * GIB;
	}
	if (end > n)
		end = n;
	enum inq_status st = loader_segments_add(
		d, l,
		(struct loader_segment){.memsz = end, .filesz = end, .zero_at = LOADER_NO_BITS},
		err);
	if (st || n == end)
		return st;
	return loader_segments_add(d, l,
				   (struct loader_segment){.gpa = 4 * GIB,
							   .memsz = n - end,
							   .filesz = n - end,
							   .off = end,
							   .zero_at = LOADER_NO_BITS},
				   err);
}

static void segments_scope(struct loader_segments *l)
{
	loader_segments_deinit(l);
}

static enum inq_status open_raw(struct loader_dump *d, struct inq_err *err)
{
	INQ_SCOPED(segments_scope) struct loader_segments l = {0};
	const struct span head =
		span_of(d->map->p, d->map->n < LOADER_PAGE ? d->map->n : LOADER_PAGE);
	const struct loader_segment flat = {
		.gpa = d->base, .memsz = d->map->n, .filesz = d->map->n, .zero_at = LOADER_NO_BITS};
	const struct span heads[] = {span_of(&d->base, sizeof(d->base)), head};
	enum inq_status st;

	if (!d->map->n)
		return inq_fail(err, INQ_EUNSUPPORTED, "the file is empty");
	if (d->base + (d->map->n - 1) < d->base)
		return inq_fail(err, INQ_EUSAGE, "0x%zx bytes do not fit behind --base 0x%" PRIx64,
				d->map->n, d->base);
	if (!d->base_given && has_firecracker_gdt(head)) {
		d->pub.variant = "firecracker memory file";
		st = add_firecracker(d, &l, err);
	} else {
		d->pub.variant = d->base_given ? "raw memory"
					       : "raw memory, from 0x0 on as its BIOS vectors say";
		st = loader_segments_add(d, &l, flat, err);
	}
	if (!st)
		st = loader_segments_use(d, &l, err);
	if (!st)
		st = loader_index_blobs(d, err);
	if (!st)
		st = loader_content_id(d, heads, 2, err);
	return st ? st : loader_still_there(d, err);
}

const struct inq_loader loader_raw = {
	.name = "raw",
	.doc = "memory without a header, with --base ADDRESS; memory files of Firecracker",
	.carries = "memory",
	.probe = probe,
	.open = open_raw,
};
