/* A hypervisor in the guest (L1) and its own guest (L2), on the hit vCPU. */
#ifndef VMM_NESTED_H
#define VMM_NESTED_H

#include "vmm/scenarios/plan.h"

/* What differs from scenario to scenario. */
struct vmm_nested {
	uint64_t dr7;    /* of L2, in VMCS or VMCB */
	bool load_debug; /* VMX: that DR7 is loaded at all */
	bool dr_exits;   /* SVM: L1 intercepts accesses to debug registers; it does under VMX */
	uint64_t l2_dr7; /* what L2 itself moves into DR7; 0: nothing */
	bool sums;       /* L2 gives a result: vmm_sum_l2() */
	/* nested paging, with p->entry in its tables, which is malformed, and L2 stores there; or
	 * which is not present, and the IRET of L2's NMI handler reads there. */
	enum { VMM_NPT_OFF, VMM_NPT_RESERVED, VMM_NPT_ABSENT } npt;
};

/*
 * Draw both: L1 starts L2 and skips what it exits for, L2 counts.  Their pages from p->nested on:
 * VMCB or VMCS; HSAVE or VMXON region; L2's stack; six pages of nested tables.
 */
enum {
	VMM_NESTED_STACK = 0x3000 /* its end */,
	VMM_NESTED_TABLES = 0x3000,
	VMM_NESTED_BYTES = 0x9000
};
INQ_MUST enum inq_status vmm_nested_draw(struct vmm_plan *p, const struct vmm_nested *n,
					 struct vmm_rng *rng, struct inq_err *err);

#endif
