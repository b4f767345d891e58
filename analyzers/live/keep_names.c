/* Knows which columns hold addresses, and keeps the names of those that the kernel has one for. */
#include "analyzers/live/live.h"

#include "store/sql.h"
#include "store/store.h"

/* Addresses of the kernel's half are negative; others have no name. */
static enum inq_status keep_column(sqlite3 *db, const char *table, const char *col,
				   struct inq_err *err)
{
	INQ_SCOPED(sql_str_free_scope_) sqlite3_str *q = sqlite3_str_new(db);

	sqlite3_str_appendf(q,
			    "INSERT OR IGNORE INTO addr_name(machine_id, space_id, addr, name)"
			    " SELECT a.machine_id, s.space_id, a.addr, sym(a.addr)"
			    " FROM (SELECT DISTINCT machine_id, \"%w\" addr FROM \"%w\""
			    " WHERE \"%w\" < 0) a"
			    " JOIN space s ON s.machine_id = a.machine_id AND s.name = 'kernel'"
			    " WHERE sym(a.addr) IS NOT NULL",
			    col, table, col);
	if (sqlite3_str_errcode(q))
		return inq_fail(err, INQ_ENOMEM, "names of addresses");
	return sql_run(db, sqlite3_str_value(q), err);
}

enum inq_status live_keep_names(struct store *s, const struct inq_collector *c, struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	for (const struct inq_column *col = c->cols; col->name && !st; col++)
		if (col->kind == INQ_ADDR)
			st = keep_column(store_db(s), c->table, col->name, err);
	return st;
}
