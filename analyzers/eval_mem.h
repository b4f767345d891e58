/* Memory, as the evaluator's instructions see it.  For eval.c alone. */
#ifndef ANALYZERS_EVAL_MEM_H
#define ANALYZERS_EVAL_MEM_H

#include "analyzers/eval.h"

/*
 * The value at linear, known or not; the load is noted as the value's origin.  op: how the address
 * was made, NULL by the stack pointer.  False: it cannot be read, e->err says why.
 */
bool eval_load(struct eval *e, const struct eval_state *s, const struct x86_64_insn *in,
	       uint64_t linear, const struct x86_64_op *op, unsigned int bytes,
	       struct eval_val *ret);

/* EVAL_GO, or EVAL_STORE when memory that others see would change and e does not go on there. */
enum eval_stop eval_store(struct eval *e, const struct eval_state *s, const struct x86_64_op *op,
			  uint64_t linear, unsigned int bytes, struct eval_val v);

enum eval_stop eval_push(struct eval *e, struct eval_state *s, struct eval_val v,
			 unsigned int bytes);

/* The word at the top of the stack; RSP moves over it and over as many bytes more. */
enum eval_stop eval_pop(struct eval *e, struct eval_state *s, const struct x86_64_insn *in,
			unsigned int bytes, uint64_t more, struct eval_val *ret);

#endif
