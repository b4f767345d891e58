/* The running sampler: an older picture of every vCPU is at hand, whatever triggers a snapshot. */
#ifndef VMM_SAMPLER_H
#define VMM_SAMPLER_H

#include "snap/notes.h"
#include "vmm/vm.h"

struct vmm_sampler_options {
	uint64_t ms; /* 0: off */
	struct vmm_ranges word;
};

/* One vCPU at one time.  Each .has_ says that KVM gave it. */
struct vmm_twin {
	struct inq_snap_rip rip; /* t_ns 0: that vCPU did not run, nothing is known */
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_vcpu_events events;
	struct kvm_lapic_state lapic;
	struct kvm_mp_state mp;
	bool has_regs, has_sregs, has_events, has_lapic, has_mp;
};

struct vmm_sampler;

/* INQ_EUSAGE: a word lies where the guest has no memory. */
INQ_MUST enum inq_status vmm_sampler_create(struct vmm_sampler **ret,
					    const struct vmm_sampler_options *o,
					    const struct vmm_vm *vm, struct inq_err *err);
void vmm_sampler_destroy(struct vmm_sampler *p); /* NULL is fine */

/* Take the next picture when it is due; not while the vCPUs are stopped. */
void vmm_sampler_poll(struct vmm_sampler *p, struct vmm_vm *vm);
/* When that is, in ns of CLOCK_MONOTONIC. */
uint64_t vmm_sampler_due(const struct vmm_sampler *p);

/* On the vCPU's own thread, under the lock: vm->twin is being taken. */
void vmm_sampler_take(struct vmm_vcpu *v, struct vmm_twin *to);

/*
 * The older of the two pictures that are kept (it is at least `ms` older than the newer one) as
 * sample INQ_SNAP_TWIN.  Nothing before the second picture.
 */
void vmm_sampler_add_notes(const struct vmm_sampler *p, struct snap_notes *n);

#endif
