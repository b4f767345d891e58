/* Lists and trees in a small memory, whole and damaged: every walk ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "tests/machine/typed.h"

#define BASE FLAT_BASE

/* rb_node 3, xa_node 6, xarray 7, maple nodes of 4 slots 10 and 13, their tree 14. */
static void build_types(struct btf_build *b)
{
	uint32_t u8 = btf_build_int(b, "unsigned char", 1, 0);
	uint32_t ptr = btf_build(b, BTF_PTR, "", 0, 0, false);

	btf_build(b, BTF_STRUCT, "rb_node", 3, 24, false);
	btf_build_member(b, "__rb_parent_color", ptr, 0);
	btf_build_member(b, "rb_right", ptr, 64);
	btf_build_member(b, "rb_left", ptr, 128);
	uint32_t four = btf_build_array(b, ptr, u8, 4);
	uint32_t three = btf_build_array(b, ptr, u8, 3);
	btf_build(b, BTF_STRUCT, "xa_node", 2, 40, false);
	btf_build_member(b, "shift", u8, 0);
	btf_build_member(b, "slots", four, 64);
	btf_build(b, BTF_STRUCT, "xarray", 1, 16, false);
	btf_build_member(b, "xa_head", ptr, 64);
	static const char *const maple[] = {"maple_range_64", "maple_arange_64"};
	for (int i = 0; i < 2; i++) {
		btf_build(b, BTF_STRUCT, maple[i], 3, 64, false);
		btf_build_member(b, "parent", ptr, 0);
		btf_build_member(b, "pivot", three, 64);
		btf_build_member(b, "slot", four, 256);
	}
	btf_build(b, BTF_STRUCT, "maple_tree", 1, 16, false);
	btf_build_member(b, "ma_root", ptr, 64);
}

static int setup(void **state)
{
	static struct typed t;

	typed_open(&t, build_types);
	*state = &t;
	return 0;
}

static int teardown(void **state)
{
	typed_close(*state);
	return 0;
}

static void put(struct typed *l, uint64_t at, uint64_t v)
{
	flat_put(&l->memory, at, v);
}

/* What comes, as offsets from BASE, ended by ~0; how it ends is what is returned. */
static enum inq_status walk(const struct typed *l, enum inq_walk_kind kind, uint64_t head,
			    uint64_t offset, const uint64_t *wanted, struct inq_err *err)
{
	struct inq_walk *w = NULL;
	enum inq_status st = inq_walk_open(&l->m, kind, head, offset, 100, &w, err);
	uint64_t addr = 0, key = 0;
	bool more = !st;

	while (more && !(st = inq_walk_next(w, &addr, &key, &more, err)) && more) {
		assert_int_equal(addr - BASE, *wanted);
		wanted++;
	}
	inq_walk_close(w);
	assert_int_equal(*wanted, UINT64_MAX);
	return st;
}

static void a_list_ends_where_it_began(void **state)
{
	static const uint64_t wanted[] = {0x100, 0x200, UINT64_MAX};
	struct typed *l = *state;
	struct inq_err err;

	put(l, 0x10, BASE + 0x108);
	put(l, 0x108, BASE + 0x208);
	put(l, 0x208, BASE + 0x10);
	assert_int_equal(walk(l, INQ_WALK_LIST, BASE + 0x10, 8, wanted, &err), INQ_OK);
	put(l, 0x10, BASE + 0x10);
	assert_int_equal(walk(l, INQ_WALK_LIST, BASE + 0x10, 8, wanted + 2, &err), INQ_OK);
}

static void damage_ends_a_list_with_its_reason(void **state)
{
	static const uint64_t one[] = {0x100, UINT64_MAX},
			      round[] = {0x100, 0x200, 0x100, 0x200, UINT64_MAX};
	struct typed *l = *state;
	struct inq_err err;

	put(l, 0x10, BASE + 0x100);
	put(l, 0x100, 0);
	assert_int_equal(walk(l, INQ_WALK_LIST, BASE + 0x10, 0, one, &err), INQ_ECORRUPT);
	assert_string_equal(err.msg, "list 0xffff888000000010: leads to NULL or poison, 0x0, after "
				     "1 objects");
	put(l, 0x100, UINT64_C(0xdead000000000100));
	assert_int_equal(walk(l, INQ_WALK_LIST, BASE + 0x10, 0, one, &err), INQ_ECORRUPT);
	put(l, 0x100, UINT64_C(0x5555));
	assert_int_equal(walk(l, INQ_WALK_LIST, BASE + 0x10, 0, one, &err), INQ_EFAULT);
	put(l, 0x100, BASE + 0x200);
	put(l, 0x200, BASE + 0x100);
	assert_int_equal(walk(l, INQ_WALK_LIST, BASE + 0x10, 0, round, &err), INQ_ECORRUPT);
	assert_non_null(strstr(err.msg, "goes round in circles, 0xffff888000000100"));
}

static void other_chains_end_at_null(void **state)
{
	static const uint64_t wanted[] = {0x100, 0x200, UINT64_MAX};
	struct typed *l = *state;
	struct inq_err err;

	put(l, 0x10, BASE + 0x100);
	put(l, 0x100, BASE + 0x200);
	assert_int_equal(walk(l, INQ_WALK_HLIST, BASE + 0x10, 0, wanted, &err), INQ_OK);
	assert_int_equal(walk(l, INQ_WALK_CHAIN, BASE + 0x100, 0, wanted, &err), INQ_OK);
	put(l, 0x200, 7); /* hlist_nulls */
	assert_int_equal(walk(l, INQ_WALK_HLIST, BASE + 0x10, 0, wanted, &err), INQ_OK);
}

