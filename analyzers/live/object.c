/*
 * An object of the kernel's memory, part by part, each with its value as its type says.  A
 * structure is a row, and its members are one deeper.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/collect/linux_page.h"
#include "analyzers/live/table.h"
#include "machine/expr.h"
#include "machine/value.h"

enum { ARG_EXPR, ARG_ADDR, ARG_CPU };
enum {
	COL_NR,
	COL_CPU,
	COL_DEPTH,
	COL_MEMBER,
	COL_PATH,
	COL_TYPE,
	COL_ADDR,
	COL_OFFSET,
	COL_VALUE,
	COL_RAW
};

static const struct live_column cols[] = {
	{"nr", "INTEGER", "order of the rows, from 0"},
	{"cpu", "INTEGER", "whose, of a per-CPU variable; else NULL"},
	{"depth", "INTEGER", "0: the object; its members are 1, theirs 2, and so on"},
	{"member", "TEXT", "name of the member, or [i] of an element"},
	{"path", "TEXT", "how it is reached from the object"},
	{"type", "TEXT", "its type, as in C"},
	{"addr", "INTEGER", "where its first byte lies, in the kernel's memory"},
	{"offset", "INTEGER", "bytes from the object's start"},
	{"value", "TEXT", "as its type says; empty: its parts follow"},
	{"raw", "INTEGER", "the integer, enumerator or pointer; NULL: it is none, or unknown"},
	{0},
};
static const struct live_column args[] = {
	{"expr", "", "a variable, or with of_addr a type; then maybe .member, [i], ->member"},
	{"of_addr", "", "where the object lies: a number, or a variable whose place it is"},
	{"of_cpu", "", "whose, of a per-CPU variable: a number, or 'all'"},
	{0},
};

enum { ROWS_MAX = 20000, ELEMENTS_MAX = 64, DEPTH_MAX = 12, PATH = 160 };

struct row {
	int depth;
	int64_t cpu; /* -1: none */
	uint64_t addr, offset;
	struct inq_member mb;
	struct machine_value *value;
	char *path;  /* its end is the member's name */
	size_t name; /* where that begins */
};

struct state {
	const struct inq_machine *m;
	struct row *row;
	size_t nr, cap, at;
	uint64_t start; /* address of the object */
	int64_t cpu;
	bool began;
	struct page_shape pages; /* for the names of their flags */
	bool pages_asked, has_pages;
};

static void free_row(struct row *r)
{
	free(r->value);
	free(r->path);
}

static void close_rows(void *state)
{
	struct state *s = state;

	for (size_t i = 0; i < s->nr; i++)
		free_row(&s->row[i]);
	free(s->row);
}

static enum inq_status make_room(struct state *s, struct inq_err *err)
{
	if (s->nr < s->cap)
		return INQ_OK;
	size_t cap = s->cap ? 2 * s->cap : 64;
	struct row *grown = reallocarray(s->row, cap, sizeof(*grown));
	if (!grown)
		return inq_fail(err, INQ_ENOMEM, "%zu parts of an object", cap);
	s->row = grown;
	s->cap = cap;
	return INQ_OK;
}

/* A part: its name goes on at `name` of path. */
struct part {
	struct inq_member mb;
	uint64_t addr;
	int depth;
	char path[PATH];
	size_t name;
};

static bool is_page_flags(const struct part *p, const char *outer)
{
	return !strcmp(p->mb.name, "flags") && (!strcmp(outer, "page") || !strcmp(outer, "folio"));
}

/* What is left out of an object says so, where it would stand. */
static void describe_cut(const struct part *p, size_t nr, struct machine_value *v)
{
	struct inq_type_info info;

	inq_type_info(p->mb.type, &info);
	if (nr == ROWS_MAX - 1)
		*v = (struct machine_value){.text = "this and what follows is left out"};
	else if (v->opens && p->depth == DEPTH_MAX)
		snprintf(v->text, sizeof(v->text), "too deep: left out");
	else if (v->opens && info.kind == INQ_TYPE_ARRAY && info.nr > ELEMENTS_MAX)
		snprintf(v->text, sizeof(v->text), "the first %d of %" PRIu64, ELEMENTS_MAX,
			 info.nr);
}

static void describe(struct state *s, const struct part *p, const char *outer,
		     struct machine_value *v)
{
	char flags[256];

