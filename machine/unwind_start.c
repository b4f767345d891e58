/*
 * Knows where a stack begins: at a CPU's registers, and where a task was switched away.  Sources:
 * Linux arch/x86/include/asm/switch_to.h (struct inactive_task_frame), arch/x86/entry/calling.h.
 */
#include <inttypes.h>

#include "machine/unwind_parts.h"

/* The stack of a task; false: unknown. */
static bool own_area(const struct unwinder *u, uint64_t task, struct unwind_area *ret)
{
	uint64_t first = 0;

	if (u->task_st || !u->stack_bytes ||
	    inq_read_field(u->m, task, &u->task.stack, &first, NULL) ||
	    first > UINT64_MAX - u->stack_bytes)
		return false;
	*ret = (struct unwind_area){first, first + u->stack_bytes - 1, 0, "task", task};
	return true;
}

void unwind_kernel(struct unwinder *u, uint32_t os_cpu, const struct inq_regset *rs,
		   const char *how, struct unwind_stack *ret)
{
	struct x86_64_frame f;
	struct unwind_area own;
	uint64_t task = 0;
	bool has_own = unwind_current(u, os_cpu, &task) && own_area(u, task, &own);

	x86_64_frame_of(rs, &f);
	unwind_climb(u, &f, how, has_own ? &own : NULL, ret);
}

void unwind_cpu(struct unwinder *u, uint32_t nr, struct unwind_stack *ret)
{
	ret->nr = 0;
	if (nr >= u->m->nr_cpus) {
		unwind_end(ret, false, "cut: the dump has no cpu %" PRIu32, nr);
		return;
	}
	const struct inq_cpu *cpu = &u->m->cpus[nr];
	if (!inq_reg_known(&cpu->regs, X86_64_RIP))
		unwind_end(ret, false, "cut: the dump holds no registers of cpu %" PRIu32, nr);
	else if (inq_reg_known(&cpu->regs, X86_64_SMM) && cpu->regs.v[X86_64_SMM])
		unwind_smm(u, cpu, ret);
	else if (!unwind_guest(u, cpu, ret))
		unwind_machine(u, cpu, ret);
}

/* Where __switch_to_asm left the registers that it keeps. */
static enum inq_status switched(const struct unwinder *u, uint64_t task, struct x86_64_frame *ret,
				struct inq_err *err)
{
	uint64_t sp = 0, rip = 0, rbp = 0;
	enum inq_status st = inq_read_field(u->m, task, &u->task.sp, &sp, err);

	if (!st)
		st = inq_read_field(u->m, sp, &u->frame_rip, &rip, err);
	if (!st)
		st = inq_read_field(u->m, sp, &u->frame_rbp, &rbp, err);
	if (st)
		return inq_wrap(err, st, "task 0x%" PRIx64, task);
	*ret = (struct x86_64_frame){0};
	x86_64_frame_set(ret, X86_64_RIP, rip);
	x86_64_frame_set(ret, X86_64_RBP, rbp);
	x86_64_frame_set(ret, X86_64_RSP, sp + u->frame_bytes);
	/* a task that never ran begins at the first instruction of ret_from_fork */
	struct inq_symbol sym;
	ret->exact = !inq_symbol_at(u->m, rip, &sym, NULL) && sym.addr == rip;
	return INQ_OK;
}

/* Does a CPU of the dump run it?  That the kernel says so is not enough: a task that exits. */
static bool running(const struct unwinder *u, uint64_t task, uint32_t *ret_cpu)
{
	for (uint32_t i = 0; task && i < u->m->nr_cpus; i++)
		if (u->running[i] == task) {
			*ret_cpu = i;
			return true;
		}
	return false;
}

/* A zombie gives its stack back, and may leave the pointer: kernel/fork.c, put_task_stack. */
static bool stack_is_freed(const struct unwinder *u, uint64_t task)
{
	uint64_t users;

	return u->task.users.size && !inq_read_field(u->m, task, &u->task.users, &users, NULL) &&
	       !users;
}

enum inq_status unwind_task(struct unwinder *u, uint64_t task, struct unwind_stack *ret,
			    struct inq_err *err)
{
	struct x86_64_frame f;
	struct unwind_area own;
	uint64_t on_cpu = 0;
	uint32_t cpu = 0;

	ret->nr = 0;
	if (u->task_st)
		return inq_fail_at(err, u->task_st, u->task_why.addr, "%s", u->task_why.msg);
	if (running(u, task, &cpu)) {
		unwind_cpu(u, cpu, ret);
		return INQ_OK;
	}
	if (u->task.on_cpu.size && !inq_read_field(u->m, task, &u->task.on_cpu, &on_cpu, NULL) &&
	    on_cpu) {
		unwind_end(ret, false,
			   "cut: it runs, but on no CPU that the dump has registers of");
		return INQ_OK;
	}
	bool has_own = own_area(u, task, &own);
	if ((has_own && !own.first) || stack_is_freed(u, task)) {
		unwind_end(ret, true, "a dead task: its stack was freed");
		return INQ_OK;
	}
	enum inq_status st = switched(u, task, &f, err);
	if (!st && !u->mem.is_code(u->mem.ctx, f.v[X86_64_RIP]))
		unwind_end(ret, false,
			   "cut: it was switched away at 0x%" PRIx64 ", not in any known text",
			   f.v[X86_64_RIP]);
	else if (!st)
		unwind_climb(u, &f, "switched", has_own ? &own : NULL, ret);
	return st;
}
