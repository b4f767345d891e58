/* Source lines and inlined functions, from debug information where a file with it is at hand. */
#ifndef INQ_LINES_H
#define INQ_LINES_H

#include <inquest/machine.h>
#include <stdbool.h>

enum { INQ_LINES_FRAMES = 24, INQ_LINES_TEXT = 8192 };

struct inq_line_frame {
	const char *function; /* NULL: unknown */
	const char *file;     /* from where the kernel was compiled; NULL: unknown */
	uint32_t line;        /* 0: unknown */
	uint32_t column;      /* 0: unknown */
	bool inlined;         /* into the next frame */
};

/* Not to be copied: frames point into text. */
struct inq_lines {
	struct inq_line_frame frame[INQ_LINES_FRAMES]; /* innermost first */
	size_t nr;
	char text[INQ_LINES_TEXT];
};

/*
 * What is at addr, an address of the kernel or of a module as the dump has it.  For a return
 * address ask one byte before: the call may be the last of its line, or of its function.
 * Debug files are looked for when this is first asked, and read no more than it takes.
 * Errors: INQ_EABSENT (no debug file of that kernel: says where it looked), INQ_ENOTFOUND (the file
 * does not know the address), INQ_ECORRUPT, INQ_ELIMIT, INQ_EIO, INQ_ENOMEM.
 */
INQ_MUST enum inq_status inq_lines_at(const struct inq_machine *m, uint64_t addr,
				      struct inq_lines *ret, struct inq_err *err);

/* A variable of the kernel, as a debug file has it. */
struct inq_debug_var {
	uint64_t addr;  /* as the dump has it; of a per-CPU variable the offset from each CPU's */
	char type[128]; /* as C writes it: "struct page *[16]"; "": it cannot be said so */
};

/*
 * What the kernel's own type information lacks: where a variable is and of which type, also where
 * two files have one of that name (then the first).  The first question about a kernel takes a
 * second.  Errors: those of inq_lines_at; INQ_ENOTFOUND: no such variable.
 */
INQ_MUST enum inq_status inq_debug_var(const struct inq_machine *m, const char *name,
				       struct inq_debug_var *ret, struct inq_err *err);

#endif
