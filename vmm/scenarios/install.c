/*
 * Knows what lies in guest memory before the first instruction: page tables, descriptor tables,
 * code, and in each SMRAM window what the handler needs to leave real mode.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "vmm/scenarios/scenarios.h"

enum {
	PTE_P = 1,
	PTE_W = 2,
	PTE_U = 4,
	PTE_PS = 0x80,
	NMI_VECTOR = 2,
	UD_VECTOR = 6,
	TSS_IST1 = 36
};

static bool put64(struct vmm_memory *m, uint32_t as, uint64_t gpa, uint64_t v)
{
	return vmm_memory_put(m, as, gpa, &v, 8);
}

/*
 * Six pages from `at`: PML4, PDPT, four page directories; the first 4 GiB one to one in 2 MiB
 * pages, and once more at entry `again` of the PML4.  flags: PTE_U or 0.
 */
static bool put_tables(struct vmm_memory *m, uint32_t as, uint64_t at, unsigned again,
		       unsigned flags)
{
	const uint64_t pw = PTE_P | PTE_W | flags;
	static const uint8_t blank[6 * 4096];
	bool ok = vmm_memory_put(m, as, at, blank, sizeof(blank));

	ok = ok && put64(m, as, at, (at + 0x1000) | pw);
	ok = ok && put64(m, as, at + UINT64_C(8) * again, (at + 0x1000) | pw);
	for (uint64_t i = 0; i < 4; i++)
		ok = ok && put64(m, as, at + 0x1000 + 8 * i, (at + 0x2000 + i * VMM_PAGE) | pw);
	for (uint64_t i = 0; i < 2048; i++)
		ok = ok && put64(m, as, at + 0x2000 + 8 * i, i << 21 | pw | PTE_PS);
	return ok;
}

/* Flat descriptors: 8 code of 32 bits, 0x10 data, 0x18 code of 64 bits. */
static bool put_smm_gdt(struct vmm_memory *m, uint64_t smbase)
{
	static const uint64_t gdt[] = {0, 0x00cf9b000000ffff, 0x00cf93000000ffff,
				       0x00af9b000000ffff};
	uint32_t base = (uint32_t)smbase + VMM_SMM_GDT;
	uint16_t limit = sizeof(gdt) - 1;

	return vmm_memory_put(m, 1, smbase + VMM_SMM_GDT, gdt, sizeof(gdt)) &&
	       vmm_memory_put(m, 1, smbase + VMM_SMM_GDTR, &limit, 2) &&
	       vmm_memory_put(m, 1, smbase + VMM_SMM_GDTR + 2, &base, 4);
}

/* An IDT for exceptions; all but #DB go to one handler.  0x8e: an interrupt gate. */
static bool put_smm_idt(struct vmm_memory *m, const struct vmm_plan *p,
			const struct vmm_plan_cpu *c)
{
	enum { DB_VECTOR = 1, GATES = 32 };
	const uint64_t at = c->smbase + VMM_SMM_IDT;
	const unsigned bytes = p->bits == 64 ? 16 : 8, selector = p->bits == 64 ? 0x18 : 8;
	const uint16_t limit = (uint16_t)(GATES * bytes - 1);
	bool ok = true;

	if (!vmm_code_mark(&c->handler, VMM_M_FAULT))
		return true;
	for (unsigned i = 0; i < GATES; i++) {
		const uint64_t to =
			vmm_code_mark(&c->handler, i == DB_VECTOR ? VMM_M_FAULT : VMM_M_HANDLER);
		const uint64_t gate[2] = {(to & 0xffff) | selector << 16 | UINT64_C(0x8e00) << 32 |
						  (to >> 16 & 0xffff) << 48,
					  to >> 32};

		ok = ok && vmm_memory_put(m, 1, at + (uint64_t)i * bytes, gate, bytes);
	}
	return ok && vmm_memory_put(m, 1, c->smbase + VMM_SMM_IDTR, &limit, 2) &&
	       put64(m, 1, c->smbase + VMM_SMM_IDTR + 2, at);
}

