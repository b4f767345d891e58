/* ept-misconfig, nmi-iret-npf: a hypervisor's nested tables are wrong, and it does not see it;
 * articles 002 and 003. */
#include "vmm/scenarios/nested.h"
#include "vmm/scenarios/scenarios.h"

enum { DR7_RESET = 0x400 };

static const struct vmm_scenario_step nmi[] = {{VMM_STEP_NMI, 0}, {VMM_STEP_POST, 0x61}, {0}};

/* The others count. */
static enum inq_status draw(struct vmm_plan *p, const struct vmm_nested *n, struct vmm_rng *rng,
			    struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	for (unsigned i = 0; i < p->nr_vcpus && !st; i++) {
		p->cpu[i].role = VMM_ROLE_COUNT;
		st = i == p->hit ? vmm_nested_draw(p, n, rng, err) : vmm_plan_start(p, i, rng, err);
		if (!st && i != p->hit)
			st = vmm_code_add_named(&p->cpu[i].code, "count", rng, err);
	}
	return st;
}

static enum inq_status draw_reserved(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	return draw(p, &(struct vmm_nested){.dr7 = DR7_RESET, .npt = VMM_NPT_RESERVED}, rng, err);
}

static enum inq_status draw_iret(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	return draw(p, &(struct vmm_nested){.dr7 = DR7_RESET, .npt = VMM_NPT_ABSENT}, rng, err);
}

const struct vmm_scenario vmm_scenario_ept_misconfig = {
	.name = "ept-misconfig",
	.doc = "an entry of a hypervisor's nested tables is malformed, and its guest's store "
	       "faults for ever",
	.kind = VMM_FAULT,
	.machines = VMM_ON_BOTH,
	.draw = draw_reserved,
};
const struct vmm_scenario vmm_scenario_nmi_iret_npf = {
	.name = "nmi-iret-npf",
	.doc = "the IRET of an NMI handler in a hypervisor's guest is a nested page fault, for "
	       "ever",
	.kind = VMM_FAULT,
	.machines = VMM_ON_SVM,
	.steps = nmi,
	.draw = draw_iret,
};
