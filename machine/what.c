/*
 * Knows whom to ask what an address belongs to: names, data of the CPUs, tasks and their stacks,
 * the page that it lies in.
 * Source: Linux include/linux/sched/task_stack.h, include/linux/sched/signal.h (for_each_thread),
 * arch/x86/include/asm/page_64.h and pgtable_64.h (vmemmap), mm/slab.h (struct slab).
 */
#include "machine/what.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <inquest/names.h>

#include "arch/paging.h"
#include "machine/value.h"

enum { MAX_TASKS = 1 << 17, PAGE_SHIFT = 12, COMM = 24 };

struct asked {
	const struct inq_machine *m;
	uint64_t addr;
	struct machine_what *out;
	size_t nr;
};

static void answer(struct asked *q, const char *kind, uint64_t addr, const char *text)
{
	if (q->nr == MACHINE_WHAT_MAX)
		return;
	struct machine_what *w = &q->out[q->nr++];
	*w = (struct machine_what){.kind = kind, .addr = addr};
	snprintf(w->text, sizeof(w->text), "%s", text);
}

static void ask_names(struct asked *q)
{
	struct inq_symbol sym;
	char text[160];

	if (inq_symbol_at(q->m, q->addr, &sym, NULL) ||
	    !inq_symbol_text(q->m, q->addr, text, sizeof(text)))
		return;
	answer(q, "symbol", sym.addr, text);
}

static void ask_cpu(struct asked *q, uint32_t cpu, uint64_t off)
{
	const char *name;
	uint64_t at;
	struct inq_type t;
	uint32_t size;
	char text[160];

	for (size_t i = 0; inq_per_cpu_at(q->m, i, &name, &at, &t, &size); i++)
		if (off >= at && off - at < size) {
			snprintf(text, sizeof(text),
				 "%s of cpu %" PRIu32 "+0x%" PRIx64 "/0x%" PRIx32, name, cpu,
				 off - at, size);
			answer(q, "per_cpu", q->addr - (off - at), text);
		}
}

static void ask_cpus(struct asked *q)
{
	uint32_t nr = 0;
	uint64_t base = 0;

	if (inq_nr_cpus(q->m, &nr, NULL))
		return;
	for (uint32_t cpu = 0; cpu < nr; cpu++)
		if (!inq_per_cpu_base(q->m, cpu, &base, NULL))
			ask_cpu(q, cpu, q->addr - base);
}

struct task_fields {
	struct inq_field pid, comm, stack, tasks, signal, node;
	struct inq_field head; /* of struct signal_struct */
	uint64_t task_bytes, stack_bytes;
};

static const struct inq_shape_member of_task[] = {
	{offsetof(struct task_fields, pid), "pid"},
	{offsetof(struct task_fields, comm), "comm"},
	{offsetof(struct task_fields, stack), "stack"},
	{offsetof(struct task_fields, tasks), "tasks"},
	{offsetof(struct task_fields, signal), "signal"},
	{offsetof(struct task_fields, node), "thread_node"},
	{0}};
static const struct inq_shape_member of_signal[] = {
	{offsetof(struct task_fields, head), "thread_head"}, {0}};

/* All stacks of tasks are as long as the first. */
static uint64_t stack_bytes(const struct inq_machine *m)
{
	struct inq_symbol sym;

	return inq_symbol_named(m, "init_stack", 0, &sym, NULL) &&
			       inq_symbol_named(m, "init_thread_union", 0, &sym, NULL)
		       ? 0
		       : sym.size;
}

static enum inq_status learn_tasks(const struct inq_machine *m, struct task_fields *f)
{
	enum inq_status st = inq_shape(m, "struct task_struct", of_task, f, &f->task_bytes, NULL);

	f->stack_bytes = stack_bytes(m);
	return st ? st : inq_shape(m, "struct signal_struct", of_signal, f, NULL, NULL);
}

