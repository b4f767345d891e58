/*
 * The system as a whole.  Sources: kernel/time/timekeeping.c (ktime_get_boottime),
 * kernel/sched/loadavg.c, mm/show_mem.c and mm/vmstat.c, kernel/panic.c.
 */
#include <inttypes.h>
#include <string.h>

#include "analyzers/collect/collectors.h"
#include "analyzers/collect/linux.h"
#include "analyzers/collect/linux_log.h"

static const struct inq_column cols[] = {
	{"nr", INQ_INT, "0: a machine runs one"},
	{"release", INQ_TEXT, "as of uname -r"},
	{"version", INQ_TEXT, "as of uname -v"},
	{"nodename", INQ_TEXT, "name of the machine"},
	{"domainname", INQ_TEXT, "NIS domain"},
	{"cmdline", INQ_TEXT, "command line of the kernel"},
	{"t_ns", INQ_INT, "time of day at the last tick, ns since 1970"},
	{"uptime_ns", INQ_INT, "time since boot at the last tick, suspended time included, ns"},
	{"boot_ns", INQ_INT, "time of the boot, ns since 1970"},
	{"jiffies", INQ_INT, "ticks, from -300 seconds on"},
	{"load1", INQ_INT, "load of the last minute, in thousandths"},
	{"load5", INQ_INT, "load of five minutes, the same"},
	{"load15", INQ_INT, "load of fifteen minutes, the same"},
	{"mem_total", INQ_INT, "memory that the kernel manages, bytes"},
	{"mem_free", INQ_INT, "free, bytes; without what CPUs have not yet counted"},
	{"mem_file", INQ_INT, "page cache, bytes; the same"},
	{"mem_anon", INQ_INT, "mapped memory without files, bytes; the same"},
	{"mem_slab", INQ_INT, "slabs, bytes; the same"},
	{"taints", INQ_TEXT, "letters as in the kernel's reports; empty: none"},
	{"taint_mask", INQ_INT, "the same as bits"},
	{"panic", INQ_TEXT, "what the kernel said when it gave up; NULL: it did not, or unknown"},
	{"panic_cpu", INQ_INT, "CPU that said so; NULL: none did, or unknown"},
	{0},
};

enum { UTS = 65, CMDLINE = 4096, PAGE = 4096, FIXED_1 = 2048 };

/* What cannot be told is a gap; the row keeps what can. */
struct facts {
	const struct inq_machine *m;
	struct inq_sink *out;
	char release[UTS], version[UTS], nodename[UTS], domain[UTS], cmdline[CMDLINE];
	char taints[65], panic[LINUX_LOG_LINE];
	bool has_uts, has_cmdline, has_time, has_load, has_taints;
	uint64_t t_ns, uptime_ns, load[3], taint_mask;
};

struct uts_shape {
	struct inq_field release, version, nodename, domain;
};
#define UTS_FIELD(f, at, ...) LINUX_MEMBER(struct uts_shape, f, at, __VA_ARGS__)
static const struct inq_shape_member uts_members[] = {
	UTS_FIELD(release, "name.release"),
	UTS_FIELD(version, "name.version"),
	UTS_FIELD(nodename, "name.nodename"),
	UTS_FIELD(domain, "name.domainname"),
	{0},
};

static enum inq_status find_uts(struct facts *f, struct inq_err *err)
{
	struct uts_shape s = {0};
	struct object o;
	struct inq_type t;
	uint64_t at = 0, size = 0;
	enum inq_status st = inq_shape(f->m, "struct uts_namespace", uts_members, &s, &size, err);

	st = st ? st : inq_var(f->m, "init_uts_ns", &at, &t, err);
	st = st ? st : object_read(&o, f->m, at, size, f->out, err);
	f->has_uts = !st && object_text(&o, &s.release, f->release, UTS) &&
		     object_text(&o, &s.version, f->version, UTS) &&
		     object_text(&o, &s.nodename, f->nodename, UTS) &&
		     object_text(&o, &s.domain, f->domain, UTS);
	return st;
}

static enum inq_status find_cmdline(struct facts *f, struct inq_err *err)
{
	uint64_t at = 0;
	enum inq_status st = linux_var(f->m, "saved_command_line", 8, &at, err);

