/* The loop engine's findings as rows of four tables.  Facts only: what is wrong, the rules say. */
#include "analyzers/loopscan.h"

#include <stdio.h>
#include <string.h>

#include "analyzers/code.h"
#include "analyzers/collect/collectors.h"
#include "analyzers/collect/values.h"
#include "analyzers/writers.h"

static const struct inq_column loop_cols[] = {
	COLS_OF_CPU,
	{"first", INQ_ADDR, "linear address of the loop's first byte"},
	{"last", INQ_ADDR, "linear address of its last byte"},
	{"head", INQ_ADDR, "linear address where a pass begins"},
	{"kind", INQ_TEXT,
	 "closed: repeats for ever unless memory changes, proved by running it; polling: the same,"
	 " on a device; bounded: reads the time; open: leaves, or makes progress"},
	{"nr_insns", INQ_INT, "instructions in it"},
	{"nr_gates", INQ_INT, "loads that decide whether it ends; 0 of a closed one: nothing can"},
	{"intr_flag", INQ_INT, "1: interrupts may break into it"},
	{"smm", INQ_INT, "1: it runs in system-management mode"},
	{"text", INQ_TEXT, "why it is not closed"},
	{0},
};

static const struct inq_column insn_cols[] = {
	COLS_OF_CPU,
	{"nr", INQ_INT, "order of execution, from 0"},
	{"addr", INQ_ADDR, "linear address"},
	{"bytes", INQ_TEXT, "its bytes in hexadecimal"},
	{"text", INQ_TEXT, "disassembly"},
	{"role", INQ_TEXT, "gate: loads what decides; exit: would leave; back: leads to the head"},
	{"target", INQ_ADDR, "linear address that a jump leads to; NULL: no jump"},
	{"exit_to", INQ_ADDR, "linear address outside the loop that it would lead to; NULL: none"},
	{0},
};

static const struct inq_column gate_cols[] = {
	COLS_OF_CPU,
	{"nr", INQ_INT, "from 0"},
	{"insn_addr", INQ_ADDR, "linear address of the instruction that loads it"},
	{"linear", INQ_ADDR, "linear address of the word"},
	{"phys", INQ_ADDR, "its guest-physical address"},
	{"space", INQ_TEXT, "phys, or smm where only a CPU in SMM sees that memory"},
	{"bytes", INQ_INT, "how wide the load is"},
	{"value", INQ_ADDR, "what it holds; NULL: a device, no dump knows"},
	{"exit_cond", INQ_TEXT, "what must hold for the loop to end; NULL: not simply said"},
	{"exit_value", INQ_ADDR, "a value with which the loop was seen to end, by running it"},
	{"class", INQ_TEXT, "private: on the CPU's own stack; shared: other memory; device"},
	{"nr_writers", INQ_INT, "stores to it found in code of others, see gate_writer"},
	{"insn", INQ_TEXT, "disassembly of the load"},
	{0},
};

static const struct inq_column writer_cols[] = {
	COLS_OF_CPU,
	{"nr", INQ_INT, "number of the gate, see loop_gate"},
	{"by_cpu", INQ_INT, "the CPU whose code writes it; the waiting one: a handler of its own"},
	{"insn_addr", INQ_ADDR, "linear address of the store"},
	{"text", INQ_TEXT, "its disassembly"},
	{"how", INQ_TEXT, "executed: on the path it takes now; reachable: on another from there"},
	{0},
};

static uint64_t linear_of(const struct inq_cpu *cpu, uint64_t rip)
{
	enum x86_64_mode mode = x86_64_mode_of(&cpu->regs);
	uint64_t base = mode == X86_64_MODE_LONG ? 0 : cpu->regs.v[X86_64_CS_BASE];

	return code_linear(cpu, mode, base, rip);
}

static struct inq_value target_of(const struct inq_cpu *cpu, const struct x86_64_insn *in)
{
	bool jumps = in->cls == X86_64_CLASS_JMP || in->cls == X86_64_CLASS_JCC;

	return jumps ? INQ_V_ADDR(linear_of(cpu, in->target)) : INQ_V_NULL;
}

static bool holds(const struct loop *l, uint64_t rip)
{
	for (int i = 0; i < l->nr_insns; i++)
		if (l->insn[i].rip == rip)
			return true;
	return false;
}

