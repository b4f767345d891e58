/* Kdumps: what each way to store a page gives, flattened or not, whole, cut or wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kdump_file.h"
#include "tests/built/built.h"
#include "tests/loader/touch.h"

static const struct kdump_page pages[] = {
	{2, KDUMP_PLAIN, 'p'},   {3, KDUMP_ZLIB, 'z'},  {4, KDUMP_LZO, 'l'},
	{5, KDUMP_SNAPPY, 's'},  {6, KDUMP_ZSTD, 't'},  {7, KDUMP_EXCLUDED, 'x'},
	{64, KDUMP_SAME, '0'},   {65, KDUMP_ZLIB, 'y'}, {66, KDUMP_SAME, '0'},
	{70, KDUMP_BROKEN, 'b'}, {71, KDUMP_HUGE, 'h'}, {72, KDUMP_TWO, '2'},
	{700, KDUMP_ZLIB, 'e'},
};
enum { NR_PAGES = sizeof(pages) / sizeof(*pages) };

static const char info[] = "OSRELEASE=6.1.0-test\nPAGESIZE=4096\n";

static struct kdump_spec whole(void)
{
	return (struct kdump_spec){.pages = pages, .nr = NR_PAGES, .vmcoreinfo = info};
}

struct opened {
	struct inq_dump *d;
	struct inq_err err;
	enum inq_status st;
	int fd;
};

static struct opened open_bytes(const void *p, size_t n)
{
	struct opened o = {.d = NULL};
	char path[32];

	o.fd = built_memfd(p, n, path);
	o.st = inq_dump_open(path, &o.d, &o.err);
	return o;
}

static void close_it(struct opened *o)
{
	inq_dump_close(o->d);
	close(o->fd);
}

static int is_good(const struct kdump_page *p)
{
	return p->how != KDUMP_EXCLUDED && p->how < KDUMP_BROKEN;
}

static void expect_page(const struct inq_dump *d, const struct kdump_page *p)
{
	uint8_t wanted[KDUMP_PAGE], got[KDUMP_PAGE];
	struct inq_err err;

	kdump_content(p, wanted);
	assert_int_equal(inq_read(d->phys, p->pfn * KDUMP_PAGE, got, sizeof(got), &err), INQ_OK);
	assert_memory_equal(got, wanted, sizeof(got));
	assert_int_equal(inq_read(d->phys, p->pfn * KDUMP_PAGE + 4001, got, 95, &err), INQ_OK);
	assert_memory_equal(got, wanted + 4001, 95);
}

static void expect_absent(const struct inq_dump *d, uint64_t pfn, const char *why)
{
	uint8_t got[8];
	struct inq_err err;

	assert_int_equal(inq_read(d->phys, pfn * KDUMP_PAGE + 8, got, sizeof(got), &err),
			 INQ_EABSENT);
	assert_int_equal(err.addr, pfn * KDUMP_PAGE + 8);
	if (!strstr(err.msg, why))
		fail_msg("'%s' does not say '%s'", err.msg, why);
}

static void expect_all(const struct inq_dump *d)
{
	uint8_t byte;

	for (size_t i = 0; i < NR_PAGES; i++)
		if (is_good(&pages[i]))
			expect_page(d, &pages[i]);
	expect_absent(d, 7, "was left out of the dump");
	expect_absent(d, 70, "it cannot be unpacked");
	expect_absent(d, 71, "its size is absurd");
	expect_absent(d, 72, "cannot be");
	assert_int_equal(inq_read(d->phys, 0x1000, &byte, 1, NULL), INQ_EFAULT);
	assert_int_equal(inq_read(d->phys, 701 * KDUMP_PAGE, &byte, 1, NULL), INQ_EFAULT);
}

static void every_way_to_store_a_page_is_read(void **state)
{
	(void)state;
	struct kdump_spec s = whole();
	struct kdump_file f = kdump_build(&s);
	struct opened o = open_bytes(f.p, f.n);

	assert_int_equal(o.st, INQ_OK);
	assert_string_equal(o.d->format, "kdump");
	assert_string_equal(o.d->variant, "kdump");
	expect_all(o.d);
	const struct inq_blob *b = inq_dump_blob(o.d, INQ_SNAP_VM, 0, INQ_BLOB_VMCOREINFO);
	assert_non_null(b);
	assert_int_equal(b->n, strlen(info));
	assert_memory_equal(b->p, info, b->n);
	close_it(&o);
	free(f.p);
}

static void what_is_together_is_one_extent(void **state)
{
	(void)state;
	static const struct inq_extent wanted[] = {
		{2 * 4096, 7 * 4096 - 1, INQ_EXTENT_BYTES, INQ_NO_OFFSET},
		{7 * 4096, 8 * 4096 - 1, INQ_EXTENT_EXCLUDED, INQ_NO_OFFSET},
		{64 * 4096, 67 * 4096 - 1, INQ_EXTENT_BYTES, INQ_NO_OFFSET},
		{70 * 4096, 73 * 4096 - 1, INQ_EXTENT_BYTES, INQ_NO_OFFSET},
		{700 * 4096, 701 * 4096 - 1, INQ_EXTENT_BYTES, INQ_NO_OFFSET},
	};
	struct kdump_spec s = whole();
	struct kdump_file f = kdump_build(&s);
	struct opened o = open_bytes(f.p, f.n);

	assert_int_equal(o.d->nr_extents, sizeof(wanted) / sizeof(*wanted));
	for (size_t i = 0; i < o.d->nr_extents; i++) {
		assert_int_equal(o.d->extents[i].first, wanted[i].first);
		assert_int_equal(o.d->extents[i].last, wanted[i].last);
		assert_int_equal(o.d->extents[i].kind, wanted[i].kind);
	}
	close_it(&o);
	free(f.p);
}

static void a_plain_page_is_not_copied_a_packed_one_says_so(void **state)
{
	(void)state;
	struct kdump_spec s = whole();
	struct kdump_file f = kdump_build(&s);
	struct opened o = open_bytes(f.p, f.n);
	struct inq_run run;
	uint8_t wanted[KDUMP_PAGE];

	kdump_content(&pages[0], wanted);
	assert_int_equal(inq_runs(o.d->phys, 2 * 4096 + 5, 9000, &run, NULL), INQ_OK);
	assert_int_equal(run.kind, INQ_RUN_BYTES);
	assert_int_equal(run.len, 4096 - 5);
	assert_memory_equal(run.p, wanted + 5, run.len);
	assert_int_equal(inq_runs(o.d->phys, 3 * 4096, 100 * 4096, &run, NULL), INQ_OK);
	assert_int_equal(run.kind, INQ_RUN_PACKED);
	assert_true(run.len >= 4096 && run.len % 4096 == 0 && run.len <= 4 * 4096);
	assert_int_equal(inq_runs(o.d->phys, 7 * 4096, 4096, &run, NULL), INQ_OK);
	assert_int_equal(run.kind, INQ_RUN_ABSENT);
	close_it(&o);
	free(f.p);
}

static void a_flattened_stream_is_the_same_whatever_its_order(void **state)
{
	(void)state;
	struct kdump_spec s = whole();
	struct kdump_file f = kdump_build(&s);

	for (unsigned int seed = 1; seed <= 20; seed++) {
		size_t record = seed % 2 ? 4096 : 100 + 37 * seed; /* also across pages' ends */
		struct kdump_file flat = kdump_flatten(&f, record, seed, 1);
		struct opened o = open_bytes(flat.p, flat.n);
		assert_int_equal(o.st, INQ_OK);
		assert_string_equal(o.d->variant, "kdump, flattened");
		assert_int_equal(o.d->nr_damages, 0);
		expect_all(o.d);
		close_it(&o);
		free(flat.p);
	}
	free(f.p);
}

