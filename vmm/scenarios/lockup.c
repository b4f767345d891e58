/* deadlock, ipi-lost, lapic-x2apic-mix, ioapic-remote-irr, triple-fault, smi-storm, healthy-busy:
 * what cores do to each other and to themselves. */
#include <stdio.h>

#include "vmm/scenarios/scenarios.h"

enum { LOCK_BYTES = 4, ICR_ASSERT = 0x4000, LEAST_NS = 5000000, RTE_LEVEL = 1 << 15 };

static const struct vmm_scenario_step stuck[] = {{VMM_STEP_POST, VMM_POST_STUCK}, {0}};

/* Another vCPU than the hit one. */
static enum inq_status draw_other(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	if (p->nr_vcpus < 2)
		return inq_fail(err, INQ_EUSAGE, "needs 2 vCPUs; give --vcpus 2");
	p->other = (p->hit + 1 + (unsigned)vmm_rng_below(rng, p->nr_vcpus - 1)) % p->nr_vcpus;
	p->has_other = true;
	return INQ_OK;
}

/* What that vCPU begins with, a fragment (NULL: none), and perhaps another behind it. */
static enum inq_status add_code(struct vmm_plan *p, unsigned cpu, const char *name,
				const char *handler, struct vmm_rng *rng, struct inq_err *err)
{
	struct vmm_code *c = &p->cpu[cpu].code;
	enum inq_status st = vmm_plan_start(p, cpu, rng, err);

	if (!st && name)
		st = vmm_code_add_named(c, name, rng, err);
	if (!st && handler)
		st = vmm_code_pad(c, 64, 6, rng, err);
	return st || !handler ? st : vmm_code_add_named(c, handler, rng, err);
}

static enum inq_status draw_deadlock(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	enum inq_status st = draw_other(p, rng, err);

	if (st)
		return st;
	uint64_t a = vmm_plan_word(p, "lock_a", LOCK_BYTES, 0, rng),
		 b = vmm_plan_word(p, "lock_b", LOCK_BYTES, 0, rng);
	for (unsigned i = 0; i < p->nr_vcpus && !st; i++) {
		bool in_it = i == p->hit || i == p->other;

		p->cpu[i].role = in_it ? VMM_ROLE_STUCK : VMM_ROLE_COUNT;
		vmm_code_set(&p->cpu[i].code, VMM_P_BASE, i == p->hit ? a : b);
		vmm_code_set(&p->cpu[i].code, VMM_P_GATE, i == p->hit ? b : a);
		st = add_code(p, i, in_it ? "lock_two" : "count", NULL, rng, err);
	}
	return st;
}

/* One sends, another should answer, all others count. */
static enum inq_status draw_ipi(struct vmm_plan *p, const char *sender, const char *receiver,
				struct vmm_rng *rng, struct inq_err *err)
{
	enum inq_status st = draw_other(p, rng, err);

	if (st)
		return st;
	uint8_t vector = (uint8_t)(0x20 + vmm_rng_below(rng, 0xd0));
	uint64_t ready = vmm_plan_word(p, "ready", LOCK_BYTES, 0, rng),
		 answer = vmm_plan_word(p, "answer", LOCK_BYTES, 0, rng);
	for (unsigned i = 0; i < p->nr_vcpus && !st; i++) {
		struct vmm_plan_cpu *c = &p->cpu[i];

		c->role = i == p->hit ? VMM_ROLE_STUCK : VMM_ROLE_COUNT;
		c->vector = vector;
		vmm_code_set(&c->code, VMM_P_BASE, ready);
		vmm_code_set(&c->code, VMM_P_GATE, answer);
		vmm_code_set(&c->code, VMM_P_FACTOR, p->other << 24);
		vmm_code_set(&c->code, VMM_P_ADDEND, ICR_ASSERT | vector);
		st = i == p->hit     ? add_code(p, i, sender, "ipi_send", rng, err)
		     : i == p->other ? add_code(p, i, receiver, "ipi_answer", rng, err)
				     : add_code(p, i, "count", NULL, rng, err);
	}
	return st;
}