/* Of the two ways that a branch may go, the one that leaves the loop. */
static struct inq_value exit_of(const struct inq_cpu *cpu, const struct loop *l,
				const struct x86_64_insn *in)
{
	if (in->cls != X86_64_CLASS_JCC)
		return INQ_V_NULL;
	if (!holds(l, in->target))
		return INQ_V_ADDR(linear_of(cpu, in->target));
	return holds(l, in->rip + in->len) ? INQ_V_NULL
					   : INQ_V_ADDR(linear_of(cpu, in->rip + in->len));
}

static void hex_of(const struct x86_64_insn *in, char buf[2 * X86_64_INSN_MAX + 1])
{
	buf[0] = '\0';
	for (size_t i = 0; i < in->len; i++)
		snprintf(buf + 2 * i, 3, "%02x", in->bytes[i]);
}

/* What a run of a collector finds out once. */
struct findings {
	struct writers *writers; /* NULL until a gate asks */
};

typedef enum inq_status rows_fn(const struct inq_machine *m, const struct inq_cpu *cpu,
				const struct loop *l, struct findings *found, struct inq_sink *out,
				struct inq_err *err);

/* Scan every CPU; one whose code cannot be read is a gap. */
static enum inq_status scan_all(const struct inq_machine *m, struct inq_sink *out, rows_fn *rows,
				struct findings *found, struct inq_err *err)
{
	struct loop l;

	for (uint32_t i = 0; i < m->nr_cpus; i++) {
		const struct inq_cpu *cpu = &m->cpus[i];
		struct inq_err why = {0};
		uint64_t at = 0;
		enum inq_status st = loop_scan(cpu, &l, &why);
		if (st == INQ_EUNSUPPORTED) /* its registers are unknown: so are its loops */
			why.status = st = INQ_EABSENT;
		if (st) {
			st = cpu->virt && x86_64_linear_rip(&cpu->regs, &at)
				     ? inq_gap(out, cpu->virt, at, 1, &why, err)
				     : inq_gap(out, NULL, 0, 0, &why, err);
		} else if (l.kind != LOOP_NONE) {
			st = rows(m, cpu, &l, found, out, err);
		}
		if (st)
			return st;
	}
	return INQ_OK;
}

static enum inq_status each_loop(const struct inq_machine *m, struct inq_sink *out, rows_fn *rows,
				 struct inq_err *err)
{
	struct findings found = {0};
	enum inq_status st = scan_all(m, out, rows, &found, err);

	writers_destroy(found.writers);
	return st;
}

/* Stores to the gate by others. */
static enum inq_status writers_of(const struct inq_machine *m, const struct inq_cpu *cpu,
				  const struct loop_gate *g, struct findings *found,
				  struct writer w[WRITERS_MAX], int *ret_nr, struct inq_err *err)
{
	enum inq_status st = found->writers ? INQ_OK : writers_create(m, &found->writers, err);

	if (!st)
		*ret_nr = writers_find(found->writers, cpu, g->load.space, g->load.phys,
				       g->load.bytes, w);
	return st;
}

static enum inq_status loop_row(const struct inq_machine *m, const struct inq_cpu *cpu,
				const struct loop *l, struct findings *found, struct inq_sink *out,
				struct inq_err *err)
{
	(void)found;
	return INQ_ROW(out, err, INQ_V_INT(m->sample.sample_id), INQ_V_INT(cpu->index),
		       INQ_V_ADDR(linear_of(cpu, l->first)), INQ_V_ADDR(linear_of(cpu, l->last)),
		       INQ_V_ADDR(linear_of(cpu, l->head)), INQ_V_TEXT(loop_kind_name(l->kind)),
		       INQ_V_INT(l->nr_insns), INQ_V_INT(l->nr_gates), v_bit(cpu, X86_64_RFLAGS, 9),
		       v_int(cpu, X86_64_SMM), v_text(l->why));
}

static enum inq_status insn_rows(const struct inq_machine *m, const struct inq_cpu *cpu,
				 const struct loop *l, struct findings *found, struct inq_sink *out,
				 struct inq_err *err)
{
	char bytes[2 * X86_64_INSN_MAX + 1];
	enum inq_status st = INQ_OK;

	(void)found;
	for (int i = 0; !st && i < l->nr_insns; i++) {
		hex_of(&l->insn[i], bytes);
		st = INQ_ROW(out, err, INQ_V_INT(m->sample.sample_id), INQ_V_INT(cpu->index),
			     INQ_V_INT(i), INQ_V_ADDR(linear_of(cpu, l->insn[i].rip)),
			     INQ_V_TEXT(bytes), INQ_V_TEXT(l->insn[i].text),
			     v_text(loop_role_name(l->role[i])), target_of(cpu, &l->insn[i]),
			     exit_of(cpu, l, &l->insn[i]));
	}
	return st;
}

