/* Reading back a snapshot of ours, in order to run it.  The file is hostile.  No KVM in here. */
#ifndef VMM_LOAD_H
#define VMM_LOAD_H

#include <inquest/err.h>
#include <inquest/snapshot.h>

#include "vmm/memory.h"

/* One note of ours.  p: its payload in the mapped file, n bytes; NULL unless present. */
struct vmm_load_note {
	uint32_t vcpu;
	uint16_t kind, state, error;
	const uint8_t *p;
	size_t n;
};

struct vmm_load {
	const char *path; /* borrowed */
	struct mapping *map;
	struct inq_snap_header header;
	struct vmm_load_note *note; /* by vCPU and kind */
	size_t nr_notes;
	struct vmm_region load[VMM_MAX_REGIONS]; /* off: in the file */
	unsigned nr_loads;
	uint64_t nr_phdrs; /* with those of linear addresses */
};

/*
 * Parse and check everything but memory itself: a snapshot to be run must be whole, so wrong
 * checksums and missing bytes are errors here.  INQ_EUNSUPPORTED: a newer format, or a machine that
 * this program cannot build; INQ_ECORRUPT, INQ_EIO, INQ_ENOMEM.
 */
INQ_MUST enum inq_status vmm_load_open(struct vmm_load **ret, const char *path,
				       struct inq_err *err);
/* NULL is fine. */
void vmm_load_close(struct vmm_load *l);

/* NULL: the snapshot has no such note (of sample 0). */
const struct vmm_load_note *vmm_load_note(const struct vmm_load *l, uint32_t vcpu,
					  enum inq_snap_kind kind);

/* Static, "REGS" and so on. */
const char *vmm_load_kind_name(enum inq_snap_kind kind);

/* RAM and SMRAM with their contents (load_memory.c). */
INQ_MUST enum inq_status vmm_load_memory(const struct vmm_load *l, struct vmm_memory **ret,
					 struct inq_err *err);

#endif
