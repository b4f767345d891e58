/* Knows where the rows of a page come from: a view of the store, or what the TUI says itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "tui/app.h"
#include "tui/text.h"

const struct view tui_menu_view = {
	.name = "views",
	.title = "Views",
	.col = {{"VIEW", VIEW_TEXT, 0}, {"TITLE", VIEW_TEXT, 0}, {"WHAT IT SHOWS", VIEW_TEXT, 0}},
};

const struct view tui_help_view = {
	.name = "help",
	.title = "Help",
	.col = {{"KEY", VIEW_TEXT, 0}, {"WHAT IT DOES", VIEW_TEXT, 0}},
};

const struct view tui_record_view = {
	.name = "row",
	.title = "One row",
	.col = {{"COLUMN", VIEW_TEXT, 0}, {"VALUE", VIEW_TEXT, 0}},
};

struct filling {
	struct tui *t;
	struct tui_page *p;
};

static enum inq_status keep_row(void *ctx, const struct view_ref *ref, const char *const *cell,
				struct inq_err *err)
{
	struct filling *f = ctx;

	if (f->t->stopped && f->t->stopped())
		return inq_fail(err, INQ_EINTR, "stopped");
	return tui_rows_add(&f->p->rows, ref, cell, err);
}

/* What cannot be collected is no reason to hide what could be. */
enum inq_status tui_fill_store(struct tui *t, struct tui_page *p, struct inq_err *err)
{
	const struct tui_source *src = t->src;
	struct filling f = {.t = t, .p = p};
	struct inq_err why = {0};
	enum inq_status st = src->prepare ? src->prepare(src->ctx, p->view, err) : INQ_OK;
	enum inq_status rows =
		view_each(src->store, p->view, p->from.known ? &p->from : NULL, keep_row, &f, &why);

	if (rows == INQ_ELIMIT && p->rows.more)
		rows = INQ_OK;
	if (!st && rows)
		*err = why;
	return st ? st : rows;
}

enum inq_status tui_fill_menu(struct tui *t, struct tui_page *p, struct inq_err *err)
{
	const struct view *v;

	(void)t;
	for (size_t i = 0; (v = view_at(i)); i++) {
		const char *cell[] = {v->name, v->title ? v->title : "", v->doc ? v->doc : ""};
		const struct view_ref ref = {.part[VIEW_REF_ROW] = (int64_t)i,
					     .known = 1U << VIEW_REF_ROW};
		enum inq_status st = tui_rows_add(&p->rows, &ref, cell, err);
		if (st)
			return st;
	}
	return INQ_OK;
}

static enum inq_status add_pair(struct tui_page *p, const char *left, const char *right,
				struct inq_err *err)
{
	const char *cell[] = {left, right};

	return tui_rows_add(&p->rows, &(struct view_ref){0}, cell, err);
}

enum inq_status tui_fill_help(struct tui *t, struct tui_page *p, struct inq_err *err)
{
	static const char *const legend[][2] = {
		{"", ""},
		{">", "the selected row"},
		{"*", "a row that its view marks: an instruction of the loop"},
		{"-", "unknown; never the same as zero"},
		{"~", "the line goes on: Right shows more"},
	};
	const struct tui_command *c;
	enum inq_status st = INQ_OK;

	(void)t;
	for (size_t i = 0; !st && (c = tui_command_at(i)); i++)
		st = add_pair(p, c->names, c->doc, err);
	for (size_t i = 0; !st && i < sizeof(legend) / sizeof(*legend); i++)
		st = add_pair(p, legend[i][0], legend[i][1], err);
	return st;
}

/* Bytes of text that fit the columns; at least one character. */
static size_t wrap_at(const char *text, int columns)
{
	size_t n = 0, step;
	wchar_t wc;
	int w, used = 0;

	while ((step = tui_glyph(text + n, &wc, &w)) && (!n || used + w <= columns)) {
		used += w;
		n += step;
	}
	return n;
}

static void free_scope(char **p)
{
	free(*p);
}

static enum inq_status add_wrapped(struct tui_page *p, const char *head, const char *text,
				   int columns, struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	do {
		size_t n = wrap_at(text, columns);
		INQ_SCOPED(free_scope) char *piece = strndup(text, n);
		st = piece ? add_pair(p, head, piece, err) : inq_fail(err, INQ_ENOMEM, "row");
		head = "";
		text += n;
	} while (!st && *text);
	return st;
}

enum inq_status tui_fill_record(struct tui *t, struct tui_page *p, struct inq_err *err)
{
	const struct tui_page *of = p->parent;
	enum inq_status st = INQ_OK;
	int heads = 8, room;

	for (size_t i = 0; of && i < of->rows.nr_cols; i++) {
		int w = tui_text_width(of->view->col[i].head);
		heads = w > heads ? w : heads;
	}
	room = t->width - heads - 2;
	for (size_t i = 0; !st && of && i < of->rows.nr_cols; i++)
		st = add_wrapped(p, of->view->col[i].head, tui_rows_cell(&of->rows, of->at, i),
				 room > 8 ? room : 8, err);
	return st;
}
