/* Memory in SQL: joins, arguments of every kind, no dump at all, and memory that runs out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analyzers/live/live.h"
#include "machine/machine.h"
#include "store/sql.h"
#include "store/store.h"
#include "tests/built/built.h"

static int left = -1; /* allocations until one fails; negative: none does */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

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

void *__wrap_realloc(void *p, size_t n)
{
	return fails_now() ? NULL : __real_realloc(p, n);
}

struct lab {
	struct built *b;
	struct inq_dump *dump;
	struct inq_machine *m;
	struct store *s;
	struct live_host host;
	int fd, asked;
	bool go;
};

static const struct inq_machine *machine_of(void *ctx)
{
	return ((struct lab *)ctx)->m;
}

static bool go_on(void *ctx, uint64_t done, uint64_t total)
{
	struct lab *l = ctx;

	l->asked++;
	assert_true(done <= total);
	return l->go;
}

/* Two pages of memory with a hole between them; the second one's end was left out. */
static int setup(void **state)
{
	static struct lab l;
	struct inq_err err = {0};
	char path[32];
	size_t n;

	l = (struct lab){.b = built_core(), .go = true};
	l.host = (struct live_host){machine_of, go_on, &l};
	memcpy(built_segment(l.b, 0x1000, 0x1000), "first page", 10);
	memcpy(built_segment(l.b, 0x4000, 0x1000), "second page", 11);
	built_memsz(l.b, 0x2000);
	uint8_t *bytes = built_finish(l.b, &n);
	l.fd = built_memfd(bytes, n, path);
	if (inq_dump_open(path, &l.dump, &err) || machine_open(l.dump, &l.m, &err) ||
	    store_create(&l.s, &err) || store_add_machine(l.s, l.m, &err) ||
	    live_register(l.s, &l.host, &err))
		fail_msg("%s", err.msg);
	*state = &l;
	return 0;
}

static int teardown(void **state)
{
	struct lab *l = *state;

	left = -1;
	store_destroy(l->s);
	machine_close(l->m);
	inq_dump_close(l->dump);
	close(l->fd);
	built_free(l->b);
	return 0;
}

/* All cells of the answer, with | between them; or the code of the failure. */
static int ask(const struct lab *l, const char *sql, char *out, size_t n)
{
	sqlite3_stmt *q = NULL;
	int rc = sqlite3_prepare_v2(store_db(l->s), sql, -1, &q, NULL);

	*out = '\0';
	while (!rc && (rc = sqlite3_step(q)) == SQLITE_ROW) {
		for (int i = 0; i < sqlite3_column_count(q); i++) {
			const char *t = (const char *)sqlite3_column_text(q, i);
			strncat(out, t ? t : "-", n - strlen(out) - 1);
			strncat(out, "|", n - strlen(out) - 1);
		}
		rc = 0;
	}
	sqlite3_finalize(q);
	return rc == SQLITE_DONE ? 0 : rc;
}

static void test_answers(void **state)
{
	struct lab *l = *state;
	static const struct {
		const char *sql, *answer;
	} all[] = {
		{"SELECT mem('phys', 4096, 10)", "first page|"},
		{"SELECT mem(1, '0x4000+7', 4)", "page|"},
		{"SELECT mem(1, 8190, 4), mem(1, NULL, 4), mem(1, 4096, 0)", "-|-||"},
		{"SELECT count(*), min(hex64(addr)), max(len) FROM mem_line(1, 4096, 4096)",
		 "256|0x1000|16|"},
		{"SELECT hex64(addr), len, state FROM mem_line(1, 0x1ff8, 0x5000)"
		 " WHERE state <> 'bytes' OR len < 16",
		 "0x1ff8|8|bytes|0x2000|8192|fault|0x5000|4096|absent|0x6000|4088|fault|"},
		{"SELECT state, len FROM mem_line(1, -1, 9223372036854775807)", "fault|1|"},
		{"SELECT count(*) FROM mem_line(1, 0, 0)", "0|"},
		{"SELECT count(*) FROM mem_line(1, 0, -5)", "0|"},
		{"SELECT name, text FROM space s, mem_line(s.space_id, 4096, 5)", "phys|first|"},
		{"SELECT a.text FROM mem_line(1, 4096, 16) l, mem_line(1, l.addr + 6, 4) a",
		 "      page|"},
		{"SELECT tbl, hex64(addr), ok FROM pt_walk('phys', 16384)", "page|0x4000|1|"},
		{"SELECT ok, verdict FROM pt_walk('phys', 0x5000)", "0|the page was not dumped|"},
		{"SELECT state, len FROM dis(1, 0x5ff0, 2)", "absent|16|fault|4096|"},
		{"SELECT state, hex64(addr), len FROM search('page')",
		 "hit|0x1006|4|hit|0x4007|4|unseen|-|4096|"},
		{"SELECT hex64(addr) FROM search('page', 1, 0x1007) WHERE state = 'hit'",
		 "0x4007|"},
		{"SELECT count(*) FROM search('page', 1, 0x1006, 0x1008)", "0|"},
		{"SELECT count(*) FROM search('page', 1, 5, 4)", "0|"},
		{"SELECT count(*) FROM search(NULL)", "0|"},
	};
	char out[1024];

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		if (ask(l, all[i].sql, out, sizeof(out)))
			fail_msg("%s: %s", all[i].sql, sqlite3_errmsg(store_db(l->s)));
		if (strcmp(out, all[i].answer) != 0)
			fail_msg("%s: %s", all[i].sql, out);
	}
	assert_true(l->asked > 0);
}

