/* What libkdumpfile reads for us, and what it cannot do to us when it crashes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <libkdumpfile/kdumpfile.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sanitized.h"
#include "foreign_file.h"
#include "kdump_file.h"
#include "tests/built/built.h"
#include "tests/loader/touch.h"

enum {
	PAGE = FOREIGN_PAGE,
	SLOW = BASE_SANITIZED ? 7
			      : 1, /* each opening forks a process with the sanitizer's memory */
};

/* The page at which the library crashes; ALWAYS: when it opens. */
#define NEVER UINT64_MAX
#define ALWAYS (UINT64_MAX - 1)
static uint64_t crash_at = NEVER;

kdump_status __real_kdump_read(kdump_ctx_t *ctx, kdump_addrspace_t as, kdump_addr_t addr,
			       void *buffer, size_t *n);
kdump_status __wrap_kdump_read(kdump_ctx_t *ctx, kdump_addrspace_t as, kdump_addr_t addr,
			       void *buffer, size_t *n);
kdump_status __wrap_kdump_read(kdump_ctx_t *ctx, kdump_addrspace_t as, kdump_addr_t addr,
			       void *buffer, size_t *n)
{
	if (addr / PAGE == crash_at)
		raise(SIGSEGV);
	return __real_kdump_read(ctx, as, addr, buffer, n);
}

kdump_ctx_t *__real_kdump_new(void);
kdump_ctx_t *__wrap_kdump_new(void);
kdump_ctx_t *__wrap_kdump_new(void)
{
	if (crash_at == ALWAYS)
		raise(SIGSEGV);
	return __real_kdump_new();
}

static const uint64_t pages[] = {0, 1, 2, 5, 9, 40};
enum { NR_PAGES = sizeof(pages) / sizeof(*pages) };

struct opened {
	struct inq_dump *d;
	struct inq_err err;
	enum inq_status st;
	int fd;
};

static struct opened open_file(struct foreign_file f)
{
	struct opened o = {.d = NULL};
	char path[32];

	o.fd = built_memfd(f.p, f.n, path);
	o.st = inq_dump_open(path, &o.d, &o.err);
	free(f.p);
	if (o.st)
		print_message("%s\n", o.err.msg);
	return o;
}

static void close_it(struct opened *o)
{
	inq_dump_close(o->d);
	close(o->fd);
}

static void has_page(const struct inq_dump *d, uint64_t pfn)
{
	uint8_t got[PAGE], wanted[PAGE];
	struct inq_err err = {0};

	memset(wanted, (int)pfn + 1, PAGE);
	if (inq_read(d->phys, pfn * PAGE, got, PAGE, &err))
		print_message("%s\n", err.msg);
	assert_int_equal(err.status, INQ_OK);
	assert_memory_equal(got, wanted, PAGE);
}

static void lacks_page(const struct inq_dump *d, uint64_t pfn, const char *says)
{
	uint8_t got[16];
	struct inq_err err = {0};

	assert_int_equal(inq_read(d->phys, pfn * PAGE + 8, got, 16, &err), INQ_EABSENT);
	assert_non_null(strstr(err.msg, says));
}

static void lkcd_gives_its_pages(bool packed)
{
	struct opened o = open_file(lkcd_build(pages, NR_PAGES, packed, "x86_64"));

	assert_int_equal(o.st, INQ_OK);
	assert_string_equal(o.d->format, "libkdump");
	assert_string_equal(o.d->variant, "LKCD dump");
	assert_int_equal(o.d->nr_extents, 1);
	assert_int_equal(o.d->extents[0].last, 41 * PAGE - 1);
	for (size_t i = 0; i < NR_PAGES; i++)
		has_page(o.d, pages[i]);
	for (size_t i = NR_PAGES; i-- > 0;)
		has_page(o.d, pages[i]);
	lacks_page(o.d, 3, "is missing from the file");
	lacks_page(o.d, 39, "is missing from the file");
	close_it(&o);
}

static void lkcd_gives_its_pages_plain_or_packed(void **state)
{
	(void)state;
	lkcd_gives_its_pages(false);
	lkcd_gives_its_pages(true);
}

/* Red Hat's diskdump is what kdump grew from: header and pages are the same up to the signature. */
static struct foreign_file diskdump(void)
{
	static const struct kdump_page kept[] = {{1, KDUMP_PLAIN, 'a'},
						 {2, KDUMP_ZLIB, 'b'},
						 {3, KDUMP_ZLIB, 'c'},
						 {4, KDUMP_EXCLUDED, 0},
						 {9, KDUMP_PLAIN, 'd'}};
	const struct kdump_spec spec = {.pages = kept, .nr = 5, .version = 1};
	struct kdump_file f = kdump_build(&spec);

	memcpy(f.p, "DISKDUMP", 8);
	return (struct foreign_file){f.p, f.n, f.desc_at};
}

