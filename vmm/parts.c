/*
 * Knows the notes of a snapshot in their order, and how the bulk region follows: SMRAM windows,
 * zero bitmap, flight records (docs/snapshot-format.md, sections 2, 5 and 7).
 */
#include "vmm/parts.h"

#include <stdlib.h>
#include <string.h>

#include <zlib.h>

uint64_t vmm_parts_memory_bytes(const struct vmm_memory *m)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < m->nr_regions; i++)
		n += m->region[i].bytes;
	return n;
}

bool vmm_page_is_zero(const uint8_t *page)
{
	uint64_t first;

	memcpy(&first, page, sizeof(first));
	return !first && !memcmp(page, page + 8, VMM_PAGE - 8);
}

uint64_t vmm_parts_ram_off(const struct vmm_parts *w, const uint8_t *host)
{
	const struct vmm_memory *m = w->s->mem;
	uint64_t off = (uint64_t)(host - m->ram), at = w->memory_off;

	for (unsigned i = 0; i < m->nr_regions && at; i++) {
		const struct vmm_region *r = &m->region[i];

		if (off >= r->off && off - r->off < r->bytes)
			return at + (off - r->off);
		at += r->bytes;
	}
	return 0;
}

static void add_slots(struct vmm_parts *w, struct inq_snap_slot *slot)
{
	const struct vmm_memory *m = w->s->mem;

	for (unsigned i = 0; i < m->nr_slots; i++) {
		const struct vmm_slot *s = &m->slot[i];
		uint64_t off = s->smram ? w->smram_off + (uint64_t)(s->host - m->smram)
					: vmm_parts_ram_off(w, s->host);

		slot[i] =
			(struct inq_snap_slot){.as = s->as,
					       .slot = s->slot,
					       .flags = s->read_only ? 2 : 0, /* KVM_MEM_READONLY */
					       .gpa = s->gpa,
					       .bytes = s->bytes,
					       .file_off = off};
	}
	snap_notes_add(&w->notes, INQ_SNAP_VM, INQ_SNAP_SLOTS, slot, m->nr_slots * sizeof(*slot));
}

static void add_smram(struct vmm_parts *w)
{
	const struct vmm_memory *m = w->s->mem;
	struct inq_snap_bulk bulk[VMM_MAX_VCPUS];

	for (unsigned i = 0; i < m->nr_windows; i++) {
		const uint8_t *p = m->smram + i * VMM_SMRAM_BYTES;

		bulk[i] = (struct inq_snap_bulk){
			.gpa = m->window[i],
			.file_off = w->smram_off + i * VMM_SMRAM_BYTES,
			.bytes = VMM_SMRAM_BYTES,
			.crc = (uint32_t)crc32(0, p, VMM_SMRAM_BYTES),
		};
	}
	if (m->nr_windows)
		snap_notes_add(&w->notes, INQ_SNAP_VM, INQ_SNAP_SMRAM, bulk,
			       m->nr_windows * sizeof(*bulk));
	else
		snap_notes_missing(&w->notes, INQ_SNAP_VM, INQ_SNAP_SMRAM, INQ_SNAP_ABSENT, 0);
}

static void add_rings(struct vmm_parts *w)
{
	uint64_t off = w->rings_off;

	for (unsigned i = 0; i < w->s->nr_rings; i++) {
		struct vmm_snapshot_ring *r = &w->s->ring[i];

		r->ring.file_off = off;
		r->ring.crc = (uint32_t)crc32_z(0, (const uint8_t *)r->at, r->ring.bytes);
		snap_notes_add(&w->notes, r->vcpu, INQ_SNAP_FLIGHT, &r->ring, sizeof(r->ring));
		off += r->ring.bytes;
	}
}

enum inq_status vmm_parts_build(struct vmm_parts *w, const struct snap_out *o, struct inq_err *err)
{
	struct inq_snap_slot slot[VMM_MAX_SLOTS];
	struct inq_snap_bulk zero = {0};
	const struct vmm_snapshot *s = w->s;
	struct snap_notes *n = &w->notes;

