/* What the files of the unwinder share.  For machine/unwind*.c only. */
#ifndef MACHINE_UNWIND_PARTS_H
#define MACHINE_UNWIND_PARTS_H

#include <inquest/names.h>
#include <inquest/types.h>

#include "machine/unwind.h"
#include "symbols/orc.h"
#include "vmcs/nested.h"

enum { UNWIND_CACHE = 1024, UNWIND_CODES_MOST = 65536, UNWIND_TRAMPOLINES = 4 };

/* A stack that belongs to a CPU, or to the task that is looked at. */
struct unwind_area {
	uint64_t first, last;
	uint32_t cpu;
	const char *kind; /* static */
	uint64_t task;    /* whose stack it is; 0: a CPU's */
};

/* Code outside the kernel's image and its modules. */
struct unwind_code {
	uint64_t first, last;
	uint64_t copy_of; /* a trampoline of ftrace: the code that it was copied from; else 0 */
	bool regs_at_sp;  /* what it calls finds struct pt_regs at the stack pointer */
	char name[64];    /* "bpf_prog_...", "ftrace trampoline" */
};

struct unwind_task_shape {
	struct inq_field stack, sp, on_cpu, users;
};

struct unwinder {
	const struct inq_machine *m;
	struct x86_64_memory mem;
	struct symbols_orc orc; /* nr 0: there is none */
	char no_orc[UNWIND_NOTE];
	uint64_t text_first, text_end; /* what most code lies in; both 0: unknown */

	struct unwind_module {
		bool asked;
		struct symbols_orc orc; /* nr 0: none */
	} * module;                     /* as inq_modules numbers them */
	const struct inq_module *modules;
	size_t nr_modules;

	uint64_t trampoline[UNWIND_TRAMPOLINES]; /* that take return addresses' places; 0: not here
						  */
	struct unwind_code *code;                /* ascending */
	size_t nr_code;

	struct unwind_area *area; /* of CPUs */
	size_t nr_areas;
	uint64_t *running;    /* the task of each CPU of the dump; 0: unknown */
	uint64_t stack_bytes; /* of a task's stack; 0: unknown */
	struct unwind_task_shape task;
	enum inq_status task_st; /* why there is no shape */
	struct inq_err task_why;
	size_t frame_bytes; /* struct inactive_task_frame; 0: unknown */
	struct inq_field frame_rip, frame_rbp;

	struct {
		uint64_t pc;
		bool used;
		struct inq_unwind_rule rule;
	} cache[UNWIND_CACHE];
};

/* Errors: INQ_ENOMEM; whatever the kernel does not have is left out. */
INQ_MUST enum inq_status unwind_find_stacks(struct unwinder *u, struct inq_err *err);
INQ_MUST enum inq_status unwind_find_code(struct unwinder *u, struct inq_err *err);

INQ_MUST enum inq_status unwind_find_probes(struct unwinder *u, struct inq_err *err);
INQ_MUST enum inq_status unwind_add_code(struct unwinder *u, const struct unwind_code *c,
					 struct inq_err *err);
/* Is it the address of a trampoline that took the place of a return address?  Which one. */
bool unwind_is_kept(const struct unwinder *u, uint64_t rip, size_t *ret_which);
/*
 * The address that was at slot of the task's stack; false: the task does not keep it.  *ret_says,
 * static: what is to be said of the frame, in both cases.
 */
bool unwind_true_return(const struct unwinder *u, size_t which, uint64_t task, uint64_t slot,
			uint64_t *ret, const char **ret_says);

/* The stack of a CPU that addr lies in, or NULL. */
const struct unwind_area *unwind_area_at(const struct unwinder *u, uint64_t addr);
/* The code outside that addr lies in, or NULL. */
const struct unwind_code *unwind_code_at(const struct unwinder *u, uint64_t addr);

/* The rule that holds at an address.  Errors: as symbols_orc_find. */
INQ_MUST enum inq_status unwind_rule_at(struct unwinder *u, uint64_t at,
					struct inq_unwind_rule *ret, struct inq_err *err);

/* Which of the kernel's CPUs a CPU of the dump is: by its per-CPU base, else by its number; the
   latter where its registers are not the kernel's, but of SMM or a guest. */
uint32_t unwind_os_cpu(const struct unwinder *u, const struct inq_cpu *cpu);
/* The task that CPU runs; false: unknown. */
bool unwind_current(const struct unwinder *u, uint32_t os_cpu, uint64_t *ret_task);

/* Climb from f, which was found how, and add what comes to ret.  own: the task's stack, or NULL. */
void unwind_climb(struct unwinder *u, const struct x86_64_frame *f, const char *how,
		  const struct unwind_area *own, struct unwind_stack *ret);
struct unwind_frame *unwind_add(struct unwind_stack *s, const struct x86_64_frame *f,
				const char *how, const char *mode);
void unwind_end(struct unwind_stack *s, bool complete, const char *fmt, ...) INQ_PRINTF(3, 4);

/* A stack of the kernel that begins at rs, on one of its CPUs. */
void unwind_kernel(struct unwinder *u, uint32_t os_cpu, const struct inq_regset *rs,
		   const char *how, struct unwind_stack *ret);
/*
 * One that no table tells of, in a space of linear addresses; virt NULL: where it lies is unknown.
 * Returns the frame of rs, NULL when there is no room for it or rip is unknown.
 */
struct unwind_frame *unwind_bare(const struct inq_regset *rs, const char *how, const char *mode,
				 const struct inq_space *virt, struct unwind_stack *ret);

/* The stack of a CPU in SMM, through what it interrupted. */
void unwind_smm(struct unwinder *u, const struct inq_cpu *cpu, struct unwind_stack *ret);
/* That of one in a guest of its own, through the hypervisor; false: it is in none. */
bool unwind_guest(struct unwinder *u, const struct inq_cpu *cpu, struct unwind_stack *ret);
/* That of any other. */
void unwind_machine(struct unwinder *u, const struct inq_cpu *cpu, struct unwind_stack *ret);
/* What a note with nested state tells; false: there is none, or it is damaged. */
bool unwind_nested(const struct inq_blob *b, struct vmcs_nested *ret);

/* What a system call's saved registers prove: its name and arguments; "" where it is none. */
void unwind_syscall(const struct unwinder *u, const struct x86_64_frame *f, char *buf, size_t n);

#endif
