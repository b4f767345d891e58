/*
 * Knows the kdump-compressed format, versions 1 to 6: header, sub header, notes, two bitmaps of
 * page frames, a descriptor for each page that was dumped, pages.  Of makedumpfile, QEMU's
 * dump-guest-memory and inquest-vmm, flattened or not.
 * Source: makedumpfile's IMPLEMENTATION; crash's diskdump.h; docs/snapshot-format.md section 12.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "loader/elfcore.h"
#include "loader/flat.h"
#include "loader/kdump.h"

enum {
	UTS_AT = 12,
	UTS_FIELD = 65,
	UTS_MACHINE = 4,
	HEADER_BYTES = 464,
	SUB_BYTES = 104,
	MAX_VERSION = 6,
	MAX_BLOCK = 65536,
	COMPRESSED_INCOMPLETE = 8, /* makedumpfile ran out of space */
};
#define MAX_BITMAP (UINT64_C(1) << 30) /* bytes of one: 32 TiB of memory */

/* What the headers say, as they say it. */
struct headers {
	uint32_t version, status, block, sub_blocks, bitmap_blocks;
	uint64_t max_mapnr;
	uint32_t dump_level, split;
	uint64_t first_pfn, last_pfn; /* of a split dump; last exclusive */
	uint64_t vmcoreinfo_off, vmcoreinfo_n, notes_off, notes_n;
};

static const char signature[] = "KDUMP   ";

static int probe(struct span head)
{
	const uint8_t *p = head.p;

	if (head.left >= 8 && !memcmp(p, signature, 8))
		return 95;
	return loader_flat_probe(head);
}

static enum inq_status check_machine(const uint8_t *header, struct inq_err *err)
{
	char machine[UTS_FIELD + 1] = "";

	memcpy(machine, header + UTS_AT + UTS_MACHINE * UTS_FIELD, UTS_FIELD);
	if (!*machine || !strcmp(machine, "x86_64") || !strcmp(machine, "Unknown"))
		return INQ_OK;
	for (char *c = machine; *c; c++)
		if (*c < 0x20 || *c > 0x7e)
			*c = '?';
	return inq_fail(err, INQ_EUNSUPPORTED, "a kdump of machine '%.20s', not of x86-64",
			machine);
}

static enum inq_status read_header(const struct loader_dump *d, struct headers *h,
				   struct inq_err *err)
{
	uint8_t buf[HEADER_BYTES];
	const uint8_t *p = loader_bytes(d, 0, sizeof(buf), buf);

	if (!p)
		return inq_fail(err, INQ_ECORRUPT, "the file ends inside its kdump header");
	enum inq_status st = check_machine(p, err);
	if (st)
		return st;
	struct span s = span_of(p, sizeof(buf));
	span_skip(&s, 8);
	h->version = span_u32le(&s);
	s = span_of(p + 424, sizeof(buf) - 424); /* behind utsname and timestamp */
	h->status = span_u32le(&s);
	h->block = span_u32le(&s);
	h->sub_blocks = span_u32le(&s);
	h->bitmap_blocks = span_u32le(&s);
	h->max_mapnr = span_u32le(&s);
	return INQ_OK;
}

static enum inq_status check_header(const struct headers *h, struct inq_err *err)
{
	if (!h->version || h->version > MAX_VERSION)
		return inq_fail(err, INQ_EUNSUPPORTED,
				"a kdump of version %" PRIu32 ", this program reads 1 to %d",
				h->version, MAX_VERSION);
	if (h->block != LOADER_PAGE)
		return inq_fail(err,
				h->block && h->block <= MAX_BLOCK ? INQ_EUNSUPPORTED : INQ_ECORRUPT,
				"a kdump with blocks of %" PRIu32 " bytes: x86-64 has pages of %d",
				h->block, LOADER_PAGE);
	if ((uint64_t)h->bitmap_blocks * h->block > 2 * MAX_BITMAP)
		return inq_fail(err, INQ_ELIMIT, "%" PRIu32 " blocks of bitmaps", h->bitmap_blocks);
	return INQ_OK;
}

