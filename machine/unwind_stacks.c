/*
 * Knows which stacks a CPU has besides its tasks'.  Sources: Linux arch/x86/kernel/dumpstack_64.c,
 * arch/x86/include/asm/cpu_entry_area.h (struct cea_exception_stacks, entry_stack),
 * arch/x86/kernel/irq_64.c, arch/x86/include/asm/switch_to.h (struct inactive_task_frame).
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "machine/unwind_parts.h"

#include "base/order.h"

enum { CPUS_MOST = 8192, STACK_MOST = 1 << 20, MSR_KERNEL_GS_BASE = 0xc0000102 };

static enum inq_status add_area(struct unwinder *u, uint32_t cpu, const char *kind, uint64_t first,
				uint64_t bytes, struct inq_err *err)
{
	if (!first || !bytes || bytes > STACK_MOST || first > UINT64_MAX - bytes)
		return INQ_OK;
	if (!(u->nr_areas & (u->nr_areas - 1))) {
		size_t room = u->nr_areas ? 2 * u->nr_areas : 1;
		struct unwind_area *more = reallocarray(u->area, room, sizeof(*more));
		if (!more)
			return inq_fail(err, INQ_ENOMEM, "unwinder: stacks");
		u->area = more;
	}
	u->area[u->nr_areas++] = (struct unwind_area){first, first + bytes - 1, cpu, kind};
	return INQ_OK;
}

static uint64_t size_of(const struct inq_machine *m, const char *type)
{
	struct inq_type t;

	return inq_type_named(m, type, &t, NULL) ? 0 : inq_type_size(t);
}

/* Where a CPU has a variable.  Kernels before 5.14 do not tell the types of per-CPU variables. */
static bool per_cpu_at(const struct inq_machine *m, uint32_t cpu, const char *var, uint64_t *ret)
{
	struct inq_type t;
	struct inq_symbol sym;
	uint64_t base;

	if (!inq_per_cpu(m, var, cpu, ret, &t, NULL))
		return true;
	if (inq_symbol_named(m, var, 0, &sym, NULL) || inq_per_cpu_base(m, cpu, &base, NULL))
		return false;
	*ret = base + sym.addr;
	return true;
}

/* A word of a per-CPU variable: a member of a structure, or without one the whole. */
static bool per_cpu_word(const struct inq_machine *m, uint32_t cpu, const char *var,
			 const char *type, const char *member, uint64_t *ret)
{
	uint64_t at;
	struct inq_member mb = {0};

	if (!per_cpu_at(m, cpu, var, &at) || (type && inq_member_of(m, type, member, &mb, NULL)))
		return false;
	return !inq_read_u64(m, at + inq_member_at(&mb), ret, NULL);
}

/* hardirq_stack_ptr is the last word of the stack. */
static enum inq_status add_irq(struct unwinder *u, uint32_t cpu, struct inq_err *err)
{
	uint64_t bytes = size_of(u->m, "struct irq_stack"), top;

	if (!per_cpu_word(u->m, cpu, "pcpu_hot", "struct pcpu_hot", "hardirq_stack_ptr", &top) &&
	    !per_cpu_word(u->m, cpu, "hardirq_stack_ptr", NULL, NULL, &top))
		return INQ_OK;
	return add_area(u, cpu, "irq", top + 8 - bytes, bytes, err);
}

/* TSS.RSP0 is the end of the stack that entries from user mode begin on. */
static enum inq_status add_entry(struct unwinder *u, uint32_t cpu, struct inq_err *err)
{
	uint64_t bytes = size_of(u->m, "struct entry_stack"), top;

	if (!per_cpu_word(u->m, cpu, "cpu_tss_rw", "struct tss_struct", "x86_tss.sp0", &top))
		return INQ_OK;
	return add_area(u, cpu, "entry", top - bytes, bytes, err);
}

static enum inq_status add_ist(struct unwinder *u, uint32_t cpu, struct inq_err *err)
{
	static const char *const stacks[][2] = {{"DF_stack", "df"},
						{"NMI_stack", "nmi"},
						{"DB_stack", "db"},
						{"MCE_stack", "mce"},
						{"VC_stack", "vc"}};
	struct inq_type t;
	uint64_t at;
	enum inq_status st = INQ_OK;

	if (inq_type_named(u->m, "struct cea_exception_stacks", &t, NULL) ||
	    !per_cpu_word(u->m, cpu, "cea_exception_stacks", NULL, NULL, &at))
		return INQ_OK;
	for (size_t i = 0; !st && i < sizeof(stacks) / sizeof(*stacks); i++) {
		struct inq_member mb;
		if (!inq_member(t, stacks[i][0], &mb, NULL))
			st = add_area(u, cpu, stacks[i][1], at + inq_member_at(&mb),
				      inq_type_size(mb.type), err);
	}
	return st;
}

