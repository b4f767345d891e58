/*
 * Knows how Linux chains its objects, and never walks in circles: a list is compared with a place
 * that it has passed (R. P. Brent, "An improved Monte Carlo factorization algorithm", 1980), a tree
 * has a depth, and everything has a number of steps.
 * Source: Linux include/linux/{list,list_nulls,rbtree,xarray,maple_tree}.h, lib/maple_tree.c
 * (mt_dump_node: what of a node is in use).
 */
#include <inquest/types.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "machine/walk_tree.h"

enum { MOST = 1000000 };

/* include/linux/poison.h, with x86-64's POISON_POINTER_DELTA */
#define POISON_FIRST UINT64_C(0xdead000000000000)
#define POISON_LAST UINT64_C(0xdead0000ffffffff)

struct inq_walk {
	const struct inq_machine *m;
	enum inq_walk_kind kind;
	uint64_t head, offset, most;
	uint64_t nr;            /* objects so far */
	uint64_t next;          /* the node that comes next; lists */
	uint64_t passed, power; /* Brent's: a node that was passed, when it is moved up */
	struct walk_tree *tree; /* NULL: a list */
};

static enum inq_status first_of_list(struct inq_walk *w, struct inq_err *err)
{
	w->power = 1;
	if (w->kind == INQ_WALK_CHAIN) {
		w->next = w->head;
		return INQ_OK;
	}
	return inq_wrap(err, inq_read_u64(w->m, w->head, &w->next, err), "list 0x%" PRIx64,
			w->head);
}

enum inq_status inq_walk_open(const struct inq_machine *m, enum inq_walk_kind kind, uint64_t head,
			      uint64_t offset, uint64_t most, struct inq_walk **ret,
			      struct inq_err *err)
{
	struct inq_walk *w = calloc(1, sizeof(*w));
	enum inq_status st;

	if (!w)
		return inq_fail(err, INQ_ENOMEM, "a walk");
	*w = (struct inq_walk){
		.m = m, .kind = kind, .head = head, .offset = offset, .most = most ? most : MOST};
	if (kind == INQ_WALK_LIST || kind == INQ_WALK_HLIST || kind == INQ_WALK_CHAIN)
		st = first_of_list(w, err);
	else
		st = walk_tree_open(m, kind, head, w->most, &w->tree, err);
	if (st) {
		inq_walk_close(w);
		return st;
	}
	*ret = w;
	return INQ_OK;
}

void inq_walk_close(struct inq_walk *w)
{
	if (!w)
		return;
	walk_tree_close(w->tree);
	free(w);
}

/* Is there no node any more? */
static bool ends(const struct inq_walk *w)
{
	/* the end of a list_nulls is odd */
	return w->kind == INQ_WALK_LIST ? w->next == w->head : !w->next || w->next & 1;
}

static enum inq_status fail_list(const struct inq_walk *w, const char *why, struct inq_err *err)
{
	return inq_fail_at(err, INQ_ECORRUPT, w->next,
			   "list 0x%" PRIx64 ": %s, 0x%" PRIx64 ", after %" PRIu64 " objects",
			   w->head, why, w->next, w->nr);
}

/* The node at w->next is an object's; go on to the one behind. */
static enum inq_status step(struct inq_walk *w, struct inq_err *err)
{
	uint64_t at = w->next;

	if (!at || (at >= POISON_FIRST && at <= POISON_LAST))
		return fail_list(w, "leads to NULL or poison", err);
	if (at == w->passed)
		return fail_list(w, "goes round in circles", err);
	if (w->nr == w->most)
		return fail_list(w, "goes on and on", err);
	if (w->nr == w->power) {
		w->passed = at;
		w->power *= 2;
	}
	enum inq_status st = inq_read_u64(w->m, at, &w->next, err);
	if (st)
		return inq_wrap(err, st, "list 0x%" PRIx64 " after %" PRIu64 " objects", w->head,
				w->nr);
	w->nr++;
	return INQ_OK;
}

static enum inq_status next_of_list(struct inq_walk *w, uint64_t *ret_addr, uint64_t *ret_key,
				    bool *ret_more, struct inq_err *err)
{
	uint64_t at = w->next, key = w->nr;

	*ret_more = false;
	if (ends(w))
		return INQ_OK;
	enum inq_status st = step(w, err);
	if (st)
		return st;
	*ret_addr = at - w->offset;
	if (ret_key)
		*ret_key = key;
	*ret_more = true;
	return INQ_OK;
}

enum inq_status inq_walk_next(struct inq_walk *w, uint64_t *ret_addr, uint64_t *ret_key,
			      bool *ret_more, struct inq_err *err)
{
	uint64_t key = w->nr;

	if (!w->tree)
		return next_of_list(w, ret_addr, ret_key, ret_more, err);
	enum inq_status st = walk_tree_next(w->tree, ret_addr, &key, ret_more, err);
	if (st || !*ret_more)
		return st;
	*ret_addr -= w->offset;
	if (ret_key)
		*ret_key = w->kind == INQ_WALK_RBTREE ? w->nr : key;
	w->nr++;
	return INQ_OK;
}
