/*
 * Single steps: the instruction that came next after each, and what it changed, which is what the
 * registers behind the following step differ in.  Source: docs/snapshot-format.md, section 7.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "analyzers/collect/collectors.h"
#include "analyzers/collect/history.h"
#include "analyzers/collect/values.h"
#include "arch/x86_64/insn.h"
#include "base/span.h"

static const struct inq_column cols[] = {
	COLS_OF_CPU,
	{"nr", INQ_INT, "number of the step, from 0"},
	{"rip", INQ_ADDR, "linear, of the instruction that came next"},
	{"smm", INQ_INT, "1: in system-management mode"},
	{"bytes", INQ_BLOB, "what lay there: that instruction and what follows it"},
	{"len", INQ_INT, "how many of them are the instruction"},
	{"text", INQ_TEXT, "its disassembly, Intel syntax"},
	{"changed", INQ_TEXT, "registers that the next step found changed, with their new values"},
	{0},
};

/* Of struct inq_snap_step_regs, in its order. */
static const enum x86_64_reg order[] = {
	X86_64_RAX, X86_64_RBX, X86_64_RCX,    X86_64_RDX, X86_64_RSI, X86_64_RDI, X86_64_RSP,
	X86_64_RBP, X86_64_R8,  X86_64_R9,     X86_64_R10, X86_64_R11, X86_64_R12, X86_64_R13,
	X86_64_R14, X86_64_R15, X86_64_RFLAGS, X86_64_CR0, X86_64_CR3, X86_64_CR4, X86_64_EFER,
};
enum { NR_ORDER = sizeof(order) / sizeof(*order), MAX_CHANGED = NR_ORDER * 26 };

/* Registers behind step nr; none known when the notes do not tell. */
static struct inq_regset regs_of(const struct inq_blob *regs, size_t nr)
{
	const size_t n = sizeof(struct inq_snap_step_regs);
	struct inq_regset rs = {0};

	if (!regs || nr >= regs->n / n)
		return rs;
	struct span s = span_of(regs->p + nr * n, n);
	struct inq_regset all = {0};
	for (size_t i = 0; i < NR_ORDER; i++)
		inq_reg_set(&all, order[i], span_u64le(&s));
	inq_reg_set(&all, X86_64_CS_BASE, span_u64le(&s));
	uint32_t flags = span_u32le(&s);
	inq_reg_set(&all, X86_64_CS_ATTR,
		    (flags & INQ_STEP_CS_L ? X86_64_SEG_L : 0) |
			    (flags & INQ_STEP_CS_D ? X86_64_SEG_DB : 0));
	return flags & INQ_STEP_KNOWN ? all : rs;
}

/* "rax=0x1 rflags=0x246"; NULL: it is not known which. */
static const char *changed(const struct inq_regset *from, const struct inq_regset *to,
			   char text[MAX_CHANGED])
{
	size_t at = 0;

	if (!inq_reg_known(from, X86_64_RAX) || !inq_reg_known(to, X86_64_RAX))
		return NULL;
	text[0] = '\0';
	for (size_t i = 0; i < NR_ORDER; i++)
		if (from->v[order[i]] != to->v[order[i]])
			at += (size_t)snprintf(text + at, MAX_CHANGED - at, "%s%s=0x%" PRIx64,
					       at ? " " : "", x86_64_reg_info[order[i]].name,
					       to->v[order[i]]);
	return text;
}

/* The instruction at a linear address; .len 0: it is not known, or is none. */
static struct x86_64_insn decode(const struct inq_regset *rs, uint64_t linear, const uint8_t *bytes,
				 uint32_t n)
{
	enum x86_64_mode mode = x86_64_mode_of(rs);
	uint64_t base = mode == X86_64_MODE_LONG ? 0 : rs->v[X86_64_CS_BASE];
	struct x86_64_insn in;
	struct inq_err err;

	if (x86_64_insn_decode(mode, linear - base, bytes, n, &in, &err))
		return (struct x86_64_insn){.len = 0};
	return in;
}

static enum inq_status row(const struct inq_blob *b, int64_t nr, const struct inq_blob *regs,
			   struct span s, struct inq_sink *out, struct inq_err *err)
{
	struct inq_regset now = regs_of(regs, (size_t)nr), then = regs_of(regs, (size_t)nr + 1);
	uint64_t rip = span_u64le(&s);
	uint32_t flags = span_u32le(&s), n = span_u32le(&s);
	const uint8_t *bytes = span_take(&s, 16);
	struct x86_64_insn in = {.len = 0};
	char text[MAX_CHANGED];

	n = n <= 16 ? n : 0; /* absurd: unknown */
	if (n && flags & INQ_FLIGHT_RIP)
		in = decode(&now, rip, bytes, n < X86_64_INSN_MAX ? n : X86_64_INSN_MAX);
	const char *what = changed(&now, &then, text);
	return INQ_ROW(
		out, err, INQ_V_INT(INQ_SNAP_NOW), INQ_V_INT(b->vcpu), INQ_V_INT(nr),
		history_known(flags, INQ_FLIGHT_RIP, INQ_V_ADDR(rip)), history_smm(flags),
		n ? INQ_V_BLOB(bytes, n) : INQ_V_NULL, in.len ? INQ_V_INT(in.len) : INQ_V_NULL,
		in.len ? INQ_V_TEXT(in.text) : INQ_V_NULL, what ? INQ_V_TEXT(what) : INQ_V_NULL);
}

static enum inq_status rows(const struct inq_machine *m, const struct inq_blob *b,
			    struct inq_sink *out, struct inq_err *err)
{
	const size_t step = sizeof(struct inq_snap_step), nr = b->n / step;
	const struct inq_blob *regs =
		inq_dump_blob(m->dump, b->vcpu, INQ_SNAP_NOW, INQ_SNAP_STEP_REGS);
	enum inq_status st = INQ_OK;

	regs = regs && regs->p ? regs : NULL;
	if (regs && regs->n != nr * sizeof(struct inq_snap_step_regs)) {
		regs = NULL; /* of which step would they be? */
		st = history_damaged(m, out, "registers of another number of single steps", err);
	}
	for (size_t i = 0; !st && i < nr; i++)
		st = row(b, (int64_t)i, regs, span_of(b->p + i * step, step), out, err);
	return st || b->n % step == 0 ? st : history_damaged(m, out, "half a single step", err);
}

static enum inq_status run(const struct inq_machine *m, struct inq_sink *out, struct inq_err *err)
{
	return history_each(m, INQ_SNAP_NOW, INQ_SNAP_STEPS, rows, out, err);
}

const struct inq_collector collect_step = {
	.table = "step",
	.doc = "single steps that a CPU was made to do before the snapshot",
	.cols = cols,
	.nr_keys = 3,
	.run = run,
};
