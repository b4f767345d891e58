/* Searches beside a simple one over the same bytes: pieces of every kind, threads, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "machine/search.h"

enum { BASE = 0x10000, BYTES = 3 << 20, PAGE = 4096 };

/* Memory whose pages are stored in different ways; a page number's hash decides. */
struct lab {
	struct inq_space sp;
	uint8_t *p;
	struct inq_dump dump;
	struct inq_extent extent;
	struct inq_machine m;
	bool runs, holes;
};

enum page_kind { BYTES_PAGE, PACKED_PAGE, ABSENT_PAGE, HOLE_PAGE };

static enum page_kind kind_of(const struct lab *l, uint64_t addr)
{
	uint64_t h = (addr / PAGE) * 2654435761u >> 7 & 31;

	if (h == 0 && l->holes)
		return ABSENT_PAGE;
	if (h == 1 && l->holes)
		return HOLE_PAGE;
	return h < 8 ? PACKED_PAGE : BYTES_PAGE;
}

static enum inq_status lab_read(const struct inq_space *self, uint64_t addr, void *buf, size_t n,
				struct inq_err *err)
{
	const struct lab *l = (const struct lab *)self;

	for (size_t i = 0; i < n; i++) {
		uint64_t at = addr + i;
		if (at < BASE || at >= BASE + BYTES || kind_of(l, at) == HOLE_PAGE)
			return inq_fail_at(err, INQ_EFAULT, at, "no memory");
		if (kind_of(l, at) == ABSENT_PAGE)
			return inq_fail_at(err, INQ_EABSENT, at, "not dumped");
		((uint8_t *)buf)[i] = l->p[at - BASE];
	}
	return INQ_OK;
}

static enum inq_status lab_runs(const struct inq_space *self, uint64_t addr, size_t n,
				struct inq_run *ret, struct inq_err *err)
{
	const struct lab *l = (const struct lab *)self;
	size_t len = PAGE - addr % PAGE < n ? PAGE - addr % PAGE : n;

	if (addr < BASE || addr >= BASE + BYTES || kind_of(l, addr) == HOLE_PAGE)
		return inq_fail_at(err, INQ_EFAULT, addr, "no memory");
	*ret = (struct inq_run){.kind = INQ_RUN_BYTES, .p = l->p + (addr - BASE), .len = len};
	if (kind_of(l, addr) == BYTES_PAGE)
		return INQ_OK;
	ret->kind = kind_of(l, addr) == ABSENT_PAGE ? INQ_RUN_ABSENT : INQ_RUN_PACKED;
	ret->p = NULL;
	return INQ_OK;
}

static struct lab *lab_new(bool runs, bool holes)
{
	struct lab *l = calloc(1, sizeof(*l));
	uint32_t rnd = 7;

	assert_non_null(l);
	l->p = malloc(BYTES);
	assert_non_null(l->p);
	for (size_t i = 0; i < BYTES; i++) {
		rnd = rnd * 1664525 + 1013904223;
		l->p[i] = (uint8_t)(rnd >> 28); /* few values, so that much is almost a hit */
	}
	l->sp = (struct inq_space){
		.name = "phys", .read = lab_read, .runs = runs ? lab_runs : NULL};
	l->runs = runs;
	l->holes = holes;
	l->extent = (struct inq_extent){.first = BASE, .last = BASE + BYTES - 1};
	l->dump = (struct inq_dump){.phys = &l->sp, .extents = &l->extent, .nr_extents = 1};
	l->m = (struct inq_machine){.dump = &l->dump};
	return l;
}

static void lab_free(struct lab *l)
{
	free(l->p);
	free(l);
}

/* Is there a hit, by what the pattern says of itself? */
static bool hits(const struct lab *l, const struct machine_pattern *pt, uint64_t addr)
{
	uint8_t buf[MACHINE_PATTERN_MAX];
	uint64_t v = 0;

	if (lab_read(&l->sp, addr, buf, pt->n, NULL) || (pt->starts_page && addr % PAGE))
		return false;
	for (size_t i = 0; pt->is_value && i < pt->n; i++)
		v |= (uint64_t)buf[i] << (8 * i);
	if (pt->is_value)
		return addr % pt->n == 0 && v >= pt->first && v <= pt->last;
	for (size_t i = 0; i < pt->n; i++)
		if (pt->mask[i] && buf[i] != pt->bytes[i])
			return false;
	return true;
}

