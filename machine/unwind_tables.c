/*
 * Knows where code is that has a table for unwinding, and where code is that has none.  Sources:
 * Linux arch/x86/kernel/unwind_orc.c (orc_find, orc_ftrace_find), kernel/bpf/core.c (bpf_kallsyms),
 * include/linux/ftrace.h (struct ftrace_ops).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine/unwind_parts.h"

#include "base/order.h"

enum { OPS_MOST = 4096, SAVES_REGS = 1 << 2 /* FTRACE_OPS_FL_SAVE_REGS */ };

static enum inq_status read_kernel(void *ctx, uint64_t addr, void *buf, size_t n,
				   struct inq_err *err)
{
	const struct unwinder *u = ctx;

	return inq_read_kernel(u->m, addr, buf, n, err);
}

static bool is_text(const struct unwinder *u, uint64_t addr)
{
	const struct inq_module *mod;

	return (addr >= u->text_first && addr < u->text_end) || inq_is_text(u->m, addr, &mod);
}

static bool is_code(void *ctx, uint64_t addr)
{
	const struct unwinder *u = ctx;

	return is_text(u, addr) || unwind_code_at(u, addr);
}

static bool symbol_addr(const struct inq_machine *m, const char *name, uint64_t *ret)
{
	struct inq_symbol sym;

	if (inq_symbol_named(m, name, 0, &sym, NULL))
		return false;
	*ret = sym.addr;
	return true;
}

static void open_orc(struct unwinder *u)
{
	uint64_t ip, ip_end, entries;
	struct inq_err why = {0};

	if (!symbol_addr(u->m, "__start_orc_unwind_ip", &ip) ||
	    !symbol_addr(u->m, "__stop_orc_unwind_ip", &ip_end) ||
	    !symbol_addr(u->m, "__start_orc_unwind", &entries) || ip_end < ip)
		(void)snprintf(u->no_orc, sizeof(u->no_orc), "the kernel names no ORC table");
	else if (symbols_orc_open(read_kernel, u, ip, entries, (ip_end - ip) / 4, NULL, &u->orc,
				  &why))
		(void)snprintf(u->no_orc, sizeof(u->no_orc), "%.*s", UNWIND_NOTE - 1, why.msg);
}

static void open_module(struct unwinder *u, const struct inq_module *mod, struct symbols_orc *ret)
{
	struct {
		struct inq_field ip, orc, nr;
	} f;
	static const struct inq_shape_member members[] = {
		{0, "arch.orc_unwind_ip", NULL, NULL, false},
		{sizeof(struct inq_field), "arch.orc_unwind", NULL, NULL, false},
		{2 * sizeof(struct inq_field), "arch.num_orcs", NULL, NULL, false},
		{0}};
	uint64_t ip = 0, orc = 0, nr = 0;

	if (!u->orc.nr || inq_shape(u->m, "struct module", members, &f, NULL, NULL) ||
	    inq_read_field(u->m, mod->addr, &f.ip, &ip, NULL) ||
	    inq_read_field(u->m, mod->addr, &f.orc, &orc, NULL) ||
	    inq_read_field(u->m, mod->addr, &f.nr, &nr, NULL) ||
	    symbols_orc_open(read_kernel, u, ip, orc, nr, &u->orc, ret, NULL))
		ret->nr = 0;
}

enum inq_status unwind_add_code(struct unwinder *u, const struct unwind_code *c,
				struct inq_err *err)
{
	/* grows by doubling: its size is a power of two whenever it is full */
	if (!(u->nr_code & (u->nr_code - 1))) {
		size_t room = u->nr_code ? 2 * u->nr_code : 1;
		struct unwind_code *more = reallocarray(u->code, room, sizeof(*more));
		if (!more)
			return inq_fail(err, INQ_ENOMEM, "unwinder");
		u->code = more;
	}
	u->code[u->nr_code++] = *c;
	return INQ_OK;
}

