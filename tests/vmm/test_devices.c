/* Ports: who answers, what the VMM hears of it, and the devices without a test of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/devices.h"

static struct vmm_devices d;

static struct vmm_heard out(uint16_t port, unsigned size, uint32_t v)
{
	return vmm_devices_io(&d, true, port, size, 1, (uint8_t *)&v);
}

static uint32_t in(uint16_t port, unsigned size)
{
	uint32_t v = 0;

	(void)vmm_devices_io(&d, false, port, size, 1, (uint8_t *)&v);
	return v;
}

static int fresh(void **state)
{
	(void)state;
	vmm_devices_init(&d);
	return 0;
}

static void nobody(void **state)
{
	(void)state;
	assert_int_equal(in(0x1234, 1), 0xff);
	assert_int_equal(in(0x1234, 2), 0xffff);
	assert_true(in(0xffff, 4) == 0xffffffff); /* and does not run over the end */
	struct vmm_heard h = out(0x1234, 4, 0);
	assert_false(h.post || h.result || h.end);
	uint8_t three[3] = {1, 2, 3};
	h = vmm_devices_io(&d, true, VMM_PORT_EXIT, 3, 1, three);
	assert_null(h.end);
}

static void posts_of_a_string(void **state)
{
	uint8_t codes[] = {1, 0x80, 0xff};
	struct vmm_heard h = vmm_devices_io(&d, true, VMM_PORT_POST, 1, 3, codes);

	(void)state;
	assert_true(h.post);
	assert_int_equal(h.last_post, 0xff);
	assert_true(h.posts[0] == 2 && h.posts[1] == 0 && h.posts[2] == 1 && h.posts[3] >> 63);
	assert_int_equal(in(VMM_PORT_POST, 1), 0xff);
}

static void results_are_32_bits(void **state)
{
	(void)state;
	assert_false(out(VMM_PORT_RESULT, 1, 7).result);
	assert_false(out(VMM_PORT_RESULT, 2, 7).result);
	struct vmm_heard h = out(VMM_PORT_RESULT, 4, 0xfeedbeef);
	assert_true(h.result && h.value == 0xfeedbeef && !h.end);
}

static void exit_code(void **state)
{
	struct vmm_heard h = out(VMM_PORT_EXIT, 4, 0x1203);

	(void)state;
	assert_int_equal(h.exit_code, 3);
	assert_string_equal(h.end, "the guest ended");
}

static void panic(void **state)
{
	(void)state;
	assert_int_equal(in(VMM_PORT_PANIC, 1), 1);
	assert_null(out(VMM_PORT_PANIC, 1, 2).end);
	struct vmm_heard h = out(VMM_PORT_PANIC, 1, 1);
	assert_true(h.panic && h.end && h.exit_code == -1);
}

/* A 16-bit access goes to two 8-bit registers, as on an 8-bit bus. */
static void wide_access_of_bytes(void **state)
{
	(void)state;
	(void)out(0x3fb, 1, 0x83); /* the latch */
	(void)out(0x3f8, 2, 0x1234);
	assert_int_equal(in(0x3f8, 1), 0x34);
	assert_int_equal(in(0x3f9, 1), 0x12);
	assert_int_equal(in(0x3f8, 2), 0x1234);
	assert_int_equal(in(0x3ff, 2), 0xff00); /* the scratch register and nobody */
}

static void keyboard_controller(void **state)
{
	(void)state;
	assert_int_equal(in(0x64, 1) & 1, 0);
	(void)out(0x64, 1, 0xaa);
	assert_int_equal(in(0x64, 1) & 1, 1);
	assert_int_equal(in(0x60, 1), 0x55);
	assert_int_equal(in(0x64, 1) & 1, 0);
	(void)out(0x64, 1, 0x60);
	(void)out(0x60, 1, 0x47);
	(void)out(0x64, 1, 0x20);
	assert_int_equal(in(0x60, 1), 0x47);
	(void)out(0x64, 1, 0xad);
	(void)out(0x64, 1, 0x20);
	assert_int_equal(in(0x60, 1), 0x57);
	(void)out(0x64, 1, 0xab);
	assert_int_equal(in(0x60, 1), 0);
}