static enum inq_status draw_ipi_lost(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	return draw_ipi(p, NULL, "ipi_deaf", rng, err);
}

static enum inq_status draw_x2apic(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	return draw_ipi(p, "x2apic_on", "ipi_ready", rng, err);
}

static enum inq_status draw_remote_irr(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	struct vmm_plan_cpu *h = &p->cpu[p->hit];
	uint64_t served = vmm_plan_word(p, "served", LOCK_BYTES, 0, rng);
	enum inq_status st = INQ_OK;

	h->vector = (uint8_t)(0x20 + vmm_rng_below(rng, 0xd0));
	do
		h->ipi_vector = (uint8_t)(0x20 + vmm_rng_below(rng, 0xd0));
	while (h->ipi_vector == h->vector);
	vmm_code_set(&h->code, VMM_P_BASE, served);
	vmm_code_set(&h->code, VMM_P_FACTOR, p->hit << 24);
	vmm_code_set(&h->code, VMM_P_VECTOR, RTE_LEVEL | h->vector);
	vmm_code_set(&h->code, VMM_P_ADDEND, RTE_LEVEL | h->ipi_vector);
	for (unsigned i = 0; i < p->nr_vcpus && !st; i++) {
		p->cpu[i].role = i == p->hit ? VMM_ROLE_STUCK : VMM_ROLE_COUNT;
		st = i == p->hit ? add_code(p, i, "rirr_wait", "rirr_serve", rng, err)
				 : add_code(p, i, "count", NULL, rng, err);
	}
	return st ? st : vmm_code_add_named(&h->code, "rirr_again", rng, err);
}

static enum inq_status draw_triple_fault(struct vmm_plan *p, struct vmm_rng *rng,
					 struct inq_err *err)
{
	static const char *const last[] = {"last_ud", "last_gp", "last_pf"};
	struct vmm_code *c = &p->cpu[p->hit].code;
	enum inq_status st = INQ_OK;

	for (unsigned i = 0; i < p->nr_vcpus && !st; i++) {
		p->cpu[i].role = i == p->hit ? VMM_ROLE_STUCK : VMM_ROLE_COUNT;
		st = add_code(p, i, i == p->hit ? "no_idt" : "count", NULL, rng, err);
	}
	if (!st)
		st = vmm_code_pad(c, 64, 12, rng, err);
	return st ? st : vmm_code_add_named(c, last[vmm_rng_below(rng, 3)], rng, err);
}

/* All count, until the hit one's SMI handler calls itself. */
static enum inq_status draw_storm(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	struct vmm_plan_cpu *h = &p->cpu[p->hit];
	enum inq_status st = INQ_OK;

	for (unsigned i = 0; i < p->nr_vcpus && !st; i++) {
		p->cpu[i].role = i == p->hit ? VMM_ROLE_HIT : VMM_ROLE_COUNT;
		st = add_code(p, i, "lapic_on", "count", rng, err);
	}
	/* the handler runs without paging */
	vmm_code_set(&h->handler, VMM_P_GATE, vmm_plan_word(p, "smis", 4, 0, rng) - p->high);
	vmm_code_set(&h->handler, VMM_P_BASE, vmm_plan_word(p, "rip_hit", 4, 0, rng) - p->high);
	vmm_code_set(&h->handler, VMM_P_TABLE, vmm_plan_word(p, "count_hit", 4, 0, rng) - p->high);
	vmm_code_set(&h->handler, VMM_P_COUNTER, h->counter);
	vmm_code_set(&h->handler, VMM_P_FACTOR, p->hit << 24);
	vmm_code_set(&h->handler, VMM_P_ROUNDS, 100 + vmm_rng_below(rng, 200));
	return st ? st : vmm_code_add_named(&h->handler, "smi_again", rng, err);
}

