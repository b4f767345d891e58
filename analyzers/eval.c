/*
 * Knows what a few dozen integer instructions do to registers and flags, with unknown values and
 * the origin of each carried along.  Source: SDM vol. 2, the instructions' own pages.
 */
#include "analyzers/eval.h"

#include <string.h>

#include "analyzers/code.h"
#include "arch/paging.h"

enum { STACK_SPAN = 64 << 10 }; /* how far from RSP a slot still counts as the stack's */

static const struct eval_sym no_sym = {.load = -1};

static uint64_t mask_of(unsigned int bytes)
{
	return bytes >= 8 ? ~UINT64_C(0) : (UINT64_C(1) << (8 * bytes)) - 1;
}

static bool fully_known(const struct eval_val *v, unsigned int bytes)
{
	return (v->known & mask_of(bytes)) == mask_of(bytes);
}

static struct eval_val constant(uint64_t v)
{
	return (struct eval_val){.v = v, .known = ~UINT64_C(0), .sym = no_sym};
}

enum inq_status eval_translate(const struct inq_cpu *cpu, uint64_t linear, uint64_t *ret_phys,
			       struct inq_err *err)
{
	struct paging_walk walk;

	if (cpu->virt == cpu->phys) { /* paging is off */
		*ret_phys = linear;
		return INQ_OK;
	}
	paging_walk(&((const struct paging_space *)cpu->virt)->mode, cpu->phys, linear, &walk);
	if (walk.verdict == PAGING_OK) {
		*ret_phys = walk.pa;
		return INQ_OK;
	}
	return inq_fail_at(err, walk.verdict == PAGING_ABSENT ? INQ_EABSENT : INQ_EFAULT, linear,
			   "%s: 0x%llx: %s", cpu->virt->name, (unsigned long long)linear,
			   paging_verdict_name(walk.verdict));
}

bool eval_same_memory(const struct inq_space *a, const struct inq_space *b, uint64_t phys)
{
	struct inq_run ra, rb;
	struct inq_err err;

	if (a == b)
		return true;
	if (inq_runs(a, phys, 1, &ra, &err) || inq_runs(b, phys, 1, &rb, &err))
		return false;
	return ra.kind == rb.kind && ra.p == rb.p;
}

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
		ret_state->gpr[i] = constant(rs->v[X86_64_RAX + i]);
		if (!inq_reg_known(rs, (unsigned int)(X86_64_RAX + i)))
			ret_state->gpr[i].known = 0;
	}
	ret_state->rip = rs->v[X86_64_RIP];
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

static bool segment_base(const struct eval *e, int seg, uint64_t *ret)
{
	unsigned int base = (unsigned int)seg + 1; /* regs.def: the base follows the selector */

	if (e->mode == X86_64_MODE_LONG && seg != X86_64_FS_SEL && seg != X86_64_GS_SEL) {
		*ret = 0;
		return true;
	}
	*ret = e->cpu->regs.v[base];
	return inq_reg_known(&e->cpu->regs, base);
}

bool eval_address(const struct eval *e, const struct eval_state *s, const struct x86_64_op *op,
		  const struct x86_64_insn *in, uint64_t *ret_linear)
{
	uint64_t ea = (uint64_t)op->disp, base = 0, need = mask_of(in->addr_bits / 8u);

	if (op->base >= EVAL_GPRS || op->index >= EVAL_GPRS || !segment_base(e, op->seg, &base))
		return false;
	if (op->base >= 0) {
		if ((s->gpr[op->base].known & need) != need)
			return false;
		ea += s->gpr[op->base].v;
	}
	if (op->index >= 0) {
		if ((s->gpr[op->index].known & need) != need)
			return false;
		ea += s->gpr[op->index].v * op->scale;
	}
	*ret_linear = code_linear(e->cpu, e->mode, base, ea & need);
	return true;
}

static bool on_stack(const struct eval *e, const struct eval_state *s, const struct x86_64_op *op,
		     uint64_t linear)
{
	uint64_t base = 0, top = s->gpr[X86_64_RSP].v;

	if ((op->base != X86_64_RSP && op->base != X86_64_RBP) ||
	    !segment_base(e, X86_64_SS_SEL, &base))
		return false;
	/* SDM vol. 3, 3.4.5: SS.B selects SP or ESP outside 64-bit mode */
	if (e->mode != X86_64_MODE_LONG && inq_reg_known(&e->cpu->regs, X86_64_SS_ATTR))
		top &= e->cpu->regs.v[X86_64_SS_ATTR] & X86_64_SEG_DB ? 0xffffffff : 0xffff;
	uint64_t distance = linear - (base + top);
	return distance < STACK_SPAN || -distance < STACK_SPAN;
}

