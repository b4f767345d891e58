/* Every thread of a Linux.  Its state in letters is that of /proc: fs/proc/array.c. */
#include <inttypes.h>
#include <string.h>

#include "analyzers/collect/collectors.h"
#include "analyzers/collect/linux_task.h"

static const struct inq_column cols[] = {
	{"task", INQ_ADDR, "address of its task_struct"},
	{"pid", INQ_INT, "of the thread; 0: idle, one per CPU"},
	{"tgid", INQ_INT, "of its process"},
	{"ppid", INQ_INT, "process of its parent"},
	{"comm", INQ_TEXT, "name"},
	{"state", INQ_TEXT,
	 "R running or ready, S sleeps, D sleeps and cannot be woken by signals, I the same and "
	 "idle, T stopped, t traced, P parked, Z zombie, X dead"},
	{"cpu", INQ_INT, "CPU that it runs on or ran on last"},
	{"on_cpu", INQ_INT, "1: it is running"},
	{"flags", INQ_INT, "PF_*"},
	{"kthread", INQ_INT, "1: a thread of the kernel"},
	{"state_bits", INQ_INT, "TASK_* of __state and EXIT_* of exit_state"},
	{"prio", INQ_INT, "priority, 120: nice 0; below 100: realtime"},
	{"policy", INQ_INT, "0 normal, 1 FIFO, 2 round robin, 3 batch, 5 idle, 6 deadline"},
	{"utime_ns", INQ_INT, "time in user mode, ns"},
	{"stime_ns", INQ_INT, "time in the kernel, ns"},
	{"start_ns", INQ_INT, "when it began, ns since boot"},
	{"nvcsw", INQ_INT, "times that it gave up its CPU"},
	{"nivcsw", INQ_INT, "times that it was taken off it"},
	{"parent", INQ_ADDR, "task_struct of its real parent"},
	{"stack", INQ_ADDR, "lowest address of its kernel stack"},
	{"sp", INQ_ADDR, "its stack pointer when it was switched away; NULL while it runs"},
	{"mm", INQ_ADDR, "its memory; NULL: it has none of its own"},
	{0},
};

enum { COMM = 64, PF_KTHREAD = 0x00200000 };

/* include/linux/sched.h: the states that /proc tells apart, and two that look like others. */
enum {
	STATE_REPORTED = 0x7f, /* from TASK_INTERRUPTIBLE to TASK_PARKED */
	STATE_UNINTERRUPTIBLE = 0x2,
	STATE_NOLOAD = 0x400,
	STATE_RTLOCK_WAIT = 0x1000,
};

static const char *state_letter(uint64_t state, uint64_t exit)
{
	static const char letters[][2] = {"R", "S", "D", "T", "t", "X", "Z", "P"};
	uint64_t bits = state | exit;

	if ((state & (STATE_UNINTERRUPTIBLE | STATE_NOLOAD)) ==
	    (STATE_UNINTERRUPTIBLE | STATE_NOLOAD))
		return "I";
	if (state & STATE_RTLOCK_WAIT)
		return "D";
	bits &= STATE_REPORTED;
	return letters[bits ? 64 - __builtin_clzll(bits) : 0];
}

struct tables {
	const struct inq_machine *m;
	struct inq_sink *out;
	struct linux_task_shape shape;
	struct object task;
};

/* The process of its parent, whose task_struct need not be in the dump. */
static struct inq_value parent_pid(const struct tables *t)
{
	uint64_t parent, tgid = 0;

	if (!object_get(&t->task, &t->shape.parent, &parent) || !parent ||
	    inq_read_field(t->m, parent, &t->shape.tgid, &tgid, NULL))
		return INQ_V_NULL;
	return INQ_V_INT(tgid);
}

static struct inq_value flag(const struct object *o, const struct inq_field *f, uint64_t bit)
{
	uint64_t v;

	return object_get(o, f, &v) ? INQ_V_INT((v & bit) != 0) : INQ_V_NULL;
}

static enum inq_status put_task(const struct tables *t, struct inq_err *err)
{
	const struct linux_task_shape *s = &t->shape;
	const struct object *o = &t->task;
	uint64_t state = 0, exit = 0, on_cpu = 0;
	char comm[COMM];
	bool has_comm = object_text(o, &s->comm, comm, sizeof(comm));
	bool has_state = object_get(o, &s->state, &state);
	bool has_exit = object_get(o, &s->exit_state, &exit);
	bool runs = !object_get(o, &s->on_cpu, &on_cpu) || on_cpu;

	return INQ_ROW(
		t->out, err, INQ_V_ADDR(o->addr), object_int(o, &s->pid), object_int(o, &s->tgid),
		parent_pid(t), has_comm ? INQ_V_TEXT(comm) : INQ_V_NULL,
		has_state && has_exit ? INQ_V_TEXT(state_letter(state, exit)) : INQ_V_NULL,
		object_int(o, &s->cpu), object_int(o, &s->on_cpu), object_int(o, &s->flags),
		flag(o, &s->flags, PF_KTHREAD),
		has_state && has_exit ? INQ_V_INT(state | exit) : INQ_V_NULL,
		object_int(o, &s->prio), object_int(o, &s->policy), object_int(o, &s->utime),
		object_int(o, &s->stime), object_int(o, &s->start), object_int(o, &s->nvcsw),
		object_int(o, &s->nivcsw), object_addr(o, &s->parent), object_addr(o, &s->stack),
		runs ? INQ_V_NULL : object_addr(o, &s->sp), object_addr(o, &s->mm));
}

static enum inq_status on_task(void *ctx, uint64_t addr, struct inq_err *err)
{
	struct tables *t = ctx;
	struct inq_err why = {0};
	enum inq_status st = object_read(&t->task, t->m, addr, t->shape.size, t->out, &why);

	if (st)
		return linux_gap(t->m, t->out, addr, 1, &why, err);
	st = put_task(t, &why);
	if (st == INQ_ECORRUPT) /* told before: two lists lead to it */
		return linux_gap(t->m, t->out, addr, t->shape.size, &why, err);
	if (st && err)
		*err = why;
	return st;
}

static enum inq_status run(const struct inq_machine *m, struct inq_sink *out, struct inq_err *err)
{
	struct tables t = {.m = m, .out = out};
	struct inq_err why = {0};
	bool go = false;

	enum inq_status st = linux_start(m, out, &go, err);
	if (st || !go)
		return st;
	if (linux_task_shape(m, &t.shape, &why))
		return linux_gap(m, out, 0, 0, &why, err);
	return linux_tasks_each(m, &t.shape, out, on_task, &t, err);
}

const struct inq_collector collect_task = {
	.table = "task",
	.doc = "every thread: processes, threads of the kernel, idle tasks",
	.cols = cols,
	.nr_keys = 1,
	.run = run,
};
