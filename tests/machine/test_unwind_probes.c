/* True return addresses, as probes and tracers keep them for a task. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "machine/unwind_parts.h"
#include "tests/machine/typed.h"

enum { RETHOOK, KRETPROBE, OLD_KRETPROBE, GRAPH };
enum { TASK = 0x100, NODES = 0x200, SHADOW = 0x400, SLOT = 0x800 };
static const uint64_t trampoline = FLAT_BASE + 0xf00, caller = FLAT_BASE + 0xe00;

struct lab {
	struct typed t;
	struct unwinder u;
};

static void build_types(struct btf_build *b)
{
	uint32_t word = btf_build_int(b, "unsigned long", 8, 0);
	uint32_t half = btf_build_int(b, "int", 4, 0);

	btf_build(b, BTF_STRUCT, "rethook_node", 3, 24, false);
	btf_build_member(b, "llist", word, 0);
	btf_build_member(b, "ret_addr", word, 64);
	btf_build_member(b, "frame", word, 128);
	btf_build(b, BTF_STRUCT, "kretprobe_instance", 3, 24, false);
	btf_build_member(b, "llist", word, 0);
	btf_build_member(b, "ret_addr", word, 64);
	btf_build_member(b, "fp", word, 128);
	uint32_t entry = btf_build(b, BTF_STRUCT, "ftrace_ret_stack", 2, 24, false);
	btf_build_member(b, "ret", word, 0);
	btf_build_member(b, "retp", word, 128);
	uint32_t entries = btf_build(b, BTF_PTR, "", 0, entry, false);
	btf_build(b, BTF_STRUCT, "task_struct", 4, 32, false);
	btf_build_member(b, "rethooks", word, 0);
	btf_build_member(b, "kretprobe_instances", word, 64);
	btf_build_member(b, "ret_stack", entries, 128);
	btf_build_member(b, "curr_ret_stack", half, 192);
}

static int setup(void **state)
{
	static struct lab l;

	typed_open(&l.t, build_types);
	l.u = (struct unwinder){.m = &l.t.m};
	for (size_t i = 0; i < UNWIND_TRAMPOLINES; i++)
		l.u.trampoline[i] = trampoline + 16 * i;
	*state = &l;
	return 0;
}

static int teardown(void **state)
{
	struct lab *l = *state;

	typed_close(&l->t);
	return 0;
}

static void put_node(struct lab *l, unsigned i, uint64_t ret, unsigned slot, bool last)
{
	unsigned at = NODES + 24 * i;

	flat_put(&l->t.memory, at, last ? 0 : FLAT_BASE + at + 24);
	flat_put(&l->t.memory, at + 8, ret);
	flat_put(&l->t.memory, at + 16, FLAT_BASE + slot);
}

static bool ask(struct lab *l, size_t which, unsigned slot, uint64_t *ret)
{
	const char *says = NULL;
	bool found =
		unwind_true_return(&l->u, which, FLAT_BASE + TASK, FLAT_BASE + slot, ret, &says);

	assert_non_null(strstr(says, "returns through"));
	return found;
}

static void the_list_of_a_task_is_looked_through(void **state)
{
	struct lab *l = *state;
	uint64_t ret = 0;

	for (unsigned which = RETHOOK; which <= KRETPROBE; which++) {
		flat_put(&l->t.memory, TASK + 8 * which, FLAT_BASE + NODES);
		put_node(l, 0, caller + 1, SLOT + 64, false);
		/* two in one place: the second found the first one's address there */
		put_node(l, 1, trampoline + 16 * which, SLOT, false);
		put_node(l, 2, caller, SLOT, true);
		assert_true(ask(l, which, SLOT, &ret) && ret == caller);
		assert_true(ask(l, which, SLOT + 64, &ret) && ret == caller + 1);
		assert_false(ask(l, which, SLOT + 8, &ret));
	}
	assert_false(ask(l, OLD_KRETPROBE, SLOT, &ret));
}

static void a_loop_in_the_list_ends(void **state)
{
	struct lab *l = *state;
	uint64_t ret = 0;

	flat_put(&l->t.memory, TASK, FLAT_BASE + NODES);
	put_node(l, 0, caller, SLOT, false);
	flat_put(&l->t.memory, NODES, FLAT_BASE + NODES);
	assert_false(ask(l, RETHOOK, SLOT + 8, &ret));
	flat_put(&l->t.memory, TASK, 0);
	assert_false(ask(l, RETHOOK, SLOT, &ret));
}

static void the_graph_tracers_own_stack_is_looked_through(void **state)
{
	struct lab *l = *state;
	uint64_t ret = 0;

	flat_put(&l->t.memory, TASK + 16, FLAT_BASE + SHADOW);
	flat_put(&l->t.memory, TASK + 24, 1);
	flat_put(&l->t.memory, SHADOW, caller);
	flat_put(&l->t.memory, SHADOW + 16, FLAT_BASE + SLOT);
	flat_put(&l->t.memory, SHADOW + 24, caller + 8);
	flat_put(&l->t.memory, SHADOW + 40, FLAT_BASE + SLOT + 16);
	assert_true(ask(l, GRAPH, SLOT, &ret) && ret == caller);
	assert_true(ask(l, GRAPH, SLOT + 16, &ret) && ret == caller + 8);
	flat_put(&l->t.memory, TASK + 24, 0); /* the second has returned */
	assert_false(ask(l, GRAPH, SLOT + 16, &ret));
	flat_put(&l->t.memory, TASK + 24, UINT32_MAX);
	assert_false(ask(l, GRAPH, SLOT, &ret));
}

static void only_a_trampolines_first_byte_is_one(void **state)
{
	struct lab *l = *state;
	size_t which = 9;

	assert_true(unwind_is_kept(&l->u, trampoline + 48, &which) && which == GRAPH);
	assert_false(unwind_is_kept(&l->u, trampoline + 1, &which));
	l->u.trampoline[RETHOOK] = 0;
	assert_false(unwind_is_kept(&l->u, 0, &which));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_list_of_a_task_is_looked_through, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_loop_in_the_list_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(the_graph_tracers_own_stack_is_looked_through,
						setup, teardown),
		cmocka_unit_test_setup_teardown(only_a_trampolines_first_byte_is_one, setup,
						teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
