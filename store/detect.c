/* Knows what a rule may ask and where its answers go.  What is wrong, only the rules know. */
#include <string.h>

#include "store/guard.h"
#include "store/internal.h"

enum {
	COLS_MAX = 6,
	BUDGET_CALLS = 100000, /* of the progress handler: a rule may take 1e8 steps, seconds */
	ROWS_MAX = 100000,     /* of either SELECT */
};

/* One of the SELECTs: its columns by name, those from nr_must on may be left out. */
struct question {
	const char *cols[COLS_MAX + 1];
	int nr_must;
	const char
		*insert; /* ?1 rule, ?2 severity, ?3 confidence, ?4 title, ?5 why, ?6 fix, cols */
};
enum { HEADER = 6 };

static const struct question findings = {
	.cols = {"key", "machine_id", "subject", "detail", "severity", "confidence"},
	.nr_must = 4,
	.insert = "INSERT INTO finding(rule, severity, confidence, title, why, fix,"
		  " key, machine_id, subject, detail)"
		  " SELECT ?1, coalesce(?11, ?2), coalesce(?12, ?3), ?4, ?5, ?6, ?7, ?8, ?9, ?10"
		  " WHERE ?8 NOT IN (SELECT machine_id FROM unevaluated WHERE rule = ?1)",
};
static const struct question evidence = {
	.cols = {"key", "machine_id", "tbl", "row", "text"},
	.nr_must = 5,
	.insert = "INSERT INTO evidence(machine_id, finding_id, nr, tbl, row, text)"
		  " SELECT f.machine_id, f.finding_id,"
		  " (SELECT count(*) + 1 FROM evidence e WHERE e.machine_id = f.machine_id"
		  "  AND e.finding_id = f.finding_id), ?9, ?10, ?11"
		  " FROM finding f WHERE f.rule = ?1 AND f.key = ?7 AND f.machine_id = ?8",
};

/* The optional third: what the rule cannot tell, because a value is NULL. */
static const struct question undecided = {
	.cols = {"machine_id", "tbl", "message"},
	.nr_must = 3,
	.insert = "INSERT INTO unevaluated SELECT ?7, ?1, ?8, 'unknown', ?9 WHERE NOT EXISTS"
		  " (SELECT 1 FROM unevaluated WHERE machine_id = ?7 AND rule = ?1)",
};

/* A statement about the rule (?1), and if there is one a text (?2).  A row means yes. */
static enum inq_status ask(sqlite3 *db, const char *sql, const char *id, const char *text,
			   bool *ret_yes, struct inq_err *err)
{
	INQ_SCOPED(sql_stmt_free_scope_) sqlite3_stmt *q = NULL;
	enum inq_status st = sql_prepare(db, sql, &q, err);

	if (st)
		return st;
	if (sql_bind_text(q, 1, id) || (text && sql_bind_text(q, 2, text)))
		return sql_fail(db, INQ_EIO, "bind", err);
	int rc = sqlite3_step(q);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		return sql_fail(db, INQ_EIO, sql, err);
	if (ret_yes)
		*ret_yes = rc == SQLITE_ROW;
	return INQ_OK;
}

/* What this rule said before. */
static enum inq_status forget(sqlite3 *db, const char *id, struct inq_err *err)
{
	static const char *const sql[] = {
		("DELETE FROM evidence WHERE finding_id IN"
		 " (SELECT finding_id FROM finding WHERE rule = ?1)"),
		"DELETE FROM finding WHERE rule = ?1",
		"DELETE FROM unevaluated WHERE rule = ?1",
	};
	enum inq_status st = INQ_OK;

	for (size_t i = 0; !st && i < sizeof(sql) / sizeof(*sql); i++)
		st = ask(db, sql[i], id, NULL, NULL, err);
	return st;
}

/* Set aside the machines whose tables do not allow a verdict.  Is any left? */
static enum inq_status check_needs(sqlite3 *db, const struct inq_rule *r, bool *ret_any,
				   struct inq_err *err)
{
	for (int i = 0; i < INQ_RULE_NEEDS && r->needs[i]; i++) {
		enum inq_status st =
			ask(db,
			    "INSERT INTO unevaluated"
			    " SELECT m.machine_id, ?1, ?2, coalesce(c.state, 'missing'), c.message"
			    " FROM machine m LEFT JOIN run c"
			    " ON c.machine_id = m.machine_id AND c.tbl = ?2"
			    " WHERE c.state IS NOT 'complete'",
			    r->id, r->needs[i], NULL, err);
		if (st)
			return st;
	}
	return ask(db,
		   "SELECT 1 FROM machine WHERE machine_id NOT IN"
		   " (SELECT machine_id FROM unevaluated WHERE rule = ?1)",
		   r->id, NULL, ret_any, err);
}

static bool columns_match(sqlite3_stmt *q, const struct question *what)
{
	int n = sqlite3_column_count(q);

	if (n < what->nr_must || n > COLS_MAX)
		return false;
	for (int i = 0; i < n; i++)
		if (!what->cols[i] || strcmp(sqlite3_column_name(q, i), what->cols[i]) != 0)
			return false;
	return true;
}

/* The rule's text is only ever prepared, never pasted into other SQL.  Moves *sql behind it. */
static enum inq_status prepare_query(sqlite3 *db, const char **sql, const struct question *what,
				     sqlite3_stmt **ret, struct inq_err *err)
{
	sqlite3_set_authorizer(db, store_guard_rule, NULL);
	int rc = sqlite3_prepare_v2(db, *sql, -1, ret, sql);
	sqlite3_set_authorizer(db, NULL, NULL);
	if (rc)
		return sql_fail(db, INQ_EUSAGE, "query", err);
	if (!*ret || !sqlite3_stmt_readonly(*ret) || !columns_match(*ret, what))
		return inq_fail(err, INQ_EUSAGE, "must be a SELECT of %s, %s, %s%s", what->cols[0],
				what->cols[1], what->cols[2],
				what == &findings   ? ", detail [, severity, confidence]"
				: what == &evidence ? ", row, text"
						    : "");
	return INQ_OK;
}

