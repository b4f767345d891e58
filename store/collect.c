/*
 * Knows how a collector's column list becomes a table, its rows one transaction, and damage in the
 * target a gap instead of a failure.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "store/internal.h"

enum {
	GAPS_MAX = 4096,   /* of one run; a target that is all damage needs no longer list */
	STOP_EVERY = 1024, /* rows between two looks at the user's wish to stop */
};

struct inq_sink {
	struct store *s;
	const struct inq_machine *m;
	size_t nr_spaces; /* that surely have a row */
	const struct inq_collector *of;
	sqlite3_stmt *insert; /* its parameter 1, machine_id, stays bound */
	sqlite3_stmt *gap;    /* the same; NULL before the first */
	int64_t nr_rows, nr_gaps;
};

static const char *const sql_type[] = {
	[INQ_INT] = "INTEGER", [INQ_ADDR] = "INTEGER", [INQ_TEXT] = "TEXT", [INQ_BLOB] = "BLOB"};

enum inq_status store_create_table(struct store *s, const struct inq_collector *c,
				   struct inq_err *err)
{
	INQ_SCOPED(sql_str_free_scope_) sqlite3_str *sql = sqlite3_str_new(s->db);

	sqlite3_str_appendf(sql, "CREATE TABLE IF NOT EXISTS \"%w\"(", c->table);
	sqlite3_str_appendall(sql, "machine_id INTEGER NOT NULL REFERENCES machine");
	for (int i = 0; c->cols[i].name; i++)
		sqlite3_str_appendf(sql, ", \"%w\" %s%s", c->cols[i].name,
				    sql_type[c->cols[i].kind], i < c->nr_keys ? " NOT NULL" : "");
	sqlite3_str_appendall(sql, ", PRIMARY KEY(machine_id");
	for (int i = 0; i < c->nr_keys; i++)
		sqlite3_str_appendf(sql, ", \"%w\"", c->cols[i].name);
	sqlite3_str_appendall(sql, "))");
	return sqlite3_str_errcode(sql) ? inq_fail(err, INQ_ENOMEM, "schema of %s", c->table)
					: sql_run(s->db, sqlite3_str_value(sql), err);
}

static enum inq_status prepare_insert(struct inq_sink *out, struct inq_err *err)
{
	sqlite3 *db = out->s->db;
	INQ_SCOPED(sql_str_free_scope_) sqlite3_str *sql = sqlite3_str_new(db);

	sqlite3_str_appendf(sql, "INSERT INTO \"%w\" VALUES(?", out->of->table);
	for (int i = 0; out->of->cols[i].name; i++)
		sqlite3_str_appendall(sql, ",?");
	sqlite3_str_appendall(sql, ")");
	if (sqlite3_str_errcode(sql))
		return inq_fail(err, INQ_ENOMEM, "insert into %s", out->of->table);
	enum inq_status st = sql_prepare(db, sqlite3_str_value(sql), &out->insert, err);
	if (!st && sqlite3_bind_int64(out->insert, 1, out->m->machine_id))
		st = sql_fail(db, INQ_EIO, "bind", err);
	return st;
}

static int bind(sqlite3_stmt *q, int at, const struct inq_value *v)
{
	switch (v->kind) {
	case INQ_NULL:
		return sqlite3_bind_null(q, at);
	case INQ_INT:
	case INQ_ADDR:
		return sqlite3_bind_int64(q, at, v->i);
	case INQ_TEXT:
		return sql_bind_text(q, at, v->p);
	case INQ_BLOB: /* an empty blob is known, hence not NULL */
		return sqlite3_bind_blob64(q, at, v->n ? v->p : "", v->n, SQLITE_STATIC);
	}
	return SQLITE_MISUSE;
}

enum inq_status inq_row(struct inq_sink *out, const struct inq_value *v, struct inq_err *err)
{
	const struct inq_column *col = out->of->cols;
	sqlite3 *db = out->s->db;

	if (out->nr_rows % STOP_EVERY == 0 && store_stopped(out->s))
		return inq_fail(err, INQ_EINTR, "stopped");
	for (int i = 0; col[i].name; i++) {
		if (v[i].kind != INQ_NULL && v[i].kind != col[i].kind)
			return inq_fail(err, INQ_EUSAGE, "%s.%s: wrong kind", out->of->table,
					col[i].name);
		if (bind(out->insert, i + 2, &v[i]))
			return sql_fail(db, INQ_EIO, "bind", err);
	}
	(void)sqlite3_step(out->insert);
	if (sqlite3_reset(out->insert) == SQLITE_OK) { /* answers for the step */
		out->nr_rows++;
		return INQ_OK;
	}
	bool twice = sqlite3_extended_errcode(db) == SQLITE_CONSTRAINT_PRIMARYKEY;
	return sql_fail(db, twice ? INQ_ECORRUPT : INQ_EIO, "row", err);
}

/* Those that the collector had the machine find: rows refer to them. */
static enum inq_status add_spaces(struct inq_sink *out, struct inq_err *err)
{
	if (out->nr_spaces == out->m->nr_spaces)
		return INQ_OK;
	out->nr_spaces = out->m->nr_spaces;
	return store_add_spaces(out->s, out->m, err);
}

static enum inq_status prepare_gap(struct inq_sink *out, struct inq_err *err)
{
	if (out->gap)
		return INQ_OK;
	enum inq_status st =
		sql_prepare(out->s->db, "INSERT OR IGNORE INTO gap VALUES(?, ?, ?, ?, ?, ?, ?)",
			    &out->gap, err);
	if (!st && (sqlite3_bind_int64(out->gap, 1, out->m->machine_id) ||
		    sql_bind_text(out->gap, 2, out->of->table)))
		st = sql_fail(out->s->db, INQ_EIO, "bind", err);
	return st;
}

