/* ORC tables of both forms, built: every kind of entry, and damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "symbols/orc.h"

#define TEXT UINT64_C(0xffffffff81000000)
#define IPS UINT64_C(0xffffffff82000000)
#define ENTRIES UINT64_C(0xffffffff82001000)
enum { MOST = 64, SP = 5, PREV_SP = 1 };

struct lab {
	uint8_t ips[4 * MOST], entries[6 * MOST];
	unsigned nr;
	unsigned reads;
};

static enum inq_status lab_read(void *ctx, uint64_t addr, void *buf, size_t n, struct inq_err *err)
{
	struct lab *l = ctx;

	l->reads++;
	if (addr >= IPS && addr - IPS + n <= 4 * (uint64_t)l->nr)
		memcpy(buf, l->ips + (addr - IPS), n);
	else if (addr >= ENTRIES && addr - ENTRIES + n <= 6 * (uint64_t)l->nr)
		memcpy(buf, l->entries + (addr - ENTRIES), n);
	else
		return inq_fail_at(err, INQ_EFAULT, addr, "not mapped");
	return INQ_OK;
}

static void add(struct lab *l, uint64_t ip, int16_t sp_off, int16_t bp_off, unsigned bits)
{
	uint32_t rel = (uint32_t)(ip - (IPS + 4 * (uint64_t)l->nr));
	uint8_t *e = l->entries + 6 * l->nr;

	memcpy(l->ips + 4 * l->nr++, &rel, 4);
	memcpy(e, &sp_off, 2);
	memcpy(e + 2, &bp_off, 2);
	e[4] = (uint8_t)bits;
	e[5] = (uint8_t)(bits >> 8);
}

static struct symbols_orc opened(struct lab *l)
{
	struct symbols_orc o;
	struct inq_err err;

	if (symbols_orc_open(lab_read, l, IPS, ENTRIES, l->nr, NULL, &o, &err))
		fail_msg("%s", err.msg);
	return o;
}

static struct inq_unwind_rule found(const struct symbols_orc *o, uint64_t pc)
{
	struct inq_unwind_rule r;
	struct inq_err err;

	if (symbols_orc_find(o, pc, &r, &err))
		fail_msg("%s", err.msg);
	return r;
}

/* Types as bits 8 on: those before Linux 6.4, or 2 more. */
static void fill(struct lab *l, unsigned call)
{
	add(l, TEXT, 8, 0, SP | call << 8);
	add(l, TEXT + 1, 16, -16, SP | PREV_SP << 4 | call << 8);
	add(l, TEXT + 0x20, 0, 0, SP | (call + 1) << 8);
	add(l, TEXT + 0x30, 0, 0, SP | (call + 2) << 8);
	add(l, TEXT + 0x40, 0, 0, call ? 1 << 8 : 1 << 10);
	add(l, TEXT + 0x48, 0, 0, 0);
	add(l, TEXT + 0x50, 8, 0, 9 | call << 8);
	add(l, TEXT + 0x60, -24, 0, 8 | call << 8);
}

static void check_all(const struct symbols_orc *o)
{
	struct inq_unwind_rule r = found(o, TEXT);

	assert_true(r.kind == INQ_UNWIND_CALL && r.reg == 4 && r.off == 8 && !r.deref);
	assert_true(r.saved[5].how == INQ_UNWIND_SAME && r.saved[3].how == INQ_UNWIND_LOST);
	r = found(o, TEXT + 0x1f);
	assert_true(r.off == 16 && r.saved[5].how == INQ_UNWIND_AT_CFA && r.saved[5].off == -16);
	r = found(o, TEXT + 0x2f);
	assert_true(r.kind == INQ_UNWIND_REGS && r.interrupts);
	r = found(o, TEXT + 0x30);
	assert_true(r.kind == INQ_UNWIND_IRET && r.interrupts);
	assert_int_equal(found(o, TEXT + 0x40).kind, INQ_UNWIND_END);
	assert_int_equal(found(o, TEXT + 0x48).kind, INQ_UNWIND_UNKNOWN);
	r = found(o, TEXT + 0x50);
	assert_true(r.reg == 4 && r.deref && r.off == 0 && r.off_behind == 8);
	r = found(o, TEXT + 0x1000);
	assert_true(r.reg == 5 && r.deref && r.off == -24 && r.off_behind == 0);
}

