/*
 * Knows where an operand of memory lies and what is there: translation, the dump's bytes, and the
 * words that a run has put on its own stack meanwhile.  Source: SDM vol. 3, 3.3 and 3.4; vol.
 * 1, 6.2 (stack).
 */
#include "analyzers/eval_mem.h"

#include <string.h>

#include "analyzers/code.h"
#include "arch/paging.h"

enum {
	PAGE = 4096,
	STACK_SPAN = 64 << 10
}; /* how far from RSP a slot still counts as the stack's */

static const struct eval_sym no_sym = {.load = -1};

enum inq_status eval_translate(const struct inq_cpu *cpu, uint64_t linear, uint64_t *ret_phys,
			       struct inq_err *err)
{
	const struct inq_space *in;

	return paging_resolve(cpu->virt, linear, &in, ret_phys, err);
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
	uint64_t ea = (uint64_t)op->disp, base = 0, need = eval_mask(in->addr_bits / 8u);

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

/* Bits of RSP that count.  SDM vol. 3, 3.4.5: SS.B selects SP or ESP outside 64-bit mode. */
static bool stack_mask(const struct eval *e, uint64_t *ret)
{
	const struct inq_regset *rs = &e->cpu->regs;

	*ret = ~UINT64_C(0);
	if (e->mode == X86_64_MODE_LONG)
		return true;
	*ret = rs->v[X86_64_SS_ATTR] & X86_64_SEG_DB ? 0xffffffff : 0xffff;
	return inq_reg_known(rs, X86_64_SS_ATTR);
}

static bool near_top(uint64_t linear, uint64_t top)
{
	return linear - top < STACK_SPAN || top - linear < STACK_SPAN;
}

/* Firmware in 16-bit big real mode keeps a flat stack in ESP, though a push would use SP alone. */
static bool on_stack(const struct eval *e, const struct eval_state *s, const struct x86_64_op *op,
		     uint64_t linear)
{
	uint64_t base = 0, top = s->gpr[X86_64_RSP].v;

	if (!op) /* PUSH, POP and their kin */
		return true;
	if ((op->base != X86_64_RSP && op->base != X86_64_RBP) ||
	    !segment_base(e, X86_64_SS_SEL, &base))
		return false;
	if (e->mode == X86_64_MODE_LONG)
		return near_top(linear, base + top);
	return near_top(linear, base + (top & 0xffff)) || near_top(linear, base + (uint32_t)top);
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

/* Physical address of bytes that lie in one piece there. */
static bool locate(struct eval *e, uint64_t linear, unsigned int bytes, uint64_t *ret)
{
	uint64_t last = 0;

	if (eval_translate(e->cpu, linear, ret, &e->err))
		return false;
	if (linear % PAGE + bytes <= PAGE)
		return true;
	if (eval_translate(e->cpu, linear + bytes - 1, &last, &e->err))
		return false;
	if (last - *ret == bytes - 1)
		return true;
	(void)inq_fail_at(&e->err, INQ_EUNSUPPORTED, linear,
			  "0x%llx: an operand over two pages that lie apart",
			  (unsigned long long)linear);
	return false;
}

/* What the dump holds there, as a load would see it.  False: e->err says why. */
static bool fill(struct eval *e, struct eval_load *l)
{
	uint8_t buf[8] = {0};

	if (l->bytes > sizeof(buf) || !locate(e, l->linear, l->bytes, &l->phys))
		return false;
	l->space = e->cpu->phys;
	enum inq_status st = inq_read(l->space, l->phys, buf, l->bytes, &e->err);
	l->device = st == INQ_EFAULT;
	l->known = st == INQ_OK;
	if (st && !l->device)
		return false;
	apply_patch(&e->patch, l, buf);
	for (unsigned int i = 0; i < l->bytes; i++)
		l->value |= (uint64_t)buf[i] << (8 * i);
	return true;
}

/* The slot that holds these bytes, -1: none, -2: one that holds a part of them. */
static int shadow_find(const struct eval_shadow *sh, uint64_t linear, unsigned int bytes)
{
	for (int i = 0; i < sh->nr; i++) {
		const struct eval_slot *s = &sh->slot[i];
		if (linear - s->linear < s->bytes && bytes <= s->bytes - (linear - s->linear))
			return i;
		if (linear - s->linear < s->bytes || s->linear - linear < bytes)
			return -2;
	}
	return -1;
}

/* A word of the own stack becomes v; it was old.  False: no room to remember that. */
static bool shadow_put(struct eval_shadow *sh, uint64_t linear, unsigned int bytes,
		       struct eval_val v, struct eval_val old)
{
	int at = shadow_find(sh, linear, bytes);
	uint64_t m = eval_mask(bytes);
	bool same = (old.known & m) == m && !((old.v ^ v.v) & m);

	if (at == -2 || (at >= 0 && (sh->slot[at].linear != linear || sh->slot[at].bytes != bytes)))
		return false;
	if ((at < 0 && sh->nr == EVAL_SLOTS) || (!same && sh->nr_log == EVAL_LOG))
		return false;
	if (at < 0)
		at = sh->nr++;
	sh->slot[at] = (struct eval_slot){.linear = linear, .bytes = (uint8_t)bytes, .val = v};
	if (!same)
		sh->log[sh->nr_log++] = (struct eval_change){
			.slot = at, .old = old.v & m, .known = (old.known & m) == m};
	return true;
}

bool eval_stack_same(const struct eval_shadow *sh, int since)
{
	uint32_t seen = 0; /* EVAL_SLOTS bits: what a slot first held is what counts */

	for (int i = since; i < sh->nr_log; i++) {
		const struct eval_change *c = &sh->log[i];
		const struct eval_slot *s = &sh->slot[c->slot];
		if (seen >> c->slot & 1)
			continue;
		seen |= UINT32_C(1) << c->slot;
		if (!c->known || c->old != (s->val.v & eval_mask(s->bytes)))
			return false;
	}
	return true;
}

void eval_stack_forget_origins(struct eval_shadow *sh)
{
	for (int i = 0; i < sh->nr; i++) {
		sh->slot[i].val.taint = 0;
		sh->slot[i].val.sym = no_sym;
	}
	sh->nr_log = 0;
}

bool eval_load(struct eval *e, const struct eval_state *s, const struct x86_64_insn *in,
	       uint64_t linear, const struct x86_64_op *op, unsigned int bytes,
	       struct eval_val *ret)
{
	struct eval_load l = {.rip = in->rip, .linear = linear, .bytes = (uint8_t)bytes};
	int at = shadow_find(&e->shadow, linear, bytes);

	*ret = (struct eval_val){.sym = no_sym};
	if (at == -2) /* partly its own store: not worth following */
		return true;
	if (at >= 0) {
		unsigned int shift = 8 * (unsigned int)(linear - e->shadow.slot[at].linear);
		*ret = e->shadow.slot[at].val;
		ret->v = (ret->v >> shift) & eval_mask(bytes);
		if (shift || bytes != e->shadow.slot[at].bytes)
			ret->sym = no_sym;
		ret->known = ~UINT64_C(0);
		return true;
	}
	if (!fill(e, &l))
		return false;
	l.stack = on_stack(e, s, op, linear);
	int slot = load_slot(e, in->rip, linear);
	*ret = (struct eval_val){.v = l.value,
				 .known = l.known ? ~UINT64_C(0) : 0,
				 .sym = {.load = slot, .mask = eval_mask(bytes)},
				 .sym_bytes = (uint8_t)bytes};
	if (slot >= 0) {
		e->load[slot] = l;
		ret->taint = UINT32_C(1) << slot;
	}
	return true;
}

/* Does what is stored come from other words than the one it goes to? */
static bool comes_from_elsewhere(const struct eval *e, uint32_t taint, uint64_t linear)
{
	for (int i = 0; i < e->nr_loads; i++)
		if (taint >> i & 1 && e->load[i].linear != linear)
			return true;
	return false;
}

enum eval_stop eval_store(struct eval *e, const struct eval_state *s, const struct x86_64_op *op,
			  uint64_t linear, unsigned int bytes, struct eval_val v)
{
	struct eval_load l = {.linear = linear, .bytes = (uint8_t)bytes};
	enum eval_stop changes = e->follow ? EVAL_GO : EVAL_STORE;
	uint64_t m = eval_mask(bytes);

	e->store = (struct eval_noted){
		.any = true, .known = true, .linear = linear, .bytes = (uint8_t)bytes};
	if (!e->stack || bytes > 8 || (v.known & m) != m)
		return changes;
	int at = shadow_find(&e->shadow, linear, bytes);
	if (at == -2 || (at < 0 && !fill(e, &l)))
		return changes;
	struct eval_val old = at >= 0 ? e->shadow.slot[at].val
				      : (struct eval_val){.v = l.value, .known = l.known ? m : 0};
	if (at >= 0 && (e->shadow.slot[at].linear != linear || e->shadow.slot[at].bytes != bytes))
		return changes;
	if (on_stack(e, s, op, linear) && !l.device)
		return shadow_put(&e->shadow, linear, bytes, v, old) ? EVAL_GO : changes;
	/* to write what is there already changes nothing */
	if ((old.known & m) == m && !((old.v ^ v.v) & m) &&
	    !comes_from_elsewhere(e, v.taint, linear))
		return EVAL_GO;
	return changes;
}

/* RSP moved by so much, and where it points then; false when that is not known. */
static bool moved(const struct eval *e, const struct eval_state *s, int64_t by, uint64_t *ret_rsp,
		  uint64_t *ret_linear)
{
	const struct eval_val *rsp = &s->gpr[X86_64_RSP];
	uint64_t m = 0, base = 0;

	if (!stack_mask(e, &m) || !segment_base(e, X86_64_SS_SEL, &base) || (rsp->known & m) != m)
		return false;
	uint64_t sp = (rsp->v + (uint64_t)by) & m;
	*ret_rsp = (rsp->v & ~m) | sp;
	*ret_linear = code_linear(e->cpu, e->mode, base, sp);
	return true;
}

enum eval_stop eval_push(struct eval *e, struct eval_state *s, struct eval_val v,
			 unsigned int bytes)
{
	uint64_t rsp = 0, linear = 0;

	if (!moved(e, s, -(int64_t)bytes, &rsp, &linear)) {
		e->store = (struct eval_noted){.any = true, .bytes = (uint8_t)bytes};
		return e->follow ? EVAL_GO : EVAL_OUTSIDE;
	}
	enum eval_stop stop = eval_store(e, s, NULL, linear, bytes, v);
	if (stop == EVAL_GO)
		s->gpr[X86_64_RSP].v = rsp;
	return stop;
}

enum eval_stop eval_pop(struct eval *e, struct eval_state *s, const struct x86_64_insn *in,
			unsigned int bytes, uint64_t more, struct eval_val *ret)
{
	uint64_t rsp = 0, linear = 0, ignored = 0;

	*ret = (struct eval_val){.sym = no_sym};
	if (!moved(e, s, 0, &rsp, &linear) || !moved(e, s, (int64_t)(bytes + more), &rsp, &ignored))
		return e->follow ? EVAL_GO : EVAL_OUTSIDE;
	/* without a memory of its own pushes only what was there at the start can be told */
	if ((e->stack || linear - e->floor < STACK_SPAN) &&
	    !eval_load(e, s, in, linear, NULL, bytes, ret))
		return EVAL_UNREAD;
	s->gpr[X86_64_RSP].v = rsp;
	return EVAL_GO;
}

bool eval_stack_top(const struct eval *e, const struct eval_state *s, uint64_t *ret_linear)
{
	uint64_t rsp = 0;

	return moved(e, s, 0, &rsp, ret_linear);
}
