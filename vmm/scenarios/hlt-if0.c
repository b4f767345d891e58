/* hlt-if0: one core halts with interrupts off, the others count. */
#include "vmm/scenarios/scenarios.h"

static enum inq_status draw(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	for (unsigned i = 0; i < p->nr_vcpus && !st; i++) {
		bool halts = i == p->hit;

		p->cpu[i].role = halts ? VMM_ROLE_HALT : VMM_ROLE_COUNT;
		st = vmm_plan_start(p, i, rng, err);
		if (!st)
			st = vmm_code_add_named(&p->cpu[i].code, halts ? "halt" : "count", rng,
						err);
	}
	return st;
}

const struct vmm_scenario vmm_scenario_hlt_if0 = {
	.name = "hlt-if0",
	.doc = "one core halts with interrupts off, the other vCPUs count",
	.kind = VMM_FAULT,
	.machines = VMM_ON_BOTH,
	.draw = draw,
};
