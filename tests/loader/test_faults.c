/*
 * Fail the first call to the system, then the second, ... until opening succeeds: each failure is
 * an error with a message, and nothing leaks (which ASan sees).  The linker's --wrap puts these
 * functions before those of libc for the library under test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/built/text.h"
#include "tests/loader/touch.h"

#define PAGE ((size_t)4096)

static const char text[] = "snapshot vcpus=2\n"
			   "@0x1000 00*4096 55*4096\n"
			   "@0x8000 55*64\n"
			   "regs vcpu=0 rip=0x1000\n"
			   "smram 0x1000 f4*32\n"
			   "zero-bitmap\n";

static struct {
	int memory;             /* fail allocations, else calls to the system */
	unsigned int countdown; /* 0: nothing fails; 1: the next call */
	unsigned int failed;
} fault;

static int fails(int memory)
{
	if (fault.memory != memory || !fault.countdown || --fault.countdown)
		return 0;
	fault.failed++;
	errno = memory ? ENOMEM : EIO;
	return 1;
}

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_malloc(size_t n)
{
	return fails(1) ? NULL : __real_malloc(n);
}

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
	return fails(1) ? NULL : __real_calloc(n, size);
}

void *__real_reallocarray(void *p, size_t n, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return fails(1) ? NULL : __real_reallocarray(p, n, size);
}

char *__real_strdup(const char *s);
char *__wrap_strdup(const char *s);
char *__wrap_strdup(const char *s)
{
	return fails(1) ? NULL : __real_strdup(s);
}

void *__real_XXH3_createState(void);
void *__wrap_XXH3_createState(void);
void *__wrap_XXH3_createState(void)
{
	return fails(1) ? NULL : __real_XXH3_createState();
}

int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...)
{
	return fails(0) ? -1 : __real_open64(path, flags);
}

int __real_fstat64(int fd, struct stat *sb);
int __wrap_fstat64(int fd, struct stat *sb);
int __wrap_fstat64(int fd, struct stat *sb)
{
	return fails(0) ? -1 : __real_fstat64(fd, sb);
}

void *__real_mmap64(void *p, size_t n, int prot, int flags, int fd, off_t off);
void *__wrap_mmap64(void *p, size_t n, int prot, int flags, int fd, off_t off);
void *__wrap_mmap64(void *p, size_t n, int prot, int flags, int fd, off_t off)
{
	return fails(0) ? MAP_FAILED : __real_mmap64(p, n, prot, flags, fd, off);
}

/* How many calls failed before one run went through. */
static unsigned int fail_each(int memory, enum inq_status wanted)
{
	struct built *b = built_parse("faults", text, NULL, 0, NULL);
	char path[32];
	size_t n;
	const uint8_t *file = built_finish(b, &n);
	int fd = built_memfd(file, n, path);
	unsigned int at = 0, again;
	struct inq_dump *d;

	do {
		struct inq_err err = {0};
		d = NULL;
		again = 1;
		fault.memory = memory;
		fault.failed = 0;
		fault.countdown = ++at;
		enum inq_status st = inq_dump_open(path, &d, &err);
		fault.countdown = 0;
		assert_true(at < 1000);
		if (st) {
			assert_int_equal(fault.failed, 1);
			assert_int_equal(st, wanted);
			assert_int_equal(err.status, st);
			assert_true(strlen(err.msg) > strlen(path) + 2);
			assert_null(d);
		} else {
			assert_true(!fault.failed ||
				    (!memory && d->nr_damages > 0)); /* none is swallowed */
			again = fault.failed;
		}
		if (d)
			touch_dump(d);
		inq_dump_close(d);
	} while (again);
	close(fd);
	built_free(b);
	return at - 1;
}

static void every_failed_allocation_is_an_error(void **state)
{
	(void)state;
	assert_true(fail_each(1, INQ_ENOMEM) >= 10);
}

static void every_failed_call_is_an_error(void **state)
{
	(void)state;
	assert_true(fail_each(0, INQ_EIO) >= 4);
}

static void a_failed_look_at_the_file_is_a_failed_read(void **state)
{
	(void)state;
	struct built *b = built_parse("faults", "core\n@0x2000 55*64\n", NULL, 0, NULL);
	char path[32];
	size_t n;
	const uint8_t *file = built_finish(b, &n);
	int fd = built_memfd(file, n, path);
	struct inq_dump *d;
	struct inq_err err;
	uint64_t v; /* from the file's last page, which is what the system is asked for */

	assert_int_equal(inq_dump_open(path, &d, &err), INQ_OK);
	fault.memory = 0;
	fault.countdown = 1;
	assert_int_equal(inq_read(d->phys, 0x2000, &v, 8, &err), INQ_EABSENT);
	fault.countdown = 0;
	assert_int_equal(inq_read(d->phys, 0x2000, &v, 8, &err), INQ_OK);
	assert_true(v == UINT64_C(0x5555555555555555));
	inq_dump_close(d);
	close(fd);
	built_free(b);
}

/* The file loses one more page before each read: what is left must still be right. */
static void every_lost_page_is_a_failed_read(void **state)
{
	(void)state;
	const size_t PAGES = 16;
	struct built *b = built_core();
	char path[32];
	size_t n;
	memset(built_segment(b, 0, PAGES * PAGE), 0x66, PAGES * PAGE);
	const uint8_t *file = built_finish(b, &n);
	int fd = built_memfd(file, n, path);
	struct inq_dump *d;
	struct inq_err err;
	static uint8_t page[PAGE];

	assert_int_equal(inq_dump_open(path, &d, &err), INQ_OK);
	for (size_t left = PAGES; left-- > 0;) {
		assert_int_equal(ftruncate(fd, (off_t)(n - (PAGES - left) * PAGE)), 0);
		for (size_t i = 0; i < PAGES; i++)
			assert_int_equal(inq_read(d->phys, i * PAGE, page, PAGE, &err),
					 i < left ? INQ_OK : INQ_EABSENT);
		touch_dump(d);
	}
	inq_dump_close(d);
	close(fd);
	built_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_failed_allocation_is_an_error),
		cmocka_unit_test(every_failed_call_is_an_error),
		cmocka_unit_test(a_failed_look_at_the_file_is_a_failed_read),
		cmocka_unit_test(every_lost_page_is_a_failed_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