	st = st ? st : linux_string(f->m, at, f->cmdline, CMDLINE, err);
	f->has_cmdline = !st;
	return st;
}

struct time_shape {
	struct inq_field sec, nsec, shift, base, boot;
};
#define TIME(f, at, ...) LINUX_MEMBER(struct time_shape, f, at, __VA_ARGS__)
static const struct inq_shape_member time_members[] = {
	TIME(sec, "xtime_sec"),        TIME(nsec, "tkr_mono.xtime_nsec"),
	TIME(shift, "tkr_mono.shift"), TIME(base, "tkr_mono.base"),
	TIME(boot, "offs_boot"),       {0},
};

/* tk_core: a sequence counter of 4 or more bytes, then the struct timekeeper, 8-aligned. */
enum { TK_CORE_TIMEKEEPER = 8, SHIFT_MAX = 32, NS_PER_S = 1000000000 };

static enum inq_status find_time(struct facts *f, struct inq_err *err)
{
	struct time_shape s = {0};
	struct object o;
	struct inq_type t;
	struct inq_member tk;
	uint64_t at = 0, size = 0, sec = 0, nsec = 0, shift = 0, base = 0, boot = 0;
	enum inq_status st = inq_shape(f->m, "struct timekeeper", time_members, &s, &size, err);

	st = st ? st : inq_var(f->m, "tk_core", &at, &t, err);
	if (st)
		return st;
	at += inq_member(t, "timekeeper", &tk, NULL) ? TK_CORE_TIMEKEEPER : inq_member_at(&tk);
	st = object_read(&o, f->m, at, size, f->out, err);
	if (st || !object_get(&o, &s.sec, &sec) || !object_get(&o, &s.nsec, &nsec) ||
	    !object_get(&o, &s.shift, &shift) || !object_get(&o, &s.base, &base) ||
	    !object_get(&o, &s.boot, &boot))
		return st; /* a gap was said by object_read */
	if (shift > SHIFT_MAX || nsec >> shift >= 2ULL * NS_PER_S)
		return inq_fail_at(err, INQ_ECORRUPT, at, "timekeeper: shift %" PRIu64, shift);
	f->t_ns = sec * NS_PER_S + (nsec >> shift);
	f->uptime_ns = base + (nsec >> shift) + boot;
	f->has_time = true;
	return INQ_OK;
}

static enum inq_status find_load(struct facts *f, struct inq_err *err)
{
	struct inq_type t;
	uint64_t at = 0, raw[3];
	enum inq_status st = inq_var(f->m, "avenrun", &at, &t, err);

	st = st ? st : inq_read_kernel(f->m, at, raw, sizeof(raw), err);
	for (int i = 0; !st && i < 3; i++)
		f->load[i] = raw[i] / FIXED_1 * 1000 + raw[i] % FIXED_1 * 1000 / FIXED_1;
	f->has_load = !st;
	return st;
}

static enum inq_status find_taints(struct facts *f, struct inq_err *err)
{
	enum inq_status st = linux_var(f->m, "tainted_mask", 8, &f->taint_mask, err);

	f->has_taints = !st;
	if (!st)
		linux_taints(f->taint_mask, f->taints);
	return st;
}

/* Counters of all zones or nodes: an array of longs, in the order of an enum.  -1: unknown. */
static int64_t count_pages(const struct inq_machine *m, const char *array, const char *of,
			   const char *item)
{
	struct inq_type t;
	uint64_t at = 0, nr = 0, v = 0;

	if (inq_var(m, array, &at, &t, NULL) || inq_enum_value(m, of, item, &nr, NULL) ||
	    nr > 1024 || inq_read_u64(m, at + 8 * nr, &v, NULL))
		return -1;
	return (int64_t)v < 0 ? 0 : (int64_t)v; /* what CPUs have not yet counted may be more */
}

static struct inq_value pages(int64_t nr)
{
	return nr < 0 ? INQ_V_NULL : INQ_V_INT(nr * PAGE);
}

static struct inq_value node_pages(const struct inq_machine *m, const char *item)
{
	return pages(count_pages(m, "vm_node_stat", "node_stat_item", item));
}

static struct inq_value slab_pages(const struct inq_machine *m)
{
	int64_t a = count_pages(m, "vm_node_stat", "node_stat_item", "NR_SLAB_RECLAIMABLE_B");
	int64_t b = count_pages(m, "vm_node_stat", "node_stat_item", "NR_SLAB_UNRECLAIMABLE_B");

