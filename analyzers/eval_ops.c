/*
 * Knows what a few dozen integer instructions do to registers and flags, with unknown values and
 * the origin of each carried along.  Source: SDM vol. 2, the instructions' own pages.
 */
#include "analyzers/eval_ops.h"

#include <string.h>

#include "analyzers/eval_mem.h"

static const struct eval_sym no_sym = {.load = -1};

struct eval_val eval_reg_read(const struct eval_state *s, const struct x86_64_op *op)
{
	struct eval_val v = s->gpr[op->reg];

	v.v = (v.v >> op->shift) & eval_mask(op->bytes);
	v.known >>= op->shift;
	if (op->shift || op->bytes > v.sym_bytes)
		v.sym = no_sym;
	else
		v.sym.mask &= eval_mask(op->bytes);
	if (v.sym.load >= 0 && v.sym.add && op->bytes != v.sym_bytes)
		v.sym = no_sym;
	return v;
}

/* 1: *ret is the operand's value; 0: an operand of a kind not followed; -1: unreadable. */
static int read_op(struct eval *e, const struct eval_state *s, const struct x86_64_insn *in,
		   const struct x86_64_op *op, struct eval_val *ret)
{
	uint64_t linear = 0;

	switch (op->kind) {
	case X86_64_OP_IMM:
		*ret = eval_constant((uint64_t)op->imm);
		return 1;
	case X86_64_OP_REG:
		if (op->reg < 0 || op->reg >= EVAL_GPRS)
			return 0;
		*ret = eval_reg_read(s, op);
		return 1;
	case X86_64_OP_MEM:
		if (!eval_address(e, s, op, in, &linear)) {
			*ret = (struct eval_val){
				.sym = no_sym}; /* unknown address, unknown value */
			return 1;
		}
		return eval_load(e, s, in, linear, op, op->bytes, ret) ? 1 : -1;
	case X86_64_OP_NONE:
		break;
	}
	return 0;
}

void eval_reg_write(struct eval_state *s, const struct x86_64_op *op, struct eval_val v)
{
	struct eval_val *r = &s->gpr[op->reg];
	uint64_t m = eval_mask(op->bytes) << op->shift;

	if (op->bytes >= 4) { /* SDM vol. 1, 3.4.1.1: 32-bit results are zero-extended */
		*r = v;
		r->v &= eval_mask(op->bytes);
		if (op->bytes == 4)
			r->known |= ~eval_mask(4);
		r->sym_bytes = op->bytes == 4 && v.sym_bytes >= 4 && !v.sym.add ? 8 : op->bytes;
		return;
	}
	r->v = (r->v & ~m) | ((v.v << op->shift) & m);
	r->known = (r->known & ~m) | ((v.known << op->shift) & m);
	r->taint |= v.taint;
	r->sym = op->shift ? no_sym : v.sym;
	r->sym_bytes = op->bytes;
}

/* Puts v into the destination.  A store is only noted. */
static enum eval_stop write_op(struct eval *e, struct eval_state *s, const struct x86_64_insn *in,
			       const struct x86_64_op *op, struct eval_val v)
{
	if (op->kind == X86_64_OP_REG) {
		if (op->reg < 0 || op->reg >= EVAL_GPRS)
			return EVAL_OUTSIDE;
		eval_reg_write(s, op, v);
		return EVAL_GO;
	}
	if (op->kind != X86_64_OP_MEM)
		return EVAL_OUTSIDE;
	uint64_t linear = 0;
	if (eval_address(e, s, op, in, &linear))
		return eval_store(e, s, op, linear, op->bytes, v);
	e->store = (struct eval_noted){.any = true, .bytes = op->bytes};
	return e->follow ? EVAL_GO : EVAL_STORE;
}

static bool parity(uint64_t v)
{
	return !(__builtin_popcountll(v & 0xff) & 1);
}

static void set_result(struct eval_flags *f, uint64_t r, unsigned int bytes)
{
	r &= eval_mask(bytes);
	f->zf = !r;
	f->sf = r >> (8 * bytes - 1) & 1;
	f->pf = parity(r);
}

