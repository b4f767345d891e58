/* TSCs that go on from where they were, whatever KVM made of the values it was given. */
#ifndef VMM_RESTORE_TSC_H
#define VMM_RESTORE_TSC_H

#include "vmm/load.h"
#include "vmm/vm.h"

/* One vCPU's counter, in cycles of the guest; offsets modulo 2^64. */
struct vmm_tsc {
	uint64_t saved;        /* MSR 0x10 in the snapshot */
	uint64_t saved_offset; /* if known: what KVM added to the host's TSC then */
	bool offset_known;
	uint64_t now;    /* MSR 0x10 as it is since the vCPU was given its MSRs */
	uint64_t offset; /* in: that of now; out: what it must be */
};

/*
 * Has any counter gone back?  Then t[].offset is what sets none of them back and leaves them as far
 * apart as they were, by their saved offsets where those are known.
 */
bool vmm_tsc_plan(struct vmm_tsc *t, unsigned nr);

/*
 * When every vCPU has its MSRs and before any runs: cure counters that KVM set back, and the
 * deadlines counted in them.  INQ_EUNSUPPORTED: they went back and this KVM offers no way to cure
 * it; force goes on with that.
 */
INQ_MUST enum inq_status vmm_restore_tsc(const struct vmm_load *l, bool force, struct vmm_vm *vm,
					 struct inq_err *err);

#endif
