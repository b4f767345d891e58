/*
 * What the kernel keeps for each CPU, as a table of where each value may be: the first place that
 * this kernel has counts.  Sources: kernel/sched/sched.h, arch/x86/include/asm/{preempt,hardirq,
 * current}.h, kernel/time/tick-sched.h, kernel/watchdog.c, kernel/watchdog_hld.c,
 * kernel/rcu/tree.h, include/linux/context_tracking_state.h.
 */
#include <inttypes.h>
#include <string.h>

#include "analyzers/collect/collectors.h"
#include "analyzers/collect/linux_task.h"

enum { PLACES = 3 };

/*
 * A per-CPU variable, its type where nothing tells it (kernels of older pahole), the member of it,
 * and which of its bits count: shift, then mask.
 */
struct place {
	const char *var, *type, *path;
	uint8_t shift;
	uint64_t mask; /* 0: all */
};

enum fact {
	CURRENT,
	IDLE,
	NR_RUNNING,
	NR_SWITCHES,
	CLOCK,
	ONLINE,
	TTWU,
	PREEMPT,
	SOFTIRQ,
	LAST_TICK,
	LAST_JIFFIES,
	STOPPED,
	IN_IDLE,
	SOFT_TOUCH,
	SOFT_REPORT,
	HR_COUNT,
	HR_SAVED,
	HARD_WARNED,
	RCU_GP,
	RCU_NEEDED,
	RCU_NO_QS,
	RCU_CORE_NEEDS,
	RCU_TICKS,
	RCU_WATCH,
	RCU_NODE,
	RCU_MASK,
	NR_FACTS
};

/* TS_FLAG_INIDLE and TS_FLAG_STOPPED were bit-fields before; 6.8. */
static const struct place places[NR_FACTS][PLACES] = {
	[CURRENT] = {{"current_task", "struct task_struct *", ""},
		     {"pcpu_hot", "struct pcpu_hot", "current_task"}},
	[IDLE] = {{"runqueues", "struct rq", "idle"}},
	[NR_RUNNING] = {{"runqueues", "struct rq", "nr_running"}},
	[NR_SWITCHES] = {{"runqueues", "struct rq", "nr_switches"}},
	[CLOCK] = {{"runqueues", "struct rq", "clock"}},
	[ONLINE] = {{"runqueues", "struct rq", "online"}},
	[TTWU] = {{"runqueues", "struct rq", "ttwu_pending"}},
	[PREEMPT] = {{"__preempt_count", "int", ""},
		     {"pcpu_hot", "struct pcpu_hot", "preempt_count"}},
	[SOFTIRQ] = {{"irq_stat", "irq_cpustat_t", "__softirq_pending"},
		     {"pcpu_hot", "struct pcpu_hot", "softirq_pending"},
		     {"__softirq_pending", "unsigned short", ""}},
	[LAST_TICK] = {{"tick_cpu_sched", "struct tick_sched", "last_tick"}},
	[LAST_JIFFIES] = {{"tick_cpu_sched", "struct tick_sched", "last_tick_jiffies"},
			  {"tick_cpu_sched", "struct tick_sched", "last_jiffies"}},
	[STOPPED] = {{"tick_cpu_sched", "struct tick_sched", "tick_stopped"},
		     {"tick_cpu_sched", "struct tick_sched", "flags", 1, 1}},
	[IN_IDLE] = {{"tick_cpu_sched", "struct tick_sched", "inidle"},
		     {"tick_cpu_sched", "struct tick_sched", "flags", 0, 1}},
	[SOFT_TOUCH] = {{"watchdog_touch_ts", "unsigned long", ""}},
	[SOFT_REPORT] = {{"watchdog_report_ts", "unsigned long", ""}},
	[HR_COUNT] = {{"hrtimer_interrupts", "unsigned long", "counter"},
		      {"hrtimer_interrupts", "unsigned long", ""}},
	[HR_SAVED] = {{"hrtimer_interrupts_saved", "unsigned long", ""}},
	[HARD_WARNED] = {{"hard_watchdog_warn", "bool", ""},
			 {"watchdog_hardlockup_warned", "bool", ""}},
	[RCU_GP] = {{"rcu_data", "struct rcu_data", "gp_seq"}},
	[RCU_NEEDED] = {{"rcu_data", "struct rcu_data", "gp_seq_needed"}},
	[RCU_NO_QS] = {{"rcu_data", "struct rcu_data", "cpu_no_qs.b.norm"}},
	[RCU_CORE_NEEDS] = {{"rcu_data", "struct rcu_data", "core_needs_qs"}},
	[RCU_TICKS] = {{"rcu_data", "struct rcu_data", "ticks_this_gp"}},
	[RCU_WATCH] = {{"context_tracking", "struct context_tracking", "state.counter", 0, 0},
		       {"rcu_data", "struct rcu_data", "dynticks.counter", 0, 0}},
	[RCU_NODE] = {{"rcu_data", "struct rcu_data", "mynode"}},
	[RCU_MASK] = {{"rcu_data", "struct rcu_data", "grpmask"}},
};

