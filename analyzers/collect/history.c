/*
 * What else the producer kept of the time before the snapshot: the older twin, writes to watched
 * memory, lines of KVM's tracepoints.  Source: docs/snapshot-format.md, section 7.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/collect/collectors.h"
#include "analyzers/collect/history.h"
#include "analyzers/collect/values.h"
#include "base/span.h"

enum { MAX_WRITE_RECORD = 4096, MAX_LINE = 512 };
enum { MAX_SECONDS = 1u << 31 };

struct inq_value history_known(uint32_t flags, uint32_t flag, struct inq_value v)
{
	return flags & flag ? v : INQ_V_NULL;
}

struct inq_value history_smm(uint32_t flags)
{
	return history_known(flags, INQ_FLIGHT_SMM_KNOWN, INQ_V_INT(!!(flags & INQ_FLIGHT_SMM)));
}

enum inq_status history_damaged(const struct inq_machine *m, struct inq_sink *out, const char *what,
				struct inq_err *err)
{
	struct inq_err why;

	(void)inq_fail(&why, INQ_ECORRUPT, "%s", what);
	return inq_gap(out, m->dump->phys, 0, 0, &why, err);
}

/* Present, and the one that counts. */
static bool is_first(const struct inq_machine *m, const struct inq_blob *b, uint32_t sample,
		     uint32_t kind)
{
	return b->kind == kind && b->sample == sample && b->p &&
	       inq_dump_blob(m->dump, b->vcpu, sample, kind) == b;
}

enum inq_status history_each(const struct inq_machine *m, enum inq_snap_sample sample,
			     enum inq_snap_kind kind, history_blob_fn *rows, struct inq_sink *out,
			     struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	for (size_t i = 0; !st && !m->parent && i < m->dump->nr_blobs; i++)
		if (is_first(m, &m->dump->blobs[i], sample, kind))
			st = rows(m, &m->dump->blobs[i], out, err);
	return st;
}

static const struct inq_column twin_cols[] = {
	COLS_OF_CPU,
	{"t_ns", INQ_INT, "when, in ns of the host's CLOCK_MONOTONIC"},
	{"age_ns", INQ_INT, "from then to the snapshot, in ns"},
	{"lin_rip", INQ_ADDR, "linear instruction pointer"},
	{"smm", INQ_INT, "1: in system-management mode"},
	{"mp_state", INQ_INT, "KVM_MP_STATE_*"},
	{"nmi_masked", INQ_INT, "1: NMIs are blocked"},
	{"rip", INQ_ADDR, "instruction pointer, relative to cs_base"},
	{"cs_base", INQ_ADDR, "base of the code segment"},
	{"rsp", INQ_ADDR, "stack pointer"},
	{"rflags", INQ_INT, "flags"},
	{"cr0", INQ_INT, "control register 0"},
	{"cr2", INQ_ADDR, "address of the last page fault"},
	{"cr3", INQ_ADDR, "page-table root"},
	{"cr4", INQ_INT, "control register 4"},
	{"efer", INQ_INT, "extended features"},
	{0},
};

/* n bytes of a blob of the twin; unknown when it does not hold them. */
static struct inq_value field(const struct inq_machine *m, uint32_t vcpu, enum inq_snap_kind kind,
			      size_t off, size_t n, enum inq_kind as)
{
	const struct inq_blob *b = inq_dump_blob(m->dump, vcpu, INQ_SNAP_TWIN, kind);
	uint64_t v;

	if (!b || !b->p || !span_at(b->p, b->n, off, n, &v))
		return INQ_V_NULL;
	return (struct inq_value){.kind = as, .i = (int64_t)v};
}

static enum inq_status twin_of(const struct inq_machine *m, const struct inq_blob *b,
			       struct inq_sink *out, struct inq_err *err)
{
	enum { RSP = 48, RIP = 128, RFLAGS = 136, NMI_MASKED = 14 };
	enum { CS_BASE = 0, CR0 = 224, CR2 = 232, CR3 = 240, CR4 = 248, EFER = 264 };
	const enum inq_snap_kind R = INQ_SNAP_REGS, S = INQ_SNAP_SREGS;
	struct span s = span_of(b->p, b->n);
	uint64_t t = span_u64le(&s), rip = span_u64le(&s);
	uint32_t flags = span_u32le(&s), cpu = b->vcpu;