static void a_red_black_tree_is_walked_in_order(void **state)
{
	static const uint64_t wanted[] = {0x1f0, 0xf0, 0x2f0, UINT64_MAX};
	struct typed *l = *state;
	struct inq_err err;

	assert_int_equal(walk(l, INQ_WALK_RBTREE, BASE + 0x10, 0, wanted + 3, &err), INQ_OK);
	put(l, 0x10, BASE + 0x100);
	put(l, 0x108, BASE + 0x300);
	put(l, 0x110, BASE + 0x200);
	assert_int_equal(walk(l, INQ_WALK_RBTREE, BASE + 0x10, 0x10, wanted, &err), INQ_OK);
	put(l, 0x210, BASE + 0x100);
	assert_int_equal(walk(l, INQ_WALK_RBTREE, BASE + 0x10, 0x10, wanted + 3, &err),
			 INQ_ECORRUPT);
	assert_non_null(strstr(err.msg, "tree 0xffff888000000010: goes on and on"));
}

static void an_array_yields_its_entries_by_index(void **state)
{
	static const uint64_t wanted[] = {0x800, 0x900, UINT64_MAX};
	struct typed *l = *state;
	struct inq_err err;

	put(l, 0x18, BASE + 0x800);
	assert_int_equal(
		walk(l, INQ_WALK_XARRAY, BASE + 0x10, 0, (uint64_t[]){0x800, UINT64_MAX}, &err),
		INQ_OK);
	put(l, 0x18, BASE + 0x100 + 2);
	l->memory.bytes[0x100] = 2;
	put(l, 0x108, BASE + 0x200 + 2);
	put(l, 0x110, 0x201); /* a value */
	put(l, 0x118, 0x402); /* an internal mark */
	put(l, 0x210, BASE + 0x800);
	put(l, 0x220, BASE + 0x900);
	assert_int_equal(walk(l, INQ_WALK_XARRAY, BASE + 0x10, 0, wanted, &err), INQ_OK);
	l->memory.bytes[0x200] = 2;
	assert_int_equal(walk(l, INQ_WALK_XARRAY, BASE + 0x10, 0, wanted + 2, &err), INQ_ECORRUPT);
}

static void a_maple_tree_yields_each_entry_once(void **state)
{
	static const uint64_t wanted[] = {0x800, 0x900, 0xa00, UINT64_MAX};
	const uint64_t arange = 3 << 3 | 4 | 2, leaf = 1 << 3 | 4 | 2;
	struct typed *l = *state;
	struct inq_err err;
	struct inq_walk *w = NULL;
	uint64_t addr, key = 0;
	bool more = false;

	put(l, 0x18, (BASE + 0x100) | arange);
	put(l, 0x108, 99);
	put(l, 0x110, UINT64_MAX);
	put(l, 0x120, (BASE + 0x200) | leaf);
	put(l, 0x128, (BASE + 0x300) | leaf);
	put(l, 0x208, 9);
	put(l, 0x210, 50);
	put(l, 0x218, 99);
	put(l, 0x220, BASE + 0x800);
	put(l, 0x230, BASE + 0x900);
	put(l, 0x238, BASE + 0xf00); /* behind the last that is in use */
	put(l, 0x308, UINT64_MAX);
	put(l, 0x320, BASE + 0xa00);
	assert_int_equal(walk(l, INQ_WALK_MAPLE, BASE + 0x10, 0, wanted, &err), INQ_OK);
	assert_int_equal(inq_walk_open(&l->m, INQ_WALK_MAPLE, BASE + 0x10, 0, 0, &w, &err), INQ_OK);
	for (int i = 0; i < 2; i++)
		assert_int_equal(inq_walk_next(w, &addr, &key, &more, &err), INQ_OK);
	assert_int_equal(key, 51);
	inq_walk_close(w);
	put(l, 0x120, (BASE + 0x100) | arange);
	assert_int_equal(walk(l, INQ_WALK_MAPLE, BASE + 0x10, 0, wanted + 3, &err), INQ_ECORRUPT);
}

static void an_enumerator_is_found_without_its_enum(void **state)
{
	struct typed *l = *state;
	struct inq_err err;
	uint64_t v;

	assert_int_equal(inq_enum_value(&l->m, NULL, "NOBODY", &v, &err), INQ_ENOTFOUND);
	assert_int_equal(inq_enum_value(&l->m, "enum none", "NOBODY", &v, &err), INQ_ENOTFOUND);
	assert_string_equal(err.msg, "the kernel has no type enum none");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_list_ends_where_it_began, setup, teardown),
		cmocka_unit_test_setup_teardown(damage_ends_a_list_with_its_reason, setup,
						teardown),
		cmocka_unit_test_setup_teardown(other_chains_end_at_null, setup, teardown),
		cmocka_unit_test_setup_teardown(a_red_black_tree_is_walked_in_order, setup,
						teardown),
		cmocka_unit_test_setup_teardown(an_array_yields_its_entries_by_index, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_maple_tree_yields_each_entry_once, setup,
						teardown),
		cmocka_unit_test_setup_teardown(an_enumerator_is_found_without_its_enum, setup,
						teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
