/*
 * smm-dr7gd and its kin: an SMI finds DR7.GD set, the handler copies the saved DR7 into the live
 * one, its next access to DR7 is a #DB, and the #DB's handler is a dead loop.  Article 000.
 */
#include <stdio.h>

#include "vmm/scenarios/nested.h"
#include "vmm/scenarios/scenarios.h"

enum { GD = 0x2000, FIXED_ONE = 0x400, EXACT = 0x300, SAVED_DR7 = 0xff60 };

static enum inq_status add(struct vmm_plan *p, const char *name, struct vmm_rng *rng,
			   struct inq_err *err)
{
	struct vmm_code *c = &p->cpu[p->hit].handler;
	char full[24];

	snprintf(full, sizeof(full), "%s%u", name, p->bits);
	enum inq_status st = vmm_code_add_named(c, full, rng, err);
	return st ? st : vmm_code_pad(c, p->bits, 6, rng, err);
}

/* What the #DB runs into: the loop of firmware asserts, on the handler's own stack. */
static enum inq_status add_db(struct vmm_plan *p, const struct vmm_frag *loop, struct vmm_rng *rng,
			      struct inq_err *err)
{
	struct vmm_code *c = &p->cpu[p->hit].handler;
	enum inq_status st = add(p, "db_entry", rng, err);

	if (!st)
		st = vmm_code_add(c, loop, rng, err);
	p->insn = vmm_code_mark(c, VMM_M_INSN);
	p->first = vmm_code_mark(c, VMM_M_FIRST);
	p->end = vmm_code_mark(c, VMM_M_END);
	if (!st)
		st = add(p, "db_return", rng, err);
	return st ? st : add(p, "other_fault", rng, err);
}

/* The registers of the interrupted are not kept: nobody comes back to them but by RSM. */
static enum inq_status draw_handler(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	static const char *const parts[] = {"junk", "smm_idt", "copy_dr7_", "read_dr7_", "leave"};
	struct vmm_plan_cpu *cpu = &p->cpu[p->hit];
	struct vmm_frag loop;
	char name[16];

	p->bits =
		32u << vmm_rng_below(rng, 2); /* an IDT below 1 MiB is what real mode would need */
	snprintf(name, sizeof(name), "dead_loop%u", p->bits);
	enum inq_status st = vmm_frag_find(name, &loop, err);
	if (st)
		return st;
	vmm_gate_draw(p, &loop, false, rng);
	vmm_code_set(&cpu->handler, VMM_P_IDTR, cpu->smbase + VMM_SMM_IDTR);
	vmm_code_set(&cpu->handler, VMM_P_SAVED_DR7, cpu->smbase + SAVED_DR7);
	st = vmm_smm_enter(p, p->hit, rng, err);
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts) && !st; i++)
		st = add(p, parts[i], rng, err);
	return st ? st : add_db(p, &loop, rng, err);
}

/* DR7 with what never matters drawn: LE and GE. */
static uint64_t draw_dr7(struct vmm_rng *rng)
{
	return FIXED_ONE | (vmm_rng_u64(rng) & EXACT);
}

/* The others count. */
static enum inq_status draw_others(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	for (unsigned i = 0; i < p->nr_vcpus && !st; i++) {
		if (i == p->hit)
			continue;
		p->cpu[i].role = VMM_ROLE_COUNT;
		st = vmm_plan_start(p, i, rng, err);
		if (!st)
			st = vmm_code_add_named(&p->cpu[i].code, "count", rng, err);
	}
	return st;
}

static enum inq_status draw_l1(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	struct vmm_code *c = &p->cpu[p->hit].code;
	enum inq_status st = draw_handler(p, rng, err);

	p->dr7 = draw_dr7(rng) | GD;
	vmm_code_set(c, VMM_P_DR7, p->dr7);
	p->cpu[p->hit].role = VMM_ROLE_COUNT;
	if (!st)
		st = vmm_plan_start(p, p->hit, rng, err);
	if (!st)
		st = vmm_code_add_named(c, "set_dr7", rng, err);
	if (!st)
		st = vmm_code_add_named(c, "count", rng, err);
	return st ? st : draw_others(p, rng, err);
}