static enum inq_status draw_busy(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	uint64_t lock = vmm_plan_word(p, "lock", LOCK_BYTES, 0, rng),
		 guarded = vmm_plan_word(p, "guarded", 8, 0, rng);
	enum inq_status st = INQ_OK;

	p->hit = p->nr_vcpus;
	for (unsigned i = 0; i < p->nr_vcpus && !st; i++) {
		struct vmm_plan_cpu *c = &p->cpu[i];

		c->role = VMM_ROLE_IDLE; /* as far as its ticks go */
		vmm_plan_timer(c, 0x20000, LEAST_NS, rng);
		do
			c->ipi_vector = (uint8_t)(0x20 + vmm_rng_below(rng, 0xd0));
		while (c->ipi_vector == c->vector);
		vmm_code_set(&c->code, VMM_P_GATE, lock);
		vmm_code_set(&c->code, VMM_P_BASE, guarded);
	}
	for (unsigned i = 0; i < p->nr_vcpus && !st; i++) {
		struct vmm_plan_cpu *c = &p->cpu[i];
		unsigned to = (i + 1) % p->nr_vcpus;

		vmm_code_set(&c->code, VMM_P_FACTOR, to << 24);
		vmm_code_set(&c->code, VMM_P_ADDEND, ICR_ASSERT | p->cpu[to].ipi_vector);
		st = add_code(p, i, "busy", "tick", rng, err);
		if (!st)
			st = vmm_code_add_named(&c->code, "busy_ipi", rng, err);
	}
	return st;
}

const struct vmm_scenario vmm_scenario_deadlock = {
	.name = "deadlock",
	.doc = "two cores hold a lock each and spin for the other's, interrupts on",
	.kind = VMM_FAULT,
	.machines = VMM_ON_SVM,
	.draw = draw_deadlock,
};
const struct vmm_scenario vmm_scenario_ipi_lost = {
	.name = "ipi-lost",
	.doc = "one core waits for the answer to an IPI that a disabled LAPIC dropped",
	.kind = VMM_FAULT,
	.machines = VMM_ON_SVM,
	.draw = draw_ipi_lost,
};
const struct vmm_scenario vmm_scenario_lapic_x2apic_mix = {
	.name = "lapic-x2apic-mix",
	.doc = "one core in x2APIC mode sends an IPI as in xAPIC mode, to one that is: it never "
	       "leaves",
	.kind = VMM_FAULT,
	.machines = VMM_ON_SVM,
	.cpuid = "+x2apic",
	.draw = draw_x2apic,
};
const struct vmm_scenario vmm_scenario_ioapic_remote_irr = {
	.name = "ioapic-remote-irr",
	.doc = "a level-triggered pin gets another vector before its EOI: Remote IRR stays set, "
	       "the "
	       "pin is dead",
	.kind = VMM_FAULT,
	.machines = VMM_ON_SVM,
	.steps = stuck,
	.draw = draw_remote_irr,
};
const struct vmm_scenario vmm_scenario_triple_fault = {
	.name = "triple-fault",
	.doc = "one core takes an exception without an IDT",
	.kind = VMM_FAULT,
	.machines = VMM_ON_SVM,
	.dies = true,
	.draw = draw_triple_fault,
};
const struct vmm_scenario vmm_scenario_smi_storm = {
	.name = "smi-storm",
	.doc = "one core's SMI handler sends it the next SMI: what the first one hit never gets on",
	.kind = VMM_FAULT,
	.machines = VMM_ON_SVM,
	.smm = true,
	.returns = true,
	.draw = draw_storm,
};
const struct vmm_scenario vmm_scenario_healthy_busy = {
	.name = "healthy-busy",
	.doc = "all cores contend for a lock, send each other IPIs, and serve their timers",
	.kind = VMM_FINE,
	.machines = VMM_ON_SVM,
	.draw = draw_busy,
};
