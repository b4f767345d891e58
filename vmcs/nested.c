/*
 * Knows where KVM puts the pieces of nested state.  Sources: Linux arch/x86/include/uapi/asm/kvm.h,
 * vmx/nested.c:vmx_get_nested_state, svm/nested.c:svm_get_nested_state (behind the control area it
 * puts the save area of the hypervisor, not of the guest); SDM vol. 3, 25.6 to 25.8 and 27.3.2.1;
 * APM vol. 2, appendix B.
 */
#include "vmcs/nested.h"

#include <inttypes.h>
#include <string.h>

#include "arch/x86_64/regs.h"
#include "base/span.h"
#include "vmcs/fields.h"
#include "vmcs/vmcb.h"

enum { HEADER_BYTES = 128, GUEST_MODE = 1, RUN_PENDING = 2 };
enum { FORMAT_VMX = 0, FORMAT_SVM = 1 };
enum { VMX_VMCS12_PA = 16, VMX_SMM_FLAGS = 24, SVM_VMCB_PA = 8 };

#define PRIMARY_SECONDARY (UINT64_C(1) << 31)
#define SECONDARY_EPT (UINT64_C(1) << 1)
#define ENTRY_IA32E (UINT64_C(1) << 9)
#define ENTRY_LOAD_EFER (UINT64_C(1) << 15)
#define EXIT_HOST_64 (UINT64_C(1) << 9)
#define EXIT_LOAD_EFER (UINT64_C(1) << 21)

static enum inq_status take_block(const uint8_t *p, size_t n, uint32_t size,
				  struct vmcs_nested *ret, struct inq_err *err)
{
	uint64_t revision = 0;

	if (size < HEADER_BYTES + VMCS12_BYTES || n < HEADER_BYTES + VMCS12_BYTES)
		return INQ_OK;
	ret->block = p + HEADER_BYTES;
	if (ret->format == VMCS_SVM)
		return INQ_OK;
	(void)span_at(ret->block, VMCS12_BYTES, 0, 4, &revision);
	if ((revision & INT32_MAX) != VMCS12_REVISION)
		return inq_fail(err, INQ_EUNSUPPORTED,
				"nested state: vmcs12 of revision 0x%" PRIx64 ", expected 0x%x",
				revision, (unsigned int)VMCS12_REVISION);
	const size_t both = HEADER_BYTES + (size_t)2 * VMCS12_BYTES;
	if (size >= both && n >= both && span_at(p, n, both - VMCS12_BYTES, 4, &revision) &&
	    (revision & INT32_MAX) == VMCS12_REVISION)
		ret->shadow = p + both - VMCS12_BYTES;
	return INQ_OK;
}

enum inq_status vmcs_nested_parse(const void *p, size_t n, struct vmcs_nested *ret,
				  struct inq_err *err)
{
	struct span s = span_of(p, n);
	unsigned int flags = span_u16le(&s), format = span_u16le(&s);
	uint32_t size = span_u32le(&s);
	struct vmcs_nested v = {.format = format == FORMAT_SVM ? VMCS_SVM : VMCS_VMX};

	if (s.bad || n < HEADER_BYTES || size < HEADER_BYTES || size > n)
		return inq_fail(err, INQ_ECORRUPT, "nested state: %" PRIu32 " bytes in %zu", size,
				n);
	if (format != FORMAT_VMX && format != FORMAT_SVM)
		return inq_fail(err, INQ_EUNSUPPORTED, "nested state: format %u", format);
	v.guest_mode = flags & GUEST_MODE;
	v.run_pending = flags & RUN_PENDING;
	(void)span_at(p, n, format == FORMAT_SVM ? SVM_VMCB_PA : VMX_VMCS12_PA, 8, &v.block_pa);
	if (format == FORMAT_VMX) {
		uint64_t smm = 0;
		(void)span_at(p, n, VMX_SMM_FLAGS, 2, &smm);
		v.smm_guest_mode = smm & GUEST_MODE;
	}
	enum inq_status st = take_block(p, n, size, &v, err);
	if (!st)
		*ret = v;
	return st;
}

/* Linux arch/x86/kvm/svm/svm.c, svm_enter_smm: the hypervisor's state goes where VMRUN put it. */
void vmcs_nested_of_smm(const uint8_t *control, const uint8_t *host, uint64_t block_pa,
			uint8_t *block, struct vmcs_nested *ret)
{
	memcpy(block, control, VMCB_SAVE_OFF);
	memcpy(block + VMCB_SAVE_OFF, host + VMCB_SAVE_OFF, VMCB_BYTES - VMCB_SAVE_OFF);
	*ret = (struct vmcs_nested){.format = VMCS_SVM, .block = block, .block_pa = block_pa};
}

