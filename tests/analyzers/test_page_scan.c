/* Struct pages in built memory: in one piece, in many, with holes; and what their words say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "analyzers/page_scan.h"
#include "analyzers/page_zones.h"

enum { PER_SECTION = 256, SIZE = 64, SECTION_BYTES = PER_SECTION * SIZE, SECTIONS = 20 };
#define BASE 0xffffea0000000000ULL

#define FIELD(at, bytes)                                                                           \
	{                                                                                          \
		.off = (at), .size = (bytes)                                                       \
	}
static const struct page_shape shape = {
	.flags = FIELD(0, 8),
	.head = FIELD(8, 8),
	.mapping = FIELD(24, 8),
	.index = FIELD(32, 8),
	.private = FIELD(40, 8),
	.mapcount = FIELD(48, 4),
	.refcount = FIELD(52, 4),
	.order = FIELD(17, 1),
	.size = SIZE,
	.slab = 9,
	.reserved = 12,
	.head_flag = 16,
	.flag = {[0] = "locked", [3] = "dirty", [9] = "slab", [12] = "reserved", [16] = "head"},
};

struct memory {
	struct inq_space space;
	uint8_t p[SECTIONS * SECTION_BYTES];
	uint64_t absent, unmapped; /* addresses of 4096 bytes each; 0: none */
	bool in_pieces;
};

static bool in_block(uint64_t addr, size_t n, uint64_t block)
{
	return block && addr < block + 4096 && addr + n > block;
}

static enum inq_status read_memory(const struct inq_space *self, uint64_t addr, void *buf, size_t n,
				   struct inq_err *err)
{
	const struct memory *m = (const struct memory *)self;

	if (addr < BASE || addr - BASE > sizeof(m->p) || n > sizeof(m->p) - (addr - BASE) ||
	    in_block(addr, n, m->unmapped))
		return inq_fail_at(err, INQ_EFAULT, addr, "nothing there");
	if (in_block(addr, n, m->absent))
		return inq_fail_at(err, INQ_EABSENT, addr, "not dumped");
	memcpy(buf, m->p + (addr - BASE), n);
	return INQ_OK;
}

static enum inq_status runs_of(const struct inq_space *self, uint64_t addr, size_t n,
			       struct inq_run *ret, struct inq_err *err)
{
	const struct memory *m = (const struct memory *)self;

	(void)err;
	*ret = (struct inq_run){INQ_RUN_BYTES, m->p + (addr - BASE), m->in_pieces ? 4096 : n};
	return INQ_OK;
}

static struct memory m;
static struct page_map map;

static void put(uint64_t pfn, uint32_t off, uint64_t v, size_t n)
{
	memcpy(m.p + pfn * SIZE + off, &v, n);
}

static int setup(void **state)
{
	(void)state;
	m = (struct memory){.space = {.name = "kernel", .read = read_memory, .runs = runs_of}};
	map = (struct page_map){.sp = &m.space, .per_section = PER_SECTION};
	for (uint64_t pfn = 0; pfn < SECTIONS * PER_SECTION; pfn++) {
		put(pfn, 48, UINT32_MAX, 4); /* _mapcount: not mapped */
		put(pfn, 52, 1, 4);
		put(pfn, 40, pfn, 8);
	}
	for (uint64_t i = 0; i < SECTIONS; i++)
		if (i != 7) /* a hole between sections */
			assert_int_equal(
				page_map_add(&map, i * PER_SECTION, BASE + i * SECTION_BYTES, NULL),
				INQ_OK);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	page_map_deinit(&map);
	return 0;
}

struct seen {
	uint64_t nr, first, last, absent, sum;
	bool in_order;
};

static struct seen look(const struct page_filter *f)
{
	struct page_scan *s = NULL;
	struct seen ret = {.in_order = true};
	struct page_row row;
	bool more = false;

