/*
 * Knows how to find stores in code that has not run yet: constant propagation over the control
 * flow from RIP.  Where paths meet with different values a register becomes unknown, so it ends.
 */
#include "analyzers/writers.h"

#include <stdlib.h>
#include <string.h>

#include "analyzers/code.h"
#include "base/scope.h"

enum {
	NODES = 4096,   /* instructions looked at per CPU */
	RUN = 4096,     /* instructions of the path taken now */
	BUCKETS = 8192, /* power of two */
	VECTORS = 256
};

struct node {
	struct x86_64_insn insn;
	struct eval_state in; /* what is known before it, on all paths so far */
	bool queued;
};

struct flow {
	struct eval e;
	struct node *node;
	int nr_nodes;
	int bucket[BUCKETS]; /* 1 + index of a node, 0: free */
	int queue[NODES + 1];
	int head, tail; /* a ring: each node is in it once at most */
};

struct target {
	const struct inq_space *space;
	uint64_t phys;
	unsigned int bytes;
};

static void flow_destroy(struct flow *f)
{
	if (f)
		free(f->node);
	free(f);
}
INQ_DEFINE_SCOPE(struct flow, flow_destroy)

static struct flow *flow_create(void)
{
	INQ_SCOPED(flow_destroy_scope_) struct flow *f = calloc(1, sizeof(*f));

	if (f)
		f->node = malloc(NODES * sizeof(*f->node));
	return f && f->node ? inq_take(f) : NULL;
}

/* Does the store that e just made hit the target? */
static bool hits(const struct eval *e, const struct target *t)
{
	uint64_t phys = 0;
	struct inq_err err;

	if (!e->store.any || !e->store.known ||
	    eval_translate(e->cpu, e->store.linear, &phys, &err))
		return false;
	return phys < t->phys + t->bytes && t->phys < phys + e->store.bytes &&
	       eval_same_memory(e->cpu->phys, t->space, t->phys);
}

static int find_node(struct flow *f, uint64_t rip, bool *ret_new)
{
	uint32_t at = (uint32_t)(rip * UINT64_C(0x9e3779b97f4a7c15) >> 40) % BUCKETS;

	*ret_new = false;
	for (; f->bucket[at]; at = (at + 1) % BUCKETS)
		if (f->node[f->bucket[at] - 1].insn.rip == rip)
			return f->bucket[at] - 1;
	if (f->nr_nodes == NODES)
		return -1;
	struct inq_err err;
	struct node *n = &f->node[f->nr_nodes];
	if (code_fetch(f->e.cpu, rip, &n->insn, &err))
		return -1;
	*ret_new = true;
	f->bucket[at] = ++f->nr_nodes;
	return f->nr_nodes - 1;
}

/* What holds on both paths.  True when a holds less than before. */
static bool meet(struct eval_state *a, const struct eval_state *b)
{
	bool changed = false;

	for (int i = 0; i < EVAL_GPRS; i++) {
		uint64_t known = a->gpr[i].known & b->gpr[i].known & ~(a->gpr[i].v ^ b->gpr[i].v);
		changed = changed || known != a->gpr[i].known;
		a->gpr[i].known = known;
	}
	a->fl.known = false;
	return changed;
}

static void enqueue(struct flow *f, uint64_t rip, const struct eval_state *s)
{
	bool fresh = false;
	int at = find_node(f, rip, &fresh);

	if (at < 0)
		return;
	struct node *n = &f->node[at];
	if (fresh) {
		n->in = *s;
		n->in.rip = rip;
		n->in.fl.known = false;
		n->queued = false;
	} else if (!meet(&n->in, s)) {
		return;
	}
	if (n->queued)
		return;
	n->queued = true;
	f->queue[f->tail] = at;
	f->tail = (f->tail + 1) % (NODES + 1);
}

/* Behind a call that is not followed: what the callee may have changed is unknown (psABI 3.2.1). */
static struct eval_state after_call(const struct eval_state *s)
{
	static const int scratch[] = {X86_64_RAX, X86_64_RCX, X86_64_RDX, X86_64_RSI, X86_64_RDI,
				      X86_64_R8,  X86_64_R9,  X86_64_R10, X86_64_R11};
	struct eval_state r = *s;

