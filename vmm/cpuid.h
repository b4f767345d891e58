/* The CPUID table that a vCPU gets. */
#ifndef VMM_CPUID_H
#define VMM_CPUID_H

#include "vmm/vm.h"

/* KVM_GET_SUPPORTED_CPUID; heap. */
INQ_MUST enum inq_status vmm_cpuid_supported(int kvm, struct kvm_cpuid2 **ret, struct inq_err *err);

/* KVM_SET_CPUID2, with the APIC id of that vCPU. */
INQ_MUST enum inq_status vmm_cpuid_set(struct vmm_vcpu *v, const struct kvm_cpuid2 *supported,
				       struct inq_err *err);

#endif