	assert_int_equal(page_scan_open(&map, &shape, f, NULL, NULL, &s, NULL), INQ_OK);
	while (!page_scan_next(s, &row, &more, NULL) && more) {
		ret.in_order = ret.in_order && (!ret.nr || row.pfn > ret.last);
		ret.first = ret.nr++ ? ret.first : row.pfn;
		ret.last = row.pfn;
		if (!row.p) {
			ret.absent += row.nr;
			continue;
		}
		struct page_facts facts;
		page_decode(&shape, &row, &facts);
		assert_int_equal(facts.private, row.pfn);
		assert_int_equal(row.addr, BASE + row.pfn * SIZE);
		ret.sum += facts.refcount == 1;
	}
	page_scan_close(s);
	return ret;
}

enum { ALL = (SECTIONS - 1) * PER_SECTION };

static void every_page_comes_once_and_in_order(void **state)
{
	(void)state;
	for (int pieces = 0; pieces < 2; pieces++) {
		m.in_pieces = pieces;
		struct seen s = look(&page_all);
		assert_int_equal(s.nr, ALL);
		assert_int_equal(s.sum, ALL);
		assert_true(s.in_order);
		assert_int_equal(s.last, SECTIONS * PER_SECTION - 1);
	}
}

static void a_filter_takes_what_fits(void **state)
{
	struct page_filter f = page_all;

	(void)state;
	put(300, 0, 1 | 1 << 3, 8);
	put(301, 0, 1 << 3, 8);
	put(302, 24, 0xffff888000001000ULL, 8);
	f.has = 1 << 3;
	assert_int_equal(look(&f).nr, 2);
	f.lacks = 1;
	assert_int_equal(look(&f).first, 301);
	assert_int_equal(look(&f).nr, 1);
	f = page_all;
	f.mapping_first = f.mapping_last = (int64_t)0xffff888000001000ULL;
	assert_int_equal(look(&f).first, 302);
	assert_int_equal(look(&f).nr, 1);
	f = page_all;
	f.flags_first = f.flags_last = 1 << 3;
	assert_int_equal(look(&f).first, 301);
}

static void a_range_of_numbers_is_inclusive(void **state)
{
	struct page_filter f = page_all;

	(void)state;
	f.first = PER_SECTION - 1;
	f.last = 2 * PER_SECTION;
	struct seen s = look(&f);
	assert_int_equal(s.nr, PER_SECTION + 2);
	assert_int_equal(s.first, f.first);
	assert_int_equal(s.last, f.last);
	f.first = f.last = 7 * PER_SECTION;
	assert_int_equal(look(&f).nr, 0);
	f.first = f.last = 100 * PER_SECTION;
	assert_int_equal(look(&f).nr, 0);
	f.first = 5;
	f.last = 4;
	assert_int_equal(look(&f).nr, 0);
}

static void what_is_not_in_the_dump_is_one_row_and_what_is_not_mapped_none(void **state)
{
	struct page_filter f = page_all;

	(void)state;
	m.in_pieces = true;
	m.absent = BASE + 3 * SECTION_BYTES + 4096;
	m.unmapped = BASE + 9 * SECTION_BYTES;
	struct seen s = look(&page_all);
	assert_int_equal(s.absent, 64);
	assert_int_equal(s.nr, ALL - 64 + 1 - 64);
	f.has = 1; /* may be among those that are absent */
	assert_int_equal(look(&f).nr, 1);
	f.first = f.last = 3 * PER_SECTION + 100;
	assert_int_equal(look(&f).absent, 1);
}

static void a_section_that_nothing_is_known_of_is_absent(void **state)
{
	(void)state;
	map.section[2].pages = 0;
	struct seen s = look(&page_all);
	assert_int_equal(s.absent, PER_SECTION);
	assert_int_equal(s.nr, ALL - PER_SECTION + 1);
}

static void a_slab_and_a_page_with_a_type_have_no_mapping(void **state)
{
	(void)state;
	assert_true(page_has_mapping(&shape, m.p + 4 * SIZE));
	put(4, 0, 1 << 9, 8);
	assert_false(page_has_mapping(&shape, m.p + 4 * SIZE));
	put(5, 48, 0xfffffdffU, 4);
	assert_false(page_has_mapping(&shape, m.p + 5 * SIZE));
	put(6, 48, 7, 4); /* mapped eight times */
	assert_true(page_has_mapping(&shape, m.p + 6 * SIZE));
}