struct ksym_shape {
	struct inq_field start, end, node;
	uint64_t name;
};

static bool ksym_shape(const struct inq_machine *m, struct ksym_shape *s)
{
	static const struct inq_shape_member members[] = {
		{offsetof(struct ksym_shape, start), "start", NULL, NULL, false},
		{offsetof(struct ksym_shape, end), "end", NULL, NULL, false},
		{offsetof(struct ksym_shape, node), "lnode", NULL, NULL, false},
		{0}};
	struct inq_member name;

	if (inq_shape(m, "struct bpf_ksym", members, s, NULL, NULL) ||
	    inq_member_of(m, "struct bpf_ksym", "name", &name, NULL))
		return false;
	s->name = inq_member_at(&name);
	return true;
}

static enum inq_status add_bpf(struct unwinder *u, const struct ksym_shape *s, uint64_t at,
			       struct inq_err *err)
{
	struct unwind_code c = {0};
	uint64_t end = 0;

	if (inq_read_field(u->m, at, &s->start, &c.first, NULL) ||
	    inq_read_field(u->m, at, &s->end, &end, NULL) || end <= c.first ||
	    inq_read_kernel(u->m, at + s->name, c.name, sizeof(c.name) - 1, NULL))
		return INQ_OK;
	c.last = end - 1;
	return unwind_add_code(u, &c, err);
}

static enum inq_status find_bpf(struct unwinder *u, struct inq_err *err)
{
	struct inq_walk *w = NULL;
	struct ksym_shape s;
	uint64_t head, at;
	bool more = true;
	enum inq_status st = INQ_OK;

	if (!symbol_addr(u->m, "bpf_kallsyms", &head) || !ksym_shape(u->m, &s) ||
	    inq_walk_open(u->m, INQ_WALK_LIST, head, s.node.off, UNWIND_CODES_MOST, &w, NULL))
		return INQ_OK;
	while (!st && !inq_walk_next(w, &at, NULL, &more, NULL) && more)
		st = add_bpf(u, &s, at, err);
	inq_walk_close(w);
	return st;
}

struct ops_shape {
	struct inq_field next, flags, trampoline, size;
};

static enum inq_status add_trampoline(struct unwinder *u, const struct ops_shape *s, uint64_t ops,
				      struct inq_err *err)
{
	struct unwind_code c = {.name = "ftrace trampoline"};
	uint64_t flags = 0, size = 0;

	if (inq_read_field(u->m, ops, &s->trampoline, &c.first, NULL) || !c.first ||
	    inq_read_field(u->m, ops, &s->size, &size, NULL) || !size || size > 1 << 16 ||
	    inq_read_field(u->m, ops, &s->flags, &flags, NULL) || is_text(u, c.first))
		return INQ_OK;
	c.last = c.first + size - 1;
	(void)symbol_addr(u->m, flags & SAVES_REGS ? "ftrace_regs_caller" : "ftrace_caller",
			  &c.copy_of);
	return unwind_add_code(u, &c, err);
}

static enum inq_status find_trampolines(struct unwinder *u, struct inq_err *err)
{
	static const struct inq_shape_member members[] = {
		{offsetof(struct ops_shape, next), "next", NULL, NULL, false},
		{offsetof(struct ops_shape, flags), "flags", NULL, NULL, false},
		{offsetof(struct ops_shape, trampoline), "trampoline", NULL, NULL, false},
		{offsetof(struct ops_shape, size), "trampoline_size", NULL, NULL, false},
		{0}};
	struct ops_shape s;
	uint64_t ops = 0, end = 0;
	enum inq_status st = INQ_OK;

	if (inq_shape(u->m, "struct ftrace_ops", members, &s, NULL, NULL) ||
	    !symbol_addr(u->m, "ftrace_ops_list", &ops) || inq_read_u64(u->m, ops, &ops, NULL))
		return INQ_OK;
	(void)symbol_addr(u->m, "ftrace_list_end", &end);
	for (int i = 0; !st && i < OPS_MOST && ops && ops != end; i++) {
		st = add_trampoline(u, &s, ops, err);
		if (inq_read_field(u->m, ops, &s.next, &ops, NULL))
			break;
	}
	return st;
}

