/* What /dev/kvm offers, asked by KVM_CHECK_EXTENSION and never guessed from CPUID. */
#ifndef VMM_CAPS_H
#define VMM_CAPS_H

#include <stdbool.h>
#include <stdio.h>

#include <inquest/err.h>

enum vmm_cap {
	VMM_CAP_USER_MEMORY,
	VMM_CAP_IRQCHIP,
	VMM_CAP_EXT_CPUID,
	VMM_CAP_MP_STATE,
	VMM_CAP_IMMEDIATE_EXIT,
	VMM_CAP_SET_TSS_ADDR,
	VMM_CAP_SMM,
	VMM_CAP_ADDRESS_SPACES,
	VMM_CAP_VCPU_EVENTS,
	VMM_CAP_DEBUGREGS,
	VMM_CAP_SREGS2,
	VMM_CAP_EXCEPTION_PAYLOAD,
	VMM_CAP_TRIPLE_FAULT,
	VMM_CAP_XSAVE2,
	VMM_CAP_XCRS,
	VMM_CAP_NESTED,
	VMM_CAP_TSC_KHZ,
	VMM_CAP_TSC_CONTROL,
	VMM_CAP_VCPU_ATTRIBUTES,
	VMM_CAP_PIT2,
	VMM_CAP_PIT_STATE2,
	VMM_CAP_ADJUST_CLOCK,
	VMM_CAP_STATS_FD,
	VMM_CAP_MAX_VCPUS,
	VMM_CAP_MEMSLOTS,
	VMM_CAP_SYNC_REGS,
	VMM_NR_CAPS,
};

struct vmm_caps {
	int api;
	int value[VMM_NR_CAPS]; /* 0: absent */
};

/* Open /dev/kvm and ask for everything.  The caller closes ret_fd. */
INQ_MUST enum inq_status vmm_caps_open(int *ret_fd, struct vmm_caps *ret, struct inq_err *err);

/* KVM_CAP_... in lower case without its prefix; static. */
const char *vmm_cap_name(enum vmm_cap cap);

/* SMM with an address space of its own. */
bool vmm_caps_smm(const struct vmm_caps *c);

/* INQ_EUNSUPPORTED naming the first that no guest can run without. */
INQ_MUST enum inq_status vmm_caps_check(const struct vmm_caps *c, struct inq_err *err);

/* The table of `inquest-vmm caps`. */
void vmm_caps_print(const struct vmm_caps *c, FILE *to);

#endif
