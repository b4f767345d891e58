/* printk's rings, built word by word: whole, wrapped, torn, and such as cannot be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "analyzers/log_ring.h"

enum {
	NR_BITS = 3,
	NR = 1 << NR_BITS,
	SIZE_BITS = 8,
	SIZE = 1 << SIZE_BITS,
	RING = 0x100,
	DESCS = 0x400,
	INFOS = 0x800,
	TEXT = 0x1000,
	MEMORY = 0x2000,
	DESC_BYTES = 24,
	INFO_BYTES = 32,
};
#define BASE 0xffff888000000000ULL
#define COMMITTED (1ULL << 62)
#define FINALIZED (2ULL << 62)
#define REUSABLE (3ULL << 62)
#define FIRST_ID 0x3ffffffffffffff8ULL /* ids begin so that they soon go on at 0 */

#define FIELD(at, bytes)                                                                           \
	{                                                                                          \
		.off = (at), .size = (bytes)                                                       \
	}
static const struct log_prb_shape shape = {
	.count_bits = FIELD(0, 4),
	.descs = FIELD(8, 8),
	.infos = FIELD(16, 8),
	.head_id = FIELD(24, 8),
	.tail_id = FIELD(32, 8),
	.size_bits = FIELD(40, 4),
	.data = FIELD(48, 8),
	.ring_size = 64,
	.state = FIELD(0, 8),
	.begin = FIELD(8, 8),
	.next = FIELD(16, 8),
	.desc_size = DESC_BYTES,
	.seq = FIELD(0, 8),
	.ts = FIELD(8, 8),
	.text_len = FIELD(16, 2),
	.facility = FIELD(18, 1),
	.level = {.off = 19, .size = 1, .shift = 5, .bits = 3},
	.caller = FIELD(20, 4),
	.info_size = INFO_BYTES,
};

struct memory {
	struct inq_space space;
	uint8_t p[MEMORY];
	uint64_t hole; /* 16 bytes that were not dumped; 0: none */
	uint64_t lpos, id, seq;
};

static enum inq_status read_memory(const struct inq_space *self, uint64_t addr, void *buf, size_t n,
				   struct inq_err *err)
{
	const struct memory *m = (const struct memory *)self;

	if (addr < BASE || addr - BASE > MEMORY || n > MEMORY - (addr - BASE))
		return inq_fail_at(err, INQ_EFAULT, addr, "nothing there");
	if (m->hole && addr < m->hole + 16 && addr + n > m->hole)
		return inq_fail_at(err, INQ_EABSENT, m->hole, "not dumped");
	memcpy(buf, m->p + (addr - BASE), n);
	return INQ_OK;
}

static void put(struct memory *m, uint64_t at, uint64_t v, size_t n)
{
	memcpy(m->p + at, &v, n);
}

static uint64_t desc_of(uint64_t id)
{
	return DESCS + (id & (NR - 1)) * DESC_BYTES;
}

static void write_head(struct memory *m, uint64_t tail, uint64_t head)
{
	put(m, RING, NR_BITS, 4);
	put(m, RING + 8, BASE + DESCS, 8);
	put(m, RING + 16, BASE + INFOS, 8);
	put(m, RING + 24, head, 8);
	put(m, RING + 32, tail, 8);
	put(m, RING + 40, SIZE_BITS, 4);
	put(m, RING + 48, BASE + TEXT, 8);
}

/* As printk does: the block in one piece, at the ring's start where it would not fit before. */
static void add(struct memory *m, const char *text, uint64_t state)
{
	size_t n = strlen(text), room = (8 + n + 7) & ~7ULL;
	uint64_t id = m->id++ & ~(3ULL << 62), begin = m->lpos, next = begin + room, at;
	uint64_t info = INFOS + (id & (NR - 1)) * INFO_BYTES;

	at = begin % SIZE;
	if (at + room > SIZE) {
		at = 0;
		next = (begin / SIZE + 1) * SIZE + room;
	}
	put(m, TEXT + at, id, 8);
	memcpy(m->p + TEXT + at + 8, text, n);
	put(m, desc_of(id), state | id, 8);
	put(m, desc_of(id) + 8, begin, 8);
	put(m, desc_of(id) + 16, next, 8);
	put(m, info, m->seq++, 8);
	put(m, info + 8, 1000 * m->seq, 8);
	put(m, info + 16, n, 2);
	put(m, info + 19, 4 << 5 | 1, 1);
	put(m, info + 20, m->seq % 2 ? 0x80000001 : 42, 4);
	m->lpos = next;
	write_head(m, FIRST_ID, id);
}

static struct memory *fresh(void)
{
	static struct memory m;

	m = (struct memory){.space = {.name = "kernel", .read = read_memory}, .id = FIRST_ID};
	write_head(&m, FIRST_ID, FIRST_ID);
	put(&m, desc_of(FIRST_ID), REUSABLE | FIRST_ID, 8);
	return &m;
}

static char said[4096];