static enum inq_status copy_row(sqlite3_stmt *q, sqlite3_stmt *ins, struct inq_err *err)
{
	int bad = 0;

	for (int i = 0; !bad && i < sqlite3_column_count(q); i++)
		bad = sqlite3_bind_value(ins, 1 + HEADER + i, sqlite3_column_value(q, i));
	return bad ? sql_fail(sqlite3_db_handle(ins), INQ_EIO, "bind", err)
		   : sql_done(ins, "answer", err);
}

/* Copy q's rows through the INSERT. */
static enum inq_status copy(sqlite3 *db, const struct inq_rule *r, sqlite3_stmt *q,
			    const struct question *what, struct inq_err *err)
{
	INQ_SCOPED(sql_stmt_free_scope_) sqlite3_stmt *ins = NULL;
	const char *const header[HEADER] = {r->id,    r->severity, r->confidence,
					    r->title, r->why,      r->fix};
	enum inq_status st = sql_prepare(db, what->insert, &ins, err);
	int rc = SQLITE_DONE;

	for (int i = 0; !st && i < (what == &findings ? HEADER : 1); i++)
		if (sql_bind_text(ins, 1 + i, header[i]))
			st = sql_fail(db, INQ_EIO, "bind", err);
	for (int n = 0; !st && (rc = sqlite3_step(q)) == SQLITE_ROW; n++)
		st = n < ROWS_MAX ? copy_row(q, ins, err)
				  : inq_fail(err, INQ_ELIMIT, "more than %d rows", ROWS_MAX);
	return st || rc == SQLITE_DONE ? st : sql_fail(db, INQ_EIO, "query", err);
}

static bool is_blank(const char *sql)
{
	return !sql[strspn(sql, " \t\r\n")];
}

/* The rest of the rule's text: nothing, or the third SELECT. */
static enum inq_status ask_undecided(sqlite3 *db, const struct inq_rule *r, const char *sql,
				     struct inq_err *err)
{
	INQ_SCOPED(sql_stmt_free_scope_) sqlite3_stmt *q = NULL;

	if (is_blank(sql))
		return INQ_OK;
	enum inq_status st = prepare_query(db, &sql, &undecided, &q, err);
	if (!st && !is_blank(sql))
		st = inq_fail(err, INQ_EUSAGE, "more than three queries");
	return st ? st : copy(db, r, q, &undecided, err);
}

static enum inq_status evaluate(sqlite3 *db, const struct inq_rule *r, struct inq_err *err)
{
	INQ_SCOPED(sql_stmt_free_scope_) sqlite3_stmt *first = NULL;
	INQ_SCOPED(sql_stmt_free_scope_) sqlite3_stmt *second = NULL;
	const char *sql = r->sql;
	bool unproven = false;

	enum inq_status st = prepare_query(db, &sql, &findings, &first, err);
	if (!st)
		st = prepare_query(db, &sql, &evidence, &second, err);
	if (!st)
		st = copy(db, r, first, &findings, err);
	if (!st)
		st = copy(db, r, second, &evidence, err);
	if (!st)
		st = ask_undecided(db, r, sql, err);
	if (!st)
		st = ask(db,
			 "SELECT 1 FROM finding f WHERE rule = ?1 AND NOT EXISTS (SELECT 1"
			 " FROM evidence e WHERE e.machine_id = f.machine_id"
			 " AND e.finding_id = f.finding_id)",
			 r->id, NULL, &unproven, err);
	return unproven ? inq_fail(err, INQ_EUSAGE, "a finding without evidence") : st;
}

static enum inq_status evaluate_within_budget(struct store *s, const struct inq_rule *r,
					      struct inq_err *err)
{
	s->budget = BUDGET_CALLS;
	s->budget_spent = false;
	s->budget_on = true;
	enum inq_status st = evaluate(s->db, r, err);
	s->budget_on = false;
	if (st == INQ_EINTR && s->budget_spent)
		st = inq_fail(err, INQ_ELIMIT, "takes more than %ld steps",
			      (long)BUDGET_CALLS * STORE_STEPS_PER_CALL);
	return st;
}

static void record_failure(sqlite3 *db, const char *id, const struct inq_err *why)
{
	(void)forget(db, id, NULL);
	(void)ask(db,
		  "INSERT INTO unevaluated SELECT machine_id, ?1, '', 'failed', ?2 FROM machine",
		  id, why->msg, NULL, NULL);
}

enum inq_status store_detect(struct store *s, const struct inq_rule *r, struct inq_err *err)
{
	struct inq_err why = {0};
	bool any = false;

	if (s->read_only)
		return inq_fail(err, INQ_EUSAGE, "rule %s: an index takes no rows", r->id);
	enum inq_status st = sql_run(s->db, "SAVEPOINT detect", err);
	if (st)
		return st;
	st = forget(s->db, r->id, &why);
	if (!st)
		st = check_needs(s->db, r, &any, &why);
	if (!st && any)
		st = evaluate_within_budget(s, r, &why);
	if (!st)
		st = sql_run(s->db, "RELEASE detect", &why);
	if (!st)
		return INQ_OK;
	(void)sql_run(s->db, "ROLLBACK TO detect", NULL);
	if (st != INQ_EINTR)
		record_failure(s->db, r->id, &why);
	(void)sql_run(s->db, "RELEASE detect", NULL);
	if (err)
		*err = why;
	return inq_wrap(err, st, "rule %s", r->id);
}
