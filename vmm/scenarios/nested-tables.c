/* ept-misconfig: a hypervisor's tables for its guest have a reserved bit set; article 002. */
#include "vmm/scenarios/nested.h"
#include "vmm/scenarios/scenarios.h"

enum { DR7_RESET = 0x400 };

static enum inq_status draw(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	const struct vmm_nested n = {.dr7 = DR7_RESET, .npt = true};
	enum inq_status st = INQ_OK;

	for (unsigned i = 0; i < p->nr_vcpus && !st; i++) {
		p->cpu[i].role = VMM_ROLE_COUNT;
		st = i == p->hit ? vmm_nested_draw(p, &n, rng, err)
				 : vmm_plan_start(p, i, rng, err);
		if (!st && i != p->hit)
			st = vmm_code_add_named(&p->cpu[i].code, "count", rng, err);
	}
	return st;
}

const struct vmm_scenario vmm_scenario_ept_misconfig = {
	.name = "ept-misconfig",
	.doc = "a hypervisor's nested tables have a reserved bit set, and its guest's store faults "
	       "for ever",
	.kind = VMM_FAULT,
	.machines = VMM_ON_SVM,
	.draw = draw,
};