bool vmcs_nested_paging(const struct vmcs_nested *s, uint64_t *ret_root)
{
	if (!s->block)
		return false;
	if (s->format == VMCS_SVM) {
		*ret_root = vmcb_get(s->block, VMCB_NESTED_CR3);
		return vmcb_get(s->block, VMCB_NESTED_CTL) & 1;
	}
	*ret_root = vmcs12_get(s->block, VMCS_EPT_POINTER);
	return vmcs12_get(s->block, VMCS_CPU_BASED_VM_EXEC_CONTROL) & PRIMARY_SECONDARY &&
	       vmcs12_get(s->block, VMCS_SECONDARY_VM_EXEC_CONTROL) & SECONDARY_EPT;
}

/* SDM vol. 3, 27.3.2.1 and 28.5.1: what is not loaded stays, but for the bits of IA-32e mode. */
static void set_efer(const struct inq_regset *now, bool load, uint64_t loaded, bool ia32e,
		     struct inq_regset *ret)
{
	const uint64_t mode = X86_64_EFER_LMA | X86_64_EFER_LME;

	if (load)
		inq_reg_set(ret, X86_64_EFER, loaded);
	else if (inq_reg_known(now, X86_64_EFER))
		inq_reg_set(ret, X86_64_EFER, (now->v[X86_64_EFER] & ~mode) | (ia32e ? mode : 0));
}

bool vmcs_nested_guest_regs(const struct vmcs_nested *s, const struct inq_regset *now,
			    struct inq_regset *ret)
{
	if (!s->block || s->format != VMCS_VMX)
		return false;

	uint64_t entry = vmcs12_get(s->block, VMCS_VM_ENTRY_CONTROLS);
	inq_reg_set(ret, X86_64_CR0, vmcs12_get(s->block, VMCS_GUEST_CR0));
	inq_reg_set(ret, X86_64_CR3, vmcs12_get(s->block, VMCS_GUEST_CR3));
	inq_reg_set(ret, X86_64_CR4, vmcs12_get(s->block, VMCS_GUEST_CR4));
	set_efer(now, entry & ENTRY_LOAD_EFER, vmcs12_get(s->block, VMCS_GUEST_IA32_EFER),
		 entry & ENTRY_IA32E, ret);
	for (unsigned int i = 0; i < 4; i++)
		inq_reg_set(ret, X86_64_PDPTR0 + i, vmcs12_get(s->block, VMCS_GUEST_PDPTR0 + i));
	return true;
}

bool vmcs_nested_host_regs(const struct vmcs_nested *s, const struct inq_regset *now,
			   struct inq_regset *ret)
{
	if (!s->block)
		return false;
	if (s->format == VMCS_SVM) {
		inq_reg_set(ret, X86_64_CR0, vmcb_get(s->block, VMCB_CR0));
		inq_reg_set(ret, X86_64_CR3, vmcb_get(s->block, VMCB_CR3));
		inq_reg_set(ret, X86_64_CR4, vmcb_get(s->block, VMCB_CR4));
		inq_reg_set(ret, X86_64_EFER, vmcb_get(s->block, VMCB_EFER));
		inq_reg_set(ret, X86_64_RIP, vmcb_get(s->block, VMCB_RIP));
		inq_reg_set(ret, X86_64_RSP, vmcb_get(s->block, VMCB_RSP));
		inq_reg_set(ret, X86_64_RAX, vmcb_get(s->block, VMCB_RAX));
		return true;
	}

	uint64_t leave = vmcs12_get(s->block, VMCS_VM_EXIT_CONTROLS);
	inq_reg_set(ret, X86_64_CR0, vmcs12_get(s->block, VMCS_HOST_CR0));
	inq_reg_set(ret, X86_64_CR3, vmcs12_get(s->block, VMCS_HOST_CR3));
	inq_reg_set(ret, X86_64_CR4, vmcs12_get(s->block, VMCS_HOST_CR4));
	inq_reg_set(ret, X86_64_RIP, vmcs12_get(s->block, VMCS_HOST_RIP));
	inq_reg_set(ret, X86_64_RSP, vmcs12_get(s->block, VMCS_HOST_RSP));
	set_efer(now, leave & EXIT_LOAD_EFER, vmcs12_get(s->block, VMCS_HOST_IA32_EFER),
		 leave & EXIT_HOST_64, ret);
	return true;
}
