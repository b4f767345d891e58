/* Names of a kernel, packed as every kernel packs them: found, decoded, and damaged in every way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdlib.h>

#include "tests/symbols/kallsyms_build.h"

static struct kallsyms_build *built(struct kallsyms_build how)
{
	struct kallsyms_build *b = malloc(sizeof(*b));

	assert_non_null(b);
	*b = how;
	if (!b->align)
		b->align = 8;
	kallsyms_build(b);
	return b;
}

static void is_equal(const struct kallsyms *k, bool plain)
{
	char name[KALLSYMS_MAX_NAME];

	assert_int_equal(k->nr, KALLSYMS_BUILD_NR);
	for (size_t i = 0; i < k->nr; i++) {
		uint64_t addr = kallsyms_build_symbol(i, name);
		if (plain && addr < KALLSYMS_BUILD_TEXT)
			addr = KALLSYMS_BUILD_TEXT;
		assert_int_equal(k->symbol[i].addr, addr);
		assert_int_equal(k->symbol[i].nr, i);
		assert_string_equal(k->text + k->symbol[i].name, name);
	}
}

/* Found from the index alone, and decoded. */
static void is_found(struct kallsyms_build how)
{
	struct kallsyms_build *b = built(how);
	struct inq_kallsyms_place at;
	struct kallsyms *k = NULL;
	struct inq_err err;

	size_t where = kallsyms_find_index(b->bytes, b->n);
	assert_int_equal(KALLSYMS_BUILD_BASE + where, b->at.token_index);
	if (kallsyms_locate(&b->space, b->at.token_index, &at, &err) ||
	    kallsyms_open(&b->space, &at, &k, &err))
		fail_msg("%s", err.msg);
	assert_memory_equal(&at, &b->at, sizeof(at));
	is_equal(k, how.plain);
	kallsyms_close(k);
	free(b);
}

static void until_6_4_offsets_lie_in_front(void **state)
{
	(void)state;
	is_found((struct kallsyms_build){0});
	is_found((struct kallsyms_build){.seqs = true});
	is_found((struct kallsyms_build){.plain = true});
	is_found((struct kallsyms_build){.align = 4});
}

static void since_6_5_offsets_lie_behind(void **state)
{
	(void)state;
	is_found((struct kallsyms_build){.newer = true});
	is_found((struct kallsyms_build){.newer = true, .plain = true});
	is_found((struct kallsyms_build){.newer = true, .align = 4});
}

static void addresses_can_stand_for_offsets(void **state)
{
	(void)state;
	is_found((struct kallsyms_build){.addresses = true});
	is_found((struct kallsyms_build){.addresses = true, .newer = true});
}

static void places_that_are_told_are_enough(void **state)
{
	struct kallsyms_build *b = built((struct kallsyms_build){.newer = true});
	struct kallsyms *k = NULL;

	(void)state;
	assert_int_equal(kallsyms_open(&b->space, &b->at, &k, NULL), INQ_OK);
	is_equal(k, false);
	kallsyms_close(k);
	free(b);
}

static void other_bytes_are_no_index(void **state)
{
	uint8_t p[4096] = {0};

	(void)state;
	assert_int_equal(kallsyms_find_index(p, sizeof(p)), sizeof(p));
	assert_int_equal(kallsyms_find_index(p, 100), 100);
	for (size_t i = 0; i < sizeof(p); i++)
		p[i] = (uint8_t)i;
	assert_int_equal(kallsyms_find_index(p, sizeof(p)), sizeof(p));
}

static void an_index_without_the_rest_is_none(void **state)
{
	struct kallsyms_build *b = built((struct kallsyms_build){0});
	struct inq_kallsyms_place at;
	struct inq_err err;

	(void)state;
	memset(b->bytes, 0, b->at.names - KALLSYMS_BUILD_BASE);
	assert_int_equal(kallsyms_locate(&b->space, b->at.token_index, &at, &err), INQ_ENOTFOUND);
	assert_non_null(strstr(err.msg, "no names in front of"));
	assert_int_equal(kallsyms_locate(&b->space, b->at.names, &at, &err), INQ_ENOTFOUND);
	assert_int_equal(kallsyms_locate(&b->space, 0, &at, &err), INQ_EFAULT);
	assert_int_equal(kallsyms_locate(&b->space, UINT64_MAX - 600, &at, &err), INQ_EFAULT);
	free(b);
}

