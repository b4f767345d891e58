/* The small things under everything: error chains, spans, text for terminals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/span.h"
#include "base/text.h"

#include <inquest/space.h>

static void an_error_reads_outermost_first(void **state)
{
	(void)state;
	struct inq_err err;
	enum inq_status st = inq_fail(&err, INQ_ECORRUPT, "note %d", 7);

	st = inq_wrap(&err, inq_wrap(&err, st, "notes"), "%s", "a.core");
	assert_int_equal(st, INQ_ECORRUPT);
	assert_int_equal(err.status, INQ_ECORRUPT);
	assert_string_equal(err.msg, "a.core: notes: note 7");
}

static void wrapping_keeps_the_address(void **state)
{
	(void)state;
	struct inq_err err;
	enum inq_status st = inq_fail_at(&err, INQ_EABSENT, 0x1234, "gone");

	assert_int_equal(inq_wrap(&err, st, "phys"), INQ_EABSENT);
	assert_int_equal(err.addr, 0x1234);
}

static void wrapping_success_changes_nothing(void **state)
{
	(void)state;
	struct inq_err err = {.msg = "untouched"};

	assert_int_equal(inq_wrap(&err, INQ_OK, "context"), INQ_OK);
	assert_string_equal(err.msg, "untouched");
}

static void an_error_without_a_taker_is_still_an_error(void **state)
{
	(void)state;
	assert_int_equal(inq_fail(NULL, INQ_EIO, "x"), INQ_EIO);
	assert_int_equal(inq_fail_at(NULL, INQ_EFAULT, 1, "x"), INQ_EFAULT);
	assert_int_equal(inq_wrap(NULL, INQ_EIO, "x"), INQ_EIO);
}

static void a_message_too_long_ends_in_dots(void **state)
{
	(void)state;
	struct inq_err err;
	char big[400];

	memset(big, 'a', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	inq_fail(&err, INQ_EIO, "%s", big);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	assert_string_equal(err.msg + sizeof(err.msg) - 5, "a...");
	inq_fail(&err, INQ_EIO, "cause");
	inq_wrap(&err, INQ_EIO, "%s", big);
	assert_string_equal(err.msg + sizeof(err.msg) - 5, "a...");
	inq_fail(&err, INQ_EIO, "%.*s", 250, big);
	inq_wrap(&err, INQ_EIO, "outer");
	assert_memory_equal(err.msg, "outer: a", 8);
	assert_string_equal(err.msg + sizeof(err.msg) - 5, "a...");
}

static void a_message_that_just_fits_is_whole(void **state)
{
	(void)state;
	struct inq_err err;
	char fits[sizeof(err.msg)];

	memset(fits, 'b', sizeof(fits) - 1);
	fits[sizeof(fits) - 1] = '\0';
	inq_fail(&err, INQ_EIO, "%s", fits);
	assert_string_equal(err.msg, fits);
}

static void every_status_has_a_name(void **state)
{
	(void)state;
	for (int st = INQ_OK; st <= INQ_EINTR; st++)
		assert_true(strlen(inq_status_name((enum inq_status)st)) > 1);
}

static void a_span_reads_little_endian_at_any_alignment(void **state)
{
	(void)state;
	static const uint8_t b[] = {0xff, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
	struct span s = span_of(b, sizeof(b));

	assert_int_equal(span_u8(&s), 0xff);
	assert_int_equal(span_u16le(&s), 0x0201);
	assert_int_equal(span_u32le(&s), 0x06050403);
	assert_true(span_u64le(&s) == UINT64_C(0x0e0d0c0b0a090807));
	assert_int_equal(s.left, 1);
	assert_false(s.bad);
}

static void the_first_overrun_of_a_span_sticks(void **state)
{
	(void)state;
	static const uint8_t b[] = {1, 2, 3};
	struct span s = span_of(b, sizeof(b));

	assert_int_equal(span_u32le(&s), 0);
	assert_true(s.bad);
	assert_null(span_take(&s, 1)); /* though one byte would be there */
	assert_int_equal(s.left, 3);
	assert_int_equal(span_u8(&s), 0);
}

