/* Location descriptions: what is followed to a value, and what is said to be unknown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "machine/frame_parts.h"
#include "machine/machine.h"

/* DWARF 5, 7.7.1 "Operation Expressions". */
enum {
	ADDR = 0x03,
	DEREF = 0x06,
	DUP = 0x12,
	MINUS = 0x1c,
	PLUS = 0x22,
	SHL = 0x24,
	SHRA = 0x26,
	LIT0 = 0x30,
	REG0 = 0x50,
	BREG0 = 0x70,
	FBREG = 0x91,
	PIECE = 0x93,
	CALL_FRAME_CFA = 0x9c,
	STACK_VALUE = 0x9f,
	ENTRY_VALUE = 0xa3,
	RBX = 3,
	RDI = 5,
};

static const struct inq_machine no_memory;
static const struct debug_op cfa = {CALL_FRAME_CFA, 0, 0};

/* rbx is known and 100, the frame address 8192; everything else is not. */
static struct frame_value follow(const struct debug_op *ops, size_t n, bool has_cfa)
{
	struct unwind_frame f = {.cfa = has_cfa ? 8192 : 0};
	struct frame_view view = {
		.m = &no_memory, .f = &f, .base = {&cfa, 1}, .moved = 4096, .moved_known = true};
	struct debug_ops all = {ops, n};

	x86_64_frame_set(&f.at, X86_64_RBX, 100);
	return frame_follow(&view, &all);
}

#define FOLLOW(...)                                                                                \
	follow((const struct debug_op[]){__VA_ARGS__},                                             \
	       sizeof((const struct debug_op[]){__VA_ARGS__}) / sizeof(struct debug_op), true)

static void assert_value(struct frame_value v, enum frame_where where, uint64_t expected)
{
	assert_int_equal(v.where, where);
	assert_int_equal(v.v, expected);
}

static void test_registers_are_values_and_what_counts_from_them_is_memory(void **state)
{
	(void)state;
	assert_value(FOLLOW({REG0 + RBX, 0, 0}), FRAME_VALUE, 100);
	assert_value(FOLLOW({BREG0 + RBX, 28, 0}), FRAME_MEMORY, 128);
	assert_value(FOLLOW({BREG0 + RBX, (uint64_t)-4, 0}, {STACK_VALUE, 0, 0}), FRAME_VALUE, 96);
	assert_value(FOLLOW({FBREG, (uint64_t)-16, 0}), FRAME_MEMORY, 8176);
	assert_value(FOLLOW({ADDR, 4096, 0}), FRAME_MEMORY, 8192);
}

static void test_values_are_computed(void **state)
{
	(void)state;
	assert_value(
		FOLLOW({BREG0 + RBX, 0, 0}, {LIT0 + 4, 0, 0}, {SHL, 0, 0}, {STACK_VALUE, 0, 0}),
		FRAME_VALUE, 1600);
	assert_value(FOLLOW({LIT0, 0, 0}, {LIT0 + 1, 0, 0}, {MINUS, 0, 0}, {LIT0 + 31, 0, 0},
			    {DUP, 0, 0}, {PLUS, 0, 0}, {LIT0 + 2, 0, 0}, {PLUS, 0, 0}, {SHRA, 0, 0},
			    {STACK_VALUE, 0, 0}),
		     FRAME_VALUE, UINT64_MAX);
}

static void test_what_takes_something_unknown_is_unknown(void **state)
{
	const struct debug_op fbreg = {FBREG, 0, 0};

	(void)state;
	assert_value(FOLLOW({REG0 + RDI, 0, 0}), FRAME_UNKNOWN, 0);
	assert_value(FOLLOW({BREG0 + RDI, 8, 0}), FRAME_UNKNOWN, 0);
	assert_value(FOLLOW({BREG0 + RBX, 0, 0}, {DEREF, 0, 0}, {STACK_VALUE, 0, 0}), FRAME_UNKNOWN,
		     0); /* there is no memory */
	assert_value(FOLLOW({ENTRY_VALUE, 1, 0}, {STACK_VALUE, 0, 0}), FRAME_UNKNOWN, 0);
	assert_value(FOLLOW({REG0 + RBX, 0, 0}, {PIECE, 4, 0}), FRAME_UNKNOWN, 0);
	assert_value(follow(&fbreg, 1, false), FRAME_UNKNOWN, 0);
}

static void test_nothing_at_all_is_nowhere(void **state)
{
	(void)state;
	assert_value(follow(NULL, 0, true), FRAME_NOWHERE, 0);
}

static void test_descriptions_that_are_wrong_are_unknown(void **state)
{
	struct debug_op many[64];

	(void)state;
	for (size_t i = 0; i < sizeof(many) / sizeof(*many); i++)
		many[i] = (struct debug_op){LIT0, 0, 0};
	assert_value(follow(many, sizeof(many) / sizeof(*many), true), FRAME_UNKNOWN, 0);
	assert_value(FOLLOW({PLUS, 0, 0}), FRAME_UNKNOWN, 0);
	assert_value(FOLLOW({STACK_VALUE, 0, 0}), FRAME_UNKNOWN, 0);
	assert_value(FOLLOW({LIT0, 0, 0}, {STACK_VALUE, 0, 0}, {LIT0, 0, 0}), FRAME_UNKNOWN, 0);
	assert_value(FOLLOW({UINT64_MAX, 0, 0}), FRAME_UNKNOWN, 0);
}

static void test_a_frame_base_that_counts_from_itself_is_unknown(void **state)
{
	const struct debug_op self = {FBREG, 0, 0};
	const struct unwind_frame f = {.cfa = 8192};
	const struct frame_view view = {.m = &no_memory, .f = &f, .base = {&self, 1}};
	const struct debug_ops all = {&self, 1};

	(void)state;
	assert_value(frame_follow(&view, &all), FRAME_UNKNOWN, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_registers_are_values_and_what_counts_from_them_is_memory),
		cmocka_unit_test(test_values_are_computed),
		cmocka_unit_test(test_what_takes_something_unknown_is_unknown),
		cmocka_unit_test(test_nothing_at_all_is_nowhere),
		cmocka_unit_test(test_descriptions_that_are_wrong_are_unknown),
		cmocka_unit_test(test_a_frame_base_that_counts_from_itself_is_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
