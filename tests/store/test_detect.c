/* What the rule engine makes of good rules, broken rules and hostile rules. */
#include <stdio.h>

#include "tests/store/lab.h"

#define F "SELECT id AS key, machine_id, 'id ' || id AS subject, note AS detail FROM thing"
#define E                                                                                          \
	"SELECT id AS key, machine_id, 'thing' AS tbl, rowid AS row, 'note ' || note AS text"      \
	" FROM thing"
#define BAD " WHERE note = 'bad';"
#define U                                                                                          \
	"SELECT machine_id, 'thing' AS tbl, count(*) || ' notes' AS message FROM thing"            \
	" WHERE note IS NULL GROUP BY machine_id;"
#define RULE(name, text)                                                                           \
	((struct inq_rule){.id = (name),                                                           \
			   .severity = "warning",                                                  \
			   .confidence = "strong",                                                 \
			   .title = "a title",                                                     \
			   .why = "a why",                                                         \
			   .fix = "a fix",                                                         \
			   .source = "a source",                                                   \
			   .needs = {"thing"},                                                     \
			   .sql = (text)})

static struct store *open_things(void)
{
	struct lab l;
	lab_init(&l);
	struct store *s = lab_store(&l);
	run_sql(s, "CREATE TABLE thing(machine_id, id, note, PRIMARY KEY(machine_id, id));"
		   "INSERT INTO machine VALUES(2, 1, 1, 'guest', 'x86_64', 1);"
		   "INSERT INTO thing VALUES(1, 7, 'bad'), (1, 8, 'good'), (2, 7, 'bad');"
		   "INSERT INTO run VALUES(1, 'thing', 'complete', 2, 0, NULL),"
		   " (2, 'thing', 'complete', 1, 0, NULL)");
	return s;
}

static enum inq_status detect(struct store *s, struct inq_rule r, struct inq_err *err)
{
	return store_detect(s, &r, err);
}

static void a_rule_brings_findings_with_evidence_per_machine(void **state)
{
	(void)state;
	struct inq_err err = {0};
	struct store *s = open_things();

	assert_int_equal(detect(s, RULE("r", F BAD E BAD "\n"), &err), INQ_OK);
	assert_says(s,
		    "SELECT group_concat(machine_id || rule || key || severity || confidence ||"
		    " title || subject || detail || why || fix) FROM finding",
		    "1r7warningstronga titleid 7bada whya fix,"
		    "2r7warningstronga titleid 7bada whya fix");
	assert_says(s,
		    "SELECT group_concat(machine_id || ' ' || finding_id || ' ' || nr || tbl ||"
		    " row || text) FROM evidence",
		    "1 1 1thing1note bad,2 2 1thing3note bad");
	assert_int_equal(detect(s, RULE("r", F BAD E BAD), &err), INQ_OK); /* replaces its answer */
	assert_says(s, "SELECT count(*) FROM finding", "2");
	assert_says(s, "SELECT count(*) FROM evidence", "2");
	store_destroy(s);
}

static void what_a_rule_cannot_tell_stands_beside_what_it_found(void **state)
{
	(void)state;
	struct inq_err err = {0};
	struct store *s = open_things();

	run_sql(s, "INSERT INTO thing VALUES(1, 9, NULL)");
	assert_int_equal(detect(s, RULE("r", F BAD E BAD U "\n"), &err), INQ_OK);
	assert_says(s, "SELECT group_concat(machine_id || key) FROM finding", "17,27");
	assert_says(s,
		    "SELECT group_concat(machine_id || rule || ' ' || tbl || ' ' || state || ' ' ||"
		    " message) FROM unevaluated",
		    "1r thing unknown 1 notes");
	run_sql(s, "DELETE FROM thing WHERE note IS NULL");
	assert_int_equal(detect(s, RULE("r", F BAD E BAD U), &err), INQ_OK);
	assert_says(s, "SELECT count(*) FROM unevaluated", "0");
	store_destroy(s);
}

