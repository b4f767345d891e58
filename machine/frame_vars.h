/*
 * Parameters and variables of a backtrace's frames, where a debug file tells where they are and the
 * registers that it takes are known.  What is not known is said, never guessed.
 */
#ifndef MACHINE_FRAME_VARS_H
#define MACHINE_FRAME_VARS_H

#include "machine/unwind.h"

struct frame_vars;

/*
 * Of a stack that was climbed; both must outlive it.  Registers that functions saved, as the debug
 * file tells, become known in the stack's frames.  Errors: INQ_ENOMEM.  Close accepts NULL.
 */
INQ_MUST enum inq_status frame_vars_open(const struct inq_machine *m, struct unwind_stack *stack,
					 struct frame_vars **ret, struct inq_err *err);
void frame_vars_close(struct frame_vars *v);

enum frame_vars_which { FRAME_PARAMETERS, FRAME_VARIABLES };

/*
 * "count=2, buf=0xffff888003a28000, pos=<unknown>" of the function at that depth of a frame, as
 * frames of inq_lines count; cut to n bytes, then it ends with "...".  False and "": it has none,
 * or no debug file tells.  <optimized out>: it is nowhere at that place.  <unknown>: it depends on
 * what the dump does not tell.
 */
bool frame_vars_text(struct frame_vars *v, unsigned int frame, size_t depth,
		     enum frame_vars_which which, char *buf, size_t n);

#endif