	for (size_t i = 0; i < sizeof(scratch) / sizeof(*scratch); i++)
		r.gpr[scratch[i]].known = 0;
	return r;
}

/* An instruction that the evaluator does not follow: its results are unknown. */
static struct eval_state forget_results(const struct eval_state *s, const struct x86_64_insn *in)
{
	struct eval_state r = *s;

	for (int i = 0; i < in->nr_ops; i++)
		if (in->op[i].kind == X86_64_OP_REG && in->op[i].write && in->op[i].reg >= 0 &&
		    in->op[i].reg < EVAL_GPRS)
			r.gpr[in->op[i].reg].known = 0;
	r.gpr[X86_64_RAX].known = r.gpr[X86_64_RDX].known = 0; /* implicit ones: RDTSC, MUL, ... */
	r.gpr[X86_64_RCX].known = 0;
	return r;
}

/* Stores by instructions that are not evaluated: XADD, CMPXCHG, SETcc, ... */
static void note_other_store(struct eval *e, const struct eval_state *s,
			     const struct x86_64_insn *in)
{
	for (int i = 0; i < in->nr_ops; i++) {
		const struct x86_64_op *op = &in->op[i];
		if (op->kind != X86_64_OP_MEM || !op->write)
			continue;
		e->store.any = true;
		e->store.bytes = op->bytes;
		e->store.known = eval_address(e, s, op, in, &e->store.linear);
	}
}

static void enqueue_edges(struct flow *f, const struct x86_64_insn *in, const struct eval_state *s,
			  const struct eval_state *before)
{
	struct eval_state after;

	switch (in->cls) {
	case X86_64_CLASS_JCC:
		enqueue(f, in->target, before);
		enqueue(f, eval_edge(&f->e, in, false), before);
		return;
	case X86_64_CLASS_CALL:
		enqueue(f, in->target, before);
		after = after_call(before);
		enqueue(f, eval_edge(&f->e, in, false), &after);
		return;
	case X86_64_CLASS_JMP:
		enqueue(f, in->target, before);
		return;
	case X86_64_CLASS_RET:
	case X86_64_CLASS_INDIRECT:
		return;
	case X86_64_CLASS_PLAIN:
	case X86_64_CLASS_HLT:
	case X86_64_CLASS_IO:
	case X86_64_CLASS_TIMER:
	case X86_64_CLASS_SYSTEM:
	case X86_64_CLASS_OTHER:
		break;
	}
	enqueue(f, eval_edge(&f->e, in, false), s);
}

static bool already(const struct writer *w, int nr, uint32_t cpu, uint64_t rip)
{
	for (int i = 0; i < nr; i++)
		if (w[i].cpu == cpu && w[i].insn.rip == rip)
			return true;
	return false;
}

static void add_writer(struct writer *ret, int *nr, const struct inq_cpu *cpu, bool executed,
		       const struct x86_64_insn *in)
{
	int of_cpu = 0;

	for (int i = 0; i < *nr; i++)
		of_cpu += ret[i].cpu == cpu->index;
	if (*nr == WRITERS_MAX || of_cpu == WRITERS_PER_CPU ||
	    already(ret, *nr, cpu->index, in->rip))
		return;
	ret[(*nr)++] = (struct writer){.cpu = cpu->index, .executed = executed, .insn = *in};
}

/* The path that the CPU takes now, as far as it can be told. */
static void follow_path(struct flow *f, struct eval_state st, const struct target *t,
			struct writer *ret, int *nr)
{
	for (int i = 0; i < RUN; i++) {
		bool fresh = false;
		int at = find_node(f, st.rip, &fresh);
		if (at < 0)
			return;
		enum eval_stop stop = eval_step(&f->e, &st, &f->node[at].insn);
		if (stop == EVAL_GO && hits(&f->e, t))
			add_writer(ret, nr, f->e.cpu, true, &f->node[at].insn);
		if (stop != EVAL_GO)
			return;
	}
}

