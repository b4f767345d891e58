/*
 * Knows where DWARF says that variables are, and in which frames registers were saved.  Sources:
 * DWARF 5, 2.6 "Location Descriptions", 4.1 "Data Object Entries", 6.4 "Call Frame Information";
 * System V ABI for AMD64, 3.2.1 (who keeps which register), figure 3.36 (their numbers).
 */
#include "symbols/debug_scope.h"

#include <libdwarf/dwarf.h>
#include <string.h>

#include "symbols/debug_lines.h"

enum { OPS_MOST = 32, VARS_MOST = 256, TYPE_HOPS = 32 };

struct scope {
	struct debug_unit *unit;
	uint64_t addr;
	uint32_t level; /* functions entered so far; the outermost has 1 */
	uint8_t *buf;
	size_t n, room;
	unsigned int nr_vars;
};

static bool put(struct scope *s, const void *p, size_t n)
{
	if (n > s->room - s->n)
		return false;
	if (n)
		memcpy(s->buf + s->n, p, n);
	s->n += n;
	return true;
}

/* One that nobody follows: where a variable is, is told, but not understood here. */
static uint32_t no_op(struct job_op *to)
{
	*to = (struct job_op){0};
	return 1;
}

/* The operations of one entry. */
static uint32_t take_ops(Dwarf_Locdesc_c loc, Dwarf_Unsigned n, struct job_op *to)
{
	Dwarf_Error why = NULL;

	for (Dwarf_Unsigned i = 0; i < n && n <= OPS_MOST; i++) {
		Dwarf_Unsigned a = 0, b = 0, c, raw_a, raw_b, raw_c, branch;
		Dwarf_Small op = 0;
		if (dwarf_get_location_op_value_d(loc, i, &op, &a, &b, &c, &raw_a, &raw_b, &raw_c,
						  &branch, &why) != DW_DLV_OK)
			return no_op(to);
		to[i] = (struct job_op){op, a, b};
	}
	return n <= OPS_MOST ? (uint32_t)n : no_op(to);
}

/* The entry of a location list that is good for addr; of a plain expression the only one.  0: the
   list has none, so it is nowhere there. */
static uint32_t find_ops(Dwarf_Loc_Head_c head, Dwarf_Unsigned nr, uint64_t addr, struct job_op *to)
{
	Dwarf_Error why = NULL;
	unsigned int kind = DW_LKIND_unknown;

	if (dwarf_get_loclist_head_kind(head, &kind, &why) != DW_DLV_OK)
		return no_op(to);
	for (Dwarf_Unsigned i = 0; i < nr; i++) {
		Dwarf_Small lle = 0, source;
		Dwarf_Unsigned raw_low, raw_high, n = 0, off, at;
		Dwarf_Addr low = 0, high = 0;
		Dwarf_Bool unavailable;
		Dwarf_Locdesc_c loc = NULL;
		if (dwarf_get_locdesc_entry_d(head, i, &lle, &raw_low, &raw_high, &unavailable,
					      &low, &high, &n, &loc, &source, &off, &at,
					      &why) != DW_DLV_OK ||
		    unavailable)
			return no_op(to);
		if (kind == DW_LKIND_expression || (addr >= low && addr < high && n))
			return take_ops(loc, n, to);
	}
	return 0;
}

static uint32_t location(const struct scope *s, Dwarf_Die die, Dwarf_Half attr, struct job_op *to)
{
	Dwarf_Attribute a = NULL;
	Dwarf_Loc_Head_c head = NULL;
	Dwarf_Unsigned nr = 0;
	Dwarf_Error why = NULL;
	uint32_t n;

	int there = dwarf_attr(die, attr, &a, &why);
	if (there != DW_DLV_OK)
		return there == DW_DLV_NO_ENTRY ? 0 : no_op(to);
	n = no_op(to);
	if (dwarf_get_loclist_c(a, &head, &nr, &why) == DW_DLV_OK) {
		n = find_ops(head, nr, s->addr, to);
		dwarf_loc_head_c_dealloc(head);
	}
	dwarf_dealloc_attribute(a);
	return n;
}

static enum job_kind kind_of_base(const struct debug_unit *u, Dwarf_Die die)
{
	uint64_t encoding = 0;

