/* healthy: every core sleeps with interrupts on and serves its periodic LAPIC timer. */
#include "vmm/scenarios/scenarios.h"

static enum inq_status draw_idle(struct vmm_plan *p, unsigned cpu, struct vmm_rng *rng,
				 struct inq_err *err)
{
	struct vmm_plan_cpu *c = &p->cpu[cpu];

	c->role = VMM_ROLE_IDLE;
	c->vector = (uint8_t)(0x20 + vmm_rng_below(rng, 0xd0));
	vmm_code_set(&c->code, VMM_P_VECTOR, 0x20000u | c->vector);
	/* KVM's LAPIC counts nanoseconds: 5 to 15 ms */
	vmm_code_set(&c->code, VMM_P_PERIOD, 5000000 + vmm_rng_below(rng, 10000000));
	enum inq_status st = vmm_plan_start(p, cpu, rng, err);
	if (!st)
		st = vmm_code_add_named(&c->code, "idle", rng, err);
	if (!st)
		st = vmm_code_pad(&c->code, 64, 6, rng, err);
	return st ? st : vmm_code_add_named(&c->code, "tick", rng, err);
}

static enum inq_status draw(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	p->hit = p->nr_vcpus;
	for (unsigned i = 0; i < p->nr_vcpus && !st; i++)
		st = draw_idle(p, i, rng, err);
	return st;
}

const struct vmm_scenario vmm_scenario_healthy = {
	.name = "healthy",
	.doc = "all cores sleep with interrupts on and serve a periodic LAPIC timer",
	.kind = VMM_FINE,
	.machines = VMM_ON_BOTH,
	.draw = draw,
};
