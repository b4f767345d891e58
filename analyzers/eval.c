/*
 * Knows where control goes: conditions, branches, calls and returns over a frozen machine.  What
 * plain instructions compute is eval_ops.c's.  Source: SDM vol. 1, chapters 6 and 7.3.8.
 */
#include "analyzers/eval.h"

#include <string.h>

#include "analyzers/eval_mem.h"
#include "analyzers/eval_ops.h"

static const struct eval_sym no_sym = {.load = -1};

bool eval_begin(struct eval *e, const struct inq_cpu *cpu, struct eval_state *ret_state)
{
	const struct inq_regset *rs = &cpu->regs;
	enum x86_64_mode mode = x86_64_mode_of(rs);

	if (mode == X86_64_MODE_UNKNOWN || !cpu->virt || !inq_reg_known(rs, X86_64_RIP))
		return false;
	memset(e, 0, sizeof(*e));
	e->cpu = cpu;
	e->mode = mode;
	memset(ret_state, 0, sizeof(*ret_state));
	for (int i = 0; i < EVAL_GPRS; i++) {
		ret_state->gpr[i] = eval_constant(rs->v[X86_64_RAX + i]);
		if (!inq_reg_known(rs, (unsigned int)(X86_64_RAX + i)))
			ret_state->gpr[i].known = 0;
	}
	ret_state->rip = rs->v[X86_64_RIP];
	if (!eval_stack_top(e, ret_state, &e->floor))
		e->floor = 0;
	if (inq_reg_known(rs, X86_64_RFLAGS)) {
		uint64_t f = rs->v[X86_64_RFLAGS]; /* SDM vol. 1, 3.4.3 */
		ret_state->fl = (struct eval_flags){.known = true,
						    .cf = f & 1,
						    .pf = f >> 2 & 1,
						    .zf = f >> 6 & 1,
						    .sf = f >> 7 & 1,
						    .of = f >> 11 & 1,
						    .sym = no_sym};
	}
	return true;
}

bool eval_cc(const struct eval_flags *f, int cc)
{
	bool r = false;

	switch (cc & 0xe) { /* SDM vol. 2, appendix B.1.4.7 */
	case 0x0:
		r = f->of;
		break;
	case 0x2:
		r = f->cf;
		break;
	case 0x4:
		r = f->zf;
		break;
	case 0x6:
		r = f->cf || f->zf;
		break;
	case 0x8:
		r = f->sf;
		break;
	case 0xa:
		r = f->pf;
		break;
	case 0xc:
		r = f->sf != f->of;
		break;
	default:
		r = f->zf || f->sf != f->of;
		break;
	}
	return r != (cc & 1);
}

uint64_t eval_next(const struct eval *e, const struct x86_64_insn *in)
{
	uint64_t next = in->rip + in->len;

	return e->mode == X86_64_MODE_LONG ? next : (uint32_t)next;
}

uint64_t eval_edge(const struct eval *e, const struct x86_64_insn *in, bool taken)
{
	return taken ? in->target : eval_next(e, in);
}

/* JCXZ and LOOPcc: the opcode is the last but one byte, the address size chooses the counter. */
static enum eval_stop step_count(const struct eval *e, struct eval_state *s,
				 const struct x86_64_insn *in)
{
	enum { LOOPNE = 0xe0, LOOPE = 0xe1, JCXZ = 0xe3 };
	uint8_t opcode = in->bytes[in->len - 2];
	struct x86_64_op counter = {
		.kind = X86_64_OP_REG, .bytes = in->addr_bits / 8, .reg = X86_64_RCX};
	struct eval_val c = eval_reg_read(s, &counter);
	bool on_zf = opcode == LOOPNE || opcode == LOOPE;

	if (!eval_known(&c, counter.bytes) || (on_zf && !s->fl.known))
		return EVAL_FORK;
	if (opcode != JCXZ) {
		c.v = (c.v - 1) & eval_mask(counter.bytes);
		c.sym = no_sym;
		eval_reg_write(s, &counter, c);
	}
	bool taken = opcode == JCXZ ? !c.v : c.v && (!on_zf || s->fl.zf == (opcode == LOOPE));
	s->rip = eval_edge(e, in, taken);
	return EVAL_GO;
}

