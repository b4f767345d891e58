/* The NMI family, and single-stepping that outlived its debugger: article 003. */
#include "vmm/scenarios/scenarios.h"

enum { DB = 1, UD = 6, GP = 13, IRR = 0x200, LEAST_NS = 1000000 };

static const struct vmm_scenario_step one_nmi[] = {{VMM_STEP_NMI, 0}, {VMM_STEP_POST, 0x61}, {0}};
static const struct vmm_scenario_step two_nmis[] = {
	{VMM_STEP_NMI, 0}, {VMM_STEP_POST, 0x61}, {VMM_STEP_NMI, 0}, {0}};
static const struct vmm_scenario_step nmi_in_nmi[] = {
	{VMM_STEP_NMI, 0}, {VMM_STEP_POST, 0x61}, {VMM_STEP_NMI, 0}, {VMM_STEP_POST, 0x62}, {0}};
static const struct vmm_scenario_step nmi_to_fault[] = {
	{VMM_STEP_NMI, 0}, {VMM_STEP_POST, 0x63}, {0}};
static const struct vmm_scenario_step trapped[] = {{VMM_STEP_POST, 0x61}, {0}};

/* All count; behind the hit one's code lie its handlers. */
static enum inq_status draw_hit(struct vmm_plan *p, const char *code, const char *nmi,
				const char *fault, struct vmm_rng *rng, struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	for (unsigned i = 0; i < p->nr_vcpus && !st; i++) {
		struct vmm_code *c = &p->cpu[i].code;
		const char *more[] = {nmi, fault};

		p->cpu[i].role = VMM_ROLE_COUNT;
		st = vmm_plan_start(p, i, rng, err);
		if (!st)
			st = vmm_code_add_named(c, i == p->hit ? code : "count", rng, err);
		for (unsigned k = 0; k < 2 && i == p->hit && !st; k++) {
			st = vmm_code_pad(c, 64, 8, rng, err);
			if (!st && more[k])
				st = vmm_code_add_named(c, more[k], rng, err);
		}
	}
	p->cpu[p->hit].role = VMM_ROLE_HIT;
	return st;
}

static enum inq_status draw_masked(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	return draw_hit(p, "count", "nmi_forever", NULL, rng, err);
}

static enum inq_status draw_irq(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	struct vmm_plan_cpu *c = &p->cpu[p->hit];

	vmm_plan_timer(c, 0, LEAST_NS, rng);
	vmm_code_set(&c->code, VMM_P_DISP, IRR + c->vector / 32 * 16u);
	vmm_code_set(&c->code, VMM_P_MASK, UINT32_C(1) << c->vector % 32);
	return draw_hit(p, "count", "nmi_irq", NULL, rng, err);
}

static enum inq_status draw_intgate(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	p->cpu[p->hit].fault_vector = UD;
	return draw_hit(p, "count", "nmi_fault", "fault_forever", rng, err);
}

static enum inq_status draw_nested(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	struct vmm_plan_cpu *c = &p->cpu[p->hit];

	c->fault_vector = UD;
	c->nmi_ist = true;
	vmm_code_set(&c->code, VMM_P_GATE, vmm_plan_word(p, "entries", 4, 0, rng));
	return draw_hit(p, "count", "nmi_again", "fault_skip2", rng, err);
}

static enum inq_status draw_iret_gp(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	p->cpu[p->hit].fault_vector = GP;
	return draw_hit(p, "count", "nmi_bad_iret", "fault_forever", rng, err);
}

static enum inq_status draw_leak(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	struct vmm_plan_cpu *c = &p->cpu[p->hit];

	c->fault_vector = DB;
	vmm_code_set(&c->code, VMM_P_GATE, vmm_plan_word(p, "traps", 4, 0, rng));
	enum inq_status st = draw_hit(p, "trap_count", NULL, "trap_return", rng, err);
	c->role = VMM_ROLE_TRAPPED;
	return st;
}

enum inq_status vmm_nmi_serve(struct vmm_plan *p, const char *handler, struct vmm_rng *rng,
			      struct inq_err *err)
{
	const uint64_t entries = vmm_plan_word(p, "entries", 4, 0, rng);
	enum inq_status st = INQ_OK;

	for (unsigned i = 0; i < p->nr_vcpus && !st; i++) {
		struct vmm_plan_cpu *c = &p->cpu[i];
		uint32_t factor = (uint32_t)vmm_rng_u64(rng);

		c->role = VMM_ROLE_HIT;
		c->sums = true;
		c->sum = 2 * factor;
		vmm_code_set(&c->code, VMM_P_GATE, c->flat ? entries - p->high : entries);
		vmm_code_set(&c->code, VMM_P_FACTOR, factor);
		/* TSC ticks: about half a second, and it is no matter how long */
		vmm_code_set(&c->code, VMM_P_PERIOD, 1500000000 + vmm_rng_below(rng, 500000000));
		st = vmm_plan_start(p, i, rng, err);
		if (!st)
			st = vmm_code_add_named(&c->code, c->flat ? "nmi_result32" : "nmi_result64",
						rng, err);
		if (!st && i == p->hit)
			st = vmm_code_add_named(&c->code, handler, rng, err);
	}
	return st;
}

static enum inq_status draw_served(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	return vmm_nmi_serve(p, "nmi_finite", rng, err);
}

const struct vmm_scenario vmm_scenario_nmi_served = {
	.name = "nmi-served",
	.doc = "an NMI waits behind a handler that takes its time and returns; it ends",
	.kind = VMM_NEAR_MISS,
	.machines = VMM_ON_SVM,
	.steps = two_nmis,
	.draw = draw_served,
};

/* NOLINTBEGIN(bugprone-macro-parentheses): initializers, which may be addresses of arrays */
#define SCENARIO(id, title, text, with, how)                                                       \
	const struct vmm_scenario vmm_scenario_##id = {.name = title,                              \
						       .doc = text,                                \
						       .kind = VMM_FAULT,                          \
						       .machines = VMM_ON_SVM,                     \
						       .steps = with,                              \
						       .draw = how}
/* NOLINTEND(bugprone-macro-parentheses) */

SCENARIO(nmi_masked, "nmi-masked", "an NMI handler never returns, and a second NMI waits behind it",
	 two_nmis, draw_masked);
SCENARIO(nmi_pending_irq, "nmi-pending-irq",
	 "an interrupt becomes pending in an NMI handler that never returns", one_nmi, draw_irq);
SCENARIO(nmi_intgate, "nmi-intgate",
	 "an exception in an NMI handler goes through an interrupt gate and stays", nmi_to_fault,
	 draw_intgate);
SCENARIO(nmi_nested, "nmi-nested",
	 "an IRET in an NMI handler lets the next NMI overwrite its stack frame", nmi_in_nmi,
	 draw_nested);
SCENARIO(nmi_iret_gp, "nmi-iret-gp", "an NMI handler's IRET faults: its return address is none",
	 nmi_to_fault, draw_iret_gp);
SCENARIO(singlestep_leak, "singlestep-leak",
	 "one core runs on with RFLAGS.TF set: a #DB after each instruction", trapped, draw_leak);
