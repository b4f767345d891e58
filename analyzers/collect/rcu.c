/*
 * Knows RCU's state of the whole kernel; that of each CPU is in cpu_os.  Source: kernel/rcu/tree.h
 * (struct rcu_state, RCU_GP_*), kernel/rcu/rcu.h (rcu_seq_state).
 */
#include "analyzers/collect/collectors.h"
#include "analyzers/collect/linux.h"

static const struct inq_column cols[] = {
	{"nr", INQ_INT, "always 0: there is one"},
	{"gp_seq", INQ_INT, "grace period, times 4, with its phase in the low bits"},
	{"in_progress", INQ_INT, "1: a grace period runs"},
	{"gp_state", INQ_INT, "what its thread does, RCU_GP_*"},
	{"gp_state_name", INQ_TEXT, "the same in words"},
	{"gp_flags", INQ_INT, "what it was asked for: 1 begin, 2 force quiescent states"},
	{"gp_kthread", INQ_ADDR, "task_struct of its thread"},
	{"gp_start", INQ_INT, "jiffies when the grace period began"},
	{"gp_activity", INQ_INT, "jiffies when its thread last did something"},
	{"age", INQ_INT, "jiffies since it began; NULL: none runs"},
	{"idle", INQ_INT, "jiffies since its thread last did something"},
	{"n_force_qs", INQ_INT, "times that quiescent states were forced"},
	{"ncpus", INQ_INT, "CPUs that have ever been online"},
	{"expedited_seq", INQ_INT, "expedited grace period, times 4"},
	{0},
};

struct rcu_shape {
	struct inq_field seq, state, flags, kthread, start, activity, forced, ncpus, expedited;
};
#define RCU(f, at) LINUX_MEMBER(struct rcu_shape, f, at, .optional = true)
static const struct inq_shape_member members[] = {
	RCU(seq, "gp_seq"),
	RCU(state, "gp_state"),
	RCU(flags, "gp_flags"),
	RCU(kthread, "gp_kthread"),
	RCU(start, "gp_start"),
	RCU(activity, "gp_activity"),
	RCU(forced, "n_force_qs"),
	RCU(ncpus, "ncpus"),
	RCU(expedited, "expedited_sequence"),
	{0},
};

struct rcu {
	const struct inq_machine *m;
	struct inq_sink *out;
	uint64_t addr;
};

/* NULL: this kernel has no such member, or it could not be read, which is a gap. */
static enum inq_status get(const struct rcu *r, const struct inq_field *f, struct inq_value *ret,
			   struct inq_err *err)
{
	struct inq_err why = {0};
	uint64_t v = 0;

	*ret = INQ_V_NULL;
	if (!f->size)
		return INQ_OK;
	if (inq_read_field(r->m, r->addr, f, &v, &why))
		return linux_gap(r->m, r->out, r->addr + f->off, f->size, &why, err);
	*ret = INQ_V_INT(v);
	return INQ_OK;
}

/* As the kernel's own reports of stalls name them (gp_state_names). */
static struct inq_value state_name(const struct inq_value *state)
{
	static const char *const names[] = {"idle",          "waits to begin", "done waiting",
					    "on, off",       "begins",         "waits for states",
					    "forces states", "cleans up",      "cleaned up"};

	return state->kind == INQ_NULL || (uint64_t)state->i >= sizeof(names) / sizeof(*names)
		       ? INQ_V_NULL
		       : INQ_V_TEXT(names[state->i]);
}

static struct inq_value since(bool known, uint64_t now, const struct inq_value *then)
{
	return known && then->kind != INQ_NULL ? INQ_V_INT(now - (uint64_t)then->i) : INQ_V_NULL;
}

static enum inq_status put(const struct rcu *r, const struct rcu_shape *s, struct inq_err *err)
{
	enum { SEQ, STATE, FLAGS, KTHREAD, START, ACTIVITY, FORCED, NCPUS, EXPEDITED, NR };
	const struct inq_field *const at[NR] = {&s->seq,     &s->state, &s->flags,
						&s->kthread, &s->start, &s->activity,
						&s->forced,  &s->ncpus, &s->expedited};
	struct inq_value v[NR];
	uint64_t jiffies = 0;
	bool now = !linux_var(r->m, "jiffies_64", 8, &jiffies, NULL);
	enum inq_status st = INQ_OK;

	for (int i = 0; !st && i < NR; i++)
		st = get(r, at[i], &v[i], err);
	if (st)
		return st;
	bool runs = v[SEQ].kind != INQ_NULL && v[SEQ].i & 3;
	if (v[KTHREAD].kind != INQ_NULL)
		v[KTHREAD] = v[KTHREAD].i ? INQ_V_ADDR(v[KTHREAD].i) : INQ_V_NULL;
	return INQ_ROW(r->out, err, INQ_V_INT(0), v[SEQ],
		       v[SEQ].kind == INQ_NULL ? INQ_V_NULL : INQ_V_INT(runs), v[STATE],
		       state_name(&v[STATE]), v[FLAGS], v[KTHREAD], v[START], v[ACTIVITY],
		       since(now && runs, jiffies, &v[START]), since(now, jiffies, &v[ACTIVITY]),
		       v[FORCED], v[NCPUS], v[EXPEDITED]);
}

static enum inq_status run(const struct inq_machine *m, struct inq_sink *out, struct inq_err *err)
{
	struct rcu r = {.m = m, .out = out};
	struct rcu_shape s = {{0}};
	struct inq_err why = {0};
	struct inq_type t;
	bool go = false;

	enum inq_status st = linux_start(m, out, &go, err);
	if (st || !go)
		return st;
	if (inq_shape(m, "struct rcu_state", members, &s, NULL, &why) ||
	    inq_var(m, "rcu_state", &r.addr, &t, &why))
		return linux_gap(m, out, 0, 0, &why, err);
	return put(&r, &s, err);
}

const struct inq_collector collect_rcu = {
	.table = "rcu",
	.doc = "RCU as a whole: its grace period, and what its thread does",
	.cols = cols,
	.nr_keys = 1,
	.run = run,
};