static const char *text_at(const struct loop *l, uint64_t rip)
{
	for (int i = 0; i < l->nr_insns; i++)
		if (l->insn[i].rip == rip)
			return l->insn[i].text;
	return NULL;
}

/* SMRAM has a space of its own; what the SMM view shares with all others is plain memory. */
static const char *space_of(const struct inq_machine *m, const struct eval_load *load)
{
	bool shared = load->device || eval_same_memory(load->space, m->dump->phys, load->phys);

	return shared ? m->dump->phys->name : load->space->name;
}

static enum inq_status gate_rows(const struct inq_machine *m, const struct inq_cpu *cpu,
				 const struct loop *l, struct findings *found, struct inq_sink *out,
				 struct inq_err *err)
{
	struct writer w[WRITERS_MAX];
	enum inq_status st = INQ_OK;

	for (int i = 0; !st && i < l->nr_gates; i++) {
		const struct loop_gate *g = &l->gate[i];
		int nr = 0;
		st = writers_of(m, cpu, g, found, w, &nr, err);
		if (st)
			return st;
		st = INQ_ROW(out, err, INQ_V_INT(m->sample.sample_id), INQ_V_INT(cpu->index),
			     INQ_V_INT(i), INQ_V_ADDR(linear_of(cpu, g->load.rip)),
			     INQ_V_ADDR(g->load.linear), INQ_V_ADDR(g->load.phys),
			     INQ_V_TEXT(space_of(m, &g->load)), INQ_V_INT(g->load.bytes),
			     g->load.known ? INQ_V_ADDR(g->load.value) : INQ_V_NULL,
			     v_text(g->cond),
			     g->exit_known ? INQ_V_ADDR(g->exit_value) : INQ_V_NULL,
			     INQ_V_TEXT(loop_gate_class_name(g->cls)), INQ_V_INT(nr),
			     v_text(text_at(l, g->load.rip)));
	}
	return st;
}

static enum inq_status writer_rows(const struct inq_machine *m, const struct inq_cpu *cpu,
				   const struct loop *l, struct findings *found,
				   struct inq_sink *out, struct inq_err *err)
{
	struct writer w[WRITERS_MAX];
	enum inq_status st = INQ_OK;

	for (int i = 0; !st && i < l->nr_gates; i++) {
		const struct loop_gate *g = &l->gate[i];
		int nr = 0;
		st = writers_of(m, cpu, g, found, w, &nr, err);
		for (int k = 0; !st && k < nr; k++)
			st = INQ_ROW(out, err, INQ_V_INT(m->sample.sample_id),
				     INQ_V_INT(cpu->index), INQ_V_INT(i), INQ_V_INT(w[k].cpu),
				     INQ_V_ADDR(linear_of(&m->cpus[w[k].cpu], w[k].insn.rip)),
				     INQ_V_TEXT(w[k].insn.text),
				     INQ_V_TEXT(w[k].executed ? "executed" : "reachable"));
	}
	return st;
}

static enum inq_status run_loop(const struct inq_machine *m, struct inq_sink *out,
				struct inq_err *err)
{
	return each_loop(m, out, loop_row, err);
}

static enum inq_status run_insn(const struct inq_machine *m, struct inq_sink *out,
				struct inq_err *err)
{
	return each_loop(m, out, insn_rows, err);
}

static enum inq_status run_gate(const struct inq_machine *m, struct inq_sink *out,
				struct inq_err *err)
{
	return each_loop(m, out, gate_rows, err);
}

static enum inq_status run_writer(const struct inq_machine *m, struct inq_sink *out,
				  struct inq_err *err)
{
	return each_loop(m, out, writer_rows, err);
}

const struct inq_collector collect_loop = {
	.table = "loop",
	.doc = "the loop that each CPU is in, if any",
	.cols = loop_cols,
	.nr_keys = 2,
	.run = run_loop,
};

const struct inq_collector collect_loop_insn = {
	.table = "loop_insn",
	.doc = "the instructions of those loops",
	.cols = insn_cols,
	.nr_keys = 3,
	.run = run_insn,
};

const struct inq_collector collect_loop_gate = {
	.table = "loop_gate",
	.doc = "what those loops wait for, with values",
	.cols = gate_cols,
	.nr_keys = 3,
	.run = run_gate,
};

const struct inq_collector collect_gate_writer = {
	.table = "gate_writer",
	.doc = "code of other CPUs that writes what a loop waits for",
	.cols = writer_cols,
	.nr_keys = 5,
	.run = run_writer,
};