static int by_first(const void *a, const void *b)
{
	const struct unwind_code *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

enum inq_status unwind_find_code(struct unwinder *u, struct inq_err *err)
{
	enum inq_status st;

	u->mem = (struct x86_64_memory){read_kernel, is_code, u};
	open_orc(u);
	if (!symbol_addr(u->m, "_stext", &u->text_first) ||
	    !symbol_addr(u->m, "_etext", &u->text_end))
		u->text_first = u->text_end = 0;
	if (inq_modules(u->m, &u->modules, &u->nr_modules, NULL, NULL))
		u->nr_modules = 0;
	u->module = calloc(u->nr_modules + 1, sizeof(*u->module));
	if (!u->module)
		return inq_fail(err, INQ_ENOMEM, "unwinder: modules");
	if ((st = find_bpf(u, err)) || (st = find_trampolines(u, err)) ||
	    (st = unwind_find_probes(u, err)))
		return st;
	if (u->nr_code)
		qsort(u->code, u->nr_code, sizeof(*u->code), by_first);
	return INQ_OK;
}

const struct unwind_code *unwind_code_at(const struct unwinder *u, uint64_t addr)
{
	size_t n = ORDER_UPTO(u->code, u->nr_code, first, addr);

	return n && addr <= u->code[n - 1].last ? &u->code[n - 1] : NULL;
}

static const struct symbols_orc *table_of(struct unwinder *u, const struct inq_module *mod)
{
	if (!mod)
		return &u->orc;
	size_t i = (size_t)(mod - u->modules);
	if (i >= u->nr_modules)
		return NULL;
	if (!u->module[i].asked)
		open_module(u, mod, &u->module[i].orc);
	u->module[i].asked = true;
	return &u->module[i].orc;
}

static enum inq_status look_up(struct unwinder *u, uint64_t at, struct inq_unwind_rule *ret,
			       struct inq_err *err)
{
	const struct unwind_code *c = unwind_code_at(u, at);
	const struct inq_module *mod = NULL;

	/* where the slot's code has pushed them all, and calls; `at` is within that call */
	if (c && c->regs_at_sp && x86_64_is_behind_call(&u->mem, at + 1)) {
		*ret = (struct inq_unwind_rule){
			.kind = INQ_UNWIND_REGS, .interrupts = true, .reg = INQ_UNWIND_SP};
		return INQ_OK;
	}
	if (c && c->copy_of)
		at = c->copy_of + (at - c->first);
	if (!(at >= u->text_first && at < u->text_end) && !inq_is_text(u->m, at, &mod))
		return inq_fail_at(err, INQ_ENOTFOUND, at, "no table tells of 0x%" PRIx64, at);
	const struct symbols_orc *o = table_of(u, mod);
	if (!o || !o->nr)
		return inq_fail_at(err, INQ_ENOTFOUND, at, "%s",
				   mod ? "the module has no ORC table" : u->no_orc);
	return symbols_orc_find(o, at, ret, err);
}

enum inq_status unwind_rule_at(struct unwinder *u, uint64_t at, struct inq_unwind_rule *ret,
			       struct inq_err *err)
{
	size_t slot = (at ^ at >> 10 ^ at >> 20) % UNWIND_CACHE;

	if (!u->cache[slot].used || u->cache[slot].pc != at) {
		struct inq_unwind_rule rule;
		enum inq_status st = look_up(u, at, &rule, err);
		if (st)
			return st;
		u->cache[slot].used = true;
		u->cache[slot].pc = at;
		u->cache[slot].rule = rule;
	}
	*ret = u->cache[slot].rule;
	return INQ_OK;
}
