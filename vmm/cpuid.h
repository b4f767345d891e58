/* The CPUID table that a vCPU gets. */
#ifndef VMM_CPUID_H
#define VMM_CPUID_H

#include "vmm/vm.h"

/* KVM_GET_SUPPORTED_CPUID and what vmm_cpuid_offer() adds; heap. */
INQ_MUST enum inq_status vmm_cpuid_supported(int kvm, struct kvm_cpuid2 **ret, struct inq_err *err);

/*
 * Add what a VMM with an in-kernel LAPIC gives a guest of itself: hypervisor, TSC deadline.  Take
 * out shadow stacks, which a snapshot could not hold.
 */
void vmm_cpuid_offer(struct kvm_cpuid2 *c, bool tsc_deadline);

/*
 * Make the table that of core `id` out of nr, one package of one thread each: leaves 1, 4, 0xb,
 * 0x80000008, 0x8000001e.  It must have room for VMM_CPUID_SPARE entries more.
 */
enum { VMM_CPUID_SPARE = 3 };
void vmm_cpuid_topology(struct kvm_cpuid2 *c, uint32_t id, uint32_t nr);

/* KVM_SET_CPUID2, with that vCPU's place among the others. */
INQ_MUST enum inq_status vmm_cpuid_set(struct vmm_vcpu *v, const struct kvm_cpuid2 *supported,
				       struct inq_err *err);

#endif
