/*
 * Knows how to find stores in code that has not run yet: constant propagation over the control
 * flow from RIP, from the return addresses on the stack, and from the entries of the IDT.  Where
 * paths meet with different values a register becomes unknown, so it ends.
 */
#include "analyzers/writers.h"

#include <stdlib.h>
#include <string.h>

#include "analyzers/code.h"
#include "base/scope.h"

enum {
	NODES = 4096,    /* instructions looked at per CPU */
	FROM_RIP = 2048, /* of those, from RIP on; the rest is for returns and handlers */
	FROM_STACK = 3072,
	RUN = 4096,        /* instructions of the path taken now */
	BUCKETS = 8192,    /* power of two */
	STORES = 1 << 16,  /* stores remembered of all CPUs */
	STACK_WORDS = 512, /* looked at for return addresses */
	RETURNS = 32,
	PAGE = 4096,
	VECTORS = 256
};

struct node {
	struct x86_64_insn insn;
	uint64_t v[EVAL_GPRS], known[EVAL_GPRS]; /* before it, on all paths so far */
	uint64_t stored_at;                      /* its last store that was noted */
	bool queued, stored;
};

/* A store whose address is known. */
struct store_seen {
	uint64_t rip, phys;
	uint32_t cpu;
	uint8_t bytes;
	bool executed, in_handler;
};

struct writers {
	const struct inq_machine *m;
	struct store_seen *seen;
	size_t nr, room;
	bool no_memory;
};

struct flow {
	struct eval e;
	struct writers *w;
	bool executed, in_handler; /* of the stores found now */
	int max_nodes;
	struct node *node;
	int nr_nodes;
	int bucket[BUCKETS]; /* 1 + index of a node, 0: free */
	int queue[NODES + 1];
	int head, tail; /* a ring: each node is in it once at most */
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

void writers_destroy(struct writers *w)
{
	if (w)
		free(w->seen);
	free(w);
}
INQ_DEFINE_SCOPE(struct writers, writers_destroy)

/* Room for one more.  False: no memory, or more than anybody would look through. */
static bool grow(struct writers *w)
{
	size_t room = w->room ? 2 * w->room : 256;

	if (w->nr < w->room)
		return true;
	if (room > STORES)
		return false;
	struct store_seen *more = malloc(room * sizeof(*more));
	w->no_memory = w->no_memory || !more;
	if (!more)
		return false;
	if (w->nr)
		memcpy(more, w->seen, w->nr * sizeof(*more));
	free(w->seen);
	w->seen = more;
	w->room = room;
	return true;
}

static void note_piece(struct flow *f, const struct node *n, uint64_t linear, unsigned int bytes)
{
	struct inq_err err;
	uint64_t phys = 0;

	if (eval_translate(f->e.cpu, linear, &phys, &err) || !grow(f->w))
		return;
	f->w->seen[f->w->nr++] = (struct store_seen){.rip = n->insn.rip,
						     .phys = phys,
						     .cpu = f->e.cpu->index,
						     .bytes = (uint8_t)bytes,
						     .executed = f->executed,
						     .in_handler = f->in_handler};
}

/* Remember the store that e just made, if its address is known; page by page. */
static void note_store(struct flow *f, struct node *n)
{
	const struct eval_noted *s = &f->e.store;
	unsigned int in_page = (unsigned int)(PAGE - s->linear % PAGE);

	if (!s->any || !s->known || (n->stored && n->stored_at == s->linear))
		return;
	n->stored = true;
	n->stored_at = s->linear;
	note_piece(f, n, s->linear, s->bytes < in_page ? s->bytes : in_page);
	if (s->bytes > in_page)
		note_piece(f, n, s->linear + in_page, s->bytes - in_page);
}

static int find_node(struct flow *f, uint64_t rip, bool *ret_new)
{
	uint32_t at = (uint32_t)(rip * UINT64_C(0x9e3779b97f4a7c15) >> 40) % BUCKETS;

	*ret_new = false;
	for (; f->bucket[at]; at = (at + 1) % BUCKETS)
		if (f->node[f->bucket[at] - 1].insn.rip == rip)
			return f->bucket[at] - 1;
	if (f->nr_nodes >= f->max_nodes)
		return -1;
	struct inq_err err;
	struct node *n = &f->node[f->nr_nodes];
	if (code_fetch(f->e.cpu, rip, &n->insn, &err))
		return -1;
	*ret_new = true;
	n->queued = n->stored = false;
	f->bucket[at] = ++f->nr_nodes;
	return f->nr_nodes - 1;
}

/* What holds on both paths.  True when the node holds less than before. */
static bool meet(struct node *n, const struct eval_state *s)
{
	bool changed = false;

	for (int i = 0; i < EVAL_GPRS; i++) {
		uint64_t known = n->known[i] & s->gpr[i].known & ~(n->v[i] ^ s->gpr[i].v);
		changed = changed || known != n->known[i];
		n->known[i] = known;
	}
	return changed;
}

/* The state before a node: flags are not known, values are of no load. */
static struct eval_state state_of(const struct node *n)
{
	struct eval_state s;

