/*
 * Knows where a VMCS or VMCB can be.  KVM's copy of a VMCS12 is fresher than the guest's page, to
 * which it is written at VMCLEAR and VMPTRLD only (Linux vmx/nested.c, nested_release_vmcs12).  A
 * VMCB12's save area is written to the guest's page at an exit (svm/nested.c, nested_svm_vmexit),
 * and in SMM there is no copy: the page's address lies in the save area of the SMI, and the
 * hypervisor's state in its HSAVE page (svm/svm.c, svm_enter_smm).
 */
#include "analyzers/collect/nested_block.h"

#include <string.h>

#include "analyzers/collect/smm_area.h"
#include "analyzers/collect/values.h"
#include "vmcs/fields.h"

enum { MSR_HSAVE_PA = 0xc0010117 };
enum { CONTROLS = 1U << VMCB_INTERCEPT | 1U << VMCB_CONTROL | 1U << VMCB_EXIT };
enum { SAVES = 1U << VMCB_SAVE };

static void add(struct nested_blocks *b, const char *name, const uint8_t *bytes, uint64_t pa,
		uint32_t groups)
{
	b->block[b->nr++] = (struct nested_block){name, b->state.format, bytes, pa, groups};
}

static enum inq_status add_page(const struct inq_machine *m, struct nested_blocks *b,
				const char *name, uint8_t *page, uint64_t pa, uint32_t groups,
				struct inq_sink *out, struct inq_err *err)
{
	struct inq_err why;

	if (inq_read(m->dump->phys, pa, page, VMCB_BYTES, &why))
		return inq_gap(out, m->dump->phys, pa, VMCB_BYTES, &why, err);
	add(b, name, page, pa, groups);
	return INQ_OK;
}

/* Where an SMI hit the guest of a hypervisor. */
static enum inq_status add_in_smm(const struct inq_machine *m, const struct inq_cpu *cpu,
				  struct nested_blocks *b, struct inq_sink *out,
				  struct inq_err *err)
{
	uint8_t area[X86_64_SMM_AREA];
	uint64_t pa = 0, hsave = 0;
	bool have = false;
	enum inq_status st = smm_read_area(m, cpu, area, &have, out, err);
	const struct x86_64_smm_map *map =
		!st && have ? x86_64_smm_map_of(area, &(uint32_t){0}) : NULL;

	if (st || !map || !x86_64_smm_hit_guest(map, area, &pa))
		return st;
	st = add_page(m, b, "memory", b->memory, pa, CONTROLS | SAVES, out, err);
	if (!st && inq_cpu_msr(cpu, MSR_HSAVE_PA, &hsave) && hsave)
		st = add_page(m, b, "hsave", b->hsave, hsave, SAVES, out, err);
	return st;
}

static enum inq_status add_svm(const struct inq_machine *m, const struct inq_cpu *cpu,
			       struct nested_blocks *b, struct inq_sink *out, struct inq_err *err)
{
	const bool smm = inq_reg_known(&cpu->regs, X86_64_SMM) && cpu->regs.v[X86_64_SMM];

	if (b->state.block) {
		add(b, "control", b->state.block, b->state.block_pa, CONTROLS);
		add(b, "l1", b->state.block, UINT64_MAX, SAVES);
		return add_page(m, b, "memory", b->memory, b->state.block_pa, CONTROLS | SAVES, out,
				err);
	}
	return smm ? add_in_smm(m, cpu, b, out, err) : INQ_OK;
}

enum inq_status nested_blocks_told(const struct inq_machine *m, bool *ret_told,
				   struct inq_sink *out, struct inq_err *err)
{
	struct inq_err why;

	*ret_told = !m->nr_cpus;
	for (uint32_t i = 0; i < m->nr_cpus; i++)
		*ret_told = *ret_told || m->cpus[i].nested_known;
	if (*ret_told)
		return INQ_OK;
	(void)inq_fail(&why, INQ_EABSENT, "the dump does not tell nested state");
	return inq_gap(out, NULL, 0, 0, &why, err);
}

enum inq_status nested_blocks_read(const struct inq_machine *m, const struct inq_cpu *cpu,
				   struct nested_blocks *ret, struct inq_sink *out,
				   struct inq_err *err)
{
	struct inq_err why;

	ret->nr = 0;
	ret->have = false;
	if (!cpu->nested_known) {
		(void)inq_fail(&why, INQ_EABSENT, "cpu %u: the dump does not tell nested state",
			       cpu->index);
		return inq_gap(out, NULL, 0, 0, &why, err);
	}
	if (!cpu->nested)
		return INQ_OK;
	if (vmcs_nested_parse(cpu->nested, cpu->nr_nested, &ret->state, &why)) {
		why.status = INQ_ECORRUPT; /* a layout that KVM never had is damage, too */
		(void)inq_wrap(&why, why.status, "cpu %u", cpu->index);
		return inq_gap(out, NULL, 0, 0, &why, err);
	}
	ret->have = true;
	if (ret->state.format == VMCS_SVM)
		return add_svm(m, cpu, ret, out, err);
	if (ret->state.block)
		add(ret, "current", ret->state.block, ret->state.block_pa, 0);
	if (ret->state.shadow)
		add(ret, "shadow", ret->state.shadow,
		    vmcs12_get(ret->state.block, VMCS_VMCS_LINK_POINTER), 0);
	return INQ_OK;
}

const struct nested_block *nested_blocks_find(const struct nested_blocks *b, const char *name)
{
	for (size_t i = 0; i < b->nr; i++)
		if (!strcmp(b->block[i].name, name))
			return &b->block[i];
	return NULL;
}
