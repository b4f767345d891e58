/*
 * Knows which registers decide what happens next: those that a branch, an address or a store hangs
 * on, and those that these are made from.  Source: SDM vol. 2, the instructions' own pages.
 */
#include "analyzers/liveness.h"

#include "analyzers/eval.h"

static uint32_t bit_of(int reg)
{
	return reg >= 0 && reg < EVAL_GPRS ? UINT32_C(1) << reg : 0;
}

static uint32_t op_uses(const struct x86_64_op *op)
{
	return op->kind == X86_64_OP_MEM ? bit_of(op->base) | bit_of(op->index) : 0;
}

static bool sets_all_flags(enum x86_64_mn mn)
{
	return mn == X86_64_MN_TEST || mn == X86_64_MN_CMP || mn == X86_64_MN_AND ||
	       mn == X86_64_MN_OR || mn == X86_64_MN_XOR || mn == X86_64_MN_ADD ||
	       mn == X86_64_MN_SUB || mn == X86_64_MN_NEG || mn == X86_64_MN_CMPXCHG;
}

static bool touches_flags(enum x86_64_mn mn)
{
	return sets_all_flags(mn) || mn == X86_64_MN_INC || mn == X86_64_MN_DEC ||
	       mn == X86_64_MN_SHL || mn == X86_64_MN_SHR || mn == X86_64_MN_BT;
}

/* Stores matter for what they write, and so does all that moves the stack pointer. */
static bool touches_memory(const struct x86_64_insn *in)
{
	for (int i = 0; i < in->nr_ops; i++)
		if (in->op[i].kind == X86_64_OP_MEM && in->op[i].write)
			return true;
	return in->mn == X86_64_MN_PUSH || in->mn == X86_64_MN_CMPXCHG;
}

/* Registers that are read or written without an operand that says so. */
static uint32_t hidden_uses(const struct x86_64_insn *in)
{
	if (in->mn == X86_64_MN_PUSH || in->mn == X86_64_MN_POP)
		return bit_of(X86_64_RSP);
	return in->mn == X86_64_MN_CMPXCHG ? bit_of(X86_64_RAX) : 0;
}

static uint32_t live_before_branch(const struct x86_64_insn *in, uint32_t live)
{
	enum { LOOPE = 0xe1 };

	if (in->cls == X86_64_CLASS_CALL || in->cls == X86_64_CLASS_RET)
		return live | bit_of(X86_64_RSP);
	if (in->cls == X86_64_CLASS_INDIRECT)
		return live | bit_of(X86_64_RSP) | bit_of(in->op[0].reg);
	if (in->cls != X86_64_CLASS_JCC)
		return live;
	if (x86_64_insn_cc(in) >= 0)
		return live | 1u << LIVENESS_FLAGS;
	live |= bit_of(X86_64_RCX); /* JCXZ, LOOPcc */
	return in->bytes[in->len - 2] <= LOOPE ? live | 1u << LIVENESS_FLAGS : live;
}

/* Which registers (and flags) decide what happens from in on, given those that do behind it. */
uint32_t liveness_before(const struct x86_64_insn *in, uint32_t live)
{
	uint32_t uses = 0, written = 0, addresses = hidden_uses(in);

	if (in->cls != X86_64_CLASS_PLAIN)
		return live_before_branch(in, live);
	for (int i = 0; i < in->nr_ops; i++) {
		const struct x86_64_op *op = &in->op[i];
		if (op->kind == X86_64_OP_REG && op->read)
			uses |= bit_of(op->reg);
		if (op->kind == X86_64_OP_REG && op->write)
			written |= bit_of(op->reg);
		if (op->agen)
			uses |= op_uses(op);
		else
			addresses |= op_uses(op);
	}
	if (in->mn == X86_64_MN_SETCC)
		uses |= 1u << LIVENESS_FLAGS;
	bool matters = (written & live) || touches_memory(in) ||
		       (touches_flags(in->mn) && live >> LIVENESS_FLAGS & 1);
	for (int i = 0; i < in->nr_ops; i++) /* only a full write forgets what was there */
		if (in->op[i].kind == X86_64_OP_REG && in->op[i].write && in->op[i].bytes >= 4)
			live &= ~bit_of(in->op[i].reg);
	if (sets_all_flags(in->mn))
		live &= ~(1u << LIVENESS_FLAGS);
	return live | addresses | (matters ? uses : 0);
}
