/* Registers and plain instructions.  For eval.c alone. */
#ifndef ANALYZERS_EVAL_OPS_H
#define ANALYZERS_EVAL_OPS_H

#include "analyzers/eval.h"

static inline bool eval_known(const struct eval_val *v, unsigned int bytes)
{
	return (v->known & eval_mask(bytes)) == eval_mask(bytes);
}

static inline struct eval_val eval_constant(uint64_t v)
{
	return (struct eval_val){.v = v, .known = ~UINT64_C(0), .sym = {.load = -1}};
}

/* The part of a general register that an operand names; and putting a value there. */
struct eval_val eval_reg_read(const struct eval_state *s, const struct x86_64_op *op);
void eval_reg_write(struct eval_state *s, const struct x86_64_op *op, struct eval_val v);

/* RIP behind the instruction. */
uint64_t eval_next(const struct eval *e, const struct x86_64_insn *in);

/* An instruction of X86_64_CLASS_PLAIN, as eval_step. */
enum eval_stop eval_plain(struct eval *e, struct eval_state *s, const struct x86_64_insn *in);

#endif