static void has_text(const struct inq_dump *d, uint64_t pfn, char fill)
{
	const struct kdump_page page = {pfn, KDUMP_PLAIN, (uint8_t)fill};
	uint8_t got[PAGE], wanted[PAGE];
	struct inq_err err = {0};

	kdump_content(&page, wanted);
	if (inq_read(d->phys, pfn * PAGE, got, PAGE, &err))
		print_message("%s\n", err.msg);
	assert_int_equal(err.status, INQ_OK);
	assert_memory_equal(got, wanted, PAGE);
}

static void diskdump_tells_what_was_left_out(void **state)
{
	struct opened o = open_file(diskdump());

	(void)state;
	assert_int_equal(o.st, INQ_OK);
	assert_string_equal(o.d->variant, "diskdump");
	assert_int_equal(o.d->nr_extents, 3);
	assert_int_equal(o.d->extents[0].first, PAGE);
	assert_int_equal(o.d->extents[0].last, 4 * PAGE - 1);
	assert_int_equal(o.d->extents[1].kind, INQ_EXTENT_EXCLUDED);
	assert_int_equal(o.d->extents[1].last, 5 * PAGE - 1);
	assert_int_equal(o.d->extents[2].first, 9 * PAGE);
	has_text(o.d, 1, 'a');
	has_text(o.d, 2, 'b');
	has_text(o.d, 3, 'c');
	has_text(o.d, 9, 'd');
	lacks_page(o.d, 4, "was left out of the dump");
	close_it(&o);
}

static void another_machine_is_refused_by_name(void **state)
{
	struct opened o = open_file(lkcd_build(pages, NR_PAGES, false, "i686"));

	(void)state;
	assert_int_equal(o.st, INQ_EUNSUPPORTED);
	assert_non_null(strstr(o.err.msg, "a dump of ia32, not of x86-64"));
	close_it(&o);
}

static void a_crash_costs_one_page(void **state)
{
	(void)state;
	crash_at = 2;
	struct opened o = open_file(lkcd_build(pages, NR_PAGES, true, "x86_64"));
	crash_at = NEVER; /* in the children it goes on */
	assert_int_equal(o.st, INQ_OK);
	crash_at = 2;
	has_page(o.d, 0);
	has_page(o.d, 1);
	lacks_page(o.d, 2, "libkdumpfile died of SIGSEGV");
	has_page(o.d, 5);
	has_page(o.d, 9);
	lacks_page(o.d, 2, "libkdumpfile died of SIGSEGV");
	has_page(o.d, 40);
	crash_at = NEVER;
	close_it(&o);
}

static void a_crash_of_opening_is_an_error(void **state)
{
	(void)state;
	crash_at = ALWAYS;
	struct opened o = open_file(lkcd_build(pages, NR_PAGES, true, "x86_64"));
	crash_at = NEVER;
	assert_int_equal(o.st, INQ_ECORRUPT);
	assert_non_null(strstr(o.err.msg, "libkdumpfile died of SIGSEGV"));
	close_it(&o);
}

/* Errors are fine, deaths of the child too: touch_path ends us when a promise does not hold. */
static void survive(const struct foreign_file *f, size_t from, size_t to, size_t step)
{
	struct inq_err err;
	char path[32];
	int fd = built_memfd(f->p, f->n, path);

	for (size_t at = from; at < to && at < f->n; at += step) {
		uint8_t flipped = f->p[at] ^ (uint8_t)(1u << at % 8);
		assert_int_equal(pwrite(fd, &flipped, 1, (off_t)at), 1);
		(void)touch_path(path, &err);
		assert_int_equal(pwrite(fd, &f->p[at], 1, (off_t)at), 1);
	}
	close(fd);
}

static void survive_cuts(const struct foreign_file *f, size_t step)
{
	struct inq_err err;
	char path[32];
	int fd = built_memfd(f->p, f->n, path);

	for (size_t n = f->n; n > step; n -= step) {
		assert_int_equal(ftruncate(fd, (off_t)n), 0);
		(void)touch_path(path, &err);
	}
	close(fd);
}

static void flips_and_cuts_open_or_say_why(void **state)
{
	struct foreign_file lkcd = lkcd_build(pages, NR_PAGES, true, "x86_64"), disk = diskdump();

	(void)state;
	survive(&lkcd, 8, 64, SLOW);
	survive(&lkcd, 64, 800, 61 * SLOW);
	survive(&lkcd, lkcd.pages_at, lkcd.n, 13 * SLOW);
	survive(&disk, 8, 500, 29 * SLOW);
	survive(&disk, disk.pages_at, disk.pages_at + 200, 7 * SLOW);
	survive_cuts(&lkcd, 4093 * SLOW);
	survive_cuts(&disk, 2039 * SLOW);
	free(lkcd.p);
	free(disk.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lkcd_gives_its_pages_plain_or_packed),
		cmocka_unit_test(diskdump_tells_what_was_left_out),
		cmocka_unit_test(another_machine_is_refused_by_name),
		cmocka_unit_test(a_crash_costs_one_page),
		cmocka_unit_test(a_crash_of_opening_is_an_error),
		cmocka_unit_test(flips_and_cuts_open_or_say_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
