/* Symbols in SQL: a range of addresses is begun where it begins, and comes in their order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/live/live.h"
#include "machine/machine.h"
#include "machine/names.h"
#include "machine/types.h"
#include "store/store.h"
#include "tests/analyzers/says.h"
#include "tests/machine/fake_names.h"

#include <sqlite3.h>

#define TEXT UINT64_C(0xffffffff81000000)

struct lab {
	struct machine_names *names;
	struct machine_types types;
	struct inq_kernel kernel;
	struct machine_made made;
	struct sql_lab sql;
};

static struct kallsyms *some_symbols(void)
{
	static const struct fake_symbol symbols[] = {
		{0, "Abegin"},
		{0x1000, "Aprobe"},
		{TEXT, "T_text"},
		{TEXT + 0x100, "tprobe"},
		{TEXT + 0x100, "Talias"},
		{TEXT + 0x200, "T_end"},
	};

	return fake_symbols(symbols, sizeof(symbols) / sizeof(*symbols));
}

static int setup(void **state)
{
	static struct lab l;

	l = (struct lab){.types = {.st = INQ_EABSENT},
			 .kernel = {.os = "linux"},
			 .names = calloc(1, sizeof(*l.names))};
	l.names->kernel = some_symbols();
	l.made = (struct machine_made){.names = l.names, .types = &l.types, .kernel = &l.kernel};
	sql_lab_open(&l.sql, (struct inq_machine){.machine_id = 1, .made = &l.made});
	*state = &l;
	return 0;
}

static int teardown(void **state)
{
	struct lab *l = *state;

	store_destroy(l->sql.s);
	machine_names_destroy(l->names);
	return 0;
}

/* One column of the answer, a blank behind each row. */
static void says(const struct lab *l, const char *sql, int col, const char *wanted)
{
	sqlite3_stmt *q = NULL;
	char out[512] = "";

	if (sqlite3_prepare_v2(store_db(l->sql.s), sql, -1, &q, NULL))
		fail_msg("%s: %s", sql, sqlite3_errmsg(store_db(l->sql.s)));
	while (sqlite3_step(q) == SQLITE_ROW) {
		strncat(out, (const char *)sqlite3_column_text(q, col),
			sizeof(out) - strlen(out) - 1);
		strncat(out, " ", sizeof(out) - strlen(out) - 1);
	}
	assert_int_equal(sqlite3_finalize(q), SQLITE_OK);
	assert_string_equal(out, wanted);
}

static void a_range_has_its_symbols_and_no_other(void **state)
{
	static const struct {
		const char *of, *names;
	} all[] = {
		{"", "_text probe alias _end begin probe "},
		{"WHERE addr = 0xffffffff81000100", "probe alias "},
		{"WHERE addr = 0xffffffff81000101", ""},
		{"WHERE addr = 0", "begin "},
		{"WHERE addr BETWEEN 0xffffffff81000001 AND 0xffffffff81000200",
		 "probe alias _end "},
		{"WHERE addr > 0xffffffff81000100", "_end begin probe "},
		{"WHERE addr >= 0x7fffffffffffffff", ""},
		{"WHERE addr < 0xffffffff81000100", "_text "},
		{"WHERE addr > 0", "probe "},
		{"WHERE addr > 5 AND addr < 0", ""},
		{"WHERE addr >= 'text'", ""},
		{"ORDER BY addr DESC LIMIT 1", "probe "},
		{"('probe') ORDER BY addr", "probe probe "},
	};
	char sql[160];

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		snprintf(sql, sizeof(sql), "SELECT name FROM symbol%s%s",
			 *all[i].of == '(' ? "" : " ", all[i].of);
		says(*state, sql, 0, all[i].names);
	}
	says(*state, "SELECT is_code(addr) FROM symbol WHERE addr < 0", 0, "0 0 0 0 ");
	says(*state, "SELECT addr FROM symbol('probe') ORDER BY addr", 0, "-2130706176 4096 ");
}

static void a_lost_name_is_null(void **state)
{
	struct lab *l = *state;
	struct kallsyms *k = l->names->kernel;

	memset(k->text + k->symbol[3].name, 0, 2);
	k->lost = 1;
	says(l, "SELECT coalesce(name, 'lost') || size FROM symbol WHERE addr = 0xffffffff81000100",
	     0, "lost256 alias256 ");
	says(l, "SELECT coalesce(sym(0xffffffff81000100), 'lost')", 0, "alias ");
}

/* The number behind "INDEX" is of arguments, the text of conditions: column, operator. */
static void the_plan_hands_ranges_over(void **state)
{
	enum { DETAIL = 3 };

	says(*state, "EXPLAIN QUERY PLAN SELECT * FROM symbol WHERE addr = 1", DETAIL,
	     "SCAN symbol VIRTUAL TABLE INDEX 0:0= ");
	says(*state,
	     "EXPLAIN QUERY PLAN SELECT * FROM symbol WHERE addr >= 1 AND addr < 9 ORDER BY addr",
	     DETAIL, "SCAN symbol VIRTUAL TABLE INDEX 0:0g0L ");
	says(*state, "EXPLAIN QUERY PLAN SELECT * FROM symbol WHERE size = 1", DETAIL,
	     "SCAN symbol VIRTUAL TABLE INDEX 0: ");
	says(*state, "EXPLAIN QUERY PLAN SELECT * FROM symbol('x') ORDER BY addr", DETAIL,
	     "SCAN symbol VIRTUAL TABLE INDEX 1: USE TEMP B-TREE FOR ORDER BY ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_range_has_its_symbols_and_no_other, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_lost_name_is_null, setup, teardown),
		cmocka_unit_test_setup_teardown(the_plan_hands_ranges_over, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