static void test_wrong_questions_are_errors(void **state)
{
	struct lab *l = *state;
	static const char *const all[] = {
		"SELECT mem('moon', 0, 1)",
		"SELECT mem(99, 0, 1)",
		"SELECT mem(1, 'rip', 1)",
		"SELECT mem(1, 0, 1048577)",
		"SELECT mem(1, 0, -1)",
		"SELECT * FROM mem_line",
		"SELECT * FROM mem_line(1)",
		"SELECT * FROM mem_line(1, 2, 3, 4)",
		"SELECT * FROM pt_walk(1, 'x')",
		"SELECT * FROM dis(1, 0, 1, 63)",
		"SELECT * FROM search('hex:0')",
		"SELECT * FROM search('a', 'moon')",
		"SELECT * FROM search('a', 1, 'x')",
		"INSERT INTO mem_line(addr) VALUES(1)",
		"CREATE TABLE t(a DEFAULT (mem(1, 0, 1))); SELECT 1",
	};
	char out[256];

	for (size_t i = 0; i + 1 < sizeof(all) / sizeof(*all); i++)
		if (!ask(l, all[i], out, sizeof(out)))
			fail_msg("%s: %s", all[i], out);
	/* a schema may not read memory behind anybody's back */
	(void)ask(l, "CREATE VIEW v AS SELECT mem(1, 4096, 1) FROM mem_line(1, 0)", out,
		  sizeof(out));
	assert_int_not_equal(ask(l, "SELECT * FROM v", out, sizeof(out)), 0);
}

static void test_a_search_ends_when_told(void **state)
{
	struct lab *l = *state;
	char out[64];

	l->go = false;
	assert_int_equal(ask(l, "SELECT * FROM search('page')", out, sizeof(out)),
			 SQLITE_INTERRUPT);
}

static void test_without_a_dump_nothing_is_known(void **state)
{
	struct lab *l = *state;
	struct inq_machine *m = l->m;
	char out[64];

	l->m = NULL;
	assert_int_equal(ask(l,
			     "SELECT mem('phys', 4096, 1), (SELECT count(*) FROM"
			     " mem_line('moon', 0)), (SELECT count(*) FROM search('a'))",
			     out, sizeof(out)),
			 0);
	l->m = m;
	assert_string_equal(out, "-|0|0|");
}

static void test_memory_may_run_out_anywhere(void **state)
{
	struct lab *l = *state;
	static const char *const all[] = {
		"SELECT mem(1, 4096, 100)",       "SELECT * FROM mem_line(1, 4096, 100)",
		"SELECT * FROM pt_walk(1, 4096)", "SELECT * FROM dis(1, 4096, 5)",
		"SELECT * FROM search('hex:00')",
	};
	char out[256];

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		int failures = 0, rc, unused;
		do {
			left = failures;
			rc = ask(l, all[i], out, sizeof(out));
			unused = left >= 0;
			left = -1;
			if (!unused)
				if (rc != SQLITE_NOMEM)
					fail_msg("%s: allocation %d: %d", all[i], failures, rc);
			failures++;
		} while (!unused && failures < 100);
		assert_int_equal(rc, 0);
		assert_true(failures > 1);
	}
}

int main(void)
{
#define LAB_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		LAB_TEST(test_answers),
		LAB_TEST(test_wrong_questions_are_errors),
		LAB_TEST(test_a_search_ends_when_told),
		LAB_TEST(test_without_a_dump_nothing_is_known),
		LAB_TEST(test_memory_may_run_out_anywhere),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
