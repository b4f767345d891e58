/* Trees of Linux, node by node.  For walk.c only. */
#ifndef MACHINE_WALK_TREE_H
#define MACHINE_WALK_TREE_H

#include <inquest/types.h>

struct walk_tree;

/* most: nodes.  Errors as inq_walk_open.  Close accepts NULL. */
INQ_MUST enum inq_status walk_tree_open(const struct inq_machine *m, enum inq_walk_kind kind,
					uint64_t head, uint64_t most, struct walk_tree **ret,
					struct inq_err *err);
void walk_tree_close(struct walk_tree *t);
/* *ret_addr: a node of a red-black tree, an entry of others, whose index *ret_key is. */
INQ_MUST enum inq_status walk_tree_next(struct walk_tree *t, uint64_t *ret_addr, uint64_t *ret_key,
					bool *ret_more, struct inq_err *err);

#endif