/* A fresh or an earlier slot for this load; -1 when there are too many. */
static int load_slot(struct eval *e, uint64_t rip, uint64_t linear)
{
	for (int i = 0; i < e->nr_loads; i++)
		if (e->load[i].rip == rip && e->load[i].linear == linear)
			return i;
	return e->nr_loads < EVAL_LOADS ? e->nr_loads++ : -1;
}

static void apply_patch(const struct eval_patch *p, struct eval_load *l, uint8_t *buf)
{
	unsigned int patched = 0;

	for (unsigned int i = 0; l->space == p->space && i < l->bytes; i++) {
		uint64_t at = l->phys + i - p->phys;
		if (at >= p->bytes)
			continue;
		buf[i] = (uint8_t)(p->value >> (8 * at));
		patched++;
	}
	l->known = l->known || patched == l->bytes;
}

static bool load(struct eval *e, const struct eval_state *s, const struct x86_64_insn *in,
		 uint64_t linear, const struct x86_64_op *op, unsigned int bytes,
		 struct eval_val *ret)
{
	struct eval_load l = {.rip = in->rip, .linear = linear, .bytes = (uint8_t)bytes};
	uint8_t buf[8] = {0};

	if (bytes > sizeof(buf) || eval_translate(e->cpu, linear, &l.phys, &e->err))
		return false;
	l.space = e->cpu->phys;
	l.stack = on_stack(e, s, op, linear);
	enum inq_status st = inq_read(l.space, l.phys, buf, bytes, &e->err);
	l.device = st == INQ_EFAULT;
	l.known = st == INQ_OK;
	if (st && !l.device)
		return false;
	apply_patch(&e->patch, &l, buf);
	for (unsigned int i = 0; i < bytes; i++)
		l.value |= (uint64_t)buf[i] << (8 * i);
	int slot = load_slot(e, in->rip, linear);
	*ret = (struct eval_val){.v = l.value,
				 .known = l.known ? ~UINT64_C(0) : 0,
				 .sym = {.load = slot, .mask = mask_of(bytes)},
				 .sym_bytes = (uint8_t)bytes};
	if (slot >= 0) {
		e->load[slot] = l;
		ret->taint = UINT32_C(1) << slot;
	}
	return true;
}

static struct eval_val read_reg(const struct eval_state *s, const struct x86_64_op *op)
{
	struct eval_val v = s->gpr[op->reg];

	v.v = (v.v >> op->shift) & mask_of(op->bytes);
	v.known >>= op->shift;
	if (op->shift || op->bytes > v.sym_bytes)
		v.sym = no_sym;
	else
		v.sym.mask &= mask_of(op->bytes);
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
		*ret = constant((uint64_t)op->imm);
		return 1;
	case X86_64_OP_REG:
		if (op->reg < 0 || op->reg >= EVAL_GPRS)
			return 0;
		*ret = read_reg(s, op);
		return 1;
	case X86_64_OP_MEM:
		if (!eval_address(e, s, op, in, &linear)) {
			*ret = (struct eval_val){
				.sym = no_sym}; /* unknown address, unknown value */
			return 1;
		}
		return load(e, s, in, linear, op, op->bytes, ret) ? 1 : -1;
	case X86_64_OP_NONE:
		break;
	}
	return 0;
}

static void write_reg(struct eval_state *s, const struct x86_64_op *op, struct eval_val v)
{
	struct eval_val *r = &s->gpr[op->reg];
	uint64_t m = mask_of(op->bytes) << op->shift;

	if (op->bytes >= 4) { /* SDM vol. 1, 3.4.1.1: 32-bit results are zero-extended */
		*r = v;
		r->v &= mask_of(op->bytes);
		if (op->bytes == 4)
			r->known |= ~mask_of(4);
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
		write_reg(s, op, v);
		return EVAL_GO;
	}
	if (op->kind != X86_64_OP_MEM)
		return EVAL_OUTSIDE;
	e->store.any = true;
	e->store.bytes = op->bytes;
	e->store.known = eval_address(e, s, op, in, &e->store.linear);
	return e->follow ? EVAL_GO : EVAL_STORE;
}

static bool parity(uint64_t v)
{
	return !(__builtin_popcountll(v & 0xff) & 1);
}

static void set_result(struct eval_flags *f, uint64_t r, unsigned int bytes)
{
	r &= mask_of(bytes);
	f->zf = !r;
	f->sf = r >> (8 * bytes - 1) & 1;
	f->pf = parity(r);
}