enum { SAMPLES = 320, NODE_AT = 54, ZONE_AT = 51 };
/* Pages of two zones of two nodes, as Debian's kernels lay them out. */
static size_t make_samples(struct page_sample s[SAMPLES], uint32_t nodes)
{
	for (uint32_t i = 0; i < SAMPLES; i++) {
		s[i] = (struct page_sample){
			.pfn = i << PAGE_SECTION_SHIFT, .node = i % nodes, .zone = i / 160 % 2};
		s[i].flags = (uint64_t)s[i].node << NODE_AT | (uint64_t)s[i].zone << ZONE_AT |
			     0x1fffffULL << 30 | i % 64; /* no CPU was last; some flags */
	}
	return SAMPLES;
}

static const struct page_widths debian = {
	.nr_zones = 5, .nodemask = 1024, .section_bits = 19, .nr_flags = 25};

static void the_samples_tell_where_node_and_zone_are(void **state)
{
	struct page_sample s[SAMPLES];
	uint64_t v = 0;

	(void)state;
	for (uint32_t nodes = 1; nodes < 3; nodes++) {
		struct page_layout l = page_layout_solve(&debian, s, make_samples(s, nodes));
		assert_true(l.known);
		assert_int_equal(l.zone.shift, ZONE_AT);
		assert_int_equal(l.zone.width, 3);
		assert_int_equal(l.node.shift, NODE_AT);
		assert_false(page_bits_of(&l.section, UINT64_MAX, &v));
		assert_true(page_bits_of(&l.zone, 5ULL << ZONE_AT | 1, &v));
		assert_int_equal(v, 5);
	}
}

static void sections_and_narrow_nodes_are_told_too(void **state)
{
	const struct page_widths w = {
		.nr_zones = 4, .nodemask = 64, .section_bits = 19, .nr_flags = 25};
	struct page_sample s[SAMPLES];

	(void)state;
	make_samples(s, 2);
	for (uint64_t i = 0; i < SAMPLES; i++)
		s[i].flags = i << 45 | (uint64_t)s[i].node << 39 | (uint64_t)s[i].zone << 37 | 1;
	struct page_layout l = page_layout_solve(&w, s, SAMPLES);
	assert_int_equal(l.section.shift, 45);
	assert_int_equal(l.node.width, 6);
	assert_int_equal(l.zone.shift, 37);
}

static void damage_in_a_few_pages_hides_nothing_and_in_many_all(void **state)
{
	struct page_sample s[SAMPLES];

	(void)state;
	make_samples(s, 1);
	for (int i = 0; i < SAMPLES / 16; i++)
		s[i * 7].flags ^= 1ULL << 60;
	assert_true(page_layout_solve(&debian, s, SAMPLES).known);
	s[1].flags ^= 1ULL << 60;
	assert_false(page_layout_solve(&debian, s, SAMPLES).known);
}

/* One zone, one node, nothing set: any place would fit. */
static void what_samples_do_not_prove_is_unknown(void **state)
{
	const struct page_widths w = {
		.nr_zones = 3, .nodemask = 64, .section_bits = 19, .nr_flags = 25};
	struct page_sample s[SAMPLES] = {{0}};

	(void)state;
	assert_false(page_layout_solve(&w, s, SAMPLES).known);
	assert_false(page_layout_solve(&w, s, 0).known);
	assert_false(page_layout_solve(&debian, s, 0).known);
}

static const char *type_of(uint64_t pfn)
{
	const struct page_row row = {
		.pfn = pfn, .nr = 1, .p = m.p + pfn * SIZE, .next = m.p + (pfn + 1) * SIZE};
	struct page_facts f;

	page_decode(&shape, &row, &f);
	static char text[64];
	snprintf(text, sizeof(text), "%s %d %d %d", f.type, (int)f.order,
		 f.mapcount == INT64_MIN ? -9 : (int)f.mapcount, (int)f.refcount);
	return text;
}