enum inq_status inq_gap(struct inq_sink *out, const struct inq_space *space, uint64_t addr,
			uint64_t length, const struct inq_err *why, struct inq_err *err)
{
	if (!inq_is_damage(why->status)) {
		if (err)
			*err = *why;
		return why->status;
	}
	if (++out->nr_gaps > GAPS_MAX)
		return INQ_OK;
	enum inq_status st = add_spaces(out, err);
	if (!st)
		st = prepare_gap(out, err);
	if (st)
		return st;
	sqlite3_stmt *q = out->gap;
	bool bad;

	if (!space && !length) /* a value that the dump does not tell lies nowhere */
		bad = sqlite3_bind_null(q, 3) || sqlite3_bind_null(q, 4) || sqlite3_bind_null(q, 5);
	else
		bad = (space ? sqlite3_bind_int64(q, 3, space->space_id)
			     : sqlite3_bind_null(q, 3)) ||
		      sqlite3_bind_int64(q, 4, (int64_t)addr) ||
		      sqlite3_bind_int64(q, 5, (int64_t)length);
	if (bad || sql_bind_text(q, 6, inq_status_name(why->status)) ||
	    sql_bind_text(q, 7, why->msg))
		return sql_fail(out->s->db, INQ_EIO, "bind", err);
	return sql_done(q, "gap", err);
}

/* failure: NULL when the run went well. */
static enum inq_status record(const struct inq_sink *out, int64_t t_ns,
			      const struct inq_err *failure, struct inq_err *err)
{
	INQ_SCOPED(sql_stmt_free_scope_) sqlite3_stmt *q = NULL;
	const char *state = failure ? "failed" : out->nr_gaps ? "partial" : "complete";
	char more[64];
	enum inq_status st =
		sql_prepare(out->s->db, "INSERT INTO run VALUES(?, ?, ?, ?, ?, ?)", &q, err);

	if (st)
		return st;
	snprintf(more, sizeof(more), "%lld more gaps left out",
		 (long long)(out->nr_gaps - GAPS_MAX));
	const char *message = failure ? failure->msg : out->nr_gaps > GAPS_MAX ? more : NULL;
	if (sqlite3_bind_int64(q, 1, out->m->machine_id) || sql_bind_text(q, 2, out->of->table) ||
	    sql_bind_text(q, 3, state) || (!failure && sqlite3_bind_int64(q, 4, out->nr_rows)) ||
	    sqlite3_bind_int64(q, 5, t_ns) || sql_bind_text(q, 6, message))
		return sql_fail(out->s->db, INQ_EIO, "bind", err);
	return sql_done(q, "run", err);
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static enum inq_status collect_rows(struct inq_sink *out, struct inq_err *err)
{
	int64_t start = now_ns();
	enum inq_status st = prepare_insert(out, err);

	if (!st)
		st = out->of->run(out->m, out, err);
	if (!st)
		st = add_spaces(out, err);
	sqlite3_finalize(out->insert);
	sqlite3_finalize(out->gap);
	return st ? st : record(out, now_ns() - start, NULL, err);
}

/* Has it run for this machine already? */
static enum inq_status has_run(const struct inq_sink *out, bool *ret_yes, struct inq_err *err)
{
	INQ_SCOPED(sql_stmt_free_scope_) sqlite3_stmt *q = NULL;
	enum inq_status st = sql_prepare(
		out->s->db, "SELECT 1 FROM run WHERE machine_id = ?1 AND tbl = ?2", &q, err);

	if (!st &&
	    (sqlite3_bind_int64(q, 1, out->m->machine_id) || sql_bind_text(q, 2, out->of->table)))
		st = sql_fail(out->s->db, INQ_EIO, "bind", err);
	if (st)
		return st;
	int rc = sqlite3_step(q);
	*ret_yes = rc == SQLITE_ROW;
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? INQ_OK
						     : sql_fail(out->s->db, INQ_EIO, "run", err);
}

/* The user's wish to stop is no failure of the collector: it may run again. */
static enum inq_status give_up(const struct inq_sink *out, int64_t t_ns, enum inq_status st,
			       struct inq_err *why)
{
	(void)sql_run(out->s->db, "ROLLBACK TO collect", NULL);
	if (st != INQ_EINTR)
		(void)record(out, t_ns, why, NULL);
	(void)sql_run(out->s->db, "RELEASE collect", NULL);
	return inq_wrap(why, st, "collector %s", out->of->table);
}

enum inq_status store_collect(struct store *s, const struct inq_collector *c,
			      const struct inq_machine *m, struct inq_err *err)
{
	struct inq_sink out = {.s = s, .m = m, .of = c};
	struct inq_err why = {0};
	int64_t start = now_ns();
	bool done = false;

	enum inq_status st = has_run(&out, &done, err);
	if (st || done)
		return st;
	if (s->read_only)
		return inq_fail(err, INQ_EUSAGE, "collector %s: an index takes no rows", c->table);
	st = store_create_table(s, c, err);
	if (!st)
		st = sql_run(s->db, "SAVEPOINT collect", err);
	if (st)
		return st;
	st = collect_rows(&out, &why);
	if (!st)
		st = sql_run(s->db, "RELEASE collect", &why);
	if (st)
		st = give_up(&out, now_ns() - start, st, &why);
	if (st && err)
		*err = why;
	return st;
}
