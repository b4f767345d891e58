/* The backtrace of every task.  How a stack is climbed: machine/unwind.h. */
#include <inquest/names.h>
#include <stdlib.h>

#include "analyzers/collect/collectors.h"
#include "analyzers/collect/linux_task.h"
#include "base/scope.h"
#include "machine/unwind.h"

static const struct inq_column cols[] = {
	{"task", INQ_ADDR, "address of its task_struct"},
	{"nr", INQ_INT, "from 0, innermost first"},
	{"pc", INQ_ADDR, "where it goes on"},
	{"sp", INQ_ADDR, "stack pointer there; NULL: unknown"},
	{"function", INQ_TEXT, "what pc lies in: name+0xoffset/0xsize [module]"},
	{"how", INQ_TEXT,
	 "how it was found: registers, switched (left by the scheduler), orc (the kernel's own "
	 "tables), saved registers, frame pointer, scan, save area, hypervisor"},
	{"mode", INQ_TEXT, "whose code it is: kernel, user, smm, guest"},
	{"stack", INQ_TEXT, "which stack: task, irq, entry, df, nmi, db, mce, vc; NULL: unknown"},
	{"regs", INQ_ADDR, "address of its saved registers, struct pt_regs; NULL: none"},
	{"note", INQ_TEXT,
	 "what else is to be said: a system call and its arguments, what lies between two parts"},
	{"complete", INQ_INT, "of the last frame: 1 it is the first one, 0 the stack was cut"},
	{"why", INQ_TEXT, "of the last frame: what the stack ends at, or what cut it"},
	{0},
};

enum { PAGE = 4096 };

struct tables {
	const struct inq_machine *m;
	struct inq_sink *out;
	struct unwinder *u;
	struct unwind_stack stack;
};

static void free_tables(struct tables **t)
{
	if (*t)
		unwind_close((*t)->u);
	free(*t);
}

static enum inq_status put_frame(struct tables *t, uint64_t task, unsigned int i,
				 struct inq_err *err)
{
	const struct unwind_frame *f = &t->stack.frame[i];
	bool last = i + 1 == t->stack.nr;
	char name[256];

	unwind_name(t->u, f, name, sizeof(name));
	return INQ_ROW(t->out, err, INQ_V_ADDR(task), INQ_V_INT(i), INQ_V_ADDR(f->pc),
		       f->sp_known ? INQ_V_ADDR(f->sp) : INQ_V_NULL, INQ_V_TEXT(name),
		       INQ_V_TEXT(f->how), INQ_V_TEXT(f->mode), v_text(f->stack),
		       f->regs ? INQ_V_ADDR(f->regs) : INQ_V_NULL, v_text(f->note),
		       last ? INQ_V_INT(t->stack.complete) : INQ_V_NULL,
		       last ? INQ_V_TEXT(t->stack.why) : INQ_V_NULL);
}

static enum inq_status on_task(void *ctx, uint64_t task, struct inq_err *err)
{
	struct tables *t = ctx;
	struct inq_err why = {0};
	enum inq_status st = unwind_task(t->u, task, &t->stack, &why);

	if (!st && !t->stack.nr && !t->stack.complete) /* nothing of it could be seen */
		st = inq_fail(&why, INQ_EABSENT, "task 0x%llx: %s", (unsigned long long)task,
			      t->stack.why);
	if (st)
		return linux_gap(t->m, t->out, task, 1, &why, err);
	for (unsigned int i = 0; !st && i < t->stack.nr; i++)
		st = put_frame(t, task, i, &why);
	if (st == INQ_ECORRUPT) /* told before: two lists lead to it */
		return linux_gap(t->m, t->out, task, 1, &why, err);
	if (st && err)
		*err = why;
	return st;
}

/* Functions whose names are lost have none in the frames. */
static enum inq_status tell_lost_names(const struct tables *t, struct inq_err *err)
{
	struct inq_err why;
	uint64_t page;

	return inq_names_lost(t->m, &page, &why) ? linux_gap(t->m, t->out, page, PAGE, &why, err)
						 : INQ_OK;
}

static enum inq_status run(const struct inq_machine *m, struct inq_sink *out, struct inq_err *err)
{
	INQ_SCOPED(free_tables) struct tables *t = calloc(1, sizeof(*t));
	struct linux_task_shape shape;
	struct inq_err why = {0};
	bool go = false;
	enum inq_status st;

	if (!t)
		return inq_fail(err, INQ_ENOMEM, "backtraces");
	t->m = m;
	t->out = out;
	if ((st = linux_start(m, out, &go, err)) || !go)
		return st;
	if (linux_task_shape(m, &shape, &why))
		return linux_gap(m, out, 0, 0, &why, err);
	st = unwind_open(m, &t->u, err);
	if (!st)
		st = tell_lost_names(t, err);
	return st ? st : linux_tasks_each(m, &shape, out, on_task, t, err);
}

const struct inq_collector collect_frame = {
	.table = "frame",
	.doc = "the backtrace of every task",
	.cols = cols,
	.nr_keys = 2,
	.run = run,
};
