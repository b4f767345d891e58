/*
 * Knows when one step up may follow another: a stack is only climbed upwards, and one that was left
 * is never entered again, so that no chain of frames is without end.  Sources: Linux
 * arch/x86/kernel/unwind_orc.c, arch/x86/kernel/dumpstack_64.c (get_stack_info).
 */
#include "machine/unwind.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "machine/unwind_parts.h"

INQ_DEFINE_SCOPE(struct unwinder, unwind_close)

void unwind_close(struct unwinder *u)
{
	if (!u)
		return;
	free(u->area);
	free(u->running);
	free(u->code);
	free(u->module);
	free(u);
}

enum inq_status unwind_open(const struct inq_machine *m, struct unwinder **ret, struct inq_err *err)
{
	INQ_SCOPED(unwind_close_scope_) struct unwinder *u = calloc(1, sizeof(*u));
	enum inq_status st;

	if (!u)
		return inq_fail(err, INQ_ENOMEM, "unwinder");
	u->m = m;
	if ((st = unwind_find_code(u, err)) || (st = unwind_find_stacks(u, err)))
		return st;
	*ret = inq_take(u);
	return INQ_OK;
}

void unwind_end(struct unwind_stack *s, bool complete, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(s->why, sizeof(s->why), fmt, ap);
	va_end(ap);
	s->complete = complete;
}

struct unwind_frame *unwind_add(struct unwind_stack *s, const struct x86_64_frame *f,
				const char *how, const char *mode)
{
	if (s->nr == UNWIND_FRAMES)
		return NULL;
	struct unwind_frame *out = &s->frame[s->nr++];
	*out = (struct unwind_frame){
		.pc = f->v[X86_64_RIP],
		.sp = f->v[X86_64_RSP],
		.sp_known = x86_64_frame_known(f, X86_64_RSP),
		.interrupted = f->exact,
		.how = how,
		.mode = mode,
		.regs = f->has_regs ? f->regs_at : 0,
		.at = *f,
	};
	return out;
}

/* One stack being climbed. */
struct climb {
	struct unwinder *u;
	struct x86_64_frame f;
	const struct unwind_area *own, *in; /* the task's; where f is, NULL: no known one */
	const struct unwind_area *left[16]; /* never to be entered again */
	unsigned int nr_left;
	bool left_unknown;
	const char *says; /* of the frame that comes; static; NULL: nothing */
	struct unwind_stack *to;
};

static const struct unwind_area *area_of(const struct climb *c, uint64_t sp)
{
	return c->own && sp >= c->own->first && sp <= c->own->last ? c->own
								   : unwind_area_at(c->u, sp);
}

/* A frame whose stack pointer is the very end of a stack belongs to it, too. */
static const struct unwind_area *area_around(const struct climb *c, uint64_t sp)
{
	const struct unwind_area *a = area_of(c, sp);

	return a || !c->in || sp != c->in->last + 1 ? a : c->in;
}

static bool was_left(const struct climb *c, const struct unwind_area *a)
{
	if (!a)
		return c->left_unknown;
	for (unsigned int i = 0; i < c->nr_left; i++)
		if (c->left[i] == a)
			return true;
	return false;
}

/* May the climb go on at sp?  Says why not. */
static bool may_move(struct climb *c, uint64_t sp)
{
	const struct unwind_area *to = area_around(c, sp);
	uint64_t from = c->f.v[X86_64_RSP];

	if (to == c->in) {
		if (sp > from)
			return true;
		unwind_end(c->to, false,
			   "cut: the caller's stack pointer 0x%" PRIx64 " is not above 0x%" PRIx64,
			   sp, from);
		return false;
	}
	if (was_left(c, to) || (c->in && c->in == c->own)) {
		unwind_end(c->to, false, "cut: from the %s stack to 0x%" PRIx64 ", %s",
			   c->in ? c->in->kind : "unknown", sp,
			   to ? "a stack that cannot be below it" : "where no stack is known");
		return false;
	}
	if (c->in && c->nr_left < sizeof(c->left) / sizeof(*c->left))
		c->left[c->nr_left++] = c->in;
	else
		c->left_unknown = true;
	c->in = to;
	return true;
}

static bool is_code(const struct climb *c, uint64_t pc)
{
	return c->u->mem.is_code(c->u->mem.ctx, pc);
}

/* Where a probe has put a return address of its own, the task keeps the true one. */
static enum inq_status undo_probe(struct climb *c, struct x86_64_frame *up, struct inq_err *why)
{
	uint64_t slot = up->v[X86_64_RSP] - 8;
	size_t which;

	if (!unwind_is_kept(c->u, up->v[X86_64_RIP], &which) ||
	    unwind_true_return(c->u, which, c->own ? c->own->task : 0, slot, &up->v[X86_64_RIP],
			       &c->says))
		return INQ_OK;
	return inq_fail(why, INQ_ENOTFOUND, "it %s, and the task does not keep where to", c->says);
}

/* By the tables; false: they do not help, and why says what is wrong. */
static bool by_rule(struct climb *c, const struct inq_unwind_rule *r, struct x86_64_frame *up,
		    const char **ret_how, struct inq_err *why)
{
	if (x86_64_unwind_rule(&c->f, r, &c->u->mem, up, why) ||
	    (r->kind == INQ_UNWIND_CALL && undo_probe(c, up, why)))
		return false;
	if (!x86_64_frame_is_user(up) && !is_code(c, up->v[X86_64_RIP])) {
		inq_fail(why, INQ_ECORRUPT, "0x%" PRIx64 " is not in any known text",
			 up->v[X86_64_RIP]);
		return false;
	}
	*ret_how = r->kind == INQ_UNWIND_CALL ? "orc" : "saved registers";
	return true;
}

