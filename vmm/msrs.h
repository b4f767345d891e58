/* Model-specific registers of a vCPU: which ones make up its state, and how KVM gives them. */
#ifndef VMM_MSRS_H
#define VMM_MSRS_H

#include "vmm/vm.h"

/* The counter, and what is counted in it. */
enum { VMM_MSR_TSC = 0x10, VMM_MSR_TSC_ADJUST = 0x3b, VMM_MSR_TSC_DEADLINE = 0x6e0 };

/*
 * Every MSR that is state: ret_msrs is heap, one entry per index; .reserved 1: KVM refused to give
 * it.  ret_error: errno when KVM does not even list them (then there are none).
 */
INQ_MUST enum inq_status vmm_msrs_take(const struct vmm_vcpu *v, struct kvm_msr_entry **ret_msrs,
				       uint32_t *ret_nr, int *ret_error, struct inq_err *err);

/* KVM_GET_MSRS and KVM_SET_MSRS: how many were done before the first that KVM refuses. */
uint32_t vmm_msrs_get(int fd, struct kvm_msr_entry *e, uint32_t nr);
uint32_t vmm_msrs_set(int fd, const struct kvm_msr_entry *e, uint32_t nr);

#endif
