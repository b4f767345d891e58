/* The reader of the control socket's lines: what it takes, what it refuses, any cut, any byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/json.h"

/* From the heap without a terminator, so that a look behind the end is seen. */
static enum inq_status read_n(const char *text, size_t n, struct vmm_json *j, struct inq_err *err)
{
	char *copy = malloc(n + !n);

	memcpy(copy, text, n);
	enum inq_status st = vmm_json_read(copy, n, j, err);
	free(copy);
	return st;
}

static void takes(const char *text, struct vmm_json *j)
{
	struct inq_err err = {0};

	if (read_n(text, strlen(text), j, &err))
		fail_msg("%s: %s", text, err.msg);
}

static void refuses(const char *text, const char *why)
{
	struct inq_err err = {0};
	struct vmm_json j;

	assert_int_equal(read_n(text, strlen(text), &j, &err), INQ_EUSAGE);
	if (!strstr(err.msg, why))
		fail_msg("%s: '%s', not '%s'", text, err.msg, why);
}

static void a_flat_object_is_read(void **state)
{
	struct vmm_json j;
	(void)state;

	takes(" {\"do\" : \"step\",\"n\":18446744073709551615, \"a\":true,\"b\":false,\"z\":0}\r",
	      &j);
	assert_int_equal(j.nr, 5);
	assert_string_equal(vmm_json_get(&j, "do")->text, "step");
	assert_true(vmm_json_get(&j, "n")->number == UINT64_MAX);
	assert_true(vmm_json_get(&j, "n")->is_number && !vmm_json_get(&j, "n")->is_bool);
	assert_true(vmm_json_get(&j, "a")->is_bool && vmm_json_get(&j, "a")->number == 1);
	assert_int_equal(vmm_json_get(&j, "b")->number, 0);
	assert_null(vmm_json_get(&j, "c"));
	takes("{}", &j);
	assert_int_equal(j.nr, 0);
}

static void escapes_become_their_characters(void **state)
{
	struct vmm_json j;
	(void)state;

	takes("{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20ac\\ud83d\\ude00\"}", &j);
	assert_string_equal(j.member[0].text,
			    "\"\\/\b\f\n\r\tA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
	takes("{\"a\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"}", &j);
	assert_string_equal(j.member[0].text, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
}

static void what_is_no_flat_object_is_refused_with_a_reason(void **state)
{
	(void)state;
	refuses("", "'{' is missing at byte 0");
	refuses("hello", "'{' is missing");
	refuses("[1]", "'{' is missing");
	refuses("{\"a\":{}}", "not a string");
	refuses("{\"a\":[]}", "not a string");
	refuses("{\"a\":null}", "not a string");
	refuses("{\"a\":-1}", "not a string");
	refuses("{\"a\":1.5}", "not a whole number");
	refuses("{\"a\":1e3}", "not a whole number");
	refuses("{\"a\":01}", "begins with 0");
	refuses("{\"a\":18446744073709551616}", "too large");
	refuses("{\"a\":1,\"a\":2}", "twice");
	refuses("{\"a\":1,}", "a key in quotes");
	refuses("{\"a\":1 \"b\":2}", "',' or '}'");
	refuses("{a:1}", "a key in quotes");
	refuses("{\"a\" 1}", "':'");
	refuses("{\"a\":1} x", "behind the object");
	refuses("{\"a\":\"x", "does not end");
	refuses("{\"a\":\"\t\"}", "control character");
	refuses("{\"a\":\"\\x\"}", "unknown escape");
	refuses("{\"a\":\"\\u12g4\"}", "four hex");
	refuses("{\"a\":\"\\u0000\"}", "zero byte");
	refuses("{\"a\":\"\\ud83d\"}", "surrogate");
	refuses("{\"a\":\"\\ude00\"}", "surrogate");
	refuses("{\"a\":\"\xff\"}", "UTF-8");
	refuses("{\"a\":\"\xc0\x80\"}", "UTF-8");
	refuses("{\"a\":\"\xed\xa0\x80\"}", "UTF-8");
	refuses("{\"a\":\"\xe2\x82\"}", "UTF-8");
	refuses("{\"1\":1,\"2\":1,\"3\":1,\"4\":1,\"5\":1,\"6\":1,\"7\":1,\"8\":1,\"9\":1}",
		"too many");
}

static void every_cut_is_refused_and_every_byte_is_borne(void **state)
{
	static const char text[] = "{\"do\":\"a\\u20ac\\n\xc3\xa9\",\"n\":12,\"t\":true}";
	const size_t n = sizeof(text) - 1;
	char changed[sizeof(text)];
	struct inq_err err;
	struct vmm_json j;
	(void)state;

	for (size_t cut = 0; cut < n; cut++)
		assert_int_equal(read_n(text, cut, &j, &err), INQ_EUSAGE);
	for (size_t at = 0; at < n; at++)
		for (int b = 0; b < 256; b++) {
			memcpy(changed, text, sizeof(text));
			changed[at] = (char)b;
			if (read_n(changed, n, &j, &err))
				assert_true(*err.msg);
		}
}

static void the_longest_line_fits_and_a_longer_one_is_refused(void **state)
{
	char line[VMM_JSON_BYTES + 1];
	struct inq_err err;
	struct vmm_json j;
	(void)state;

	memset(line, 'x', sizeof(line));
	memcpy(line, "{\"a\":\"", 6);
	memcpy(line + VMM_JSON_BYTES - 2, "\"}", 2);
	assert_int_equal(read_n(line, VMM_JSON_BYTES, &j, &err), INQ_OK);
	assert_int_equal(strlen(j.member[0].text), VMM_JSON_BYTES - 8);
	assert_int_equal(read_n(line, VMM_JSON_BYTES + 1, &j, &err), INQ_EUSAGE);
}

static void what_is_printed_can_be_read(void **state)
{
	static const char nasty[] = "a\"\\\n\x01\x7f\xc3\xa9/";
	char *text = NULL;
	struct vmm_json j;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);
	(void)state;

	fputs("{\"k\":", f);
	vmm_json_print(f, nasty);
	fputs("}", f);
	fclose(f);
	takes(text, &j);
	assert_string_equal(j.member[0].text, nasty);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flat_object_is_read),
		cmocka_unit_test(escapes_become_their_characters),
		cmocka_unit_test(what_is_no_flat_object_is_refused_with_a_reason),
		cmocka_unit_test(every_cut_is_refused_and_every_byte_is_borne),
		cmocka_unit_test(the_longest_line_fits_and_a_longer_one_is_refused),
		cmocka_unit_test(what_is_printed_can_be_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