static void evidence_is_numbered_in_the_order_of_the_query(void **state)
{
	(void)state;
	struct inq_err err = {0};
	struct store *s = open_things();
	const char *sql =
		F " WHERE id = 7;"
		  "SELECT t.id AS key, machine_id, 'thing' AS tbl, t.rowid AS row, x.column1"
		  " AS text FROM thing t, (VALUES('c'), ('a'), ('b')) x WHERE t.id = 7"
		  " ORDER BY x.column1;";

	assert_int_equal(detect(s, RULE("r", sql), &err), INQ_OK);
	assert_says(s,
		    "SELECT group_concat(nr || text) FROM"
		    " (SELECT * FROM evidence WHERE machine_id = 1 ORDER BY nr)",
		    "1a,2b,3c");
	store_destroy(s);
}

static void a_row_may_raise_or_lower_the_severity(void **state)
{
	(void)state;
	struct inq_err err = {0};
	struct store *s = open_things();
	const char *sql = "SELECT id AS key, machine_id, 's' AS subject, note AS detail,"
			  " iif(machine_id = 2, 'error', NULL) AS severity,"
			  " 'proof' AS confidence FROM thing" BAD E BAD;

	assert_int_equal(detect(s, RULE("r", sql), &err), INQ_OK);
	assert_says(s, "SELECT group_concat(severity || confidence) FROM finding",
		    "warningproof,errorproof");
	store_destroy(s);
}

static void a_broken_rule_is_refused_whole_and_recorded(void **state)
{
	(void)state;
	static const struct {
		const char *sql, *says;
		enum inq_status st;
	} t[] = {
		{F BAD E " WHERE id = 8;", "a finding without evidence", INQ_EUSAGE},
		{F BAD E BAD "SELECT 1", "must be a SELECT of machine_id, tbl, message",
		 INQ_EUSAGE},
		{F BAD E BAD U U, "more than three queries", INQ_EUSAGE},
		{F ";", "must be a SELECT of", INQ_EUSAGE},
		{E ";" E ";", "must be a SELECT of", INQ_EUSAGE},
		{"SELECT gone FROM thing;", "no such column: gone", INQ_EUSAGE},
		{"SELECT 1 AS key, machine_id, 's' AS subject, 'd' AS detail FROM thing;" E ";",
		 "UNIQUE constraint failed", INQ_EIO},
		{"SELECT id AS key, machine_id, NULL AS subject, 'd' AS detail FROM thing;" E ";",
		 "NOT NULL constraint failed", INQ_EIO},
		{"SELECT id AS key, 9 AS machine_id, 's' AS subject, 'd' AS detail FROM thing" BAD E
		 ";",
		 "constraint failed", INQ_EIO},
		{"SELECT id AS key, machine_id, 's' AS subject, 'd' AS detail, 'awful' AS severity"
		 " FROM thing;" E ";",
		 "CHECK constraint failed", INQ_EIO},
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		struct inq_err err = {0};
		struct store *s = open_things();
		assert_int_equal(detect(s, RULE("r", t[i].sql), &err), t[i].st);
		if (!strstr(err.msg, t[i].says) || strncmp(err.msg, "rule r: ", 8) != 0)
			fail_msg("%s: %s", t[i].sql, err.msg);
		assert_says(s, "SELECT count(*) FROM finding", "0");
		assert_says(s,
			    "SELECT group_concat(machine_id || rule || tbl || state)"
			    " FROM unevaluated WHERE message <> ''",
			    "1rfailed,2rfailed");
		store_destroy(s);
	}
}

static void a_rule_may_only_read_and_compute(void **state)
{
	(void)state;
	static const char *const sql[] = {
		"DELETE FROM thing RETURNING 1 AS key, 2 AS machine_id, 3 AS subject, 4 AS detail;",
		"INSERT INTO thing VALUES(9, 9, 9);",
		"PRAGMA user_version = 3;",
		"ATTACH 'x.db' AS x;",
		"SELECT load_extension('x') AS key, 1 AS machine_id, 2 AS subject, 3 AS detail;",
		"SELECT randomblob(9) AS key, 1 AS machine_id, '' AS subject, '' AS detail;",
		"SELECT zeroblob(999999999) AS key, 1 AS machine_id, '' AS subject, '' AS detail;",
	};

	for (size_t i = 0; i < sizeof(sql) / sizeof(*sql); i++) {
		struct inq_err err = {0};
		struct store *s = open_things();
		assert_int_equal(detect(s, RULE("r", sql[i]), &err), INQ_EUSAGE);
		if (!strstr(err.msg, "not authorized"))
			fail_msg("%s: %s", sql[i], err.msg);
		assert_says(s, "SELECT count(*) FROM thing", "3");
		store_destroy(s);
	}
}

