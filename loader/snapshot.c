/*
 * Knows what a snapshot of inquest-vmm promises about itself, and checks it: magic, version, sizes,
 * checksums, the pieces of the bulk region.  Source: docs/snapshot-format.md, snapshot.h.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "loader/dump.h"

enum { CRC_CHUNK = 1 << 30 };

static uint32_t crc_of(uint32_t crc, const uint8_t *p, size_t n)
{
	while (n) {
		uInt part = n < CRC_CHUNK ? (uInt)n : CRC_CHUNK;
		crc = (uint32_t)crc32(crc, p, part);
		p += part;
		n -= part;
	}
	return crc;
}

static enum inq_status read_header(struct loader_dump *d, struct inq_err *err)
{
	struct inq_snap_header *h = &d->header;

	memcpy(h, d->header_at, sizeof(*h));
	h->producer[sizeof(h->producer) - 1] = '\0';
	h->reason_text[sizeof(h->reason_text) - 1] = '\0';
	if (h->magic != INQ_SNAP_MAGIC) {
		loader_damage(d, INQ_ECORRUPT, 0, 0, 0,
			      "the snapshot header begins with 0x%" PRIx64 ", not its magic",
			      h->magic);
		return INQ_OK;
	}
	if (h->major != INQ_SNAP_MAJOR)
		return inq_fail(err, INQ_EUNSUPPORTED,
				"a snapshot of format %" PRIu16 ".%" PRIu16
				", this program reads %u.x",
				h->major, h->minor, INQ_SNAP_MAJOR);
	if (h->nr_vcpus > INQ_SNAP_MAX_VCPUS)
		return inq_fail(err, INQ_ELIMIT, "%" PRIu32 " vcpus, %u at most", h->nr_vcpus,
				INQ_SNAP_MAX_VCPUS);
	d->pub.header = h;
	d->pub.variant = "inquest snapshot";
	return INQ_OK;
}

static uint32_t notes_crc(const struct loader_dump *d, const struct loader_frame *f)
{
	static const uint8_t none[sizeof(d->header.notes_crc)];
	const uint8_t *field = d->header_at + offsetof(struct inq_snap_header, notes_crc);
	const uint8_t *behind = field + sizeof(none);
	uint32_t crc = crc_of(0, f->notes, (size_t)(field - f->notes));

	crc = crc_of(crc, none, sizeof(none));
	return crc_of(crc, behind, (size_t)(f->notes + f->notes_n - behind));
}

static void check_crcs(struct loader_dump *d, const struct loader_frame *f)
{
	uint32_t headers = crc_of(crc_of(0, f->ehdr, f->ehdr_n), f->phdrs, f->phdrs_n);

	if (headers != d->header.headers_crc)
		loader_damage(d, INQ_ECORRUPT, 0, 0, f->ehdr_n + f->phdrs_n,
			      "the headers have checksum 0x%" PRIx32 ", not 0x%" PRIx32, headers,
			      d->header.headers_crc);
	uint32_t notes = f->whole_notes ? notes_crc(d, f) : d->header.notes_crc;
	if (notes != d->header.notes_crc)
		loader_damage(d, INQ_ECORRUPT, 0, f->notes_off, f->notes_n,
			      "the notes have checksum 0x%" PRIx32 ", not 0x%" PRIx32, notes,
			      d->header.notes_crc);
}

static void check_sizes(struct loader_dump *d, const struct loader_frame *f)
{
	const struct inq_snap_header *h = &d->header;
	uint64_t n = d->map->n;

	if (h->file_bytes < n)
		loader_damage(d, INQ_ECORRUPT, 0, h->file_bytes, n - h->file_bytes,
			      "0x%" PRIx64 " bytes lie behind the end of the snapshot",
			      n - h->file_bytes);
	if (h->file_bytes > n && !d->truncated)
		loader_damage(d, INQ_EABSENT, 0, n, h->file_bytes - n,
			      "the file ends at 0x%" PRIx64 ", the snapshot at 0x%" PRIx64, n,
			      h->file_bytes);
	if (h->memory_bytes != f->memory_bytes)
		loader_damage(d, INQ_ECORRUPT, 1, 0, 0,
			      "the segments hold 0x%" PRIx64 " bytes of memory, not 0x%" PRIx64,
			      f->memory_bytes, h->memory_bytes);
	uint64_t behind = h->bulk_off > h->file_bytes ? 0 : h->file_bytes - h->bulk_off;
	if (h->bulk_off > h->file_bytes || h->bulk_bytes > behind ||
	    (!f->bulk_inside && h->bulk_bytes != behind))
		loader_damage(d, INQ_ECORRUPT, 0, h->bulk_off, h->bulk_bytes,
			      "the bulk region does not end with the snapshot");
}

static void check_vcpus(struct loader_dump *d)
{
	uint32_t most = 0;

	for (size_t i = 0; i < d->nr_blobs; i++)
		if (d->blobs[i].vcpu != INQ_SNAP_VM && d->blobs[i].vcpu >= most)
			most = d->blobs[i].vcpu + 1;
	if (most > d->header.nr_vcpus)
		loader_damage(d, INQ_ECORRUPT, 0, 0, 0,
			      "notes for %" PRIu32 " vcpus in a snapshot of %" PRIu32, most,
			      d->header.nr_vcpus);
}

static struct inq_snap_bulk next_bulk(struct span *s)
{
	struct inq_snap_bulk b = {.gpa = span_u64le(s),
				  .file_off = span_u64le(s),
				  .bytes = span_u64le(s),
				  .crc = span_u32le(s)};

	span_skip(s, sizeof(b.pad));
	return b;
}

/*
 * How many of its bytes the file has.  Bulk must lie where the header says, in what it says is
 * there; else it is nothing.
 */
