/* Knows how a hypervisor and its guest are drawn onto the hit vCPU; see nested.asm. */
#include "vmm/scenarios/nested.h"

#include "vmm/scenarios/scenarios.h"

enum {
	LOAD_DEBUG = 1 << 2, /* VM-entry controls */
	IA32E = 1 << 9,
	ALL_DRS = -1,
	L2_CODE = 0x2000, /* in a vCPU's code, behind L1's */
};
_Static_assert(L2_CODE + 0x1000 + VMM_CODE_MAX <= VMM_CPU_BYTES, "L2's code fits");

/* Its pages lie in the last quarter of what vmm_plan_word() gives out, apart from a handler's gate.
 */
static void draw_places(struct vmm_plan *p, struct vmm_rng *rng)
{
	const uint64_t from = VMM_GPA_SMRAM - (VMM_GPA_SMRAM - VMM_GPA_GATE) / 4;
	const uint64_t code = VMM_GPA_CODE + (uint64_t)p->hit * VMM_CPU_BYTES + L2_CODE;

	do
		p->nested =
			vmm_rng_within(rng, from, VMM_GPA_SMRAM - VMM_NESTED_BYTES + 1, VMM_PAGE);
	while (p->gate.addr + p->gate.width > p->nested &&
	       p->gate.addr < p->nested + VMM_NESTED_BYTES);
	p->l2_gpa = code + vmm_rng_below(rng, 0x1000);
	p->l2.linear = p->high + p->l2_gpa;
}

/*
 * An entry as below for an Intel hypervisor: a misconfiguration is a bit that must be 0, or memory
 * that could be written and not read (SDM vol. 3, 29.3.3.1).
 */
static uint64_t draw_ept(uint64_t frame, uint64_t bad, struct vmm_rng *rng)
{
	enum { EPT_RWX = 7, EPT_WB = 6 << 3, EPT_LEAF = 0x80 };
	static const uint64_t write_only[] = {2, 6};
	const uint64_t leaf = frame | EPT_LEAF | EPT_WB;

	if (!bad)
		return leaf;
	return vmm_rng_below(rng, 2) ? leaf | EPT_RWX | bad
				     : leaf | write_only[vmm_rng_below(rng, 2)];
}

/*
 * A 2-MiB entry for RAM that nothing else uses: not present, or with a bit that must be 0
 * (AMD APM vol. 2, 5.3.4).
 */
static void draw_entry(struct vmm_plan *p, bool present, struct vmm_rng *rng)
{
	enum { PTE_P = 1, PTE_W = 2, PTE_U = 4, PTE_PS = 0x80, FIRST_LOW = 13, LOW = 8, TOP = 48 };
	const uint64_t first = VMM_GPA_SMRAM >> 21, end = vmm_memory_low_end(p->mib) >> 21,
		       n = first + vmm_rng_below(rng, end - first), pick = vmm_rng_below(rng, 12),
		       bad = UINT64_C(1) << (pick < LOW ? FIRST_LOW + pick : TOP + pick - LOW);

	p->npt = p->nested + VMM_NESTED_TABLES;
	p->entry = (struct vmm_plan_entry){
		p->npt + 2 * VMM_PAGE + 8 * n,
		n << 21 | PTE_PS | PTE_U | PTE_W | (present ? bad | PTE_P : 0),
		p->high + (n << 21) + vmm_rng_within(rng, 0x1000, 0x1f0000, 16)};
	p->ept = draw_ept(n << 21, present ? bad : 0, rng);
}

