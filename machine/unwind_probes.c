/*
 * Knows what probes and tracers do to stacks: they put a return address of their own where the true
 * one was and keep that with the task; and they jump to code of theirs.
 * Sources: Linux kernel/trace/rethook.c (rethook_find_ret_addr), kernel/kprobes.c
 * (kretprobe_find_ret_addr, __get_insn_slot), kernel/trace/fgraph.c (ftrace_graph_ret_addr),
 * arch/x86/kernel/kprobes/opt.c (optprobe_template_func, optimized_callback).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine/unwind_parts.h"

enum { INSTANCES_MOST = 4096, BUCKETS = 64, SHADOW_MOST = 16384, SLOT_PAGE = 4096 };

/* One that takes the place of return addresses. */
struct kept {
	const char *symbol;   /* what is returned to */
	const char *says;     /* static */
	const char *list;     /* of the task */
	const char *instance; /* NULL: it is no list */
	const char *node;     /* member of an instance */
};
static const struct kept all_kept[] = {
	{"arch_rethook_trampoline", "returns through a rethook", "rethooks", "struct rethook_node",
	 "llist"},
	{"__kretprobe_trampoline", "returns through a kretprobe", "kretprobe_instances",
	 "struct kretprobe_instance", "llist"},
	{"kretprobe_trampoline", "returns through a kretprobe", NULL, "struct kretprobe_instance",
	 "hlist"},
	{"return_to_handler", "returns through the function graph tracer", NULL, NULL, NULL},
};

/* What an instance says; task: in kernels that keep those of all tasks together. */
struct instance {
	struct inq_field node, ret, frame, task;
};

static bool instance_shape(const struct inq_machine *m, const struct kept *k, struct instance *ret)
{
	const struct inq_shape_member members[] = {
		{offsetof(struct instance, node), k->node, NULL, NULL, false},
		{offsetof(struct instance, ret), "ret_addr", NULL, NULL, false},
		{offsetof(struct instance, frame), "frame", "fp", NULL, false},
		{offsetof(struct instance, task), "task", NULL, NULL, k->list},
		{0}};

	return !inq_shape(m, k->instance, members, ret, NULL, NULL);
}

struct wanted {
	const struct inq_machine *m;
	uint64_t task, slot, trampoline;
	size_t left; /* instances that may still be looked at, in all lists together */
};

/* Of several that were put in one place, only the first has the true one. */
static bool in_chain(struct wanted *w, const struct instance *s, enum inq_walk_kind kind,
		     uint64_t head, uint64_t *ret)
{
	struct inq_walk *walk = NULL;
	uint64_t at = 0, rip = 0, frame = 0, task = w->task;
	bool more = true, found = false;

	if (!head || !w->left || inq_walk_open(w->m, kind, head, s->node.off, w->left, &walk, NULL))
		return false;
	for (; !found && !inq_walk_next(walk, &at, NULL, &more, NULL) && more; w->left--)
		found = !inq_read_field(w->m, at, &s->frame, &frame, NULL) && frame == w->slot &&
			!inq_read_field(w->m, at, &s->ret, &rip, NULL) && rip != w->trampoline &&
			(!s->task.size ||
			 (!inq_read_field(w->m, at, &s->task, &task, NULL) && task == w->task));
	inq_walk_close(walk);
	*ret = rip;
	return found;
}

static bool in_instances(struct wanted *w, const struct kept *k, uint64_t *ret)
{
	struct instance s;
	struct inq_member list;
	struct inq_symbol table;
	uint64_t head = 0;
	bool found = false;

	if (!instance_shape(w->m, k, &s))
		return false;
	if (k->list)
		return !inq_member_of(w->m, "struct task_struct", k->list, &list, NULL) &&
		       !inq_read_u64(w->m, w->task + inq_member_at(&list), &head, NULL) &&
		       in_chain(w, &s, INQ_WALK_CHAIN, head, ret);
	if (inq_symbol_named(w->m, "kretprobe_inst_table", 0, &table, NULL))
		return false;
	for (uint64_t i = 0; !found && i < BUCKETS; i++)
		found = in_chain(w, &s, INQ_WALK_HLIST, table.addr + 8 * i, ret);
	return found;
}

/* How many bytes of the tracer's own stack are in use: an array, or words of any use. */
static uint64_t shadow_bytes(const struct inq_machine *m, uint64_t task,
			     const struct inq_member *stack, uint64_t entry)
{
	struct inq_type_info info;
	struct inq_member nr;
	struct inq_field f;
	uint64_t n = 0;

	if (inq_member_of(m, "struct task_struct", "curr_ret_stack", &nr, NULL))
		return 0;
	f = inq_field_for(&nr);
	if (inq_read_field(m, task, &f, &n, NULL) || n > SHADOW_MOST)
		return 0;
	inq_type_info(inq_type_target(stack->type), &info);
	n = info.kind == INQ_TYPE_STRUCT ? (n + 1) * entry : n * 8;
	return n < SHADOW_MOST ? n : SHADOW_MOST;
}

