/* What files of every format hold beside memory: the notes, and the bulk that notes point to. */
#ifndef VMM_PARTS_H
#define VMM_PARTS_H

#include "vmm/snapshot.h"

struct vmm_parts {
	const struct vmm_snapshot *s;
	struct snap_notes notes; /* all of them */
	size_t header_at;        /* payload in notes.bytes */
	size_t zero_at;          /* likewise; 0: this format has no zero bitmap */
	bool has_bitmap;
	uint64_t memory_off; /* of the first region, the others behind; 0: not as it is */
	uint64_t smram_off, bitmap_off, rings_off, bulk_end;
	const uint8_t *bitmap; /* bitmap_bytes, borrowed: pages that are zero, a bit each */
	uint64_t bitmap_bytes;
};

/* Sum of all regions. */
uint64_t vmm_parts_memory_bytes(const struct vmm_memory *m);
static inline uint64_t vmm_page_up(uint64_t v)
{
	return (v + VMM_PAGE - 1) & ~(VMM_PAGE - 1);
}
bool vmm_page_is_zero(const uint8_t *page);

/*
 * The notes, long before their offsets are right: their length does not change any more.  Then
 * place the bulk from smram_off on, and build them once more.
 */
INQ_MUST enum inq_status vmm_parts_build(struct vmm_parts *w, const struct snap_out *o,
					 struct inq_err *err);
void vmm_parts_place_bulk(struct vmm_parts *w, uint64_t smram_off);

/* Where RAM at host lies in the file; 0: nowhere. */
uint64_t vmm_parts_ram_off(const struct vmm_parts *w, const uint8_t *host);

/* Write SMRAM, zero bitmap and flight records; adds to *written. */
INQ_MUST enum inq_status vmm_parts_put_bulk(const struct vmm_parts *w, struct snap_out *o,
					    uint64_t *written, struct inq_err *err);

/*
 * What is known only at the end goes into the notes: the bitmap's checksum, the header with the
 * file's size and a checksum of `headers`; the checksum of the notes last, over everything else.
 */
void vmm_parts_finish(struct vmm_parts *w, const uint8_t *headers, size_t headers_bytes,
		      uint64_t file_bytes);
void vmm_parts_deinit(struct vmm_parts *w);

#endif
