/*
 * Knows how to prove that a loop is closed: run it on the frozen machine until a state comes back.
 * A register that no branch and no address depends on may change (a count of spins); what matters
 * is found by liveness over the path run.  What would end it is found by running it once more with
 * another value in the gate.
 */
#include "analyzers/loopscan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/code.h"
#include "analyzers/liveness.h"
#include "analyzers/loopcond.h"
#include "base/scope.h"

enum {
	STEPS = 8192,  /* instructions run before giving up; a spin is a few dozen */
	CODE = 512,    /* different instructions met on the way */
	PATH = 1024,   /* longest cycle looked at */
	LOOK_BACK = 4, /* earlier visits of an instruction that are compared */
	HOT = 64,      /* from so many visits on only one in so many is compared */
	WINDOW = 4096, /* bytes around RIP in which the shape of a loop is sought */
};

/* A visit of an instruction: the state before it, and the visit before. */
struct visit {
	struct {
		uint64_t v, known;
	} gpr[EVAL_GPRS];
	struct eval_flags fl;
	int nr_log; /* what was logged of the stack by then */
	uint64_t rip;
	int code;
	int earlier; /* index of the same instruction's last visit, -1 */
	int nr;      /* how many there were before */
};

struct scan {
	struct eval e;
	struct x86_64_insn code[CODE];
	int last_visit[CODE];
	int nr_code;
	struct visit *visit;
	int nr_visits;
	bool assumed; /* a branch on a device's answer was decided by shape alone */
};

static void scan_destroy(struct scan *s)
{
	if (s)
		free(s->visit);
	free(s);
}
INQ_DEFINE_SCOPE(struct scan, scan_destroy)

static struct scan *scan_create(void)
{
	INQ_SCOPED(scan_destroy_scope_) struct scan *s = calloc(1, sizeof(*s));

	if (s)
		s->visit = malloc(STEPS * sizeof(*s->visit));
	return s && s->visit ? inq_take(s) : NULL;
}

const char *loop_kind_name(enum loop_kind kind)
{
	static const char *const names[] = {[LOOP_NONE] = "none",
					    [LOOP_CLOSED] = "closed",
					    [LOOP_POLLING] = "polling",
					    [LOOP_BOUNDED] = "bounded",
					    [LOOP_OPEN] = "open"};
	return names[kind];
}

const char *loop_role_name(enum loop_role role)
{
	static const char *const names[] = {[LOOP_ROLE_NONE] = "",
					    [LOOP_ROLE_GATE] = "gate",
					    [LOOP_ROLE_EXIT] = "exit",
					    [LOOP_ROLE_BACK] = "back"};
	return names[role];
}

const char *loop_gate_class_name(enum loop_gate_class cls)
{
	static const char *const names[] = {[LOOP_GATE_PRIVATE] = "private",
					    [LOOP_GATE_SHARED] = "shared",
					    [LOOP_GATE_DEVICE] = "device"};
	return names[cls];
}

/* Index of the instruction at rip, decoded on first sight; -1: too many, or unreadable (*ret_st).
 */
static int code_at(struct scan *s, uint64_t rip, enum inq_status *ret_st, struct inq_err *err)
{
	*ret_st = INQ_OK;
	for (int i = 0; i < s->nr_code; i++)
		if (s->code[i].rip == rip)
			return i;
	if (s->nr_code == CODE)
		return -1;
	*ret_st = code_fetch(s->e.cpu, rip, &s->code[s->nr_code], err);
	if (*ret_st)
		return -1;
	s->last_visit[s->nr_code] = -1;
	return s->nr_code++;
}

/*
 * What decides at the start of the cycle visit[from..to), in this pass or a later one: a value may
 * need several passes from register to register until it does.
 */
static uint32_t live_at_head(const struct scan *s, int from, int to)
{
	uint32_t live = 0, before;

	do {
		before = live;
		for (int i = to - 1; i >= from; i--)
			live = liveness_before(&s->code[s->visit[i].code], live);
		live |= before;
	} while (live != before);
	return live;
}

