/*
 * checksum: every core works out a drawn checksum, those of even number in user mode, with a LAPIC
 * timer that ticks.  What must come out is worked out here as well, so a machine that was saved and
 * went on elsewhere is held to that, not to another run.
 */
#include "vmm/scenarios/scenarios.h"

enum { TOTAL_NS = 1500000000, LEAST_NS = 5000000 };

/* The guest's work, as checksum.asm does it. */
static uint32_t work(uint64_t s, uint64_t factor, uint64_t addend, uint64_t table_seed,
		     uint64_t rounds, uint64_t steps, bool user)
{
	uint64_t table[VMM_TABLE_ENTRIES], acc = 0;
	struct vmm_rng rng = {table_seed};

	for (unsigned i = 0; i < VMM_TABLE_ENTRIES; i++)
		table[i] = vmm_rng_u64(&rng);
	for (uint64_t r = 0; r < rounds; r++) {
		for (uint64_t n = 0; n < steps; n++) {
			s = s * factor + addend;
			s ^= s >> 29;
			uint64_t i = s >> 56;
			s ^= table[i];
			table[i] += s;
			acc += s;
		}
		if (user)
			s ^= acc;
	}
	return (uint32_t)(s >> 32) ^ (uint32_t)s;
}

static void draw_values(struct vmm_plan *p, struct vmm_plan_cpu *c, struct vmm_rng *rng)
{
	/* KVM's LAPIC counts nanoseconds: 5 to 15 ms, and about as long in all for everybody */
	uint64_t period = LEAST_NS + vmm_rng_below(rng, UINT64_C(2) * LEAST_NS),
		 rounds = TOTAL_NS / period;
	uint64_t steps = c->user ? 8000 + vmm_rng_below(rng, 8000) : 100 + vmm_rng_below(rng, 100);
	uint64_t factor = vmm_rng_u64(rng) | 1, addend = vmm_rng_u64(rng), seed = vmm_rng_u64(rng);

	c->vector = (uint8_t)(0x20 + vmm_rng_below(rng, 0xd0));
	c->table_seed = vmm_rng_u64(rng);
	c->sums = true;
	c->sum = work(seed, factor, addend, c->table_seed, rounds, steps, c->user);
	vmm_code_set(&c->code, VMM_P_VECTOR, 0x20000u | c->vector);
	vmm_code_set(&c->code, VMM_P_PERIOD, period);
	vmm_code_set(&c->code, VMM_P_ROUNDS, rounds);
	vmm_code_set(&c->code, VMM_P_POST_AT, rounds - rounds / 4);
	vmm_code_set(&c->code, VMM_P_STEPS, steps);
	vmm_code_set(&c->code, VMM_P_FACTOR, factor);
	vmm_code_set(&c->code, VMM_P_ADDEND, addend);
	vmm_code_set(&c->code, VMM_P_SEED, seed);
	vmm_code_set(&c->code, VMM_P_TABLE, p->high + c->data_gpa + VMM_CPU_TABLE);
	vmm_code_set(&c->code, VMM_P_STACK, c->data_gpa + VMM_CPU_USER_STACK);
}

static enum inq_status draw_cpu(struct vmm_plan *p, unsigned cpu, struct vmm_rng *rng,
				struct inq_err *err)
{
	struct vmm_plan_cpu *c = &p->cpu[cpu];
	const char *parts[] = {"sum_begin", "sum_kernel", "tick", NULL};

	c->role = VMM_ROLE_WORK;
	c->user = cpu % 2 == 0;
	if (c->user) {
		parts[1] = "sum_user";
		parts[3] = "sum_call";
	}
	draw_values(p, c, rng);
	enum inq_status st = vmm_plan_start(p, cpu, rng, err);
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts) && parts[i] && !st; i++)
		st = vmm_code_add_named(&c->code, parts[i], rng, err);
	return st;
}

static enum inq_status draw(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	p->hit = p->nr_vcpus;
	p->user = true;
	for (unsigned i = 0; i < p->nr_vcpus && !st; i++)
		st = draw_cpu(p, i, rng, err);
	return st;
}

const struct vmm_scenario vmm_scenario_checksum = {
	.name = "checksum",
	.doc = "all cores work out a checksum, every other one in user mode; it ends",
	.kind = VMM_FINE,
	.machines = VMM_ON_SVM,
	.draw = draw,
};