static void what_is_not_there_is_said(void **state)
{
	struct kallsyms_build *b = built((struct kallsyms_build){0});
	struct kallsyms *k = NULL;
	struct inq_err err;

	(void)state;
	b->hole = (b->at.names + 4096) & ~UINT64_C(4095);
	assert_int_equal(kallsyms_open(&b->space, &b->at, &k, &err), INQ_ECORRUPT);
	assert_non_null(strstr(err.msg, "kallsyms_names"));
	b->hole = 0;
	b->at.offsets = 4096;
	assert_int_equal(kallsyms_open(&b->space, &b->at, &k, &err), INQ_EFAULT);
	assert_non_null(strstr(err.msg, "kallsyms_offsets"));
	free(b);
}

static void absurd_numbers_are_refused(void **state)
{
	struct kallsyms_build *b = built((struct kallsyms_build){0});
	uint8_t *nr = b->bytes + (b->at.num_syms - KALLSYMS_BUILD_BASE);
	struct kallsyms *k = NULL;
	struct inq_err err;

	(void)state;
	nr[3] = 0x7f;
	assert_int_equal(kallsyms_open(&b->space, &b->at, &k, &err), INQ_ELIMIT);
	memset(nr, 0, 4);
	assert_int_equal(kallsyms_open(&b->space, &b->at, &k, &err), INQ_ELIMIT);
	free(b);
}

/* Somebody wrote into the offsets: the others are found in order all the same. */
static void addresses_out_of_order_are_sorted(void **state)
{
	struct kallsyms_build *b = built((struct kallsyms_build){0});
	struct kallsyms *k = NULL;

	(void)state;
	b->bytes[b->at.offsets - KALLSYMS_BUILD_BASE + 4 * 100 + 1] ^= 0x40;
	assert_int_equal(kallsyms_open(&b->space, &b->at, &k, NULL), INQ_OK);
	for (size_t i = 1; i < k->nr; i++)
		assert_true(k->symbol[i - 1].addr <= k->symbol[i].addr);
	kallsyms_close(k);
	free(b);
}

static void ask(struct kallsyms_build *b)
{
	struct inq_kallsyms_place at;
	struct kallsyms *k = NULL;

	if (!kallsyms_open(&b->space, &b->at, &k, NULL))
		for (size_t i = 0; i < k->nr; i++)
			assert_true(strlen(k->text + k->symbol[i].name) < k->text_bytes);
	kallsyms_close(k);
	if (!kallsyms_locate(&b->space, b->at.token_index, &at, NULL))
		assert_int_equal(at.token_index, b->at.token_index);
}

static void flipped_and_cut_bytes_do_no_harm(void **state)
{
	struct kallsyms_build *b = built((struct kallsyms_build){0});
	size_t first = b->at.num_syms - KALLSYMS_BUILD_BASE, all = b->n;

	(void)state;
	for (size_t i = first; i < all; i += 1 + (i > first + 64) * 61) {
		for (unsigned int bit = 0; bit < 8; bit += 7) {
			b->bytes[i] ^= (uint8_t)(1u << bit);
			ask(b);
			b->bytes[i] ^= (uint8_t)(1u << bit);
		}
	}
	for (size_t n = first; n < all; n += 97) {
		b->n = n;
		ask(b);
	}
	free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(until_6_4_offsets_lie_in_front),
		cmocka_unit_test(since_6_5_offsets_lie_behind),
		cmocka_unit_test(addresses_can_stand_for_offsets),
		cmocka_unit_test(places_that_are_told_are_enough),
		cmocka_unit_test(other_bytes_are_no_index),
		cmocka_unit_test(an_index_without_the_rest_is_none),
		cmocka_unit_test(what_is_not_there_is_said),
		cmocka_unit_test(absurd_numbers_are_refused),
		cmocka_unit_test(addresses_out_of_order_are_sorted),
		cmocka_unit_test(flipped_and_cut_bytes_do_no_harm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