static size_t compare_pattern(const struct lab *l, const char *what, struct machine_pattern pt,
			      uint64_t first, uint64_t last)
{
	struct machine_search *s = NULL;
	struct inq_err err = {0};
	uint64_t addr = 0, at = first;
	bool more = true;
	size_t nr = 0;

	if (machine_search_open(&l->m, &l->sp, first, last, &pt, NULL, NULL, &s, &err))
		fail_msg("%s", err.msg);
	for (;; nr++) {
		assert_int_equal(machine_search_next(s, &addr, &more, &err), INQ_OK);
		for (; at <= last && at < BASE + BYTES && (!more || at < addr); at++)
			if (last - at >= pt.n - 1 && hits(l, &pt, at))
				fail_msg("%s at 0x%llx was not found", what,
					 (unsigned long long)at);
		if (!more)
			break;
		if (addr != at || !hits(l, &pt, addr) || last - addr < pt.n - 1)
			fail_msg("%s is not at 0x%llx", what, (unsigned long long)addr);
		at = addr + 1;
	}
	assert_int_equal(machine_search_next(s, &addr, &more, &err), INQ_OK);
	assert_false(more);
	machine_search_close(s);
	return nr;
}

static size_t compare(const struct lab *l, const char *what, uint64_t first, uint64_t last)
{
	struct machine_pattern pt;

	assert_int_equal(machine_pattern(what, &pt, NULL), INQ_OK);
	return compare_pattern(l, what, pt, first, last);
}

static void test_hits_at_page_starts_only(void **state)
{
	(void)state;

	for (int how = 0; how < 4; how++) {
		struct lab *l = lab_new(how & 1, how & 2);
		struct machine_pattern pt;
		assert_int_equal(machine_pattern("hex:0102", &pt, NULL), INQ_OK);
		pt.starts_page = true;
		for (size_t at = 0; at < BYTES; at += 3 * PAGE)
			memcpy(l->p + at, "\x01\x02", 2);
		assert_true(compare_pattern(l, "pages", pt, 0, UINT64_MAX) > BYTES / PAGE / 4);
		assert_true(compare_pattern(l, "pages", pt, BASE + 1, BASE + 9 * PAGE + 1) < 4);
		assert_int_equal(compare_pattern(l, "pages", pt, BASE + 1, BASE + PAGE - 1), 0);
		lab_free(l);
	}
}

static void test_every_hit_is_found(void **state)
{
	(void)state;
	static const char *const whats[] = {
		"hex:0102030405",
		"hex:00000000",
		"hex:01..03..05",
		"hex:0f0f0f",
		"u16:0x0102",
		"u32:0x0102-0x10203",
		"u64:0x100000000000000-0x102030405060708",
		"hex:0a......................0b0c",
	};

	for (int how = 0; how < 4; how++) {
		struct lab *l = lab_new(how & 1, how & 2);
		for (size_t i = 0; i < sizeof(whats) / sizeof(*whats); i++)
			assert_true(compare(l, whats[i], 0, UINT64_MAX) > 0);
		assert_true(compare(l, "hex:0102", BASE + 4095, BASE + (1 << 20)) > 0);
		assert_int_equal(compare(l, "hex:0102", 0, BASE), 0);
		assert_int_equal(compare(l, "hex:0102", BASE + BYTES - 1, UINT64_MAX), 0);
		lab_free(l);
	}
}

/* A chunk has room for fewer hits than this one has. */
static void test_more_hits_than_a_chunk_has_room_for(void **state)
{
	(void)state;
	struct lab *l = lab_new(true, false);

	memset(l->p, 0x77, 300000);
	assert_true(compare(l, "hex:7777", 0, UINT64_MAX) == 299999);
	lab_free(l);
}

static void test_a_long_pattern_over_many_pages(void **state)
{
	(void)state;
	struct lab *l = lab_new(true, false);
	enum { CHUNK = 3 << 18 }; /* of one thread: a hit at each of its ends */
	char what[4 + 2 * MACHINE_PATTERN_MAX + 3] = "hex:";

	for (size_t i = 0; i < MACHINE_PATTERN_MAX; i++)
		strcat(what, "99");
	for (size_t i = 0; i < BYTES; i += CHUNK)
		memset(l->p + i + CHUNK - 100, 0x99, i + CHUNK < BYTES ? 256 : 100);
	assert_int_equal(compare(l, what, 0, UINT64_MAX), BYTES / CHUNK - 1);
	strcat(what, "99");
	struct machine_pattern pt;
	assert_int_equal(machine_pattern(what, &pt, NULL), INQ_EUSAGE); /* one too long */
	lab_free(l);
}

