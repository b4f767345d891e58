/* Counters that KVM set back go on from where they were, as far apart as they were. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vmm/restore_tsc.h"

#define SECOND 2000000000ull

/* The counter after the plan, at the moment when `now` was read. */
static uint64_t then(const struct vmm_tsc *before, const struct vmm_tsc *after)
{
	return before->now - before->offset + after->offset;
}

static void test_forward(void **state)
{
	struct vmm_tsc t[] = {{.saved = 5 * SECOND, .now = 5 * SECOND + 10, .offset = 7},
			      {.saved = 9 * SECOND, .now = 9 * SECOND, .offset = 11}};

	(void)state;
	assert_false(vmm_tsc_plan(t, 2));
	assert_false(vmm_tsc_plan(t, 0));
}

static void test_set_back(void **state)
{
	/* offsets as they are in life: less than nothing */
	const struct vmm_tsc before[] = {
		{.saved = SECOND / 2, .now = 1000, .offset = -SECOND * 60},
		{.saved = SECOND / 2 + 90, .now = 1500, .offset = -SECOND * 60}};
	struct vmm_tsc t[2] = {before[0], before[1]};

	(void)state;
	assert_true(vmm_tsc_plan(t, 2));
	assert_true(t[0].offset == t[1].offset);
	assert_true(then(&before[0], &t[0]) == before[0].saved);
	assert_true(then(&before[1], &t[1]) == before[1].saved + 410);
}

static void test_apart(void **state)
{
	/* the guest had put vCPU 1 ahead by 5000; it was read 30 later, and is the one that is late
	 */
	const struct vmm_tsc before[] = {
		{.saved = 100000, .saved_offset = -9000ull, .offset_known = true, .now = 400},
		{.saved = 105030, .saved_offset = -4000ull, .offset_known = true, .now = 410}};
	struct vmm_tsc t[2] = {before[0], before[1]};

	(void)state;
	assert_true(vmm_tsc_plan(t, 2));
	assert_true(t[1].offset - t[0].offset == 5000);
	assert_true(then(&before[0], &t[0]) == 100020);
	assert_true(then(&before[1], &t[1]) == 105030);
}

static void test_only_one(void **state)
{
	/* vCPU 0 was given its value, vCPU 1 was synchronised with it and is behind by a little */
	const struct vmm_tsc before[] = {{.saved = 1000, .now = 1200, .offset = 40},
					 {.saved = 1300, .now = 1250, .offset = 40}};
	struct vmm_tsc t[2] = {before[0], before[1]};

	(void)state;
	assert_true(vmm_tsc_plan(t, 2));
	assert_true(t[0].offset == 90 && t[1].offset == 90);
}

static void test_across_zero(void **state)
{
	struct vmm_tsc t[] = {{.saved = 50, .now = -70ull, .offset = 3}};

	(void)state;
	assert_true(vmm_tsc_plan(t, 1));
	assert_true(t[0].offset == 123);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forward),     cmocka_unit_test(test_set_back),
		cmocka_unit_test(test_apart),       cmocka_unit_test(test_only_one),
		cmocka_unit_test(test_across_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
