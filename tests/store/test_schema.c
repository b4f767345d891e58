/* Every table and column explains itself, and belongs to a machine. */
#include <ctype.h>
#include <stdio.h>

#include "analyzers/collect/collectors.h"
#include "analyzers/rules.h"
#include "store/schema.h"
#include "tests/store/lab.h"
#include "views/view.h"

static void assert_explains(const char *table, const char *name, const char *doc)
{
	if (!doc || strlen(doc) < 3 || (doc[strlen(doc) - 1] == '.' && doc[strlen(doc) - 2] != '.'))
		fail_msg("%s.%s: no meaning in one line: %s", table, name, doc ? doc : "NULL");
	for (const char *c = name; *c; c++)
		if (!islower((unsigned char)*c) && !isdigit((unsigned char)*c) && *c != '_')
			fail_msg("%s.%s: not snake_case", table, name);
}

static void every_table_and_column_explains_itself(void **state)
{
	(void)state;
	const struct store_table *t;
	const struct inq_collector *c;

	for (size_t i = 0; (t = store_table_at(i)); i++) {
		assert_explains(t->name, "table", t->doc);
		for (int k = 0; t->cols[k].name; k++)
			assert_explains(t->name, t->cols[k].name, t->cols[k].doc);
	}
	for (size_t i = 0; (c = collector_at(i)); i++) {
		assert_explains(c->table, "table", c->doc);
		assert_ptr_equal(collector_find(c->table), c);
		for (int k = 0; c->cols[k].name; k++)
			assert_explains(c->table, c->cols[k].name, c->cols[k].doc);
	}
	assert_null(collector_find("nonsense"));
}

static void every_collected_table_can_be_made_once_and_belongs_to_a_machine(void **state)
{
	(void)state;
	struct lab l;
	struct inq_err err = {0};
	lab_init(&l);
	struct store *s = lab_store(&l);
	const struct inq_collector *c;

	for (size_t i = 0; (c = collector_at(i)); i++) {
		char sql[256];
		snprintf(sql, sizeof(sql),
			 "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = '%s'",
			 c->table);
		assert_says(s, sql, "0"); /* no name is taken twice */
		assert_int_equal(store_create_table(s, c, &err), INQ_OK);
		snprintf(sql, sizeof(sql), "SELECT name FROM pragma_table_info('%s') WHERE pk = 1",
			 c->table);
		assert_says(s, sql, "machine_id");
		assert_true(c->nr_keys > 0);
	}
	store_destroy(s);
}

static void views_and_rules_need_tables_that_exist(void **state)
{
	(void)state;
	const struct view *v;

	for (size_t i = 0; (v = view_at(i)); i++) {
		if (v->reads && !collector_find(v->reads))
			fail_msg("view %s reads %s", v->name, v->reads);
		for (int k = 0; k < VIEW_NEEDS && v->needs[k]; k++)
			if (strcmp(v->needs[k], "*") != 0 && strcmp(v->needs[k], "finding") != 0 &&
			    strcmp(v->needs[k], "addr_name") != 0 && !collector_find(v->needs[k]))
				fail_msg("view %s needs %s", v->name, v->needs[k]);
	}
	for (const struct inq_rule *r = analyzers_rules; r->id; r++)
		for (int k = 0; k < INQ_RULE_NEEDS; k++)
			if ((r->needs[k] && !collector_find(r->needs[k])) ||
			    (r->uses[k] && !collector_find(r->uses[k])))
				fail_msg("rule %s needs or uses a table that is none", r->id);
}

static void every_view_is_a_query_over_the_real_tables(void **state)
{
	(void)state;
	struct lab l;
	struct inq_err err = {0};
	lab_init(&l);
	struct store *s = lab_store(&l);
	FILE *null = fopen("/dev/null", "w");
	const struct view *v;

	lab_live(s);
	for (size_t i = 0; collector_at(i); i++)
		assert_int_equal(store_create_table(s, collector_at(i), &err), INQ_OK);
	for (size_t i = 0; (v = view_at(i)); i++)
		if (view_print(s, v, NULL, VIEW_FORM_TEXT, null, &err))
			fail_msg("%s", err.msg);
	fclose(null);
	store_destroy(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_table_and_column_explains_itself),
		cmocka_unit_test(every_collected_table_can_be_made_once_and_belongs_to_a_machine),
		cmocka_unit_test(views_and_rules_need_tables_that_exist),
		cmocka_unit_test(every_view_is_a_query_over_the_real_tables),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
