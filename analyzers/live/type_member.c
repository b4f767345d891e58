/*
 * Types, member by member: of one when it is named, else of all.  Members of an anonymous member
 * follow it one level deeper; what no member covers is a row of its own, as in pahole(1).
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <inquest/types.h>

#include "analyzers/live/table.h"
#include "machine/types.h"

enum { ARG_TYPE };
enum {
	COL_ID,
	COL_TYPE,
	COL_NR,
	COL_DEPTH,
	COL_KIND,
	COL_MEMBER,
	COL_DECLARATION,
	COL_OFFSET,
	COL_BIT,
	COL_BITS,
	COL_SIZE,
	COL_VALUE,
	COL_MODULE
};

static const struct live_column cols[] = {
	{"id", "INTEGER", "number of the type, which of_type takes instead of its name"},
	{"type", "TEXT", "the type: struct page, enum pageflags, union thread_union"},
	{"nr", "INTEGER", "order of the rows of one type, from 0"},
	{"depth", "INTEGER", "0; members of an anonymous member are one deeper"},
	{"kind", "TEXT", "member, hole, padding; enumerator; parameter"},
	{"member", "TEXT", "its name; empty: it has none"},
	{"declaration", "TEXT", "as C declares it"},
	{"offset", "INTEGER", "bytes from the start of the type; NULL: no member"},
	{"bit", "INTEGER", "of a bit-field: its first bit in that byte; else NULL"},
	{"bits", "INTEGER", "of a bit-field or a hole of less than a byte; else NULL"},
	{"size", "INTEGER", "bytes; NULL where bits says it"},
	{"value", "INTEGER", "of an enumerator; else NULL"},
	{"module", "TEXT", "whose type it is; NULL: the kernel's"},
	{0},
};
static const struct live_column args[] = {
	{"of_type", "", "a type's name, as in C, or id; without it: all structs, unions, enums"},
	{0},
};

enum { DEPTH = 8 };

enum row_kind { ROW_MEMBER, ROW_HOLE, ROW_PADDING, ROW_ENUMERATOR, ROW_PARAMETER };

/* A struct or union whose members are being told. */
struct level {
	struct inq_type type;
	struct inq_type_info info;
	uint64_t i;    /* member that comes next */
	uint64_t base; /* bits from the start of the outermost */
	uint64_t end;  /* bits of it that are covered so far */
	bool padded;
};

struct state {
	/* all: the types of a unit, and then of the next module */
	const struct machine_types *types;
	size_t unit; /* 0: the kernel's, then those of the modules */
	uint32_t id;
	bool all;
	struct inq_type of;
	struct level level[DEPTH];
	unsigned depth;
	/* the row */
	enum row_kind kind;
	struct inq_member mb;
	const char *name;
	uint64_t value, nr, hole_bits;
	unsigned at_depth;
};

static void enter(struct state *s, struct inq_type t, uint64_t base)
{
	struct level *l = &s->level[s->depth++];

	*l = (struct level){.type = t, .base = base};
	inq_type_info(t, &l->info);
}

static void begin(struct state *s, struct inq_type t)
{
	s->of = t;
	s->nr = UINT64_MAX; /* the first row makes it 0 */
	s->depth = 0;
	enter(s, t, 0);
}

static const struct btf *unit_of(const struct state *s, size_t unit)
{
	return !unit                          ? s->types->btf
	       : unit <= s->types->nr_modules ? s->types->modules[unit - 1].btf
					      : NULL;
}

/* An id: the unit above, the type below. */
static enum inq_status by_id(struct state *s, sqlite3_int64 id, struct inq_err *err)
{
	struct btf_type b;
	struct inq_type t = {.unit = unit_of(s, (size_t)(id >> 32)), .id = (uint32_t)id};

	if (!t.unit || !t.id || !btf_type(t.unit, t.id, &b))
		return inq_fail(err, INQ_ENOTFOUND, "no type has the id %" PRId64, (int64_t)id);
	begin(s, t);
	return INQ_OK;
}