static const struct inq_column cols[] = {
	COLS_OF_CPU,
	{"task", INQ_ADDR, "its current task"},
	{"pid", INQ_INT, "of that one"},
	{"comm", INQ_TEXT, "name of that one"},
	{"idle", INQ_INT, "1: it is the idle task"},
	{"online", INQ_INT, "1: the scheduler uses it"},
	{"nr_running", INQ_INT, "tasks that run or could run on it"},
	{"nr_switches", INQ_INT, "context switches"},
	{"clock_ns", INQ_INT, "the scheduler's clock when it was last looked at, ns"},
	{"wakeup_pending", INQ_INT, "1: another CPU has woken a task for it"},
	{"preempt", INQ_INT, "depth of preempt_disable()"},
	{"softirq_depth", INQ_INT,
	 "not 0: in a soft interrupt, or they are disabled (2 and above)"},
	{"hardirq_depth", INQ_INT, "not 0: in an interrupt"},
	{"nmi_depth", INQ_INT, "not 0: in an NMI"},
	{"need_resched", INQ_INT, "1: somebody else should run"},
	{"softirq_pending", INQ_INT, "bits of soft interrupts that wait"},
	{"softirqs", INQ_TEXT, "the same by name"},
	{"last_tick_ns", INQ_INT, "when its tick was last stopped for idling, ns; 0: never"},
	{"last_jiffies", INQ_INT, "jiffies when it last ticked"},
	{"jiffies_behind", INQ_INT,
	 "jiffies since then; NULL where its tick is stopped, or unknown"},
	{"tick_stopped", INQ_INT, "1: without a tick"},
	{"tick_idle", INQ_INT, "1: in the idle loop"},
	{"soft_touch", INQ_INT,
	 "soft-lockup detector: when it was fed, in 2^30 ns; NULL: a report is delayed"},
	{"soft_report", INQ_INT, "the same: since when it counts; NULL: a report is delayed"},
	{"hr_interrupts", INQ_INT, "hard-lockup detector: timer interrupts"},
	{"hr_saved", INQ_INT, "the same at its last look"},
	{"hard_warned", INQ_INT, "1: it has reported a hard lockup"},
	{"rcu_gp_seq", INQ_INT, "RCU: grace period that the CPU knows of, times 4"},
	{"rcu_gp_needed", INQ_INT, "the same: the furthest that it waits for"},
	{"rcu_no_qs", INQ_INT, "1: it has not passed a quiescent state since that one began"},
	{"rcu_core_needs", INQ_INT, "1: RCU waits for it"},
	{"rcu_ticks", INQ_INT, "ticks since its grace period began"},
	{"rcu_state", INQ_INT, "counter of RCU's watching, with its low bits"},
	{"rcu_holds", INQ_INT, "1: the grace period, see rcu, waits for this CPU"},
	{0},
};

enum { COMM = 64, NR_SOFTIRQS = 10 };

struct found {
	bool there;
	struct place of;
	uint64_t offset; /* of the member */
	struct inq_field field;
};

struct cpus {
	const struct inq_machine *m;
	struct inq_sink *out;
	struct found at[NR_FACTS];
	struct linux_task_shape task;
	bool has_task, has_jiffies;
	struct inq_field qsmask; /* of struct rcu_node */
	uint64_t jiffies;
};

static const struct inq_shape_member of_node[] = {LINUX_MEMBER(struct cpus, qsmask, "qsmask"), {0}};

