/*
 * Backtraces: of a CPU, from its registers, and of a task, from where it was switched away.  A
 * stack is climbed by the kernel's own tables (ORC), else by frame pointers, else by what is surely
 * a return address; each frame says by which, and a stack that ends early says why.
 */
#ifndef MACHINE_UNWIND_H
#define MACHINE_UNWIND_H

#include <stdbool.h>

#include <inquest/machine.h>

#include "arch/x86_64/unwind.h"

enum { UNWIND_FRAMES = 256, UNWIND_NOTE = 256 };

struct unwind_frame {
	uint64_t pc, sp; /* sp is meaningless unless known */
	bool sp_known;
	bool interrupted; /* pc is the next instruction, else a return address or the CPU's own */
	const char *how;  /* it was found: "registers", "switched", "orc", "saved registers", "frame
			     pointer", "scan", "save area", "hypervisor"; static */
	const char *mode; /* "kernel", "user", "smm", "guest"; static */
	const char *stack; /* "task", "irq", "entry", "df", "nmi", "db", "mce", "vc"; NULL: none
			      that is known */
	struct x86_64_frame at; /* all registers that are known there */
	uint64_t cfa;  /* the frame address: rsp before the call that led here; 0: unknown */
	uint64_t regs; /* address of the struct pt_regs that holds its registers; 0: none */
	char note[UNWIND_NOTE]; /* what else is to be said of it; "": nothing */
};

struct unwind_stack {
	struct unwind_frame frame[UNWIND_FRAMES]; /* innermost first */
	unsigned int nr;
	bool complete;         /* it was climbed to where it begins */
	char why[UNWIND_NOTE]; /* what it ends at, or what cut it; never empty */
};

struct unwinder;

/*
 * The machine must outlive it.  What the kernel lacks (names, tables, types) makes stacks shorter,
 * not an error.  Errors: INQ_ENOMEM.  Close accepts NULL.
 */
INQ_MUST enum inq_status unwind_open(const struct inq_machine *m, struct unwinder **ret,
				     struct inq_err *err);
void unwind_close(struct unwinder *u);

/* A CPU's stack, from its registers on; without any, none and why. */
void unwind_cpu(struct unwinder *u, uint32_t cpu, struct unwind_stack *ret);

/*
 * A task's, by the address of its struct task_struct: one that runs has its CPU's registers, a dead
 * one no frame.
 * Errors: INQ_EABSENT, INQ_EFAULT, INQ_ENOTFOUND: nothing can be told of a task there.
 */
INQ_MUST enum inq_status unwind_task(struct unwinder *u, uint64_t task, struct unwind_stack *ret,
				     struct inq_err *err);

/* "function+0xoff/0xsize [module]", a BPF program's or trampoline's name, or "0x...". */
void unwind_name(struct unwinder *u, const struct unwind_frame *f, char *buf, size_t n);

#endif
