/* The types of a small kernel in SQL: holes, bit-fields, enumerators, anonymous members. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "analyzers/live/live.h"
#include "machine/machine.h"
#include "machine/types.h"
#include "store/store.h"
#include "tests/analyzers/says.h"
#include "tests/symbols/btf_build.h"

#include <sqlite3.h>

struct lab {
	struct btf_build build;
	struct machine_types types;
	struct machine_made made;
	struct sql_lab sql;
};

static int setup(void **state)
{
	static struct lab l;
	struct inq_err err;

	l = (struct lab){0};
	btf_build_kernel(&l.build);
	size_t n = btf_build_finish(&l.build);
	if (btf_open(l.build.out, n, NULL, NULL, &l.types.btf, &err))
		fail_msg("%s", err.msg);
	l.types.modules_asked = true;
	l.made.types = &l.types;
	sql_lab_open(&l.sql, (struct inq_machine){.machine_id = 1, .made = &l.made});
	*state = &l;
	return 0;
}

static int teardown(void **state)
{
	struct lab *l = *state;

	store_destroy(l->sql.s);
	btf_close(l->types.btf);
	return 0;
}

static void says(const struct lab *l, const char *sql, const char *wanted)
{
	sql_says(l->sql.s, sql, wanted);
}

static void a_struct_has_members_and_holes(void **state)
{
	says(*state,
	     "SELECT depth, kind, declaration, offset, bit, bits, size FROM"
	     " type_member('struct task_struct')",
	     "0|member|int pid|0|-|-|4|;0|member|u32 on_cpu:1|4|0|1|-|;"
	     "0|member|int prio:9|4|1|9|-|;0|hole||5|2|22|-|;"
	     "0|member|struct list_head tasks|8|-|-|16|;0|member|char comm[16]|24|-|-|16|;"
	     "0|member|union|40|-|-|8|;1|member|int as_int|40|-|-|4|;"
	     "1|member|long unsigned int as_long|40|-|-|8|;"
	     "0|member|enum state state|48|-|-|4|;0|hole||52|-|-|4|;"
	     "0|member|struct task_struct *children[4]|56|-|-|32|;");
}

static void enumerators_and_parameters_are_rows_too(void **state)
{
	says(*state, "SELECT nr, kind, member, value, offset FROM type_member('enum state')",
	     "0|enumerator|RUNNING|1|-|;1|enumerator|DEAD|-1|-|;");
	says(*state, "SELECT kind, declaration FROM type_member('wake_up')",
	     "parameter|struct task_struct *p|;parameter|const char *why|;parameter|void|;");
	says(*state, "SELECT count(*) FROM type_member('int')", "0|;");
}

static void without_a_name_all_types_come(void **state)
{
	says(*state, "SELECT id, type, count(*), module FROM type_member GROUP BY id",
	     "4|struct list_head|2|-|;8|enum state|2|-|;10|struct task_struct|12|-|;"
	     "18|enum wide|1|-|;");
	says(*state, "SELECT member FROM type_member WHERE of_type = 4", "next|;prev|;");
}

static void what_is_no_type_is_an_error(void **state)
{
	says(*state, "SELECT * FROM type_member('struct nothing')",
	     "type_member: the kernel has no type struct nothing");
	says(*state, "SELECT * FROM type_member('a''b')",
	     "type_member: a'b: not the name of a type");
	says(*state, "SELECT * FROM type_member(99)", "type_member: no type has the id 99");
	says(*state, "SELECT * FROM type_member(1 << 33)",
	     "type_member: no type has the id 8589934592");
	says(*state, "SELECT * FROM type_member(NULL) LIMIT 0", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_struct_has_members_and_holes, setup, teardown),
		cmocka_unit_test_setup_teardown(enumerators_and_parameters_are_rows_too, setup,
						teardown),
		cmocka_unit_test_setup_teardown(without_a_name_all_types_come, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_type_is_an_error, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
