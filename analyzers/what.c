/*
 * Knows whom to ask what an address belongs to: names, data of the CPUs, tasks and their stacks,
 * the page that it lies in.
 * Source: Linux include/linux/sched/task_stack.h, arch/x86/kernel/fpu/init.c
 * (fpu__init_task_struct_size).
 */
#include "analyzers/what.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <inquest/names.h>

#include "analyzers/collect/linux_page.h"
#include "analyzers/collect/linux_task.h"
#include "analyzers/collect/linux_zone.h"
#include "analyzers/page_owner.h"
#include "analyzers/slab_state.h"
#include "arch/paging.h"

enum { PAGE_SHIFT = 12, COMM = 64 };

struct asked {
	const struct inq_machine *m;
	uint64_t addr;
	struct what *out;
	size_t nr;
};

static void answer(struct asked *q, const char *kind, uint64_t addr, const char *text)
{
	if (q->nr == WHAT_MAX)
		return;
	struct what *w = &q->out[q->nr++];
	*w = (struct what){.kind = kind, .addr = addr, .around = true};
	snprintf(w->text, sizeof(w->text), "%s", text);
}

/* One that q->addr is not part of. */
static void answer_beside(void *ctx, const char *kind, uint64_t addr, const char *text)
{
	struct asked *q = ctx;
	size_t nr = q->nr;

	answer(q, kind, addr, text);
	if (q->nr > nr)
		q->out[nr].around = false;
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

struct tasks {
	struct asked *q;
	struct linux_task_shape shape;
	uint64_t task_bytes, stack_bytes;
};

/* All stacks of tasks are as long as the first. */
static uint64_t stack_bytes(const struct inq_machine *m)
{
	struct inq_symbol sym;

	return inq_symbol_named(m, "init_stack", 0, &sym, NULL) &&
			       inq_symbol_named(m, "init_thread_union", 0, &sym, NULL)
		       ? 0
		       : sym.size;
}

/* At its end are the registers of the FPU, no more of them than the CPU has. */
static uint64_t task_bytes(const struct inq_machine *m, const struct linux_task_shape *shape)
{
	uint64_t bytes = 0;

	return linux_var(m, "arch_task_struct_size", 4, &bytes, NULL) || bytes > shape->size
		       ? shape->size
		       : bytes;
}

static void say_stack(struct asked *q, uint64_t stack, uint64_t pid, const char *comm)
{
	uint64_t value = 0;
	char text[200], name[96] = "";

	if (!inq_read_u64(q->m, q->addr & ~UINT64_C(7), &value, NULL) &&
	    inq_is_text(q->m, value, NULL))
		(void)inq_symbol_text(q->m, value, name, sizeof(name));
	snprintf(text, sizeof(text), "kernel stack of task %" PRIu64 " (%s)+0x%" PRIx64 "%s%s", pid,
		 comm, q->addr - stack, *name ? ", holds " : "", name);
	answer(q, "stack", stack, text);
}

/* Is it the task's, or on its stack? */
static enum inq_status on_task(void *ctx, uint64_t task, struct inq_err *err)
{
	const struct tasks *t = ctx;
	struct asked *q = t->q;
	const struct linux_task_shape *sh = &t->shape;
	uint64_t stack = 0, pid = 0;
	char comm[COMM] = "", text[200];
	bool is_task = q->addr >= task && q->addr - task < t->task_bytes;

	(void)err;
	if (inq_read_field(q->m, task, &sh->stack, &stack, NULL))
		return INQ_OK;
	bool on_stack = q->addr >= stack && q->addr - stack < t->stack_bytes;
	if ((!is_task && !on_stack) || inq_read_field(q->m, task, &sh->pid, &pid, NULL) ||
	    linux_string(q->m, task + sh->comm.off, comm,
			 sh->comm.size < COMM ? sh->comm.size + 1 : COMM, NULL))
		return INQ_OK;
	if (!is_task) {
		say_stack(q, stack, pid, comm);
		return INQ_OK;
	}
	snprintf(text, sizeof(text), "task %" PRIu64 " (%s)+0x%" PRIx64, pid, comm, q->addr - task);
	answer(q, "task", task, text);
	return INQ_OK;
}

static void ask_tasks(struct asked *q)
{
	struct tasks t = {.q = q};

	if (linux_task_shape(q->m, &t.shape, NULL))
		return;
	t.task_bytes = task_bytes(q->m, &t.shape);
	t.stack_bytes = stack_bytes(q->m);
	(void)!linux_tasks_each(q->m, &t.shape, NULL, on_task, &t, NULL);
}

/* head: of the pages of one slab; first: the address of their memory. */
static void ask_slab(struct asked *q, uint64_t head, uint64_t first)
{
	struct linux_slab_shape f;
	uint64_t cache = 0, size = 0;
	char called[64] = "", why[SLAB_WHY], text[260];

	if (linux_slab_shape(q->m, &f, NULL) ||
	    linux_slab_cache(q->m, &f, head, &cache, called, sizeof(called), NULL) ||
	    inq_read_field(q->m, cache, &f.object, &size, NULL) || !size)
		return;
	uint64_t i = (q->addr - first) / size;
	enum slab_verdict state = slab_state_of(q->m, head, cache, first, q->addr, why);
	snprintf(text, sizeof(text),
		 "slab cache %s, object %" PRIu64 "+0x%" PRIx64 " of 0x%" PRIx64 " bytes"
		 ", %s%s",
		 called, i, q->addr - first - i * size, size,
		 state == SLAB_FREE     ? "free: "
		 : state == SLAB_IN_USE ? "in use"
					: "free or in use is unknown: ",
		 why);
	answer(q, "slab", first + i * size, text);
}

/* The page, and where it is a slab's, of the head that may stand before it. */
static void say_page(struct asked *q, const struct page_shape *shape, const struct page_row *row)
{
	struct page_facts f, head;
	struct page_row first;
	uint8_t p[LINUX_PAGE_MAX];
	char names[96], text[200];

	page_decode(shape, row, &f);
	page_flag_names(shape, f.flags, names, sizeof(names));
	snprintf(text, sizeof(text), "page at physical 0x%" PRIx64 ", flags 0x%" PRIx64 "%s%s",
		 row->pfn << PAGE_SHIFT, f.flags, *names ? " " : "", names);
	answer_beside(q, "page", row->addr, text);
	linux_page_head(q->m, shape, row, p, &first, &head);
	uint64_t before = (row->addr - first.addr) / shape->size << PAGE_SHIFT;
	page_owner_tell(q->m, row->pfn, &head, before >> PAGE_SHIFT, answer_beside, q);
	if (!strcmp(head.type, "slab"))
		ask_slab(q, first.addr, (q->addr & ~UINT64_C(0xfff)) - before);
}

static void ask_page(struct asked *q)
{
	const struct inq_space *at_space = NULL;
	struct page_shape shape;
	struct page_map map = {.nr = 0};
	struct page_filter f = page_all;
	struct page_scan *scan = NULL;
	struct page_row row;
	bool more = false;
	uint64_t pa = 0;

	if (paging_resolve(inq_machine_kernel(q->m)->virt, q->addr, &at_space, &pa, NULL) ||
	    linux_page_shape(q->m, &shape, NULL))
		return;
	f.first = f.last = pa >> PAGE_SHIFT;
	if (!linux_page_map(q->m, &shape, &map, NULL) &&
	    !page_scan_open(&map, &shape, &f, NULL, NULL, &scan, NULL) &&
	    !page_scan_next(scan, &row, &more, NULL) && more && row.p)
		say_page(q, &shape, &row);
	page_scan_close(scan);
	page_map_deinit(&map);
}

enum inq_status what_is(const struct inq_machine *m, uint64_t addr, struct what ret[WHAT_MAX],
			size_t *ret_nr, struct inq_err *err)
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