/* Flags of a - b (sub) or a + b, over bytes. */
static struct eval_flags arith_flags(const struct eval_val *a, const struct eval_val *b, bool sub,
				     unsigned int bytes)
{
	uint64_t m = eval_mask(bytes), x = a->v & m, y = b->v & m, r = (sub ? x - y : x + y) & m;
	uint64_t over = sub ? (x ^ y) & (x ^ r) : ~(x ^ y) & (x ^ r);
	struct eval_flags f = {.known = eval_known(a, bytes) && eval_known(b, bytes),
			       .cf = sub ? x < y : r < x,
			       .of = over >> (8 * bytes - 1) & 1,
			       .taint = a->taint | b->taint,
			       .bytes = (uint8_t)bytes,
			       .sym = no_sym};
	set_result(&f, r, bytes);
	if (sub && a->sym.load >= 0 && !b->taint && eval_known(b, bytes)) {
		f.about = EVAL_ABOUT_CMP;
		f.sym = a->sym;
		f.rhs = y;
	} else if (sub && b->sym.load >= 0 && eval_known(a, bytes)) {
		f.about = EVAL_ABOUT_CMP;
		f.swapped = true;
		f.sym = b->sym;
		f.rhs = x;
	}
	return f;
}

static struct eval_flags logic_flags(uint64_t r, bool known, uint32_t taint, unsigned int bytes)
{
	struct eval_flags f = {
		.known = known, .taint = taint, .bytes = (uint8_t)bytes, .sym = no_sym};

	set_result(&f, r, bytes);
	return f;
}

/* x AND y: a mask over a load keeps its origin. */
static struct eval_val and_of(const struct eval_val *x, const struct eval_val *y,
			      unsigned int bytes)
{
	const struct eval_val *l = x->sym.load >= 0 ? x : y, *k = l == x ? y : x;
	/* a known zero bit decides, whatever the other side is */
	uint64_t zeros = (x->known & ~x->v) | (y->known & ~y->v);
	struct eval_val r = {.v = x->v & y->v,
			     .known = (x->known & y->known) | zeros,
			     .taint = x->taint | y->taint,
			     .sym = no_sym,
			     .sym_bytes = (uint8_t)bytes};

	if (l->sym.load >= 0 && !l->sym.add && !k->taint && eval_known(k, bytes)) {
		r.sym = l->sym;
		r.sym.mask &= k->v;
	} else if (x->sym.load >= 0 && x->sym.load == y->sym.load && x->v == y->v) {
		r.sym = x->sym; /* AND r,r */
	}
	return r;
}

static void about_masked(struct eval_flags *f, const struct eval_val *r)
{
	if (r->sym.load < 0 || r->sym.add)
		return;
	f->about = EVAL_ABOUT_TEST;
	f->sym = r->sym;
	f->rhs = r->sym.mask & eval_mask(f->bytes);
}

static bool same_register(const struct x86_64_insn *in)
{
	const struct x86_64_op *a = &in->op[0], *b = &in->op[1];

	return a->kind == X86_64_OP_REG && b->kind == X86_64_OP_REG && a->reg == b->reg &&
	       a->shift == b->shift;
}

typedef enum eval_stop step_fn(struct eval *e, struct eval_state *s, const struct x86_64_insn *in,
			       const struct eval_val v[2]);

static enum eval_stop step_mov(struct eval *e, struct eval_state *s, const struct x86_64_insn *in,
			       const struct eval_val v[2])
{
	struct eval_val r = v[1];
	unsigned int from = in->op[1].bytes, to = in->op[0].bytes;

	if (to > from && in->op[1].kind != X86_64_OP_IMM) {
		uint64_t m = eval_mask(from);
		bool negative = r.v >> (8 * from - 1) & 1;
		r.v &= m;
		if (in->mn == X86_64_MN_MOVZX) {
			r.known |= ~m;
		} else { /* MOVSX, MOVSXD: as known as the sign is */
			r.known = r.known >> (8 * from - 1) & 1 ? r.known | ~m : r.known & m;
			r.v |= negative ? ~m : 0;
			r.sym = negative ? no_sym : r.sym;
		}
		r.sym_bytes = r.sym.add ? (uint8_t)from : 8;
	}
	return write_op(e, s, in, &in->op[0], r);
}

