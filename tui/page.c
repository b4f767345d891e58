/* Knows which rows and columns of a view lie in the window: selection, scrolling, search. */
#include "tui/page.h"

#include <ctype.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tui/text.h"

/* The last column is wrapped if so many columns are left for it. */
enum { LAST_LEAST = 20, SPAN_MAX = INT_MAX / (2 * VIEW_COLS), LINES_MAX = 10000 };

struct tui_page *tui_page_create(const struct view *v, tui_fill_fn *fill,
				 const struct view_ref *from)
{
	struct tui_page *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->view = v;
	p->fill = fill;
	p->hidden = -1;
	if (from)
		p->from = *from;
	for (int i = 0; i < VIEW_TEXTS && from; i++) {
		if (!from->text[i])
			continue;
		(void)snprintf(p->text[i], sizeof(p->text[i]), "%s", from->text[i]);
		p->from.text[i] = p->text[i];
	}
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

void tui_page_hide(struct tui_page *p)
{
	int col = tui_view_col(p->view, "CPU");
	char cpu[24];

	p->hidden = -1;
	if (col < 0 || !p->rows.nr || !(p->from.known >> VIEW_REF_CPU & 1))
		return;
	snprintf(cpu, sizeof(cpu), "%" PRId64, p->from.part[VIEW_REF_CPU]);
	for (size_t i = 0; i < p->rows.nr; i++)
		if (strcmp(tui_rows_cell(&p->rows, i, (size_t)col), cpu) != 0)
			return;
	p->hidden = col;
}

bool tui_page_shows(const struct tui_page *p, size_t col)
{
	return p->hidden < 0 || col != (size_t)p->hidden;
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

void tui_page_show_mark(struct tui_page *p)
{
	size_t row = 0, height = p->height > 0 ? (size_t)p->height : 1;

	if (tui_view_col(p->view, p->view->mark) < 0)
		return;
	while (row < p->rows.nr && !tui_page_marked(p, row))
		row++;
	if (row == p->rows.nr)
		return;
	p->at = row;
	p->top = row >= height ? row - height / 4 : 0;
	tui_page_fit(p, p->height, p->width);
}

int tui_page_lines(const struct tui_page *p, size_t row)
{
	int columns = tui_page_wrap(p), lines = 1;

	if (!columns)
		return 1;
	const char *text = tui_rows_cell(&p->rows, row, p->rows.nr_cols - 1);
	tui_text_break(text, columns, &text);
	for (; *text && lines < LINES_MAX; lines++)
		tui_text_break(text, columns, &text);
	return lines;
}

/* The first row of a window that ends with this one, which it holds in any case. */
static size_t first_above(const struct tui_page *p, size_t last)
{
	int lines = tui_page_lines(p, last);

	while (last && (lines += tui_page_lines(p, last - 1)) <= p->height)
		last--;
	return last;
}

void tui_page_fit(struct tui_page *p, int height, int width)
{
	p->height = height > 0 ? height : 1;
	p->width = width > 0 ? width : 1;
	tui_page_jump(p, p->at);
	if (!p->rows.nr)
		p->top = 0;
	if (!p->rows.nr)
		return;
	size_t lowest = first_above(p, p->rows.nr - 1), least = first_above(p, p->at);
	if (p->top < least)
		p->top = least;
	if (p->top > lowest)
		p->top = lowest;
	if (p->top > p->at)
		p->top = p->at;
}

/* How many rows stand whole in the window; at least one. */
static size_t rows_shown(const struct tui_page *p)
{
	size_t row = p->top;
	int lines = 0;

	while (row < p->rows.nr && (lines += tui_page_lines(p, row)) <= p->height)
		row++;
	return row > p->top ? row - p->top : 1;
}

void tui_page_turn(struct tui_page *p, int dir)
{
	size_t top = p->top, by = rows_shown(p);

	if (!p->rows.nr)
		return;
	if (dir > 0) {
		p->top += by;
		tui_page_jump(p, p->at + by);
	} else {
		p->top = top ? first_above(p, top - 1) : 0;
		p->at = top ? p->at - (top - p->top) : 0;
	}
	tui_page_fit(p, p->height, p->width);
}

bool tui_page_slide(struct tui_page *p, int n)
{
	int was = p->left, most = tui_page_width(p) - p->width;

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

/* Two blanks between columns, where that does not push one out of the window. */
static int gap(const struct tui_page *p, size_t nr)
{
	int width = 0, last = nr ? col_width(p, nr - 1) : 0;

	for (size_t i = 0; i + 1 < nr; i++)
		width += tui_page_shows(p, i) ? col_width(p, i) + 2 : 0;
	if (nr && p->view->col[nr - 1].fmt == VIEW_TEXT && last > LAST_LEAST)
		last = LAST_LEAST;
	return width + last <= p->width ? 2 : 1;
}

static int col_start(const struct tui_page *p, size_t col)
{
	int between = gap(p, tui_view_cols(p->view)), x = 0;

	for (size_t i = 0; i < col; i++)
		x += tui_page_shows(p, i) ? col_width(p, i) + between : 0;
	return x;
}

int tui_page_wrap(const struct tui_page *p)
{
	size_t nr = tui_view_cols(p->view);

	if (!nr || p->view->col[nr - 1].fmt != VIEW_TEXT)
		return 0;
	int room = p->width - col_start(p, nr - 1);
	return room >= LAST_LEAST && p->rows.width[nr - 1] > room ? room : 0;
}

struct tui_span tui_page_span(const struct tui_page *p, size_t col)
{
	int wrap = col + 1 == tui_view_cols(p->view) ? tui_page_wrap(p) : 0;

	return (struct tui_span){.first = col_start(p, col),
				 .width = wrap ? wrap : col_width(p, col)};
}

int tui_page_width(const struct tui_page *p)
{
	size_t nr = tui_view_cols(p->view);

	if (!nr || tui_page_wrap(p))
		return nr ? p->width : 0;
	/* No text is padded on the right: what matters of the last is its widest text. */
	int head = tui_text_width(p->view->col[nr - 1].head), width = p->rows.width[nr - 1];
	if (p->view->col[nr - 1].fmt != VIEW_TEXT)
		width = col_width(p, nr - 1);
	width = width < SPAN_MAX ? width : SPAN_MAX;
	return col_start(p, nr - 1) + (width > head ? width : head);
}
