/*
 * Knows how an ORC entry is laid out, in all its forms, and tells them apart by what a table
 * consists of.  Sources: Linux arch/x86/include/asm/orc_types.h (struct orc_entry),
 * arch/x86/kernel/unwind_orc.c (__orc_find), scripts/sorttable.h.
 */
#include "symbols/orc.h"

#include <inttypes.h>

#include "base/span.h"

enum { IP_BYTES = 4, ENTRY_BYTES = 6, SAMPLES = 256 };

/* ORC_REG_* */
enum {
	REG_UNDEFINED,
	REG_PREV_SP,
	REG_DX,
	REG_DI,
	REG_BP,
	REG_SP,
	REG_R10,
	REG_R13,
	REG_BP_INDIRECT,
	REG_SP_INDIRECT,
};

/* sp_reg 3:0, bp_reg 7:4, type from 8 on: two bits, three in the later form.  Behind them signal
   (only Linux 6.3 on) and, in the earlier form, the end: bit 10 before 6.3, bit 11 in it. */
static unsigned type_of(enum symbols_orc_format f, unsigned bits)
{
	return bits >> 8 & (f == SYMBOLS_ORC_TYPE0 ? 3 : 7);
}

static bool base_of(unsigned sp_reg, int16_t off, struct inq_unwind_rule *r)
{
	static const uint8_t regs[] = {
		[REG_DX] = 2,   [REG_DI] = 7,   [REG_BP] = 5,          [REG_SP] = 4,
		[REG_R10] = 10, [REG_R13] = 13, [REG_BP_INDIRECT] = 5, [REG_SP_INDIRECT] = 4,
	};

	if (sp_reg < REG_DX || sp_reg >= sizeof(regs))
		return false;
	r->reg = regs[sp_reg];
	r->deref = sp_reg == REG_BP_INDIRECT || sp_reg == REG_SP_INDIRECT;
	/* SP_INDIRECT is (%rsp) + off since Linux 5.12; nothing used it before */
	r->off = sp_reg == REG_SP_INDIRECT ? 0 : off;
	r->off_behind = sp_reg == REG_SP_INDIRECT ? off : 0;
	return true;
}

static bool bp_of(unsigned bp_reg, int16_t off, struct inq_unwind_rule *r)
{
	r->saved[INQ_UNWIND_BP].off = off;
	r->saved[INQ_UNWIND_BP].how = bp_reg == REG_UNDEFINED ? INQ_UNWIND_SAME
				      : bp_reg == REG_PREV_SP ? INQ_UNWIND_AT_CFA
							      : INQ_UNWIND_AT_SELF;
	return bp_reg == REG_UNDEFINED || bp_reg == REG_PREV_SP || bp_reg == REG_BP;
}

static bool kind_of(enum symbols_orc_format f, unsigned bits, struct inq_unwind_rule *r)
{
	static const enum inq_unwind_kind kinds[] = {INQ_UNWIND_UNKNOWN, INQ_UNWIND_END,
						     INQ_UNWIND_CALL, INQ_UNWIND_REGS,
						     INQ_UNWIND_IRET};
	unsigned type = type_of(f, bits) + (f == SYMBOLS_ORC_TYPE0 ? 2 : 0);

	if (type >= sizeof(kinds) / sizeof(*kinds))
		return false;
	r->kind = kinds[type];
	/* without the signal bit: whoever is found in saved registers was interrupted */
	r->interrupts = r->kind == INQ_UNWIND_REGS || r->kind == INQ_UNWIND_IRET;
	return true;
}

bool symbols_orc_decode(enum symbols_orc_format f, const uint8_t p[6], struct inq_unwind_rule *ret)
{
	struct span s = span_of(p, ENTRY_BYTES);
	int16_t sp_off = (int16_t)span_u16le(&s), bp_off = (int16_t)span_u16le(&s);
	unsigned bits = span_u16le(&s), sp_reg = bits & 15;

	*ret = (struct inq_unwind_rule){0};
	if (!kind_of(f, bits, ret))
		return false;
	if (f == SYMBOLS_ORC_TYPE0 && sp_reg == REG_UNDEFINED)
		ret->kind = bits >> 10 & 3 ? INQ_UNWIND_END : INQ_UNWIND_UNKNOWN;
	if (ret->kind == INQ_UNWIND_UNKNOWN || ret->kind == INQ_UNWIND_END) {
		ret->interrupts = false;
		return true;
	}
	return base_of(sp_reg, sp_off, ret) && bp_of(bits >> 4 & 15, bp_off, ret);
}

static enum inq_status entry_at(const struct symbols_orc *o, uint64_t i, uint8_t p[ENTRY_BYTES],
				struct inq_err *err)
{
	return inq_wrap(err, o->read(o->ctx, o->entries + i * ENTRY_BYTES, p, ENTRY_BYTES, err),
			"orc entry %" PRIu64, i);
}