uint64_t loader_bulk_have(struct loader_dump *d, const struct inq_snap_bulk *b, const char *what)
{
	const struct inq_snap_header *h = &d->header;
	uint64_t left = d->map->n > b->file_off ? d->map->n - b->file_off : 0;

	if (b->file_off < h->bulk_off || b->file_off - h->bulk_off > h->bulk_bytes ||
	    b->bytes > h->bulk_bytes - (b->file_off - h->bulk_off)) {
		loader_damage(d, INQ_ECORRUPT, 0, b->file_off, b->bytes,
			      "%s: 0x%" PRIx64 " bytes at 0x%" PRIx64
			      " do not lie in the bulk region",
			      what, b->bytes, b->file_off);
		return 0;
	}
	if (b->bytes > left) {
		loader_damage(d, INQ_EABSENT, 0, d->map->n, b->bytes - left,
			      "%s: the file ends before it does", what);
		return left;
	}
	if (b->bytes > h->bulk_bytes - d->bulk_used) {
		loader_damage(d, INQ_ECORRUPT, 0, b->file_off, b->bytes,
			      "%s: its bytes belong to another piece", what);
		return 0;
	}
	d->bulk_used += b->bytes; /* so that no byte is summed more often than once on average */
	uint32_t crc = crc_of(0, d->map->p + b->file_off, (size_t)b->bytes);
	uint64_t good = mapping_good(d->map, (size_t)b->file_off, (size_t)b->bytes);
	if (good < b->bytes)
		loader_damage(d, INQ_EABSENT, 0, b->file_off + good, b->bytes - good,
			      "%s: cannot be read from the file", what);
	else if (crc != b->crc)
		loader_damage(d, INQ_ECORRUPT, 0, b->file_off, b->bytes,
			      "%s: checksum 0x%" PRIx32 ", not 0x%" PRIx32, what, crc, b->crc);
	return b->bytes;
}

