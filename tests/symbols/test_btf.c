/* BTF of a kernel and of a module over it, built: members, declarations, and damage of every kind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include <inquest/types.h>

#include "tests/symbols/btf_ask.h"
#include "tests/symbols/btf_build.h"

struct lab {
	struct btf_build bytes;
	struct btf *b;
};

static int setup(void **state)
{
	struct lab *l = calloc(1, sizeof(*l));
	struct inq_err err;

	assert_non_null(l);
	btf_build_kernel(&l->bytes);
	size_t n = btf_build_finish(&l->bytes);
	if (btf_open(l->bytes.out, n, NULL, NULL, &l->b, &err))
		fail_msg("%s", err.msg);
	*state = l;
	return 0;
}

static int teardown(void **state)
{
	struct lab *l = *state;

	btf_close(l->b);
	free(l);
	return 0;
}

static struct inq_type type(const struct lab *l, uint32_t id)
{
	return (struct inq_type){.unit = l->b, .id = id};
}

static struct inq_type named(const struct lab *l, const char *name)
{
	struct inq_err err;
	uint32_t id = 0;

	if (btf_find(l->b, name, ~0u, 0, &id, &err))
		fail_msg("%s", err.msg);
	return type(l, id);
}

static void says(struct inq_type t, const char *name, const char *text)
{
	char buf[200];

	inq_type_format(t, name, buf, sizeof(buf));
	assert_string_equal(buf, text);
}

static void types_are_found_by_name_and_kind(void **state)
{
	const struct lab *l = *state;
	struct inq_err err;
	uint32_t id;

	assert_int_equal(named(l, "task_struct").id, 10);
	assert_int_equal(btf_find(l->b, "task_struct", BTF_BIT(BTF_UNION), 0, &id, &err),
			 INQ_ENOTFOUND);
	assert_int_equal(btf_find(l->b, "task_struct", ~0u, 11, &id, &err), INQ_ENOTFOUND);
	assert_int_equal(btf_find(l->b, "wake_up", BTF_BIT(BTF_FUNC), 0, &id, &err), INQ_OK);
	assert_int_equal(id, 15);
	assert_int_equal(btf_end(l->b), 21);
}

static void sizes_are_those_of_c(void **state)
{
	const struct lab *l = *state;
	struct inq_type t = named(l, "u32");

	assert_int_equal(inq_type_size(t), 4);
	assert_int_equal(inq_type_size(type(l, 6)), 16);
	assert_int_equal(inq_type_size(type(l, 12)), 32);
	assert_int_equal(inq_type_size(named(l, "task_struct")), 88);
	assert_int_equal(inq_type_size(type(l, 0)), 0);
	assert_int_equal(inq_type_size(type(l, 99)), 0);
	t.pointers = 1;
	assert_int_equal(inq_type_size(t), 8);
	t.elements = 3;
	assert_int_equal(inq_type_size(t), 24);
	t.elements = INQ_ANY_NUMBER - 1;
	assert_int_equal(inq_type_size(t), 0);
}

static void members_are_found_by_path(void **state)
{
	static const struct {
		const char *path;
		uint64_t bit;
		uint32_t bits, size;
	} is[] = {{"pid", 0, 0, 4},         {"on_cpu", 32, 1, 4},      {"prio", 33, 9, 4},
		  {"tasks", 64, 0, 16},     {"tasks.prev", 128, 0, 8}, {"comm[3]", 216, 0, 1},
		  {"as_long", 320, 0, 8},   {"children", 448, 0, 32},  {"children[3]", 640, 0, 8},
		  {".tasks.next", 64, 0, 8}};
	const struct lab *l = *state;
	struct inq_member mb;
	struct inq_err err;

	for (size_t i = 0; i < sizeof(is) / sizeof(*is); i++) {
		if (inq_member(named(l, "task_struct"), is[i].path, &mb, &err))
			fail_msg("%s", err.msg);
		assert_int_equal(mb.bit_offset, is[i].bit);
		assert_int_equal(mb.bits, is[i].bits);
		assert_int_equal(mb.size, is[i].size);
	}
}

static void a_path_that_leads_nowhere_says_so(void **state)
{
	static const struct {
		const char *path, *why;
		enum inq_status st;
	} is[] = {{"", "no member is named", INQ_EUSAGE},
		  {"cpu", "struct task_struct has no member cpu", INQ_ENOTFOUND},
		  {"pid.x", "int has no member x", INQ_ENOTFOUND},
		  {"tasks..next", "a member's name is missing before: .next", INQ_EUSAGE},
		  {"comm[16]", "[16] of 16 elements", INQ_EUSAGE},
		  {"comm[x]", "no number between brackets: [x]", INQ_EUSAGE},
		  {"comm[1", "no number between brackets: [1", INQ_EUSAGE},
		  {"pid[0]", "no array before [0]", INQ_EUSAGE},
		  {"children[0].pid", "struct task_struct * has no member pid", INQ_ENOTFOUND}};
	const struct lab *l = *state;
	struct inq_member mb;
	struct inq_err err;

	for (size_t i = 0; i < sizeof(is) / sizeof(*is); i++) {
		assert_int_equal(inq_member(named(l, "task_struct"), is[i].path, &mb, &err),
				 is[i].st);
		assert_string_equal(err.msg, is[i].why);
	}
}

static void declarations_are_written_as_in_c(void **state)
{
	const struct lab *l = *state;
	struct inq_type t = named(l, "task_struct");

	says(t, "t", "struct task_struct t");
	says(t, NULL, "struct task_struct");
	says(type(l, 12), "children", "struct task_struct *children[4]");
	says(type(l, 6), "comm", "char comm[16]");
	says(type(l, 14), "fn", "int (*fn)(struct task_struct *p, const char *why, ...)");
	says(type(l, 15), "wake_up", "int wake_up(struct task_struct *p, const char *why, ...)");
	says(type(l, 0), "nothing", "void nothing");
	says(type(l, 99), "lost", "? lost");
	t.pointers = 2;
	t.elements = 7;
	says(t, "t", "struct task_struct **t[7]");
}

static void enumerators_have_their_sign(void **state)
{
	const struct lab *l = *state;
	struct inq_type t = named(l, "state");
	const char *name = NULL;
	uint64_t v = 0;

	assert_true(inq_type_enumerator(t, 1, &name, &v));
	assert_string_equal(name, "DEAD");
	assert_int_equal(v, UINT64_MAX);
	assert_false(inq_type_enumerator(t, 2, &name, &v));
	assert_string_equal(inq_type_enum_name(t, 1), "RUNNING");
	assert_null(inq_type_enum_name(t, 7));
	assert_true(inq_type_enumerator(named(l, "wide"), 0, &name, &v));
	assert_int_equal(v, 0x100000002);
}

static void fields_are_integers_of_any_width(void **state)
{
	const struct lab *l = *state;
	uint8_t bytes[88] = {0};
	struct inq_member mb;
	struct inq_err err;
	uint64_t v = 0;

	bytes[0] = 0xff, bytes[1] = 0xff, bytes[2] = 0xff, bytes[3] = 0xff;
	bytes[4] = 0xfe, bytes[5] = 0x02; /* on_cpu 0, prio 0x17f: of 9 bits */
	assert_int_equal(inq_member(named(l, "task_struct"), "pid", &mb, &err), INQ_OK);
	struct inq_field f = inq_field_for(&mb);
	assert_true(inq_field_of(&f, bytes, sizeof(bytes), &v));
	assert_int_equal(v, UINT64_MAX);
	assert_false(inq_field_of(&f, bytes, 3, &v));
	assert_int_equal(inq_member(named(l, "task_struct"), "prio", &mb, &err), INQ_OK);
	f = inq_field_for(&mb);
	assert_int_equal(f.off, 4);
	assert_int_equal(f.shift, 1);
	assert_int_equal(f.bits, 9);
	assert_true(inq_field_of(&f, bytes, sizeof(bytes), &v));
	assert_int_equal((int64_t)v, 0x17f - 0x200);
}

