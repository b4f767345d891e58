/* The few SQLite helpers that every file of this folder, and of views/, uses. */
#ifndef STORE_SQL_H
#define STORE_SQL_H

#include <sqlite3.h>

#include <inquest/err.h>

#include "base/scope.h"

static inline void sql_stmt_free(sqlite3_stmt *s)
{
	sqlite3_finalize(s);
}
static inline void sql_str_free(sqlite3_str *s)
{
	sqlite3_free(sqlite3_str_finish(s));
}
INQ_DEFINE_SCOPE(sqlite3_stmt, sql_stmt_free)
INQ_DEFINE_SCOPE(sqlite3_str, sql_str_free)

/* The connection's last error as ours: st, unless memory ran out or the user asked to stop. */
static inline enum inq_status sql_fail(sqlite3 *db, enum inq_status st, const char *what,
				       struct inq_err *err)
{
	int rc = sqlite3_errcode(db);

	if (rc == SQLITE_NOMEM)
		st = INQ_ENOMEM;
	if (rc == SQLITE_INTERRUPT)
		st = INQ_EINTR;
	return inq_fail(err, st, "%s: %s", what, sqlite3_errmsg(db));
}

static inline enum inq_status sql_run(sqlite3 *db, const char *sql, struct inq_err *err)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL) ? sql_fail(db, INQ_EIO, sql, err) : INQ_OK;
}

static inline enum inq_status sql_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret,
					  struct inq_err *err)
{
	return sqlite3_prepare_v2(db, sql, -1, ret, NULL) ? sql_fail(db, INQ_EIO, sql, err)
							  : INQ_OK;
}

/* Run a statement that yields no row and whose parameters are bound. */
static inline enum inq_status sql_done(sqlite3_stmt *q, const char *what, struct inq_err *err)
{
	(void)sqlite3_step(q);
	return sqlite3_reset(q) ? sql_fail(sqlite3_db_handle(q), INQ_EIO, what, err) : INQ_OK;
}

/* Text, or NULL for unknown. */
static inline int sql_bind_text(sqlite3_stmt *q, int at, const char *text)
{
	return text ? sqlite3_bind_text(q, at, text, -1, SQLITE_STATIC) : sqlite3_bind_null(q, at);
}

#endif
