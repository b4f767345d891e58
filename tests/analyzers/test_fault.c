/* The loop engine when memory runs out: allocation 1, 2, 3, ... fails until none does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "analyzers/loopscan.h"
#include "analyzers/writers.h"
#include "tests/analyzers/frozen.h"

static int left = -1; /* allocations until one fails; negative: none does */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);

static int fails_now(void)
{
	return left >= 0 && left-- == 0;
}

void *__wrap_malloc(size_t n)
{
	return fails_now() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails_now() ? NULL : __real_calloc(n, size);
}

static enum inq_status scan_and_seek(struct frozen *f, struct inq_err *err)
{
	static struct loop l;
	struct writers *w = NULL;
	enum inq_status st = loop_scan(&f->cpu[0], &l, err);

	if (!st)
		st = writers_create(&f->machine, &w, err);
	writers_destroy(w);
	return st;
}

static void every_failing_allocation_is_an_error_and_leaks_nothing(void **state)
{
	static struct frozen f;
	struct inq_err err;
	int failed = 0;
	(void)state;

	frozen_init(&f);
	CODE(&f, 0x1000, "\xa3\x00\x20\x00\x00\x00\x00\x00\x00\xeb\xf5"); /* mov [0x2000], eax */
	for (int n = 0; n < 100; n++) {
		left = n;
		enum inq_status st = scan_and_seek(&f, &err);
		int unused = left >= 0;
		left = -1;
		if (unused) {
			assert_int_equal(st, INQ_OK);
			assert_true(failed >= 6);
			return;
		}
		assert_int_equal(st, INQ_ENOMEM);
		assert_true(err.msg[0]);
		failed++;
	}
	fail_msg("allocations without end");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_failing_allocation_is_an_error_and_leaks_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