static void ways_to_reset(void **state)
{
	(void)state;
	assert_null(out(0x64, 1, 0xff).end); /* pulses nothing */
	assert_string_equal(out(0x64, 1, 0xfe).end,
			    "the guest reset the machine, through the i8042");
	(void)out(0x64, 1, 0xd1);
	assert_null(out(0x60, 1, 0xdf).end);
	(void)out(0x64, 1, 0xd1);
	assert_non_null(out(0x60, 1, 0xde).end);
	assert_null(out(0x60, 1, 0xde).end); /* no argument but a keyboard's */
	assert_null(out(0x92, 1, 2).end);
	assert_string_equal(out(0x92, 1, 3).end, "the guest reset the machine, through port 0x92");
	assert_null(out(0xcf9, 1, 2).end);
	assert_string_equal(out(0xcf9, 1, 6).end,
			    "the guest reset the machine, through port 0xcf9");
	assert_null(out(0xcf9, 1, 6).end); /* the bit has to go up */
}

static void acpi_power(void **state)
{
	(void)state;
	assert_int_equal(in(VMM_PM1_CONTROL, 2), 1); /* ACPI mode */
	(void)out(VMM_PM1_STATUS + 2, 2, 0x0321);
	assert_int_equal(in(VMM_PM1_STATUS, 4), 0x03210000);
	assert_null(out(VMM_PM1_CONTROL, 2, 5 << 10).end);
	assert_null(out(VMM_PM1_CONTROL, 2, 1 << 13 | 1 << 10).end); /* S1 there is none */
	assert_string_equal(out(VMM_PM1_CONTROL, 2, 1 << 13 | 5 << 10).end,
			    "the guest switched the machine off");
	assert_int_equal(in(VMM_PM1_CONTROL, 2), 5 << 10 | 1);
}

/* 2001-02-03 14:05:06 UTC, a Saturday. */
static const int64_t moment = 981209106;

static uint8_t rtc(struct vmm_rtc *r, uint8_t i, int64_t now)
{
	vmm_rtc_write(r, 0, i, now);
	return vmm_rtc_read(r, 1, now, 0);
}

static void set_rtc(struct vmm_rtc *r, uint8_t i, uint8_t v, int64_t now)
{
	vmm_rtc_write(r, 0, i, now);
	vmm_rtc_write(r, 1, v, now);
}

static void clock_tells(void **state)
{
	static const uint8_t index[] = {0, 2, 4, 6, 7, 8, 9, 0x32},
			     bcd[] = {6, 5, 0x14, 7, 3, 2, 1, 0x20},
			     bin[] = {6, 5, 14 - 12 + 0x80, 7, 3, 2, 1, 20};
	struct vmm_rtc r;

	(void)state;
	vmm_rtc_reset(&r);
	for (size_t i = 0; i < sizeof(index); i++)
		assert_int_equal(rtc(&r, index[i], moment), bcd[i]);
	set_rtc(&r, 0xb, 4, moment); /* binary, 12 hours */
	for (size_t i = 0; i < sizeof(index); i++)
		assert_int_equal(rtc(&r, index[i], moment), bin[i]);
	assert_int_equal(rtc(&r, 0xd, moment), 0x80);
	assert_int_equal(rtc(&r, 0xa, moment), 0x26);
}

static void clock_is_set(void **state)
{
	struct vmm_rtc r;

	(void)state;
	vmm_rtc_reset(&r);
	set_rtc(&r, 9, 0x24, moment);
	set_rtc(&r, 8, 0x12, moment);
	set_rtc(&r, 7, 0x31, moment);
	set_rtc(&r, 4, 0x23, moment);
	assert_int_equal(rtc(&r, 9, moment + 3600), 0x25); /* over the year's end */
	assert_int_equal(rtc(&r, 7, moment + 3600), 1);
	assert_int_equal(rtc(&r, 4, moment + 3600), 0);
	assert_int_equal(rtc(&r, 0, moment + 1), 7);
	set_rtc(&r, 0x40, 0x99, moment);
	assert_int_equal(rtc(&r, 0x40, moment), 0x99);
	assert_true(vmm_rtc_valid(&r));
	set_rtc(&r, 0xb, 0x72, moment); /* interrupts there are none */
	assert_int_equal(rtc(&r, 0xb, moment), 2);
	r.index = 200;
	assert_false(vmm_rtc_valid(&r));
}