static enum inq_status on_record(void *ctx, const struct log_record *r, struct inq_err *err)
{
	size_t n = strlen(said);

	(void)ctx;
	(void)err;
	snprintf(said + n, sizeof(said) - n, "%d<%d>%.*s%s|", (int)r->seq, (int)r->level, (int)r->n,
		 r->text, r->open ? "+" : "");
	return INQ_OK;
}

static enum inq_status on_gap(void *ctx, uint64_t addr, uint64_t length, const struct inq_err *why,
			      struct inq_err *err)
{
	size_t n = strlen(said);

	(void)ctx;
	(void)err;
	(void)addr;
	assert_true(length > 0);
	snprintf(said + n, sizeof(said) - n, "(%s)|", inq_status_name(why->status));
	return INQ_OK;
}

static const struct log_sink sink = {on_record, on_gap, NULL};

static const char *read_all(struct memory *m)
{
	struct inq_err err;

	*said = '\0';
	assert_int_equal(log_prb_each(&m->space, BASE + RING, &shape, &sink, &err), INQ_OK);
	return said;
}

static void records_come_oldest_first(void **state)
{
	struct memory *m = fresh();

	(void)state;
	assert_string_equal(read_all(m), "");
	add(m, "one", FINALIZED);
	add(m, "two\nlines", FINALIZED);
	add(m, "still open", COMMITTED);
	assert_string_equal(read_all(m), "0<4>one|1<4>two\nlines|2<4>still open+|");
}

static void text_that_does_not_fit_lies_at_the_start_of_the_ring(void **state)
{
	struct memory *m = fresh();
	char text[SIZE] = "";

	(void)state;
	memset(text, 'a', SIZE - 64);
	add(m, text, REUSABLE); /* gone already */
	add(m, "the text behind the seam: long enough to wrap", FINALIZED);
	add(m, "next", FINALIZED);
	write_head(m, FIRST_ID + 1, FIRST_ID + 2);
	assert_string_equal(read_all(m),
			    "1<4>the text behind the seam: long enough to wrap|2<4>next|");
}

static void text_may_end_where_the_ring_ends(void **state)
{
	struct memory *m = fresh();
	char text[SIZE] = "", want[SIZE + 16];

	(void)state;
	memset(text, 'b', SIZE - 8);
	add(m, text, FINALIZED);
	snprintf(want, sizeof(want), "0<4>%s|", text);
	assert_string_equal(read_all(m), want);
}

static void a_torn_record_is_a_gap_and_the_others_stay(void **state)
{
	struct memory *m = fresh();

	(void)state;
	for (int i = 0; i < 6; i++)
		add(m, i % 2 ? "odd" : "even", FINALIZED);
	put(m, desc_of(FIRST_ID), FIRST_ID, 8);                /* being written */
	put(m, desc_of(FIRST_ID + 1), FINALIZED | 77, 8);      /* of another turn */
	put(m, TEXT + 2 * 16, 99, 8);                          /* written over */
	put(m, desc_of(FIRST_ID + 3) + 16, m->lpos + 4096, 8); /* no such block */
	m->hole = BASE + INFOS + ((FIRST_ID + 4) & (NR - 1)) * INFO_BYTES;
	assert_string_equal(read_all(m),
			    "(absent)|(corrupt)|(corrupt)|(corrupt)|(absent)|5<4>odd|");
}

static void records_without_text(void **state)
{
	struct memory *m = fresh();

	(void)state;
	add(m, "x", FINALIZED);
	add(m, "y", FINALIZED);
	put(m, desc_of(FIRST_ID) + 8, 3, 8); /* NO_LPOS: empty line */
	put(m, desc_of(FIRST_ID) + 16, 3, 8);
	put(m, desc_of(FIRST_ID + 1) + 8, 1, 8); /* FAILED_LPOS */
	put(m, desc_of(FIRST_ID + 1) + 16, 1, 8);
	assert_string_equal(read_all(m), "0<4>|(corrupt)|");
}

static void a_descriptor_that_was_only_just_taken_is_no_gap(void **state)
{
	struct memory *m = fresh();

	(void)state;
	add(m, "x", FINALIZED);
	write_head(m, FIRST_ID, FIRST_ID + 1);
	assert_string_equal(read_all(m), "0<4>x|");
	put(m, desc_of(FIRST_ID + 1), REUSABLE | ((FIRST_ID + 1 - NR) & ~(3ULL << 62)), 8);
	assert_string_equal(read_all(m), "0<4>x|");
}

static void a_head_that_cannot_be_is_one_gap(void **state)
{
	struct memory *m = fresh();

	(void)state;
	add(m, "x", FINALIZED);
	write_head(m, FIRST_ID, FIRST_ID + NR);
	assert_string_equal(read_all(m), "(corrupt)|");
	write_head(m, FIRST_ID, FIRST_ID);
	put(m, RING, 60, 4);
	assert_string_equal(read_all(m), "(corrupt)|");
	m->hole = BASE + RING;
	assert_string_equal(read_all(m), "(absent)|");
}

