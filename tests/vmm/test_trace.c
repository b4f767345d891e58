/* Lines of tracefs: whose they are.  A task may be called anything. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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

/* n lines of eight bytes with their numbers. */
static int numbered(unsigned n)
{
	int fd = memfd_create("trace", MFD_CLOEXEC);
	FILE *f = fdopen(dup(fd), "w");

	for (unsigned i = 0; i < n; i++)
		fprintf(f, "%07x\n", i);
	fclose(f);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

/* When there is too much, the newest stays. */
static void the_newest_is_kept(void **state)
{
	const unsigned few = 200000, many = VMM_TRACE_MAX_TEXT / 8 + 12345;
	struct vmm_trace_text t;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		unsigned lines = i ? many : few, kept;
		int fd = numbered(lines);
		char last[9];

		assert_int_equal(vmm_trace_read(fd, &t), 0);
		kept = (unsigned)(t.n / 8);
		assert_true(i ? kept >= VMM_TRACE_MAX_TEXT / 16 && kept < lines : kept == lines);
		snprintf(last, sizeof(last), "%07x\n", lines - 1);
		assert_memory_equal(t.text + t.n - 8, last, 8);
		snprintf(last, sizeof(last), "%07x\n", lines - kept);
		assert_memory_equal(t.text, last, 8);
		free(t.text);
		close(fd);
	}
	assert_int_equal(vmm_trace_read(-1, &t), EBADF);
	assert_null(t.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_task_is_cut_off),
		cmocka_unit_test(every_cut),
		cmocka_unit_test(the_newest_is_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
