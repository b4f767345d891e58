/*
 * A file with debug information (DWARF): lines and inlined functions at an address.  libdwarf reads
 * it in a child of its own, started when it is first needed; it reads the one unit that is asked
 * about, not the file.
 */
#ifndef SYMBOLS_DEBUG_INFO_H
#define SYMBOLS_DEBUG_INFO_H

#include <inquest/lines.h>

#include "symbols/build_id.h"

struct debug_info;

/*
 * cache is a folder that may hold what was found out before, and gets what is found out now; NULL:
 * none.  Both are copied.  Errors: INQ_EIO, INQ_ENOTFOUND (it has no debug information),
 * INQ_EUNSUPPORTED (no ELF file of x86-64), INQ_ECORRUPT, INQ_ELIMIT, INQ_ENOMEM.
 */
INQ_MUST enum inq_status debug_info_open(const char *path, const char *cache,
					 struct debug_info **ret, struct inq_err *err);
void debug_info_close(struct debug_info *d); /* accepts NULL */

const char *debug_info_path(const struct debug_info *d);
const char *debug_info_build_id(const struct debug_info *d); /* ""; it has none */

/*
 * Where a section lies that is loaded to memory, as the file has it: in a module, which is linked
 * when it is loaded, a number made up.  False: there is no such section.
 */
bool debug_info_section(const struct debug_info *d, const char *name, uint64_t *ret_addr,
			uint64_t *ret_bytes);

/*
 * Frames at an address of the file: see inq_lines.  Errors: INQ_ENOTFOUND (nothing is known of it),
 * INQ_ECORRUPT (also: libdwarf died of it), INQ_ELIMIT, INQ_EIO, INQ_ENOMEM.
 */
INQ_MUST enum inq_status debug_info_lines(struct debug_info *d, uint64_t addr,
					  struct inq_lines *ret, struct inq_err *err);

/* A variable of the file. */
struct debug_var {
	uint64_t addr;  /* as the file has it */
	char type[128]; /* as C writes it: "struct page *[16]"; "": it cannot be said so */
};

/*
 * The variable of that name; of several the first in the file.  The first question makes a list of
 * all names, which takes a second for a kernel, and keeps it in the cache.
 * Errors: INQ_ENOTFOUND, and those of debug_info_lines.
 */
INQ_MUST enum inq_status debug_info_var(struct debug_info *d, const char *name,
					struct debug_var *ret, struct inq_err *err);

/* Parameters and variables that are in scope at an address. */
enum { DEBUG_SCOPE_VARS = 256, DEBUG_SCOPE_OPS = 2048, DEBUG_SCOPE_TEXT = 16384 };
enum debug_kind { DEBUG_OTHER, DEBUG_SIGNED, DEBUG_UNSIGNED, DEBUG_BOOL, DEBUG_POINTER };

struct debug_op {
	uint64_t op, a, b; /* DW_OP_... and its operands */
};

struct debug_ops {
	const struct debug_op *at;
	size_t nr; /* 0: it is nowhere */
};

struct debug_scope {
	struct debug_ops base; /* of the function's frame; nr 0: unknown */
	struct debug_scope_var {
		const char *name;
		size_t depth;      /* of its function, as frames of inq_lines count */
		bool is_parameter; /* else a variable */
		bool is_value;     /* the one operation's operand is its value */
		enum debug_kind kind;
		uint64_t bytes; /* of its type; 0: unknown */
		struct debug_ops where;
	} var[DEBUG_SCOPE_VARS];
	size_t nr;
	struct debug_op ops[DEBUG_SCOPE_OPS];
	char text[DEBUG_SCOPE_TEXT];
};

/* *ret is not to be copied.  Errors: those of debug_info_lines. */
INQ_MUST enum inq_status debug_info_scope(struct debug_info *d, uint64_t addr,
					  struct debug_scope *ret, struct inq_err *err);
/* The same of what a child answered, for its fuzzer.  Errors: INQ_ECORRUPT, INQ_ELIMIT. */
INQ_MUST enum inq_status debug_info_take_scope(const uint8_t *p, size_t n, struct debug_scope *ret,
					       struct inq_err *err);

/*
 * Where a function keeps its caller's registers, by DWARF's numbers, when the call frame
 * information of the file tells.  Errors: those of debug_info_lines.
 */
enum debug_saved { DEBUG_LOST, DEBUG_SAME, DEBUG_AT_CFA };
struct debug_saved_regs {
	struct {
		enum debug_saved how;
		int32_t off; /* from the frame address */
	} reg[16];
};
INQ_MUST enum inq_status debug_info_saved(struct debug_info *d, uint64_t addr,
					  struct debug_saved_regs *ret, struct inq_err *err);
/* The same of what a child answered.  Errors: INQ_ECORRUPT. */
INQ_MUST enum inq_status debug_info_take_saved(const uint8_t *p, size_t n,
					       struct debug_saved_regs *ret, struct inq_err *err);

/* What a child answered, for its fuzzer.  Errors: INQ_ENOTFOUND (another name), INQ_ECORRUPT. */
INQ_MUST enum inq_status debug_info_take_var(const uint8_t *p, size_t n, const char *name,
					     struct debug_var *ret, struct inq_err *err);

/*
 * What a child answered, made into frames, for debug_info_lines and its fuzzer.
 * Errors: INQ_ECORRUPT.
 */
INQ_MUST enum inq_status debug_info_take_lines(const uint8_t *p, size_t n, struct inq_lines *ret,
					       struct inq_err *err);

#endif