/* Where no table helps: RBP, and in the last place words that look right. */
static bool by_looks(struct climb *c, struct x86_64_frame *up, const char **ret_how)
{
	uint64_t last = c->in ? c->in->last : UINT64_MAX;

	c->says = NULL;
	if (!x86_64_frame_known(&c->f, X86_64_RSP))
		return false;
	*ret_how = "frame pointer";
	if (!x86_64_unwind_bp(&c->f, &c->u->mem, up, NULL) && up->v[X86_64_RSP] <= last)
		return true;
	*ret_how = "scan";
	return !x86_64_unwind_scan(c->f.v[X86_64_RSP], last, &c->u->mem, up, NULL);
}

/* What was interrupted goes on at pc; what called has its call before it. */
static uint64_t place_of(const struct x86_64_frame *f)
{
	return f->v[X86_64_RIP] - !f->exact;
}

/* Is f, the frame added last, in the code that system calls enter by? */
static bool entered_by_syscall(const struct climb *c)
{
	struct inq_symbol s;

	return c->to->nr && !inq_symbol_at(c->u->m, c->to->frame[c->to->nr - 1].pc - 1, &s, NULL) &&
	       (!strncmp(s.name, "entry_SYS", 9) || !strncmp(s.name, "entry_INT80", 11));
}

static void say_frame(struct climb *c, const char *how)
{
	bool is_syscall = x86_64_frame_is_user(&c->f) && entered_by_syscall(c);
	struct unwind_frame *out =
		unwind_add(c->to, &c->f, how, x86_64_frame_is_user(&c->f) ? "user" : "kernel");

	if (!out)
		return;
	if (is_syscall)
		unwind_syscall(c->u, &c->f, out->note, sizeof(out->note));
	if (!x86_64_frame_is_user(&c->f) && c->in)
		out->stack = c->in->kind;
	if (c->says)
		(void)snprintf(out->note, sizeof(out->note), "%s", c->says);
	if (!x86_64_frame_is_user(&c->f) && !is_code(c, c->f.v[X86_64_RIP]))
		(void)snprintf(out->note, sizeof(out->note), "not in any known text");
}

/* One frame up; false: the stack ends here, and it says why. */
static bool step(struct climb *c, const char **ret_how)
{
	struct inq_unwind_rule r;
	struct x86_64_frame up = {0};
	struct inq_err why = {0};

	c->says = NULL;
	if (x86_64_frame_is_user(&c->f)) {
		unwind_end(c->to, true, "user mode");
		return false;
	}
	bool found = !unwind_rule_at(c->u, place_of(&c->f), &r, &why);
	if (found && r.kind == INQ_UNWIND_END) {
		unwind_end(c->to, true, "the kernel's outermost function");
		return false;
	}
	if (c->to->nr == UNWIND_FRAMES) {
		unwind_end(c->to, false, "cut: more than %d frames", UNWIND_FRAMES);
		return false;
	}
	if (!(found && by_rule(c, &r, &up, ret_how, &why)) && !by_looks(c, &up, ret_how)) {
		unwind_end(c->to, false, "cut: %.*s", UNWIND_NOTE - 8, why.msg);
		return false;
	}
	if (!x86_64_frame_is_user(&up) && !may_move(c, up.v[X86_64_RSP]))
		return false;
	if (found && r.kind == INQ_UNWIND_CALL && !strcmp(*ret_how, "orc"))
		c->to->frame[c->to->nr - 1].cfa = up.v[X86_64_RSP];
	c->f = up;
	return true;
}

void unwind_climb(struct unwinder *u, const struct x86_64_frame *f, const char *how,
		  const struct unwind_area *own, struct unwind_stack *ret)
{
	struct climb c = {.u = u, .f = *f, .own = own, .to = ret};

	if (!x86_64_frame_known(f, X86_64_RIP)) {
		unwind_end(ret, false, "cut: rip is not known here");
		return;
	}
	c.in = x86_64_frame_known(f, X86_64_RSP) ? area_of(&c, f->v[X86_64_RSP]) : NULL;
	do
		say_frame(&c, how);
	while (step(&c, &how));
}

void unwind_name(struct unwinder *u, const struct unwind_frame *f, char *buf, size_t n)
{
	uint64_t at = f->pc - !f->interrupted;
	const struct unwind_code *code = unwind_code_at(u, at);
	const struct inq_module *mod;
	struct inq_symbol s;

	if (strcmp(f->mode, "kernel") != 0) {
		(void)snprintf(buf, n, "0x%" PRIx64, f->pc);
	} else if (code) {
		(void)snprintf(buf, n, "%s+0x%" PRIx64 "/0x%" PRIx64, code->name,
			       f->pc - code->first, code->last - code->first + 1);
	} else if (inq_is_text(u->m, at, &mod) && !inq_symbol_at(u->m, at, &s, NULL)) {
		/* the function that called, also where its call is its last instruction */
		(void)snprintf(buf, n, "%s+0x%" PRIx64, s.name, f->pc - s.addr);
		size_t used = strlen(buf);
		if (s.size)
			(void)snprintf(buf + used, n - used, "/0x%" PRIx64, s.size);
		used = strlen(buf);
		if (s.module)
			(void)snprintf(buf + used, n - used, " [%s]", s.module);
	} else {
		(void)snprintf(buf, n, "0x%" PRIx64, f->pc);
	}
}