static void every_flipped_bit_ends(void **state)
{
	static struct memory was;
	struct memory *m = fresh();

	(void)state;
	for (int i = 0; i < NR; i++)
		add(m, "some text", FINALIZED);
	was = *m;
	for (size_t at = RING; at < TEXT + SIZE; at++)
		for (int bit = 0; bit < 8; bit++) {
			m->p[at] ^= (uint8_t)(1 << bit);
			(void)read_all(m);
			*m = was;
		}
}

enum { OLD_HEAD = 16, OLD_BUF = 0x100, OLD_SIZE = 128 };
static const struct log_old_shape old_shape = {
	.ts = FIELD(0, 8),
	.len = FIELD(8, 2),
	.text_len = FIELD(10, 2),
	.facility = FIELD(14, 1),
	.level = {.off = 15, .size = 1, .shift = 5, .bits = 3},
	.size = OLD_HEAD,
};

static uint32_t add_old(struct memory *m, uint32_t at, const char *text)
{
	size_t n = strlen(text), len = (OLD_HEAD + n + 3) & ~3ULL;

	put(m, OLD_BUF + at + 8, len, 2);
	put(m, OLD_BUF + at + 10, n, 2);
	put(m, OLD_BUF + at + 15, 6 << 5, 1);
	memcpy(m->p + OLD_BUF + at + OLD_HEAD, text, n);
	return at + (uint32_t)len;
}

static const char *read_old(struct memory *m, uint32_t first, uint64_t from, uint64_t to)
{
	const struct log_old ring = {BASE + OLD_BUF, OLD_SIZE, first, from, to};
	struct inq_err err;

	*said = '\0';
	assert_int_equal(log_old_each(&m->space, &ring, &old_shape, &sink, &err), INQ_OK);
	return said;
}

static void the_older_ring_goes_on_at_its_start(void **state)
{
	struct memory *m = fresh();
	uint32_t at = add_old(m, 0, "third");

	(void)state;
	(void)add_old(m, at, "fourth");
	at = add_old(m, 64, "first");
	(void)add_old(m, at, "second");
	assert_string_equal(read_old(m, 64, 7, 11), "7<6>first|8<6>second|9<6>third|10<6>fourth|");
	assert_string_equal(read_old(m, 64, 7, 7), "");
}

static void the_older_ring_ends_where_it_is_broken(void **state)
{
	struct memory *m = fresh();
	uint32_t at = add_old(m, 0, "good");

	(void)state;
	put(m, OLD_BUF + at + 8, 4, 2);
	assert_string_equal(read_old(m, 0, 0, 5), "0<6>good|(corrupt)|");
	put(m, OLD_BUF + at + 8, 0, 2); /* nothing but "good", again and again */
	assert_string_equal(read_old(m, 0, 0, 5000), "0<6>good|(corrupt)|");
	assert_string_equal(read_old(m, 1 << 30, 0, 5), "0<6>good|(corrupt)|");
}

static void lines_that_report_something_are_known(void **state)
{
	static const char *const lines[][2] = {
		{"Kernel panic - not syncing: sysrq triggered crash", "panic"},
		{"BUG: kernel NULL pointer dereference, address: 0000000000000000", "oops"},
		{"general protection fault, probably for non-canonical address", "oops"},
		{"Oops: 0002 [#1] PREEMPT SMP NOPTI", "oops"},
		{"kernel BUG at mm/slub.c:386!", "bug"},
		{"BUG: scheduling while atomic: sh/1/0x00000002", "bug"},
		{"watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [sh:1]", "lockup"},
		{"NMI watchdog: Watchdog detected hard LOCKUP on cpu 1", "lockup"},
		{"rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:", "stall"},
		{"INFO: task sh:1 blocked for more than 120 seconds.", "hung"},
		{"Out of memory: Killed process 77 (hog)", "oom"},
		{"WARNING: CPU: 0 PID: 1 at kernel/x.c:1 f+0x1/0x2", "warning"},
		{"Linux version 6.1.0", NULL},
		{"", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		const char *kind = log_kind(lines[i][0], strlen(lines[i][0]));
		if (lines[i][1])
			assert_string_equal(kind, lines[i][1]);
		else
			assert_null(kind);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_come_oldest_first),
		cmocka_unit_test(text_that_does_not_fit_lies_at_the_start_of_the_ring),
		cmocka_unit_test(text_may_end_where_the_ring_ends),
		cmocka_unit_test(a_torn_record_is_a_gap_and_the_others_stay),
		cmocka_unit_test(records_without_text),
		cmocka_unit_test(a_descriptor_that_was_only_just_taken_is_no_gap),
		cmocka_unit_test(a_head_that_cannot_be_is_one_gap),
		cmocka_unit_test(every_flipped_bit_ends),
		cmocka_unit_test(the_older_ring_goes_on_at_its_start),
		cmocka_unit_test(the_older_ring_ends_where_it_is_broken),
		cmocka_unit_test(lines_that_report_something_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
