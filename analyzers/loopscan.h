/*
 * The loop engine: is this CPU in a loop that cannot end by itself, and what would end it?
 * States facts, never a verdict.
 */
#ifndef ANALYZERS_LOOPSCAN_H
#define ANALYZERS_LOOPSCAN_H

#include "analyzers/eval.h"

enum { LOOP_INSNS = 96, LOOP_GATES = 8, LOOP_COND = 160 };

enum loop_kind {
	LOOP_NONE,    /* no loop around RIP */
	LOOP_CLOSED,  /* repeats for ever, as long as memory stays as it is: proved by running it */
	LOOP_POLLING, /* the same, but what it waits for is a device, whose answer no dump holds */
	LOOP_BOUNDED, /* reads the time on the way round */
	LOOP_OPEN,    /* a loop, but it leaves, makes progress, or does what is not followed */
};

enum loop_role {
	LOOP_ROLE_NONE,
	LOOP_ROLE_GATE, /* loads a value that decides whether the loop ends */
	LOOP_ROLE_EXIT, /* the branch that would leave */
	LOOP_ROLE_BACK, /* leads back to the head */
};

enum loop_gate_class {
	LOOP_GATE_PRIVATE, /* a slot of the CPU's own stack */
	LOOP_GATE_SHARED,  /* memory */
	LOOP_GATE_DEVICE,  /* no memory there */
};

/* A load that decides. */
struct loop_gate {
	struct eval_load load;
	enum loop_gate_class cls;
	char cond[LOOP_COND]; /* "value != 0x0": what must hold for the loop to end; "" unknown */
	bool exit_known;      /* running the loop with exit_value there was seen to leave it */
	uint64_t exit_value;
};

struct loop {
	enum loop_kind kind;
	struct x86_64_insn insn[LOOP_INSNS]; /* each once, in order of execution from head */
	enum loop_role role[LOOP_INSNS];
	int nr_insns;
	uint64_t head; /* rip; lowest and highest byte are in first, last */
	uint64_t first, last;
	struct loop_gate gate[LOOP_GATES];
	int nr_gates;
	const char *why; /* LOOP_OPEN, LOOP_BOUNDED: what keeps it from being closed; static */
};

/*
 * Look at the code that cpu is in.  LOOP_NONE is a result.  Errors: INQ_EABSENT, INQ_EFAULT,
 * INQ_ECORRUPT: code or page tables could not be read, so nothing is known; INQ_ENOMEM;
 * INQ_EUNSUPPORTED: registers that decide are unknown.
 */
INQ_MUST enum inq_status loop_scan(const struct inq_cpu *cpu, struct loop *ret_loop,
				   struct inq_err *err);

const char *loop_kind_name(enum loop_kind kind);
const char *loop_role_name(enum loop_role role);
const char *loop_gate_class_name(enum loop_gate_class cls);

#endif