static bool in_shadow_stack(const struct wanted *w, uint64_t *ret)
{
	struct {
		struct inq_field ret, slot;
	} s;
	const struct inq_shape_member members[] = {
		{0, "ret", NULL, NULL, false},
		{sizeof(struct inq_field), "retp", NULL, NULL, false},
		{0}};
	struct inq_member stack;
	uint64_t entry = 0, at = 0, slot = 0;

	if (inq_member_of(w->m, "struct task_struct", "ret_stack", &stack, NULL) ||
	    inq_shape(w->m, "struct ftrace_ret_stack", members, &s, &entry, NULL) ||
	    inq_read_u64(w->m, w->task + inq_member_at(&stack), &at, NULL) || !at)
		return false;
	uint64_t n = shadow_bytes(w->m, w->task, &stack, entry);
	for (uint64_t off = 0; off + entry <= n; off += 8)
		if (!inq_read_field(w->m, at + off, &s.slot, &slot, NULL) && slot == w->slot &&
		    !inq_read_field(w->m, at + off, &s.ret, ret, NULL) && *ret != w->trampoline)
			return true;
	return false;
}

bool unwind_is_kept(const struct unwinder *u, uint64_t rip, size_t *ret_which)
{
	for (size_t i = 0; i < UNWIND_TRAMPOLINES; i++)
		if (u->trampoline[i] && u->trampoline[i] == rip) {
			*ret_which = i;
			return true;
		}
	return false;
}

bool unwind_true_return(const struct unwinder *u, size_t which, uint64_t task, uint64_t slot,
			uint64_t *ret, const char **ret_says)
{
	const struct kept *k = &all_kept[which];
	struct wanted w = {u->m, task, slot, u->trampoline[which], INSTANCES_MOST};

	*ret_says = k->says;
	return task && (k->instance ? in_instances(&w, k, ret) : in_shadow_stack(&w, ret));
}

static enum inq_status add_page(struct unwinder *u, uint64_t insns, const char *name, bool jumps,
				struct inq_err *err)
{
	struct unwind_code c = {.first = insns, .last = insns + SLOT_PAGE - 1, .regs_at_sp = jumps};

	if (!insns || insns > UINT64_MAX - SLOT_PAGE)
		return INQ_OK;
	(void)snprintf(c.name, sizeof(c.name), "%s", name);
	return unwind_add_code(u, &c, err);
}

/* Pages of instruction slots: copies of probed instructions, and what is jumped to instead. */
static enum inq_status add_slots(struct unwinder *u, const char *cache, const char *name,
				 bool jumps, struct inq_err *err)
{
	struct {
		struct inq_field pages, list, insns;
	} s;
	const struct inq_shape_member of_cache[] = {{0, "pages.next", NULL, NULL, false}, {0}};
	const struct inq_shape_member of_page[] = {
		{sizeof(struct inq_field), "list.next", NULL, NULL, false},
		{2 * sizeof(struct inq_field), "insns", NULL, NULL, false},
		{0}};
	struct inq_symbol sym;
	struct inq_walk *w = NULL;
	uint64_t at = 0, insns = 0;
	bool more = true;
	enum inq_status st = INQ_OK;

	if (inq_symbol_named(u->m, cache, 0, &sym, NULL) ||
	    inq_shape(u->m, "struct kprobe_insn_cache", of_cache, &s, NULL, NULL) ||
	    inq_shape(u->m, "struct kprobe_insn_page", of_page, &s, NULL, NULL) ||
	    inq_walk_open(u->m, INQ_WALK_LIST, sym.addr + s.pages.off, s.list.off, INSTANCES_MOST,
			  &w, NULL))
		return INQ_OK;
	while (!st && !inq_walk_next(w, &at, NULL, &more, NULL) && more)
		if (!inq_read_field(u->m, at, &s.insns, &insns, NULL))
			st = add_page(u, insns, name, jumps, err);
	inq_walk_close(w);
	return st;
}

enum inq_status unwind_find_probes(struct unwinder *u, struct inq_err *err)
{
	struct inq_symbol sym;
	enum inq_status st = add_slots(u, "kprobe_optinsn_slots", "optimised kprobe", true, err);

	_Static_assert(sizeof(all_kept) / sizeof(*all_kept) == UNWIND_TRAMPOLINES, "one each");
	for (size_t i = 0; i < UNWIND_TRAMPOLINES; i++)
		if (!inq_symbol_named(u->m, all_kept[i].symbol, 0, &sym, NULL))
			u->trampoline[i] = sym.addr;
	return st ? st : add_slots(u, "kprobe_insn_slots", "kprobe instruction slot", false, err);
}