static void a_stream_without_its_end_says_so(void **state)
{
	(void)state;
	struct kdump_spec s = whole();
	struct kdump_file f = kdump_build(&s), flat = kdump_flatten(&f, 4096, 1, 0);
	struct opened o = open_bytes(flat.p, flat.n);

	assert_int_equal(o.st, INQ_OK);
	assert_int_equal(o.d->nr_damages, 1);
	assert_non_null(strstr(o.d->damages[0].message, "before the end of the flattened stream"));
	expect_all(o.d);
	close_it(&o);
	free(flat.p);
	free(f.p);
}

static void a_cut_file_tells_how_many_pages_it_lost(void **state)
{
	(void)state;
	static const struct kdump_page zeros_last[] = {{0, KDUMP_SAME, '0'},  {1, KDUMP_ZLIB, 'a'},
						       {2, KDUMP_PLAIN, 'b'}, {3, KDUMP_SAME, '0'},
						       {4, KDUMP_SAME, '0'},  {5, KDUMP_SAME, '0'}};
	struct kdump_spec s = {.pages = zeros_last, .nr = 6};
	struct kdump_file f = kdump_build(&s);
	struct opened o = open_bytes(f.p, f.n - 1);

	assert_int_equal(o.st, INQ_OK);
	assert_int_equal(o.d->nr_damages, 1);
	assert_non_null(strstr(o.d->damages[0].message, "1 of 6 pages (16 % of memory)"));
	uint8_t page[KDUMP_PAGE];
	assert_int_equal(inq_read(o.d->phys, 2 * KDUMP_PAGE, page, sizeof(page), NULL),
			 INQ_EABSENT);
	expect_page(o.d, &zeros_last[0]);
	expect_page(o.d, &zeros_last[1]);
	expect_page(o.d, &zeros_last[5]);
	close_it(&o);
	o = open_bytes(f.p, f.n);
	assert_int_equal(o.d->nr_damages, 0);
	close_it(&o);
	free(f.p);
}

