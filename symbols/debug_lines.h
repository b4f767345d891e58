/* Which source line an address is of, and through which inlined functions. For the child. */
#ifndef SYMBOLS_DEBUG_LINES_H
#define SYMBOLS_DEBUG_LINES_H

#include "symbols/debug_unit.h"

/*
 * The function that addr lies in, then what lies in it and holds addr as well: blocks, and
 * functions inlined, outermost first.  die is freed behind the call.
 */
typedef void debug_covering_fn(void *ctx, Dwarf_Die die, bool is_function);
void debug_each_covering(const struct debug_unit *u, uint64_t addr, debug_covering_fn *each,
			 void *ctx);

/*
 * Frames at addr as JOB_LINES answers them, room bytes at most.  What a unit tells only in part
 * is given in part.  Errors: INQ_ENOTFOUND (neither function nor line), those of debug_unit_open.
 */
INQ_MUST enum inq_status debug_lines_at(struct debug_file *f, uint64_t unit, uint64_t addr,
					uint8_t *buf, size_t room, size_t *ret_n,
					struct inq_err *err);

#endif
