/* The blobs that nasm made, and what becomes of a fragment's patch points. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/scenarios/frag.h"

static void every_fragment_is_whole(void **unused)
{
	(void)unused;
	struct vmm_frag f;
	size_t n = 0;

	for (; vmm_frag_at(n, &f); n++) {
		assert_true(f.bits == 16 || f.bits == 32 || f.bits == 64);
		assert_in_range(f.len, 1, 1024);
		assert_true(strlen(f.name) < 16);
		if (f.kind == VMM_FRAG_SHAPE) {
			assert_in_range(f.pred, VMM_PRED_NZ, VMM_PRED_MASK_EQ);
			assert_true(f.width == 1 || f.width == 2 || f.width == 4 || f.width == 8);
		}
	}
	assert_in_range(n, 40, 200);
	/* the walk ended at the end, not at damage */
	size_t all = 0;
	for (size_t i = 0; i < vmm_nr_blobs; i++)
		all += (size_t)(vmm_blobs[i].data[4] | vmm_blobs[i].data[5] << 8);
	assert_int_equal(n, all);
}

static void every_mark_lies_in_its_fragment(void **unused)
{
	(void)unused;
	struct vmm_frag f;

	for (size_t n = 0; vmm_frag_at(n, &f); n++) {
		bool seen[VMM_NR_MARKS] = {0};

		for (size_t i = 0; i < f.nr_marks; i++) {
			struct vmm_frag_mark m = vmm_frag_mark_at(&f, i);

			if (m.frag != f.index)
				continue;
			assert_in_range(m.off + m.width, 0, f.len);
			if (m.what >= VMM_M_INSN) {
				assert_in_range(m.what, VMM_M_INSN, VMM_M_LAST - 1);
				seen[m.what - VMM_M_INSN] = true;
			} else {
				assert_in_range(m.what, VMM_P_GATE, VMM_NR_PATCHES - 1);
				assert_in_range(m.width, 1, 8);
			}
		}
		if (f.kind == VMM_FRAG_SHAPE)
			assert_true(seen[0] && seen[VMM_M_FIRST - VMM_M_INSN] &&
				    seen[VMM_M_END - VMM_M_INSN]);
	}
}

static void names_are_unique_and_found(void **unused)
{
	(void)unused;
	struct vmm_frag f, found;
	struct inq_err err;

	for (size_t n = 0; vmm_frag_at(n, &f); n++) {
		assert_int_equal(vmm_frag_find(f.name, &found, &err), INQ_OK);
		assert_ptr_equal(found.code, f.code);
	}
	assert_int_equal(vmm_frag_find("no such", &found, &err), INQ_ENOTFOUND);
}

static struct vmm_code *new_code(void)
{
	struct vmm_code *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	c->linear = 0x100000;
	return c;
}

static void a_value_goes_into_its_field_and_nowhere_else(void **unused)
{
	(void)unused;
	struct vmm_code *c = new_code();
	struct vmm_rng rng = {1};
	struct inq_err err;
	struct vmm_frag f;

	vmm_code_set(c, VMM_P_COUNTER, 0xfedcba9876543210);
	assert_int_equal(vmm_code_add_named(c, "count", &rng, &err), INQ_OK);
	assert_int_equal(vmm_frag_find("count", &f, &err), INQ_OK);
	/* 48 bb imm64: mov rbx */
	assert_memory_equal(c->bytes, "\x48\xbb\x10\x32\x54\x76\x98\xba\xdc\xfe", 10);
	assert_memory_equal(c->bytes + 10, f.code + 10, f.len - 10u);
	free(c);
}

static void a_relative_field_counts_from_the_end_of_its_instruction(void **unused)
{
	(void)unused;
	struct vmm_code *c = new_code();
	struct vmm_rng rng = {1};
	struct inq_err err;
	int32_t rel;

	vmm_code_set(c, VMM_P_GATE, 0x100010);
	assert_int_equal(vmm_code_add_named(c, "load_test64", &rng, &err), INQ_OK);
	assert_int_equal(vmm_code_mark(c, VMM_M_INSN), 0x100000);
	memcpy(&rel, c->bytes + 3, 4); /* 48 8b 05 rel32 */
	assert_int_equal(rel, 0x10 - 7);
	free(c);
}

static void a_value_that_was_not_drawn_is_an_error(void **unused)
{
	(void)unused;
	struct vmm_code *c = new_code();
	struct vmm_rng rng = {1};
	struct inq_err err;

	assert_int_equal(vmm_code_add_named(c, "count", &rng, &err), INQ_EUSAGE);
	assert_non_null(strstr(err.msg, "count"));
	free(c);
}

static void code_that_grows_too_long_is_refused(void **unused)
{
	(void)unused;
	struct vmm_code *c = new_code();
	struct vmm_rng rng = {1};
	struct inq_err err;
	enum inq_status st = INQ_OK;

	for (unsigned i = 0; i < VMM_CODE_MAX && !st; i++)
		st = vmm_code_add_named(c, "junk64", &rng, &err);
	assert_int_equal(st, INQ_ELIMIT);
	assert_in_range(c->len, 1, VMM_CODE_MAX);
	free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_fragment_is_whole),
		cmocka_unit_test(every_mark_lies_in_its_fragment),
		cmocka_unit_test(names_are_unique_and_found),
		cmocka_unit_test(a_value_goes_into_its_field_and_nowhere_else),
		cmocka_unit_test(a_relative_field_counts_from_the_end_of_its_instruction),
		cmocka_unit_test(a_value_that_was_not_drawn_is_an_error),
		cmocka_unit_test(code_that_grows_too_long_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