static enum eval_stop step_lea(struct eval *e, struct eval_state *s, const struct x86_64_insn *in,
			       const struct eval_val v[2])
{
	const struct x86_64_op *op = &in->op[1];
	struct eval_val r = eval_constant((uint64_t)op->disp);

	(void)v;
	if (op->base >= EVAL_GPRS || op->index >= EVAL_GPRS)
		return EVAL_OUTSIDE;
	if (op->base >= 0) {
		r.v += s->gpr[op->base].v;
		r.known &= s->gpr[op->base].known;
		r.taint |= s->gpr[op->base].taint;
	}
	if (op->index >= 0) {
		r.v += s->gpr[op->index].v * op->scale;
		r.known &= s->gpr[op->index].known;
		r.taint |= s->gpr[op->index].taint;
	}
	if ((r.known & eval_mask(in->addr_bits / 8u)) != eval_mask(in->addr_bits / 8u))
		r.known = 0; /* a carry may come from any unknown bit */
	r.v &= eval_mask(in->addr_bits / 8u);
	r.known |= ~eval_mask(in->addr_bits / 8u);
	return write_op(e, s, in, &in->op[0], r);
}

static enum eval_stop step_test(struct eval *e, struct eval_state *s, const struct x86_64_insn *in,
				const struct eval_val v[2])
{
	unsigned int bytes = in->op[0].bytes;
	struct eval_val r = and_of(&v[0], &v[1], bytes);

	(void)e;
	s->fl = logic_flags(r.v, eval_known(&r, bytes), r.taint, bytes);
	about_masked(&s->fl, &r);
	return EVAL_GO;
}

static enum eval_stop step_cmp(struct eval *e, struct eval_state *s, const struct x86_64_insn *in,
			       const struct eval_val v[2])
{
	(void)e;
	s->fl = arith_flags(&v[0], &v[1], true, in->op[0].bytes);
	return EVAL_GO;
}

static enum eval_stop step_logic(struct eval *e, struct eval_state *s, const struct x86_64_insn *in,
				 const struct eval_val v[2])
{
	unsigned int bytes = in->op[0].bytes;
	bool same = same_register(in);
	struct eval_val r = {.taint = v[0].taint | v[1].taint,
			     .known = v[0].known & v[1].known,
			     .sym = no_sym,
			     .sym_bytes = (uint8_t)bytes};

	if (in->mn == X86_64_MN_AND) {
		r = and_of(&v[0], &v[1], bytes);
	} else if (in->mn == X86_64_MN_OR) {
		r.v = v[0].v | v[1].v;
		r.sym = same ? v[0].sym : no_sym; /* OR r,r is a test */
	} else if (same) {
		r = eval_constant(0); /* XOR r,r forgets all */
	} else {
		r.v = v[0].v ^ v[1].v;
	}
	struct eval_flags f = logic_flags(r.v, eval_known(&r, bytes), r.taint, bytes);
	about_masked(&f, &r);
	enum eval_stop stop = write_op(e, s, in, &in->op[0], r);
	if (stop == EVAL_GO)
		s->fl = f;
	return stop;
}

/* ADD, SUB, INC, DEC, NEG */
static enum eval_stop step_arith(struct eval *e, struct eval_state *s, const struct x86_64_insn *in,
				 const struct eval_val v[2])
{
	unsigned int bytes = in->op[0].bytes;
	bool one = in->mn == X86_64_MN_INC || in->mn == X86_64_MN_DEC;
	bool neg = in->mn == X86_64_MN_NEG;
	bool sub = in->mn != X86_64_MN_ADD && in->mn != X86_64_MN_INC;
	struct eval_val a = neg ? eval_constant(0) : v[0], b = neg   ? v[0]
							       : one ? eval_constant(1)
								     : v[1];
	struct eval_flags f = arith_flags(&a, &b, sub, bytes);
	struct eval_val r = {.v = sub ? a.v - b.v : a.v + b.v,
			     .taint = a.taint | b.taint,
			     .sym = no_sym,
			     .sym_bytes = (uint8_t)bytes};

	r.known = eval_known(&a, bytes) && eval_known(&b, bytes) ? eval_mask(bytes) : 0;
	if (in->mn == X86_64_MN_SUB && same_register(in)) { /* SUB r,r forgets all, as XOR r,r */
		r = eval_constant(0);
		f = logic_flags(0, true, 0, bytes);
	}
	if (r.taint && a.sym.load >= 0 && !b.taint && eval_known(&b, bytes)) {
		r.sym = a.sym;
		r.sym.add += sub ? -b.v : b.v;
	}
	if (one) { /* CF stays as it was */
		f.cf = s->fl.cf;
		f.known = f.known && s->fl.known;
		f.taint |= s->fl.taint;
	}
	if (!sub || one) /* compare the result with zero: value + k == 0 */
		f.about = EVAL_ABOUT_NONE;
	if (f.about == EVAL_ABOUT_NONE && r.sym.load >= 0) {
		f.about = EVAL_ABOUT_SUM;
		f.sym = r.sym;
		f.rhs = 0;
	}
	enum eval_stop stop = write_op(e, s, in, &in->op[0], r);
	if (stop == EVAL_GO)
		s->fl = f;
	return stop;
}

