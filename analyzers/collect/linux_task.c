/* Knows where tasks hang.  Sources: include/linux/sched.h, sched/signal.h (for_each_thread). */
#include "analyzers/collect/linux_task.h"

#include <inttypes.h>

enum { TASKS_MOST = 4 << 20 }; /* PID_MAX_LIMIT */

#define TASK(f, at, ...) LINUX_MEMBER(struct linux_task_shape, f, at, __VA_ARGS__)
static const struct inq_shape_member members[] = {
	TASK(pid, "pid"),
	TASK(tgid, "tgid"),
	TASK(comm, "comm"),
	TASK(state, "__state", .was = "state"),
	TASK(exit_state, "exit_state"),
	TASK(flags, "flags"),
	TASK(cpu, "thread_info.cpu", .was = "cpu", .optional = true),
	TASK(on_cpu, "on_cpu", .optional = true),
	TASK(prio, "prio", .optional = true),
	TASK(policy, "policy", .optional = true),
	TASK(parent, "real_parent"),
	TASK(stack, "stack"),
	TASK(sp, "thread.sp", .optional = true),
	TASK(mm, "mm"),
	TASK(signal, "signal"),
	TASK(tasks, "tasks"),
	TASK(node, "thread_node"),
	TASK(utime, "utime", .optional = true),
	TASK(stime, "stime", .optional = true),
	TASK(start, "start_boottime", .was = "real_start_time", .optional = true),
	TASK(nvcsw, "nvcsw", .optional = true),
	TASK(nivcsw, "nivcsw", .optional = true),
	{0},
};
static const struct inq_shape_member signal_members[] = {
	TASK(threads, "thread_head"),
	{0},
};

enum inq_status linux_task_shape(const struct inq_machine *m, struct linux_task_shape *ret,
				 struct inq_err *err)
{
	enum inq_status st = inq_shape(m, "struct task_struct", members, ret, &ret->size, err);

	return st ? st : inq_shape(m, "struct signal_struct", signal_members, ret, NULL, err);
}

struct tour {
	const struct inq_machine *m;
	const struct linux_task_shape *shape;
	struct inq_sink *out;
	linux_object_fn *fn;
	void *ctx;
};

/* A process: its threads, or where their list cannot be found at least the task itself. */
static enum inq_status on_process(void *ctx, uint64_t addr, struct inq_err *err)
{
	const struct tour *t = ctx;
	struct inq_err why = {0};
	uint64_t signal = 0;
	enum inq_status bad = inq_read_field(t->m, addr, &t->shape->signal, &signal, &why);

	if (!bad && signal)
		return linux_list_each(t->m, t->out, signal + t->shape->threads.off,
				       t->shape->node.off, TASKS_MOST, t->fn, t->ctx, err);
	enum inq_status st = t->fn(t->ctx, addr, err);
	return st || !bad ? st : linux_gap(t->m, t->out, addr, t->shape->size, &why, err);
}

/* Those of init_task's CPU and of the others: in no list, known by their run queues. */
static enum inq_status each_idle(const struct tour *t, uint64_t init, struct inq_err *err)
{
	uint32_t nr = 0;
	struct inq_err why = {0};
	struct inq_member idle;
	enum inq_status st = t->fn(t->ctx, init, err), bad = inq_nr_cpus(t->m, &nr, &why);

	for (uint32_t cpu = 0; !st && !bad && cpu < nr; cpu++) {
		struct inq_type rq;
		uint64_t at = 0, task = 0;
		bad = inq_per_cpu(t->m, "runqueues", cpu, &at, &rq, &why);
		bad = bad ? bad : inq_member(rq, "idle", &idle, &why);
		bad = bad ? bad : inq_read_u64(t->m, at + inq_member_at(&idle), &task, &why);
		if (!bad && task && task != init)
			st = t->fn(t->ctx, task, err);
	}
	return st || !bad ? st : linux_gap(t->m, t->out, 0, 0, &why, err);
}

enum inq_status linux_tasks_each(const struct inq_machine *m, const struct linux_task_shape *shape,
				 struct inq_sink *out, linux_object_fn *fn, void *ctx,
				 struct inq_err *err)
{
	struct tour t = {m, shape, out, fn, ctx};
	struct inq_type type;
	struct inq_err why = {0};
	uint64_t init = 0;

	if (inq_var(m, "init_task", &init, &type, &why))
		return linux_gap(m, out, 0, 0, &why, err);
	enum inq_status st = each_idle(&t, init, err);
	return st ? st
		  : linux_list_each(m, out, init + shape->tasks.off, shape->tasks.off, TASKS_MOST,
				    on_process, &t, err);
}