	if (!debug_die_number(u, die, DW_AT_encoding, &encoding))
		return JOB_OTHER;
	switch (encoding) {
	case DW_ATE_boolean:
		return JOB_BOOL;
	case DW_ATE_signed:
	case DW_ATE_signed_char:
		return JOB_SIGNED;
	case DW_ATE_unsigned:
	case DW_ATE_unsigned_char:
		return JOB_UNSIGNED;
	default:
		return JOB_OTHER;
	}
}

/* False: die only names or qualifies another type. */
static bool take_type(const struct debug_unit *u, Dwarf_Die die, Dwarf_Half tag,
		      struct job_scope_var *v)
{
	switch (tag) {
	case DW_TAG_typedef:
	case DW_TAG_const_type:
	case DW_TAG_volatile_type:
	case DW_TAG_restrict_type:
	case DW_TAG_atomic_type:
		return false;
	case DW_TAG_pointer_type:
		v->kind = JOB_POINTER;
		v->bytes = sizeof(uint64_t);
		return true;
	case DW_TAG_base_type:
		v->kind = kind_of_base(u, die);
		break;
	case DW_TAG_enumeration_type:
		v->kind = JOB_UNSIGNED;
		break;
	default:
		break;
	}
	if (!debug_die_number(u, die, DW_AT_byte_size, &v->bytes))
		v->bytes = 0;
	return true;
}

/* The type stands at what die is an instance of, where that is inlined. */
static void find_type(const struct debug_unit *u, Dwarf_Die die, struct job_scope_var *v)
{
	Dwarf_Die origin = debug_die_follow(u, die, DW_AT_abstract_origin);
	Dwarf_Die at = debug_die_follow(u, die, DW_AT_type);
	Dwarf_Error why = NULL;
	Dwarf_Half tag = 0;

	if (!at && origin)
		at = debug_die_follow(u, origin, DW_AT_type);
	for (int hop = 0; at && hop < TYPE_HOPS; hop++) {
		if (dwarf_tag(at, &tag, &why) != DW_DLV_OK || take_type(u, at, tag, v))
			break;
		Dwarf_Die next = debug_die_follow(u, at, DW_AT_type);
		dwarf_dealloc_die(at);
		at = next;
	}
	if (at)
		dwarf_dealloc_die(at);
	if (origin)
		dwarf_dealloc_die(origin);
}

static void put_variable(struct scope *s, Dwarf_Die die, bool is_parameter)
{
	struct job_op ops[OPS_MOST];
	const char *name = debug_die_name(s->unit, die);
	struct job_scope_var v = {.depth = s->level, .is_parameter = is_parameter};
	size_t before = s->n;

	/* a declaration in a function is of a variable elsewhere */
	if (!name || s->nr_vars == VARS_MOST || debug_die_has(die, DW_AT_declaration))
		return;
	v.name_bytes = (uint32_t)strnlen(name, JOB_NAME_MAX);
	find_type(s->unit, die, &v);
	v.is_value = debug_die_number(s->unit, die, DW_AT_const_value, &ops[0].a);
	if (v.is_value)
		ops[0] = (struct job_op){DW_OP_const8u, ops[0].a, 0};
	v.nr_ops = v.is_value ? 1 : location(s, die, DW_AT_location, ops);
	if (!v.nr_ops && debug_die_has(die, DW_AT_const_value))
		v.nr_ops = no_op(ops); /* a block of bytes */
	if (put(s, &v, sizeof(v)) && put(s, name, v.name_bytes) &&
	    put(s, ops, v.nr_ops * sizeof(*ops)))
		s->nr_vars++;
	else
		s->n = before;
}

static void put_base(struct scope *s, Dwarf_Die die)
{
	struct job_op ops[OPS_MOST];
	struct job_scope_head h = {.nr_base = location(s, die, DW_AT_frame_base, ops)};

	if (put(s, &h, sizeof(h)))
		(void)put(s, ops, h.nr_base * sizeof(*ops));
}

