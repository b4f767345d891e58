/*
 * nmi-task-switch, nmi-task-served: NMIs through a task gate, on a core in 32-bit protected mode;
 * article 003.  On Intel each task switch leaves the guest (SDM vol. 3, "Other Causes of VM
 * Exits"), and KVM emulates it (vmx.c: handle_task_switch).  KVM on AMD intercepts it too (svm.c:
 * init_vmcb), but QEMU's CPU, in the svm testbed, knows no such intercept and switches by itself.
 */
#include <string.h>

#include "vmm/scenarios/scenarios.h"

enum { INTERRUPTED, OF_NMI, OTHER };
enum { DB_VECTOR = 1, NMI_VECTOR = 2, ESP = 4, EFLAGS_IF = 0x202, EFLAGS_OFF = 2, FIRST_TSS = 3 };
enum { CODE_SELECTOR = 8, DATA_SELECTOR = 16 };

/* Dwords of a TSS (SDM vol. 3, "Task-State Segment"). */
enum { EIP = 8, EFLAGS, EAX, ES = 18, CS, SS, DS, FS, GS, IO_MAP = 25, TSS_DWORDS };
_Static_assert(TSS_DWORDS * 4 == VMM_FLAT_TSS_LIMIT + 1, "a whole TSS");
_Static_assert(VMM_CPU_TASKS + VMM_MAX_TASKS * VMM_TASK_BYTES < VMM_CPU_USER_STACK, "room");

static const struct vmm_scenario_step left[] = {
	{VMM_STEP_NMI, 0}, {VMM_STEP_POST, 0x61}, {VMM_STEP_POST, 0x62}, {VMM_STEP_NMI, 0}, {0}};
static const struct vmm_scenario_step two_nmis[] = {
	{VMM_STEP_NMI, 0}, {VMM_STEP_POST, 0x61}, {VMM_STEP_NMI, 0}, {0}};

static bool is_taken(const struct vmm_plan *p, uint32_t selector)
{
	for (unsigned i = 0; i < p->nr_tasks; i++)
		if (p->task[i].selector == selector)
			return true;
	return false;
}

/* Selector, place of the TSS, and registers; the first task is what the core runs anyway. */
static void draw_task(struct vmm_plan *p, uint32_t stack, uint32_t eflags, struct vmm_rng *rng)
{
	struct vmm_plan_task *t = &p->task[p->nr_tasks];
	const struct vmm_plan_cpu *c = &p->cpu[p->hit];
	const uint64_t from = c->data_gpa + VMM_CPU_TASKS + (uint64_t)p->nr_tasks * VMM_TASK_BYTES;
	uint32_t selector;

	do
		selector = 8 * (uint32_t)(FIRST_TSS +
					  vmm_rng_below(rng, VMM_FLAT_DESCRIPTORS - FIRST_TSS));
	while (is_taken(p, selector));
	t->selector = selector;
	t->tss = (uint32_t)vmm_rng_within(rng, from, from + VMM_TASK_BYTES - VMM_FLAT_TSS_LIMIT, 4);
	t->eflags = eflags;
	for (unsigned r = 0; r < 8; r++)
		t->gpr[r] = (uint32_t)(p->nr_tasks ? vmm_rng_u64(rng) : c->gpr[r]);
	if (p->nr_tasks)
		t->gpr[ESP] = (uint32_t)(c->data_gpa + stack);
	p->nr_tasks++;
}

/* The hit core's tasks, but for where they begin. */
static void draw_tasks(struct vmm_plan *p, bool other, struct vmm_rng *rng)
{
	vmm_plan_flat(p, p->hit);
	draw_task(p, 0, EFLAGS_IF, rng);
	draw_task(p, VMM_CPU_CALL_STACK, EFLAGS_OFF, rng);
	if (other)
		draw_task(p, VMM_CPU_USER_STACK, EFLAGS_IF, rng);
}

/* Known only when the code is. */
static void set_entries(struct vmm_plan *p)
{
	const struct vmm_code *c = &p->cpu[p->hit].code;

	p->task[INTERRUPTED].eip = (uint32_t)c->linear;
	p->task[OF_NMI].eip = (uint32_t)vmm_code_mark(c, VMM_M_NMI);
	p->task[OTHER].eip = (uint32_t)vmm_code_mark(c, VMM_M_TASK);
}

