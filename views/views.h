/* The groups of views: one file views/<group>.c each, with const struct view view_group_<group>[]
   that ends at a NULL name.  `inquest views` lists them in this order. */
#ifndef VIEWS_VIEWS_H
#define VIEWS_VIEWS_H

#include "views/view.h"

#define VIEW_GROUPS(X)                                                                             \
	X(finding)                                                                                 \
	X(kernel)                                                                                  \
	X(cpu)                                                                                     \
	X(smm)                                                                                     \
	X(vmcs)                                                                                    \
	X(code)                                                                                    \
	X(linux)                                                                                   \
	X(flight)                                                                                  \
	X(memory)                                                                                  \
	X(symbol)                                                                                  \
	X(stack)                                                                                   \
	X(type)                                                                                    \
	X(index)

#define VIEW_GROUP_DECLARE(n) extern const struct view view_group_##n[];
VIEW_GROUPS(VIEW_GROUP_DECLARE)
#undef VIEW_GROUP_DECLARE

/* Conditions that every query over a machine's rows begins with; t is the table's alias. */
#define VIEW_OF_MACHINE(t) "(?1 IS NULL OR " #t ".machine_id = ?1)"
#define VIEW_OF_CPU(t) VIEW_OF_MACHINE(t) " AND (?2 IS NULL OR " #t ".cpu = ?2)"

#endif
