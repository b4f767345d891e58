/*
 * Knows the forms of `inquest show`.  Text is asked twice: first for the widths of its columns,
 * then for the rows, so that no table is ever held in memory.
 */
#include <ctype.h>
#include <string.h>

#include "store/sql.h"
#include "views/cell.h"
#include "views/rows.h"

struct text_out {
	struct grid grid;
	FILE *to;
};

static enum inq_status measure_row(void *ctx, const struct view_ref *ref, const char *const *cell,
				   struct inq_err *err)
{
	(void)ref;
	(void)err;
	grid_measure(&((struct text_out *)ctx)->grid, cell);
	return INQ_OK;
}

static enum inq_status print_row(void *ctx, const struct view_ref *ref, const char *const *cell,
				 struct inq_err *err)
{
	const struct text_out *t = ctx;

	(void)ref;
	return grid_print(&t->grid, cell, t->to, err);
}

static enum inq_status print_text(struct store *s, const struct view *v,
				  const struct view_ref *from, FILE *out, struct inq_err *err)
{
	struct text_out t = {.grid.nr_cols = view_nr_cols(v), .to = out};
	const char *head[VIEW_COLS] = {0};

	for (int i = 0; i < t.grid.nr_cols; i++) {
		head[i] = v->col[i].head;
		t.grid.right[i] = v->col[i].fmt != VIEW_TEXT;
		t.grid.width[i] = i < t.grid.nr_cols - 1 ? v->col[i].width : 0;
	}
	grid_measure(&t.grid, head);
	enum inq_status st = view_each(s, v, from, measure_row, &t, err);
	if (!st)
		st = grid_print(&t.grid, head, out, err);
	return st ? st : view_each(s, v, from, print_row, &t, err);
}

struct json_out {
	FILE *to;
	int nr_rows;
};

/* "IN SMM" becomes "in_smm". */
static void put_key(sqlite3_str *s, const char *head)
{
	sqlite3_str_appendchar(s, 1, '"');
	for (; *head; head++)
		sqlite3_str_appendchar(s, 1, (char)(*head == ' ' ? '_' : tolower(*head)));
	sqlite3_str_appendall(s, "\":");
}

static enum inq_status print_json_row(void *ctx, const struct view *v, sqlite3_stmt *q,
				      struct inq_err *err)
{
	INQ_SCOPED(sql_str_free_scope_) sqlite3_str *s = sqlite3_str_new(NULL);
	struct json_out *j = ctx;

	sqlite3_str_appendall(s, j->nr_rows++ ? ",\n{" : "\n{");
	sqlite3_str_appendall(s, "\"machine_id\":");
	cell_put_json(s, VIEW_DEC, q, VIEW_REF_MACHINE);
	for (int i = 0; i < view_nr_cols(v); i++) {
		sqlite3_str_appendchar(s, 1, ',');
		put_key(s, v->col[i].head);
		cell_put_json(s, v->col[i].fmt, q, VIEW_REF_PARTS + i);
	}
	sqlite3_str_appendchar(s, 1, '}');
	if (sqlite3_str_errcode(s))
		return inq_fail(err, INQ_ENOMEM, "row");
	fputs(sqlite3_str_value(s), j->to);
	return ferror(j->to) ? inq_fail(err, INQ_EIO, "write") : INQ_OK;
}

static enum inq_status print_json(struct store *s, const struct view *v,
				  const struct view_ref *from, FILE *out, struct inq_err *err)
{
	struct json_out j = {.to = out};

	fprintf(out, "{\"format\":1,\"view\":\"%s\",\"rows\":[", v->name);
	enum inq_status st = view_rows(s, v, from, print_json_row, &j, err);
	if (st)
		return st;
	fputs("]}\n", out);
	return ferror(out) ? inq_fail(err, INQ_EIO, "write") : INQ_OK;
}

enum inq_status view_print(struct store *s, const struct view *v, const struct view_ref *from,
			   enum view_form form, FILE *out, struct inq_err *err)
{
	switch (form) {
	case VIEW_FORM_TEXT:
		return print_text(s, v, from, out, err);
	case VIEW_FORM_JSON:
		return print_json(s, v, from, out, err);
	case VIEW_FORM_SQL:
		fprintf(out, "%s;\n", v->sql);
		return ferror(out) ? inq_fail(err, INQ_EIO, "write") : INQ_OK;
	}
	return inq_fail(err, INQ_EUSAGE, "no such form");
}
