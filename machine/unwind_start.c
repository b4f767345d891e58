/*
 * Knows where a stack begins: at a CPU's registers, behind SMM's save area, at those of a
 * hypervisor below its guest, and where a task was switched away.  Sources: Linux
 * arch/x86/include/asm/switch_to.h (struct inactive_task_frame), arch/x86/entry/calling.h; VMCS12
 * and VMCB12 as in vmcs/.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "arch/x86_64/smm.h"
#include "machine/unwind_parts.h"
#include "vmcs/nested.h"

/* The stack of a task; false: unknown. */
static bool own_area(const struct unwinder *u, uint64_t task, struct unwind_area *ret)
{
	uint64_t first = 0;

	if (u->task_st || !u->stack_bytes ||
	    inq_read_field(u->m, task, &u->task.stack, &first, NULL) ||
	    first > UINT64_MAX - u->stack_bytes)
		return false;
	*ret = (struct unwind_area){first, first + u->stack_bytes - 1, 0, "task"};
	return true;
}

/* Registers that a CPU in SMM saved as it got there. */
static bool saved_in_smm(const struct unwinder *u, const struct inq_cpu *cpu,
			 struct x86_64_frame *ret, struct inq_err *err)
{
	uint8_t area[X86_64_SMM_AREA];
	struct inq_regset rs = {0};
	uint32_t revision = 0;

	if (!u->m->dump->smm || !inq_reg_known(&cpu->regs, X86_64_SMBASE)) {
		inq_fail(err, INQ_EABSENT, "the dump does not hold what the SMI saved");
		return false;
	}
	if (inq_read(u->m->dump->smm, cpu->regs.v[X86_64_SMBASE] + X86_64_SMM_AREA_OFF, area,
		     sizeof(area), err))
		return false;
	const struct x86_64_smm_map *map = x86_64_smm_map_of(area, &revision);
	for (size_t i = 0; map && i < map->nr_fields; i++) {
		int r = x86_64_reg_find(map->field[i].name);
		if (r >= 0)
			inq_reg_set(&rs, (unsigned int)r, x86_64_smm_value(&map->field[i], area));
	}
	if (!map)
		inq_fail(err, INQ_ECORRUPT, "no save area of revision 0x%" PRIx32 " is known",
			 revision);
	x86_64_frame_of(&rs, ret);
	return map;
}

static void climb_kernel(struct unwinder *u, uint32_t os_cpu, const struct x86_64_frame *f,
			 const char *how, struct unwind_stack *ret)
{
	struct unwind_area own;
	uint64_t task = 0;
	bool has_own = unwind_current(u, os_cpu, &task) && own_area(u, task, &own);

	unwind_climb(u, f, how, has_own ? &own : NULL, ret);
}

static void from_smm(struct unwinder *u, const struct inq_cpu *cpu, const struct x86_64_frame *f,
		     struct unwind_stack *ret)
{
	struct x86_64_frame saved;
	struct inq_err why = {0};
	struct unwind_frame *out = unwind_add(ret, f, "registers", "smm");

	if (out)
		(void)snprintf(out->note, sizeof(out->note), "system-management mode");
	if (saved_in_smm(u, cpu, &saved, &why))
		climb_kernel(u, unwind_os_cpu(u, cpu), &saved, "save area", ret);
	else
		unwind_end(ret, false, "cut: %.*s", UNWIND_NOTE - 8, why.msg);
}

/* Is the CPU running a guest of its guest?  Then its registers are that one's. */
static bool runs_guest(const struct unwinder *u, const struct inq_cpu *cpu, struct vmcs_nested *s)
{
	const struct inq_blob *b = inq_dump_blob(u->m->dump, cpu->index, 0, INQ_SNAP_NESTED);

	return b && b->state == INQ_SNAP_PRESENT && b->p &&
	       !vmcs_nested_parse(b->p, b->n, s, NULL) && s->guest_mode;
}

static void from_guest(struct unwinder *u, const struct inq_cpu *cpu, const struct x86_64_frame *f,
		       const struct vmcs_nested *s, struct unwind_stack *ret)
{
	struct inq_regset host = {0};
	struct x86_64_frame below;
	struct unwind_frame *out = unwind_add(ret, f, "registers", "guest");

	if (out)
		(void)snprintf(out->note, sizeof(out->note), "guest of the hypervisor below");
	if (!vmcs_nested_host_regs(s, &cpu->regs, &host) || !inq_reg_known(&host, X86_64_RIP)) {
		unwind_end(ret, false, "cut: where its hypervisor goes on is not in the dump");
		return;
	}
	x86_64_frame_of(&host, &below);
	climb_kernel(u, unwind_os_cpu(u, cpu), &below, "hypervisor", ret);
}

void unwind_cpu(struct unwinder *u, uint32_t nr, struct unwind_stack *ret)
{
	struct x86_64_frame f;
	struct vmcs_nested nested;

	ret->nr = 0;
	if (nr >= u->m->nr_cpus) {
		unwind_end(ret, false, "cut: the dump has no cpu %" PRIu32, nr);
		return;
	}
	const struct inq_cpu *cpu = &u->m->cpus[nr];
	x86_64_frame_of(&cpu->regs, &f);
	if (!x86_64_frame_known(&f, X86_64_RIP))
		unwind_end(ret, false, "cut: the dump holds no registers of cpu %" PRIu32, nr);
	else if (inq_reg_known(&cpu->regs, X86_64_SMM) && cpu->regs.v[X86_64_SMM])
		from_smm(u, cpu, &f, ret);
	else if (runs_guest(u, cpu, &nested))
		from_guest(u, cpu, &f, &nested, ret);
	else
		climb_kernel(u, unwind_os_cpu(u, cpu), &f, "registers", ret);
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
