/* Lines of tracefs: whose they are.  A task may be called anything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/trace.h"

static long thread(const char *line, const char **rest)
{
	size_t at = 0;
	long tid = vmm_trace_thread(line, strlen(line), &at);

	*rest = tid < 0 ? NULL : line + at;
	return tid;
}

static void the_task_is_cut_off(void **state)
{
	const char *rest;

	(void)state;
	assert_int_equal(
		thread("     inquest-vmm-123     [001] d..1.  12.345678: kvm_exit: x", &rest), 123);
	assert_string_equal(rest, "[001] d..1.  12.345678: kvm_exit: x");
	assert_int_equal(thread("a-7 [b] c-4194304 [000] ..... 1.0: kvm_entry: [9]", &rest), 7);
	assert_int_equal(thread("a [1] b-42   [000] .", &rest), 42);
	assert_int_equal(thread("# tracer: nop", &rest), -1);
	assert_int_equal(thread("CPU:1 [LOST 12 EVENTS]", &rest), -1);
	assert_int_equal(thread("", &rest), -1);
	assert_int_equal(thread("[000]", &rest), -1);
	assert_int_equal(thread("123 [000] no dash", &rest), -1);
}

/* No cut of a line reads behind it; sanitizers watch. */
static void every_cut(void **state)
{
	static const char line[] = "  <...>-99999999999999   [001] .....  1.000001: kvm_exit: r 1";
	size_t at;

	(void)state;
	for (size_t n = 0; n < sizeof(line); n++) {
		char cut[sizeof(line)];

		memcpy(cut, line, n);
		if (vmm_trace_thread(cut, n, &at) >= 0)
			assert_true(at < n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_task_is_cut_off),
		cmocka_unit_test(every_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
