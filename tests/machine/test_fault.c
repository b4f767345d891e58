/*
 * Every allocation of machine_open and of the search for its kernel fails once: a clean error,
 * nothing leaks, nothing is returned; asked again, the kernel is looked for again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "machine/machine.h"
#include "tests/machine/fake.h"
#include "tests/machine/raw.h"

static unsigned int allocations, fail_at, live;

void *__real_calloc(size_t n, size_t size);
void *__real_reallocarray(void *p, size_t n, size_t size);
void *__wrap_malloc(size_t n);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void __real_free(void *p);
void __wrap_free(void *p);

void *__wrap_calloc(size_t n, size_t size)
{
	if (++allocations == fail_at)
		return NULL;
	void *p = __real_calloc(n, size);
	live += p != NULL;
	return p;
}

void *__wrap_malloc(size_t n)
{
	return __wrap_calloc(1, n);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	if (++allocations == fail_at)
		return NULL;
	void *grown = __real_reallocarray(p, n, size);
	live += !p && grown;
	return grown;
}

void __wrap_free(void *p)
{
	live -= p != NULL;
	__real_free(p);
}

static void test_every_allocation_may_fail(void **state)
{
	(void)state;
	struct raw r = raw_random(71);
	struct fake f;
	unsigned int failures = 0, kernels = 0;
	fake_init(&f, 2);
	for (uint32_t cpu = 0; cpu < 2; cpu++)
		for (size_t i = 0; i < RAW_NR_PIECES; i++)
			fake_blob(&f, cpu, raw_piece[i].kind, raw_bytes(&r, &raw_piece[i]),
				  raw_piece[i].bytes);
	/* a kernel by VMCOREINFO alone, or there is nothing to find out about one */
	fake_blob(&f, INQ_SNAP_VM, INQ_BLOB_VMCOREINFO, "OSRELEASE=6.1\n", 14);
	for (fail_at = 1;; fail_at++) {
		struct inq_machine *m = NULL;
		struct inq_err err = {0};
		allocations = live = 0;
		enum inq_status st = machine_open(&f.dump, &m, &err);
		if (st == INQ_OK) {
			assert_true(live > 0);
			int lost = inq_machine_kernel(m)->st == INQ_ENOMEM;
			assert_int_equal(inq_machine_kernel(m)->st, INQ_OK);
			machine_close(m);
			assert_int_equal(live, 0);
			kernels += (unsigned int)lost;
			if (lost)
				continue;
			break;
		}
		assert_int_equal(st, INQ_ENOMEM);
		assert_int_equal(err.status, INQ_ENOMEM);
		assert_true(err.msg[0]);
		assert_null(m);
		assert_int_equal(live, 0);
		failures++;
	}
	assert_int_equal(failures + kernels, allocations); /* each of them was tried */
	assert_true(failures >= 8 && kernels >= 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_allocation_may_fail),
	};
	return cmocka_run_group_tests_name("machine faults", tests, NULL, NULL);
}