static enum eval_stop step_not(struct eval *e, struct eval_state *s, const struct x86_64_insn *in,
			       const struct eval_val v[2])
{
	struct eval_val r = v[0];

	r.v = ~r.v;
	r.sym = no_sym;
	return write_op(e, s, in, &in->op[0], r);
}

static enum eval_stop step_shift(struct eval *e, struct eval_state *s, const struct x86_64_insn *in,
				 const struct eval_val v[2])
{
	unsigned int bytes = in->op[0].bytes, n = v[1].v & (bytes == 8 ? 63 : 31);
	struct eval_val r = v[0];
	uint64_t m = eval_mask(bytes);

	if (!eval_known(&v[1], 1) || n >= 8 * bytes)
		return EVAL_OUTSIDE;
	if (!n) /* no flags; but a 32-bit result is extended all the same */
		return write_op(e, s, in, &in->op[0], v[0]);
	bool left = in->mn == X86_64_MN_SHL;
	r.v = left ? (v[0].v << n) & m : (v[0].v & m) >> n;
	r.known = eval_known(&v[0], bytes) ? m : 0;
	r.taint |= v[1].taint;
	if (left || r.sym.add) {
		r.sym = no_sym;
	} else {
		r.sym.shift = (uint8_t)(r.sym.shift + n);
		r.sym.mask >>= n;
	}
	struct eval_flags f = logic_flags(r.v, r.known != 0, r.taint, bytes);
	f.cf = (left ? v[0].v >> (8 * bytes - n) : v[0].v >> (n - 1)) & 1;
	if (n == 1) /* SDM: only then is OF defined */
		f.of = left ? f.sf != f.cf : v[0].v >> (8 * bytes - 1) & 1;
	about_masked(&f, &r);
	enum eval_stop stop = write_op(e, s, in, &in->op[0], r);
	if (stop == EVAL_GO)
		s->fl = f;
	return stop;
}

/* BT sets CF alone; what else it leaves is undefined or unchanged. */
static enum eval_stop step_bt(struct eval *e, struct eval_state *s, const struct x86_64_insn *in,
			      const struct eval_val v[2])
{
	unsigned int bits = 8u * in->op[0].bytes, n = (unsigned int)(v[1].v % bits);

	(void)e;
	if (in->op[0].kind == X86_64_OP_MEM && in->op[1].kind == X86_64_OP_REG)
		return EVAL_OUTSIDE; /* addresses beyond the operand */
	s->fl.cf = v[0].v >> n & 1;
	s->fl.known = s->fl.known && eval_known(&v[1], 1) && v[0].known >> n & 1;
	s->fl.taint |= v[0].taint | v[1].taint;
	s->fl.about = EVAL_ABOUT_NONE;
	if (v[0].sym.load >= 0 && !v[0].sym.add && !v[1].taint) {
		s->fl.about = EVAL_ABOUT_BIT;
		s->fl.sym = v[0].sym;
		s->fl.rhs = n;
		s->fl.bytes = in->op[0].bytes;
	}
	return EVAL_GO;
}

static enum eval_stop step_xchg(struct eval *e, struct eval_state *s, const struct x86_64_insn *in,
				const struct eval_val v[2])
{
	enum eval_stop stop = write_op(e, s, in, &in->op[0], v[1]);

	return stop == EVAL_GO ? write_op(e, s, in, &in->op[1], v[0]) : stop;
}

static enum eval_stop step_push(struct eval *e, struct eval_state *s, const struct x86_64_insn *in,
				const struct eval_val v[2])
{
	return eval_push(e, s, v[0], in->op_bits / 8u);
}

static enum eval_stop step_pop(struct eval *e, struct eval_state *s, const struct x86_64_insn *in,
			       const struct eval_val v[2])
{
	struct eval_val word;
	enum eval_stop stop = eval_pop(e, s, in, in->op_bits / 8u, 0, &word);

	(void)v;
	return stop == EVAL_GO ? write_op(e, s, in, &in->op[0], word) : stop;
}

