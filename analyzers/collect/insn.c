/*
 * Code around RIP, decoded.  Behind RIP it is what the CPU would see; before RIP it is found by
 * trial, since x86 code cannot be read backwards: the farthest start from which decoding meets RIP,
 * or the loop's own first instruction.
 */
#include <stdio.h>
#include <string.h>

#include "analyzers/code.h"
#include "analyzers/collect/collectors.h"
#include "analyzers/collect/values.h"
#include "analyzers/loopscan.h"

enum { AHEAD = 24, BEHIND_BYTES = 48, LOOP_BYTES = 512, INSNS = 256 };

static const struct inq_column cols[] = {
	COLS_OF_CPU,
	{"addr", INQ_ADDR, "linear address"},
	{"nr", INQ_INT, "0 at RIP; negative before it, where decoding is by trial"},
	{"len", INQ_INT, "bytes"},
	{"bytes", INQ_TEXT, "its bytes in hexadecimal"},
	{"text", INQ_TEXT, "disassembly, Intel syntax"},
	{"is_rip", INQ_INT, "1: the CPU is about to execute it"},
	{"in_loop", INQ_INT, "1: part of the loop that the CPU is in, see loop"},
	{"mem_addr", INQ_ADDR, "linear address of its memory operand, where the registers tell"},
	{0},
};

struct listing {
	struct x86_64_insn insn[INSNS];
	int nr;
	int at_rip; /* index, once it was reached */
};

static uint64_t rip_of(const struct inq_cpu *cpu)
{
	return cpu->regs.v[X86_64_RIP];
}

/* Decode from start until rip is met exactly.  False when it is not, or bytes are no code. */
static bool list_until(const struct inq_cpu *cpu, uint64_t start, uint64_t rip, struct listing *l)
{
	struct inq_err err;

	for (l->nr = 0; start < rip && l->nr < INSNS - AHEAD; start += l->insn[l->nr++].len)
		if (code_fetch(cpu, start, &l->insn[l->nr], &err))
			return false;
	l->at_rip = l->nr;
	return start == rip;
}

static void list_before(const struct inq_cpu *cpu, const struct loop *loop, struct listing *l)
{
	uint64_t rip = rip_of(cpu);

	if (loop->kind != LOOP_NONE && loop->first < rip && rip - loop->first <= LOOP_BYTES &&
	    list_until(cpu, loop->first, rip, l))
		return;
	for (uint64_t back = rip < BEHIND_BYTES ? rip : BEHIND_BYTES; back; back--)
		if (list_until(cpu, rip - back, rip, l))
			return;
	l->nr = l->at_rip = 0;
}

static enum inq_status list_ahead(const struct inq_cpu *cpu, const struct loop *loop,
				  struct listing *l, struct inq_err *err)
{
	uint64_t at = rip_of(cpu), end = at;
	enum inq_status st = INQ_OK;

	if (loop->kind != LOOP_NONE && loop->last > at && loop->last - at <= LOOP_BYTES)
		end = loop->last;
	for (int n = 0; !st && l->nr < INSNS && (n < AHEAD || at <= end); n++) {
		st = code_fetch(cpu, at, &l->insn[l->nr], err);
		if (!st)
			at += l->insn[l->nr++].len;
	}
	return st;
}

static bool in_loop(const struct loop *loop, uint64_t rip)
{
	for (int i = 0; i < loop->nr_insns; i++)
		if (loop->insn[i].rip == rip)
			return true;
	return false;
}

static struct inq_value mem_addr(const struct inq_cpu *cpu, const struct loop *loop,
				 const struct x86_64_insn *in)
{
	struct eval e;
	struct eval_state s;
	uint64_t linear = 0;

	for (int i = 0; i < loop->nr_gates; i++)
		if (loop->gate[i].load.rip == in->rip)
			return INQ_V_ADDR(loop->gate[i].load.linear);
	if (in->rip != rip_of(cpu) || !eval_begin(&e, cpu, &s))
		return INQ_V_NULL;
	for (int i = 0; i < in->nr_ops; i++)
		if (in->op[i].kind == X86_64_OP_MEM && !in->op[i].agen &&
		    eval_address(&e, &s, &in->op[i], in, &linear))
			return INQ_V_ADDR(linear);
	return INQ_V_NULL;
}

static enum inq_status emit(const struct inq_machine *m, const struct inq_cpu *cpu,
			    const struct loop *loop, const struct listing *l, struct inq_sink *out,
			    struct inq_err *err)
{
	enum x86_64_mode mode = x86_64_mode_of(&cpu->regs);
	uint64_t base = mode == X86_64_MODE_LONG ? 0 : cpu->regs.v[X86_64_CS_BASE];
	enum inq_status st = INQ_OK;

	for (int i = 0; !st && i < l->nr; i++) {
		const struct x86_64_insn *in = &l->insn[i];
		char hex[2 * X86_64_INSN_MAX + 1] = "";
		for (size_t k = 0; k < in->len; k++)
			snprintf(hex + 2 * k, 3, "%02x", in->bytes[k]);
		st = INQ_ROW(out, err, INQ_V_INT(m->sample.sample_id), INQ_V_INT(cpu->index),
			     INQ_V_ADDR(code_linear(cpu, mode, base, in->rip)),
			     INQ_V_INT(i - l->at_rip), INQ_V_INT(in->len), INQ_V_TEXT(hex),
			     INQ_V_TEXT(in->text), INQ_V_INT(i == l->at_rip),
			     INQ_V_INT(in_loop(loop, in->rip)), mem_addr(cpu, loop, in));
	}
	return st;
}

static enum inq_status of_cpu(const struct inq_machine *m, const struct inq_cpu *cpu,
			      struct inq_sink *out, struct inq_err *err)
{
	struct listing l = {.nr = 0};
	struct loop loop;
	struct inq_err why = {0};

	if (loop_scan(cpu, &loop, &why))
		memset(&loop, 0, sizeof(loop));
	if (!inq_reg_known(&cpu->regs, X86_64_RIP)) {
		inq_fail(&why, INQ_EABSENT, "cpu %u: rip is unknown", (unsigned int)cpu->index);
		return inq_gap(out, NULL, 0, 0, &why, err);
	}
	list_before(cpu, &loop, &l);
	enum inq_status st = list_ahead(cpu, &loop, &l, &why);
	if (st == INQ_EUNSUPPORTED) /* the mode is unknown, and so is what the bytes mean */
		why.status = st = INQ_EABSENT;
	if (st == INQ_ECORRUPT && l.nr > l.at_rip)
		st = INQ_OK; /* no code any more, which is seen, not missing */
	if (l.nr > l.at_rip) {
		enum inq_status sent = emit(m, cpu, &loop, &l, out, err);
		if (sent)
			return sent;
	}
	if (!st)
		return INQ_OK;
	return cpu->virt ? inq_gap(out, cpu->virt, rip_of(cpu), 1, &why, err)
			 : inq_gap(out, NULL, 0, 0, &why, err);
}

static enum inq_status run(const struct inq_machine *m, struct inq_sink *out, struct inq_err *err)
{
	return each_cpu(m, out, of_cpu, err);
}

const struct inq_collector collect_insn = {
	.table = "insn",
	.doc = "code around every CPU's RIP, with its loop marked",
	.cols = cols,
	.nr_keys = 3,
	.run = run,
};
