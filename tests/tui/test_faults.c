/* The TUI when memory runs out: an error or a line of text, never less than a page to look at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/tui/fake.h"
#include "tui/app.h"

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_realloc(void *p, size_t size);

static long left = -1; /* allocations until one fails; negative: none does */

static bool fails(void)
{
	return left >= 0 && left-- == 0;
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return fails() ? NULL : __real_realloc(p, size);
}

/* Many views, then back; true when something of it was refused. */
static bool look_around(struct tui *t)
{
	bool refused = false;

	for (const char *key = "\rqd0+a/loop\rn?qv\r\rjjr\rq"; *key; key++) {
		tui_key(t, (unsigned char)*key);
		assert_non_null(tui_top(t));
		assert_true(!tui_top(t)->rows.nr || tui_top(t)->at < tui_top(t)->rows.nr);
		refused |= t->failed;
	}
	return refused;
}

/* True when no allocation failed. */
static bool survives(long nr)
{
	struct store s = {0};
	struct tui_source src = fake_source(&s);
	struct tui t = {.height = 10, .width = 78};
	struct inq_err err = {0};

	left = nr;
	enum inq_status st = tui_start(&t, &src, &err);
	bool refused = st || t.failed;
	if (st)
		assert_int_equal(st, INQ_ENOMEM);
	else
		refused |= look_around(&t);
	bool failed = left < 0;
	left = -1;
	tui_end(&t);
	assert_true(refused == failed); /* nothing is lost in silence */
	return !failed;
}

static void each_allocation_may_fail(void **state)
{
	long nr = 0;

	(void)state;
	while (!survives(nr))
		nr++;
	assert_true(nr > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(each_allocation_may_fail)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