static enum inq_status open_types(const struct live_call *call, void *state, struct inq_err *err)
{
	sqlite3_value *arg = call->arg[ARG_TYPE];
	struct state *s = state;
	struct inq_type t;
	enum inq_status st = machine_types(call->m, true, &s->types, err);

	s->all = !arg;
	if (st || !arg)
		return st;
	if (sqlite3_value_type(arg) == SQLITE_INTEGER)
		return by_id(s, sqlite3_value_int64(arg), err);
	const char *name = (const char *)sqlite3_value_text(arg);
	if (!name)
		return inq_fail(err, INQ_ENOMEM, "name of a type");
	if (!(st = inq_type_named(call->m, name, &t, err)))
		begin(s, t);
	return st;
}

static sqlite3_int64 id_of(const struct state *s)
{
	size_t unit = 0;

	while (unit_of(s, unit) && unit_of(s, unit) != s->of.unit)
		unit++;
	return (sqlite3_int64)unit << 32 | s->of.id;
}

/* The next type that has members and a name. */
static bool next_type(struct state *s)
{
	const unsigned kinds =
		BTF_BIT(BTF_STRUCT) | BTF_BIT(BTF_UNION) | BTF_BIT(BTF_ENUM) | BTF_BIT(BTF_ENUM64);
	struct btf_type t;

	for (const struct btf *b; s->all && (b = unit_of(s, s->unit)); s->unit++) {
		for (s->id = s->id ? s->id + 1 : btf_first(b); s->id < btf_end(b); s->id++)
			if (btf_type(b, s->id, &t) && BTF_BIT(t.kind) & kinds && *t.name) {
				begin(s, (struct inq_type){.unit = b, .id = s->id});
				return true;
			}
		s->id = 0;
	}
	return false;
}

static bool is_open(const struct inq_type_info *info)
{
	return info->kind == INQ_TYPE_STRUCT || info->kind == INQ_TYPE_UNION;
}

static uint64_t bits_of(const struct inq_member *mb)
{
	return mb->bits ? mb->bits : (uint64_t)mb->size * 8;
}

/* A hole before bit `to` of the level, if there is one. */
static bool hole(struct state *s, struct level *l, uint64_t to, enum row_kind kind)
{
	if (l->info.kind != INQ_TYPE_STRUCT || to <= l->end)
		return false;
	s->kind = kind;
	s->name = "";
	s->hole_bits = to - l->end;
	s->mb = (struct inq_member){.name = "", .bit_offset = l->base + l->end};
	s->at_depth = s->depth - 1;
	l->end = to;
	return true;
}

/* The next row of the innermost level; false: it has none any more. */
static bool next_member(struct state *s, struct level *l)
{
	struct inq_member mb;
	struct inq_type_info info;

	if (!inq_type_member(l->type, l->i, &mb)) {
		bool first = !l->padded;
		l->padded = true;
		return first && hole(s, l, l->info.size * 8, ROW_PADDING);
	}
	if (hole(s, l, mb.bit_offset, ROW_HOLE))
		return true;
	l->i++;
	if (mb.bit_offset + bits_of(&mb) > l->end)
		l->end = mb.bit_offset + bits_of(&mb);
	s->kind = l->info.kind == INQ_TYPE_FUNC ? ROW_PARAMETER : ROW_MEMBER;
	s->mb = mb;
	s->mb.bit_offset += l->base;
	s->name = mb.name;
	s->at_depth = s->depth - 1;
	inq_type_info(mb.type, &info);
	if (!*mb.name && is_open(&info) && s->depth < DEPTH)
		enter(s, mb.type, s->mb.bit_offset);
	return true;
}

static enum inq_status next_row(void *state, bool *ret_more, struct inq_err *err)
{
	struct state *s = state;