static void use_zero_bitmap(struct loader_dump *d, const struct loader_frame *f)
{
	const struct inq_blob *blob = inq_dump_blob(&d->pub, INQ_SNAP_VM, 0, INQ_SNAP_ZERO);
	size_t damages = d->nr_damages;

	if (!blob || !blob->p)
		return;
	struct span s = span_of(blob->p, blob->n);
	struct inq_snap_bulk b = next_bulk(&s);
	if (s.bad || f->nr_pages == LOADER_NO_BITS ||
	    b.bytes != f->nr_pages / 8 + !!(f->nr_pages % 8)) {
		loader_damage(d, INQ_ECORRUPT, 0, b.file_off, b.bytes,
			      "the zero bitmap does not fit the segments");
		return;
	}
	uint64_t have = loader_bulk_have(d, &b, "the zero bitmap");
	if (have != b.bytes || d->nr_damages != damages)
		return; /* no bitmap is better than a wrong one */
	d->zero_bits = d->map->p + b.file_off;
	d->nr_zero_bits = f->nr_pages;
}

static int by_first(const void *a, const void *b)
{
	const struct loader_overlay *oa = a, *ob = b;

	return oa->first < ob->first ? -1 : oa->first > ob->first;
}

static void flatten(struct loader_dump *d)
{
	struct loader_overlay *o = d->overlays;
	size_t kept = 0;

	qsort(o, d->nr_overlays, sizeof(*o), by_first);
	for (size_t i = 0; i < d->nr_overlays; i++) {
		struct loader_overlay next = o[i];
		if (kept && next.first <= o[kept - 1].last) {
			uint64_t hidden = o[kept - 1].last - next.first + 1;
			loader_damage(d, INQ_ECORRUPT, 1, next.first, hidden,
				      "smram: two pieces claim 0x%" PRIx64, next.first);
			if (next.last <= o[kept - 1].last)
				continue;
			next.first += hidden;
			next.off += hidden;
			next.have -= hidden < next.have ? hidden : next.have;
		}
		o[kept++] = next;
	}
	d->nr_overlays = kept;
}

static enum inq_status use_smram(struct loader_dump *d, struct inq_err *err)
{
	const struct inq_blob *blob = inq_dump_blob(&d->pub, INQ_SNAP_VM, 0, INQ_SNAP_SMRAM);

	if (!blob || !blob->p)
		return INQ_OK;
	size_t n = blob->n / sizeof(struct inq_snap_bulk);
	struct span s = span_of(blob->p, blob->n);
	d->overlays = calloc(n + 1, sizeof(*d->overlays)); /* n lies in the file */
	if (!d->overlays)
		return inq_fail(err, INQ_ENOMEM, "%zu pieces of smram", n);
	for (size_t i = 0; i < n; i++) {
		struct inq_snap_bulk b = next_bulk(&s);
		if (!b.bytes || b.gpa + (b.bytes - 1) < b.gpa) {
			loader_damage(d, INQ_ECORRUPT, 1, b.gpa, b.bytes,
				      "smram: piece %zu is empty or wraps", i);
			continue;
		}
		d->overlays[d->nr_overlays++] =
			(struct loader_overlay){.first = b.gpa,
						.last = b.gpa + (b.bytes - 1),
						.off = b.file_off,
						.have = loader_bulk_have(d, &b, "smram")};
	}
	flatten(d);
	loader_smm_init(d);
	return INQ_OK;
}

enum inq_status loader_snapshot(struct loader_dump *d, const struct loader_frame *f,
				struct inq_err *err)
{
	if (!d->header_at)
		return INQ_OK;
	enum inq_status st = read_header(d, err);
	if (st || !d->pub.header)
		return st;
	if (f->notes_n > INQ_SNAP_MAX_NOTES)
		return inq_fail(err, INQ_ELIMIT, "0x%zx bytes of notes, 0x%x at most", f->notes_n,
				INQ_SNAP_MAX_NOTES);
	check_crcs(d, f);
	check_sizes(d, f);
	check_vcpus(d);
	use_zero_bitmap(d, f);
	st = use_smram(d, err);
	return st ? st : loader_rings(d, err);
}