static bool put_smm(struct vmm_memory *m, const struct vmm_plan *p, const struct vmm_plan_cpu *c)
{
	static const uint8_t rsm[] = {0x0f, 0xaa};
	bool idle = !c->handler.len;

	return vmm_memory_put(m, 1, c->smbase + VMM_SMM_CODE, idle ? rsm : c->handler.bytes,
			      idle ? sizeof(rsm) : c->handler.len) &&
	       put_smm_gdt(m, c->smbase) && put_smm_idt(m, p, c) &&
	       put_tables(m, 1, c->smbase + VMM_SMM_TABLES, 0, 0);
}

/* Selectors as vmm/vcpu.c loads them: 8 code, 0x10 data, 0x18 TSS; 0x28 and 0x30 for user mode. */
static bool put_gdt(struct vmm_memory *m, uint64_t high, bool user)
{
	uint64_t tss = high + VMM_GPA_TSS;
	uint64_t gdt[] = {0,
			  0x00af9b000000ffff,
			  0x00cf93000000ffff,
			  0x00008b0000000067 | (tss & 0xffffff) << 16 | (tss >> 24 & 0xff) << 56,
			  tss >> 32,
			  0x00cff3000000ffff,
			  0x00affb000000ffff};

	return vmm_memory_put(m, 0, VMM_GPA_GDT, gdt, user ? sizeof(gdt) : 5 * sizeof(*gdt));
}

/* An interrupt gate in c's IDT. */
static bool put_ist_gate(struct vmm_memory *m, const struct vmm_plan_cpu *c, uint8_t vector,
			 uint64_t to, unsigned ist)
{
	uint64_t gate = c->data_gpa + UINT64_C(16) * vector;

	return put64(m, 0, gate,
		     (to & 0xffff) | 8 << 16 | UINT64_C(0x8e00) << 32 | (uint64_t)ist << 32 |
			     (to >> 16 & 0xffff) << 48) &&
	       put64(m, 0, gate + 8, to >> 32);
}

static bool put_idt_gate(struct vmm_memory *m, const struct vmm_plan_cpu *c, uint8_t vector,
			 uint64_t to)
{
	return put_ist_gate(m, c, vector, to, 0);
}

static bool put_table(struct vmm_memory *m, const struct vmm_plan_cpu *c)
{
	struct vmm_rng rng = {c->table_seed};
	bool ok = true;

	for (uint64_t i = 0; i < VMM_TABLE_ENTRIES && c->sums; i++)
		ok = ok && put64(m, 0, c->data_gpa + VMM_CPU_TABLE + 8 * i, vmm_rng_u64(&rng));
	return ok;
}

/* Gates for NMI and the named exception, and IST 1 in the TSS that all share. */
static bool put_nmi(struct vmm_memory *m, const struct vmm_plan_cpu *c)
{
	uint64_t nmi = vmm_code_mark(&c->code, VMM_M_NMI),
		 fault = vmm_code_mark(&c->code, VMM_M_FAULT), high = c->code.linear - c->code_gpa;
	bool ok = !fault || put_ist_gate(m, c, c->fault_vector, fault, c->fault_ist);

	if (nmi)
		ok = ok && put_ist_gate(m, c, NMI_VECTOR, nmi, c->nmi_ist);
	return ok && (!(c->nmi_ist || c->fault_ist) ||
		      put64(m, 0, VMM_GPA_TSS + TSS_IST1, high + c->data_gpa + VMM_CPU_CALL_STACK));
}

