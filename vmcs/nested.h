/*
 * What a vCPU's nested state tells of the guest that the guest runs: struct kvm_nested_state with
 * the VMCS12 or VMCB12 behind it.
 */
#ifndef VMCS_NESTED_H
#define VMCS_NESTED_H

#include <stdbool.h>

#include <inquest/err.h>
#include <inquest/regs.h>

struct vmcs_nested {
	enum vmcs_format { VMCS_VMX, VMCS_SVM } format;
	bool guest_mode;      /* the vCPU's registers are those of the inner guest */
	bool run_pending;     /* it was entered, but no instruction of it has run since */
	bool smm_guest_mode;  /* VMX: an SMI hit the inner guest, and RSM leads back to it */
	const uint8_t *block; /* VMCS12 or VMCB12, VMCS12_BYTES bytes, borrowed; NULL: none */
	uint64_t block_pa;    /* guest-physical address of it, UINT64_MAX: none */
	/* The VMCS that the current one's link pointer names, VMCS12_BYTES bytes, borrowed; NULL:
	   none, or it is of another revision. */
	const uint8_t *shadow;
};

/*
 * Take the n bytes of a nested-state note apart.  Errors: INQ_ECORRUPT (shorter than it says, or
 * than its header), INQ_EUNSUPPORTED (another format, another revision of vmcs12).
 */
INQ_MUST enum inq_status vmcs_nested_parse(const void *p, size_t n, struct vmcs_nested *ret,
					   struct inq_err *err);

/*
 * The same while an SMI keeps SVM's inner guest from running, which KVM left for it: control is
 * VMCB12 and host the page at VM_HSAVE_PA, both of VMCS12_BYTES bytes; block gets as many.
 */
void vmcs_nested_of_smm(const uint8_t *control, const uint8_t *host, uint64_t block_pa,
			uint8_t *block, struct vmcs_nested *ret);

/* Has the hypervisor put tables of its own below its guest's physical memory?  *ret_root is then
   the EPTP, or nCR3. */
bool vmcs_nested_paging(const struct vmcs_nested *s, uint64_t *ret_root);

/*
 * CR0, CR3, CR4, EFER and the PDPTRs of the inner guest, as the block has them (VMX only); now are
 * the vCPU's own registers, which tell the rest of EFER.  False: the block does not tell them.
 */
bool vmcs_nested_guest_regs(const struct vmcs_nested *s, const struct inq_regset *now,
			    struct inq_regset *ret);

/* The same of the hypervisor, which it gets back at the next exit, and where it goes on: RIP, RSP,
   and RAX (SVM only). */
bool vmcs_nested_host_regs(const struct vmcs_nested *s, const struct inq_regset *now,
			   struct inq_regset *ret);

#endif
