/* What symbols/debug_info.c and the child that libdwarf runs in ask each other. */
#ifndef SYMBOLS_DEBUG_JOB_H
#define SYMBOLS_DEBUG_JOB_H

#include "base/child.h"
#include "symbols/build_id.h"

enum {
	JOB_ROOM = 1 << 20, /* bytes of an answer */
	JOB_NAME_MAX = 512, /* of a name or a path; longer ones are cut */
	JOB_TYPE_MAX = 128,
	JOB_FRAMES_MAX = 24,  /* one inlined into the other */
	JOB_SECTION_MAX = 64, /* of a section's name */
};

/* The first argument of a call. */
enum job_call {
	/* answer: struct job_info */
	JOB_INFO,
	/* arg 1: how many loaded sections to pass over; answer: struct job_section each */
	JOB_LOADED,
	/* arg 1: how many stretches to pass over; answer: struct job_range each, none: no more */
	JOB_RANGES,
	/* arg 1: unit, 2: address; answer: frames, innermost first, each a struct job_frame and
	   behind it the texts */
	JOB_LINES,
	/* arg 1: how many variables to pass over; answer: struct job_range each, .first and .last
	   job_name_key of the name, .unit where it is; none: no more */
	JOB_VARS,
	/* arg 1: where it is; answer: struct job_var */
	JOB_VAR,
	/* arg 1: unit, 2: address; answer: struct job_scope_head, struct job_op of the frame base,
	   then variables, each a struct job_scope_var, behind it its name and struct job_op */
	JOB_SCOPE,
	/* arg 1: address; answer: struct job_saved */
	JOB_SAVED,
};

struct job_info {
	uint64_t info_bytes; /* of .debug_info; 0: there is none */
	uint64_t line_bytes;
	uint32_t relocatable; /* its addresses are made up: see debug_elf_made_up */
	uint32_t pad;
	char build_id[SYMBOLS_BUILD_ID]; /* ""; there is none */
};

struct job_section {
	uint64_t addr, bytes;
	char name[JOB_SECTION_MAX];
};

struct job_range {
	uint64_t first, last; /* addresses; inclusive */
	uint64_t unit;        /* offset in .debug_info */
};

struct job_frame {
	uint32_t line, column; /* 0: unknown */
	uint32_t function_bytes, file_bytes;
	uint32_t inlined;
	uint32_t pad;
};

struct job_var {
	uint64_t addr;
	char name[JOB_NAME_MAX];
	char type[JOB_TYPE_MAX]; /* as C writes it: "struct page *"; "": unknown */
};

struct job_op {
	uint64_t op, a, b; /* DW_OP_... and its operands */
};

struct job_scope_head {
	uint32_t nr_base, pad; /* operations of the function's frame base */
};

enum job_kind { JOB_OTHER, JOB_SIGNED, JOB_UNSIGNED, JOB_BOOL, JOB_POINTER, JOB_KINDS };

struct job_scope_var {
	uint32_t depth;              /* of its function, as frames of JOB_LINES count */
	uint32_t is_parameter;       /* else a variable of the function's own */
	uint32_t kind;               /* enum job_kind */
	uint32_t name_bytes, nr_ops; /* no operations: it is nowhere */
	uint32_t is_value;           /* the one operation's operand is its value */
	uint64_t bytes;              /* of its type; 0: unknown */
};

/* Where the caller's registers are, by DWARF's numbers. */
enum job_saved_how { JOB_SAVED_LOST, JOB_SAVED_SAME, JOB_SAVED_AT_CFA, JOB_SAVED_HOWS };
enum { JOB_SAVED_REGS = 16 };
struct job_saved {
	struct {
		int32_t how, off; /* enum job_saved_how; from the frame address */
	} reg[JOB_SAVED_REGS];
};

/* A name as a number, FNV-1a; two names may have the same. */
static inline uint64_t job_name_key(const char *name)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	while (*name)
		h = (h ^ (uint8_t)*name++) * UINT64_C(0x100000001b3);
	return h;
}

/* In the child: see struct child_job. */
enum inq_status debug_job_open(const struct child_job *job, void **ret_state, struct inq_err *err);
enum inq_status debug_job_serve(void *state, const struct child_call *call, uint8_t *buf,
				size_t room, size_t *ret_n, struct inq_err *err);

#endif