static bool same_flags(const struct eval_flags *a, const struct eval_flags *b)
{
	return a->known == b->known && a->cf == b->cf && a->zf == b->zf && a->sf == b->sf &&
	       a->of == b->of && a->pf == b->pf;
}

/* The registers (and flags) in which two visits differ. */
static uint32_t difference(const struct visit *a, const struct visit *b)
{
	uint32_t d = same_flags(&a->fl, &b->fl) ? 0 : 1u << LIVENESS_FLAGS;

	for (int i = 0; i < EVAL_GPRS; i++)
		if (a->gpr[i].known != b->gpr[i].known ||
		    ((a->gpr[i].v ^ b->gpr[i].v) & a->gpr[i].known))
			d |= 1u << i;
	return d;
}

/* Has the last visit's state been there before?  Index of that visit, or -1. */
static int seen_before(const struct scan *s)
{
	int now = s->nr_visits - 1, at = s->visit[now].earlier;

	if (s->visit[now].nr > HOT && s->visit[now].nr % HOT > LOOK_BACK)
		return -1;
	for (int n = 0; at >= 0 && n < LOOK_BACK && now - at <= PATH; n++) {
		uint32_t d = difference(&s->visit[at], &s->visit[now]);
		if (eval_stack_same(&s->e.shadow, s->visit[at].nr_log) &&
		    !(d && d & live_at_head(s, at, now)))
			return at;
		at = s->visit[at].earlier;
	}
	return -1;
}

/* Which way goes round: towards RIP's own start, that is backwards. */
static uint64_t guess_edge(struct scan *s, const struct x86_64_insn *in)
{
	s->assumed = true;
	return eval_edge(&s->e, in, in->target <= in->rip);
}

static bool hangs_on_device(const struct scan *s, uint32_t taint)
{
	for (int i = 0; i < s->e.nr_loads; i++)
		if (taint >> i & 1 && s->e.load[i].device)
			return true;
	return false;
}

/* Remember a visit of code[at] with state st. */
static void visit_push(struct scan *s, const struct eval_state *st, int at)
{
	struct visit *v = &s->visit[s->nr_visits];
	int earlier = s->last_visit[at];

	for (int i = 0; i < EVAL_GPRS; i++) {
		v->gpr[i].v = st->gpr[i].v;
		v->gpr[i].known = st->gpr[i].known;
	}
	v->fl = st->fl;
	v->nr_log = s->e.shadow.nr_log;
	v->rip = st->rip;
	v->code = at;
	v->earlier = earlier;
	v->nr = earlier < 0 ? 0 : s->visit[earlier].nr + 1;
	s->last_visit[at] = s->nr_visits++;
}

/*
 * Run from *st until a state comes back (*ret_head: its visit), or something stops it.
 * EVAL_GO with *ret_head -1: it went on too long.
 */
static enum eval_stop run(struct scan *s, struct eval_state *st, int *ret_head,
			  enum inq_status *ret_st, struct inq_err *err)
{
	bool jumped = false;

	*ret_head = -1;
	while (s->nr_visits < STEPS) {
		int at = code_at(s, st->rip, ret_st, err);
		if (at < 0)
			return *ret_st ? EVAL_UNREAD : EVAL_GO;
		visit_push(s, st, at);
		/* a cycle closes where a jump went, so nothing is missed by looking only there */
		*ret_head = jumped ? seen_before(s) : -1;
		if (*ret_head >= 0)
			return EVAL_GO;
		uint64_t next = eval_edge(&s->e, &s->code[at], false);
		enum eval_stop stop = eval_step(&s->e, st, &s->code[at]);
		if (stop == EVAL_FORK && hangs_on_device(s, st->fl.taint)) {
			st->rip = guess_edge(s, &s->code[at]);
			stop = EVAL_GO;
		}
		if (stop == EVAL_UNREAD) {
			*err = s->e.err;
			*ret_st = err->status;
		}
		if (stop != EVAL_GO)
			return stop;
		jumped = st->rip != next;
	}
	return EVAL_GO;
}