static void test_what_was_not_seen_is_counted(void **state)
{
	(void)state;
	struct lab *l = lab_new(true, true);
	struct machine_pattern pt;
	struct machine_search *s = NULL;
	uint64_t addr, absent = 0;
	bool more;

	for (uint64_t at = BASE; at < BASE + BYTES; at += PAGE)
		absent += kind_of(l, at) == ABSENT_PAGE ? PAGE : 0;
	for (int runs = 0; runs < 2; runs++) {
		l->sp.runs = runs ? lab_runs : NULL;
		assert_int_equal(machine_pattern("hex:eeeeeeeeeeee", &pt, NULL), INQ_OK);
		assert_int_equal(machine_search_open(&l->m, &l->sp, 0, UINT64_MAX, &pt, NULL, NULL,
						     &s, NULL),
				 INQ_OK);
		assert_int_equal(machine_search_next(s, &addr, &more, NULL), INQ_OK);
		assert_false(more);
		assert_true(absent && machine_search_unseen(s) == absent);
		machine_search_close(s);
	}
	lab_free(l);
}

static bool stop_at_half(void *ctx, uint64_t done, uint64_t total)
{
	*(int *)ctx += 1;
	assert_true(total == BYTES && done <= BYTES + (1 << 20));
	return done < total / 2;
}

static void test_it_stops_when_told(void **state)
{
	(void)state;
	struct lab *l = lab_new(true, false);
	struct machine_pattern pt;
	struct machine_search *s = NULL;
	int asked = 0;
	uint64_t addr;
	bool more;

	assert_int_equal(machine_pattern("hex:eeee", &pt, NULL), INQ_OK);
	assert_int_equal(machine_search_open(&l->m, &l->sp, 0, UINT64_MAX, &pt, stop_at_half,
					     &asked, &s, NULL),
			 INQ_OK);
	assert_int_equal(machine_search_next(s, &addr, &more, NULL), INQ_EINTR);
	assert_true(asked > 1);
	machine_search_close(s);
	machine_search_close(NULL);
	lab_free(l);
}

static void test_patterns_as_written(void **state)
{
	(void)state;
	static const char *const bad[] = {"",         "text:",       "utf16:",
					  "hex:",     "hex:0",       "hex:0g",
					  "hex:..00", "hex:00..",    "hex:.0",
					  "u8:256",   "u16:0x10000", "u32:-1",
					  "u64:",     "u64:2-1",     "u64:0x1-0x",
					  "ptr:x",    "ptr:1-2-3",   "u8:0x100000000000000000"};
	struct machine_pattern pt;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (machine_pattern(bad[i], &pt, NULL) != INQ_EUSAGE)
			fail_msg("%s is a pattern", bad[i]);
	assert_int_equal(machine_pattern("hex:f4..FD", &pt, NULL), INQ_OK);
	assert_true(pt.n == 3 && pt.bytes[2] == 0xfd && !pt.mask[1]);
	assert_int_equal(machine_pattern("text:u8:1", &pt, NULL), INQ_OK);
	assert_true(pt.n == 4 && !memcmp(pt.bytes, "u8:1", 4));
	assert_int_equal(machine_pattern("utf16:ab", &pt, NULL), INQ_OK);
	assert_true(pt.n == 4 && !memcmp(pt.bytes, "a\0b\0", 4));
	assert_int_equal(machine_pattern("ptr:0xffff888000000000-0xffffffffffffffff", &pt, NULL),
			 INQ_OK);
	assert_true(pt.is_value && pt.n == 8 && pt.last == UINT64_MAX);
	assert_int_equal(machine_pattern("swapper/0", &pt, NULL), INQ_OK);
	assert_true(pt.n == 9 && !pt.is_value);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_patterns_as_written),
		cmocka_unit_test(test_every_hit_is_found),
		cmocka_unit_test(test_hits_at_page_starts_only),
		cmocka_unit_test(test_more_hits_than_a_chunk_has_room_for),
		cmocka_unit_test(test_a_long_pattern_over_many_pages),
		cmocka_unit_test(test_what_was_not_seen_is_counted),
		cmocka_unit_test(test_it_stops_when_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