	machine_value(s->m, &p->mb, p->addr, v);
	if (!v->is_known || !is_page_flags(p, outer))
		return;
	if (!s->pages_asked)
		s->has_pages = !linux_page_shape(s->m, &s->pages, NULL);
	s->pages_asked = true;
	if (!s->has_pages)
		return;
	page_flag_names(&s->pages, v->raw, flags, sizeof(flags));
	size_t have = strlen(v->text);
	snprintf(v->text + have, sizeof(v->text) - have, *flags ? " %s" : "%s", flags);
}

static enum inq_status add(struct state *s, const struct part *p, const char *outer,
			   bool *ret_opens, struct inq_err *err)
{
	struct machine_value v;
	enum inq_status st = make_room(s, err);

	if (st)
		return st;
	describe(s, p, outer, &v);
	describe_cut(p, s->nr, &v);
	struct row *r = &s->row[s->nr];
	*r = (struct row){
		.depth = p->depth,
		.cpu = s->cpu,
		.addr = p->addr,
		.offset = p->addr - s->start,
		.mb = p->mb,
		.name = p->name,
	};
	size_t n = offsetof(struct machine_value, text) + strlen(v.text) + 1;
	r->value = malloc(n);
	r->path = strdup(p->path);
	if (!r->value || !r->path) {
		free_row(r);
		return inq_fail(err, INQ_ENOMEM, "a part of an object");
	}
	memcpy(r->value, &v, n);
	*ret_opens = v.opens;
	s->nr++;
	return INQ_OK;
}

static enum inq_status add_all(struct state *s, const struct part *p, const char *outer,
			       struct inq_err *err);

/* A part's part: name "" for one of an anonymous member. */
static void part_of(const struct part *p, const struct inq_member *mb, const char *name,
		    struct part *ret)
{
	*ret = (struct part){
		.mb = *mb, .addr = p->addr + mb->bit_offset / 8, .depth = p->depth + 1};
	ret->mb.bit_offset %= 8;
	ret->name = strlen(p->path);
	if (*name && *name != '[' && ret->name)
		ret->name++;
	snprintf(ret->path, sizeof(ret->path), "%s%s%s", p->path,
		 *name && *name != '[' && *p->path ? "." : "", name);
	if (ret->name > strlen(ret->path))
		ret->name = strlen(ret->path);
}

static enum inq_status add_elements(struct state *s, const struct part *p, uint64_t nr,
				    struct inq_err *err)
{
	struct inq_type t = inq_type_target(p->mb.type);
	uint64_t size = inq_type_size(t);
	enum inq_status st = INQ_OK;

	for (uint64_t i = 0; !st && i < nr && i < ELEMENTS_MAX; i++) {
		struct inq_member mb = {
			.name = "", .bit_offset = i * size * 8, .size = (uint32_t)size, .type = t};
		struct part one;
		char name[32];
		snprintf(name, sizeof(name), "[%" PRIu64 "]", i);
		part_of(p, &mb, name, &one);
		st = add_all(s, &one, "", err);
	}
	return st;
}

static enum inq_status add_members(struct state *s, const struct part *p,
				   const struct inq_type_info *info, struct inq_err *err)
{
	enum inq_status st = INQ_OK;
	struct inq_member mb;

	for (uint64_t i = 0; !st && inq_type_member(p->mb.type, i, &mb); i++) {
		struct part one;
		part_of(p, &mb, mb.name, &one);
		st = add_all(s, &one, info->name, err);
	}
	return st;
}

/* Recursion ends at DEPTH_MAX, and all of it at ROWS_MAX. */
static enum inq_status add_all(struct state *s, const struct part *p, const char *outer,
			       struct inq_err *err)
{
	struct inq_type_info info;
	bool opens = false;

	if (s->nr >= ROWS_MAX)
		return INQ_OK;
	enum inq_status st = add(s, p, outer, &opens, err);
	if (st || !opens || p->depth == DEPTH_MAX)
		return st;
	inq_type_info(p->mb.type, &info);
	return info.kind == INQ_TYPE_ARRAY ? add_elements(s, p, info.nr, err)
					   : add_members(s, p, &info, err);
}

static enum inq_status add_object(struct state *s, const char *text, const uint64_t *addr,
				  uint32_t cpu, struct inq_err *err)
{
	struct machine_object o;
	struct part p = {.depth = 0};
	enum inq_status st = machine_object(s->m, text, addr, cpu, &o, err);

	if (st)
		return st;
	s->cpu = cpu == MACHINE_NO_CPU ? -1 : (int64_t)cpu;
	s->start = o.addr;
	p.mb = o.mb;
	p.addr = o.addr;
	return add_all(s, &p, "", err);
}