/* Fields came with versions: what this one has not stays zero. */
static void read_sub_header(struct loader_dump *d, struct headers *h)
{
	uint8_t buf[SUB_BYTES], all[SUB_BYTES] = {0};
	static const size_t bytes_of[MAX_VERSION + 1] = {0, 12, 32, 48, 64, 80, SUB_BYTES};
	size_t n = bytes_of[h->version];
	const uint8_t *p = h->sub_blocks ? loader_bytes(d, h->block, n, buf) : NULL;

	if (p)
		memcpy(all, p, n);
	else if (h->sub_blocks)
		loader_damage(d, INQ_EABSENT, 0, h->block, n,
			      "the file ends at 0x%zx, inside its sub header", d->map->n);
	struct span s = span_of(all, sizeof(all));
	span_skip(&s, 8); /* phys_base: QEMU writes the decimal number of VMCOREINFO read as hex */
	h->dump_level = span_u32le(&s);
	h->split = span_u32le(&s);
	h->first_pfn = span_u64le(&s);
	h->last_pfn = span_u64le(&s);
	h->vmcoreinfo_off = span_u64le(&s);
	h->vmcoreinfo_n = span_u64le(&s);
	h->notes_off = span_u64le(&s);
	h->notes_n = span_u64le(&s);
	span_skip(&s, 16); /* erased data */
	uint64_t first = span_u64le(&s), last = span_u64le(&s), max_mapnr = span_u64le(&s);
	if (h->version < 6)
		return;
	h->first_pfn = first;
	h->last_pfn = last;
	h->max_mapnr = max_mapnr;
}

static enum inq_status read_notes(struct loader_dump *d, const struct headers *h,
				  struct loader_frame *f, struct inq_err *err)
{
	uint64_t size = loader_bytes_n(d);
	uint64_t left = h->notes_off < size ? size - h->notes_off : 0;
	uint64_t n = h->notes_n < left ? h->notes_n : left;

	if (h->notes_n > LOADER_MAX_NOTES)
		return inq_fail(err, INQ_ELIMIT, "0x%" PRIx64 " bytes of notes, 0x%x at most",
				h->notes_n, LOADER_MAX_NOTES);
	d->notes = malloc((size_t)n + 1);
	if (!d->notes)
		return inq_fail(err, INQ_ENOMEM, "0x%" PRIx64 " bytes of notes", n);
	const uint8_t *p = n ? loader_bytes(d, h->notes_off, (size_t)n, d->notes) : NULL;
	if (p && p != d->notes)
		memcpy(d->notes, p, (size_t)n);
	d->notes_n = p ? (size_t)n : 0;
	if (d->notes_n < h->notes_n)
		loader_damage(d, INQ_EABSENT, 0, d->map->n, h->notes_n - d->notes_n,
			      "0x%" PRIx64 " of 0x%" PRIx64 " bytes of notes are missing",
			      h->notes_n - d->notes_n, h->notes_n);
	f->notes = d->notes;
	f->notes_n = d->notes_n;
	f->notes_off = h->notes_off;
	f->whole_notes = d->notes_n == h->notes_n;
	return loader_notes(d, d->notes, d->notes_n, h->notes_off, err);
}

/* VMCOREINFO that is not among the notes. */
static enum inq_status read_vmcoreinfo(struct loader_dump *d, const struct headers *h,
				       struct inq_err *err)
{
	uint8_t buf[LOADER_MAX_VMCOREINFO];
	size_t n = (size_t)h->vmcoreinfo_n;

	for (size_t i = 0; i < d->nr_blobs; i++)
		if (d->blobs[i].kind == INQ_BLOB_VMCOREINFO)
			return INQ_OK;
	if (!h->vmcoreinfo_n)
		return INQ_OK;
	const uint8_t *p =
		h->vmcoreinfo_n <= sizeof(buf) ? loader_bytes(d, h->vmcoreinfo_off, n, buf) : NULL;
	if (p)
		return loader_blob_copy(d, INQ_SNAP_VM, INQ_BLOB_VMCOREINFO, p, n, err);
	loader_damage(d, n <= sizeof(buf) ? INQ_EABSENT : INQ_ECORRUPT, 0, h->vmcoreinfo_off,
		      h->vmcoreinfo_n,
		      "0x%" PRIx64 " bytes of VMCOREINFO at 0x%" PRIx64 " are not in the file",
		      h->vmcoreinfo_n, h->vmcoreinfo_off);
	return INQ_OK;
}

static void say_makedumpfile(struct loader_dump *d, const struct headers *h)
{
	if (h->status & COMPRESSED_INCOMPLETE)
		loader_damage(d, INQ_EABSENT, 1, 0, 0,
			      "makedumpfile could not write all pages: it had no space left");
	if (h->split)
		loader_damage(d, INQ_EABSENT, 1, h->last_pfn * LOADER_PAGE, 0,
			      "one part of a split dump: it holds the pages 0x%" PRIx64
			      " to 0x%" PRIx64 " only",
			      h->first_pfn, h->last_pfn);
}