static void a_span_refuses_sizes_that_would_wrap(void **state)
{
	(void)state;
	static const uint8_t b[] = {1};
	struct span s = span_of(b, sizeof(b));

	assert_null(span_take(&s, SIZE_MAX));
	assert_true(s.bad);
	uint64_t v = 7;
	assert_false(span_at(b, sizeof(b), SIZE_MAX, 1, &v));
	assert_true(span_at(b, sizeof(b), 0, 1, &v));
	assert_int_equal(v, 1);
	assert_false(span_at(b, sizeof(b), 1, 1, &v));
}

static void an_empty_span_gives_empty_pieces(void **state)
{
	(void)state;
	struct span s = span_of("", 0);

	assert_non_null(span_take(&s, 0));
	assert_false(s.bad);
}

static size_t printable(const char *t)
{
	return text_printable((const uint8_t *)t, strlen(t));
}

static void text_for_a_terminal_has_no_controls(void **state)
{
	(void)state;
	assert_int_equal(printable("a"), 1);
	assert_int_equal(printable("~"), 1);
	assert_int_equal(printable("\x1b[2J"), 0);
	assert_int_equal(printable("\x7f"), 0);
	assert_int_equal(printable("\xc2\x9b"), 0); /* C1: CSI in one character */
	assert_int_equal(printable("\xc2\xa0"), 2);
	assert_int_equal(printable("\x9b"), 0);
}

static void text_must_be_well_formed(void **state)
{
	(void)state;
	assert_int_equal(printable("\xc3\xa4"), 2);
	assert_int_equal(printable("\xe2\x82\xac"), 3);
	assert_int_equal(printable("\xf0\x9f\x98\x80"), 4);
	assert_int_equal(printable("\xc0\x80"), 0);         /* overlong */
	assert_int_equal(printable("\xed\xa0\x80"), 0);     /* a surrogate */
	assert_int_equal(printable("\xf4\x90\x80\x80"), 0); /* beyond Unicode */
	assert_int_equal(printable("\xe2\x82"), 0);         /* cut */
	assert_int_equal(printable("\xe2\x82x"), 0);
	assert_int_equal(text_printable((const uint8_t *)"", 0), 0);
}

static enum inq_status refuse(const struct inq_space *self, uint64_t addr, void *buf, size_t n,
			      struct inq_err *err)
{
	(void)buf;
	(void)n;
	return inq_fail_at(err, INQ_EFAULT, addr, "%s: asked", self->name);
}

static void a_space_is_never_asked_for_a_range_that_wraps(void **state)
{
	(void)state;
	const struct inq_space sp = {.name = "test", .read = refuse};
	struct inq_err err;
	struct inq_run run;
	uint8_t b[2];

	assert_int_equal(inq_read(&sp, UINT64_MAX, b, 2, &err), INQ_EUSAGE);
	assert_int_equal(inq_read(&sp, UINT64_MAX, b, 1, &err), INQ_EFAULT);
	assert_int_equal(inq_read(&sp, 5, b, 0, &err), INQ_OK);
	assert_int_equal(inq_runs(&sp, 0, 1, &run, &err), INQ_EUNSUPPORTED);
	assert_int_equal(inq_runs(&sp, 0, 0, &run, &err), INQ_EUSAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_error_reads_outermost_first),
		cmocka_unit_test(wrapping_keeps_the_address),
		cmocka_unit_test(wrapping_success_changes_nothing),
		cmocka_unit_test(an_error_without_a_taker_is_still_an_error),
		cmocka_unit_test(a_message_too_long_ends_in_dots),
		cmocka_unit_test(a_message_that_just_fits_is_whole),
		cmocka_unit_test(every_status_has_a_name),
		cmocka_unit_test(a_span_reads_little_endian_at_any_alignment),
		cmocka_unit_test(the_first_overrun_of_a_span_sticks),
		cmocka_unit_test(a_span_refuses_sizes_that_would_wrap),
		cmocka_unit_test(an_empty_span_gives_empty_pieces),
		cmocka_unit_test(text_for_a_terminal_has_no_controls),
		cmocka_unit_test(text_must_be_well_formed),
		cmocka_unit_test(a_space_is_never_asked_for_a_range_that_wraps),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
