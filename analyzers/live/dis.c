/*
 * Code at an address, instruction by instruction.  What is no instruction is a byte of its own,
 * what cannot be read is passed over: code may go on behind it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "analyzers/live/table.h"
#include "arch/x86_64/insn.h"

enum { PAGE = 4096, DEFAULT_INSNS = 24 };
enum { ARG_SPACE, ARG_ADDR, ARG_N, ARG_BITS };
enum { COL_ADDR, COL_LEN, COL_STATE, COL_BYTES, COL_TEXT, COL_TARGET };

static const struct live_column cols[] = {
	{"addr", "INTEGER", "address in the space"},
	{"len", "INTEGER", "bytes"},
	{"state", "TEXT", "insn, bad (no instruction), absent (not dumped), fault (not mapped)"},
	{"bytes", "TEXT", "its bytes in hexadecimal; NULL unless known"},
	{"text", "TEXT", "disassembly, Intel syntax; or why there is none"},
	{"target", "INTEGER", "where a jump or call leads that says so itself; else NULL"},
	{0},
};
static const struct live_column args[] = {
	{"space", "", "the space"},
	{"start", "", "the first address"},
	{"n", "", "rows; 24 when not given"},
	{"bits", "", "16, 32 or 64; when not given, as the CPU whose space it is runs"},
	{0},
};

struct state {
	struct machine_where where;
	const struct inq_machine *m;
	enum x86_64_mode mode;
	uint64_t at;
	int64_t left;
	uint64_t addr, len; /* the row */
	const char *state;
	struct x86_64_insn insn;
	struct inq_err err;
};

/* Code of a process is what its tables are for; without any, what the CPUs run. */
static enum x86_64_mode mode_of(const struct inq_machine *m, const struct machine_where *w)
{
	const struct paging_space *ps = paging_space_of(w->space);
	enum x86_64_mode mode = w->cpu ? x86_64_mode_of(&w->cpu->regs) : X86_64_MODE_UNKNOWN;

	for (uint32_t i = 0; !ps && mode == X86_64_MODE_UNKNOWN && i < m->nr_cpus; i++)
		if (m->cpus[i].phys == w->space)
			mode = x86_64_mode_of(&m->cpus[i].regs);
	if (mode == X86_64_MODE_UNKNOWN && ps && ps->mode.levels && ps->mode.levels < 4)
		mode = X86_64_MODE_PROT32;
	return mode == X86_64_MODE_UNKNOWN ? X86_64_MODE_LONG : mode;
}

static enum inq_status mode_given(sqlite3_int64 bits, enum x86_64_mode *ret, struct inq_err *err)
{
	*ret = bits == 64 ? X86_64_MODE_LONG : bits == 32 ? X86_64_MODE_PROT32 : X86_64_MODE_PROT16;
	return bits == 16 || bits == 32 || bits == 64
		       ? INQ_OK
		       : inq_fail(err, INQ_EUSAGE, "code has 16, 32 or 64 bits");
}

static enum inq_status open_code(const struct live_call *call, void *state, struct inq_err *err)
{
	struct state *s = state;
	enum inq_status st = live_space(call->m, call->arg[ARG_SPACE], &s->where, err);

	if (!st)
		st = live_addr(&s->where, call->arg[ARG_ADDR], &s->at, err);
	if (st)
		return st;
	s->m = call->m;
	s->left = call->arg[ARG_N] ? sqlite3_value_int64(call->arg[ARG_N]) : DEFAULT_INSNS;
	s->mode = mode_of(s->m, &s->where);
	return call->arg[ARG_BITS]
		       ? mode_given(sqlite3_value_int64(call->arg[ARG_BITS]), &s->mode, err)
		       : INQ_OK;
}

/* As many bytes as can be read, an instruction's at most, none behind the last address. */
static enum inq_status fetch(struct state *s, uint8_t *buf, size_t *ret_n)
{
	size_t n = X86_64_INSN_MAX;

	if (UINT64_MAX - s->at < n - 1)
		n = (size_t)(UINT64_MAX - s->at) + 1;
	enum inq_status st = inq_read(s->where.space, s->at, buf, n, &s->err);
	if (st && s->err.addr - s->at < n && s->err.addr != s->at) {
		n = (size_t)(s->err.addr - s->at);
		st = inq_read(s->where.space, s->at, buf, n, &s->err);
	}
	*ret_n = n;
	return st;
}

static void decode(struct state *s)
{
	uint8_t buf[X86_64_INSN_MAX];
	size_t n = 0;
	enum inq_status st = fetch(s, buf, &n);

	s->state = "insn";
	if (st) {
		s->state = inq_status_name(st);
		s->len = PAGE - s->at % PAGE;
	} else if (x86_64_insn_decode(s->mode, s->at, buf, n, &s->insn, &s->err)) {
		s->state = "bad";
		s->len = 1;
		s->insn.bytes[0] = buf[0];
	} else {
		s->len = s->insn.len;
	}
}

static enum inq_status next_insn(void *state, bool *ret_more, struct inq_err *err)
{
	struct state *s = state;

	(void)err;
	*ret_more = s->left > 0;
	if (!*ret_more)
		return INQ_OK;
	s->left--;
	decode(s);
	s->addr = s->at;
	s->at += s->len;
	if (s->at < s->addr)
		s->left = 0; /* the last address there is */
	return INQ_OK;
}

static bool is_known(const struct state *s)
{
	return !strcmp(s->state, "insn") || !strcmp(s->state, "bad");
}

static void put_bytes(const struct state *s, sqlite3_context *ctx)
{
	char hex[2 * X86_64_INSN_MAX + 1];

	for (size_t i = 0; i < s->len; i++)
		snprintf(hex + 2 * i, 3, "%02x", s->insn.bytes[i]);
	sqlite3_result_text(ctx, hex, (int)(2 * s->len), SQLITE_TRANSIENT);
}

static void put_column(const void *state, int col, sqlite3_context *ctx)
{
	const struct state *s = state;

	if (col == COL_ADDR)
		sqlite3_result_int64(ctx, (sqlite3_int64)s->addr);
	else if (col == COL_LEN)
		sqlite3_result_int64(ctx, (sqlite3_int64)s->len);
	else if (col == COL_STATE)
		sqlite3_result_text(ctx, s->state, -1, SQLITE_STATIC);
	else if (col == COL_BYTES && is_known(s))
		put_bytes(s, ctx);
	else if (col == COL_TARGET && !strcmp(s->state, "insn") && s->insn.target)
		sqlite3_result_int64(ctx, (sqlite3_int64)s->insn.target);
	else if (col == COL_TEXT)
		sqlite3_result_text(ctx,
				    !strcmp(s->state, "insn")  ? s->insn.text
				    : !strcmp(s->state, "bad") ? "(bad)"
							       : s->err.msg,
				    -1, SQLITE_TRANSIENT);
}

const struct live_table live_dis = {
	.doc = {.name = "dis",
		.doc = "code at an address, one instruction to a row",
		.cols = cols,
		.args = args,
		.nr_needed = 2},
	.state_bytes = sizeof(struct state),
	.open = open_code,
	.next = next_insn,
	.column = put_column,
};