/* As Linux does it (drivers/rtc/rtc-mc146818-lib.c: mc146818_set_time): SET, then all of a date. */
static void clock_takes_a_date_as_one(void **state)
{
	const int64_t last_of_january = 1706659200; /* 2024-01-31 00:00:00 */
	struct vmm_rtc r;

	(void)state;
	vmm_rtc_reset(&r);
	set_rtc(&r, 0xb, 0x82, last_of_january);
	assert_int_equal(rtc(&r, 7, last_of_january + 86400), 0x31); /* it stands */
	set_rtc(&r, 8, 2, last_of_january);
	set_rtc(&r, 7, 0x29, last_of_january);
	set_rtc(&r, 0x32, 0x19, last_of_january);
	set_rtc(&r, 9, 0x72, last_of_january);
	assert_true(vmm_rtc_valid(&r));
	set_rtc(&r, 0xb, 2, last_of_january + 5);
	assert_int_equal(rtc(&r, 8, last_of_january + 5), 2);
	assert_int_equal(rtc(&r, 7, last_of_january + 5), 0x29);
	assert_int_equal(rtc(&r, 9, last_of_january + 5), 0x72);
	assert_int_equal(rtc(&r, 0x32, last_of_january + 5), 0x19);
	assert_int_equal(rtc(&r, 0, last_of_january + 6), 1);
	assert_true(vmm_rtc_valid(&r));
}

/* A guest may wait for the update, or for its end. */
static void clock_is_updating(void **state)
{
	struct vmm_rtc r;

	(void)state;
	vmm_rtc_reset(&r);
	assert_int_equal(rtc(&r, 0xa, moment), 0x26);
	assert_int_equal(vmm_rtc_read(&r, 1, moment, 997771), 0x26);
	assert_int_equal(vmm_rtc_read(&r, 1, moment, 997772), 0xa6);
	assert_int_equal(vmm_rtc_read(&r, 1, moment, 999999), 0xa6);
	set_rtc(&r, 0xa, 0xe6, moment); /* the divider stands; UIP is not for writing */
	assert_int_equal(vmm_rtc_read(&r, 1, moment, 999999), 0x66);
	set_rtc(&r, 0xa, 0x26, moment);
	set_rtc(&r, 0xb, 0x82, moment);
	assert_int_equal(rtc(&r, 0xb, moment), 0x82);
	vmm_rtc_write(&r, 0, 0xa, moment);
	assert_int_equal(vmm_rtc_read(&r, 1, moment, 999999), 0x26); /* SET: there is none */
	assert_true(vmm_rtc_valid(&r));
}

static void pci_address_resets_nothing(void **state)
{
	(void)state;
	assert_null(out(0xcf8, 4, 0x80000e06).end);
	assert_non_null(out(0xcf9, 1, 6).end);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nobody, fresh),
		cmocka_unit_test_setup(posts_of_a_string, fresh),
		cmocka_unit_test_setup(results_are_32_bits, fresh),
		cmocka_unit_test_setup(exit_code, fresh),
		cmocka_unit_test_setup(panic, fresh),
		cmocka_unit_test_setup(wide_access_of_bytes, fresh),
		cmocka_unit_test_setup(keyboard_controller, fresh),
		cmocka_unit_test_setup(ways_to_reset, fresh),
		cmocka_unit_test_setup(acpi_power, fresh),
		cmocka_unit_test_setup(clock_tells, fresh),
		cmocka_unit_test_setup(clock_is_set, fresh),
		cmocka_unit_test_setup(clock_takes_a_date_as_one, fresh),
		cmocka_unit_test_setup(clock_is_updating, fresh),
		cmocka_unit_test_setup(pci_address_resets_nothing, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