/* A comparison that fails loads; one that holds is a store.  SDM vol. 2, CMPXCHG. */
static enum eval_stop step_cmpxchg(struct eval *e, struct eval_state *s,
				   const struct x86_64_insn *in, const struct eval_val v[2])
{
	struct x86_64_op acc = {.kind = X86_64_OP_REG, .bytes = in->op[0].bytes, .reg = X86_64_RAX};
	struct eval_val a = eval_reg_read(s, &acc);

	s->fl = arith_flags(&a, &v[0], true, acc.bytes);
	if (!s->fl.known)
		return EVAL_OUTSIDE;
	if (s->fl.zf)
		return write_op(e, s, in, &in->op[0], v[1]);
	eval_reg_write(s, &acc, v[0]);
	return EVAL_GO;
}

static enum eval_stop step_setcc(struct eval *e, struct eval_state *s, const struct x86_64_insn *in,
				 const struct eval_val v[2])
{
	struct eval_val r = {.v = eval_cc(&s->fl, x86_64_insn_cc(in)),
			     .known = s->fl.known ? 0xff : 0xfe,
			     .taint = s->fl.taint,
			     .sym = no_sym};

	(void)v;
	return write_op(e, s, in, &in->op[0], r);
}

static enum eval_stop step_nothing(struct eval *e, struct eval_state *s,
				   const struct x86_64_insn *in, const struct eval_val v[2])
{
	(void)e;
	(void)s;
	(void)in;
	(void)v;
	return EVAL_GO;
}

/* How many operands are read before the step; MOV and LEA do not read their destination. */
static const struct {
	step_fn *fn;
	bool reads_first, reads_second;
} steps[] = {
	[X86_64_MN_MOV] = {step_mov, false, true},
	[X86_64_MN_MOVZX] = {step_mov, false, true},
	[X86_64_MN_MOVSX] = {step_mov, false, true},
	[X86_64_MN_MOVSXD] = {step_mov, false, true},
	[X86_64_MN_LEA] = {step_lea, false, false},
	[X86_64_MN_TEST] = {step_test, true, true},
	[X86_64_MN_CMP] = {step_cmp, true, true},
	[X86_64_MN_AND] = {step_logic, true, true},
	[X86_64_MN_OR] = {step_logic, true, true},
	[X86_64_MN_XOR] = {step_logic, true, true},
	[X86_64_MN_ADD] = {step_arith, true, true},
	[X86_64_MN_SUB] = {step_arith, true, true},
	[X86_64_MN_INC] = {step_arith, true, false},
	[X86_64_MN_DEC] = {step_arith, true, false},
	[X86_64_MN_NEG] = {step_arith, true, false},
	[X86_64_MN_NOT] = {step_not, true, false},
	[X86_64_MN_SHL] = {step_shift, true, true},
	[X86_64_MN_SHR] = {step_shift, true, true},
	[X86_64_MN_BT] = {step_bt, true, true},
	[X86_64_MN_NOP] = {step_nothing, false, false},
	[X86_64_MN_PAUSE] = {step_nothing, false, false},
	[X86_64_MN_XCHG] = {step_xchg, true, true},
	[X86_64_MN_PUSH] = {step_push, true, false},
	[X86_64_MN_POP] = {step_pop, false, false},
	[X86_64_MN_CLD] = {step_nothing, false, false},
	[X86_64_MN_CLI] = {step_nothing, false, false},
	[X86_64_MN_FENCE] = {step_nothing, false, false},
	[X86_64_MN_CMPXCHG] = {step_cmpxchg, true, true},
	[X86_64_MN_SETCC] = {step_setcc, false, false},
};

enum eval_stop eval_plain(struct eval *e, struct eval_state *s, const struct x86_64_insn *in)
{
	struct eval_val v[2] = {{.sym = no_sym}, {.sym = no_sym}};
	struct eval_state next = *s;
	bool wanted[2];

	if ((size_t)in->mn >= sizeof(steps) / sizeof(*steps) || !steps[in->mn].fn || in->rep)
		return EVAL_OUTSIDE;
	wanted[0] = steps[in->mn].reads_first;
	wanted[1] = steps[in->mn].reads_second;
	for (int i = 0; i < 2; i++) {
		int got = !wanted[i]       ? 1
			  : i < in->nr_ops ? read_op(e, s, in, &in->op[i], &v[i])
					   : 0;
		if (got <= 0)
			return got ? EVAL_UNREAD : EVAL_OUTSIDE;
	}
	enum eval_stop stop = steps[in->mn].fn(e, &next, in, v);
	if (stop == EVAL_GO) {
		next.rip = eval_next(e, in);
		*s = next;
	}
	return stop;
}
