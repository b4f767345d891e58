/* Variables of a file: where they are, and of which type. For the child. */
#ifndef SYMBOLS_DEBUG_VARS_H
#define SYMBOLS_DEBUG_VARS_H

#include "symbols/debug_index.h"

/*
 * All variables of files and functions that have an address: .first and .last are the name as
 * job_name_key makes a number of it, .unit is where it is defined.  Of several of one name the
 * first counts.  Errors: those of debug_index_ranges.
 */
INQ_MUST enum inq_status debug_index_vars(struct debug_file *f, struct debug_ranges *ret,
					  struct inq_err *err);

/* What JOB_VAR answers of the variable at off.  Errors: INQ_ENOTFOUND, INQ_ECORRUPT, ... */
INQ_MUST enum inq_status debug_var_at(struct debug_file *f, uint64_t off, uint8_t *buf, size_t room,
				      size_t *ret_n, struct inq_err *err);

#endif