/* Flags of a - b (sub) or a + b, over bytes. */
static struct eval_flags arith_flags(const struct eval_val *a, const struct eval_val *b, bool sub,
				     unsigned int bytes)
{
	uint64_t m = mask_of(bytes), x = a->v & m, y = b->v & m, r = (sub ? x - y : x + y) & m;
	uint64_t over = sub ? (x ^ y) & (x ^ r) : ~(x ^ y) & (x ^ r);
	struct eval_flags f = {.known = fully_known(a, bytes) && fully_known(b, bytes),
			       .cf = sub ? x < y : r < x,
			       .of = over >> (8 * bytes - 1) & 1,
			       .taint = a->taint | b->taint,
			       .bytes = (uint8_t)bytes,
			       .sym = no_sym};
	set_result(&f, r, bytes);
	if (sub && a->sym.load >= 0 && !b->taint && fully_known(b, bytes)) {
		f.about = EVAL_ABOUT_CMP;
		f.sym = a->sym;
		f.rhs = y;
	} else if (sub && b->sym.load >= 0 && fully_known(a, bytes)) {
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

	if (l->sym.load >= 0 && !l->sym.add && !k->taint && fully_known(k, bytes)) {
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
	f->rhs = r->sym.mask & mask_of(f->bytes);
}

typedef enum eval_stop step_fn(struct eval *e, struct eval_state *s, const struct x86_64_insn *in,
			       const struct eval_val v[2]);

static enum eval_stop step_mov(struct eval *e, struct eval_state *s, const struct x86_64_insn *in,
			       const struct eval_val v[2])
{
	struct eval_val r = v[1];
	unsigned int from = in->op[1].bytes, to = in->op[0].bytes;

	if (to > from && in->op[1].kind != X86_64_OP_IMM) {
		uint64_t m = mask_of(from);
		bool negative = r.v >> (8 * from - 1) & 1;
		r.v &= m;
		r.known |= ~m;
		if (in->mn != X86_64_MN_MOVZX) { /* MOVSX, MOVSXD */
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
	struct eval_val r = constant((uint64_t)op->disp);

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
	if ((r.known & mask_of(in->addr_bits / 8u)) != mask_of(in->addr_bits / 8u))
		r.known = 0; /* a carry may come from any unknown bit */
	r.v &= mask_of(in->addr_bits / 8u);
	r.known |= ~mask_of(in->addr_bits / 8u);
	return write_op(e, s, in, &in->op[0], r);
}

static enum eval_stop step_test(struct eval *e, struct eval_state *s, const struct x86_64_insn *in,
				const struct eval_val v[2])
{
	unsigned int bytes = in->op[0].bytes;
	struct eval_val r = and_of(&v[0], &v[1], bytes);

	(void)e;
	s->fl = logic_flags(r.v, fully_known(&r, bytes), r.taint, bytes);
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
	const struct x86_64_op *a = &in->op[0], *b = &in->op[1];
	bool same = a->kind == X86_64_OP_REG && b->kind == X86_64_OP_REG && a->reg == b->reg &&
		    a->shift == b->shift;
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
		r = constant(0); /* XOR r,r forgets all */
	} else {
		r.v = v[0].v ^ v[1].v;
	}
	struct eval_flags f = logic_flags(r.v, fully_known(&r, bytes), r.taint, bytes);
	about_masked(&f, &r);
	enum eval_stop stop = write_op(e, s, in, a, r);
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
	struct eval_val a = neg ? constant(0) : v[0], b = neg ? v[0] : one ? constant(1) : v[1];
	struct eval_flags f = arith_flags(&a, &b, sub, bytes);
	struct eval_val r = {.v = sub ? a.v - b.v : a.v + b.v,
			     .taint = a.taint | b.taint,
			     .sym = no_sym,
			     .sym_bytes = (uint8_t)bytes};

	r.known = fully_known(&a, bytes) && fully_known(&b, bytes) ? mask_of(bytes) : 0;
	if (a.sym.load >= 0 && !b.taint && fully_known(&b, bytes)) {
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
		f.about = EVAL_ABOUT_CMP;
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
	uint64_t m = mask_of(bytes);

	if (!fully_known(&v[1], 1) || n >= 8 * bytes)
		return EVAL_OUTSIDE;
	if (!n)
		return EVAL_GO;
	bool left = in->mn == X86_64_MN_SHL;
	r.v = left ? (v[0].v << n) & m : (v[0].v & m) >> n;
	r.known = fully_known(&v[0], bytes) ? m : 0;
	r.taint |= v[1].taint;
	if (left || r.sym.add) {
		r.sym = no_sym;
	} else {
		r.sym.shift = (uint8_t)(r.sym.shift + n);
		r.sym.mask >>= n;
	}
	struct eval_flags f = logic_flags(r.v, r.known != 0, r.taint, bytes);
	f.cf = (left ? v[0].v >> (8 * bytes - n) : v[0].v >> (n - 1)) & 1;
	about_masked(&f, &r);
	if (f.about == EVAL_ABOUT_TEST)
		f.rhs = r.sym.mask;
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
	s->fl.known = s->fl.known && fully_known(&v[1], 1) && v[0].known >> n & 1;
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
	bool memory = in->op[0].kind == X86_64_OP_MEM || in->op[1].kind == X86_64_OP_MEM;

	if (memory && !e->follow)
		return EVAL_STORE;
	enum eval_stop stop = write_op(e, s, in, &in->op[0], v[1]);
	return stop == EVAL_GO ? write_op(e, s, in, &in->op[1], v[0]) : stop;
}

static enum eval_stop step_push(struct eval *e, struct eval_state *s, const struct x86_64_insn *in,
				const struct eval_val v[2])
{
	struct eval_val *sp = &s->gpr[X86_64_RSP];

	(void)v;
	if (!e->follow)
		return EVAL_STORE;
	sp->v -= in->op_bits / 8u;
	e->store = (struct eval_store){.any = true,
				       .known = sp->known == ~UINT64_C(0) &&
						e->mode == X86_64_MODE_LONG,
				       .linear = sp->v,
				       .bytes = (uint8_t)(in->op_bits / 8u)};
	return EVAL_GO;
}

static enum eval_stop step_pop(struct eval *e, struct eval_state *s, const struct x86_64_insn *in,
			       const struct eval_val v[2])
{
	static const struct eval_val unknown = {.sym = {.load = -1}};

	(void)v;
	if (!e->follow)
		return EVAL_OUTSIDE;
	s->gpr[X86_64_RSP].v += in->op_bits / 8u;
	return write_op(e, s, in, &in->op[0], unknown);
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
	[X86_64_MN_PUSH] = {step_push, false, false},
	[X86_64_MN_POP] = {step_pop, false, false},
	[X86_64_MN_CLD] = {step_nothing, false, false},
	[X86_64_MN_CLI] = {step_nothing, false, false},
	[X86_64_MN_FENCE] = {step_nothing, false, false},
};

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

static uint64_t next_rip(const struct eval *e, const struct x86_64_insn *in)
{
	uint64_t next = in->rip + in->len;

	return e->mode == X86_64_MODE_LONG ? next : (uint32_t)next;
}

uint64_t eval_edge(const struct eval *e, const struct x86_64_insn *in, bool taken)
{
	return taken ? in->target : next_rip(e, in);
}

static enum eval_stop step_plain(struct eval *e, struct eval_state *s, const struct x86_64_insn *in)
{
	struct eval_val v[2] = {{.sym = no_sym}, {.sym = no_sym}};
	struct eval_state next = *s;
	bool wanted[2];

	if ((size_t)in->mn >= sizeof(steps) / sizeof(*steps) || !steps[in->mn].fn || in->rep)
		return EVAL_OUTSIDE;
	if (in->lock && !e->follow)
		return EVAL_STORE;
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
		next.rip = next_rip(e, in);
		*s = next;
	}
	return stop;
}

static enum eval_stop step_branch(const struct eval *e, struct eval_state *s,
				  const struct x86_64_insn *in)
{
	int cc = x86_64_insn_cc(in);

	if (cc < 0)
		return EVAL_OUTSIDE; /* JCXZ, LOOPcc */
	if (!s->fl.known)
		return EVAL_FORK;
	s->rip = eval_edge(e, in, eval_cc(&s->fl, cc));
	return EVAL_GO;
}

enum eval_stop eval_step(struct eval *e, struct eval_state *s, const struct x86_64_insn *in)
{
	e->store = (struct eval_store){0};
	switch (in->cls) {
	case X86_64_CLASS_PLAIN:
		return step_plain(e, s, in);
	case X86_64_CLASS_JMP:
		s->rip = in->target;
		return EVAL_GO;
	case X86_64_CLASS_JCC:
		return step_branch(e, s, in);
	case X86_64_CLASS_CALL:
		return EVAL_CALL;
	case X86_64_CLASS_RET:
	case X86_64_CLASS_INDIRECT:
		return EVAL_LEAVE;
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