static int by_first(const void *a, const void *b)
{
	const struct unwind_area *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

/* THREAD_SIZE.  Where no type has that size, stacks of interrupts are as large as tasks'. */
static uint64_t stack_bytes(const struct inq_machine *m)
{
	uint64_t bytes = size_of(m, "union thread_union");

	return bytes ? bytes : size_of(m, "struct irq_stack");
}

static void find_task(struct unwinder *u)
{
	static const struct inq_shape_member members[] = {
		{offsetof(struct unwind_task_shape, stack), "stack", NULL, NULL, false},
		{offsetof(struct unwind_task_shape, sp), "thread.sp", NULL, NULL, false},
		{offsetof(struct unwind_task_shape, on_cpu), "on_cpu", NULL, NULL, true},
		{offsetof(struct unwind_task_shape, users), "stack_refcount.refs.counter", NULL,
		 NULL, true},
		{0}};
	static const struct inq_shape_member frame[] = {
		{offsetof(struct unwinder, frame_rip), "ret_addr", NULL, NULL, false},
		{offsetof(struct unwinder, frame_rbp), "bp", NULL, NULL, false},
		{0}};
	uint64_t bytes = 0;

	u->task_st = inq_shape(u->m, "struct task_struct", members, &u->task, NULL, &u->task_why);
	if (!u->task_st)
		u->task_st = inq_shape(u->m, "struct inactive_task_frame", frame, u, &bytes,
				       &u->task_why);
	u->frame_bytes = bytes < 256 ? (size_t)bytes : 0;
	u->stack_bytes = stack_bytes(u->m);
}

/* Asked once: every task's stack begins with the question whether a CPU runs it. */
static enum inq_status find_running(struct unwinder *u, struct inq_err *err)
{
	uint32_t nr = u->m->nr_cpus;

	u->running = calloc(nr + (size_t)1, sizeof(*u->running));
	if (!u->running)
		return inq_fail(err, INQ_ENOMEM, "unwinder: tasks of %" PRIu32 " cpus", nr);
	for (uint32_t i = 0; i < nr; i++)
		if (!unwind_current(u, unwind_os_cpu(u, &u->m->cpus[i]), &u->running[i]))
			u->running[i] = 0;
	return INQ_OK;
}

enum inq_status unwind_find_stacks(struct unwinder *u, struct inq_err *err)
{
	uint32_t nr = 0;
	enum inq_status st = find_running(u, err);

	find_task(u);
	if (inq_nr_cpus(u->m, &nr, NULL))
		nr = u->m->nr_cpus;
	for (uint32_t cpu = 0; !st && cpu < nr && cpu < CPUS_MOST; cpu++) {
		st = add_irq(u, cpu, err);
		if (!st)
			st = add_entry(u, cpu, err);
		if (!st)
			st = add_ist(u, cpu, err);
	}
	if (u->nr_areas)
		qsort(u->area, u->nr_areas, sizeof(*u->area), by_first);
	return st;
}

const struct unwind_area *unwind_area_at(const struct unwinder *u, uint64_t addr)
{
	size_t n = ORDER_UPTO(u->area, u->nr_areas, first, addr);

	return n && addr <= u->area[n - 1].last ? &u->area[n - 1] : NULL;
}

/* In the kernel GS is the per-CPU base; in user mode the other GS is. */
uint32_t unwind_os_cpu(const struct unwinder *u, const struct inq_cpu *cpu)
{
	uint64_t gs = 0, other = 0, base = 0;
	uint32_t nr = 0;
	struct vmcs_nested nested;
	bool has_gs = inq_reg_known(&cpu->regs, X86_64_GS_BASE);
	bool has_other = inq_cpu_msr(cpu, MSR_KERNEL_GS_BASE, &other);

	gs = cpu->regs.v[X86_64_GS_BASE];
	if (inq_nr_cpus(u->m, &nr, NULL) ||
	    (inq_reg_known(&cpu->regs, X86_64_SMM) && cpu->regs.v[X86_64_SMM]) ||
	    (unwind_nested(inq_dump_blob(u->m->dump, cpu->index, 0, INQ_SNAP_NESTED), &nested) &&
	     nested.guest_mode))
		return cpu->index;
	for (uint32_t i = 0; i < nr && i < CPUS_MOST; i++)
		if (!inq_per_cpu_base(u->m, i, &base, NULL) && base &&
		    ((has_gs && base == gs) || (has_other && base == other)))
			return i;
	return cpu->index;
}

bool unwind_current(const struct unwinder *u, uint32_t os_cpu, uint64_t *ret_task)
{
	return per_cpu_word(u->m, os_cpu, "pcpu_hot", "struct pcpu_hot", "current_task",
			    ret_task) ||
	       per_cpu_word(u->m, os_cpu, "current_task", NULL, NULL, ret_task);
}