	memset(&s, 0, sizeof(s));
	for (int i = 0; i < EVAL_GPRS; i++)
		s.gpr[i] =
			(struct eval_val){.v = n->v[i], .known = n->known[i], .sym = {.load = -1}};
	s.fl.sym.load = -1;
	s.rip = n->insn.rip;
	return s;
}

static void enqueue(struct flow *f, uint64_t rip, const struct eval_state *s)
{
	bool fresh = false;
	int at = find_node(f, rip, &fresh);

	if (at < 0)
		return;
	struct node *n = &f->node[at];
	for (int i = 0; fresh && i < EVAL_GPRS; i++) {
		n->v[i] = s->gpr[i].v;
		n->known[i] = s->gpr[i].known;
	}
	if ((!fresh && !meet(n, s)) || n->queued)
		return;
	n->queued = true;
	f->queue[f->tail] = at;
	f->tail = (f->tail + 1) % (NODES + 1);
}

/* At the entry of a callee: its return address is on the stack. */
static struct eval_state at_entry(const struct eval_state *s, const struct x86_64_insn *in)
{
	struct eval_state r = *s;

	r.gpr[X86_64_RSP].v -= in->op_bits / 8u;
	return r;
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

	for (int i = 0; i < EVAL_GPRS; i++)
		if (in->writes >> i & 1)
			r.gpr[i].known = 0;
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
		after = forget_results(before, in); /* LOOP counts */
		enqueue(f, in->target, &after);
		enqueue(f, eval_edge(&f->e, in, false), &after);
		return;
	case X86_64_CLASS_CALL:
		after = at_entry(before, in);
		enqueue(f, in->target, &after);
		after = after_call(before);
		enqueue(f, eval_edge(&f->e, in, false), &after);
		return;
	case X86_64_CLASS_JMP:
		enqueue(f, in->target, before);
		return;
	case X86_64_CLASS_RET:
		if (s->rip != in->rip) /* it was in the frame that the CPU is in */
			enqueue(f, s->rip, s);
		return;
	case X86_64_CLASS_INDIRECT:
		after = after_call(before);
		if (eval_is_call(in))
			enqueue(f, eval_edge(&f->e, in, false), &after);
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

/* The path that the CPU takes now, as far as it can be told. */
static void follow_path(struct flow *f, struct eval_state st)
{
	f->e.stack = f->executed = true;
	f->max_nodes = NODES;
	for (int i = 0; i < RUN; i++) {
		bool fresh = false;
		int at = find_node(f, st.rip, &fresh);
		if (at < 0)
			break;
		if (eval_step(&f->e, &st, &f->node[at].insn) != EVAL_GO)
			break;
		note_store(f, &f->node[at]);
	}
	f->e.stack = f->executed = false;
	f->e.shadow.nr = f->e.shadow.nr_log = 0;
	memset(f->bucket, 0, sizeof(f->bucket));
	f->nr_nodes = 0;
}

/* Follow all that is queued, while there is room for so many nodes. */
static void follow_all(struct flow *f, int max_nodes)
{
	f->max_nodes = max_nodes;
	while (f->head != f->tail) {
		struct node *n = &f->node[f->queue[f->head]];
		struct eval_state before = state_of(n), s = before;
		f->head = (f->head + 1) % (NODES + 1);
		n->queued = false;
		f->e.nr_loads = 0;
		enum eval_stop stop = eval_step(&f->e, &s, &n->insn);
		if (stop != EVAL_GO) {
			note_other_store(&f->e, &before, &n->insn);
			s = forget_results(&before, &n->insn);
		}
		note_store(f, n);
		enqueue_edges(f, &n->insn, &s, &before);
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

	/* from other modes handlers run in a mode or segment that is not the CPU's own now */
	if ((!wide && f->e.mode != X86_64_MODE_PROT32) ||
	    !inq_reg_known(&cpu->regs, X86_64_IDTR_BASE) ||
	    !inq_reg_known(&cpu->regs, X86_64_IDTR_LIMIT))
		return;
	memset(&unknown, 0, sizeof(unknown));
	for (unsigned int v = 0; v < VECTORS; v++) {
		uint64_t entry = 0;
		if (gate_entry(cpu, wide, v, &entry))
			enqueue(f, entry, &unknown);
	}
}

/* Do the bytes before a return address look like the call that left it there? */
static bool behind_call(const struct inq_cpu *cpu, uint64_t to)
{
	enum { LONGEST = 7 };
	uint8_t b[LONGEST];
	struct inq_err err;

	if (to < LONGEST || inq_read(cpu->virt, to - LONGEST, b, LONGEST, &err))
		return false;
	if (b[LONGEST - 5] == 0xe8)
		return true;
	for (int len = 2; len <= LONGEST; len++) /* FF /2 */
		if (b[LONGEST - len] == 0xff && (b[LONGEST - len + 1] >> 3 & 7) == 2)
			return true;
	return false;
}

/* Where the callers go on, as far as the stack shows, with nothing known of their registers. */
static void enqueue_returns(struct flow *f)
{
	const struct inq_cpu *cpu = f->e.cpu;
	unsigned int size = f->e.mode == X86_64_MODE_LONG ? 8 : 4;
	struct eval_state unknown;
	uint8_t word[8] = {0};
	struct inq_err err;

	if (!f->e.floor || (size == 4 && f->e.mode != X86_64_MODE_PROT32))
		return;
	memset(&unknown, 0, sizeof(unknown));
	for (unsigned int i = 0, nr = 0; i < STACK_WORDS && nr < RETURNS; i++) {
		uint64_t to = 0;
		if (inq_read(cpu->virt, f->e.floor + (uint64_t)i * size, word, size, &err))
			return;
		for (unsigned int k = 0; k < size; k++)
			to |= (uint64_t)word[k] << (8 * k);
		if (!behind_call(cpu, to))
			continue;
		enqueue(f, to, &unknown);
		nr++;
	}
}

static enum inq_status scan_cpu(struct writers *w, const struct inq_cpu *cpu, struct inq_err *err)
{
	INQ_SCOPED(flow_destroy_scope_) struct flow *f = flow_create();
	struct eval_state st;

	if (!f)
		return inq_fail(err, INQ_ENOMEM, "writers");
	if (!eval_begin(&f->e, cpu, &st))
		return INQ_OK;
	f->w = w;
	f->e.follow = true;
	follow_path(f, st);
	f->max_nodes = FROM_RIP;
	enqueue(f, st.rip, &st);
	follow_all(f, FROM_RIP);
	f->max_nodes = FROM_STACK;
	enqueue_returns(f);
	follow_all(f, FROM_STACK);
	f->in_handler = true;
	f->max_nodes = NODES;
	enqueue_handlers(f);
	follow_all(f, NODES);
	return w->no_memory ? inq_fail(err, INQ_ENOMEM, "writers") : INQ_OK;
}

enum inq_status writers_create(const struct inq_machine *m, struct writers **ret_writers,
			       struct inq_err *err)
{
	INQ_SCOPED(writers_destroy_scope_) struct writers *w = calloc(1, sizeof(*w));

	if (!w)
		return inq_fail(err, INQ_ENOMEM, "writers");
	w->m = m;
	for (uint32_t i = 0; i < m->nr_cpus; i++) {
		enum inq_status st = scan_cpu(w, &m->cpus[i], err);
		if (st)
			return st;
	}
	*ret_writers = inq_take(w);
	return INQ_OK;
}

/* The CPU that waits is no writer itself, except where an interrupt may break into its wait. */
static bool may_write(const struct store_seen *s, const struct inq_cpu *victim)
{
	enum { IF = 9 };

	return s->cpu != victim->index ||
	       (s->in_handler && inq_reg_known(&victim->regs, X86_64_RFLAGS) &&
		victim->regs.v[X86_64_RFLAGS] >> IF & 1);
}

static void add_writer(const struct store_seen *s, const struct inq_cpu *cpu, struct writer *ret,
		       int *nr)
{
	struct inq_err err;
	int of_cpu = 0;

	for (int i = 0; i < *nr; i++) {
		of_cpu += ret[i].cpu == s->cpu;
		if (ret[i].cpu == s->cpu && ret[i].insn.rip == s->rip)
			return;
	}
	if (*nr == WRITERS_MAX || of_cpu == WRITERS_PER_CPU ||
	    code_fetch(cpu, s->rip, &ret[*nr].insn, &err))
		return;
	ret[*nr].cpu = s->cpu;
	ret[(*nr)++].executed = s->executed;
}

int writers_find(const struct writers *w, const struct inq_cpu *victim,
		 const struct inq_space *space, uint64_t phys, unsigned int bytes,
		 struct writer ret[WRITERS_MAX])
{
	int nr = 0;

	for (size_t i = 0; i < w->nr; i++) {
		const struct store_seen *s = &w->seen[i];
		const struct inq_cpu *cpu = &w->m->cpus[s->cpu];
		if (s->phys - phys >= bytes && phys - s->phys >= s->bytes)
			continue;
		if (may_write(s, victim) && eval_same_memory(cpu->phys, space, phys))
			add_writer(s, cpu, ret, &nr);
	}
	return nr;
}