static void both_forms_say_the_same(void **state)
{
	(void)state;
	struct lab old = {.nr = 0}, now = {.nr = 0};

	fill(&old, 0);
	fill(&now, 2);
	struct symbols_orc o = opened(&old), n = opened(&now);
	assert_int_equal(o.format, SYMBOLS_ORC_TYPE0);
	assert_int_equal(n.format, SYMBOLS_ORC_TYPE2);
	check_all(&o);
	check_all(&n);
}

/* Linux 6.3: signal is bit 10, the end bit 11. */
static void the_end_moved_when_signal_came(void **state)
{
	(void)state;
	struct inq_unwind_rule r;

	assert_true(symbols_orc_decode(SYMBOLS_ORC_TYPE0, (const uint8_t[]){0, 0, 0, 0, 0, 8}, &r));
	assert_int_equal(r.kind, INQ_UNWIND_END);
	assert_true(
		symbols_orc_decode(SYMBOLS_ORC_TYPE0, (const uint8_t[]){0, 0, 0, 0, SP, 5}, &r));
	assert_true(r.kind == INQ_UNWIND_REGS && r.interrupts);
}

static void a_lookup_reads_few_places(void **state)
{
	(void)state;
	struct lab l = {.nr = 0};

	for (unsigned i = 0; i < MOST; i++)
		add(&l, TEXT + 16 * i, (int16_t)(8 + i), 0, SP);
	struct symbols_orc o = opened(&l);
	for (unsigned i = 0; i < MOST; i++) {
		l.reads = 0;
		assert_int_equal(found(&o, TEXT + 16 * i + 15).off, 8 + i);
		assert_true(l.reads <= 7);
	}
	struct inq_unwind_rule r;
	assert_int_equal(symbols_orc_find(&o, TEXT - 1, &r, NULL), INQ_ENOTFOUND);
}

static void disorder_is_refused(void **state)
{
	(void)state;
	struct lab l = {.nr = 0};
	struct symbols_orc o;

	add(&l, TEXT + 16, 8, 0, SP);
	add(&l, TEXT, 8, 0, SP);
	assert_int_equal(symbols_orc_open(lab_read, &l, IPS, ENTRIES, 2, NULL, &o, NULL),
			 INQ_ECORRUPT);
	assert_int_equal(symbols_orc_open(lab_read, &l, IPS, ENTRIES, 0, NULL, &o, NULL),
			 INQ_ELIMIT);
	assert_int_equal(symbols_orc_open(lab_read, &l, IPS, ENTRIES, UINT64_MAX, NULL, &o, NULL),
			 INQ_ELIMIT);
	assert_int_equal(symbols_orc_open(lab_read, &l, IPS, ENTRIES, 3, NULL, &o, NULL),
			 INQ_EFAULT);
}

static void a_module_has_its_kernels_form(void **state)
{
	(void)state;
	struct lab kernel = {.nr = 0}, module = {.nr = 0};
	struct symbols_orc k, m;

	fill(&kernel, 2);
	k = opened(&kernel);
	add(&module, TEXT, 0, 0, 1 << 8);
	assert_int_equal(symbols_orc_open(lab_read, &module, IPS, ENTRIES, 1, NULL, &m, NULL),
			 INQ_ECORRUPT);
	assert_int_equal(symbols_orc_open(lab_read, &module, IPS, ENTRIES, 1, &k, &m, NULL),
			 INQ_OK);
	assert_int_equal(found(&m, TEXT).kind, INQ_UNWIND_END);
}

static void flipped_bits_are_an_error_or_a_rule(void **state)
{
	(void)state;
	struct lab l = {.nr = 0};

	fill(&l, 2);
	for (unsigned bit = 0; bit < 8 * 10 * l.nr; bit++) {
		struct lab bad = l;
		struct symbols_orc o;
		struct inq_unwind_rule r;
		uint8_t *p =
			bit / 8 < 4 * l.nr ? &bad.ips[bit / 8] : &bad.entries[bit / 8 - 4 * l.nr];
		*p ^= (uint8_t)(1 << bit % 8);
		if (symbols_orc_open(lab_read, &bad, IPS, ENTRIES, bad.nr, NULL, &o, NULL))
			continue;
		for (uint64_t pc = TEXT; pc < TEXT + 0x80; pc++)
			if (!symbols_orc_find(&o, pc, &r, NULL))
				assert_true(r.reg < 16);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_forms_say_the_same),
		cmocka_unit_test(the_end_moved_when_signal_came),
		cmocka_unit_test(a_lookup_reads_few_places),
		cmocka_unit_test(disorder_is_refused),
		cmocka_unit_test(a_module_has_its_kernels_form),
		cmocka_unit_test(flipped_bits_are_an_error_or_a_rule),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