static bool flat_elf(const struct loader_dump *d)
{
	uint8_t head[4];
	const uint8_t *p = d->flat ? loader_bytes(d, 0, sizeof(head), head) : NULL;

	return p && !memcmp(p,
			    "\x7f"
			    "ELF",
			    sizeof(head));
}

static enum inq_status read_frame(struct loader_dump *d, struct headers *h, struct inq_err *err)
{
	uint8_t head[8];
	const uint8_t *p = loader_bytes(d, 0, sizeof(head), head);

	if (!p || memcmp(p, signature, sizeof(head)))
		return inq_fail(err, INQ_ECORRUPT, "no kdump header in the flattened stream");
	enum inq_status st = read_header(d, h, err);
	if (!st)
		st = check_header(h, err);
	if (!st)
		read_sub_header(d, h);
	return st;
}

static enum inq_status open_pages(struct loader_dump *d, const struct headers *h,
				  struct inq_err *err)
{
	uint64_t bitmap_at = (1 + (uint64_t)h->sub_blocks) * h->block;
	struct kdump_layout l = {.max_pfn = h->max_mapnr,
				 .bitmap_off = bitmap_at,
				 .bitmap_n = (uint64_t)h->bitmap_blocks * h->block,
				 .desc_off = bitmap_at + (uint64_t)h->bitmap_blocks * h->block,
				 .first_pfn = h->split ? h->first_pfn : 0,
				 .last_pfn = h->split ? h->last_pfn : UINT64_MAX};

	return kdump_pages_open(d, &l, err);
}

/* The bytes of the frame that make the content's id and the checksum of a snapshot of ours. */
static enum inq_status finish(struct loader_dump *d, struct loader_frame *f, struct inq_err *err)
{
	uint8_t head[LOADER_PAGE] = {0}, sub[SUB_BYTES] = {0};
	const uint8_t *h = loader_bytes(d, 0, sizeof(head), head);
	const uint8_t *s = loader_bytes(d, LOADER_PAGE, sizeof(sub), sub);

	f->ehdr = h ? h : head;
	f->ehdr_n = sizeof(head);
	f->phdrs = s ? s : sub;
	f->phdrs_n = sizeof(sub);
	f->nr_pages = LOADER_NO_BITS;
	f->bulk_inside = true;
	for (size_t i = 0; i < d->pub.nr_extents; i++)
		f->memory_bytes += d->extents[i].last - d->extents[i].first + 1;
	enum inq_status st = loader_snapshot(d, f, err);
	const struct span ids[] = {span_of(f->ehdr, f->ehdr_n), span_of(f->phdrs, f->phdrs_n),
				   span_of(d->notes, d->notes_n)};
	return st ? st : loader_content_id(d, ids, sizeof(ids) / sizeof(*ids), err);
}

static enum inq_status open_kdump(struct loader_dump *d, struct inq_err *err)
{
	struct headers h = {0};
	struct loader_frame f = {0};
	enum inq_status st = INQ_OK;

	if (loader_flat_probe(span_of(d->map->p, d->map->n)))
		st = loader_flat_open(d, err);
	if (!st && flat_elf(d))
		return loader_elfcore_flat(d, err);
	if (!st)
		st = read_frame(d, &h, err);
	if (st)
		return st;
	d->pub.variant = d->flat ? "kdump, flattened" : "kdump";
	loader_phys_init(d);
	st = open_pages(d, &h, err);
	if (!st)
		st = read_notes(d, &h, &f, err);
	if (!st)
		st = read_vmcoreinfo(d, &h, err);
	if (!st)
		st = loader_index_blobs(d, err);
	if (!st)
		say_makedumpfile(d, &h);
	st = st ? st : finish(d, &f, err);
	if (!st && mapping_lost(d->map))
		return inq_fail(err, INQ_EIO,
				"the file shrank or could not be read while it was opened");
	return st;
}

const struct inq_loader loader_kdump = {
	.name = "kdump",
	.doc = "kdump-compressed dumps (zlib, lzo, snappy, zstd), also flattened: makedumpfile, "
	       "QEMU, inquest-vmm",
	.carries = "memory but for what was filtered; registers per CPU when its notes have them; "
		   "with inquest-vmm also SMRAM, APIC, MSRs, events",
	.tells = {LOADER_SOME, LOADER_SOME, LOADER_SOME, LOADER_SOME, LOADER_SOME, LOADER_SOME},
	.probe = probe,
	.open = open_kdump,
};
