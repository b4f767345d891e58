/* Knows the stack of opened views, and that an error is a line of text and never the end. */
#include "tui/app.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void tui_say(struct tui *t, bool failed, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(t->status, sizeof(t->status), fmt, ap);
	va_end(ap);
	t->failed = failed;
}

struct tui_page *tui_top(const struct tui *t)
{
	return t->nr ? t->page[t->nr - 1] : NULL;
}

void tui_back(struct tui *t)
{
	if (t->nr > 1)
		tui_page_destroy(t->page[--t->nr]);
}

void tui_load(struct tui *t, struct tui_page *p)
{
	struct inq_err err = {0};

	tui_say(t, false, "collecting %s ...", p->view->name);
	if (t->show)
		t->show(t);
	tui_rows_deinit(&p->rows);
	tui_rows_init(&p->rows, tui_view_cols(p->view));
	enum inq_status st = p->fill(t, p, &err);
	if (st)
		tui_say(t, true, "%s", err.msg);
	else if (p->rows.more)
		tui_say(t, false, "more rows: use `inquest show` or `inquest sql`");
	else
		tui_say(t, false, "%s", "");
	tui_page_hide(p);
	tui_page_fit(p, t->height, t->width);
}

static bool same_ref(const struct view_ref *a, const struct view_ref *b)
{
	if (a->known != b->known)
		return false;
	for (int i = 0; i < VIEW_REF_PARTS; i++)
		if (a->known >> i & 1 && a->part[i] != b->part[i])
			return false;
	for (int i = 0; i < VIEW_TEXTS; i++)
		if (!a->text[i] != !b->text[i] ||
		    (a->text[i] && strcmp(a->text[i], b->text[i]) != 0))
			return false;
	return true;
}

static bool go_back_to(struct tui *t, const struct view *v, const struct view_ref *from)
{
	for (size_t i = 0; i < t->nr && v != &tui_record_view; i++) {
		if (t->page[i]->view != v || !same_ref(&t->page[i]->from, from))
			continue;
		while (t->nr > i + 1)
			tui_back(t);
		return true;
	}
	return false;
}

static void push(struct tui *t, struct tui_page *p)
{
	p->parent = tui_top(t);
	tui_load(t, p);
	if (t->failed && t->nr && !p->rows.nr) {
		tui_page_destroy(p); /* nothing to see: stay, and read why */
		return;
	}
	t->page[t->nr++] = p;
	tui_page_show_mark(p);
}

void tui_open(struct tui *t, const struct view *v, tui_fill_fn *fill, const struct view_ref *from)
{
	static const struct view_ref alone;

	if (go_back_to(t, v, from ? from : &alone))
		return;
	struct tui_page *p = t->nr < TUI_DEPTH ? tui_page_create(v, fill, from) : NULL;
	if (p)
		push(t, p);
	else if (t->nr == TUI_DEPTH)
		tui_say(t, true, "%d views are open: q goes back", TUI_DEPTH);
	else
		tui_say(t, true, "no memory for view %s", v->name);
}

enum inq_status tui_start(struct tui *t, const struct tui_source *src, struct inq_err *err)
{
	const char *first = src->first ? src->first : "findings";
	const struct view *v = view_find(first);

	t->src = src;
	if (src->on_stop && t->escaped)
		src->on_stop(src->ctx, t->escaped);
	if (v)
		tui_open(t, v, tui_fill_store, NULL);
	else
		tui_open(t, &tui_menu_view, tui_fill_menu, NULL);
	if (!t->nr)
		return inq_fail(err, INQ_ENOMEM, "view %s", first);
	if (!v)
		tui_say(t, true, "no view %s", first);
	return INQ_OK;
}

void tui_end(struct tui *t)
{
	while (t->nr)
		tui_page_destroy(t->page[--t->nr]);
}

void tui_resize(struct tui *t, int height, int width)
{
	struct tui_page *p = tui_top(t);
	t->height = height;
	t->width = width;
	if (!p)
		return;
	tui_page_fit(p, height, width);
	tui_page_slide(p, 0);
}