/* Of every CPU that there can be; those that cannot be read say so. */
static enum inq_status add_cpus(struct state *s, const char *text, struct inq_err *err)
{
	uint32_t nr = 0, good = 0;
	enum inq_status st = inq_nr_cpus(s->m, &nr, err), last = INQ_OK;

	for (uint32_t cpu = 0; !st && cpu < nr; cpu++) {
		last = add_object(s, text, NULL, cpu, err);
		if (last == INQ_ENOMEM)
			return last;
		good += !last;
	}
	return st ? st : good ? INQ_OK : last;
}

static enum inq_status take_addr(const struct live_call *call, uint64_t *ret, struct inq_err *err)
{
	sqlite3_value *v = call->arg[ARG_ADDR];

	if (sqlite3_value_type(v) == SQLITE_INTEGER) {
		*ret = (uint64_t)sqlite3_value_int64(v);
		return INQ_OK;
	}
	const char *text = (const char *)sqlite3_value_text(v);
	return text ? machine_object_addr(call->m, text, ret, err)
		    : inq_fail(err, INQ_ENOMEM, "an address");
}

static enum inq_status open_object(const struct live_call *call, void *state, struct inq_err *err)
{
	struct state *s = state;
	const char *text = (const char *)sqlite3_value_text(call->arg[ARG_EXPR]);
	sqlite3_value *cpu = call->arg[ARG_CPU];
	uint64_t addr = 0;
	enum inq_status st;

	s->m = call->m;
	if (!text)
		return inq_fail(err, INQ_ENOMEM, "an expression");
	if (call->arg[ARG_ADDR])
		return (st = take_addr(call, &addr, err))
			       ? st
			       : add_object(s, text, &addr, MACHINE_NO_CPU, err);
	if (!cpu)
		return add_object(s, text, NULL, MACHINE_NO_CPU, err);
	if (sqlite3_value_type(cpu) != SQLITE_INTEGER)
		return add_cpus(s, text, err);
	sqlite3_int64 nr = sqlite3_value_int64(cpu);
	return nr < 0 || nr >= MACHINE_NO_CPU ? inq_fail(err, INQ_EUSAGE, "no number of a CPU")
					      : add_object(s, text, NULL, (uint32_t)nr, err);
}

static enum inq_status next_row(void *state, bool *ret_more, struct inq_err *err)
{
	struct state *s = state;

	(void)err;
	*ret_more = live_step(&s->at, &s->began, s->nr);
	return INQ_OK;
}

static void put_text(const struct row *r, int col, sqlite3_context *ctx)
{
	char type[512];

	if (col == COL_TYPE) {
		inq_type_format(r->mb.type, NULL, type, sizeof(type));
		size_t have = strlen(type);
		if (r->mb.bits)
			snprintf(type + have, sizeof(type) - have, ":%" PRIu32, r->mb.bits);
		sqlite3_result_text(ctx, type, -1, SQLITE_TRANSIENT);
		return;
	}
	sqlite3_result_text(ctx,
			    col == COL_VALUE    ? r->value->text
			    : col == COL_MEMBER ? r->path + r->name
						: r->path,
			    -1, SQLITE_TRANSIENT);
}

static void put_column(const void *state, int col, sqlite3_context *ctx)
{
	const struct state *s = state;
	const struct row *r = &s->row[s->at];

	if (col == COL_NR)
		sqlite3_result_int64(ctx, (sqlite3_int64)s->at);
	else if (col == COL_CPU && r->cpu >= 0)
		sqlite3_result_int64(ctx, r->cpu);
	else if (col == COL_DEPTH)
		sqlite3_result_int(ctx, r->depth);
	else if (col == COL_ADDR)
		sqlite3_result_int64(ctx, (sqlite3_int64)r->addr);
	else if (col == COL_OFFSET)
		sqlite3_result_int64(ctx, (sqlite3_int64)r->offset);
	else if (col == COL_RAW && r->value->is_known)
		sqlite3_result_int64(ctx, (sqlite3_int64)r->value->raw);
	else if (col == COL_MEMBER || col == COL_PATH || col == COL_TYPE || col == COL_VALUE)
		put_text(r, col, ctx);
}

const struct live_table live_object = {
	.doc = {.name = "object",
		.doc = "an object of the kernel's memory, part by part, with values",
		.cols = cols,
		.args = args,
		.nr_needed = 1},
	.state_bytes = sizeof(struct state),
	.open = open_object,
	.next = next_row,
	.column = put_column,
	.close = close_rows,
};
