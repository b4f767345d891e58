/*
 * Knows three kinds of trees as one: a node becomes a row of slots, each a node or an entry, in
 * order.  A red-black node is left child, itself, right child.
 */
#include "machine/walk_tree.h"

#include <endian.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/span.h"

enum { DEPTH = 128, SLOTS = 64, PIVOTS = 32, NODE_BYTES = 1024 };

/* Tags of xarray.h, which maple_tree.h shares. */
enum { TAG = 3, INTERNAL = 2, LEAST_NODE = 4096 };
/* maple_tree.h: a node's address has its type in bits 3..6 */
enum { MAPLE_NODE_MASK = 0xff, MAPLE_LEAF = 1, MAPLE_RANGE = 2, MAPLE_ARANGE = 3 };

enum slot_kind { SLOT_NODE, SLOT_ENTRY };

struct level {
	unsigned nr, at; /* slots, and the next of them */
	uint8_t shift;   /* xarray */
	struct slot {
		uint64_t v, first, last; /* node or entry, and the indices that it is for */
		enum slot_kind kind;
	} slot[SLOTS];
};

struct walk_tree {
	const struct inq_machine *m;
	enum inq_walk_kind kind;
	uint64_t head, nodes, most;
	struct {
		struct inq_field left, right;
	} rb;
	struct {
		struct inq_field shift, slots;
	} xa;
	struct maple {
		struct inq_field pivot, slot;
	} range, arange;
	unsigned depth;
	struct level *level; /* DEPTH of a red-black tree, which is no deeper than 2 log n */
};

static const struct inq_shape_member rb_members[] = {
	{offsetof(struct walk_tree, rb.left), "rb_left"},
	{offsetof(struct walk_tree, rb.right), "rb_right"},
	{0}};
static const struct inq_shape_member xa_members[] = {
	{offsetof(struct walk_tree, xa.shift), "shift"},
	{offsetof(struct walk_tree, xa.slots), "slots"},
	{0}};
static const struct inq_shape_member maple_members[] = {
	{offsetof(struct maple, pivot), "pivot"}, {offsetof(struct maple, slot), "slot"}, {0}};

static bool is_node(uint64_t entry)
{
	return (entry & TAG) == INTERNAL && entry > LEAST_NODE;
}

/* NULL, numbers, and marks of the tree's own are no objects. */
static bool is_entry(uint64_t entry)
{
	return entry && !(entry & TAG);
}

static enum inq_status fail_tree(const struct walk_tree *t, const char *why, uint64_t at,
				 struct inq_err *err)
{
	return inq_fail_at(err, INQ_ECORRUPT, at,
			   "tree 0x%" PRIx64 ": %s, 0x%" PRIx64 ", after %" PRIu64 " nodes",
			   t->head, why, at, t->nodes);
}

static void add(struct level *l, enum slot_kind kind, uint64_t v, uint64_t first, uint64_t last)
{
	if (l->nr < SLOTS)
		l->slot[l->nr++] = (struct slot){v, first, last, kind};
}

/* Word i of an array of a node that was read. */
static bool word(const uint8_t *node, const struct inq_field *array, unsigned i, uint64_t *ret)
{
	return span_at(node, NODE_BYTES, array->off + 8 * (size_t)i, 8, ret);
}

static enum inq_status read_node(const struct walk_tree *t, uint64_t at, uint64_t bytes,
				 uint8_t node[NODE_BYTES], struct inq_err *err)
{
	if (bytes > NODE_BYTES)
		return inq_fail(err, INQ_EUNSUPPORTED, "a tree's node of %" PRIu64 " bytes", bytes);
	enum inq_status st = inq_read_kernel(t->m, at, node, bytes, err);
	return inq_wrap(err, st, "tree 0x%" PRIx64 " after %" PRIu64 " nodes", t->head, t->nodes);
}

static enum inq_status open_rb(struct walk_tree *t, uint64_t at, struct level *l,
			       struct inq_err *err)
{
	uint64_t left = 0, right = 0;
	enum inq_status st = inq_read_field(t->m, at, &t->rb.left, &left, err);

	if (!st)
		st = inq_read_field(t->m, at, &t->rb.right, &right, err);
	if (st)
		return inq_wrap(err, st, "tree 0x%" PRIx64 " after %" PRIu64 " nodes", t->head,
				t->nodes);
	if (left)
		add(l, SLOT_NODE, left, 0, 0);
	add(l, SLOT_ENTRY, at, 0, 0);
	if (right)
		add(l, SLOT_NODE, right, 0, 0);
	return INQ_OK;
}

static enum inq_status open_xa(struct walk_tree *t, const struct slot *from, struct level *l,
			       struct inq_err *err)
{
	uint8_t node[NODE_BYTES] = {0};
	unsigned nr = t->xa.slots.size / 8 < SLOTS ? t->xa.slots.size / 8 : SLOTS;
	uint64_t bytes = t->xa.slots.off + t->xa.slots.size, shift = 0, v;
	enum inq_status st = read_node(t, from->v - INTERNAL, bytes, node, err);

	if (st)
		return st;
	if (!inq_field_of(&t->xa.shift, node, sizeof(node), &shift) || shift > 60 ||
	    (t->depth && shift >= t->level[t->depth - 1].shift))
		return fail_tree(t, "a node is as high as the one above", from->v, err);
	l->shift = (uint8_t)shift;
	for (unsigned i = 0; i < nr && word(node, &t->xa.slots, i, &v); i++) {
		uint64_t first = from->first + ((uint64_t)i << shift);
		if (is_node(v) && shift)
			add(l, SLOT_NODE, v, first, 0);
		else if (is_entry(v))
			add(l, SLOT_ENTRY, v, first, 0);
	}
	return INQ_OK;
}

