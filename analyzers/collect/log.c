/* The kernel's log, line by line.  Where it is: kernel/printk/printk.c. */
#include <inttypes.h>
#include <string.h>

#include "analyzers/collect/collectors.h"
#include "analyzers/collect/linux.h"
#include "analyzers/collect/linux_log.h"

static const struct inq_column cols[] = {
	{"seq", INQ_INT, "number of the record; those that are missing were written over"},
	{"line", INQ_INT, "line of the record, from 0"},
	{"t_ns", INQ_INT, "since boot, ns"},
	{"level", INQ_INT, "0 (emergency) to 7 (debug)"},
	{"facility", INQ_INT, "as of syslog; 0: the kernel itself, 1: written to /dev/kmsg"},
	{"cpu", INQ_INT,
	 "CPU of whoever wrote it, where that was no task; NULL: a task, or unknown"},
	{"pid", INQ_INT, "task that wrote it; NULL: none, or unknown"},
	{"kind", INQ_TEXT,
	 "panic, oops, bug, lockup, stall (RCU), hung (task), oom, mce, warning; NULL: none of "
	 "these"},
	{"text", INQ_TEXT, "the line"},
	{"open", INQ_INT, "1: more could still be added to the record"},
	{0},
};

struct lines {
	const struct inq_machine *m;
	struct inq_sink *out;
};

/* printk_caller_id: bit 31 and a CPU, or the pid. */
enum { CALLER_CPU_BIT = 31 };

static enum inq_status put_line(const struct lines *l, const struct log_record *r, int64_t nr,
				const char *text, size_t n, struct inq_err *err)
{
	char line[LINUX_LOG_LINE];
	const char *kind = log_kind(text, n);
	bool is_cpu = r->caller >= 0 && r->caller >> CALLER_CPU_BIT & 1;
	int64_t cpu = r->caller & ((1LL << CALLER_CPU_BIT) - 1);

	linux_log_text(text, n, line, sizeof(line));
	return INQ_ROW(l->out, err, INQ_V_INT(r->seq), INQ_V_INT(nr), INQ_V_INT(r->ts_ns),
		       r->level < 0 ? INQ_V_NULL : INQ_V_INT(r->level),
		       r->facility < 0 ? INQ_V_NULL : INQ_V_INT(r->facility),
		       is_cpu ? INQ_V_INT(cpu) : INQ_V_NULL,
		       is_cpu || r->caller < 0 ? INQ_V_NULL : INQ_V_INT(r->caller), v_text(kind),
		       INQ_V_TEXT(line), INQ_V_INT(r->open));
}

static enum inq_status on_record(void *ctx, const struct log_record *r, struct inq_err *err)
{
	const char *at = r->text, *end = r->text + r->n;
	enum inq_status st = INQ_OK;

	for (int64_t nr = 0; !st; nr++) {
		const char *stop = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
		st = put_line(ctx, r, nr, at, (size_t)((stop ? stop : end) - at), err);
		if (!stop)
			break;
		at = stop + 1;
	}
	return st;
}

static enum inq_status on_gap(void *ctx, uint64_t addr, uint64_t length, const struct inq_err *why,
			      struct inq_err *err)
{
	const struct lines *l = ctx;

	return linux_gap(l->m, l->out, addr, length, why, err);
}

static enum inq_status run(const struct inq_machine *m, struct inq_sink *out, struct inq_err *err)
{
	struct lines l = {m, out};
	const struct log_sink sink = {on_record, on_gap, &l};
	struct inq_err why = {0};
	bool go = false;

	enum inq_status st = linux_start(m, out, &go, err);
	if (st || !go)
		return st;
	st = linux_log_each(m, &sink, &why);
	return st ? linux_gap(m, out, 0, 0, &why, err) : INQ_OK;
}

const struct inq_collector collect_log = {
	.table = "log",
	.doc = "the kernel's log (dmesg), line by line",
	.cols = cols,
	.nr_keys = 2,
	.run = run,
};
