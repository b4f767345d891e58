/*
 * Backtraces: of one task, and of one CPU.  A stack that cannot be climbed at all is a row without
 * a frame, which says why.  Lines are looked up only for who asks: debug files take their time.
 */
#include <inquest/lines.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/live/table.h"
#include "machine/frame_vars.h"
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
	COL_WHY,
	COL_DEPTH,
	COL_INLINED,
	COL_FILE,
	COL_LINE,
	COL_ARGS,
	COL_LOCALS
};

static const struct live_column cols[] = {
	{"nr", "INTEGER", "from 0, innermost first; NULL: the stack has no frame at all"},
	{"pc", "INTEGER", "where it goes on"},
	{"sp", "INTEGER", "stack pointer there; NULL: unknown"},
	{"function", "TEXT", "what pc lies in: name+0xoffset/0xsize [module]"},
	{"how", "TEXT",
	 "how it was found: registers, switched (left by the scheduler), orc (the kernel's own "
	 "tables), saved registers, frame pointer, scan, save area, hypervisor; inlined: no frame "
	 "of its own"},
	{"mode", "TEXT", "whose code it is: kernel, user, smm, guest"},
	{"stack", "TEXT", "which stack: task, irq, entry, df, nmi, db, mce, vc; NULL: unknown"},
	{"regs", "INTEGER", "address of its saved registers, struct pt_regs; NULL: none"},
	{"note", "TEXT",
	 "what else is to be said: a system call and its arguments, what lies between two parts"},
	{"complete", "INTEGER", "of the last frame: 1 it is the first one, 0 the stack was cut"},
	{"why", "TEXT", "of the last frame: what the stack ends at, or what cut it"},
	{"depth", "INTEGER", "with lines: from 0, the innermost function that was inlined there"},
	{"inlined", "INTEGER",
	 "with lines: 1 a function inlined into the next row's, 0 the frame itself"},
	{"file", "TEXT", "with lines: the source file; NULL: unknown"},
	{"line", "INTEGER", "with lines: the line where it is, or calls what the row before is of"},
	{"args", "TEXT",
	 "with args: name=value of each; <optimized out>: it is nowhere there, <unknown>: it takes "
	 "what the dump does not tell"},
	{"locals", "TEXT", "with locals: the same of variables"},
	{0},
};
#define DETAIL                                                                                     \
	{                                                                                          \
		"detail", "",                                                                      \
			"out of a debug file: 'lines' (and inlined functions), 'args' (those, "    \
			"and "                                                                     \
			"arguments), 'locals' (those, and variables)"                              \
	}
static const struct live_column task_args[] = {
	{"task", "", "address of a task_struct"},
	DETAIL,
	{0},
};
static const struct live_column cpu_args[] = {
	{"cpu", "", "number of a CPU of the dump"},
	DETAIL,
	{0},
};

/* Looked up once: a query may climb one stack after the other. */
struct kept {
	struct unwinder *u;
};

struct state {
	const struct inq_machine *m;
	struct unwinder *u; /* the kept one */
	struct unwind_stack *stack;
	struct inq_lines *lines; /* of the frame, nr 0: it has none; NULL: nobody asks */
	struct frame_vars *vars; /* NULL: nobody asks */
	bool args, locals;
	unsigned int at; /* the row's frame */
	size_t depth;    /* the row's, of lines */
	bool began;
};

static void close_stack(void *state)
{
	struct state *s = state;

	frame_vars_close(s->vars);
	free(s->stack);
	free(s->lines);
}

static void drop_unwinder(void *kept)
{
	unwind_close(((struct kept *)kept)->u);
}

/* What the second argument wants. */
static enum inq_status take_detail(const struct live_call *call, struct state *s,
				   struct inq_err *err)
{
	const char *text = call->arg[1] ? (const char *)sqlite3_value_text(call->arg[1]) : NULL;

	if (!text)
		return INQ_OK;
	s->locals = !strcmp(text, "locals");
	s->args = s->locals || !strcmp(text, "args");
	if (!s->args && strcmp(text, "lines") != 0)
		return inq_fail(err, INQ_EUSAGE, "no detail of a backtrace is called %.40s", text);
	s->lines = calloc(1, sizeof(*s->lines));
	return s->lines ? INQ_OK : inq_fail(err, INQ_ENOMEM, "lines");
}

static enum inq_status open_unwinder(const struct live_call *call, struct state *s,
				     struct inq_err *err)
{
	struct kept *k = call->kept;
	enum inq_status st = take_detail(call, s, err);

	s->m = call->m;
	s->stack = calloc(1, sizeof(*s->stack));
	if (!st && !s->stack)
		st = inq_fail(err, INQ_ENOMEM, "backtrace");
	if (!st && !k->u)
		st = unwind_open(call->m, &k->u, err);
	s->u = k->u;
	return st;
}

