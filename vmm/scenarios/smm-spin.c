/*
 * smm-spin and its near-misses: an SMI handler in a loop that waits for a word in memory.
 * Shape of the loop, processor mode, gate, padding and registers are drawn.
 */
#include <stdio.h>

#include "vmm/scenarios/scenarios.h"

enum inq_status vmm_smm_enter(struct vmm_plan *p, unsigned i, struct vmm_rng *rng,
			      struct inq_err *err)
{
	const struct vmm_plan_cpu *cpu = &p->cpu[i];
	struct vmm_code *c = &p->cpu[i].handler;

	vmm_code_set(c, VMM_P_GDTR, cpu->smbase + VMM_SMM_GDTR);
	vmm_code_set(c, VMM_P_CR3, cpu->smbase + VMM_SMM_TABLES);
	enum inq_status st = vmm_code_add_named(c, "smi_entry", rng, err);

	if (!st)
		st = vmm_code_add_named(c, "junk16", rng, err);
	if (!st)
		st = vmm_code_pad(c, 16, 8, rng, err);
	if (!st && p->bits >= 32)
		st = vmm_code_add_named(c, "to32", rng, err);
	if (!st && p->bits >= 64)
		st = vmm_code_add_named(c, "to64", rng, err);
	return st;
}

static enum inq_status add_loop(struct vmm_plan *p, unsigned cpu, const struct vmm_frag *shape,
				struct vmm_rng *rng, struct inq_err *err)
{
	struct vmm_code *c = &p->cpu[cpu].handler;
	char ready[16], leave[16], junk[16];

	snprintf(ready, sizeof(ready), "ready%u", p->bits);
	snprintf(leave, sizeof(leave), "leave%u", p->bits);
	snprintf(junk, sizeof(junk), "junk%u", p->bits);
	enum inq_status st = vmm_code_add_named(c, junk, rng, err);
	if (!st)
		st = vmm_code_pad(c, p->bits, 12, rng, err);
	if (!st)
		st = vmm_code_add_named(c, ready, rng, err);
	if (!st)
		st = vmm_code_add(c, shape, rng, err);
	if (!st)
		st = vmm_code_add_named(c, leave, rng, err);
	if (cpu != p->hit)
		return st;
	p->insn = vmm_code_mark(c, VMM_M_INSN);
	p->first = vmm_code_mark(c, VMM_M_FIRST);
	p->end = vmm_code_mark(c, VMM_M_END);
	return st;
}

static enum inq_status draw_handler(struct vmm_plan *p, const struct vmm_frag *shape, bool shared,
				    struct vmm_rng *rng, struct inq_err *err)
{
	vmm_gate_draw(p, shape, shared, rng);
	enum inq_status st = vmm_smm_enter(p, p->hit, rng, err);
	return st ? st : add_loop(p, p->hit, shape, rng, err);
}

static void draw_bits(struct vmm_plan *p, struct vmm_rng *rng)
{
	p->bits = 16u << vmm_rng_below(rng, 3);
}

static enum inq_status draw_spin(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	struct vmm_frag shape;

	draw_bits(p, rng);
	enum inq_status st = vmm_frag_draw(rng, VMM_FRAG_SHAPE, p->bits, &shape, err);
	if (!st)
		st = draw_handler(p, &shape, false, rng, err);
	return st ? st : vmm_plan_count(p, rng, err);
}

/* Somebody else's code writes the gate, so it must lie where others can reach it. */
static enum inq_status draw_written(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	enum inq_status st;
	struct vmm_frag shape;
	char name[16];

	if (p->nr_vcpus < 2)
		return inq_fail(err, INQ_EUSAGE, "needs 2 vCPUs; give --vcpus 2");
	draw_bits(p, rng);
	do
		st = vmm_frag_draw(rng, VMM_FRAG_SHAPE, p->bits, &shape, err);
	while (!st && shape.place != VMM_PLACE_ANY && shape.place != VMM_PLACE_LOW);
	if (!st)
		st = draw_handler(p, &shape, true, rng, err);
	snprintf(name, sizeof(name), "count_write%u", p->gate.width);
	unsigned writer =
		(p->hit + 1 + (unsigned)vmm_rng_below(rng, p->nr_vcpus - 1)) % p->nr_vcpus;
	for (unsigned i = 0; i < p->nr_vcpus && !st; i++) {
		struct vmm_code *c = &p->cpu[i].code;

		p->cpu[i].role = VMM_ROLE_COUNT;
		vmm_code_set(c, VMM_P_GATE, p->gate.addr);
		vmm_code_set(c, VMM_P_OPEN, p->gate.open);
		vmm_code_set(c, VMM_P_FAR, (UINT64_C(1) << 48) + (vmm_rng_u64(rng) >> 8));
		st = vmm_plan_start(p, i, rng, err);
		if (!st)
			st = vmm_code_add_named(c, i == writer ? name : "count", rng, err);
	}
	p->writer = vmm_code_mark(&p->cpu[writer].code, VMM_M_WRITER);
	return st;
}