static void a_modules_types_lead_to_the_kernels(void **state)
{
	const struct lab *l = *state;
	struct btf_build bytes = {.last = btf_end(l->b) - 1, .first_char = l->bytes.nr_chars};
	struct btf *b = NULL;
	struct inq_member mb;
	struct inq_err err;
	uint32_t id = btf_build(&bytes, BTF_STRUCT, "driver", 2, 24, false);

	btf_build_member(&bytes, "owner", 11, 0);
	btf_build_member(&bytes, "all", 4, 64);
	size_t n = btf_build_finish(&bytes);
	if (btf_open(bytes.out, n, l->b, "a_module", &b, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(id, 21);
	struct inq_type t = {.unit = b, .id = id};
	assert_int_equal(inq_member(t, "all.prev", &mb, &err), INQ_OK);
	assert_int_equal(mb.bit_offset, 128);
	assert_string_equal(mb.name, "prev");
	assert_string_equal(inq_type_module(t), "a_module");
	assert_null(inq_type_module(mb.type));
	assert_true(inq_type_member(t, 0, &mb));
	says(mb.type, "owner", "struct task_struct *owner");
	btf_close(b);
}

static void open_fails(const void *p, size_t n, enum inq_status st, const char *why)
{
	struct btf *b = NULL;
	struct inq_err err = {0};

	assert_int_equal(btf_open(p, n, NULL, NULL, &b, &err), st);
	assert_string_equal(err.msg, why);
	assert_null(b);
}

static void what_is_no_btf_is_refused(void **state)
{
	struct lab *l = *state;
	uint8_t *p = l->bytes.out;
	size_t n = btf_build_finish(&l->bytes);

	open_fails(p, BTF_HEADER - 1, INQ_EUNSUPPORTED, "BTF of the kernel: no BTF of version 1");
	open_fails(p, n - 1, INQ_ECORRUPT,
		   "BTF of the kernel: 702 bytes, types at 0x0 + 0x1e8, strings at 0x1e8 + 0xbf");
	p[n - 1] = 'x';
	open_fails(p, n, INQ_ECORRUPT, "BTF of the kernel: the last string does not end");
	p[n - 1] = 0;
	p[BTF_HEADER + 7] = 31;
	open_fails(p, n, INQ_EUNSUPPORTED, "BTF of the kernel: type 1 at 0x0 is of kind 31");
	p[BTF_HEADER + 7] = BTF_DATASEC;
	p[BTF_HEADER + 5] = 0xff;
	open_fails(p, n, INQ_ECORRUPT,
		   "BTF of the kernel: type 1 at 0x0 goes on behind the last byte");
}

static void flipped_and_cut_bytes_do_no_harm(void **state)
{
	struct lab *l = *state;
	size_t n = btf_build_finish(&l->bytes);

	for (size_t bit = 0; bit < 8 * n; bit++) {
		struct btf *b = NULL;
		l->bytes.out[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (!btf_open(l->bytes.out, n, NULL, NULL, &b, NULL))
			btf_ask_all(b);
		btf_close(b);
		l->bytes.out[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	for (size_t k = 0; k < n; k++) {
		struct btf *b = NULL;
		uint8_t *copy = malloc(k + 1); /* so that a sanitizer sees who reads behind it */
		assert_non_null(copy);
		memcpy(copy, l->bytes.out, k);
		assert_int_not_equal(btf_open(copy, k, NULL, NULL, &b, NULL), INQ_OK);
		free(copy);
	}
}

static void types_within_themselves_end(void **state)
{
	struct btf_build bytes = {0};
	struct btf *b = NULL;
	struct inq_member mb;
	struct inq_err err;

	(void)state;
	btf_build(&bytes, BTF_TYPEDEF, "loop", 0, 2, false);
	btf_build(&bytes, BTF_CONST, "", 0, 1, false);
	btf_build_array(&bytes, 3, 3, 1000);
	btf_build(&bytes, BTF_STRUCT, "nest", 40, 8, false);
	for (int i = 0; i < 40; i++)
		btf_build_member(&bytes, "", 4, 0);
	btf_build(&bytes, BTF_FUNC_PROTO, "", 40, 5, false);
	for (int i = 0; i < 40; i++)
		btf_build_pair(&bytes, "", 5);
	btf_build(&bytes, BTF_PTR, "", 0, 6, false);
	size_t n = btf_build_finish(&bytes);
	if (btf_open(bytes.out, n, NULL, NULL, &b, &err))
		fail_msg("%s", err.msg);
	btf_ask_all(b);
	struct inq_type t = {.unit = b, .id = 4};
	assert_int_equal(inq_member(t, "deep", &mb, &err), INQ_ENOTFOUND);
	btf_close(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(types_are_found_by_name_and_kind, setup, teardown),
		cmocka_unit_test_setup_teardown(sizes_are_those_of_c, setup, teardown),
		cmocka_unit_test_setup_teardown(members_are_found_by_path, setup, teardown),
		cmocka_unit_test_setup_teardown(a_path_that_leads_nowhere_says_so, setup, teardown),
		cmocka_unit_test_setup_teardown(declarations_are_written_as_in_c, setup, teardown),
		cmocka_unit_test_setup_teardown(enumerators_have_their_sign, setup, teardown),
		cmocka_unit_test_setup_teardown(fields_are_integers_of_any_width, setup, teardown),
		cmocka_unit_test_setup_teardown(a_modules_types_lead_to_the_kernels, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_is_no_btf_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(flipped_and_cut_bytes_do_no_harm, setup, teardown),
		cmocka_unit_test(types_within_themselves_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
