/* Knows how a stranger's question is asked: only read, one statement at a time. */
#include "views/query.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "store/json.h"
#include "store/sql.h"
#include "store/store.h"
#include "views/cell.h"

/* Those that change nothing, whatever their argument. */
static int is_harmless_pragma(const char *name)
{
	static const char *const known[] = {"table_info", "table_xinfo",      "table_list",
					    "index_list", "foreign_key_list", "function_list",
					    NULL};

	for (int i = 0; name && known[i]; i++)
		if (!strcasecmp(known[i], name))
			return 1;
	return 0;
}

struct watch {
	query_table_fn *fn; /* may be NULL */
	void *ctx;
};

static int guard(void *ctx, int action, const char *a, const char *b, const char *db,
		 const char *trigger)
{
	const struct watch *w = ctx;

	(void)b;
	(void)db;
	(void)trigger;
	switch (action) {
	case SQLITE_READ:
		if (w->fn && a)
			w->fn(w->ctx, a);
		return SQLITE_OK;
	case SQLITE_SELECT:
	case SQLITE_FUNCTION:
	case SQLITE_RECURSIVE:
		return SQLITE_OK;
	case SQLITE_PRAGMA:
		return is_harmless_pragma(a) ? SQLITE_OK : SQLITE_DENY;
	default:
		return SQLITE_DENY;
	}
}

/* Moves *sql behind the statement; *ret is NULL when only blanks and comments were left. */
static enum inq_status prepare(struct store *s, const char **sql, struct watch w,
			       sqlite3_stmt **ret, struct inq_err *err)
{
	sqlite3 *db = store_db(s);

	sqlite3_set_authorizer(db, guard, &w);
	int rc = sqlite3_prepare_v2(db, *sql, -1, ret, sql);
	sqlite3_set_authorizer(db, NULL, NULL);
	if (rc == SQLITE_AUTH)
		return inq_fail(err, INQ_EUSAGE, "only questions are answered here: %s",
				sqlite3_errmsg(db));
	if (rc)
		return inq_fail(err, rc == SQLITE_INTERRUPT ? INQ_EINTR : INQ_EUSAGE, "%s",
				sqlite3_errmsg(db));
	if (*ret && (!sqlite3_stmt_readonly(*ret) || sqlite3_column_count(*ret) > GRID_COLS))
		return inq_fail(err, INQ_EUSAGE, "only questions of at most %d columns", GRID_COLS);
	return INQ_OK;
}

enum inq_status query_tables(struct store *s, const char *sql, query_table_fn *fn, void *ctx,
			     struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	while (!st && *sql) {
		INQ_SCOPED(sql_stmt_free_scope_) sqlite3_stmt *q = NULL;
		st = prepare(s, &sql, (struct watch){fn, ctx}, &q, err);
	}
	return st;
}

/* s holds the row's cells, each ended by NUL. */
static enum inq_status cells_of(sqlite3_stmt *q, sqlite3_str *s, const char *unknown,
				const char **cell, struct inq_err *err)
{
	int at[GRID_COLS], n = sqlite3_column_count(q);

	sqlite3_str_reset(s);
	for (int i = 0; i < n; i++) {
		at[i] = sqlite3_str_length(s);
		cell_put(s, VIEW_TEXT, q, i);
		sqlite3_str_appendchar(s, 1, '\0');
	}
	if (sqlite3_str_errcode(s))
		return inq_fail(err, INQ_ENOMEM, "cells");
	for (int i = 0; i < n; i++)
		cell[i] = sqlite3_column_type(q, i) == SQLITE_NULL ? unknown
								   : sqlite3_str_value(s) + at[i];
	return INQ_OK;
}

static enum inq_status each_row(sqlite3_stmt *q, const char *unknown, query_row_fn *fn, void *ctx,
				struct inq_err *err)
{
	INQ_SCOPED(sql_str_free_scope_) sqlite3_str *s = sqlite3_str_new(NULL);
	const char *cell[GRID_COLS];
	enum inq_status st = INQ_OK;
	int rc = SQLITE_DONE;

	while (!st && (rc = sqlite3_step(q)) == SQLITE_ROW) {
		st = cells_of(q, s, unknown, cell, err);
		if (!st)
			st = fn(ctx, sqlite3_column_count(q), cell, err);
	}
	if (!st && rc != SQLITE_DONE)
		st = sql_fail(sqlite3_db_handle(q), INQ_EIO, "query", err);
	(void)sqlite3_reset(q);
	return st;
}

enum inq_status query_each(struct store *s, const char *sql, query_row_fn *fn, void *ctx,
			   struct inq_err *err)
{
	INQ_SCOPED(sql_stmt_free_scope_) sqlite3_stmt *q = NULL;
	enum inq_status st = prepare(s, &sql, (struct watch){0}, &q, err);

	if (st)
		return st;
	return q ? each_row(q, NULL, fn, ctx, err) : inq_fail(err, INQ_EUSAGE, "no question");
}

enum inq_status query_text(struct store *s, const char *sql, char **ret_text, struct inq_err *err)
{
	INQ_SCOPED(sql_stmt_free_scope_) sqlite3_stmt *q = NULL;
	enum inq_status st = prepare(s, &sql, (struct watch){0}, &q, err);