	if (b->vcpu == INQ_SNAP_VM || s.bad)
		return history_damaged(m, out, "the twin of a cpu is cut off", err);
	const struct inq_snap_header *h = m->dump->header;
	return INQ_ROW(out, err, INQ_V_INT(INQ_SNAP_TWIN), INQ_V_INT(cpu), INQ_V_INT(t),
		       h && h->t_monotonic_ns >= t ? INQ_V_INT(h->t_monotonic_ns - t) : INQ_V_NULL,
		       history_known(flags, INQ_FLIGHT_RIP, INQ_V_ADDR(rip)), history_smm(flags),
		       field(m, cpu, INQ_SNAP_MP_STATE, 0, 4, INQ_INT),
		       field(m, cpu, INQ_SNAP_EVENTS, NMI_MASKED, 1, INQ_INT),
		       field(m, cpu, R, RIP, 8, INQ_ADDR), field(m, cpu, S, CS_BASE, 8, INQ_ADDR),
		       field(m, cpu, R, RSP, 8, INQ_ADDR), field(m, cpu, R, RFLAGS, 8, INQ_INT),
		       field(m, cpu, S, CR0, 8, INQ_INT), field(m, cpu, S, CR2, 8, INQ_ADDR),
		       field(m, cpu, S, CR3, 8, INQ_ADDR), field(m, cpu, S, CR4, 8, INQ_INT),
		       field(m, cpu, S, EFER, 8, INQ_INT));
}

static enum inq_status run_twin(const struct inq_machine *m, struct inq_sink *out,
				struct inq_err *err)
{
	return history_each(m, INQ_SNAP_TWIN, INQ_SNAP_RIPS, twin_of, out, err);
}

const struct inq_collector collect_twin = {
	.table = "twin",
	.doc = "every CPU as a running sampler saw it some time before",
	.cols = twin_cols,
	.nr_keys = 2,
	.run = run_twin,
};

static const struct inq_column write_cols[] = {
	COLS_OF_CPU,
	{"nr", INQ_INT, "number of the write, from 0 over all CPUs; older ones are lost"},
	{"t_ns", INQ_INT, "when, in ns of the host's CLOCK_MONOTONIC"},
	{"phys", INQ_ADDR, "guest-physical address of the first byte"},
	{"size", INQ_INT, "bytes"},
	{"old", INQ_INT, "what was there before"},
	{"value", INQ_INT, "what was written"},
	{"rip", INQ_ADDR, "linear, behind the instruction that wrote"},
	{"smm", INQ_INT, "1: in system-management mode"},
	{"rsp", INQ_ADDR, "stack pointer, likewise"},
	{"cr3", INQ_ADDR, "page-table root"},
	{0},
};

static enum inq_status write_row(const struct inq_snap_write *w, struct inq_sink *out,
				 struct inq_err *err)
{
	enum { RSP = 6 };

	return INQ_ROW(
		out, err, INQ_V_INT(INQ_SNAP_NOW),
		INQ_V_INT(w->flags & INQ_WRITE_DEVICE ? -1 : (int64_t)w->vcpu), INQ_V_INT(w->nr),
		INQ_V_INT(w->t_ns), w->flags & INQ_WRITE_NO_PLACE ? INQ_V_NULL : INQ_V_ADDR(w->gpa),
		INQ_V_INT(w->size), w->flags & INQ_WRITE_NO_OLD ? INQ_V_NULL : INQ_V_INT(w->old),
		w->flags & INQ_WRITE_NO_PLACE ? INQ_V_NULL : INQ_V_INT(w->value),
		history_known(w->flags, INQ_FLIGHT_RIP, INQ_V_ADDR(w->rip)), history_smm(w->flags),
		history_known(w->flags, INQ_FLIGHT_RIP, INQ_V_ADDR(w->gpr[RSP])),
		history_known(w->flags, INQ_FLIGHT_RIP, INQ_V_ADDR(w->cr3)));
}

static struct inq_snap_write read_write(struct span s)
{
	struct inq_snap_write w = {.nr = span_u64le(&s), .t_ns = span_u64le(&s)};

	w.gpa = span_u64le(&s);
	w.old = span_u64le(&s);
	w.value = span_u64le(&s);
	w.rip = span_u64le(&s);
	for (size_t i = 0; i < 16; i++)
		w.gpr[i] = span_u64le(&s);
	w.rflags = span_u64le(&s);
	w.cr3 = span_u64le(&s);
	w.vcpu = span_u32le(&s);
	w.size = span_u32le(&s);
	w.flags = span_u32le(&s);
	return w;
}

static enum inq_status writes_of(const struct inq_machine *m, const struct inq_blob *b,
				 struct inq_sink *out, struct inq_err *err)
{
	struct span s = span_of(b->p, b->n);
	uint64_t first = span_u64le(&s);
	uint32_t count = span_u32le(&s), bytes = span_u32le(&s), ranges = span_u32le(&s);
	enum inq_status st = INQ_OK;

