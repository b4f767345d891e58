/*
 * Knows how a rule becomes the caller's registers, and where saved ones lie.  Sources: Linux
 * arch/x86/include/asm/ptrace.h (struct pt_regs), arch/x86/kernel/unwind_orc.c
 * (unwind_next_frame); SDM vol. 3, 6.14.2; System V ABI for AMD64, 3.2.
 */
#include "arch/x86_64/unwind.h"

#include <inttypes.h>
#include <string.h>

#include "arch/x86_64/insn.h"
#include "base/span.h"

_Static_assert((int)X86_64_RSP == (int)INQ_UNWIND_SP && (int)X86_64_RBP == (int)INQ_UNWIND_BP &&
		       (int)X86_64_R15 == (int)INQ_UNWIND_REGS_NR - 1,
	       "regs.def numbers the general registers as instructions do");

void x86_64_frame_of(const struct inq_regset *rs, struct x86_64_frame *ret)
{
	*ret = (struct x86_64_frame){.exact = true};
	for (unsigned int r = 0; r < X86_64_UNWIND_NR; r++)
		if (inq_reg_known(rs, r))
			x86_64_frame_set(ret, r, rs->v[r]);
	if (inq_reg_known(rs, X86_64_CS_SEL))
		ret->cs = (uint16_t)rs->v[X86_64_CS_SEL];
}

static enum inq_status word_at(const struct x86_64_memory *mem, uint64_t addr, uint64_t *ret,
			       struct inq_err *err)
{
	uint8_t p[8];
	enum inq_status st = mem->read(mem->ctx, addr, p, sizeof(p), err);

	if (st)
		return st;
	struct span s = span_of(p, sizeof(p));
	*ret = span_u64le(&s);
	return INQ_OK;
}

static enum inq_status need(const struct x86_64_frame *f, unsigned int r, struct inq_err *err)
{
	return x86_64_frame_known(f, r) ? INQ_OK
					: inq_fail(err, INQ_EABSENT, "%s is not known here",
						   x86_64_reg_info[r].name);
}

/* RIP, CS, RFLAGS, RSP, SS. */
static void take_iret(struct span *s, struct x86_64_frame *ret)
{
	x86_64_frame_set(ret, X86_64_RIP, span_u64le(s));
	ret->cs = (uint16_t)span_u64le(s);
	x86_64_frame_set(ret, X86_64_RFLAGS, span_u64le(s));
	x86_64_frame_set(ret, X86_64_RSP, span_u64le(s));
	ret->exact = true;
}

enum inq_status x86_64_frame_pt_regs(const struct x86_64_memory *mem, uint64_t at,
				     struct x86_64_frame *ret, struct inq_err *err)
{
	static const uint8_t order[] = {X86_64_R15, X86_64_R14, X86_64_R13, X86_64_R12, X86_64_RBP,
					X86_64_RBX, X86_64_R11, X86_64_R10, X86_64_R9,  X86_64_R8,
					X86_64_RAX, X86_64_RCX, X86_64_RDX, X86_64_RSI, X86_64_RDI};
	uint8_t p[X86_64_PT_REGS];
	enum inq_status st = mem->read(mem->ctx, at, p, sizeof(p), err);

	if (st)
		return inq_wrap(err, st, "saved registers");
	struct span s = span_of(p, sizeof(p));
	*ret = (struct x86_64_frame){.has_regs = true, .regs_at = at};
	for (size_t i = 0; i < sizeof(order); i++)
		x86_64_frame_set(ret, order[i], span_u64le(&s));
	ret->orig_rax = span_u64le(&s);
	take_iret(&s, ret);
	return INQ_OK;
}

static enum inq_status by_iret(const struct x86_64_memory *mem, uint64_t at,
			       struct x86_64_frame *ret, struct inq_err *err)
{
	uint8_t p[X86_64_IRET_FRAME];
	enum inq_status st = mem->read(mem->ctx, at, p, sizeof(p), err);

	if (st)
		return inq_wrap(err, st, "the processor's frame");
	struct span s = span_of(p, sizeof(p));
	take_iret(&s, ret);
	return INQ_OK;
}

static enum inq_status by_call(const struct x86_64_memory *mem, uint64_t cfa,
			       struct x86_64_frame *ret, struct inq_err *err)
{
	uint64_t rip = 0;
	enum inq_status st = word_at(mem, cfa - 8, &rip, err);

	if (st)
		return inq_wrap(err, st, "return address");
	x86_64_frame_set(ret, X86_64_RIP, rip);
	x86_64_frame_set(ret, X86_64_RSP, cfa);
	return INQ_OK;
}

static enum inq_status frame_address(const struct x86_64_frame *now,
				     const struct inq_unwind_rule *rule,
				     const struct x86_64_memory *mem, uint64_t *ret,
				     struct inq_err *err)
{
	enum inq_status st = rule->reg < INQ_UNWIND_REGS_NR
				     ? need(now, rule->reg, err)
				     : inq_fail(err, INQ_ECORRUPT, "no register %u", rule->reg);

	if (st)
		return st;
	*ret = now->v[rule->reg] + (uint64_t)(int64_t)rule->off;
	if (!rule->deref)
		return INQ_OK;
	if ((st = word_at(mem, *ret, ret, err)))
		return inq_wrap(err, st, "frame address");
	*ret += (uint64_t)(int64_t)rule->off_behind;
	return INQ_OK;
}