static enum inq_status open_vars(struct state *s, struct inq_err *err)
{
	return s->args ? frame_vars_open(s->m, s->stack, &s->vars, err) : INQ_OK;
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
	return open_vars(s, err);
}

static enum inq_status open_cpu(const struct live_call *call, void *state, struct inq_err *err)
{
	struct state *s = state;
	sqlite3_int64 cpu = sqlite3_value_int64(call->arg[0]);
	enum inq_status st = open_unwinder(call, s, err);

	if (!st)
		unwind_cpu(s->u, cpu < 0 || cpu > UINT32_MAX ? UINT32_MAX : (uint32_t)cpu,
			   s->stack);
	return st ? st : open_vars(s, err);
}

/* The frame's own row is the last of its lines; what is not known has none. */
static enum inq_status look_up_lines(struct state *s, struct inq_err *err)
{
	const struct unwind_frame *f = &s->stack->frame[s->at];

	s->depth = 0;
	if (!s->lines)
		return INQ_OK;
	s->lines->nr = 0;
	if (s->at >= s->stack->nr || strcmp(f->mode, "kernel") != 0)
		return INQ_OK;
	enum inq_status st = inq_lines_at(s->m, f->pc - !f->interrupted, s->lines, err);
	if (st)
		s->lines->nr = 0;
	return st == INQ_ENOMEM ? st : INQ_OK;
}

static enum inq_status next_frame(void *state, bool *ret_more, struct inq_err *err)
{
	struct state *s = state;

	if (s->began && s->lines && s->depth + 1 < s->lines->nr) {
		s->depth++;
		*ret_more = true;
		return INQ_OK;
	}
	s->at += s->began;
	s->began = true;
	*ret_more = s->at < s->stack->nr || !s->at;
	return *ret_more ? look_up_lines(s, err) : INQ_OK;
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

	if (col == COL_SP && f->sp_known)
		sqlite3_result_int64(ctx, (sqlite3_int64)f->sp);
	else if (col == COL_REGS && f->regs)
		sqlite3_result_int64(ctx, (sqlite3_int64)f->regs);
	else if (col == COL_FUNCTION) {
		unwind_name(s->u, f, name, sizeof(name));
		put(ctx, name);
	} else if (col == COL_HOW) {
		put(ctx, f->how);
	} else if (col == COL_STACK || col == COL_NOTE) {
		put(ctx, col == COL_STACK ? f->stack : f->note);
	}
}

/* What only a debug file tells.  NULL: nothing about this frame. */
static const struct inq_line_frame *line_of(const struct state *s)
{
	return s->lines && s->depth < s->lines->nr ? &s->lines->frame[s->depth] : NULL;
}

static void put_line(const struct state *s, int col, sqlite3_context *ctx)
{
	const struct inq_line_frame *l = line_of(s);

	if (s->lines && col == COL_DEPTH)
		sqlite3_result_int64(ctx, (sqlite3_int64)s->depth);
	else if (s->lines && col == COL_INLINED)
		sqlite3_result_int(ctx, l && l->inlined);
	else if (l && col == COL_FILE)
		put(ctx, l->file);
	else if (l && col == COL_LINE && l->line)
		sqlite3_result_int64(ctx, l->line);
}

static void put_vars(const struct state *s, int col, sqlite3_context *ctx)
{
	char text[4096];

	if ((col == COL_ARGS ? s->args : s->locals) &&
	    frame_vars_text(s->vars, s->at, s->depth,
			    col == COL_ARGS ? FRAME_PARAMETERS : FRAME_VARIABLES, text,
			    sizeof(text)))
		put(ctx, text);
}

static void put_column(const void *state, int col, sqlite3_context *ctx)
{
	const struct state *s = state;
	const struct unwind_frame *f = &s->stack->frame[s->at];
	const struct inq_line_frame *l = line_of(s);
	bool inlined = l && l->inlined, last = s->at + 1 >= s->stack->nr && !inlined;

	if (col == COL_COMPLETE || col == COL_WHY) {
		if (last && col == COL_COMPLETE)
			sqlite3_result_int(ctx, s->stack->complete);
		else if (last)
			put(ctx, s->stack->why);
	} else if (!s->stack->nr) {
		return;
	} else if (col >= COL_ARGS) {
		put_vars(s, col, ctx);
	} else if (col >= COL_DEPTH) {
		put_line(s, col, ctx);
	} else if (col == COL_NR || col == COL_PC) {
		sqlite3_result_int64(ctx, col == COL_NR ? s->at : (sqlite3_int64)f->pc);
	} else if (col == COL_MODE) {
		put(ctx, f->mode);
	} else if (!inlined) {
		put_frame(s, f, col, ctx);
	} else if (col == COL_FUNCTION || col == COL_HOW) {
		put(ctx, col == COL_FUNCTION ? l->function : "inlined");
	}
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