static void a_part_of_a_split_dump_has_its_own_pages(void **state)
{
	(void)state;
	struct kdump_spec s = whole();
	s.split_first = 5;
	s.split_last = 66;
	struct kdump_file f = kdump_build(&s);
	struct opened o = open_bytes(f.p, f.n);

	assert_int_equal(o.st, INQ_OK);
	assert_int_equal(o.d->nr_damages, 1);
	assert_non_null(strstr(o.d->damages[0].message, "split"));
	for (size_t i = 0; i < NR_PAGES; i++) {
		if (!is_good(&pages[i]))
			continue;
		if (pages[i].pfn >= 5 && pages[i].pfn < 66)
			expect_page(o.d, &pages[i]);
		else
			expect_absent(o.d, pages[i].pfn, "is missing from the file");
	}
	close_it(&o);
	free(f.p);
}

static void expect_refused(const struct kdump_file *f, enum inq_status st, const char *part)
{
	struct opened o = open_bytes(f->p, f->n);

	assert_int_equal(o.st, st);
	if (!strstr(o.err.msg, part))
		fail_msg("'%s' does not say '%s'", o.err.msg, part);
	close_it(&o);
}

static void what_it_cannot_be_is_refused(void **state)
{
	(void)state;
	struct kdump_spec s = whole();
	s.machine = "aarch64";
	struct kdump_file f = kdump_build(&s);
	expect_refused(&f, INQ_EUNSUPPORTED, "of machine 'aarch64', not of x86-64");
	free(f.p);
	s = whole();
	s.version = 7;
	f = kdump_build(&s);
	expect_refused(&f, INQ_EUNSUPPORTED, "version 7");
	f.p[8] = 6;
	f.p[429] = 0x80; /* blocks of 32 KiB */
	expect_refused(&f, INQ_EUNSUPPORTED, "blocks of 32768 bytes");
	f.p[429] = 0x10;
	f.p[439] = 0xff; /* blocks of bitmaps */
	expect_refused(&f, INQ_ELIMIT, "blocks of bitmaps");
	f.n = 100;
	expect_refused(&f, INQ_ECORRUPT, "ends inside its kdump header");
	free(f.p);
}

enum { FIRST = 0x1000, SECOND = 0x8000, FIRST_N = 0x2000, SECOND_N = 0x3000 };

/* Two segments, and registers of a CPU. */
static struct kdump_file elf_core(void)
{
	struct built *b = built_core();
	struct kdump_file ret = {0};

