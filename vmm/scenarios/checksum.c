/*
 * checksum: every core works out a drawn checksum, those of even number in user mode, with a LAPIC
 * timer that ticks.  What must come out is worked out here as well, so a machine that was saved and
 * went on elsewhere is held to that, not to another run.
 */
#include "vmm/scenarios/nested.h"
#include "vmm/scenarios/scenarios.h"

enum { TOTAL_NS = 1500000000, LEAST_NS = 5000000, L2_ROUNDS = 3000 };

struct sum {
	uint64_t seed, factor, addend, table_seed, rounds, steps;
	enum { KERNEL, USER, L2 } how;
};

/* The guest's work, as checksum.asm does it. */
static uint32_t work(const struct sum *w)
{
	uint64_t table[VMM_TABLE_ENTRIES], acc = 0, s = w->seed;
	struct vmm_rng rng = {w->table_seed};

	for (unsigned i = 0; i < VMM_TABLE_ENTRIES; i++)
		table[i] = vmm_rng_u64(&rng);
	for (uint64_t r = 0; r < w->rounds; r++) {
		for (uint64_t n = 0; n < w->steps; n++) {
			s = s * w->factor + w->addend;
			s ^= s >> 29;
			uint64_t i = s >> 56;
			s ^= table[i];
			table[i] += s;
			acc += s;
		}
		if (w->how == USER)
			s ^= acc;
		else if (w->how == L2)
			s += r + 1; /* exits until then */
	}
	return (uint32_t)(s >> 32) ^ (uint32_t)s;
}

/* Into c's facts and the code that does it. */
static void set_sum(const struct vmm_plan *p, struct vmm_plan_cpu *c, struct vmm_code *code,
		    const struct sum *w)
{
	c->table_seed = w->table_seed;
	c->sums = true;
	c->sum = work(w);
	vmm_code_set(code, VMM_P_ROUNDS, w->rounds);
	vmm_code_set(code, VMM_P_POST_AT, w->rounds - w->rounds / (w->how == L2 ? 16 : 4));
	vmm_code_set(code, VMM_P_STEPS, w->steps);
	vmm_code_set(code, VMM_P_FACTOR, w->factor);
	vmm_code_set(code, VMM_P_ADDEND, w->addend);
	vmm_code_set(code, VMM_P_SEED, w->seed);
	vmm_code_set(code, VMM_P_TABLE, p->high + c->data_gpa + VMM_CPU_TABLE);
}

static void draw_values(struct vmm_plan *p, struct vmm_plan_cpu *c, struct vmm_rng *rng)
{
	/* KVM's LAPIC counts nanoseconds: 5 to 15 ms, and about as long in all for everybody */
	uint64_t period = LEAST_NS + vmm_rng_below(rng, UINT64_C(2) * LEAST_NS);
	struct sum w = {.how = c->user ? USER : KERNEL, .rounds = TOTAL_NS / period};

	w.steps = c->user ? 8000 + vmm_rng_below(rng, 8000) : 100 + vmm_rng_below(rng, 100);
	w.factor = vmm_rng_u64(rng) | 1;
	w.addend = vmm_rng_u64(rng);
	w.seed = vmm_rng_u64(rng);
	c->vector = (uint8_t)(0x20 + vmm_rng_below(rng, 0xd0));
	w.table_seed = vmm_rng_u64(rng);
	set_sum(p, c, &c->code, &w);
	vmm_code_set(&c->code, VMM_P_VECTOR, 0x20000u | c->vector);
	vmm_code_set(&c->code, VMM_P_PERIOD, period);
	vmm_code_set(&c->code, VMM_P_STACK, c->data_gpa + VMM_CPU_USER_STACK);
}

enum inq_status vmm_sum_l2(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	struct sum w = {.how = L2, .rounds = L2_ROUNDS};

	w.steps = 50 + vmm_rng_below(rng, 50);
	w.factor = vmm_rng_u64(rng) | 1;
	w.addend = vmm_rng_u64(rng);
	w.seed = vmm_rng_u64(rng);
	w.table_seed = vmm_rng_u64(rng);
	set_sum(p, &p->cpu[p->hit], &p->l2, &w);
	return vmm_code_add_named(&p->l2, "sum_l2", rng, err);
}

static enum inq_status draw_cpu(struct vmm_plan *p, unsigned cpu, bool user, struct vmm_rng *rng,
				struct inq_err *err)
{
	struct vmm_plan_cpu *c = &p->cpu[cpu];
	const char *parts[] = {"sum_begin", "sum_kernel", "tick", NULL};

	c->role = VMM_ROLE_WORK;
	c->user = user;
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
		st = draw_cpu(p, i, i % 2 == 0, rng, err);
	return st;
}

/* Gives a result at once, and counts: no time decides where it is. */
static enum inq_status draw_early(struct vmm_plan *p, unsigned cpu, struct vmm_rng *rng,
				  struct inq_err *err)
{
	struct vmm_plan_cpu *c = &p->cpu[cpu];

	c->role = VMM_ROLE_COUNT;
	c->sums = true;
	c->sum = (uint32_t)vmm_rng_u64(rng);
	vmm_code_set(&c->code, VMM_P_SEED, c->sum);
	enum inq_status st = vmm_plan_start(p, cpu, rng, err);
	if (!st)
		st = vmm_code_add_named(&c->code, "sum_known", rng, err);
	return st ? st : vmm_code_add_named(&c->code, "count", rng, err);
}

/* The hit one has a hypervisor and works in its guest. */
static enum inq_status draw_l2(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	for (unsigned i = 0; i < p->nr_vcpus && !st; i++)
		st = i == p->hit ? vmm_nested_draw(p,
						   &(struct vmm_nested){.dr7 = 0x400,
									.load_debug = true,
									.sums = true},
						   rng, err)
				 : draw_early(p, i, rng, err);
	return st;
}

static enum inq_status draw_smm(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	enum inq_status st = vmm_smm_post_wait(p, rng, err);

	return st ? st : draw_l2(p, rng, err);
}

const struct vmm_scenario vmm_scenario_checksum = {
	.name = "checksum",
	.doc = "all cores work out a checksum, every other one in user mode; it ends",
	.kind = VMM_FINE,
	.machines = VMM_ON_SVM,
	.draw = draw,
};
const struct vmm_scenario vmm_scenario_checksum_l2 = {
	.name = "checksum-l2",
	.doc = "one core works out a checksum in the guest of a hypervisor; it ends",
	.kind = VMM_FINE,
	.machines = VMM_ON_SVM, /* in the other one it ends before anybody comes to stop it */
	.draw = draw_l2,
};
const struct vmm_scenario vmm_scenario_checksum_smm = {
	.name = "checksum-smm",
	.doc = "as checksum-l2, in an SMI handler whose loop is about to end",
	.kind = VMM_NEAR_MISS,
	.machines = VMM_ON_BOTH,
	.smm = true,
	.open_gate = true,
	.draw = draw_smm,
};