static int loop_index(const struct loop *l, uint64_t rip)
{
	for (int i = 0; i < l->nr_insns; i++)
		if (l->insn[i].rip == rip)
			return i;
	return -1;
}

static bool loop_add(struct loop *l, const struct x86_64_insn *in)
{
	if (loop_index(l, in->rip) >= 0)
		return true;
	if (l->nr_insns == LOOP_INSNS)
		return false;
	l->insn[l->nr_insns++] = *in;
	return true;
}

static void loop_extend(struct loop *l, const struct x86_64_insn *in)
{
	bool none = !l->first && !l->last;

	if (none || in->rip < l->first)
		l->first = in->rip;
	if (none || in->rip + in->len - 1 > l->last)
		l->last = in->rip + in->len - 1;
}

static int depth_behind(const struct x86_64_insn *in, int depth)
{
	return depth + eval_is_call(in) - (in->cls == X86_64_CLASS_RET);
}

/* The head of a cycle is where a person would see it: the lowest address, not of a callee. */
static int find_head(const struct scan *s, int from, int to, struct loop *ret)
{
	int outer = 0, depth = 0, head = from;

	for (int i = from; i < to; i++) {
		outer = depth < outer ? depth : outer;
		depth = depth_behind(&s->code[s->visit[i].code], depth);
	}
	for (int i = from, at = 0; i < to; i++) {
		const struct x86_64_insn *in = &s->code[s->visit[i].code];
		if (at == outer)
			loop_extend(ret, in);
		if (at == outer && in->rip == ret->first)
			head = i;
		at = depth_behind(in, at);
	}
	return head;
}

/* Once round, from the head on. */
static bool take_body(const struct scan *s, int from, int to, struct loop *ret)
{
	int head = find_head(s, from, to, ret);

	for (int i = head; i < to; i++)
		if (!loop_add(ret, &s->code[s->visit[i].code]))
			return false;
	for (int i = from; i < head; i++)
		if (!loop_add(ret, &s->code[s->visit[i].code]))
			return false;
	ret->head = ret->first;
	for (int i = 0; i < ret->nr_insns; i++) {
		const struct x86_64_insn *in = &ret->insn[i];
		bool jumps = in->cls == X86_64_CLASS_JMP || in->cls == X86_64_CLASS_JCC;
		if (jumps && in->target == ret->head)
			ret->role[i] = LOOP_ROLE_BACK;
	}
	return true;
}

/* Does a run from st with this value in the gate ever leave the loop's instructions? */
static bool leaves_with(struct scan *s, const struct loop *l, struct eval_state st,
			const struct eval_load *g, uint64_t value)
{
	struct eval_patch patch = {
		.space = g->space, .phys = g->phys, .value = value, .bytes = g->bytes};
	struct eval_shadow stack = s->e.shadow;
	bool left = false;

	s->e.patch = patch;
	s->e.follow = true; /* a lock that is taken is a store */
	for (int n = 0; n < 2 * PATH && !left; n++) {
		int at = loop_index(l, st.rip);
		left = at < 0;
		if (left || eval_step(&s->e, &st, &l->insn[at]) != EVAL_GO)
			break;
	}
	s->e.patch = (struct eval_patch){0};
	s->e.follow = false;
	s->e.shadow = stack;
	return left;
}

static void add_gate(struct scan *s, struct loop *l, const struct eval_state *head, int load,
		     const struct eval_flags *f, int cc, bool exit_taken)
{
	struct loop_gate g = {.load = s->e.load[load]};
	struct loopcond c;

	for (int i = 0; i < l->nr_gates; i++)
		if (l->gate[i].load.rip == g.load.rip && l->gate[i].load.linear == g.load.linear)
			return;
	if (l->nr_gates == LOOP_GATES)
		return;
	g.cls = g.load.device  ? LOOP_GATE_DEVICE
		: g.load.stack ? LOOP_GATE_PRIVATE
			       : LOOP_GATE_SHARED;
	if (f->sym.load == load && loopcond_of(f, cc, exit_taken, &g.load, &c)) {
		snprintf(g.cond, sizeof(g.cond), "%s", c.text);
		for (int i = 0; i < c.nr_tries && !g.exit_known; i++) {
			g.exit_value = c.tries[i];
			g.exit_known = leaves_with(s, l, *head, &g.load, c.tries[i]);
		}
	}
	l->gate[l->nr_gates++] = g;
}