	memset(built_segment(b, FIRST, FIRST_N), 0x11, FIRST_N);
	memset(built_segment(b, SECOND, SECOND_N), 0x22, SECOND_N);
	built_memsz(b, SECOND_N + KDUMP_PAGE);
	built_note(b, "VMCOREINFO", 0, info, sizeof(info) - 1);
	const uint8_t *p = built_finish(b, &ret.n);
	ret.p = malloc(ret.n);
	assert_non_null(ret.p);
	memcpy(ret.p, p, ret.n);
	built_free(b);
	return ret;
}

static void expect_bytes(const struct inq_dump *d, uint64_t addr, size_t n, int byte)
{
	uint8_t got[SECOND_N], wanted[SECOND_N];
	struct inq_err err = {0};

	memset(wanted, byte, n);
	if (inq_read(d->phys, addr, got, n, &err))
		fail_msg("%s", err.msg);
	assert_memory_equal(got, wanted, n);
}

static void a_flattened_elf_core_is_an_elf_core(void **state)
{
	(void)state;
	static const size_t records[] = {1000, 4096, 8192, 1 << 20};
	struct kdump_file f = elf_core();

	for (unsigned i = 0; i < sizeof(records) / sizeof(*records); i++) {
		struct kdump_file flat = kdump_flatten(&f, records[i], i, 1);
		struct opened o = open_bytes(flat.p, flat.n);
		assert_int_equal(o.st, INQ_OK);
		assert_string_equal(o.d->format, "elfcore");
		assert_string_equal(o.d->variant, "elf core, flattened");
		assert_int_equal(o.d->nr_damages, 0);
		assert_non_null(inq_dump_blob(o.d, INQ_SNAP_VM, 0, INQ_BLOB_VMCOREINFO));
		expect_bytes(o.d, FIRST, FIRST_N, 0x11);
		expect_bytes(o.d, SECOND, SECOND_N, 0x22);
		expect_absent(o.d, (SECOND + SECOND_N) / KDUMP_PAGE, "was left out of the dump");
		close_it(&o);
		free(flat.p);
	}
	free(f.p);
}

static void a_cut_flattened_elf_core_tells_its_loss(void **state)
{
	(void)state;
	struct kdump_file f = elf_core(), flat = kdump_flatten(&f, f.n, 1, 0);
	struct opened o = open_bytes(flat.p, flat.n - KDUMP_PAGE);

	assert_int_equal(o.st, INQ_OK);
	assert_int_equal(o.d->nr_damages, 2);
	assert_non_null(strstr(o.d->damages[1].message, "1 of 2 segments and 16 % of memory"));
	expect_bytes(o.d, FIRST, FIRST_N, 0x11);
	expect_bytes(o.d, SECOND, SECOND_N - KDUMP_PAGE, 0x22);
	expect_absent(o.d, (SECOND + SECOND_N) / KDUMP_PAGE - 1, "is missing from the file");
	close_it(&o);
	free(flat.p);
	free(f.p);
}

static void makedumpfile_without_space_is_told(void **state)
{
	(void)state;
	struct kdump_spec s = whole();
	s.status = 8;
	struct kdump_file f = kdump_build(&s);
	struct opened o = open_bytes(f.p, f.n);

	assert_int_equal(o.d->nr_damages, 1);
	assert_non_null(strstr(o.d->damages[0].message, "no space left"));
	close_it(&o);
	free(f.p);
}

static void older_versions_open(void **state)
{
	(void)state;
	for (uint32_t version = 1; version <= 5; version++) {
		struct kdump_spec s = whole();
		s.version = version;
		struct kdump_file f = kdump_build(&s);
		struct opened o = open_bytes(f.p, f.n);
		assert_int_equal(o.st, INQ_OK);
		expect_all(o.d);
		assert_true((version >= 3) ==
			    (inq_dump_blob(o.d, INQ_SNAP_VM, 0, INQ_BLOB_VMCOREINFO) != NULL));
		close_it(&o);
		free(f.p);
	}
}