	span_skip(&s, sizeof(uint32_t));
	if (s.bad || bytes < sizeof(struct inq_snap_write) || bytes > MAX_WRITE_RECORD ||
	    ranges > s.left / sizeof(struct inq_snap_word))
		return history_damaged(m, out, "the log of writes has an absurd size", err);
	span_skip(&s, ranges * sizeof(struct inq_snap_word));
	for (uint32_t i = 0; i < count && !st; i++) {
		const uint8_t *at = span_take(&s, bytes);

		if (s.bad)
			return history_damaged(m, out, "the log of writes is cut off", err);
		struct inq_snap_write w = read_write(span_of(at, bytes));
		if (w.nr != first + i)
			return history_damaged(m, out, "the log of writes has a gap", err);
		st = write_row(&w, out, err);
	}
	return st;
}

static enum inq_status run_writes(const struct inq_machine *m, struct inq_sink *out,
				  struct inq_err *err)
{
	return history_each(m, INQ_SNAP_NOW, INQ_SNAP_WRITES, writes_of, out, err);
}

const struct inq_collector collect_write_log = {
	.table = "write_log",
	.doc = "the last writes to watched memory, by whom (cpu -1: a device)",
	.cols = write_cols,
	.nr_keys = 3,
	.run = run_writes,
};

static const struct inq_column trace_cols[] = {
	COLS_OF_CPU,
	{"nr", INQ_INT, "number of the line, from 0; older ones are lost"},
	{"t_ns", INQ_INT, "when, in ns of the host's CLOCK_MONOTONIC"},
	{"event", INQ_TEXT, "tracepoint of the host's KVM"},
	{"text", INQ_TEXT, "what it said"},
	{0},
};

/* "[CPU] FLAGS SECONDS: EVENT: TEXT"; false: it is not. */
static bool take_line(char *line, int64_t *ret_ns, const char **ret_event, const char **ret_text)
{
	char *at = strstr(line, "] "), *dot, *end;

	if (line[0] != '[' || !at || !(at = strchr(at + 2, ' ')))
		return false;
	unsigned long long s = strtoull(at, &dot, 10);
	if (*dot != '.' || s > MAX_SECONDS)
		return false;
	unsigned long long us = strtoull(dot + 1, &end, 10);
	if (end != dot + 7 || us >= 1000000 || strncmp(end, ": ", 2) != 0)
		return false;
	char *event = end + 2, *colon = strstr(event, ": ");
	if (!colon)
		return false;
	*colon = '\0';
	*ret_ns = (int64_t)(s * 1000000000u + us * 1000u);
	*ret_event = event;
	*ret_text = colon + 2;
	return true;
}

static enum inq_status trace_row(const struct inq_blob *b, int64_t nr, const uint8_t *p, size_t n,
				 struct inq_sink *out, struct inq_err *err)
{
	const char *event = NULL, *text;
	char line[MAX_LINE + 1];
	int64_t t = 0;

	n = n < MAX_LINE ? n : MAX_LINE;
	memcpy(line, p, n);
	line[n] = '\0';
	text = line;
	bool parsed = take_line(line, &t, &event, &text);
	return INQ_ROW(out, err, INQ_V_INT(INQ_SNAP_NOW), INQ_V_INT(b->vcpu), INQ_V_INT(nr),
		       parsed ? INQ_V_INT(t) : INQ_V_NULL, v_text(event), v_text(text));
}

static enum inq_status trace_of(const struct inq_machine *m, const struct inq_blob *b,
				struct inq_sink *out, struct inq_err *err)
{
	const uint8_t *at = b->p, *end = b->p + b->n;
	enum inq_status st = INQ_OK;

	(void)m;
	for (int64_t nr = 0; at < end && !st; nr++) {
		const uint8_t *nl = memchr(at, '\n', (size_t)(end - at));

		st = trace_row(b, nr, at, (size_t)((nl ? nl : end) - at), out, err);
		at = nl ? nl + 1 : end;
	}
	return st;
}

static enum inq_status run_trace(const struct inq_machine *m, struct inq_sink *out,
				 struct inq_err *err)
{
	return history_each(m, INQ_SNAP_NOW, INQ_SNAP_TRACE, trace_of, out, err);
}

const struct inq_collector collect_trace = {
	.table = "trace",
	.doc = "what the host's KVM said of each vCPU last, in its own words",
	.cols = trace_cols,
	.nr_keys = 3,
	.run = run_trace,
};
