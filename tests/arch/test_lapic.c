/* The LAPIC page: priorities and words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "arch/x86_64/lapic.h"

static void put(uint8_t *page, unsigned int off, uint32_t v)
{
	for (unsigned int i = 0; i < 4; i++)
		page[off + i] = (uint8_t)(v >> (8 * i));
}

static void set_vector(uint8_t *page, uint16_t bank, unsigned int v)
{
	uint16_t off = (uint16_t)(bank + v / 32 * 0x10);

	put(page, off, x86_64_lapic_read(page, off) | 1u << v % 32);
}

static void test_the_highest_vector_of_a_bank(void **state)
{
	(void)state;
	uint8_t page[X86_64_LAPIC_BYTES] = {0};
	assert_int_equal(x86_64_lapic_highest(page, 0x200), -1);
	for (unsigned int v = 0; v < 256; v++) {
		set_vector(page, 0x200, v);
		assert_int_equal(x86_64_lapic_highest(page, 0x200), v);
		assert_int_equal(x86_64_lapic_highest(page, 0x100), -1);
		assert_int_equal(x86_64_lapic_highest(page, 0x180), -1);
	}
}

static void test_the_processor_priority_is_recomputed(void **state)
{
	(void)state;
	static const struct {
		unsigned int tpr;
		int in_service;
		unsigned int ppr;
	} all[] = {
		{0, -1, 0},         {0x35, -1, 0x35},   {0x20, 0x31, 0x30}, {0x35, 0x3f, 0x35},
		{0x45, 0x3f, 0x45}, {0x4f, 0xec, 0xe0}, {0xff, 0xec, 0xff}, {0, 0x1f, 0x10},
	};
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		uint8_t page[X86_64_LAPIC_BYTES] = {0};
		put(page, 0x80, all[i].tpr);
		put(page, 0xa0, 0x99); /* what the page says may be old */
		if (all[i].in_service >= 0) {
			set_vector(page, 0x100, 0x12);
			set_vector(page, 0x100, (unsigned int)all[i].in_service);
		}
		assert_int_equal(x86_64_lapic_ppr(page), all[i].ppr);
	}
}

static void test_registers_are_named_once_and_in_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < x86_64_nr_lapic_regs; i++) {
		assert_int_equal(x86_64_lapic_reg[i].off % 0x10, 0);
		assert_in_range(x86_64_lapic_reg[i].off, 0x20, X86_64_LAPIC_BYTES - 0x10);
		if (i)
			assert_true(x86_64_lapic_reg[i].off > x86_64_lapic_reg[i - 1].off);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(x86_64_lapic_reg[i].name, x86_64_lapic_reg[k].name);
	}
}

static const struct {
	const char *name;
	uint32_t value;
	const char *text;
} words[] = {
	{"id", 0x01000000, "apic id 0x1"},
	{"id", 0x12345, "x2apic id 0x12345"},
	{"version", 0x00050014, "version 0x14, 6 lvt entries"},
	{"tpr", 0, ""},
	{"tpr", 0x45, "holds back vectors up to 0x4f"},
	{"svr", 0x1ff, "spurious vector 0xff, enabled"},
	{"svr", 0xff, "spurious vector 0xff, disabled by software"},
	{"isr0", 0x80000000, "0x1f"},
	{"isr1", 0x00010001, "0x20, 0x30"},
	{"tmr7", 0x80000000, "0xff"},
	{"irr7", 0x00001000, "0xec"},
	{"irr0", 0, ""},
	{"lvt_timer", 0x20020, "vector 0x20, periodic, not masked"},
	{"lvt_timer", 0x500ec, "vector 0xec, tsc-deadline, masked"},
	{"lvt_lint0", 0x700, "extint, not masked"},
	{"lvt_lint1", 0x10400, "nmi, masked"},
	{"lvt_lint0", 0xc031, "fixed vector 0x31, not masked, level, waits for eoi"},
	{"lvt_error", 0x100fe, "vector 0xfe, masked"},
	{"icr_low", 0x000cc500, "init, to all others, level assert"},
	{"icr_low", 0x608, "sipi vector 0x8, physical destination"},
	{"icr_low", 0x18fd, "fixed vector 0xfd, logical destination, send pending"},
	{"esr", 0x60, "sent illegal vector, received illegal vector"},
	{"dfr", 0xffffffff, "flat"},
	{"timer_divide", 0, "divide by 2"},
	{"timer_divide", 3, "divide by 16"},
	{"timer_divide", 8, "divide by 32"},
	{"timer_divide", 0xa, "divide by 128"},
	{"timer_divide", 0xb, "divide by 1"},
	{"timer_initial", 1000, ""},
};

static uint16_t off_of(const char *name)
{
	for (size_t i = 0; i < x86_64_nr_lapic_regs; i++)
		if (!strcmp(x86_64_lapic_reg[i].name, name))
			return x86_64_lapic_reg[i].off;
	fail_msg("no register %s", name);
	return 0;
}

static void test_values_are_said_in_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		char buf[128];
		x86_64_lapic_describe(off_of(words[i].name), words[i].value, buf, sizeof(buf));
		assert_string_equal(buf, words[i].text);
	}
}

static void test_words_never_leave_the_buffer(void **state)
{
	(void)state;
	for (size_t n = 0; n < 200; n++) {
		char buf[256], whole[256];
		memset(buf, 'z', sizeof(buf));
		x86_64_lapic_describe(off_of("irr7"), 0xffffffff, whole, sizeof(whole));
		x86_64_lapic_describe(off_of("irr7"), 0xffffffff, buf, n);
		for (size_t i = n; i < sizeof(buf); i++)
			assert_int_equal(buf[i], 'z');
		if (n) {
			assert_non_null(memchr(buf, 0, n));
			assert_memory_equal(buf, whole, strlen(buf));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_highest_vector_of_a_bank),
		cmocka_unit_test(test_the_processor_priority_is_recomputed),
		cmocka_unit_test(test_registers_are_named_once_and_in_order),
		cmocka_unit_test(test_values_are_said_in_words),
		cmocka_unit_test(test_words_never_leave_the_buffer),
	};
	return cmocka_run_group_tests_name("lapic", tests, NULL, NULL);
}
