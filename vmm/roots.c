/*
 * Knows where the roots of all page tables of a vCPU are written: its own in SREGS2, those of a
 * guest hypervisor in VMCS12 or VMCB12, those of the context that an SMI interrupted in the save
 * area.  Layouts: Linux arch/x86/kvm/vmx/vmcs12.h, svm/nested.c:svm_get_nested_state, APM vol. 2
 * appendix B; x86.c:enter_smm_save_state_64 and _32.
 */
#include "vmm/roots.h"

#include <string.h>

_Static_assert(sizeof(struct inq_snap_roots) == 72, "no padding in the file format");

enum { CR0_PG = 1u << 31, CR4_PAE = 0x20, CR4_LA57 = 0x1000, EFER_LMA = 0x400 };
enum { SREGS2_PDPTRS_VALID = 1, MSR_SMBASE = 0x9e };
enum {
	VMCS12_BYTES = 4096,
	VMCS12_EPTP = 120,
	VMCS12_HOST_CR3 = 592,
	VMCS12_PRIMARY = 748,
	VMCS12_SECONDARY = 804,
	SECONDARY_ON = 1u << 31,
	SECONDARY_EPT = 2,
};
enum { VMCB_BYTES = 4096, VMCB_NESTED = 0x90, VMCB_NCR3 = 0xb0, VMCB_CR3 = 0x400 + 0x150 };
/* The save area, from SMBASE + SAVE_AREA on; offsets within it. */
enum { SAVE_AREA = 0xfe00, SAVE_BYTES = 0x200 };
enum { SAVE_REVISION = 0xfc, SAVE64_CR3 = 0x150, SAVE32_CR3 = 0x1f8, REVISION_64 = 0x64 };

static uint32_t levels_of(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
	if (!(cr0 & CR0_PG))
		return 0;
	if (efer & EFER_LMA)
		return cr4 & CR4_LA57 ? 5 : 4;
	return cr4 & CR4_PAE ? 3 : 2;
}

static bool own_roots(const struct vmm_state *s, struct inq_snap_roots *r)
{
	bool two = s->state[INQ_SNAP_SREGS2] == INQ_SNAP_PRESENT;

	if (!two && s->state[INQ_SNAP_SREGS])
		return false;
	r->flags = INQ_ROOTS_CR3;
	r->cr3 = two ? s->sregs2.cr3 : s->sregs.cr3;
	r->levels = two ? levels_of(s->sregs2.cr0, s->sregs2.cr4, s->sregs2.efer)
			: levels_of(s->sregs.cr0, s->sregs.cr4, s->sregs.efer);
	if (r->levels == 3 && two && s->sregs2.flags & SREGS2_PDPTRS_VALID) {
		for (unsigned i = 0; i < 4; i++)
			r->pdptr[i] = s->sregs2.pdptrs[i];
		r->flags |= INQ_ROOTS_PDPTRS;
	}
	return true;
}

static uint64_t u64_at(const uint8_t *p, size_t off)
{
	uint64_t v;

	memcpy(&v, p + off, sizeof(v));
	return v;
}

static uint32_t u32_at(const uint8_t *p, size_t off)
{
	uint32_t v;

	memcpy(&v, p + off, sizeof(v));
	return v;
}

static void set_nested(struct inq_snap_roots *r, uint64_t root, uint32_t more)
{
	r->nested = root;
	r->flags |= INQ_ROOTS_NESTED | more;
}

/* The guest's own hypervisor, while a guest of it runs. */
static void outer_roots(const struct vmm_state *s, struct inq_snap_roots *r)
{
	struct kvm_nested_state h;
	const uint8_t *data = s->nested + sizeof(h);

	if (s->state[INQ_SNAP_NESTED] != INQ_SNAP_PRESENT || s->nested_bytes < sizeof(h))
		return;
	memcpy(&h, s->nested, sizeof(h));
	uint64_t n = h.size < s->nested_bytes ? h.size : s->nested_bytes;
	if (!(h.flags & KVM_STATE_NESTED_GUEST_MODE))
		return;
	r->flags |= INQ_ROOTS_GUEST_MODE;
	if (h.format == KVM_STATE_NESTED_FORMAT_VMX && n >= sizeof(h) + VMCS12_BYTES) {
		r->outer_cr3 = u64_at(data, VMCS12_HOST_CR3);
		r->flags |= INQ_ROOTS_OUTER_CR3;
		if (u32_at(data, VMCS12_PRIMARY) & SECONDARY_ON &&
		    u32_at(data, VMCS12_SECONDARY) & SECONDARY_EPT)
			set_nested(r, u64_at(data, VMCS12_EPTP), INQ_ROOTS_EPT);
	} else if (h.format == KVM_STATE_NESTED_FORMAT_SVM && n >= sizeof(h) + VMCB_BYTES) {
		r->outer_cr3 = u64_at(data, VMCB_CR3);
		r->flags |= INQ_ROOTS_OUTER_CR3;
		if (u64_at(data, VMCB_NESTED) & 1)
			set_nested(r, u64_at(data, VMCB_NCR3), 0);
	}
}

/* What RSM would load. */
static void interrupted_root(const struct vmm_state *s, const struct vmm_memory *m,
			     struct inq_snap_roots *r)
{
	const uint8_t *area = NULL;

	if (s->state[INQ_SNAP_EVENTS] || !s->events.smi.smm)
		return;
	r->flags |= INQ_ROOTS_SMM;
	for (uint32_t i = 0; i < s->nr_msrs && !area; i++)
		if (s->msrs[i].index == MSR_SMBASE && !s->msrs[i].reserved &&
		    s->msrs[i].data <= UINT32_MAX)
			area = vmm_memory_at(m, 1, s->msrs[i].data + SAVE_AREA, SAVE_BYTES);
	if (!area)
		return;
	r->smm_cr3 = (u32_at(area, SAVE_REVISION) & 0xffff) == REVISION_64
			     ? u64_at(area, SAVE64_CR3)
			     : u32_at(area, SAVE32_CR3);
	r->flags |= INQ_ROOTS_SMM_CR3;
}

bool vmm_roots_of(const struct vmm_state *s, const struct vmm_memory *m, struct inq_snap_roots *ret)
{
	*ret = (struct inq_snap_roots){0};
	if (!own_roots(s, ret))
		return false;
	outer_roots(s, ret);
	interrupted_root(s, m, ret);
	return true;
}

void vmm_roots_add_note(const struct vmm_state *s, const struct vmm_memory *m, unsigned vcpu,
			struct snap_notes *n)
{
	struct inq_snap_roots r;

	if (vmm_roots_of(s, m, &r))
		snap_notes_add(n, vcpu, INQ_SNAP_PT_ROOTS, &r, sizeof(r));
	else
		snap_notes_missing(n, vcpu, INQ_SNAP_PT_ROOTS, INQ_SNAP_FAILED,
				   s->error[INQ_SNAP_SREGS]);
}
