/* rsvd-bit, pdpe1gb, stack-overflow: page tables that are wrong, or end where they should; article
 * 002. */
#include <string.h>

#include "vmm/scenarios/scenarios.h"

enum { PF = 14, DF = 8, PTE_P = 1, PTE_W = 2, PTE_A = 0x20, PTE_PS = 0x80, STACK_PAGES = 4 };
enum { PD_ENTRIES = 2048, FIRST_FREE = 0x200, VGA_TEXT = 0xb8000 };

static const struct vmm_scenario_step faulted[] = {{VMM_STEP_POST, 0x63}, {0}};
static const struct vmm_scenario_step stored[] = {{VMM_STEP_POST, 0x62, 0x63}, {0}};

/* All count; the hit one runs `code`, then come the handlers. */
static enum inq_status draw_code(struct vmm_plan *p, const char *code, const char *const more[2],
				 struct vmm_rng *rng, struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	for (unsigned i = 0; i < p->nr_vcpus && !st; i++) {
		struct vmm_code *c = &p->cpu[i].code;

		p->cpu[i].role = VMM_ROLE_COUNT;
		st = vmm_plan_start(p, i, rng, err);
		if (!st)
			st = vmm_code_add_named(c, i == p->hit ? code : "count", rng, err);
		for (unsigned k = 0; k < 2 && i == p->hit && more[k] && !st; k++) {
			st = vmm_code_pad(c, 64, 8, rng, err);
			if (!st)
				st = vmm_code_add_named(c, more[k], rng, err);
		}
	}
	p->cpu[p->hit].role = VMM_ROLE_HIT;
	return st;
}

/* A 2-MiB entry of a page directory that maps RAM, and has one of bits 20:13 set, which must be 0.
 */
static enum inq_status draw_rsvd(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	static const char *const more[2] = {"fault_forever"};
	struct vmm_plan_cpu *c = &p->cpu[p->hit];
	uint64_t n = FIRST_FREE + vmm_rng_below(rng, PD_ENTRIES - FIRST_FREE),
		 frame = vmm_rng_below(rng, vmm_memory_low_end(p->mib) >> 21) << 21,
		 bad = UINT64_C(1) << (13 + vmm_rng_below(rng, 8));

	p->entry = (struct vmm_plan_entry){VMM_GPA_PD + 8 * n, frame | bad | PTE_PS | PTE_W | PTE_P,
					   p->high + (n << 21) + vmm_rng_below(rng, 0x1ff000)};
	c->fault_vector = PF;
	vmm_code_set(&c->code, VMM_P_GATE, p->entry.linear);
	vmm_code_set(&c->code, VMM_P_ROUNDS, 1000 + vmm_rng_below(rng, 100000));
	return draw_code(p, "bad_store", more, rng, err);
}

/* As in the article: a 1-GiB entry for the first GiB, a store to the text screen through it. */
static enum inq_status draw_1gb(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	static const char *const more[2] = {"fault_forever"};
	struct vmm_plan_cpu *c = &p->cpu[p->hit];
	uint64_t n = 4 + vmm_rng_below(rng, 508);

	p->entry = (struct vmm_plan_entry){VMM_GPA_PDPT + 8 * n, PTE_PS | PTE_A | PTE_W | PTE_P,
					   p->high + (n << 30) + VGA_TEXT +
						   2 * vmm_rng_below(rng, 2000)};
	c->fault_vector = PF;
	vmm_code_set(&c->code, VMM_P_GATE, p->entry.linear);
	vmm_code_set(&c->code, VMM_P_ROUNDS, 1000 + vmm_rng_below(rng, 100000));
	return draw_code(p, "bad_store", more, rng, err);
}

/* A stack of 4 pages in 4-KiB pages of its own; what lies below them is not present. */
static enum inq_status draw_overflow(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	static const char *const more[2] = {"fault_forever", "page_served"};
	struct vmm_plan_cpu *c = &p->cpu[p->hit];
	uint64_t n = FIRST_FREE + vmm_rng_below(rng, PD_ENTRIES - FIRST_FREE),
		 first = 1 + vmm_rng_below(rng, 512 - STACK_PAGES),
		 table = vmm_rng_within(rng, VMM_GPA_GATE,
					VMM_GPA_SMRAM - (STACK_PAGES + 1) * VMM_PAGE, VMM_PAGE);

	p->entry = (struct vmm_plan_entry){VMM_GPA_PD + 8 * n, table | PTE_W | PTE_P,
					   p->high + (n << 21) + (first << 12)};
	c->gpr[4] = p->entry.linear + STACK_PAGES * VMM_PAGE - 16 * vmm_rng_below(rng, 16);
	c->vector = PF;
	c->fault_vector = DF;
	c->fault_ist = true;
	return draw_code(p, "recurse", more, rng, err);
}

static bool put64(const struct vmm_memory *m, uint64_t gpa, uint64_t v)
{
	return vmm_memory_put(m, 0, gpa, &v, 8);
}

static bool install_entry(const struct vmm_plan *p, const struct vmm_memory *m)
{
	return put64(m, p->entry.gpa, p->entry.value);
}

static bool install_stack(const struct vmm_plan *p, const struct vmm_memory *m)
{
	uint64_t table = p->entry.value & ~UINT64_C(0xfff), first = p->entry.linear >> 12 & 511;
	uint8_t *at = vmm_memory_at(m, 0, table, VMM_PAGE);
	bool ok = at && install_entry(p, m);

	if (at)
		memset(at, 0, VMM_PAGE);
	for (uint64_t i = 0; i < STACK_PAGES; i++)
		ok = ok && put64(m, table + 8 * (first + i),
				 (table + (i + 1) * VMM_PAGE) | PTE_W | PTE_P);
	return ok;
}

const struct vmm_scenario vmm_scenario_rsvd_bit = {
	.name = "rsvd-bit",
	.doc = "one core takes a #PF: its page directory has a reserved bit set",
	.kind = VMM_FAULT,
	.machines = VMM_ON_SVM,
	.steps = faulted,
	.draw = draw_rsvd,
	.install = install_entry,
};
const struct vmm_scenario vmm_scenario_pdpe1gb = {
	.name = "pdpe1gb",
	.doc = "one core stores to 0xb8000 through a 1-GiB page without the CPUID bit: nested "
	       "paging lets "
	       "it pass, a KVM that walks the tables itself gives a #PF",
	.kind = VMM_FAULT,
	.machines = VMM_ON_SVM,
	.cpuid = "-pdpe1gb",
	.steps = stored,
	.draw = draw_1gb,
	.install = install_entry,
};
const struct vmm_scenario vmm_scenario_stack_overflow = {
	.name = "stack-overflow",
	.doc = "one core recurses into its stack's guard page: a double fault, on a stack of its "
	       "own",
	.kind = VMM_FAULT,
	.machines = VMM_ON_SVM,
	.steps = faulted,
	.draw = draw_overflow,
	.install = install_stack,
};