/* Where interrupts lead: entry of a vector, from the gate's bytes.  SDM vol. 3, 6.11 and 6.14.1. */
static bool gate_entry(const struct inq_cpu *cpu, bool wide, unsigned int vector, uint64_t *ret)
{
	uint64_t size = wide ? 16 : 8, base = cpu->regs.v[X86_64_IDTR_BASE];
	uint8_t g[16] = {0};
	struct inq_err err;

	if ((vector + 1) * size - 1 > cpu->regs.v[X86_64_IDTR_LIMIT] ||
	    inq_read(cpu->virt, base + vector * size, g, size, &err))
		return false;
	unsigned int type = g[5] & 0x1f;
	if (!(g[5] & 0x80) || (type != 0xe && type != 0xf)) /* present 32- or 64-bit gates */
		return false;
	*ret = (uint64_t)g[0] | (uint64_t)g[1] << 8 | (uint64_t)g[6] << 16 | (uint64_t)g[7] << 24;
	for (int i = 0; wide && i < 4; i++)
		*ret |= (uint64_t)g[8 + i] << (32 + 8 * i);
	return true;
}

/* What the CPU runs when it is interrupted, with nothing known of its registers. */
static void enqueue_handlers(struct flow *f)
{
	const struct inq_cpu *cpu = f->e.cpu;
	bool wide = f->e.mode == X86_64_MODE_LONG;
	struct eval_state unknown;

	if (f->e.mode == X86_64_MODE_REAL || !inq_reg_known(&cpu->regs, X86_64_IDTR_BASE) ||
	    !inq_reg_known(&cpu->regs, X86_64_IDTR_LIMIT))
		return;
	memset(&unknown, 0, sizeof(unknown));
	for (unsigned int v = 0; v < VECTORS; v++) {
		uint64_t entry = 0;
		if (gate_entry(cpu, wide, v, &entry))
			enqueue(f, entry, &unknown);
	}
}

static void follow_all(struct flow *f, const struct eval_state *st, const struct target *t,
		       struct writer *ret, int *nr)
{
	enqueue(f, st->rip, st);
	enqueue_handlers(f);
	while (f->head != f->tail) {
		struct node *n = &f->node[f->queue[f->head]];
		struct eval_state s = n->in, before = n->in;
		f->head = (f->head + 1) % (NODES + 1);
		n->queued = false;
		enum eval_stop stop = eval_step(&f->e, &s, &n->insn);
		if (stop != EVAL_GO) {
			note_other_store(&f->e, &before, &n->insn);
			s = forget_results(&before, &n->insn);
		}
		if (hits(&f->e, t))
			add_writer(ret, nr, f->e.cpu, false, &n->insn);
		enqueue_edges(f, &n->insn, &s, &before);
	}
}

enum inq_status writers_find(const struct inq_machine *m, const struct inq_cpu *victim,
			     const struct inq_space *space, uint64_t phys, unsigned int bytes,
			     struct writer ret[WRITERS_MAX], int *ret_nr, struct inq_err *err)
{
	struct target t = {.space = space, .phys = phys, .bytes = bytes};
	int nr = 0;

	for (uint32_t i = 0; i < m->nr_cpus; i++) {
		struct eval_state st;
		if (&m->cpus[i] == victim)
			continue;
		INQ_SCOPED(flow_destroy_scope_) struct flow *f = flow_create();
		if (!f)
			return inq_fail(err, INQ_ENOMEM, "writers of 0x%llx",
					(unsigned long long)phys);
		if (!eval_begin(&f->e, &m->cpus[i], &st))
			continue;
		f->e.follow = true;
		follow_path(f, st, &t, ret, &nr);
		memset(f->bucket, 0, sizeof(f->bucket));
		f->nr_nodes = 0;
		follow_all(f, &st, &t, ret, &nr);
	}
	*ret_nr = nr;
	return INQ_OK;
}