static void set_values(struct vmm_plan *p, const struct vmm_nested *n, struct vmm_rng *rng)
{
	struct vmm_code *c = &p->cpu[p->hit].code;

	vmm_code_set(c, VMM_P_TABLE, p->nested);
	vmm_code_set(c, VMM_P_GATE, vmm_plan_word(p, "exits", 8, 0, rng));
	vmm_code_set(c, VMM_P_TSS, p->high + VMM_GPA_TSS);
	vmm_code_set(c, VMM_P_L2, p->l2.linear);
	vmm_code_set(c, VMM_P_STACK, p->high + p->nested + VMM_NESTED_STACK - 16);
	vmm_code_set(c, VMM_P_DR7, n->dr7);
	vmm_code_set(c, VMM_P_NP, n->npt != VMM_NPT_OFF);
	vmm_code_set(c, VMM_P_NCR3, p->npt);
	vmm_code_set(c, VMM_P_EPT_AT, p->entry.gpa);
	vmm_code_set(c, VMM_P_EPT, p->ept);
	vmm_code_set(c, VMM_P_DRS, n->dr_exits ? (uint32_t)ALL_DRS : 0);
	vmm_code_set(c, VMM_P_ENTRY, IA32E | (n->load_debug ? LOAD_DEBUG : 0));
	vmm_code_set(&p->l2, VMM_P_COUNTER, p->high + p->cpu[p->hit].counter);
	vmm_code_set(&p->l2, VMM_P_DR7, n->l2_dr7);
	vmm_code_set(&p->l2, VMM_P_BASE, p->entry.linear);
}

/*
 * kvm-amd forgets what L2 moved into DR7 at the next exit to L1 (Linux arch/x86/kvm/svm/nested.c,
 * nested_svm_vmexit: its DR7 becomes that of L1's save area), so there is none behind it.
 */
static enum inq_status draw_l2(struct vmm_plan *p, const struct vmm_nested *n, struct vmm_rng *rng,
			       struct inq_err *err)
{
	const bool keep = n->l2_dr7 && !n->dr_exits;
	const char *const parts[] = {"l2_exit", n->l2_dr7 ? "set_dr7" : "l2_exit",
				     keep ? "count" : "l2_count"};
	enum inq_status st = INQ_OK;

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts) && !st; i++) {
		st = vmm_code_pad(&p->l2, 64, 4, rng, err);
		if (!st)
			st = vmm_code_add_named(&p->l2, parts[i], rng, err);
	}
	return st;
}

/* The counter of exits is L1's word. */
static enum inq_status draw_sum(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	p->cpu[p->hit].role = VMM_ROLE_WORK;
	vmm_code_set(&p->l2, VMM_P_GATE, p->cpu[p->hit].code.value[VMM_P_GATE]);
	enum inq_status st = vmm_code_pad(&p->l2, 64, 8, rng, err);
	return st ? st : vmm_sum_l2(p, rng, err);
}

/* L2 meets that entry, itself or in its NMI handler. */
static enum inq_status draw_npt(struct vmm_plan *p, const struct vmm_nested *n, struct vmm_rng *rng,
				struct inq_err *err)
{
	const bool nmi = n->npt == VMM_NPT_ABSENT;
	const char *const parts[] = {"l2_exit", nmi ? "count" : "l2_store", "l2_nmi"};
	enum inq_status st = INQ_OK;

	p->cpu[p->hit].role = nmi ? VMM_ROLE_HIT : VMM_ROLE_STUCK;
	for (unsigned i = 0; i < (nmi ? 3 : 2) && !st; i++) {
		st = vmm_code_pad(&p->l2, 64, 8, rng, err);
		if (!st)
			st = vmm_code_add_named(&p->l2, parts[i], rng, err);
	}
	return st;
}

enum inq_status vmm_nested_draw(struct vmm_plan *p, const struct vmm_nested *n, struct vmm_rng *rng,
				struct inq_err *err)
{
	static const char *const parts[] = {"l1_start", "l1_vmx", "l1_svm"};
	struct vmm_code *c = &p->cpu[p->hit].code;

	draw_places(p, rng);
	if (n->npt)
		draw_entry(p, n->npt == VMM_NPT_RESERVED, rng);
	set_values(p, n, rng);
	p->cpu[p->hit].role = VMM_ROLE_COUNT;
	enum inq_status st = vmm_plan_start(p, p->hit, rng, err);
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts) && !st; i++)
		st = vmm_code_add_named(c, parts[i], rng, err);
	if (st)
		return st;
	if (n->npt)
		return draw_npt(p, n, rng, err);
	return n->sums ? draw_sum(p, rng, err) : draw_l2(p, n, rng, err);
}