/* One more pass or two from the head, origins fresh: who decides at the branches that leave? */
static void find_gates(struct scan *s, const struct eval_state *head, int steps, struct loop *ret)
{
	struct eval_state st = *head;

	s->e.nr_loads = 0;
	eval_stack_forget_origins(&s->e.shadow);
	st.fl.taint = 0;
	st.fl.about = EVAL_ABOUT_NONE;
	st.fl.sym.load = -1;
	for (int i = 0; i < EVAL_GPRS; i++) {
		st.gpr[i].taint = 0;
		st.gpr[i].sym.load = -1;
	}
	for (int n = 0; n < 2 * steps; n++) {
		int at = loop_index(ret, st.rip);
		if (at < 0)
			return;
		const struct x86_64_insn *in = &ret->insn[at];
		enum eval_stop stop = eval_step(&s->e, &st, in);
		if (stop == EVAL_FORK && s->assumed)
			st.rip = guess_edge(s, in);
		else if (stop != EVAL_GO)
			return;
		if (in->cls != X86_64_CLASS_JCC)
			continue;
		bool went = st.rip == in->target;
		if (loop_index(ret, eval_edge(&s->e, in, !went)) >= 0)
			continue; /* both ways stay inside */
		ret->role[at] = LOOP_ROLE_EXIT;
		uint32_t by = x86_64_insn_cc(in) < 0 ? st.gpr[X86_64_RCX].taint : 0;
		for (int i = 0; i < s->e.nr_loads; i++)
			if ((st.fl.taint | by) >> i & 1)
				add_gate(s, ret, head, i, &st.fl, x86_64_insn_cc(in), !went);
	}
}

static void mark_gates(struct loop *l)
{
	for (int i = 0; i < l->nr_gates; i++) {
		int at = loop_index(l, l->gate[i].load.rip);
		if (at >= 0)
			l->role[at] = LOOP_ROLE_GATE;
	}
}

static const char *reason_of(enum eval_stop stop)
{
	static const char *const why[] = {
		[EVAL_GO] = "run on for long, it did not come back to a state it had been in",
		[EVAL_FORK] = "it branches on a value that the dump does not hold",
		[EVAL_STORE] = "it writes memory",
		[EVAL_TIMER] = "it reads the time",
		[EVAL_HALT] = "it halts",
		[EVAL_CALL] = "it calls a function",
		[EVAL_LEAVE] = "run on, it leaves",
		[EVAL_OUTSIDE] = "it executes an instruction that is not followed",
		[EVAL_UNREAD] = "its code cannot be read",
	};
	return why[stop];
}

/* How control may go on from an instruction by its own shape; at most two ways. */
static int edges_of(const struct scan *s, const struct x86_64_insn *in, uint64_t to[2])
{
	if (in->cls == X86_64_CLASS_RET || (in->cls == X86_64_CLASS_INDIRECT && !eval_is_call(in)))
		return 0;
	to[0] = eval_edge(&s->e, in, in->cls == X86_64_CLASS_JMP);
	to[1] = in->target;
	return in->cls == X86_64_CLASS_JCC ? 2 : 1;
}

/* All instructions reachable from RIP within the window, into s->code; their edges by index. */
static void explore(struct scan *s, uint64_t rip, int next[CODE][2])
{
	struct inq_err err;
	enum inq_status st;

	s->nr_code = 0;
	(void)code_at(s, rip, &st, &err);
	for (int i = 0; i < s->nr_code; i++) {
		uint64_t to[2];
		int n = edges_of(s, &s->code[i], to);
		for (int k = 0; k < 2; k++)
			next[i][k] = k < n && to[k] - rip + WINDOW / 2 < WINDOW
					     ? code_at(s, to[k], &st, &err)
					     : -1;
	}
}