static void words_are_read_as_the_kernel_reads_them(void **state)
{
	(void)state;
	put(1, 48, 0xffffff7fU, 4); /* buddy of order 3 */
	put(1, 40, 3, 8);
	put(1, 52, 0, 4);
	assert_string_equal(type_of(1), "buddy 3 -9 0");
	put(2, 48, 0xfffffdffU, 4);
	assert_string_equal(type_of(2), "table -1 -9 1");
	put(3, 24, 0xffff888000000001ULL, 8);
	put(3, 48, 1, 4);
	assert_string_equal(type_of(3), "anon -1 2 1");
	put(4, 24, 0xffff888000000000ULL, 8);
	assert_string_equal(type_of(4), "file -1 0 1");
	put(5, 0, 1 << 9 | 1 << 16, 8);
	put(6, 17, 2, 1);
	put(6, 8, BASE + 5 * SIZE + 1, 8);
	assert_string_equal(type_of(5), "slab 2 0 1");
	assert_string_equal(type_of(6), "tail -1 0 1");
	assert_string_equal(type_of(9), "other -1 0 1");
	put(9, 52, 0, 4);
	assert_string_equal(type_of(9), "unused -1 0 0");
}

static void flags_have_names(void **state)
{
	char text[64];
	uint64_t bits = 0;
	struct inq_err err;

	(void)state;
	page_flag_names(&shape, 1 | 1 << 3 | 1 << 5 | 1ULL << 60, text, sizeof(text));
	assert_string_equal(text, "locked,dirty");
	page_flag_names(&shape, 1 | 1 << 3, text, 10);
	assert_string_equal(text, "locked");
	assert_int_equal(page_flag_bits(&shape, "dirty,PG_slab", &bits, &err), INQ_OK);
	assert_int_equal(bits, 1 << 3 | 1 << 9);
	assert_int_equal(page_flag_bits(&shape, "dirty,wet", &bits, &err), INQ_ENOTFOUND);
	assert_string_equal(err.msg, "no page flag is named wet");
}

static bool stop(void *ctx, uint64_t done, uint64_t total)
{
	(void)ctx;
	assert_true(done <= total);
	return false;
}

static void who_wants_to_stop_is_heard(void **state)
{
	struct page_scan *s = NULL;
	struct page_row row;
	bool more;

	(void)state;
	assert_int_equal(page_scan_open(&map, &shape, &page_all, stop, NULL, &s, NULL), INQ_OK);
	assert_int_equal(page_scan_next(s, &row, &more, NULL), INQ_EINTR);
	page_scan_close(s);
}

static void a_struct_that_cannot_be_is_refused(void **state)
{
	struct page_shape bad = shape;
	struct page_scan *s = NULL;

	(void)state;
	bad.size = 1 << 20;
	assert_int_equal(page_scan_open(&map, &bad, &page_all, NULL, NULL, &s, NULL), INQ_ECORRUPT);
	bad = shape;
	bad.mapping.off = SIZE - 4;
	assert_int_equal(page_scan_open(&map, &bad, &page_all, NULL, NULL, &s, NULL), INQ_ECORRUPT);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_page_comes_once_and_in_order),
		TEST(a_filter_takes_what_fits),
		TEST(a_range_of_numbers_is_inclusive),
		TEST(what_is_not_in_the_dump_is_one_row_and_what_is_not_mapped_none),
		TEST(a_section_that_nothing_is_known_of_is_absent),
		TEST(a_slab_and_a_page_with_a_type_have_no_mapping),
		TEST(the_samples_tell_where_node_and_zone_are),
		TEST(sections_and_narrow_nodes_are_told_too),
		TEST(damage_in_a_few_pages_hides_nothing_and_in_many_all),
		TEST(what_samples_do_not_prove_is_unknown),
		TEST(words_are_read_as_the_kernel_reads_them),
		TEST(flags_have_names),
		TEST(who_wants_to_stop_is_heard),
		TEST(a_struct_that_cannot_be_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
