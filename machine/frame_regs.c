/*
 * Knows which registers of a caller the functions below it have kept: those of a task where it was
 * switched away, the others where call frame information says that they were saved.
 * Sources: Linux arch/x86/include/asm/switch_to.h (struct inactive_task_frame); System V ABI for
 * AMD64, figure 3.36 (DWARF's numbers of registers).
 */
#include "machine/frame_parts.h"

#include <inquest/types.h>
#include <string.h>

struct kept_offs {
	struct inq_field r15, r14, r13, r12, bx;
};
#define OFFS(f) offsetof(struct kept_offs, f)
static const struct inq_shape_member kept[] = {
	{OFFS(r15), "r15"}, {OFFS(r14), "r14"}, {OFFS(r13), "r13"},
	{OFFS(r12), "r12"}, {OFFS(bx), "bx"},   {0},
};

int frame_register(uint64_t number)
{
	static const uint8_t regs[] = {X86_64_RAX, X86_64_RDX, X86_64_RCX, X86_64_RBX,
				       X86_64_RSI, X86_64_RDI, X86_64_RBP, X86_64_RSP,
				       X86_64_R8,  X86_64_R9,  X86_64_R10, X86_64_R11,
				       X86_64_R12, X86_64_R13, X86_64_R14, X86_64_R15};

	return number < sizeof(regs) ? regs[number] : -1;
}

static void take(const struct inq_machine *m, uint64_t at, const struct inq_field *f,
		 unsigned int reg, struct x86_64_frame *to)
{
	uint64_t v = 0;

	if (!x86_64_frame_known(to, reg) && !inq_read_field(m, at, f, &v, NULL))
		x86_64_frame_set(to, reg, v);
}

/* __switch_to_asm pushes them right below where the task goes on. */
static void take_switched(const struct inq_machine *m, struct unwind_frame *f)
{
	struct kept_offs o;
	uint64_t bytes = 0;

	if (!f->sp_known || inq_shape(m, "struct inactive_task_frame", kept, &o, &bytes, NULL) ||
	    f->sp < bytes)
		return;
	take(m, f->sp - bytes, &o.r15, X86_64_R15, &f->at);
	take(m, f->sp - bytes, &o.r14, X86_64_R14, &f->at);
	take(m, f->sp - bytes, &o.r13, X86_64_R13, &f->at);
	take(m, f->sp - bytes, &o.r12, X86_64_R12, &f->at);
	take(m, f->sp - bytes, &o.bx, X86_64_RBX, &f->at);
}

/* What f keeps for the frame that called it. */
static void take_saved(const struct inq_machine *m, const struct unwind_frame *f,
		       struct unwind_frame *up)
{
	struct debug_saved_regs saved;
	struct debug_info *d = NULL;
	uint64_t at = 0;

	if (lines_file_at(m, frame_place(f), &d, &at, NULL) ||
	    debug_info_saved(d, at, &saved, NULL))
		return;
	for (size_t i = 0; i < sizeof(saved.reg) / sizeof(*saved.reg); i++) {
		unsigned int reg = (unsigned int)frame_register(i);
		uint64_t v = f->at.v[reg];
		bool known = saved.reg[i].how == DEBUG_SAME && x86_64_frame_known(&f->at, reg);
		if (x86_64_frame_known(&up->at, reg))
			continue;
		if (saved.reg[i].how == DEBUG_AT_CFA)
			known = !inq_read_u64(m, f->cfa + (uint64_t)(int64_t)saved.reg[i].off, &v,
					      NULL);
		if (known)
			x86_64_frame_set(&up->at, reg, v);
	}
}

void frame_registers(const struct inq_machine *m, struct unwind_stack *s)
{
	for (unsigned int i = 0; i < s->nr; i++) {
		struct unwind_frame *f = &s->frame[i];
		if (!strcmp(f->how, "switched"))
			take_switched(m, f);
		if (f->cfa && i + 1 < s->nr)
			take_saved(m, f, &s->frame[i + 1]);
	}
}
