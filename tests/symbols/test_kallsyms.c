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
	uint64_t offsets = b->at.offsets;
	struct kallsyms *k = NULL;
	struct inq_err err;

	(void)state;
	b->at.offsets = 4096;
	assert_int_equal(kallsyms_open(&b->space, &b->at, &k, &err), INQ_EFAULT);
	assert_non_null(strstr(err.msg, "kallsyms_offsets"));
	b->at.offsets = offsets;
	memset(b->bytes + (b->at.names - KALLSYMS_BUILD_BASE), 0, b->at.token_table - b->at.names);
	assert_int_equal(kallsyms_open(&b->space, &b->at, &k, &err), INQ_ECORRUPT);
	assert_non_null(strstr(err.msg, "kallsyms_names"));
	free(b);
}

/* What is known of each name without decoding: where it is packed. */
static void pack_again(const struct kallsyms_build *b, size_t at[KALLSYMS_BUILD_NR + 1])
{
	const uint8_t *p = b->bytes;

	at[0] = b->at.names - KALLSYMS_BUILD_BASE;
	for (size_t i = 0; i < KALLSYMS_BUILD_NR; i++)
		at[i + 1] = at[i] + (p[at[i]] & 0x80 ? 2 + (p[at[i]] & 0x7f) + p[at[i] + 1] * 128
						     : 1 + p[at[i]]);
}

/* All but the names with a byte in the page, and those behind them up to the next marker. */
static void has_the_others(const struct kallsyms *k, const size_t at[KALLSYMS_BUILD_NR + 1],
			   size_t page)
{
	char name[KALLSYMS_MAX_NAME];
	bool lost = false;
	size_t nr = 0;

	assert_int_equal(k->nr, KALLSYMS_BUILD_NR);
	for (size_t i = 0; i < k->nr; i++) {
		uint64_t addr = kallsyms_build_symbol(i, name);
		lost = (i % 256 && lost) || (at[i + 1] > page && at[i] < page + 4096);
		assert_int_equal(k->symbol[i].addr, addr);
		assert_int_equal(k->symbol[i].nr, i);
		assert_string_equal(k->text + k->symbol[i].name, lost ? "" : name);
		nr += lost;
	}
	assert_int_equal(k->lost, nr);
}

/* Each page that holds names, absent or blank; without tokens there are none at all. */
static void lose_each_page(struct kallsyms_build how, bool blank)
{
	struct kallsyms_build *b = built(how), *whole = built(how);
	size_t at[KALLSYMS_BUILD_NR + 1];
	struct inq_err err;

	pack_again(b, at);
	for (size_t page = at[0] & ~(size_t)4095; page < at[KALLSYMS_BUILD_NR]; page += 4096) {
		size_t first = page > at[0] ? page : at[0];
		size_t end =
			page + 4096 < at[KALLSYMS_BUILD_NR] ? page + 4096 : at[KALLSYMS_BUILD_NR];
		struct kallsyms *k = NULL;
		if (blank && page > at[KALLSYMS_BUILD_NR - 1])
			break; /* only the last name ends there: no length tells it */
		if (blank)
			memset(b->bytes + first, 0, end - first);
		else
			b->hole = KALLSYMS_BUILD_BASE + page;
		enum inq_status st = kallsyms_open(&b->space, &b->at, &k, &err);
		if (b->hole && b->at.token_table < b->hole + 4096) {
			assert_true(inq_is_damage(st));
			break;
		}
		if (st)
			fail_msg("page 0x%zx: %s", page, err.msg);
		has_the_others(k, at, page);
		assert_int_equal(k->why.status, blank ? INQ_ECORRUPT : INQ_EABSENT);
		assert_int_equal(k->hole, KALLSYMS_BUILD_BASE + page);
		kallsyms_close(k);
		memcpy(b->bytes, whole->bytes, b->n);
		b->hole = 0;
	}
	free(b);
	free(whole);
}

static void a_page_of_names_costs_what_is_in_it(void **state)
{
	static const struct kallsyms_build how[] = {
		{.newer = true, .align = 8},
		{.newer = true, .align = 4},
		{.seqs = true, .newer = true, .align = 8},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(how) / sizeof(*how); i++) {
		lose_each_page(how[i], false);
		lose_each_page(how[i], true);
	}
}

/* Wherever a page ends: in a name, between two, at a marker. */
static void a_page_can_begin_in_any_name(void **state)
{
	(void)state;
	for (size_t front = 0; front < 4096; front += 24)
		lose_each_page((struct kallsyms_build){.newer = true, .align = 8, .front = front},
			       true);
}

static void without_markers_what_follows_is_lost(void **state)
{
	struct kallsyms_build *b = built((struct kallsyms_build){.newer = true});
	size_t at[KALLSYMS_BUILD_NR + 1];
	struct kallsyms *k = NULL;

	(void)state;
	pack_again(b, at);
	memset(b->bytes + at[KALLSYMS_BUILD_NR], 0xff,
	       b->at.token_table - KALLSYMS_BUILD_BASE - at[KALLSYMS_BUILD_NR]);
	b->bytes[at[300]] = 0;
	assert_int_equal(kallsyms_open(&b->space, &b->at, &k, NULL), INQ_OK);
	assert_in_range(k->lost, KALLSYMS_BUILD_NR - 300, KALLSYMS_BUILD_NR - 1);
	assert_string_not_equal(k->text + k->symbol[0].name, "");
	for (size_t i = 300; i < k->nr; i++)
		assert_string_equal(k->text + k->symbol[i].name, "");
	kallsyms_close(k);
	free(b);
}

/* Its end is not where the next marker says, so no name of that block can be trusted. */
static void a_block_that_misses_the_next_marker_is_lost(void **state)
{
	struct kallsyms_build *b = built((struct kallsyms_build){.newer = true});
	size_t at[KALLSYMS_BUILD_NR + 1];
	struct kallsyms *k = NULL;
	char name[KALLSYMS_MAX_NAME];

	(void)state;
	pack_again(b, at);
	b->bytes[at[10]]--; /* its last character becomes the length of what follows */
	b->bytes[at[1400]] = 0;
	assert_int_equal(kallsyms_open(&b->space, &b->at, &k, NULL), INQ_OK);
	for (size_t i = 0; i < 1280; i++) {
		(void)kallsyms_build_symbol(i, name);
		assert_string_equal(k->text + k->symbol[i].name, i < 256 ? "" : name);
	}
	kallsyms_close(k);
	free(b);
}

static void absurd_numbers_are_refused(void **state)
{
	struct kallsyms_build *b = built((struct kallsyms_build){.addresses = true});
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

static void the_offsets_tell_how_many_names_there_are(void **state)
{
	struct kallsyms_build *b = built((struct kallsyms_build){0});
	struct kallsyms *k = NULL;

	(void)state;
	memset(b->bytes + (b->at.num_syms - KALLSYMS_BUILD_BASE), 0, 4);
	assert_int_equal(kallsyms_open(&b->space, &b->at, &k, NULL), INQ_OK);
	is_equal(k, false);
	kallsyms_close(k);
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
		cmocka_unit_test(a_page_of_names_costs_what_is_in_it),
		cmocka_unit_test(a_page_can_begin_in_any_name),
		cmocka_unit_test(without_markers_what_follows_is_lost),
		cmocka_unit_test(a_block_that_misses_the_next_marker_is_lost),
		cmocka_unit_test(absurd_numbers_are_refused),
		cmocka_unit_test(the_offsets_tell_how_many_names_there_are),
		cmocka_unit_test(addresses_out_of_order_are_sorted),
		cmocka_unit_test(flipped_and_cut_bytes_do_no_harm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
