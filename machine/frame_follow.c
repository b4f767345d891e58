/*
 * Knows how a location description is followed: a machine with a stack, whose programs come from a
 * file and may be anything.  Source: DWARF 5, 2.5 "DWARF Expressions", 2.6 "Location Descriptions".
 */
#include <inquest/types.h>

#include "machine/frame_parts.h"

/* The numbers of DWARF 5, 7.7.1 "Operation Expressions", that compilers of kernels use. */
enum op {
	OP_ADDR = 0x03,
	OP_DEREF = 0x06,
	OP_CONST_FIRST = 0x08, /* const1u */
	OP_CONST_LAST = 0x11,  /* consts */
	OP_DUP = 0x12,
	OP_DROP = 0x13,
	OP_OVER = 0x14,
	OP_SWAP = 0x16,
	OP_AND = 0x1a,
	OP_MINUS = 0x1c,
	OP_MUL = 0x1e,
	OP_NEG = 0x1f,
	OP_NOT = 0x20,
	OP_OR = 0x21,
	OP_PLUS = 0x22,
	OP_PLUS_UCONST = 0x23,
	OP_SHL = 0x24,
	OP_SHR = 0x25,
	OP_SHRA = 0x26,
	OP_XOR = 0x27,
	OP_LIT_FIRST = 0x30,
	OP_LIT_LAST = 0x4f,
	OP_REG_FIRST = 0x50,
	OP_REG_LAST = 0x6f,
	OP_BREG_FIRST = 0x70,
	OP_BREG_LAST = 0x8f,
	OP_FBREG = 0x91,
	OP_DEREF_SIZE = 0x94,
	OP_NOP = 0x96,
	OP_CALL_FRAME_CFA = 0x9c,
	OP_STACK_VALUE = 0x9f,
};
enum { DEPTH = 32 };

struct machine_stack {
	const struct frame_view *view;
	uint64_t at[DEPTH];
	size_t nr;
	bool is_base; /* it is the function's frame base that is being followed */
};

static bool push(struct machine_stack *s, uint64_t v)
{
	if (s->nr == DEPTH)
		return false;
	s->at[s->nr++] = v;
	return true;
}

static bool pop(struct machine_stack *s, uint64_t *ret)
{
	if (!s->nr)
		return false;
	*ret = s->at[--s->nr];
	return true;
}

static bool push_register(struct machine_stack *s, uint64_t number, uint64_t off)
{
	int reg = frame_register(number);

	return reg >= 0 && x86_64_frame_known(&s->view->f->at, (unsigned int)reg) &&
	       push(s, s->view->f->at.v[reg] + off);
}

static bool push_base(struct machine_stack *s, uint64_t off)
{
	struct frame_view view = *s->view;
	struct debug_ops base = view.base;

	if (s->is_base) /* it cannot count from itself */
		return false;
	view.base.nr = 0;
	struct frame_value v = frame_follow(&view, &base);
	return (v.where == FRAME_MEMORY || v.where == FRAME_VALUE) && push(s, v.v + off);
}

static bool read_there(struct machine_stack *s, uint64_t bytes)
{
	uint64_t addr = 0, v = 0;

	/* the target is of the same byte order as what this runs on: x86-64 */
	return bytes && bytes <= sizeof(v) && pop(s, &addr) &&
	       !inq_read_kernel(s->view->m, addr, &v, (size_t)bytes, NULL) && push(s, v);
}

static bool shift(uint64_t op, uint64_t a, uint64_t by, uint64_t *ret)
{
	bool negative = op == OP_SHRA && a >> 63;

	if (by >= 64)
		*ret = negative ? UINT64_MAX : 0;
	else if (op == OP_SHL)
		*ret = a << by;
	else
		*ret = a >> by | (negative && by ? UINT64_MAX << (64 - by) : 0);
	return true;
}

static bool compute(struct machine_stack *s, uint64_t op)
{
	uint64_t a = 0, b = 0, v = 0;

	if (!pop(s, &b) || !pop(s, &a))
		return false;
	if (op == OP_PLUS)
		v = a + b;
	else if (op == OP_MINUS)
		v = a - b;
	else if (op == OP_MUL)
		v = a * b;
	else if (op == OP_AND)
		v = a & b;
	else if (op == OP_OR)
		v = a | b;
	else if (op == OP_XOR)
		v = a ^ b;
	else
		(void)shift(op, a, b, &v);
	return push(s, v);
}

/* Those that move what is on the stack, or change its top. */
static bool rearrange(struct machine_stack *s, const struct debug_op *o)
{
	uint64_t a = 0, b = 0;

	switch (o->op) {
	case OP_DUP:
		return pop(s, &a) && push(s, a) && push(s, a);
	case OP_DROP:
		return pop(s, &a);
	case OP_OVER:
		return s->nr >= 2 && push(s, s->at[s->nr - 2]);
	case OP_SWAP:
		return pop(s, &b) && pop(s, &a) && push(s, b) && push(s, a);
	case OP_NEG:
		return pop(s, &a) && push(s, -a);
	case OP_NOT:
		return pop(s, &a) && push(s, ~a);
	case OP_PLUS_UCONST:
		return pop(s, &a) && push(s, a + o->a);
	default:
		return false;
	}
}

/* False: it takes what is not known, or is not understood. */
static bool do_op(struct machine_stack *s, const struct debug_op *o)
{
	if (o->op >= OP_CONST_FIRST && o->op <= OP_CONST_LAST)
		return push(s, o->a);
	if (o->op >= OP_LIT_FIRST && o->op <= OP_LIT_LAST)
		return push(s, o->op - OP_LIT_FIRST);
	if (o->op >= OP_BREG_FIRST && o->op <= OP_BREG_LAST)
		return push_register(s, o->op - OP_BREG_FIRST, o->a);
	switch (o->op) {
	case OP_NOP:
		return true;
	case OP_ADDR:
		return s->view->moved_known && push(s, o->a + s->view->moved);
	case OP_FBREG:
		return push_base(s, o->a);
	case OP_CALL_FRAME_CFA:
		return s->view->f->cfa && push(s, s->view->f->cfa);
	case OP_DEREF:
		return read_there(s, sizeof(uint64_t));
	case OP_DEREF_SIZE:
		return read_there(s, o->a);
	case OP_AND:
	case OP_MINUS:
	case OP_MUL:
	case OP_OR:
	case OP_PLUS:
	case OP_SHL:
	case OP_SHR:
	case OP_SHRA:
	case OP_XOR:
		return compute(s, o->op);
	default:
		return rearrange(s, o);
	}
}

struct frame_value frame_follow(const struct frame_view *view, const struct debug_ops *ops)
{
	struct machine_stack s = {.view = view, .is_base = !view->base.nr};
	struct frame_value v = {FRAME_UNKNOWN, 0};
	size_t i = 0;

	if (!ops->nr)
		return (struct frame_value){FRAME_NOWHERE, 0};
	if (ops->nr == 1 && ops->at->op >= OP_REG_FIRST && ops->at->op <= OP_REG_LAST) {
		if (push_register(&s, ops->at->op - OP_REG_FIRST, 0))
			v = (struct frame_value){FRAME_VALUE, s.at[0]};
		return v;
	}
	while (i < ops->nr && ops->at[i].op != OP_STACK_VALUE)
		if (!do_op(&s, &ops->at[i++]))
			return v;
	/* nothing may come behind it but pieces, which are not put together here */
	if (s.nr && i + 1 >= ops->nr)
		v = (struct frame_value){i < ops->nr ? FRAME_VALUE : FRAME_MEMORY, s.at[s.nr - 1]};
	return v;
}
