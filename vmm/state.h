/* A parked vCPU's state, taken from KVM and turned into notes. */
#ifndef VMM_STATE_H
#define VMM_STATE_H

#include "snap/notes.h"
#include "vmm/vm.h"

/* What is kept of one vCPU.  state[k]: INQ_SNAP_PRESENT means that its member is filled. */
struct vmm_state {
	struct kvm_mp_state mp;
	struct kvm_vcpu_events events;
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_sregs2 sregs2;
	struct kvm_debugregs debugregs;
	struct kvm_lapic_state lapic;
	struct kvm_xcrs xcrs;
	struct inq_snap_tsc tsc;
	struct kvm_msr_entry *msrs;     /* heap */
	struct kvm_cpuid_entry2 *cpuid; /* heap */
	uint8_t *xsave, *nested;        /* heap */
	char *stats;                    /* heap */
	uint32_t nr_msrs, nr_cpuid;
	size_t xsave_bytes, nested_bytes, stats_bytes;
	uint16_t state[INQ_SNAP_CLOCK + 1], error[INQ_SNAP_CLOCK + 1]; /* by enum inq_snap_kind */
};

/* v must be parked.  Only running out of memory fails; what KVM refuses is noted in state[]. */
INQ_MUST enum inq_status vmm_state_take(struct vmm_state *ret, const struct vmm_vcpu *v,
					struct inq_err *err);
void vmm_state_deinit(struct vmm_state *s);

/* CS.base + RIP; false when either is unknown. */
bool vmm_state_rip(const struct vmm_state *s, uint64_t *ret);

/* Nothing when the registers are unknown. */
void vmm_state_add_prstatus(const struct vmm_state *s, unsigned index, struct snap_notes *n);
/* The same as QEMU has it. */
void vmm_state_add_qemu(const struct vmm_state *s, struct snap_notes *n);
void vmm_state_add_notes(const struct vmm_state *s, const struct vmm_vcpu *v, struct snap_notes *n);

#endif