/* Is it the task's, or on its stack? */
static void ask_task(struct asked *q, const struct task_fields *f, uint64_t task)
{
	uint64_t stack = 0, pid = 0, slot = q->addr & ~UINT64_C(7), value = 0;
	char comm[COMM] = "", text[200], name[96] = "";
	const struct inq_module *of = NULL;
	bool is_task = q->addr >= task && q->addr - task < f->task_bytes;

	if (inq_read_field(q->m, task, &f->stack, &stack, NULL))
		return;
	bool on_stack = q->addr >= stack && q->addr - stack < f->stack_bytes;
	if ((!is_task && !on_stack) || inq_read_field(q->m, task, &f->pid, &pid, NULL) ||
	    inq_read_kernel(q->m, task + f->comm.off, comm,
			    f->comm.size < COMM - 1 ? f->comm.size : COMM - 1, NULL))
		return;
	if (is_task) {
		snprintf(text, sizeof(text), "task %" PRIu64 " (%s)+0x%" PRIx64, pid, comm,
			 q->addr - task);
		answer(q, "task", task, text);
		return;
	}
	if (!inq_read_u64(q->m, slot, &value, NULL) && inq_is_text(q->m, value, &of))
		(void)inq_symbol_text(q->m, value, name, sizeof(name));
	snprintf(text, sizeof(text), "kernel stack of task %" PRIu64 " (%s)+0x%" PRIx64 "%s%s", pid,
		 comm, q->addr - stack, *name ? ", holds " : "", name);
	answer(q, "stack", stack, text);
}

/* The threads of one process. */
static void ask_threads(struct asked *q, const struct task_fields *f, uint64_t leader)
{
	struct inq_walk *w = NULL;
	uint64_t signal = 0, task = 0;
	bool more = false;

	if (inq_read_field(q->m, leader, &f->signal, &signal, NULL) ||
	    inq_walk_open(q->m, INQ_WALK_LIST, signal + f->head.off, f->node.off, MAX_TASKS, &w,
			  NULL))
		return;
	while (!inq_walk_next(w, &task, NULL, &more, NULL) && more)
		ask_task(q, f, task);
	inq_walk_close(w);
}

static void ask_tasks(struct asked *q)
{
	struct task_fields f = {.task_bytes = 0};
	struct inq_symbol init;
	struct inq_walk *w = NULL;
	uint64_t task = 0;
	bool more = false;

	if (learn_tasks(q->m, &f) || inq_symbol_named(q->m, "init_task", 0, &init, NULL))
		return;
	ask_task(q, &f, init.addr);
	if (inq_walk_open(q->m, INQ_WALK_LIST, init.addr + f.tasks.off, f.tasks.off, MAX_TASKS, &w,
			  NULL))
		return;
	while (!inq_walk_next(w, &task, NULL, &more, NULL) && more)
		ask_threads(q, &f, task);
	inq_walk_close(w);
}

/* Where the kernel's array of struct page begins. */
static enum inq_status vmemmap(const struct inq_machine *m, uint64_t *ret)
{
	uint64_t at;
	struct inq_type t;
	enum inq_status st = inq_var(m, "vmemmap_base", &at, &t, NULL);

	return st ? st : inq_read_u64(m, at, ret, NULL);
}

struct page_fields {
	struct inq_field flags, head, type;
	struct inq_field cache;        /* of struct slab, which lies over the page */
	struct inq_field name, object; /* of struct kmem_cache */
	uint64_t bytes;
};

static const struct inq_shape_member of_page[] = {
	{offsetof(struct page_fields, flags), "flags"},
	{offsetof(struct page_fields, head), "compound_head"},
	{offsetof(struct page_fields, type), "page_type", .optional = true},
	{0}};
static const struct inq_shape_member of_slab[] = {
	{offsetof(struct page_fields, cache), "slab_cache"}, {0}};
static const struct inq_shape_member of_cache[] = {{offsetof(struct page_fields, name), "name"},
						   {offsetof(struct page_fields, object), "size"},
						   {0}};

