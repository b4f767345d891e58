/* Knows where the rows of a page come from: a view of the store, or what the TUI says itself. */
#include <stdio.h>
#include <string.h>

#include "tui/app.h"

const struct view tui_menu_view = {
	.name = "views",
	.title = "Views",
	.col = {{"VIEW", VIEW_TEXT, 0}, {"WHAT IT SHOWS", VIEW_TEXT, 0}},
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

struct count {
	size_t nr_rows, nr_groups; /* groups: neighbours with the same machine and first cell */
	int64_t machine;
	char first[96];
};

static enum inq_status count_row(void *ctx, const struct view_ref *ref, const char *const *cell,
				 struct inq_err *err)
{
	struct count *n = ctx;
	int64_t machine = ref->part[VIEW_REF_MACHINE];

	(void)err;
	if (!n->nr_rows++ || machine != n->machine ||
	    strncmp(n->first, cell[0], sizeof(n->first) - 1) != 0)
		n->nr_groups++;
	n->machine = machine;
	snprintf(n->first, sizeof(n->first), "%s", cell[0]);
	return INQ_OK;
}

static bool count_rows(const struct tui *t, const char *view, struct count *ret)
{
	const struct view *v = view_find(view);
	const struct tui_source *src = t->src;
	struct inq_err why;

	*ret = (struct count){0};
	return v && !(src->prepare && src->prepare(src->ctx, v, &why)) &&
	       !view_each(src->store, v, NULL, count_row, ret, &why);
}

/* No findings means little without what was not asked, and what could not be seen. */
static void write_note(struct tui *t)
{
	struct count rules, gaps;

	/* a rule has a row for every table that it lacks */
	if (count_rows(t, "unevaluated", &rules) && count_rows(t, "gaps", &gaps))
		snprintf(t->note, sizeof(t->note), "%zu rule%s not evaluated, %zu gap%s",
			 rules.nr_groups, rules.nr_groups == 1 ? "" : "s", gaps.nr_rows,
			 gaps.nr_rows == 1 ? "" : "s");
	else
		snprintf(t->note, sizeof(t->note), "what was not evaluated is unknown");
}

/* What cannot be collected is no reason to hide what could be. */
enum inq_status tui_fill_store(struct tui *t, struct tui_page *p, struct inq_err *err)
{
	const struct tui_source *src = t->src;
	struct filling f = {.t = t, .p = p};
	struct inq_err why = {0};
	enum inq_status st = src->prepare ? src->prepare(src->ctx, p->view, err) : INQ_OK;
	bool alone = !p->from.known && !p->from.text[0] && !p->from.text[1];
	enum inq_status rows =
		view_each(src->store, p->view, alone ? NULL : &p->from, keep_row, &f, &why);

	if (rows == INQ_ELIMIT && p->rows.more)
		rows = INQ_OK;
	if (!strcmp(p->view->name, "findings"))
		write_note(t);
	if (!st && rows)
		*err = why;
	return st ? st : rows;
}

enum inq_status tui_fill_menu(struct tui *t, struct tui_page *p, struct inq_err *err)
{
	const struct view *v;

	(void)t;
	for (size_t i = 0; (v = view_at(i)); i++) {
		const char *cell[] = {v->name, v->doc ? v->doc : ""};
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
		{"*", "a row that its view marks: next to run, or in the loop"},
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

enum inq_status tui_fill_record(struct tui *t, struct tui_page *p, struct inq_err *err)
{
	const struct tui_page *of = p->parent;
	enum inq_status st = INQ_OK;

	(void)t;
	for (size_t i = 0; !st && of && i < of->rows.nr_cols; i++)
		st = add_pair(p, of->view->col[i].head, tui_rows_cell(&of->rows, of->at, i), err);
	return st;
}