static enum inq_status draw_left(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	static const char *const code[] = {"count32", "task_leave", "task_work"};
	struct vmm_plan_cpu *h = &p->cpu[p->hit];
	enum inq_status st = INQ_OK;

	draw_tasks(p, true, rng);
	vmm_code_set(&h->code, VMM_P_TASK, p->task[OTHER].selector);
	vmm_code_set(&h->code, VMM_P_GATE, vmm_plan_word(p, "work", 4, 0, rng) - p->high);
	for (unsigned i = 0; i < p->nr_vcpus && !st; i++) {
		p->cpu[i].role = i == p->hit ? VMM_ROLE_HIT : VMM_ROLE_COUNT;
		st = vmm_plan_start(p, i, rng, err);
		if (!st && i != p->hit)
			st = vmm_code_add_named(&p->cpu[i].code, "count", rng, err);
	}
	for (unsigned k = 0; k < sizeof(code) / sizeof(*code) && !st; k++) {
		st = vmm_code_add_named(&h->code, code[k], rng, err);
		if (!st)
			st = vmm_code_pad(&h->code, 32, 8, rng, err);
	}
	set_entries(p);
	return st;
}

static enum inq_status draw_served(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	draw_tasks(p, false, rng);
	enum inq_status st = vmm_nmi_serve(p, "task_finite", rng, err);
	if (!st)
		st = vmm_code_add_named(&p->cpu[p->hit].code, "task_db", rng, err);
	set_entries(p);
	return st;
}

static bool put_task(const struct vmm_memory *m, const struct vmm_plan_task *t)
{
	uint32_t tss[TSS_DWORDS] = {
		[EIP] = t->eip,       [EFLAGS] = t->eflags, [CS] = CODE_SELECTOR,
		[SS] = DATA_SELECTOR, [ES] = DATA_SELECTOR, [DS] = DATA_SELECTOR,
		[FS] = DATA_SELECTOR, [GS] = DATA_SELECTOR, [IO_MAP] = sizeof(tss) << 16};

	memcpy(&tss[EAX], t->gpr, sizeof(t->gpr));
	return vmm_memory_put(m, 0, t->tss, tss, sizeof(tss));
}

/* An interrupt gate for #DB, where the scenario has a handler. */
static bool put_db(const struct vmm_plan *p, const struct vmm_memory *m)
{
	const struct vmm_plan_cpu *c = &p->cpu[p->hit];
	const uint64_t to = vmm_code_mark(&c->code, VMM_M_FAULT),
		       gate = (to >> 16 & 0xffff) << 48 | UINT64_C(0x8e00) << 32 |
			      CODE_SELECTOR << 16 | (to & 0xffff);

	return !to ||
	       vmm_memory_put(m, 0, c->data_gpa + DB_VECTOR * sizeof(gate), &gate, sizeof(gate));
}

/* GDT, a gate for NMIs, TSSs.  The task that the core begins in is busy. */
static bool install(const struct vmm_plan *p, const struct vmm_memory *m)
{
	const uint64_t data = p->cpu[p->hit].data_gpa,
		       gate = UINT64_C(0x8500) << 32 | (uint64_t)p->task[OF_NMI].selector << 16;
	uint64_t gdt[VMM_FLAT_DESCRIPTORS] = {0, 0x00cf9b000000ffff, 0x00cf93000000ffff};
	bool ok = true;

	for (unsigned i = 0; i < p->nr_tasks; i++) {
		const struct vmm_plan_task *t = &p->task[i];

		gdt[t->selector / 8] =
			(i == INTERRUPTED ? 0x00008b0000000000 : 0x0000890000000000) |
			(uint64_t)(t->tss >> 24) << 56 | (uint64_t)(t->tss & 0xffffff) << 16 |
			VMM_FLAT_TSS_LIMIT;
		ok = ok && put_task(m, t);
	}
	return ok && put_db(p, m) && vmm_memory_put(m, 0, data + VMM_CPU_GDT, gdt, sizeof(gdt)) &&
	       vmm_memory_put(m, 0, data + NMI_VECTOR * sizeof(gate), &gate, sizeof(gate));
}

const struct vmm_scenario vmm_scenario_nmi_task_switch = {
	.name = "nmi-task-switch",
	.doc = "an NMI through a task gate; its task jumps to another, and NMIs stay blocked",
	.kind = VMM_FAULT,
	.machines = VMM_ON_BOTH,
	.steps = left,
	.draw = draw_left,
	.install = install,
};
const struct vmm_scenario vmm_scenario_nmi_task_served = {
	.name = "nmi-task-served",
	.doc = "an NMI through a task gate, another behind it; both return by IRET; it ends",
	.kind = VMM_NEAR_MISS,
	.machines = VMM_ON_SVM,
	.steps = two_nmis,
	.draw = draw_served,
	.install = install,
};
