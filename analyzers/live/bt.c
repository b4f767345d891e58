/*
 * Backtraces: of one task, and of one CPU.  A stack that cannot be climbed at all is a row without
 * a frame, which says why.
 */
#include <stdio.h>
#include <stdlib.h>

#include "analyzers/live/table.h"
#include "machine/unwind.h"

enum {
	COL_NR,
	COL_PC,
	COL_SP,
	COL_FUNCTION,
	COL_HOW,
	COL_MODE,
	COL_STACK,
	COL_REGS,
	COL_NOTE,
	COL_COMPLETE,
	COL_WHY
};

static const struct live_column cols[] = {
	{"nr", "INTEGER", "from 0, innermost first; NULL: the stack has no frame at all"},
	{"pc", "INTEGER", "where it goes on"},
	{"sp", "INTEGER", "stack pointer there; NULL: unknown"},
	{"function", "TEXT", "what pc lies in: name+0xoffset/0xsize [module]"},
	{"how", "TEXT",
	 "how it was found: registers, switched (left by the scheduler), orc (the kernel's own "
	 "tables), saved registers, frame pointer, scan, save area, hypervisor"},
	{"mode", "TEXT", "whose code it is: kernel, user, smm, guest"},
	{"stack", "TEXT", "which stack: task, irq, entry, df, nmi, db, mce, vc; NULL: unknown"},
	{"regs", "INTEGER", "address of its saved registers, struct pt_regs; NULL: none"},
	{"note", "TEXT", "what else is to be said: a system call and its arguments"},
	{"complete", "INTEGER", "of the last frame: 1 it is the first one, 0 the stack was cut"},
	{"why", "TEXT", "of the last frame: what the stack ends at, or what cut it"},
	{0},
};
static const struct live_column task_args[] = {
	{"task", "", "address of a task_struct"},
	{0},
};
static const struct live_column cpu_args[] = {
	{"cpu", "", "number of a CPU of the dump"},
	{0},
};

/* Looked up once: a query may climb one stack after the other. */
struct kept {
	struct unwinder *u;
};

struct state {
	struct unwinder *u; /* the kept one */
	struct unwind_stack *stack;
	unsigned int at; /* of the next row */
};

static void close_stack(void *state)
{
	free(((struct state *)state)->stack);
}

static void drop_unwinder(void *kept)
{
	unwind_close(((struct kept *)kept)->u);
}

static enum inq_status open_unwinder(const struct live_call *call, struct state *s,
				     struct inq_err *err)
{
	struct kept *k = call->kept;

	s->stack = calloc(1, sizeof(*s->stack));
	if (!s->stack)
		return inq_fail(err, INQ_ENOMEM, "backtrace");
	enum inq_status st = k->u ? INQ_OK : unwind_open(call->m, &k->u, err);
	s->u = k->u;
	return st;
}

static enum inq_status open_task(const struct live_call *call, void *state, struct inq_err *err)
{
	struct state *s = state;
	struct inq_err why = {0};
	enum inq_status st = open_unwinder(call, s, err);

	if (st)
		return st;
	st = unwind_task(s->u, (uint64_t)sqlite3_value_int64(call->arg[0]), s->stack, &why);
	if (st) {
		s->stack->nr = 0;
		(void)snprintf(s->stack->why, sizeof(s->stack->why), "%.*s", UNWIND_NOTE - 1,
			       why.msg);
	}
	return INQ_OK;
}

static enum inq_status open_cpu(const struct live_call *call, void *state, struct inq_err *err)
{
	struct state *s = state;
	sqlite3_int64 cpu = sqlite3_value_int64(call->arg[0]);
	enum inq_status st = open_unwinder(call, s, err);

	if (!st)
		unwind_cpu(s->u, cpu < 0 || cpu > UINT32_MAX ? UINT32_MAX : (uint32_t)cpu,
			   s->stack);
	return st;
}

static enum inq_status next_frame(void *state, bool *ret_more, struct inq_err *err)
{
	struct state *s = state;

	(void)err;
	*ret_more = s->at < s->stack->nr || !s->at;
	s->at += *ret_more;
	return INQ_OK;
}

static void put(sqlite3_context *ctx, const char *text)
{
	if (text && *text)
		sqlite3_result_text(ctx, text, -1, SQLITE_TRANSIENT);
}

static void put_frame(const struct state *s, const struct unwind_frame *f, int col,
		      sqlite3_context *ctx)
{
	char name[256];

	if (col == COL_PC)
		sqlite3_result_int64(ctx, (sqlite3_int64)f->pc);
	else if (col == COL_SP && f->sp_known)
		sqlite3_result_int64(ctx, (sqlite3_int64)f->sp);
	else if (col == COL_REGS && f->regs)
		sqlite3_result_int64(ctx, (sqlite3_int64)f->regs);
	else if (col == COL_FUNCTION) {
		unwind_name(s->u, f, name, sizeof(name));
		put(ctx, name);
	} else if (col == COL_HOW || col == COL_MODE) {
		put(ctx, col == COL_HOW ? f->how : f->mode);
	} else if (col == COL_STACK || col == COL_NOTE) {
		put(ctx, col == COL_STACK ? f->stack : f->note);
	}
}

static void put_column(const void *state, int col, sqlite3_context *ctx)
{
	const struct state *s = state;
	bool last = s->at >= s->stack->nr;

	if (col == COL_COMPLETE && last)
		sqlite3_result_int(ctx, s->stack->complete);
	else if (col == COL_WHY && last)
		put(ctx, s->stack->why);
	else if (s->stack->nr && col == COL_NR)
		sqlite3_result_int64(ctx, s->at - 1);
	else if (s->stack->nr)
		put_frame(s, &s->stack->frame[s->at - 1], col, ctx);
}

const struct live_table live_bt = {
	.doc = {.name = "bt",
		.doc = "the backtrace of one task, a frame to a row",
		.cols = cols,
		.args = task_args,
		.nr_needed = 1},
	.state_bytes = sizeof(struct state),
	.kept_bytes = sizeof(struct kept),
	.drop = drop_unwinder,
	.open = open_task,
	.next = next_frame,
	.column = put_column,
	.close = close_stack,
};

const struct live_table live_bt_cpu = {
	.doc = {.name = "bt_cpu",
		.doc = "the backtrace of one CPU, from its registers on",
		.cols = cols,
		.args = cpu_args,
		.nr_needed = 1},
	.state_bytes = sizeof(struct state),
	.kept_bytes = sizeof(struct kept),
	.drop = drop_unwinder,
	.open = open_cpu,
	.next = next_frame,
	.column = put_column,
	.close = close_stack,
};
