/* Knows how a view's query is asked, and hands its rows out as finished cells. */
#include <string.h>

#include "store/sql.h"
#include "store/store.h"
#include "views/cell.h"
#include "views/rows.h"
#include "views/views.h"

#define VIEW_GROUP_ENTRY(n) view_group_##n,
static const struct view *const groups[] = {VIEW_GROUPS(VIEW_GROUP_ENTRY)};

const struct view *view_at(size_t i)
{
	for (size_t g = 0; g < sizeof(groups) / sizeof(*groups); g++)
		for (const struct view *v = groups[g]; v->name; v++)
			if (!i--)
				return v;
	return NULL;
}

const struct view *view_find(const char *name)
{
	const struct view *v;

	for (size_t i = 0; (v = view_at(i)); i++)
		if (!strcmp(v->name, name))
			return v;
	return NULL;
}

int view_nr_cols(const struct view *v)
{
	int n = 0;

	while (n < VIEW_COLS && v->col[n].head)
		n++;
	return n;
}

static enum inq_status open_query(sqlite3 *db, const struct view *v, const struct view_ref *from,
				  sqlite3_stmt **ret, struct inq_err *err)
{
	if (sqlite3_prepare_v2(db, v->sql, -1, ret, NULL))
		return sql_fail(db, INQ_EUSAGE, "query", err);
	if (sqlite3_column_count(*ret) != VIEW_REF_PARTS + view_nr_cols(v))
		return inq_fail(err, INQ_EUSAGE, "query: must yield %d columns",
				VIEW_REF_PARTS + view_nr_cols(v));
	for (int i = 0; from && i < sqlite3_bind_parameter_count(*ret) && i < VIEW_REF_PARTS; i++)
		if (from->known >> i & 1 && sqlite3_bind_int64(*ret, 1 + i, from->part[i]))
			return sql_fail(db, INQ_EIO, "bind", err);
	for (int i = 0; from && i < VIEW_TEXTS; i++)
		if (VIEW_REF_PARTS + i < sqlite3_bind_parameter_count(*ret) &&
		    sql_bind_text(*ret, 1 + VIEW_REF_PARTS + i, from->text[i]))
			return sql_fail(db, INQ_EIO, "bind", err);
	return INQ_OK;
}

enum inq_status view_rows(struct store *s, const struct view *v, const struct view_ref *from,
			  view_stmt_fn *fn, void *ctx, struct inq_err *err)
{
	INQ_SCOPED(sql_stmt_free_scope_) sqlite3_stmt *q = NULL;
	sqlite3 *db = store_db(s);
	int rc = SQLITE_DONE;

	enum inq_status st = open_query(db, v, from, &q, err);
	while (!st && (rc = sqlite3_step(q)) == SQLITE_ROW)
		st = fn(ctx, v, q, err);
	if (!st && rc != SQLITE_DONE)
		st = sql_fail(db, INQ_EIO, "query", err);
	return inq_wrap(err, st, "view %s", v->name);
}

static struct view_ref ref_of(sqlite3_stmt *q)
{
	struct view_ref ref = {0};

	for (int i = 0; i < VIEW_REF_PARTS; i++) {
		ref.part[i] = sqlite3_column_int64(q, i);
		ref.known |= (uint32_t)(sqlite3_column_type(q, i) != SQLITE_NULL) << i;
	}
	return ref;
}

struct hand_out {
	sqlite3_str *s; /* the row's cells, each ended by NUL */
	view_row_fn *fn;
	void *ctx;
};

static enum inq_status hand_out(void *ctx, const struct view *v, sqlite3_stmt *q,
				struct inq_err *err)
{
	const struct hand_out *h = ctx;
	const char *cell[VIEW_COLS] = {0};
	const struct view_ref ref = ref_of(q);
	int at[VIEW_COLS], n = view_nr_cols(v);

	sqlite3_str_reset(h->s);
	for (int i = 0; i < n; i++) {
		at[i] = sqlite3_str_length(h->s);
		cell_put(h->s, v->col[i].fmt, q, VIEW_REF_PARTS + i);
		sqlite3_str_appendchar(h->s, 1, '\0');
	}
	if (sqlite3_str_errcode(h->s))
		return inq_fail(err, INQ_ENOMEM, "cells");
	for (int i = 0; i < n; i++)
		cell[i] = sqlite3_str_value(h->s) + at[i];
	return h->fn(h->ctx, &ref, cell, err);
}

enum inq_status view_each(struct store *s, const struct view *v, const struct view_ref *from,
			  view_row_fn *fn, void *ctx, struct inq_err *err)
{
	INQ_SCOPED(sql_str_free_scope_) sqlite3_str *str = sqlite3_str_new(NULL);
	struct hand_out h = {str, fn, ctx};

	return view_rows(s, v, from, hand_out, &h, err);
}