/* Those that the rule tells of and the frame itself has not brought. */
static enum inq_status take_saved(const struct x86_64_frame *now,
				  const struct inq_unwind_rule *rule,
				  const struct x86_64_memory *mem, uint64_t cfa,
				  struct x86_64_frame *ret, struct inq_err *err)
{
	for (unsigned int r = 0; r < INQ_UNWIND_REGS_NR; r++) {
		enum inq_unwind_saved how = rule->saved[r].how;
		uint64_t at = cfa + (uint64_t)(int64_t)rule->saved[r].off, v = now->v[r];
		enum inq_status st = INQ_OK;
		if (how == INQ_UNWIND_LOST || r == INQ_UNWIND_SP || x86_64_frame_known(ret, r))
			continue;
		if (how != INQ_UNWIND_AT_CFA && !x86_64_frame_known(now, r))
			continue; /* it stays unknown */
		if (how == INQ_UNWIND_AT_SELF)
			at = now->v[r] + (uint64_t)(int64_t)rule->saved[r].off;
		if (how != INQ_UNWIND_SAME)
			st = word_at(mem, at, &v, err);
		if (st)
			return inq_wrap(err, st, "saved %s", x86_64_reg_info[r].name);
		x86_64_frame_set(ret, r, v);
	}
	return INQ_OK;
}

enum inq_status x86_64_unwind_rule(const struct x86_64_frame *now,
				   const struct inq_unwind_rule *rule,
				   const struct x86_64_memory *mem, struct x86_64_frame *ret,
				   struct inq_err *err)
{
	struct x86_64_frame up = {.exact = rule->interrupts};
	uint64_t cfa = 0;
	enum inq_status st;

	if (rule->kind == INQ_UNWIND_UNKNOWN || rule->kind == INQ_UNWIND_END)
		return inq_fail(err, INQ_ENOTFOUND, "nothing is known of who called");
	if ((st = frame_address(now, rule, mem, &cfa, err)))
		return st;
	st = rule->kind == INQ_UNWIND_REGS   ? x86_64_frame_pt_regs(mem, cfa, &up, err)
	     : rule->kind == INQ_UNWIND_IRET ? by_iret(mem, cfa, &up, err)
					     : by_call(mem, cfa, &up, err);
	if (!st)
		st = take_saved(now, rule, mem, cfa, &up, err);
	if (!st)
		*ret = up;
	return st;
}

enum inq_status x86_64_unwind_bp(const struct x86_64_frame *now, const struct x86_64_memory *mem,
				 struct x86_64_frame *ret, struct inq_err *err)
{
	struct x86_64_frame up = {0};
	uint64_t rbp = now->v[X86_64_RBP], saved = 0;
	enum inq_status st = need(now, X86_64_RBP, err);

	if (!st)
		st = need(now, X86_64_RSP, err);
	if (st)
		return st;
	if (rbp < now->v[X86_64_RSP] || rbp % 8)
		return inq_fail(err, INQ_ECORRUPT, "rbp 0x%" PRIx64 " is no frame pointer", rbp);
	st = word_at(mem, rbp, &saved, err);
	if (!st)
		st = by_call(mem, rbp + 16, &up, err);
	if (st)
		return inq_wrap(err, st, "frame pointer");
	if (!mem->is_code(mem->ctx, up.v[X86_64_RIP]) ||
	    !x86_64_is_behind_call(mem, up.v[X86_64_RIP]))
		return inq_fail(err, INQ_ECORRUPT,
				"rbp 0x%" PRIx64 " does not lead to a return address", rbp);
	x86_64_frame_set(&up, X86_64_RBP, saved);
	*ret = up;
	return INQ_OK;
}

/* E8, or FF /2 with its registers, displacements and prefixes. */
static bool may_call(const uint8_t *p, size_t len)
{
	size_t at = 0;

	while (at + 2 < len && (p[at] == 0x2e || p[at] == 0x3e || (p[at] & 0xf0) == 0x40))
		at++;
	return p[at] == 0xe8 ? len - at == 5 : p[at] == 0xff && (p[at + 1] >> 3 & 7) == 2;
}

bool x86_64_is_behind_call(const struct x86_64_memory *mem, uint64_t addr)
{
	enum { LONGEST = 8, SHORTEST = 2 };
	uint8_t p[LONGEST];
	struct x86_64_insn in;

	if (addr < LONGEST || mem->read(mem->ctx, addr - LONGEST, p, LONGEST, NULL))
		return false;
	for (size_t len = SHORTEST; len <= LONGEST; len++) {
		const uint8_t *at = p + LONGEST - len;
		if (may_call(at, len) &&
		    !x86_64_insn_decode(X86_64_MODE_LONG, addr - len, at, len, &in, NULL) &&
		    in.len == len &&
		    (in.cls == X86_64_CLASS_CALL || in.cls == X86_64_CLASS_INDIRECT))
			return true;
	}
	return false;
}

enum inq_status x86_64_unwind_scan(uint64_t from, uint64_t last, const struct x86_64_memory *mem,
				   struct x86_64_frame *ret, struct inq_err *err)
{
	uint64_t at = (from + 7) & ~UINT64_C(7);

	for (int i = 0; i < X86_64_SCAN_WORDS; i++, at += 8) {
		uint64_t word = 0;
		if (at < from || at > last || last - at < 7)
			break;
		enum inq_status st = word_at(mem, at, &word, err);
		if (st)
			return inq_wrap(err, st, "scan");
		if (!mem->is_code(mem->ctx, word) || !x86_64_is_behind_call(mem, word))
			continue;
		*ret = (struct x86_64_frame){0};
		x86_64_frame_set(ret, X86_64_RIP, word);
		x86_64_frame_set(ret, X86_64_RSP, at + 8);
		return INQ_OK;
	}
	return inq_fail(err, INQ_ENOTFOUND,
			"no return address between 0x%" PRIx64 " and 0x%" PRIx64, from, at);
}