/* Which place this kernel has. */
static void find(struct cpus *c, enum fact f)
{
	struct found *ret = &c->at[f];

	for (int i = 0; !ret->there && i < PLACES && places[f][i].var; i++) {
		struct inq_type t;
		uint64_t addr = 0;
		struct inq_member mb = {0};
		const struct place *p = &places[f][i];
		if (inq_per_cpu(c->m, p->var, 0, &addr, &t, NULL) ||
		    (!inq_type_size(t) && inq_type_named(c->m, p->type, &t, NULL)))
			continue;
		if (*p->path) {
			if (inq_member(t, p->path, &mb, NULL))
				continue;
			ret->field = inq_field_for(&mb);
		} else {
			ret->field = (struct inq_field){.size = (uint32_t)inq_type_size(t)};
		}
		ret->of = *p;
		ret->there = ret->field.size >= 1 && ret->field.size <= 8;
	}
}

/* False: unknown.  What lies in the dump, but cannot be read, is a gap. */
static enum inq_status get(const struct cpus *c, uint32_t cpu, enum fact f, struct inq_value *ret,
			   struct inq_err *err)
{
	const struct found *at = &c->at[f];
	struct inq_err why = {0};
	struct inq_type t;
	uint64_t addr = 0, v = 0;

	*ret = INQ_V_NULL;
	if (!at->there)
		return INQ_OK;
	enum inq_status st = inq_per_cpu(c->m, at->of.var, cpu, &addr, &t, &why);
	st = st ? st : inq_read_field(c->m, addr, &at->field, &v, &why);
	if (st)
		return linux_gap(c->m, c->out, addr, addr ? at->field.size : 0, &why, err);
	v >>= at->of.shift;
	*ret = INQ_V_INT(at->of.mask ? v & at->of.mask : v);
	return INQ_OK;
}

/* include/linux/preempt.h and x86's asm/preempt.h: bit 31 clear says that a switch is due. */
static struct inq_value depth(const struct inq_value *count, int shift, uint64_t mask)
{
	return count->kind == INQ_NULL ? INQ_V_NULL : INQ_V_INT((uint64_t)count->i >> shift & mask);
}

static struct inq_value need_resched(const struct inq_value *count)
{
	return count->kind == INQ_NULL ? INQ_V_NULL : INQ_V_INT(!((uint64_t)count->i >> 31 & 1));
}

static struct inq_value softirqs(const struct inq_value *pending, char *buf, size_t n)
{
	/* include/linux/interrupt.h: an ABI of /proc/softirqs */
	static const char *const names[NR_SOFTIRQS] = {"hi",      "timer",    "net_tx",  "net_rx",
						       "block",   "irq_poll", "tasklet", "sched",
						       "hrtimer", "rcu"};
	size_t at = 0;

	*buf = '\0';
	if (pending->kind == INQ_NULL)
		return INQ_V_NULL;
	for (int i = 0; i < NR_SOFTIRQS; i++) {
		size_t len = strlen(names[i]);
		if (!(pending->i >> i & 1) || at + len + 2 > n)
			continue;
		if (at)
			buf[at++] = ',';
		memcpy(buf + at, names[i], len + 1);
		at += len;
	}
	return INQ_V_TEXT(buf);
}

/* pid and name of the current task. */
static void name_task(const struct cpus *c, const struct inq_value *task, struct inq_value *ret_pid,
		      struct inq_value *ret_comm, char comm[COMM])
{
	uint64_t pid = 0;
	size_t n = c->task.comm.size < COMM ? c->task.comm.size : COMM - 1;

	*ret_pid = *ret_comm = INQ_V_NULL;
	if (!c->has_task || task->kind == INQ_NULL || !task->i)
		return;
	if (!inq_read_field(c->m, (uint64_t)task->i, &c->task.pid, &pid, NULL))
		*ret_pid = INQ_V_INT(pid);
	memset(comm, 0, COMM);
	if (!inq_read_kernel(c->m, (uint64_t)task->i + c->task.comm.off, comm, n, NULL))
		*ret_comm = INQ_V_TEXT(comm);
}

/* How far its tick is behind; a stopped one is behind nothing. */
static struct inq_value behind(const struct cpus *c, const struct inq_value *v)
{
	if (!c->has_jiffies || v[LAST_JIFFIES].kind == INQ_NULL || v[STOPPED].kind == INQ_NULL ||
	    v[STOPPED].i)
		return INQ_V_NULL;
	return INQ_V_INT(c->jiffies - (uint64_t)v[LAST_JIFFIES].i);
}