static void an_endless_rule_ends(void **state)
{
	(void)state;
	struct inq_err err = {0};
	struct store *s = open_things();
	const char *steps = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c)"
			    " SELECT n AS key, 1 AS machine_id, '' AS subject, '' AS detail FROM c"
			    " WHERE n < 0;" E ";";
	const char *rows =
		"WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c)"
		" SELECT n AS key, 1 AS machine_id, '' AS subject, '' AS detail FROM c;" E ";";

	assert_int_equal(detect(s, RULE("steps", steps), &err), INQ_ELIMIT);
	assert_string_equal(err.msg, "rule steps: takes more than 100000000 steps");
	assert_int_equal(detect(s, RULE("rows", rows), &err), INQ_ELIMIT);
	assert_string_equal(err.msg, "rule rows: more than 100000 rows");
	assert_says(s, "SELECT count(*) FROM finding", "0");
	assert_int_equal(detect(s, RULE("r", F BAD E BAD), &err), INQ_OK); /* the next goes on */
	store_destroy(s);
}

static void missing_partial_and_failed_tables_set_a_machine_aside(void **state)
{
	(void)state;
	static const char *const break_it[][2] = {
		{"DELETE FROM run WHERE machine_id = 2", "2thingmissing"},
		{"UPDATE run SET state = 'partial' WHERE machine_id = 2", "2thingpartial"},
		{"UPDATE run SET state = 'failed', message = 'm' WHERE machine_id = 2",
		 "2thingfailedm"},
	};

	for (size_t i = 0; i < 3; i++) {
		struct inq_err err = {0};
		struct store *s = open_things();
		run_sql(s, break_it[i][0]);
		assert_int_equal(detect(s, RULE("r", F BAD E BAD), &err), INQ_OK);
		assert_says(s, "SELECT group_concat(machine_id) FROM finding", "1");
		assert_says(s,
			    "SELECT group_concat(machine_id || tbl || state ||"
			    " coalesce(message, '')) FROM unevaluated",
			    break_it[i][1]);
		store_destroy(s);
	}
}

static void without_any_table_the_rule_is_not_even_prepared(void **state)
{
	(void)state;
	struct inq_err err = {0};
	struct store *s = open_things();

	run_sql(s, "DROP TABLE thing; DELETE FROM run");
	assert_int_equal(detect(s, RULE("r", F BAD E BAD), &err), INQ_OK);
	assert_says(s, "SELECT group_concat(state) FROM unevaluated", "missing,missing");
	store_destroy(s);
}

static int yes(void *ctx)
{
	(void)ctx;
	return 1;
}

static void a_stopped_rule_is_no_failed_rule(void **state)
{
	(void)state;
	struct inq_err err = {0};
	struct store *s = open_things();

	store_on_stop(s, yes, NULL);
	assert_int_equal(
		detect(s,
		       RULE("r", "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c)"
				 " SELECT n AS key, 1 AS machine_id, '' AS subject, '' AS detail"
				 " FROM c WHERE n < 0;" E ";"),
		       &err),
		INQ_EINTR);
	store_on_stop(s, NULL, NULL);
	assert_says(s, "SELECT count(*) FROM unevaluated", "0");
	store_destroy(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rule_brings_findings_with_evidence_per_machine),
		cmocka_unit_test(what_a_rule_cannot_tell_stands_beside_what_it_found),
		cmocka_unit_test(evidence_is_numbered_in_the_order_of_the_query),
		cmocka_unit_test(a_row_may_raise_or_lower_the_severity),
		cmocka_unit_test(a_broken_rule_is_refused_whole_and_recorded),
		cmocka_unit_test(a_rule_may_only_read_and_compute),
		cmocka_unit_test(an_endless_rule_ends),
		cmocka_unit_test(missing_partial_and_failed_tables_set_a_machine_aside),
		cmocka_unit_test(without_any_table_the_rule_is_not_even_prepared),
		cmocka_unit_test(a_stopped_rule_is_no_failed_rule),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