	if (st)
		return st;
	if (sqlite3_step(q) != SQLITE_ROW)
		return sql_fail(store_db(s), INQ_EIO, "query", err);
	const char *text = (const char *)sqlite3_column_text(q, 0);
	char *copy = text ? strdup(text) : NULL;
	if (text && !copy)
		return inq_fail(err, INQ_ENOMEM, "answer");
	*ret_text = copy;
	return INQ_OK;
}

char *query_json_text(const char *text)
{
	sqlite3_str *s = sqlite3_str_new(NULL);

	store_json_text(s, text, strlen(text));
	char *made = sqlite3_str_finish(s);
	char *copy = made ? strdup(made) : NULL;
	sqlite3_free(made);
	return copy;
}

struct sql_out {
	struct grid grid;
	FILE *to;
};

static enum inq_status measure_row(void *ctx, int nr_cols, const char *const *cell,
				   struct inq_err *err)
{
	(void)nr_cols;
	(void)err;
	grid_measure(&((struct sql_out *)ctx)->grid, cell);
	return INQ_OK;
}

static enum inq_status print_row(void *ctx, int nr_cols, const char *const *cell,
				 struct inq_err *err)
{
	const struct sql_out *o = ctx;

	(void)nr_cols;
	return grid_print(&o->grid, cell, o->to, err);
}

/* A column of a hostile index may have any name. */
static void put_name(sqlite3_str *s, sqlite3_stmt *q, int i)
{
	const char *name = sqlite3_column_name(q, i);

	cell_put_text(s, (const uint8_t *)(name ? name : "?"), name ? strlen(name) : 1);
}

static enum inq_status heads_of(sqlite3_stmt *q, sqlite3_str *s, const char **head,
				struct inq_err *err)
{
	int at[GRID_COLS], n = sqlite3_column_count(q);

	for (int i = 0; i < n; i++) {
		at[i] = sqlite3_str_length(s);
		put_name(s, q, i);
		sqlite3_str_appendchar(s, 1, '\0');
	}
	if (sqlite3_str_errcode(s))
		return inq_fail(err, INQ_ENOMEM, "headings");
	for (int i = 0; i < n; i++)
		head[i] = sqlite3_str_value(s) + at[i];
	return INQ_OK;
}

static enum inq_status print_text(sqlite3_stmt *q, FILE *out, struct inq_err *err)
{
	INQ_SCOPED(sql_str_free_scope_) sqlite3_str *s = sqlite3_str_new(NULL);
	struct sql_out o = {.to = out, .grid = {.nr_cols = sqlite3_column_count(q), .one_line = 1}};
	const char *head[GRID_COLS];
	enum inq_status st = heads_of(q, s, head, err);

	if (st)
		return st;
	grid_measure(&o.grid, head);
	st = each_row(q, "-", measure_row, &o, err);
	if (!st)
		st = grid_print(&o.grid, head, out, err);
	return st ? st : each_row(q, "-", print_row, &o, err);
}

static void put_json_row(sqlite3_str *s, sqlite3_stmt *q)
{
	for (int i = 0; i < sqlite3_column_count(q); i++) {
		INQ_SCOPED(sql_str_free_scope_) sqlite3_str *name = sqlite3_str_new(NULL);
		put_name(name, q, i);
		sqlite3_str_appendchar(s, 1, i ? ',' : '{');
		store_json_text(s, sqlite3_str_length(name) ? sqlite3_str_value(name) : "",
				(size_t)sqlite3_str_length(name));
		sqlite3_str_appendchar(s, 1, ':');
		cell_put_json(s, VIEW_TEXT, q, i);
	}
	sqlite3_str_appendchar(s, 1, '}');
}

static enum inq_status print_json(sqlite3_stmt *q, FILE *out, struct inq_err *err)
{
	const char *before = "\n";
	int rc;

	fputs("{\"format\":1,\"rows\":[", out);
	while ((rc = sqlite3_step(q)) == SQLITE_ROW) {
		INQ_SCOPED(sql_str_free_scope_) sqlite3_str *s = sqlite3_str_new(NULL);
		put_json_row(s, q);
		if (sqlite3_str_errcode(s))
			return inq_fail(err, INQ_ENOMEM, "row");
		fprintf(out, "%s%s", before, sqlite3_str_value(s));
		before = ",\n";
	}
	if (rc != SQLITE_DONE)
		return sql_fail(sqlite3_db_handle(q), INQ_EIO, "query", err);
	fputs("]}\n", out);
	return ferror(out) ? inq_fail(err, INQ_EIO, "write") : INQ_OK;
}

enum inq_status query_print(struct store *s, const char *sql, enum view_form form, FILE *out,
			    struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	while (!st && *sql) {
		INQ_SCOPED(sql_stmt_free_scope_) sqlite3_stmt *q = NULL;
		st = prepare(s, &sql, (struct watch){0}, &q, err);
		if (!st && q)
			st = form == VIEW_FORM_JSON ? print_json(q, out, err)
						    : print_text(q, out, err);
	}
	return st;
}

int query_complete(const char *text)
{
	return sqlite3_complete(text);
}