/* Its bit in its node is set until it has passed a quiescent state. */
static enum inq_status holds_rcu(const struct cpus *c, const struct inq_value *v,
				 struct inq_value *ret, struct inq_err *err)
{
	struct inq_err why = {0};
	uint64_t node = (uint64_t)v[RCU_NODE].i, mask = 0;

	*ret = INQ_V_NULL;
	if (!c->qsmask.size || v[RCU_NODE].kind == INQ_NULL || v[RCU_MASK].kind == INQ_NULL ||
	    !node)
		return INQ_OK;
	if (inq_read_field(c->m, node, &c->qsmask, &mask, &why))
		return linux_gap(c->m, c->out, node + c->qsmask.off, c->qsmask.size, &why, err);
	*ret = INQ_V_INT((mask & (uint64_t)v[RCU_MASK].i) != 0);
	return INQ_OK;
}

static enum inq_status put_cpu(const struct cpus *c, uint32_t cpu, struct inq_err *err)
{
	struct inq_value v[NR_FACTS], pid, comm, holds;
	char name[COMM], pending[96];
	enum inq_status st = INQ_OK;

	for (int f = 0; !st && f < NR_FACTS; f++)
		st = get(c, cpu, (enum fact)f, &v[f], err);
	st = st ? st : holds_rcu(c, v, &holds, err);
	if (st)
		return st;
	name_task(c, &v[CURRENT], &pid, &comm, name);
	struct inq_value idle = v[CURRENT].kind == INQ_NULL || v[IDLE].kind == INQ_NULL
					? INQ_V_NULL
					: INQ_V_INT(v[CURRENT].i == v[IDLE].i);
	if (v[CURRENT].kind != INQ_NULL)
		v[CURRENT].kind = INQ_ADDR;
	/* SOFTLOCKUP_DELAY_REPORT; to 5.12 it was put where it was fed */
	if (v[SOFT_REPORT].i == -1)
		v[SOFT_REPORT] = INQ_V_NULL;
	if (v[SOFT_TOUCH].i == -1)
		v[SOFT_TOUCH] = INQ_V_NULL;
	return INQ_ROW(
		c->out, err, INQ_V_INT(c->m->sample.sample_id), INQ_V_INT(cpu), v[CURRENT], pid,
		comm, idle, v[ONLINE], v[NR_RUNNING], v[NR_SWITCHES], v[CLOCK], v[TTWU],
		depth(&v[PREEMPT], 0, 0xff), depth(&v[PREEMPT], 8, 0xff),
		depth(&v[PREEMPT], 16, 0xf), depth(&v[PREEMPT], 20, 0xf), need_resched(&v[PREEMPT]),
		v[SOFTIRQ], softirqs(&v[SOFTIRQ], pending, sizeof(pending)), v[LAST_TICK],
		v[LAST_JIFFIES], behind(c, v), v[STOPPED], v[IN_IDLE], v[SOFT_TOUCH],
		v[SOFT_REPORT], v[HR_COUNT], v[HR_SAVED], v[HARD_WARNED], v[RCU_GP], v[RCU_NEEDED],
		v[RCU_NO_QS], v[RCU_CORE_NEEDS], v[RCU_TICKS], v[RCU_WATCH], holds);
}

static enum inq_status run(const struct inq_machine *m, struct inq_sink *out, struct inq_err *err)
{
	struct cpus c = {.m = m, .out = out};
	struct inq_err why = {0};
	uint32_t nr = 0;
	bool go = false;

	enum inq_status st = linux_start(m, out, &go, err);
	if (st || !go)
		return st;
	if (inq_nr_cpus(m, &nr, &why))
		return linux_gap(m, out, 0, 0, &why, err);
	for (int f = 0; f < NR_FACTS; f++)
		find(&c, (enum fact)f);
	if (inq_shape(m, "struct rcu_node", of_node, &c, NULL, NULL))
		c.qsmask.size = 0;
	c.has_task = !linux_task_shape(m, &c.task, NULL);
	c.has_jiffies = !linux_var(m, "jiffies_64", 8, &c.jiffies, NULL);
	for (uint32_t cpu = 0; !st && cpu < nr; cpu++)
		st = put_cpu(&c, cpu, err);
	return st;
}

const struct inq_collector collect_cpu_os = {
	.table = "cpu_os",
	.doc = "every CPU as the kernel sees it: its task, run queue, tick, lockup detectors, RCU",
	.cols = cols,
	.nr_keys = 2,
	.run = run,
};