/* Each is relative to where it lies. */
static enum inq_status ip_at(const struct symbols_orc *o, uint64_t i, uint64_t *ret,
			     struct inq_err *err)
{
	uint64_t at = o->ips + i * IP_BYTES;
	uint8_t p[IP_BYTES];
	enum inq_status st = o->read(o->ctx, at, p, sizeof(p), err);

	if (st)
		return inq_wrap(err, st, "orc address %" PRIu64, i);
	struct span s = span_of(p, sizeof(p));
	*ret = at + (uint64_t)(int64_t)(int32_t)span_u32le(&s);
	return INQ_OK;
}

/* Nearly all code is called: the commonest type of those that go by RSP is CALL. */
static enum inq_status tell_format(struct symbols_orc *o, struct inq_err *err)
{
	uint64_t nr = o->nr < SAMPLES ? o->nr : SAMPLES, votes[2] = {0};

	for (uint64_t i = 0; i < nr; i++) {
		uint8_t p[ENTRY_BYTES];
		enum inq_status st = entry_at(o, i * o->nr / nr, p, err);
		if (st)
			return st;
		if ((p[4] & 15) != REG_SP)
			continue;
		votes[0] += (p[5] & 3) == 0;
		votes[1] += (p[5] & 7) == 2;
	}
	if (!votes[0] && !votes[1])
		return inq_fail_at(err, INQ_ECORRUPT, o->entries,
				   "orc: nothing at 0x%" PRIx64 " is an entry", o->entries);
	o->format = votes[1] > votes[0] ? SYMBOLS_ORC_TYPE2 : SYMBOLS_ORC_TYPE0;
	return INQ_OK;
}

/* Some of them, evenly spread: a look-up compares the neighbours of what it finds anyway. */
static enum inq_status check_order(struct symbols_orc *o, struct inq_err *err)
{
	uint64_t nr = o->nr < SAMPLES ? o->nr : SAMPLES, before = 0;

	for (uint64_t i = 0; i < nr; i++) {
		uint64_t at = i + 1 == nr ? o->nr - 1 : i * o->nr / nr, ip;
		enum inq_status st = ip_at(o, at, &ip, err);
		if (st)
			return st;
		if (i && ip < before)
			return inq_fail_at(err, INQ_ECORRUPT, o->ips,
					   "orc: address %" PRIu64 " is not in order", at);
		if (!i)
			o->first = ip;
		before = o->last = ip;
	}
	return INQ_OK;
}

enum inq_status symbols_orc_open(symbols_orc_read_fn *read, void *ctx, uint64_t ips,
				 uint64_t entries, uint64_t nr, const struct symbols_orc *like,
				 struct symbols_orc *ret, struct inq_err *err)
{
	struct symbols_orc o = {.read = read, .ctx = ctx, .ips = ips, .entries = entries, .nr = nr};
	enum inq_status st;

	if (!nr || nr > SYMBOLS_ORC_MOST)
		return inq_fail(err, INQ_ELIMIT, "orc: %" PRIu64 " entries, 1 to %d are possible",
				nr, SYMBOLS_ORC_MOST);
	if (like)
		o.format = like->format;
	else if ((st = tell_format(&o, err)))
		return st;
	if ((st = check_order(&o, err)))
		return st;
	*ret = o;
	return INQ_OK;
}

/* The last entry at or before pc.  What is read on the way has to bracket it. */
static enum inq_status index_of(const struct symbols_orc *o, uint64_t pc, uint64_t *ret,
				struct inq_err *err)
{
	uint64_t low = 0, high = o->nr, low_ip = o->first, high_ip = o->last;

	while (high - low > 1) {
		uint64_t mid = low + (high - low) / 2, ip;
		enum inq_status st = ip_at(o, mid, &ip, err);
		if (st)
			return st;
		if (ip < low_ip || ip > high_ip)
			return inq_fail_at(err, INQ_ECORRUPT, o->ips + mid * IP_BYTES,
					   "orc: address %" PRIu64 " is not in order", mid);
		if (ip <= pc) {
			low = mid;
			low_ip = ip;
		} else {
			high = mid;
			high_ip = ip;
		}
	}
	*ret = low;
	return INQ_OK;
}

enum inq_status symbols_orc_find(const struct symbols_orc *o, uint64_t pc,
				 struct inq_unwind_rule *ret, struct inq_err *err)
{
	uint8_t p[ENTRY_BYTES];
	uint64_t i = 0;
	enum inq_status st;

	if (pc < o->first)
		return inq_fail_at(err, INQ_ENOTFOUND, pc,
				   "orc: 0x%" PRIx64 " lies before the table's code", pc);
	if ((st = index_of(o, pc, &i, err)) || (st = entry_at(o, i, p, err)))
		return st;
	if (!symbols_orc_decode(o->format, p, ret))
		return inq_fail_at(err, INQ_ECORRUPT, o->entries + i * ENTRY_BYTES,
				   "orc: entry %" PRIu64 " is none that exists", i);
	return INQ_OK;
}
