/* Objects that a list or a tree of the kernel holds, one after the other. */
#include <inttypes.h>
#include <string.h>

#include <inquest/types.h>

#include "analyzers/live/table.h"
#include "machine/expr.h"

enum { ARG_KIND, ARG_HEAD, ARG_TYPE, ARG_MEMBER };
enum { COL_NR, COL_KEY, COL_ADDR };

static const struct live_column cols[] = {
	{"nr", "INTEGER", "order of the objects, from 0"},
	{"key", "INTEGER", "index of an entry of an xarray or a maple tree; else nr"},
	{"addr", "INTEGER", "where the object lies, in the kernel's memory"},
	{0},
};
static const struct live_column args[] = {
	{"kind", "", "list, hlist, chain, rbtree, xarray, maple"},
	{"head", "", "where it begins: a number, or a variable whose place it is"},
	{"of_type", "", "of the objects; not of an xarray or a maple tree"},
	{"of_member", "", "of of_type: the list_head, hlist_node or rb_node in it"},
	{0},
};

struct state {
	struct inq_walk *walk;
	uint64_t nr, key, addr;
	bool began;
};

static const char *text_of(const struct live_call *call, int arg)
{
	return call->arg[arg] ? (const char *)sqlite3_value_text(call->arg[arg]) : NULL;
}

static enum inq_status kind_of(const char *text, enum inq_walk_kind *ret, struct inq_err *err)
{
	static const char *const names[] = {
		[INQ_WALK_LIST] = "list",     [INQ_WALK_HLIST] = "hlist",
		[INQ_WALK_CHAIN] = "chain",   [INQ_WALK_RBTREE] = "rbtree",
		[INQ_WALK_XARRAY] = "xarray", [INQ_WALK_MAPLE] = "maple",
	};

	for (size_t i = 0; text && i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(names[i], text)) {
			*ret = (enum inq_walk_kind)i;
			return INQ_OK;
		}
	return inq_fail(err, INQ_EUSAGE, "%s: there are list, hlist, chain, rbtree, xarray, maple",
			text ? text : "no kind");
}

/* From an object's start to its node. */
static enum inq_status offset_of(const struct live_call *call, uint64_t *ret, struct inq_err *err)
{
	const char *type = text_of(call, ARG_TYPE), *member = text_of(call, ARG_MEMBER);
	struct inq_type t;
	struct inq_member mb;

	*ret = 0;
	if (!type || !member)
		return INQ_OK;
	enum inq_status st = inq_type_named(call->m, type, &t, err);
	if (!st)
		st = inq_member(t, member, &mb, err);
	if (!st)
		*ret = inq_member_at(&mb);
	return st;
}

static enum inq_status open_walk(const struct live_call *call, void *state, struct inq_err *err)
{
	struct state *s = state;
	enum inq_walk_kind kind = INQ_WALK_LIST;
	uint64_t head = 0, offset = 0;
	enum inq_status st = kind_of(text_of(call, ARG_KIND), &kind, err);

	if (!st && sqlite3_value_type(call->arg[ARG_HEAD]) == SQLITE_INTEGER)
		head = (uint64_t)sqlite3_value_int64(call->arg[ARG_HEAD]);
	else if (!st && text_of(call, ARG_HEAD))
		st = machine_object_addr(call->m, text_of(call, ARG_HEAD), &head, err);
	if (!st)
		st = offset_of(call, &offset, err);
	return st ? st : inq_walk_open(call->m, kind, head, offset, 0, &s->walk, err);
}

static enum inq_status next_row(void *state, bool *ret_more, struct inq_err *err)
{
	struct state *s = state;

	s->nr += s->began;
	s->began = true;
	return inq_walk_next(s->walk, &s->addr, &s->key, ret_more, err);
}

static void close_walk(void *state)
{
	inq_walk_close(((struct state *)state)->walk);
}

static void put_column(const void *state, int col, sqlite3_context *ctx)
{
	const struct state *s = state;

	sqlite3_result_int64(ctx, (sqlite3_int64)(col == COL_NR    ? s->nr
						  : col == COL_KEY ? s->key
								   : s->addr));
}

const struct live_table live_walk = {
	.doc = {.name = "walk",
		.doc = "objects that a list or a tree of the kernel holds",
		.cols = cols,
		.args = args,
		.nr_needed = 2},
	.state_bytes = sizeof(struct state),
	.open = open_walk,
	.next = next_row,
	.column = put_column,
	.close = close_walk,
};