static enum inq_status draw_nested(struct vmm_plan *p, const struct vmm_nested *n,
				   struct vmm_rng *rng, struct inq_err *err)
{
	enum inq_status st = draw_handler(p, rng, err);

	if (!st)
		st = vmm_nested_draw(p, n, rng, err);
	return st ? st : draw_others(p, rng, err);
}

/* Article 000: GD is in the VMCS alone. */
static enum inq_status draw_vmx(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	p->dr7 = draw_dr7(rng) | GD;
	return draw_nested(p, &(struct vmm_nested){.dr7 = p->dr7, .load_debug = true}, rng, err);
}

/* KVM on AMD shows SMM no DR7 of a VMCB, only what it saw L2 itself write. */
static enum inq_status draw_svm(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	const uint64_t dr7 = draw_dr7(rng);

	p->dr7 = dr7 | GD;
	return draw_nested(p,
			   &(struct vmm_nested){.dr7 = dr7, .load_debug = true, .l2_dr7 = p->dr7},
			   rng, err);
}

static enum inq_status draw_noload(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	p->dr7 = draw_dr7(rng) | GD;
	return draw_nested(p, &(struct vmm_nested){.dr7 = p->dr7}, rng, err);
}

static enum inq_status draw_fixed(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	const uint64_t dr7 = draw_dr7(rng);

	p->dr7 = dr7 | GD;
	return draw_nested(
		p,
		&(struct vmm_nested){
			.dr7 = dr7, .load_debug = true, .dr_exits = true, .l2_dr7 = p->dr7},
		rng, err);
}

const struct vmm_scenario vmm_scenario_smm_dr7gd = {
	.name = "smm-dr7gd",
	.doc = "a VMCS with DR7.GD, an SMI handler that copies it, a #DB and its dead loop",
	.kind = VMM_FAULT,
	.machines = VMM_ON_VMX,
	.smm = true,
	.hold = true,
	.draw = draw_vmx,
};
const struct vmm_scenario vmm_scenario_smm_dr7gd_l1 = {
	.name = "smm-dr7gd-l1",
	.doc = "an SMI handler copies the guest's DR7.GD, and a #DB ends in its dead loop",
	.kind = VMM_FAULT,
	.machines = VMM_ON_SVM,
	.smm = true,
	.guest_debug = true,
	.draw = draw_l1,
};
const struct vmm_scenario vmm_scenario_smm_dr7gd_svm = {
	.name = "smm-dr7gd-svm",
	.doc = "as smm-dr7gd-l1, but the SMI hits the guest of a hypervisor, which set DR7.GD",
	.kind = VMM_FAULT,
	.machines = VMM_ON_SVM,
	.smm = true,
	.guest_debug = true,
	.draw = draw_svm,
};
const struct vmm_scenario vmm_scenario_smm_dr7gd_noload = {
	.name = "smm-dr7gd-noload",
	.doc = "DR7.GD in a VMCB or VMCS does not reach the SMI handler, which returns",
	.kind = VMM_NEAR_MISS,
	.machines = VMM_ON_BOTH,
	.smm = true,
	.returns = true,
	.guest_debug = true,
	.draw = draw_noload,
};
const struct vmm_scenario vmm_scenario_smm_dr7gd_fixed = {
	.name = "smm-dr7gd-fixed",
	.doc = "the hypervisor keeps DR7.GD from the SMI handler by intercepting MOV DR",
	.kind = VMM_NEAR_MISS,
	.machines = VMM_ON_BOTH,
	.smm = true,
	.returns = true,
	.guest_debug = true,
	.draw = draw_fixed,
};