/* A flag until Linux 6.9, a page's type since. */
static bool is_slab(const struct inq_machine *m, const struct page_fields *f, uint64_t page)
{
	uint64_t nr, flags = 0, type = 0;

	if (!inq_enum_value(m, "enum pageflags", "PG_slab", &nr, NULL))
		return nr < 64 && !inq_read_field(m, page, &f->flags, &flags, NULL) &&
		       flags >> nr & 1;
	return !inq_enum_value(m, "enum pagetype", "PGTY_slab", &nr, NULL) &&
	       !inq_read_field(m, page, &f->type, &type, NULL) && (uint32_t)type >> 24 == nr;
}

/* head: of the pages of one slab; first: the address of their memory. */
static void ask_slab(struct asked *q, struct page_fields *f, uint64_t head, uint64_t first)
{
	uint64_t cache = 0, name = 0, size = 0;
	char comm[64] = "", text[160];

	if (!is_slab(q->m, f, head) ||
	    (inq_shape(q->m, "struct slab", of_slab, f, NULL, NULL) &&
	     inq_shape(q->m, "struct page", of_slab, f, NULL, NULL)) ||
	    inq_shape(q->m, "struct kmem_cache", of_cache, f, NULL, NULL) ||
	    inq_read_field(q->m, head, &f->cache, &cache, NULL) ||
	    inq_read_field(q->m, cache, &f->name, &name, NULL) ||
	    inq_read_field(q->m, cache, &f->object, &size, NULL) || !size)
		return;
	for (size_t i = 0; i + 1 < sizeof(comm); i++)
		if (inq_read_kernel(q->m, name + i, comm + i, 1, NULL) || !comm[i])
			break;
	uint64_t i = (q->addr - first) / size;
	snprintf(text, sizeof(text),
		 "slab cache %s, object %" PRIu64 "+0x%" PRIx64 " of 0x%" PRIx64 " bytes", comm, i,
		 q->addr - first - i * size, size);
	answer(q, "slab", first + i * size, text);
}

static void ask_page(struct asked *q)
{
	const struct inq_space *virt = inq_machine_kernel(q->m)->virt, *at_space = NULL;
	struct page_fields f = {.bytes = 0};
	uint64_t map = 0, pa = 0, flags = 0, head = 0;
	char names[96], text[200];

	if (paging_resolve(virt, q->addr, &at_space, &pa, NULL) || vmemmap(q->m, &map) ||
	    inq_shape(q->m, "struct page", of_page, &f, &f.bytes, NULL) || !f.bytes)
		return;
	uint64_t page = map + (pa >> PAGE_SHIFT) * f.bytes;
	if (inq_read_field(q->m, page, &f.flags, &flags, NULL))
		return;
	machine_page_flags(q->m, flags, names, sizeof(names));
	snprintf(text, sizeof(text), "page at physical 0x%" PRIx64 ", flags 0x%" PRIx64 "%s%s",
		 pa & ~UINT64_C(0xfff), flags, *names ? " " : "", names);
	answer(q, "page", page, text);
	/* an odd compound_head: its page is a tail of the one there */
	if (inq_read_field(q->m, page, &f.head, &head, NULL) || !(head & 1) || head - 1 > page)
		head = page + 1;
	uint64_t before = (page - (head - 1)) / f.bytes << PAGE_SHIFT;
	ask_slab(q, &f, head - 1, (q->addr & ~UINT64_C(0xfff)) - before);
}

enum inq_status machine_what(const struct inq_machine *m, uint64_t addr,
			     struct machine_what ret[MACHINE_WHAT_MAX], size_t *ret_nr,
			     struct inq_err *err)
{
	const struct inq_kernel *k = inq_machine_kernel(m);
	struct asked q = {.m = m, .addr = addr, .out = ret};

	if (!k->virt)
		return inq_fail(err, k->st ? k->st : INQ_EABSENT, "no kernel was found");
	ask_names(&q);
	ask_cpus(&q);
	ask_tasks(&q);
	ask_page(&q);
	*ret_nr = q.nr;
	return INQ_OK;
}
