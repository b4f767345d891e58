/*
 * A small evaluator of x86 instructions over a frozen machine: registers may be unknown, memory is
 * what the dump holds, and every value remembers which loads it came from.
 */
#ifndef ANALYZERS_EVAL_H
#define ANALYZERS_EVAL_H

#include <inquest/machine.h>

#include "arch/x86_64/insn.h"

enum { EVAL_GPRS = 16, EVAL_LOADS = 32, EVAL_SLOTS = 32, EVAL_LOG = 512 };

/* All ones over so many low bytes. */
static inline uint64_t eval_mask(unsigned int bytes)
{
	return bytes >= 8 ? ~UINT64_C(0) : (UINT64_C(1) << (8 * bytes)) - 1;
}

/* A load that was executed: one per instruction and address. */
struct eval_load {
	uint64_t rip, linear, phys;
	const struct inq_space *space; /* where phys lies */
	uint64_t value;
	uint8_t bytes;
	bool known;  /* value */
	bool device; /* no memory at phys: a device answers there, or nobody */
	bool stack;  /* addressed through RSP or RBP, near the top of the current stack */
};

/* value = ((load >> shift) & mask) + add, over the operand's width. */
struct eval_sym {
	int load; /* index into loads, -1: no single load */
	uint8_t shift;
	uint64_t mask, add;
};

struct eval_val {
	uint64_t v, known; /* known: a mask of bits */
	uint32_t taint;    /* bit i: loads[i] takes part */
	struct eval_sym sym;
	uint8_t sym_bytes; /* sym speaks of so many low bytes */
};

/* What the flags say, and about what, when it was one comparison with a constant. */
struct eval_flags {
	bool known, cf, zf, sf, of, pf;
	uint32_t taint;
	enum eval_about {
		EVAL_ABOUT_NONE,
		EVAL_ABOUT_CMP,
		EVAL_ABOUT_SUM, /* as CMP result, 0; but only whether they are equal */
		EVAL_ABOUT_TEST,
		EVAL_ABOUT_BIT
	} about;
	struct eval_sym sym;
	bool swapped;  /* CMP constant, value */
	uint64_t rhs;  /* CMP: the constant; TEST: the mask; BIT: the bit's number */
	uint8_t bytes; /* width of the comparison */
};

struct eval_state {
	struct eval_val gpr[EVAL_GPRS];
	struct eval_flags fl;
	uint64_t rip;
};

enum eval_stop {
	EVAL_GO,      /* rip is the next instruction */
	EVAL_FORK,    /* a branch on unknown flags; rip is unchanged */
	EVAL_STORE,   /* it changes memory that others see; see struct eval_noted */
	EVAL_TIMER,   /* it reads the time */
	EVAL_HALT,    /* it waits for an interrupt */
	EVAL_CALL,    /* a call that is not followed; rip is unchanged */
	EVAL_LEAVE,   /* return, indirect jump: the target is not known from here */
	EVAL_OUTSIDE, /* I/O, system or other instructions that we do not follow */
	EVAL_UNREAD,  /* its code or an operand's translation cannot be read: err says why */
};

/* Pretend that these bytes of memory hold another value. */
struct eval_patch {
	const struct inq_space *space;
	uint64_t phys, value;
	uint8_t bytes; /* 0: no patch */
};

/* Words that a run has stored on its own stack, and how they came to be what they are. */
struct eval_shadow {
	struct eval_slot {
		uint64_t linear;
		uint8_t bytes;
		struct eval_val val;
	} slot[EVAL_SLOTS];
	struct eval_change {
		int slot;
		uint64_t old;
		bool known; /* old */
	} log[EVAL_LOG];
	int nr, nr_log;
};

struct eval {
	const struct inq_cpu *cpu;
	enum x86_64_mode mode;
	struct eval_load load[EVAL_LOADS];
	int nr_loads;
	struct eval_patch patch;
	bool follow; /* go on behind a store instead of EVAL_STORE; memory stays as it is */
	bool stack;  /* remember stores to the own stack; so calls and returns can be followed */
	struct eval_shadow shadow;
	uint64_t floor; /* linear address of the stack's top at the start */
	struct eval_noted {
		bool any;   /* the last step wrote memory */
		bool known; /* linear is known */
		uint64_t linear;
		uint8_t bytes;
	} store;
	struct inq_err err; /* of EVAL_UNREAD */
};

/* Where an operand of memory points: false when a register is unknown. */
bool eval_address(const struct eval *e, const struct eval_state *s, const struct x86_64_op *op,
		  const struct x86_64_insn *in, uint64_t *ret_linear);

/* From the registers of the dump.  False when the mode or RIP is unknown. */
bool eval_begin(struct eval *e, const struct inq_cpu *cpu, struct eval_state *ret_state);

/* Execute one instruction.  Anything but EVAL_GO leaves *s as it was. */
enum eval_stop eval_step(struct eval *e, struct eval_state *s, const struct x86_64_insn *in);

/* Does condition cc (0 to 15) hold? */
bool eval_cc(const struct eval_flags *f, int cc);

/* Does it leave a return address behind?  Direct and indirect calls. */
bool eval_is_call(const struct x86_64_insn *in);

/* Take a branch by decision: the target, or what lies behind it. */
uint64_t eval_edge(const struct eval *e, const struct x86_64_insn *in, bool taken);

/* Linear address that RSP points to; false when it is unknown. */
bool eval_stack_top(const struct eval *e, const struct eval_state *s, uint64_t *ret_linear);

/* Is the own stack as it was when its log had so many entries? */
bool eval_stack_same(const struct eval_shadow *sh, int since);

/* Values that the run has put on the stack no longer say which loads they came from. */
void eval_stack_forget_origins(struct eval_shadow *sh);

/* Linear to physical as the CPU would now.  Errors: INQ_EFAULT, INQ_EABSENT. */
INQ_MUST enum inq_status eval_translate(const struct inq_cpu *cpu, uint64_t linear,
					uint64_t *ret_phys, struct inq_err *err);

/* Do both spaces show the very same byte of the dump at phys? */
bool eval_same_memory(const struct inq_space *a, const struct inq_space *b, uint64_t phys);

#endif