static bool put_cpu(struct vmm_memory *m, const struct vmm_plan_cpu *c)
{
	bool ok = vmm_memory_put(m, 0, c->code_gpa, c->code.bytes, c->code.len);
	uint64_t h = vmm_code_mark(&c->code, VMM_M_HANDLER),
		 call = vmm_code_mark(&c->code, VMM_M_CALL),
		 ipi = vmm_code_mark(&c->code, VMM_M_IPI);
	static const uint8_t blank[VMM_CPU_BYTES];

	ok = ok && vmm_memory_put(m, 0, c->data_gpa, blank, sizeof(blank)) && put_table(m, c);
	if (h && c->vector)
		ok = ok && put_idt_gate(m, c, c->vector, h);
	if (ipi)
		ok = ok && put_idt_gate(m, c, c->ipi_vector, ipi);
	/* a flat one's IDT has gates of 8 bytes, and its scenario lays it down */
	return ok && (c->flat || put_nmi(m, c)) && (!call || put_idt_gate(m, c, UD_VECTOR, call));
}

/* RSP0 of each, in a TSS of its own. */
static bool put_user(const struct vmm_plan *p, struct vmm_memory *m)
{
	bool ok = true;

	for (unsigned i = 0; i < p->nr_vcpus && p->user; i++)
		ok = ok && put64(m, 0, VMM_GPA_TSS + i * VMM_TSS_BYTES + 4,
				 p->high + p->cpu[i].data_gpa + VMM_CPU_CALL_STACK);
	return ok;
}

uint8_t *vmm_plan_gate(const struct vmm_plan *p, const struct vmm_memory *m)
{
	return vmm_memory_at(m, p->gate.in_smram, p->gate.addr, p->gate.width);
}

void vmm_plan_gate_write(const struct vmm_plan *p, struct vmm_memory *m, uint64_t value)
{
	uint8_t *at = vmm_plan_gate(p, m);

	if (at)
		memcpy(at, &value, p->gate.width);
	if (at)
		vmm_memory_touch(m, at, p->gate.width);
}

/* L2's code and NMI gate (its IDT is L1's); nested tables, whose walk counts as a user's access
 * (AMD APM vol. 2, 15.25.5). */
static bool put_nested(const struct vmm_plan *p, struct vmm_memory *m)
{
	const uint64_t nmi = vmm_code_mark(&p->l2, VMM_M_NMI);
	bool ok = !p->nested || vmm_memory_put(m, 0, p->l2_gpa, p->l2.bytes, p->l2.len);

	ok = ok && (!nmi || put_idt_gate(m, &p->cpu[p->hit], NMI_VECTOR, nmi));
	return ok && (!p->npt || (put_tables(m, 0, p->npt, 0, PTE_U) &&
				  put64(m, 0, p->entry.gpa, p->entry.value)));
}

enum inq_status vmm_plan_install(const struct vmm_plan *p, struct vmm_memory *m,
				 struct inq_err *err)
{
	char hello[64];

	snprintf(hello, sizeof(hello), "inquest guest: %u vCPUs\r\n", p->nr_vcpus);
	bool ok = put_tables(m, 0, VMM_GPA_PML4, p->high >> 39 & 0x1ff, p->user ? PTE_U : 0) &&
		  put_gdt(m, p->high, p->user) && put_user(p, m) &&
		  vmm_memory_put(m, 0, VMM_GPA_TEXT, hello, strlen(hello) + 1);
	for (unsigned i = 0; i < p->nr_vcpus; i++)
		ok = ok && put_cpu(m, &p->cpu[i]) && (!m->nr_windows || put_smm(m, p, &p->cpu[i]));
	for (unsigned i = 0; i < p->nr_words; i++)
		ok = ok &&
		     vmm_memory_put(m, 0, p->word[i].gpa, &p->word[i].value, p->word[i].width);
	ok = ok && put_nested(p, m);
	ok = ok && (!p->scenario->install || p->scenario->install(p, m));
	if (!ok)
		return inq_fail(err, INQ_EUSAGE, "the guest does not fit its memory");
	if (p->bits) {
		if (!vmm_plan_gate(p, m))
			return inq_fail(err, INQ_EUSAGE, "no memory at the gate 0x%" PRIx64,
					p->gate.addr);
		vmm_plan_gate_write(p, m, p->gate.value);
	}
	return INQ_OK;
}
