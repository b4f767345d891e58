/* The guest's pages on their way into an ELF core: what is zero becomes a hole and a bit.  No KVM.
 */
#ifndef VMM_PAGES_H
#define VMM_PAGES_H

#include "snap/out.h"
#include "vmm/memory.h"

struct vmm_pages {
	const struct vmm_memory *mem;
	struct snap_out *o;
	uint64_t memory_off;     /* of the first region in the file, the others behind */
	uint8_t *zero;           /* pages that are zero, a bit each, in the regions' order; heap */
	uint64_t zero_bytes, nr; /* of that; pages */
	uint64_t written_bytes;
};

INQ_MUST enum inq_status vmm_pages_init(struct vmm_pages *p, const struct vmm_memory *mem,
					struct snap_out *o, struct inq_err *err);
void vmm_pages_deinit(struct vmm_pages *p); /* zeroed is fine */

/* All of them, .memory_off being known by now. */
INQ_MUST enum inq_status vmm_pages_put_all(struct vmm_pages *p, struct inq_err *err);

/* Once more those whose bit is set: a bit per page of the RAM mapping, mem->ram_bytes of it. */
INQ_MUST enum inq_status vmm_pages_put_some(struct vmm_pages *p, const uint8_t *which,
					    struct inq_err *err);

uint64_t vmm_pages_nr_zero(const struct vmm_pages *p);

#endif