	return a < 0 || b < 0 ? INQ_V_NULL : pages(a + b);
}

#define PANIC "Kernel panic - not syncing: "
static enum inq_status on_record(void *ctx, const struct log_record *r, struct inq_err *err)
{
	struct facts *f = ctx;
	size_t skip = sizeof(PANIC) - 1;

	(void)err;
	if (!*f->panic && r->n > skip && !memcmp(r->text, PANIC, skip))
		linux_log_text(r->text + skip, r->n - skip, f->panic, sizeof(f->panic));
	return INQ_OK;
}

/* What of the log is lost is a gap of table log. */
static enum inq_status on_gap(void *ctx, uint64_t addr, uint64_t length, const struct inq_err *why,
			      struct inq_err *err)
{
	(void)ctx;
	(void)addr;
	(void)length;
	(void)why;
	(void)err;
	return INQ_OK;
}

static enum inq_status find_panic(struct facts *f, struct inq_err *err)
{
	const struct log_sink sink = {on_record, on_gap, f};

	return linux_log_each(f->m, &sink, err);
}

static struct inq_value var_or_null(const struct inq_machine *m, const char *name, uint32_t width)
{
	uint64_t v = 0;

	return linux_var(m, name, width, &v, NULL) ? INQ_V_NULL : INQ_V_INT(v);
}

/* PANIC_CPU_INVALID is -1. */
static struct inq_value panic_cpu(const struct inq_machine *m)
{
	struct inq_value v = var_or_null(m, "panic_cpu", 4);

	return (int32_t)v.i == -1 ? INQ_V_NULL : v;
}

static enum inq_status put(const struct facts *f, struct inq_err *err)
{
	const struct inq_machine *m = f->m;
	struct inq_value load[3];
	uint64_t total = 0;
	bool has_total = !linux_var(m, "_totalram_pages", 8, &total, NULL);

	for (int i = 0; i < 3; i++)
		load[i] = f->has_load ? INQ_V_INT(f->load[i]) : INQ_V_NULL;
	return INQ_ROW(f->out, err, INQ_V_INT(0), v_text(f->release), v_text(f->version),
		       v_text(f->nodename), v_text(f->domain),
		       f->has_cmdline ? INQ_V_TEXT(f->cmdline) : INQ_V_NULL,
		       f->has_time ? INQ_V_INT(f->t_ns) : INQ_V_NULL,
		       f->has_time ? INQ_V_INT(f->uptime_ns) : INQ_V_NULL,
		       f->has_time ? INQ_V_INT(f->t_ns - f->uptime_ns) : INQ_V_NULL,
		       var_or_null(m, "jiffies_64", 8), load[0], load[1], load[2],
		       has_total ? pages((int64_t)total) : INQ_V_NULL,
		       pages(count_pages(m, "vm_zone_stat", "zone_stat_item", "NR_FREE_PAGES")),
		       node_pages(m, "NR_FILE_PAGES"), node_pages(m, "NR_ANON_MAPPED"),
		       slab_pages(m), f->has_taints ? INQ_V_TEXT(f->taints) : INQ_V_NULL,
		       f->has_taints ? INQ_V_INT(f->taint_mask) : INQ_V_NULL, v_text(f->panic),
		       panic_cpu(m));
}

static enum inq_status run(const struct inq_machine *m, struct inq_sink *out, struct inq_err *err)
{
	static enum inq_status (*const find[])(struct facts * f, struct inq_err * err) = {
		find_uts, find_cmdline, find_time, find_load, find_taints, find_panic};
	struct facts f = {.m = m, .out = out};
	bool go = false;

	enum inq_status st = linux_start(m, out, &go, err);
	if (st || !go)
		return st;
	for (size_t i = 0; !st && i < sizeof(find) / sizeof(*find); i++) {
		struct inq_err why = {0};
		if (find[i](&f, &why))
			st = linux_gap(m, out, 0, 0, &why, err);
	}
	return st ? st : put(&f, err);
}

const struct inq_collector collect_sysinfo = {
	.table = "sysinfo",
	.doc = "the system as a whole: names, times, load, memory, taints, its panic",
	.cols = cols,
	.nr_keys = 1,
	.run = run,
};