static enum eval_stop step_branch(const struct eval *e, struct eval_state *s,
				  const struct x86_64_insn *in)
{
	int cc = x86_64_insn_cc(in);

	if (cc < 0)
		return step_count(e, s, in);
	if (!s->fl.known)
		return EVAL_FORK;
	s->rip = eval_edge(e, in, eval_cc(&s->fl, cc));
	return EVAL_GO;
}

bool eval_is_call(const struct x86_64_insn *in)
{
	int i = 0;

	if (in->cls != X86_64_CLASS_INDIRECT)
		return in->cls == X86_64_CLASS_CALL;
	while (i + 2 < in->len && in->bytes[i] != 0xff) /* prefixes */
		i++;
	return in->bytes[i] == 0x9a || (in->bytes[i] == 0xff && (in->bytes[i + 1] >> 4 & 3) == 1);
}

/* Through a register, as long as no memory decides what is in it. */
static enum eval_stop step_indirect(struct eval *e, struct eval_state *s,
				    const struct x86_64_insn *in)
{
	bool call = eval_is_call(in);
	struct eval_val to = {.taint = 1};
	enum eval_stop stop = EVAL_GO;

	if (in->nr_ops && in->op[0].kind == X86_64_OP_REG && in->op[0].reg >= 0)
		to = eval_reg_read(s, &in->op[0]);
	if (!e->stack || to.taint || !eval_known(&to, in->op[0].bytes))
		return call ? EVAL_CALL : EVAL_LEAVE;
	if (call)
		stop = eval_push(e, s, eval_constant(eval_next(e, in)), in->op[0].bytes);
	if (stop == EVAL_GO)
		s->rip = to.v;
	return stop;
}

static enum eval_stop step_call(struct eval *e, struct eval_state *s, const struct x86_64_insn *in)
{
	enum eval_stop stop = EVAL_CALL;

	if (e->stack)
		stop = eval_push(e, s, eval_constant(eval_next(e, in)), in->op_bits / 8u);
	if (e->stack && stop == EVAL_GO)
		s->rip = in->target;
	return stop;
}

/* Near returns; where all others lead, the stack alone does not say. */
static bool is_near_ret(const struct x86_64_insn *in)
{
	uint8_t opcode = in->bytes[in->len - (in->nr_ops ? 3 : 1)];

	return opcode == 0xc3 || (in->nr_ops && opcode == 0xc2);
}

static enum eval_stop step_ret(struct eval *e, struct eval_state *s, const struct x86_64_insn *in)
{
	uint64_t more = in->nr_ops ? (uint64_t)in->op[0].imm & 0xffff : 0;
	struct eval_state next = *s;
	struct eval_val to;

	if (!is_near_ret(in))
		return EVAL_LEAVE;
	enum eval_stop stop = eval_pop(e, &next, in, in->op_bits / 8u, more, &to);
	if (stop != EVAL_GO)
		return stop;
	if (!eval_known(&to, in->op_bits / 8u))
		return EVAL_LEAVE;
	next.rip = to.v & eval_mask(in->op_bits / 8u);
	*s = next;
	return EVAL_GO;
}

enum eval_stop eval_step(struct eval *e, struct eval_state *s, const struct x86_64_insn *in)
{
	e->store = (struct eval_noted){0};
	switch (in->cls) {
	case X86_64_CLASS_PLAIN:
		return eval_plain(e, s, in);
	case X86_64_CLASS_JMP:
		s->rip = in->target;
		return EVAL_GO;
	case X86_64_CLASS_JCC:
		return step_branch(e, s, in);
	case X86_64_CLASS_CALL:
		return step_call(e, s, in);
	case X86_64_CLASS_RET:
		return step_ret(e, s, in);
	case X86_64_CLASS_INDIRECT:
		return step_indirect(e, s, in);
	case X86_64_CLASS_HLT:
		return EVAL_HALT;
	case X86_64_CLASS_TIMER:
		return EVAL_TIMER;
	case X86_64_CLASS_IO:
	case X86_64_CLASS_SYSTEM:
	case X86_64_CLASS_OTHER:
		break;
	}
	return EVAL_OUTSIDE;
}
