/*
 * One step up a stack of 64-bit code: from the registers in a function and a rule to those in its
 * caller.  Pure: memory comes through a callback, and what is code is asked of another.
 */
#ifndef ARCH_X86_64_UNWIND_H
#define ARCH_X86_64_UNWIND_H

#include <inquest/err.h>
#include <inquest/unwind.h>

#include "arch/x86_64/regs.h"

enum {
	X86_64_UNWIND_NR = X86_64_RFLAGS + 1, /* RAX .. R15, RIP, RFLAGS */
	X86_64_PT_REGS = 168,                 /* bytes of Linux' struct pt_regs */
	X86_64_IRET_FRAME = 40,
	X86_64_SCAN_WORDS = 512, /* that a scan looks at: 4 KiB */
};

/* Those that are known in one frame. */
struct x86_64_frame {
	uint64_t v[X86_64_UNWIND_NR]; /* by enum x86_64_reg */
	uint32_t known;               /* bit: the same number */
	uint16_t cs;                  /* 0: unknown; the frame is the kernel's then */
	bool exact;    /* rip is the instruction that runs next, not one behind a call */
	bool has_regs; /* all of them were saved, at regs_at: struct pt_regs */
	uint64_t regs_at, orig_rax; /* meaningless unless has_regs */
};

struct x86_64_memory {
	/* All or nothing. */
	enum inq_status (*read)(void *ctx, uint64_t addr, void *buf, size_t n, struct inq_err *err);
	bool (*is_code)(void *ctx, uint64_t addr);
	void *ctx;
};

static inline bool x86_64_frame_known(const struct x86_64_frame *f, unsigned int r)
{
	return f->known >> r & 1;
}
static inline void x86_64_frame_set(struct x86_64_frame *f, unsigned int r, uint64_t v)
{
	f->v[r] = v;
	f->known |= UINT32_C(1) << r;
}
/* User mode: the privilege level that CS carries. */
static inline bool x86_64_frame_is_user(const struct x86_64_frame *f)
{
	return (f->cs & 3) == 3;
}

/* What a CPU's registers are as a frame. */
void x86_64_frame_of(const struct inq_regset *rs, struct x86_64_frame *ret);

/*
 * The caller.  Nothing of it is checked but that it could be read: the callers of this decide
 * whether the stack pointer may be there.
 * Errors: INQ_ENOTFOUND (the rule says UNKNOWN or END), INQ_EABSENT (a register that it needs is
 * unknown), and what read says.
 */
INQ_MUST enum inq_status x86_64_unwind_rule(const struct x86_64_frame *now,
					    const struct inq_unwind_rule *rule,
					    const struct x86_64_memory *mem,
					    struct x86_64_frame *ret, struct inq_err *err);

/*
 * By RBP: the saved one and behind it a return address into code.  Errors: INQ_EABSENT,
 * INQ_ECORRUPT (RBP leads down, or not to a return address), and what read says.
 */
INQ_MUST enum inq_status x86_64_unwind_bp(const struct x86_64_frame *now,
					  const struct x86_64_memory *mem, struct x86_64_frame *ret,
					  struct inq_err *err);

/*
 * The first word at from or above, X86_64_SCAN_WORDS of them at most and none behind last, that is
 * the address of code right behind a call.  Only rsp and rip of the caller are known then.
 * Errors: INQ_ENOTFOUND, and what read says where nothing was found before.
 */
INQ_MUST enum inq_status x86_64_unwind_scan(uint64_t from, uint64_t last,
					    const struct x86_64_memory *mem,
					    struct x86_64_frame *ret, struct inq_err *err);

/* Does an instruction that calls end right before addr? */
bool x86_64_is_behind_call(const struct x86_64_memory *mem, uint64_t addr);

/* Linux' struct pt_regs, and the processor's frame at its end.  Errors: what read says. */
INQ_MUST enum inq_status x86_64_frame_pt_regs(const struct x86_64_memory *mem, uint64_t at,
					      struct x86_64_frame *ret, struct inq_err *err);

#endif
