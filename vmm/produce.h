/* From a stopped VM to a finished file: what the snapshot says about itself, and its parts. */
#ifndef VMM_PRODUCE_H
#define VMM_PRODUCE_H

#include "vmm/live.h"
#include "vmm/snapshot.h"
#include "vmm/state.h"
#include "vmm/vmstate.h"

/* Why the snapshot is taken. */
struct vmm_why {
	enum inq_snap_reason reason;
	uint32_t vcpu;                          /* that caused it, or INQ_SNAP_VM */
	uint64_t t_realtime_ns, t_monotonic_ns; /* when the vCPUs had stopped */
	char text[128];
};

/* Reason, vCPU and text of a vCPU that ended by itself; a text that is too long ends with "...". */
void vmm_why_ended(struct vmm_why *why, const struct vmm_vcpu *v);

/* A VM that stands still; all borrowed. */
struct vmm_moment {
	const struct vmm_vmstate *vmstate;
	const struct vmm_state *state; /* one per vCPU */
	const struct vmm_why *why;
	struct vmm_live *live; /* what wrote memory so far; NULL: nothing */
};

/* Writes to out; the caller commits it, for which the guest need not stand still any more. */
INQ_MUST enum inq_status vmm_produce(const struct vmm_vm *vm, const struct vmm_moment *at,
				     struct snap_out *out, struct vmm_snapshot_done *ret,
				     struct inq_err *err);

#endif
