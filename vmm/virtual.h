/* --virtual: where the kernel's linear addresses lie in memory, as further segments of the core. */
#ifndef VMM_VIRTUAL_H
#define VMM_VIRTUAL_H

#include "vmm/snapshot.h"
#include "vmm/state.h"

struct vmm_virtual {
	struct vmm_snapshot_view *run; /* heap; by va, without overlap */
	size_t nr;
	bool cut; /* there was more than VMM_MAX_VIRTUAL_RUNS, or than anybody walks */
};

#define VMM_MAX_VIRTUAL_RUNS 200000u

/*
 * Walk the page tables of all vCPUs.  Kernel addresses are those of the upper half (32-bit paging:
 * from 2 GiB on) that differ from their physical address.  Where two vCPUs disagree the first one
 * counts.  Of a vCPU in SMM the tables that it left count, as its save area has them.
 */
INQ_MUST enum inq_status vmm_virtual_collect(struct vmm_virtual *ret, const struct vmm_memory *m,
					     const struct vmm_state *state, unsigned nr_vcpus,
					     struct inq_err *err);
void vmm_virtual_deinit(struct vmm_virtual *v);

#endif
