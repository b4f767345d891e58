/* Parameters and variables that are in scope at an address, and who keeps registers. For the child.
 */
#ifndef SYMBOLS_DEBUG_SCOPE_H
#define SYMBOLS_DEBUG_SCOPE_H

#include "symbols/debug_job.h"
#include "symbols/debug_unit.h"

/*
 * What JOB_SCOPE answers.  A variable whose location cannot be read is nowhere; those that room
 * does not hold are left out.  Errors: INQ_ENOTFOUND (no function), those of debug_unit_open.
 */
INQ_MUST enum inq_status debug_scope_at(struct debug_file *f, uint64_t unit, uint64_t addr,
					uint8_t *buf, size_t room, size_t *ret_n,
					struct inq_err *err);

/*
 * What JOB_SAVED answers, by .debug_frame.  Errors: INQ_ENOTFOUND (it does not know the address),
 * INQ_ECORRUPT.
 */
INQ_MUST enum inq_status debug_saved_at(struct debug_file *f, uint64_t addr, struct job_saved *ret,
					struct inq_err *err);

#endif
