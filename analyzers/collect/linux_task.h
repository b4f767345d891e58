/* A task_struct, for all tables that name tasks. */
#ifndef ANALYZERS_COLLECT_LINUX_TASK_H
#define ANALYZERS_COLLECT_LINUX_TASK_H

#include "analyzers/collect/linux.h"

struct linux_task_shape {
	struct inq_field pid, tgid, comm, state, exit_state, flags, cpu, on_cpu, prio, policy;
	struct inq_field parent, stack, sp, mm, signal, tasks, node;
	struct inq_field utime, stime, start, nvcsw, nivcsw;
	uint64_t size;            /* bytes of task_struct */
	struct inq_field threads; /* of signal_struct: head of the list of its threads */
};
INQ_MUST enum inq_status linux_task_shape(const struct inq_machine *m, struct linux_task_shape *ret,
					  struct inq_err *err);

/*
 * Every task: the idle ones, init_task, then each process with its threads behind it.  What ends a
 * list early is a gap of out.  Errors: those of fn, and what is our own failure.
 */
INQ_MUST enum inq_status linux_tasks_each(const struct inq_machine *m,
					  const struct linux_task_shape *shape,
					  struct inq_sink *out, linux_object_fn *fn, void *ctx,
					  struct inq_err *err);

#endif