/* Of the explored instructions, those from which code[0] can be reached again: the loop's shape. */
static void find_shape(const struct scan *s, int next[CODE][2], bool in_loop[CODE])
{
	bool grown = true;

	memset(in_loop, 0, CODE * sizeof(*in_loop));
	while (grown) {
		grown = false;
		for (int i = s->nr_code - 1; i >= 0; i--) {
			bool back = false;
			for (int k = 0; k < 2; k++)
				back = back || next[i][k] == 0 ||
				       (next[i][k] > 0 && in_loop[next[i][k]]);
			grown = grown || (back && !in_loop[i]);
			in_loop[i] = in_loop[i] || back;
		}
	}
}

/* Is what stopped the run the loop's own doing, or a callee's, rather than behind its end? */
static bool stopped_inside(const struct scan *s, const struct loop *l)
{
	for (int i = s->nr_visits - 1; i >= 0; i--) {
		int at = loop_index(l, s->visit[i].rip);
		if (at >= 0)
			return i == s->nr_visits - 1 || eval_is_call(&l->insn[at]);
	}
	return false;
}

/* Not closed: what loop is it then, by the shape of the code around RIP? */
static void describe_open(struct scan *s, uint64_t rip, const char *why, struct loop *ret)
{
	bool in_loop[CODE];
	int next[CODE][2] = {0};

	explore(s, rip, next);
	find_shape(s, next, in_loop);
	if (!s->nr_code || !in_loop[0])
		return;
	ret->kind = LOOP_OPEN;
	for (int i = 0; i < s->nr_code; i++) {
		if (!in_loop[i] || !loop_add(ret, &s->code[i]))
			continue;
		loop_extend(ret, &s->code[i]);
		if (s->code[i].cls == X86_64_CLASS_TIMER)
			ret->kind = LOOP_BOUNDED;
	}
	ret->head = ret->first;
	if (ret->kind == LOOP_BOUNDED)
		ret->why = reason_of(EVAL_TIMER);
	else
		ret->why = stopped_inside(s, ret) ? why : reason_of(EVAL_LEAVE);
}

enum inq_status loop_scan(const struct inq_cpu *cpu, struct loop *ret_loop, struct inq_err *err)
{
	INQ_SCOPED(scan_destroy_scope_) struct scan *s = scan_create();
	struct eval_state st = {0};
	enum inq_status fail = INQ_OK;
	int head = -1;

	if (!s)
		return inq_fail(err, INQ_ENOMEM, "loop scan");
	memset(ret_loop, 0, sizeof(*ret_loop));
	if (!eval_begin(&s->e, cpu, &st))
		return inq_fail(err, INQ_EUNSUPPORTED, "cpu %" PRIu32 ": rip or mode is unknown",
				cpu->index);
	s->e.stack = true;
	uint64_t rip = st.rip;
	enum eval_stop stop = run(s, &st, &head, &fail, err);
	if (fail && !s->nr_visits) /* not even its first instruction */
		return inq_wrap(err, fail, "cpu %" PRIu32, cpu->index);
	int end = s->nr_visits - 1;
	const char *why = reason_of(stop);
	if (head >= 0 && take_body(s, head, end, ret_loop)) {
		ret_loop->kind = s->assumed ? LOOP_POLLING : LOOP_CLOSED;
		find_gates(s, &st, end - head, ret_loop);
		mark_gates(ret_loop);
		return INQ_OK;
	}
	if (head >= 0)
		why = "it comes back, but has more instructions than are looked at";
	memset(ret_loop, 0, sizeof(*ret_loop));
	describe_open(s, rip, why, ret_loop);
	if (fail && ret_loop->kind == LOOP_OPEN) /* a loop, but what it hangs on is not there */
		return inq_wrap(err, fail, "cpu %" PRIu32, cpu->index);
	return INQ_OK;
}