	snap_notes_deinit(n);
	snap_notes_append(n, &s->core);
	w->header_at =
		snap_notes_add(n, INQ_SNAP_VM, INQ_SNAP_HEADER, &s->header, sizeof(s->header));
	snap_notes_add(n, INQ_SNAP_VM, INQ_SNAP_HOST, s->host, strlen(s->host));
	snap_notes_append(n, &s->vcpu);
	add_rings(w);
	add_slots(w, slot);
	add_smram(w);
	if (w->has_bitmap)
		w->zero_at = snap_notes_add(n, INQ_SNAP_VM, INQ_SNAP_ZERO, &zero, sizeof(zero));
	return n->failed ? inq_fail(err, INQ_ENOMEM, "%s: notes do not fit", o->path) : INQ_OK;
}

void vmm_parts_place_bulk(struct vmm_parts *w, uint64_t smram_off)
{
	w->smram_off = smram_off;
	w->bitmap_off = smram_off + w->s->mem->nr_windows * VMM_SMRAM_BYTES;
	w->rings_off = w->bitmap_off + w->bitmap_bytes;
	w->bulk_end = w->rings_off;
	for (unsigned i = 0; i < w->s->nr_rings; i++)
		w->bulk_end += w->s->ring[i].ring.bytes;
}

static enum inq_status put(struct snap_out *o, const void *p, uint64_t n, uint64_t off,
			   uint64_t *written, struct inq_err *err)
{
	*written += n;
	return snap_out_write(o, p, n, off, err);
}

enum inq_status vmm_parts_put_bulk(const struct vmm_parts *w, struct snap_out *o, uint64_t *written,
				   struct inq_err *err)
{
	const struct vmm_memory *m = w->s->mem;
	enum inq_status st = INQ_OK;

	if (m->nr_windows)
		st = put(o, m->smram, m->nr_windows * VMM_SMRAM_BYTES, w->smram_off, written, err);
	if (!st && w->has_bitmap)
		st = put(o, w->bitmap, w->bitmap_bytes, w->bitmap_off, written, err);
	for (unsigned i = 0; i < w->s->nr_rings && !st; i++) {
		const struct vmm_snapshot_ring *r = &w->s->ring[i];

		st = put(o, r->at, r->ring.bytes, r->ring.file_off, written, err);
	}
	return st;
}

void vmm_parts_finish(struct vmm_parts *w, const uint8_t *headers, size_t headers_bytes,
		      uint64_t file_bytes)
{
	struct inq_snap_bulk zero = {.file_off = w->bitmap_off, .bytes = w->bitmap_bytes};
	struct inq_snap_header h = w->s->header;
	uint8_t *n = w->notes.bytes;

	if (w->has_bitmap) {
		zero.crc = (uint32_t)crc32_z(0, w->bitmap, w->bitmap_bytes);
		memcpy(n + w->zero_at, &zero, sizeof(zero));
	}
	h.magic = INQ_SNAP_MAGIC;
	h.major = INQ_SNAP_MAJOR;
	h.minor = INQ_SNAP_MINOR;
	h.memory_bytes = vmm_parts_memory_bytes(w->s->mem);
	h.file_bytes = file_bytes;
	h.bulk_off = w->smram_off;
	h.bulk_bytes = w->bulk_end - w->smram_off;
	h.headers_crc = (uint32_t)crc32_z(0, headers, headers_bytes);
	h.notes_crc = 0;
	memcpy(n + w->header_at, &h, sizeof(h));
	h.notes_crc = (uint32_t)crc32_z(0, n, w->notes.len);
	memcpy(n + w->header_at, &h, sizeof(h));
}

void vmm_parts_deinit(struct vmm_parts *w)
{
	snap_notes_deinit(&w->notes);
}