	(void)err;
	do
		while (s->depth) {
			struct level *l = &s->level[s->depth - 1];
			*ret_more = true;
			s->nr++;
			if (l->info.kind == INQ_TYPE_ENUM &&
			    inq_type_enumerator(l->type, l->i, &s->name, &s->value)) {
				s->kind = ROW_ENUMERATOR;
				s->mb = (struct inq_member){.name = s->name};
				s->at_depth = 0;
				l->i++;
				return INQ_OK;
			}
			if (next_member(s, l))
				return INQ_OK;
			s->nr--;
			s->depth--;
		}
	while (next_type(s));
	*ret_more = false;
	return INQ_OK;
}

static void put(sqlite3_context *ctx, const char *text)
{
	sqlite3_result_text(ctx, text, -1, SQLITE_TRANSIENT);
}

static bool is_hole(const struct state *s)
{
	return s->kind == ROW_HOLE || s->kind == ROW_PADDING;
}

static bool has_place(const struct state *s)
{
	return s->kind == ROW_MEMBER || is_hole(s);
}

static void put_text(const struct state *s, int col, sqlite3_context *ctx)
{
	static const char *const kinds[] = {"member", "hole", "padding", "enumerator", "parameter"};
	char text[512];

	if (col == COL_KIND) {
		sqlite3_result_text(ctx, kinds[s->kind], -1, SQLITE_STATIC);
	} else if (col == COL_MEMBER) {
		put(ctx, s->name);
	} else if (col == COL_MODULE) {
		put(ctx, inq_type_module(s->of));
	} else if (col == COL_TYPE) {
		inq_type_format(s->of, NULL, text, sizeof(text));
		put(ctx, text);
	} else {
		*text = 0;
		if (s->kind == ROW_MEMBER || s->kind == ROW_PARAMETER)
			inq_type_format(s->mb.type, s->name, text, sizeof(text));
		if (s->mb.bits)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), ":%" PRIu32,
				 s->mb.bits);
		put(ctx, text);
	}
}

static void put_number(const struct state *s, int col, sqlite3_context *ctx)
{
	bool part = is_hole(s) && s->hole_bits % 8; /* a hole of some bits */
	uint64_t bytes = is_hole(s) ? s->hole_bits / 8 : s->mb.size;

	if (col == COL_ID)
		sqlite3_result_int64(ctx, id_of(s));
	else if (col == COL_NR)
		sqlite3_result_int64(ctx, (sqlite3_int64)s->nr);
	else if (col == COL_DEPTH)
		sqlite3_result_int(ctx, (int)s->at_depth);
	else if (col == COL_VALUE && s->kind == ROW_ENUMERATOR)
		sqlite3_result_int64(ctx, (sqlite3_int64)s->value);
	else if (col == COL_OFFSET && has_place(s))
		sqlite3_result_int64(ctx, (sqlite3_int64)(s->mb.bit_offset / 8));
	else if (col == COL_BIT && has_place(s) && (s->mb.bits || part))
		sqlite3_result_int(ctx, (int)(s->mb.bit_offset % 8));
	else if (col == COL_BITS && has_place(s) && (s->mb.bits || part))
		sqlite3_result_int64(ctx, (sqlite3_int64)(s->mb.bits ? s->mb.bits : s->hole_bits));
	else if (col == COL_SIZE && s->kind != ROW_ENUMERATOR && !s->mb.bits && !part)
		sqlite3_result_int64(ctx, (sqlite3_int64)bytes);
}

static void put_column(const void *state, int col, sqlite3_context *ctx)
{
	if (col == COL_TYPE || col == COL_KIND || col == COL_MEMBER || col == COL_DECLARATION ||
	    col == COL_MODULE)
		put_text(state, col, ctx);
	else
		put_number(state, col, ctx);
}

const struct live_table live_type_member = {
	.doc = {.name = "type_member",
		.doc = "the kernel's types, member by member",
		.cols = cols,
		.args = args,
		.nr_needed = 0},
	.state_bytes = sizeof(struct state),
	.open = open_types,
	.next = next_row,
	.column = put_column,
};
