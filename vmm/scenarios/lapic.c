/* lapic-masked, lapic-stopped: one core waits for ticks of a timer that is silent for good. */
#include "vmm/scenarios/scenarios.h"

enum { PERIODIC = 0x20000, LEAST_NS = 5000000 };

/* The core that the scenario is about; the others sleep and tick, as in healthy. */
static enum inq_status draw_silent(struct vmm_plan *p, uint32_t mode, const char *handler,
				   struct vmm_rng *rng, struct inq_err *err)
{
	struct vmm_plan_cpu *c = &p->cpu[p->hit];

	c->role = VMM_ROLE_STUCK;
	vmm_plan_timer(c, mode, LEAST_NS, rng);
	enum inq_status st = vmm_plan_start(p, p->hit, rng, err);
	if (!st)
		st = vmm_code_add_named(&c->code, "timer_sleep", rng, err);
	if (!st)
		st = vmm_code_pad(&c->code, 64, 6, rng, err);
	return st ? st : vmm_code_add_named(&c->code, handler, rng, err);
}

static enum inq_status draw_all(struct vmm_plan *p, uint32_t mode, const char *handler,
				struct vmm_rng *rng, struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	for (unsigned i = 0; i < p->nr_vcpus && !st; i++)
		st = i == p->hit ? draw_silent(p, mode, handler, rng, err)
				 : vmm_plan_idle(p, i, rng, err);
	return st;
}

static enum inq_status draw_masked(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	return draw_all(p, PERIODIC, "tick_mask", rng, err);
}

static enum inq_status draw_stopped(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	return draw_all(p, 0, "tick_stop", rng, err);
}

const struct vmm_scenario vmm_scenario_lapic_masked = {
	.name = "lapic-masked",
	.doc = "one core masked its LAPIC timer and sleeps until it ticks",
	.kind = VMM_FAULT,
	.machines = VMM_ON_SVM,
	.draw = draw_masked,
};
const struct vmm_scenario vmm_scenario_lapic_stopped = {
	.name = "lapic-stopped",
	.doc = "one core sleeps until its one-shot LAPIC timer ticks, which nobody armed",
	.kind = VMM_FAULT,
	.machines = VMM_ON_SVM,
	.draw = draw_stopped,
};