static enum inq_status open_maple(struct walk_tree *t, const struct slot *from, struct level *l,
				  struct inq_err *err)
{
	unsigned type = from->v >> 3 & 0xf;
	const struct maple *as = type == MAPLE_ARANGE ? &t->arange : &t->range;
	unsigned slots = as->slot.size / 8, pivots = as->pivot.size / 8;
	uint64_t end = as->slot.off + as->slot.size, first = from->first, v, last;
	uint8_t node[NODE_BYTES] = {0};

	if (type < MAPLE_LEAF || type > MAPLE_ARANGE)
		return fail_tree(t, "a node of an unknown type", from->v, err);
	enum inq_status st = read_node(t, from->v & ~(uint64_t)MAPLE_NODE_MASK, end, node, err);
	for (unsigned i = 0; !st && i < slots && word(node, &as->slot, i, &v); i++) {
		last = from->last;
		if (i < pivots && !word(node, &as->pivot, i, &last))
			break;
		if ((!last && i) || last > from->last)
			break; /* behind the slots that are in use */
		if (type == MAPLE_LEAF ? is_entry(v) : is_node(v))
			add(l, type == MAPLE_LEAF ? SLOT_ENTRY : SLOT_NODE, v, first, last);
		if (last == from->last)
			break;
		first = last + 1;
	}
	return st;
}

static enum inq_status descend(struct walk_tree *t, const struct slot *from, struct inq_err *err)
{
	if (t->depth == DEPTH)
		return fail_tree(t, "is too deep", from->v, err);
	if (t->nodes == t->most)
		return fail_tree(t, "goes on and on", from->v, err);
	struct level *l = &t->level[t->depth];
	l->nr = l->at = 0;
	enum inq_status st = t->kind == INQ_WALK_RBTREE   ? open_rb(t, from->v, l, err)
			     : t->kind == INQ_WALK_XARRAY ? open_xa(t, from, l, err)
							  : open_maple(t, from, l, err);
	if (st)
		return st;
	t->nodes++;
	t->depth++;
	return INQ_OK;
}

static enum inq_status learn(struct walk_tree *t, struct inq_err *err)
{
	if (t->kind == INQ_WALK_RBTREE)
		return inq_shape(t->m, "struct rb_node", rb_members, t, NULL, err);
	if (t->kind == INQ_WALK_XARRAY)
		return inq_shape(t->m, "struct xa_node", xa_members, t, NULL, err);
	enum inq_status st =
		inq_shape(t->m, "struct maple_range_64", maple_members, &t->range, NULL, err);
	return st ? st
		  : inq_shape(t->m, "struct maple_arange_64", maple_members, &t->arange, NULL, err);
}

/* The root's place in the structure that holds it. */
static enum inq_status read_root(struct walk_tree *t, uint64_t *ret, struct inq_err *err)
{
	struct inq_field f = {.size = 8};
	const struct inq_shape_member root[] = {{0, "xa_head", "ma_root"}, {0}};
	enum inq_status st = INQ_OK;

	if (t->kind != INQ_WALK_RBTREE)
		st = inq_shape(t->m,
			       t->kind == INQ_WALK_XARRAY ? "struct xarray" : "struct maple_tree",
			       root, &f, NULL, err);
	return st ? st
		  : inq_wrap(err, inq_read_field(t->m, t->head, &f, ret, err), "tree 0x%" PRIx64,
			     t->head);
}

static enum inq_status start(struct walk_tree *t, struct inq_err *err)
{
	struct slot root = {.last = UINT64_MAX};
	enum inq_status st = learn(t, err);

	if (!st)
		st = read_root(t, &root.v, err);
	if (st || !root.v)
		return st;
	if (t->kind == INQ_WALK_RBTREE || is_node(root.v))
		return descend(t, &root, err);
	if (is_entry(root.v)) { /* the only one: the tree has no node */
		add(&t->level[0], SLOT_ENTRY, root.v, 0, 0);
		t->depth = 1;
	}
	return INQ_OK;
}

enum inq_status walk_tree_open(const struct inq_machine *m, enum inq_walk_kind kind, uint64_t head,
			       uint64_t most, struct walk_tree **ret, struct inq_err *err)
{
	struct walk_tree *t = calloc(1, sizeof(*t));
	struct level *levels = calloc(DEPTH, sizeof(*levels));
	enum inq_status st;

	if (!t || !levels) {
		free(t);
		free(levels);
		return inq_fail(err, INQ_ENOMEM, "a walk through a tree");
	}
	*t = (struct walk_tree){.m = m, .kind = kind, .head = head, .most = most, .level = levels};
	if ((st = start(t, err))) {
		walk_tree_close(t);
		return st;
	}
	*ret = t;
	return INQ_OK;
}

void walk_tree_close(struct walk_tree *t)
{
	if (!t)
		return;
	free(t->level);
	free(t);
}

enum inq_status walk_tree_next(struct walk_tree *t, uint64_t *ret_addr, uint64_t *ret_key,
			       bool *ret_more, struct inq_err *err)
{
	*ret_more = false;
	while (t->depth) {
		struct level *l = &t->level[t->depth - 1];
		if (l->at == l->nr) {
			t->depth--;
			continue;
		}
		const struct slot *s = &l->slot[l->at++];
		if (s->kind == SLOT_ENTRY) {
			*ret_addr = s->v;
			*ret_key = s->first;
			*ret_more = true;
			return INQ_OK;
		}
		enum inq_status st = descend(t, s, err);
		if (st)
			return st;
	}
	return INQ_OK;
}
