/* Knows which rows and columns of a view lie in the window: selection, scrolling, search. */
#include "tui/page.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tui/text.h"

enum { GAP = 2, SPAN_MAX = INT_MAX / (2 * VIEW_COLS) };

struct tui_page *tui_page_create(const struct view *v, tui_fill_fn *fill,
				 const struct view_ref *from)
{
	struct tui_page *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->view = v;
	p->fill = fill;
	if (from)
		p->from = *from;
	tui_rows_init(&p->rows, tui_view_cols(v));
	return p;
}

void tui_page_destroy(struct tui_page *p)
{
	if (!p)
		return;
	tui_rows_deinit(&p->rows);
	free(p);
}

size_t tui_view_cols(const struct view *v)
{
	size_t n = 0;

	while (n < VIEW_COLS && v->col[n].head)
		n++;
	return n;
}

int tui_view_col(const struct view *v, const char *head)
{
	for (size_t i = 0; head && i < tui_view_cols(v); i++)
		if (!strcasecmp(v->col[i].head, head))
			return (int)i;
	return -1;
}

bool tui_page_marked(const struct tui_page *p, size_t row)
{
	int col = tui_view_col(p->view, p->view->mark);

	if (col < 0)
		return false;
	const char *cell = tui_rows_cell(&p->rows, row, (size_t)col);
	return *cell && strcmp(cell, "-") != 0;
}

void tui_page_jump(struct tui_page *p, size_t row)
{
	size_t last = p->rows.nr ? p->rows.nr - 1 : 0;

	p->at = row < last ? row : last;
}

void tui_page_move(struct tui_page *p, long n)
{
	size_t by = n < 0 ? 0 - (size_t)n : (size_t)n;

	if (n < 0)
		tui_page_jump(p, p->at > by ? p->at - by : 0);
	else
		tui_page_jump(p, by < SIZE_MAX - p->at ? p->at + by : SIZE_MAX);
}

void tui_page_show_mark(struct tui_page *p, int height)
{
	size_t row = 0, above = height > 0 ? (size_t)height / 4 : 0;

	if (tui_view_col(p->view, p->view->mark) < 0)
		return;
	while (row < p->rows.nr && !tui_page_marked(p, row))
		row++;
	if (row == p->rows.nr)
		return;
	p->at = row;
	p->top = row >= (size_t)(height > 0 ? height : 0) ? row - above : 0;
}

void tui_page_fit(struct tui_page *p, int height)
{
	size_t h = height > 0 ? (size_t)height : 1;

	tui_page_jump(p, p->at);
	if (p->top > p->at)
		p->top = p->at;
	if (p->at - p->top >= h)
		p->top = p->at - h + 1;
	if (p->rows.nr < h)
		p->top = 0;
	else if (p->top > p->rows.nr - h)
		p->top = p->rows.nr - h;
}

bool tui_page_slide(struct tui_page *p, int n, int width)
{
	int was = p->left, most = tui_page_width(p) - (width > 0 ? width : 0);

	p->left += n;
	if (p->left > most)
		p->left = most;
	if (p->left < 0)
		p->left = 0;
	return p->left != was;
}

static bool has_upper(const char *t)
{
	for (; *t; t++)
		if (isupper((unsigned char)*t))
			return true;
	return false;
}

static bool row_has(const struct tui_page *p, size_t row, const char *text, bool exact)
{
	for (size_t i = 0; i < p->rows.nr_cols; i++) {
		const char *cell = tui_rows_cell(&p->rows, row, i);
		if (exact ? strstr(cell, text) : strcasestr(cell, text))
			return true;
	}
	return false;
}

enum tui_found tui_page_search(struct tui_page *p, const char *text, int dir)
{
	const bool exact = has_upper(text);
	size_t nr = p->rows.nr, row = p->at;

	for (size_t i = 0; *text && i < nr; i++) {
		row = dir > 0 ? (row + 1) % nr : (row + nr - 1) % nr;
		if (!row_has(p, row, text, exact))
			continue;
		bool wrapped = dir > 0 ? row <= p->at : row >= p->at;
		p->at = row;
		return wrapped ? TUI_FOUND_WRAPPED : TUI_FOUND;
	}
	return TUI_FOUND_NOT;
}

static int col_width(const struct tui_page *p, size_t col)
{
	int width = tui_text_width(p->view->col[col].head);

	if (width < p->view->col[col].width)
		width = p->view->col[col].width;
	if (width < p->rows.width[col])
		width = p->rows.width[col];
	return width < SPAN_MAX ? width : SPAN_MAX;
}

struct tui_span tui_page_span(const struct tui_page *p, size_t col)
{
	struct tui_span s = {.width = col_width(p, col)};

	for (size_t i = 0; i < col; i++)
		s.first += col_width(p, i) + GAP;
	return s;
}

int tui_page_width(const struct tui_page *p)
{
	size_t nr = tui_view_cols(p->view);

	if (!nr)
		return 0;
	struct tui_span s = tui_page_span(p, nr - 1);
	/* No cell is padded on the right: what matters of the last is its widest text. */
	if (s.width > p->rows.width[nr - 1])
		s.width = p->rows.width[nr - 1];
	int head = tui_text_width(p->view->col[nr - 1].head);
	return s.first + (s.width > head ? s.width : head);
}