/* Every length that ends inside what is parsed, and every bit of it the other way. */
static void sweep(const struct kdump_file *f, const size_t (*parsed)[2], size_t nr)
{
	char path[32];
	struct inq_err err;
	int fd = built_memfd(f->p, f->n, path);

	for (size_t i = 0; i < nr; i++) {
		for (size_t bit = 8 * parsed[i][0]; bit < 8 * parsed[i][1]; bit++) {
			uint8_t flipped = (uint8_t)(f->p[bit / 8] ^ 1u << bit % 8);
			assert_int_equal(pwrite(fd, &flipped, 1, (off_t)(bit / 8)), 1);
			(void)touch_path(path, &err);
			assert_int_equal(pwrite(fd, &f->p[bit / 8], 1, (off_t)(bit / 8)), 1);
		}
	}
	for (size_t i = nr; i-- > 0;)
		for (size_t n = parsed[i][1] + 1; n-- > parsed[i][0];) {
			assert_int_equal(ftruncate(fd, (off_t)n), 0);
			(void)touch_path(path, &err);
		}
	close(fd);
}

static const struct kdump_page few[] = {{1, KDUMP_ZLIB, 'z'}, {2, KDUMP_PLAIN, 'p'},
					{3, KDUMP_ZSTD, 't'}, {4, KDUMP_EXCLUDED, 'x'},
					{5, KDUMP_LZO, 'l'},  {6, KDUMP_SNAPPY, 's'}};

static void every_flip_and_every_cut_opens_or_says_why(void **state)
{
	(void)state;
	struct kdump_spec s = {.pages = few, .nr = 6, .vmcoreinfo = "A=1\n"};
	struct kdump_file f = kdump_build(&s);
	size_t half = (f.desc_at - f.bitmap_at) / 2;
	const size_t parsed[][2] = {{0, 20},
				    {265, 285},
				    {424, 464},
				    {4096, 4096 + 104},
				    {f.bitmap_at, f.bitmap_at + 2},
				    {f.bitmap_at + half, f.bitmap_at + half + 2},
				    {f.desc_at, f.desc_at + f.desc_n},
				    {f.n - 64, f.n}};
	sweep(&f, parsed, sizeof(parsed) / sizeof(*parsed));
	struct kdump_file flat = kdump_flatten(&f, 8192, 3, 1);
	const size_t records[][2] = {{0, 32}, {4096, 4096 + 96}, {flat.n - 64, flat.n}};
	sweep(&flat, records, 3);
	free(flat.p);
	free(f.p);
	f = elf_core();
	flat = kdump_flatten(&f, f.n, 3, 1);
	const size_t headers[][2] = {{0, 32}, {4096, 4096 + 512}, {flat.n - 64, flat.n}};
	sweep(&flat, headers, 3);
	free(flat.p);
	free(f.p);
}

/* usage: test_kdump [FILE FLAT-FILE]: instead of testing, write two seeds for the fuzzer. */
static int write_seeds(char **path)
{
	struct kdump_spec s = {.pages = few, .nr = 6, .vmcoreinfo = "A=1\n"};
	struct kdump_file f[2] = {kdump_build(&s)};
	int bad = 0;

	f[1] = kdump_flatten(&f[0], 4096, 3, 1);
	for (int i = 0; i < 2; i++) {
		FILE *out = fopen(path[i], "wb");
		bad |= !out || fwrite(f[i].p, 1, f[i].n, out) != f[i].n || fclose(out);
		free(f[i].p);
	}
	return bad;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_way_to_store_a_page_is_read),
		cmocka_unit_test(what_is_together_is_one_extent),
		cmocka_unit_test(a_plain_page_is_not_copied_a_packed_one_says_so),
		cmocka_unit_test(a_flattened_stream_is_the_same_whatever_its_order),
		cmocka_unit_test(a_stream_without_its_end_says_so),
		cmocka_unit_test(a_cut_file_tells_how_many_pages_it_lost),
		cmocka_unit_test(a_part_of_a_split_dump_has_its_own_pages),
		cmocka_unit_test(what_it_cannot_be_is_refused),
		cmocka_unit_test(a_flattened_elf_core_is_an_elf_core),
		cmocka_unit_test(a_cut_flattened_elf_core_tells_its_loss),
		cmocka_unit_test(makedumpfile_without_space_is_told),
		cmocka_unit_test(older_versions_open),
		cmocka_unit_test(every_flip_and_every_cut_opens_or_says_why),
	};

	if (argc == 3)
		return write_seeds(argv + 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
