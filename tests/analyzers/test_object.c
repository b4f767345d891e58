/* Objects of a small kernel in SQL: values by type, paths, pointers, lists, per-CPU variables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <string.h>

#include "analyzers/live/live.h"
#include "machine/names.h"
#include "store/store.h"
#include "tests/analyzers/says.h"
#include "tests/machine/typed.h"

struct lab {
	struct typed t;
	struct inq_kernel_fact facts[2];
	struct sql_lab sql;
};

/* A task at 0x100, one at 0x200, in a list from 0x80; CPU 1's current_task is the second. */
static void fill(struct lab *l)
{
	struct flat *mem = &l->t.memory;

	flat_put(mem, 0x80, FLAT_BASE + 0x108);
	flat_put(mem, 0x100, 42 | UINT64_C(0x203) << 32);
	flat_put(mem, 0x108, FLAT_BASE + 0x208);
	flat_put(mem, 0x110, FLAT_BASE + 0x80);
	memcpy(mem->bytes + 0x118, "a \033[task", 8);
	flat_put(mem, 0x128, UINT64_MAX);
	flat_put(mem, 0x130, UINT32_MAX);
	flat_put(mem, 0x138, FLAT_BASE + 0x200);
	flat_put(mem, 0x200, 7);
	flat_put(mem, 0x208, FLAT_BASE + 0x80);
	memcpy(mem->bytes + 0x218, "the other", 9);
	flat_put(mem, 0x230, 1);
	flat_put(mem, 0x2008, FLAT_BASE + 0x200);
}

static int setup(void **state)
{
	static struct lab l;
	static struct inq_cpu cpus[2] = {{.index = 0}, {.index = 1}};

	typed_open(&l.t, btf_build_kernel);
	l.facts[0] = (struct inq_kernel_fact){.fact = "per_cpu", .value = 0};
	l.facts[1] =
		(struct inq_kernel_fact){.fact = "per_cpu", .cpu = 1, .value = FLAT_BASE + 0x1008};
	l.t.kernel.facts = l.facts;
	l.t.kernel.nr_facts = 2;
	l.t.m.machine_id = 1;
	l.t.m.cpus = cpus;
	l.t.m.nr_cpus = 2;
	sql_lab_open(&l.sql, l.t.m);
	fill(&l);
	*state = &l;
	return 0;
}

static int teardown(void **state)
{
	struct lab *l = *state;

	store_destroy(l->sql.s);
	machine_names_destroy(l->t.made.names);
	typed_close(&l->t);
	return 0;
}

static void says(const struct lab *l, const char *sql, const char *wanted)
{
	sql_says(l->sql.s, sql, wanted);
}

#define TASK "'struct task_struct"
#define AT "'0xffff888000000100'"

static void every_member_has_its_value(void **state)
{
	says(*state, "SELECT depth, path, value, raw FROM object(" TASK "', " AT ")",
	     "0|||-|;1|pid|42|42|;1|on_cpu|-1|-1|;1|prio|-255|-255|;1|tasks||-|;"
	     "2|tasks.next|0xffff888000000208|-131391639518712|;"
	     "2|tasks.prev|0xffff888000000080|-131391639519104|;"
	     "1|comm|\"a \033[task\"|-|;1|||-|;2|as_int|-1|-1|;"
	     "2|as_long|0xffffffffffffffff|-1|;1|state|DEAD (-1)|-1|;"
	     "1|children|{0xffff888000000200, NULL <3 times>}|-|;");
}

static void a_path_leads_to_a_part(void **state)
{
	says(*state, "SELECT value FROM object(" TASK ".comm', " AT ")", "\"a \033[task\"|;");
	says(*state, "SELECT value FROM object(" TASK ".children[0]->pid', " AT ")", "7|;");
	says(*state,
	     "SELECT value, offset, member FROM object('*struct task_struct.children[0]', " AT
	     ") LIMIT 2",
	     "|0||;7|0|pid|;");
	says(*state, "SELECT hex64(addr), type FROM object(" TASK ".prio', " AT ")",
	     "0xffff888000000104|int:9|;");
}

static void what_is_left_out_says_so(void **state)
{
	says(*state, "SELECT value FROM object('struct list_head [100]', " AT ") LIMIT 1",
	     "the first 64 of 100|;");
	says(*state, "SELECT count(*), max(path) FROM object('struct list_head [64]', " AT ")",
	     "193|[9].prev|;");
	says(*state, "SELECT value FROM object('struct list_head [64]', " AT ") LIMIT 1", "|;");
}

static void what_cannot_be_followed_says_why(void **state)
{
	says(*state, "SELECT * FROM object(" TASK ".children[1]->pid', " AT ")",
	     "object: children at 0xffff888000000140 is NULL");
	says(*state, "SELECT * FROM object(" TASK ".pid->x', " AT ")",
	     "object: int pid is no pointer");
	says(*state, "SELECT * FROM object(" TASK ".nobody', " AT ")",
	     "object: struct task_struct has no member nobody");
	says(*state, "SELECT value FROM object(" TASK "', 4096) WHERE member = 'pid'",
	     "(not mapped)|;");
	says(*state, "SELECT * FROM object('.x')", "object: .x: no variable to begin with");
}

static void a_list_yields_its_objects(void **state)
{
	says(*state,
	     "SELECT w.nr, value FROM walk('list', '0xffff888000000080', " TASK "', 'tasks') w,"
	     " object(" TASK ".pid', w.addr)",
	     "0|42|;1|7|;");
	says(*state, "SELECT * FROM walk('ring', 1)",
	     "walk: ring: there are list, hlist, chain, rbtree, xarray, maple");
	says(*state, "SELECT * FROM walk('list', 1, " TASK "', 'nobody')",
	     "walk: struct task_struct has no member nobody");
}

static void each_cpu_has_its_own(void **state)
{
	says(*state, "SELECT cpu, value FROM object('current_task', NULL, 1)",
	     "1|0xffff888000000200|;");
	says(*state, "SELECT cpu, value FROM object('current_task->comm', NULL, 1)",
	     "1|\"the other\"|;");
	says(*state, "SELECT cpu, value FROM object('current_task', NULL, 'all')",
	     "0|(not mapped)|;1|0xffff888000000200|;");
	says(*state, "SELECT * FROM object('current_task')",
	     "object: current_task: each CPU has one; --cpu says whose");
	says(*state, "SELECT * FROM object('current_task', NULL, 5)",
	     "object: where the data of cpu 5 lie is unknown");
}

static void an_address_is_told_what_it_belongs_to(void **state)
{
	says(*state, "SELECT kind, hex64(addr), offset, text FROM what('0xffff88800000200a')",
	     "per_cpu|0xffff888000002008|2|current_task of cpu 1+0x2/0x8|;");
	says(*state, "SELECT hex64(addr), offset FROM what('kernel:current_task@1+2')",
	     "0xffff888000002008|2|;");
	says(*state, "SELECT count(*) FROM what(16)", "0|;");
	says(*state, "SELECT * FROM what('nobody.x')",
	     "what: no names (kallsyms) in the kernel's image");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_member_has_its_value, setup, teardown),
		cmocka_unit_test_setup_teardown(a_path_leads_to_a_part, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_left_out_says_so, setup, teardown),
		cmocka_unit_test_setup_teardown(what_cannot_be_followed_says_why, setup, teardown),
		cmocka_unit_test_setup_teardown(a_list_yields_its_objects, setup, teardown),
		cmocka_unit_test_setup_teardown(each_cpu_has_its_own, setup, teardown),
		cmocka_unit_test_setup_teardown(an_address_is_told_what_it_belongs_to, setup,
						teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