static void on_covering(void *ctx, Dwarf_Die of, bool is_function)
{
	struct scope *s = ctx;
	Dwarf_Die die = NULL, next = NULL;
	Dwarf_Error why = NULL;

	s->level += is_function;
	if (!s->n)
		put_base(s, of);
	if (dwarf_child(of, &die, &why) != DW_DLV_OK)
		return;
	for (; die; die = next) {
		Dwarf_Half tag = 0;
		if (dwarf_tag(die, &tag, &why) == DW_DLV_OK &&
		    (tag == DW_TAG_formal_parameter || tag == DW_TAG_variable))
			put_variable(s, die, tag == DW_TAG_formal_parameter);
		if (dwarf_siblingof_b(s->unit->window.dbg, die, 1, &next, &why) != DW_DLV_OK)
			next = NULL;
		dwarf_dealloc_die(die);
	}
}

/* From how many functions are around it to how many are inlined into it. */
static void turn_levels(struct scope *s)
{
	struct job_scope_head h;
	struct job_scope_var v;

	memcpy(&h, s->buf, sizeof(h));
	size_t at = sizeof(h) + h.nr_base * sizeof(struct job_op);
	for (unsigned int i = 0; i < s->nr_vars; i++) {
		memcpy(&v, s->buf + at, sizeof(v));
		v.depth = s->level - v.depth;
		memcpy(s->buf + at, &v, sizeof(v));
		at += sizeof(v) + v.name_bytes + v.nr_ops * sizeof(struct job_op);
	}
}

enum inq_status debug_scope_at(struct debug_file *f, uint64_t unit, uint64_t addr, uint8_t *buf,
			       size_t room, size_t *ret_n, struct inq_err *err)
{
	struct scope s = {.addr = addr, .buf = buf, .room = room};
	enum inq_status st = debug_unit_open(f, unit, false, &s.unit, err);

	if (st)
		return st;
	debug_each_covering(s.unit, addr, on_covering, &s);
	if (!s.n)
		return inq_fail(err, INQ_ENOTFOUND, "no function there");
	turn_levels(&s);
	*ret_n = s.n;
	return INQ_OK;
}

/* rbx, rbp, r12 to r15 belong to the caller; GCC says nothing of one that was left alone. */
static bool is_kept(int reg)
{
	return reg == 3 || reg == 6 || reg >= 12;
}

static void take_saved(Dwarf_Fde fde, uint64_t addr, int reg, struct job_saved *ret)
{
	Dwarf_Small type = 0;
	Dwarf_Signed relevant = 0, where = 0, off = 0;
	Dwarf_Ptr block = NULL;
	Dwarf_Addr row, next;
	Dwarf_Bool more;
	Dwarf_Error why = NULL;

	if (dwarf_get_fde_info_for_reg3_b(fde, (Dwarf_Half)reg, addr, &type, &relevant, &where,
					  &off, &block, &row, &more, &next, &why) != DW_DLV_OK)
		return;
	if (type == DW_EXPR_OFFSET && where == DW_FRAME_SAME_VAL && !relevant)
		ret->reg[reg].how = JOB_SAVED_SAME;
	else if (type == DW_EXPR_OFFSET && relevant && where == DW_FRAME_CFA_COL3 &&
		 off == (int32_t)off) {
		ret->reg[reg].how = JOB_SAVED_AT_CFA;
		ret->reg[reg].off = (int32_t)off;
	}
}

enum inq_status debug_saved_at(struct debug_file *f, uint64_t addr, struct job_saved *ret,
			       struct inq_err *err)
{
	Dwarf_Debug dbg = NULL;
	Dwarf_Cie *cies = NULL;
	Dwarf_Fde fde = NULL;
	Dwarf_Signed nr_cies = 0;
	Dwarf_Addr low, high;
	Dwarf_Error why = NULL;
	enum inq_status st = debug_file_whole(f, &dbg, err);

	if (st)
		return st;
	if (!f->fdes &&
	    dwarf_get_fde_list(dbg, &cies, &nr_cies, &f->fdes, &f->nr_fdes, &why) != DW_DLV_OK)
		f->fdes = NULL;
	if (!f->fdes || dwarf_get_fde_at_pc(f->fdes, addr, &fde, &low, &high, &why) != DW_DLV_OK)
		return inq_fail(err, INQ_ENOTFOUND, "no frame information there");
	*ret = (struct job_saved){0};
	for (int reg = 0; reg < JOB_SAVED_REGS; reg++)
		if (is_kept(reg))
			take_saved(fde, addr, reg, ret);
	return INQ_OK;
}