/* A handler with that loop, of which there is one for each mode. */
static enum inq_status draw_named(struct vmm_plan *p, const char *loop, struct vmm_rng *rng,
				  struct inq_err *err)
{
	struct vmm_frag shape;
	char name[16];

	draw_bits(p, rng);
	snprintf(name, sizeof(name), "%s%u", loop, p->bits);
	enum inq_status st = vmm_frag_find(name, &shape, err);
	return st ? st : draw_handler(p, &shape, false, rng, err);
}

enum inq_status vmm_smm_post_wait(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	return draw_named(p, "post_wait", rng, err);
}

static enum inq_status draw_rdtsc(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	enum inq_status st = draw_named(p, "rdtsc", rng, err);

	return st ? st : vmm_plan_count(p, rng, err);
}

/* The word counts arrivals, and is worth waiting for until all are there. */
static void draw_meeting(struct vmm_plan *p, const struct vmm_frag *loop, struct vmm_rng *rng)
{
	struct vmm_gate *g = &p->gate;

	vmm_gate_draw(p, loop, true, rng);
	g->want = g->open = p->nr_vcpus;
	g->value = 0;
	for (unsigned i = 0; i < p->nr_vcpus; i++) {
		struct vmm_code *c = &p->cpu[i].handler;

		vmm_code_set(c, VMM_P_GATE, g->addr);
		vmm_code_set(c, VMM_P_WANT, g->want);
		vmm_code_set(c, VMM_P_STACK, p->cpu[i].smbase + VMM_SMM_CODE - 0x10);
	}
}

/*
 * An SMI that should have gone to all and missed one: all others meet in SMM and wait for it, as
 * EDK2's rendezvous would without its time-out (UefiCpuPkg, MpService.c).
 */
static enum inq_status draw_rendezvous(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	struct vmm_frag loop;
	char name[16];

	if (p->nr_vcpus < 2)
		return inq_fail(err, INQ_EUSAGE, "needs 2 vCPUs; give --vcpus 2");
	draw_bits(p, rng);
	p->has_other = true;
	p->other = (p->hit + 1 + (unsigned)vmm_rng_below(rng, p->nr_vcpus - 1)) % p->nr_vcpus;
	snprintf(name, sizeof(name), "arrive%u", p->bits);
	enum inq_status st = vmm_frag_find(name, &loop, err);
	if (!st)
		draw_meeting(p, &loop, rng);
	for (unsigned i = 0; i < p->nr_vcpus && !st; i++) {
		st = vmm_smm_enter(p, i, rng, err);
		if (!st)
			st = add_loop(p, i, &loop, rng, err);
	}
	return st ? st : vmm_plan_count(p, rng, err);
}

const struct vmm_scenario vmm_scenario_smm_rendezvous = {
	.name = "smm-rendezvous",
	.doc = "an SMI misses one vCPU, the others wait for it in SMM",
	.kind = VMM_FAULT,
	.machines = VMM_ON_SVM,
	.smm = true,
	.meet = true,
	.draw = draw_rendezvous,
};
const struct vmm_scenario vmm_scenario_smm_spin = {
	.name = "smm-spin",
	.doc = "an SMI handler spins on a word that nobody writes, the other vCPUs count",
	.kind = VMM_FAULT,
	.machines = VMM_ON_SVM,
	.smm = true,
	.draw = draw_spin,
};
const struct vmm_scenario vmm_scenario_smm_gate_open = {
	.name = "smm-gate-open",
	.doc = "as smm-spin, but the word has just got the value that ends the loop",
	.kind = VMM_NEAR_MISS,
	.machines = VMM_ON_SVM,
	.smm = true,
	.open_gate = true,
	.draw = draw_spin,
};
const struct vmm_scenario vmm_scenario_smm_gate_written = {
	.name = "smm-gate-written",
	.doc = "as smm-spin, but code that another vCPU runs will write the word",
	.kind = VMM_NEAR_MISS,
	.machines = VMM_ON_SVM,
	.smm = true,
	.draw = draw_written,
};
const struct vmm_scenario vmm_scenario_smm_rdtsc_bounded = {
	.name = "smm-rdtsc-bounded",
	.doc = "an SMI handler waits for a word until a time read with RDTSC",
	.kind = VMM_NEAR_MISS,
	.machines = VMM_ON_SVM,
	.smm = true,
	.draw = draw_rdtsc,
};
