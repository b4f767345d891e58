/* Which source line an address is of, and through which inlined functions. For the child. */
#ifndef SYMBOLS_DEBUG_LINES_H
#define SYMBOLS_DEBUG_LINES_H

#include "symbols/debug_unit.h"

/*
 * Frames at addr as JOB_LINES answers them, room bytes at most.  What a unit tells only in part
 * is given in part.  Errors: INQ_ENOTFOUND (neither function nor line), those of debug_unit_open.
 */
INQ_MUST enum inq_status debug_lines_at(struct debug_file *f, uint64_t unit, uint64_t addr,
					uint8_t *buf, size_t room, size_t *ret_n,
					struct inq_err *err);

#endif
