/* healthy, smi-often: every core sleeps with interrupts on and serves its periodic LAPIC timer. */
#include "vmm/scenarios/scenarios.h"

static enum inq_status draw(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	p->hit = p->nr_vcpus;
	for (unsigned i = 0; i < p->nr_vcpus && !st; i++)
		st = vmm_plan_idle(p, i, rng, err);
	return st;
}

const struct vmm_scenario vmm_scenario_healthy = {
	.name = "healthy",
	.doc = "all cores sleep with interrupts on and serve a periodic LAPIC timer",
	.kind = VMM_FINE,
	.machines = VMM_ON_BOTH,
	.draw = draw,
};

/* What article 000 provoked its bug with, from outside: SMIs for all cores, again and again, with
 * time between them for everybody to live.  A storm that leaves none is smi-storm. */
static enum inq_status draw_often(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	p->smi_every = 1 + vmm_rng_below(rng, 3);
	return draw(p, rng, err);
}

const struct vmm_scenario vmm_scenario_smi_often = {
	.name = "smi-often",
	.doc = "all cores get an SMI every millisecond or so, which their handlers just leave",
	.kind = VMM_NEAR_MISS,
	.machines = VMM_ON_SVM,
	.storm = true,
	.draw = draw_often,
};
