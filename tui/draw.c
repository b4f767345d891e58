/*
 * Knows what the screen looks like: title, headings, rows, keys.  What colour or weight says, a
 * character says too: '>' selected, '*' marked, '~' cut.
 */
#include "tui/draw.h"

#include <curses.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "tui/text.h"

enum { PAIR_NONE, PAIR_BAD, PAIR_WARN, PAIR_INFO };

struct tui_frame tui_frame(int lines)
{
	struct tui_frame f = {.title = -1, .head = -1, .status = lines > 1 ? lines - 1 : -1};

	f.title = lines > 2 ? 0 : -1;
	f.head = lines > 4 ? 1 : -1;
	f.body = (f.title >= 0) + (f.head >= 0);
	f.height = lines - f.body - (f.status >= 0);
	return f;
}

void tui_draw_init(bool colors)
{
	if (!colors)
		return;
	short back = use_default_colors() == OK ? -1 : COLOR_BLACK;
	init_pair(PAIR_BAD, COLOR_RED, back);
	init_pair(PAIR_WARN, COLOR_YELLOW, back);
	init_pair(PAIR_INFO, COLOR_CYAN, back);
}

static void put(int y, int x, struct tui_clip c, attr_t attr, short pair)
{
	wchar_t wc;
	int width;

	if (move(y, x) == ERR)
		return;
	attr_set(attr, pair, NULL);
	while (tui_clip_next(&c, &wc, &width))
		addnwstr(&wc, 1);
	attr_set(A_NORMAL, PAIR_NONE, NULL);
}

static void put_text(int y, int x, int room, const char *text, attr_t attr)
{
	put(y, x, (struct tui_clip){.at = text, .room = room}, attr, PAIR_NONE);
}

/* Columns of the first n bytes. */
static int width_of(const char *text, size_t n)
{
	int width = 0, w;
	wchar_t wc;

	for (size_t i = 0, step; i < n && (step = tui_glyph(text + i, &wc, &w)); i += step)
		width += w;
	return width;
}

static void put_bar(int y, attr_t attr)
{
	attr_set(attr, PAIR_NONE, NULL);
	mvhline(y, 0, ' ', COLS);
	attr_set(A_NORMAL, PAIR_NONE, NULL);
}

static void draw_title(const struct tui *t, const struct tui_page *p, int y)
{
	const char *file = t->src->title ? t->src->title : "", *slash = strrchr(file, '/');
	char left[512], cpu[32] = "", right[96], column[32] = "";
	size_t nr = p->rows.nr;

	if (p->from.known >> VIEW_REF_CPU & 1)
		snprintf(cpu, sizeof(cpu), ", cpu %lld", (long long)p->from.part[VIEW_REF_CPU]);
	if (p->left)
		snprintf(column, sizeof(column), "column %d  ", p->left + 1);
	snprintf(left, sizeof(left), "%s%s - %s", p->view->title, cpu, slash ? slash + 1 : file);
	snprintf(right, sizeof(right), "%srow %zu/%zu%s", column, nr ? p->at + 1 : 0, nr,
		 p->rows.more ? "+" : "");
	int width = tui_text_width(right), room = COLS - width - 3;
	put_bar(y, A_REVERSE);
	if (room > 0)
		put_text(y, COLS - width - 1, width, right, A_REVERSE);
	else
		room = COLS - 2;
	put_text(y, 1, room, left, A_REVERSE | A_BOLD);
	if (tui_text_width(left) > room && room > 0)
		put_text(y, room, 1, "~", A_REVERSE);
}

static short severity_pair(const char *cell)
{
	static const struct {
		const char *name;
		short pair;
	} severities[] = {{"fatal", PAIR_BAD},
			  {"error", PAIR_BAD},
			  {"warning", PAIR_WARN},
			  {"info", PAIR_INFO}};

	for (size_t i = 0; i < sizeof(severities) / sizeof(*severities); i++)
		if (!strcasecmp(cell, severities[i].name))
			return severities[i].pair;
	return PAIR_NONE;
}

/* Numbers end where their column ends; all else begins where it begins. */
static int cell_start(const struct tui_page *p, size_t col, const char *text)
{
	struct tui_span s = tui_page_span(p, col);
	int pad = p->view->col[col].fmt != VIEW_TEXT ? s.width - tui_text_width(text) : 0;

	return s.first + (pad > 0 ? pad : 0);
}

static void put_cell(const struct tui_page *p, int y, size_t col, struct tui_clip c, attr_t attr,
		     short pair)
{
	int x = cell_start(p, col, c.at) - p->left, room = c.room;

	if (!tui_page_shows(p, col))
		return;
	c.skip = x < 0 ? -x : 0;
	x = TUI_GUTTER + (x < 0 ? 0 : x);
	c.room = room < COLS - x ? room : COLS - x;
	if (c.room > 0)
		put(y, x, c, attr, pair);
}

/* Does the line of this row go on to the right of the screen? */
static bool is_cut(const struct tui_page *p, size_t row)
{
	size_t col = p->rows.nr_cols;

	while (col && !*tui_rows_cell(&p->rows, row, col - 1))
		col--;
	if (!col || tui_page_wrap(p))
		return false;
	const char *text = tui_rows_cell(&p->rows, row, col - 1);
	return cell_start(p, col - 1, text) + tui_text_width(text) - p->left > COLS - TUI_GUTTER;
}

/* What goes on below: the rest of the last cell. */
static void draw_rest(const struct tui_page *p, int y, int end, size_t row, attr_t attr)
{
	size_t col = p->rows.nr_cols - 1;
	const char *text = tui_rows_cell(&p->rows, row, col), *next;
	int columns = tui_page_wrap(p);

	for (tui_text_break(text, columns, &text); *text && y < end; text = next, y++) {
		size_t n = tui_text_break(text, columns, &next);
		int x = TUI_GUTTER + tui_page_span(p, col).first;
		put_bar(y, attr & A_REVERSE);
		put(y, x, (struct tui_clip){text, 0, width_of(text, n)}, attr, PAIR_NONE);
	}
}

/* A mark in the first column speaks for itself; else, or out of sight, it gets a '*'. */
static bool needs_star(const struct tui_page *p, size_t row)
{
	int col = tui_view_col(p->view, p->view->mark);

	return tui_page_marked(p, row) &&
	       (p->left || tui_page_span(p, (size_t)col).first || !tui_page_shows(p, (size_t)col));
}

static attr_t row_attr(const struct tui_page *p, size_t row)
{
	return (row == p->at ? A_REVERSE : 0) | (tui_page_marked(p, row) ? A_BOLD : 0);
}

/* The columns of a cell that stand on the row's first line. */
static int first_columns(const struct tui_page *p, size_t col, const char *text)
{
	int columns = col + 1 == p->rows.nr_cols ? tui_page_wrap(p) : 0;
	const char *next;

	if (!columns)
		return INT_MAX;
	return width_of(text, tui_text_break(text, columns, &next));
}

/* The row from line y on, and no further than end.  Lines that it took. */
static int draw_row(const struct tui_page *p, int y, int end, size_t row, bool colors)
{
	const int severity = tui_view_col(p->view, "SEVERITY");
	attr_t attr = row_attr(p, row);

	put_bar(y, attr & A_REVERSE);
	put_text(y, 0, 1, row == p->at ? ">" : " ", attr);
	put_text(y, 1, 1, needs_star(p, row) ? "*" : " ", attr);
	for (size_t i = 0; i < p->rows.nr_cols; i++) {
		const char *text = tui_rows_cell(&p->rows, row, i);
		short pair = PAIR_NONE;
		if (colors && (int)i == severity)
			pair = severity_pair(text);
		attr_t dim = !strcmp(text, "-") && row != p->at ? A_DIM : 0;
		struct tui_clip c = {.at = text, .room = first_columns(p, i, text)};
		put_cell(p, y, i, c, attr | dim, pair);
	}
	if (COLS > TUI_GUTTER && is_cut(p, row))
		put_text(y, COLS - 1, 1, "~", attr);
	if (tui_page_wrap(p))
		draw_rest(p, y + 1, end, row, attr);
	return tui_page_lines(p, row);
}

static void draw_head(const struct tui_page *p, int y)
{
	for (size_t i = 0; i < tui_view_cols(p->view); i++)
		put_cell(p, y, i, (struct tui_clip){.at = p->view->col[i].head, .room = INT_MAX},
			 A_BOLD | A_UNDERLINE, PAIR_NONE);
}

static void draw_keys(int y)
{
	const struct tui_command *c;
	char item[64];
	int x = 0;

	put_bar(y, A_REVERSE);
	for (size_t i = 0; (c = tui_command_at(i)); i++) {
		if (!c->brief)
			continue;
		snprintf(item, sizeof(item), " %.*s:%s", (int)strcspn(c->names, ","), c->names,
			 c->brief);
		int width = tui_text_width(item);
		if (x + width > COLS)
			return;
		put_text(y, x, width, item, A_REVERSE);
		x += width;
	}
}

static void draw_status(const struct tui *t, int y, bool colors)
{
	attr_t attr = t->failed ? A_BOLD : A_NORMAL;
	int x = 0;

	if (t->asking) {
		int over = tui_text_width(t->typed) + 2 - COLS;
		put_text(y, 0, 1, &"/:?"[t->asking - TUI_ASK_ROWS], A_BOLD);
		put(y, 1, (struct tui_clip){t->typed, over > 0 ? over : 0, COLS - 1}, A_NORMAL, 0);
		return;
	}
	if (!*t->status) {
		draw_keys(y);
		return;
	}
	if (t->failed && COLS > 20) {
		put(y, 0, (struct tui_clip){"error: ", 0, 7}, A_BOLD, colors ? PAIR_BAD : 0);
		x = 7;
	}
	put_text(y, x, COLS - x, t->status, attr);
}

/* Where a terminal that cannot hide its cursor shows it. */
static void place_cursor(const struct tui *t, const struct tui_page *p, const struct tui_frame *f)
{
	int typed = 1 + tui_text_width(t->typed), line = 0;

	for (size_t row = p->top; row < p->at && line < f->height; row++)
		line += tui_page_lines(p, row);
	curs_set(t->asking != TUI_ASK_NOT);
	if (t->asking && f->status >= 0)
		move(f->status, typed < COLS ? typed : COLS - 1);
	else if (line < f->height)
		move(f->body + line, 0);
}

static void draw_body(const struct tui *t, const struct tui_page *p, const struct tui_frame *f,
		      bool colors)
{
	int y = f->body, end = f->body + f->height;

	for (size_t row = p->top; y < end && row < p->rows.nr; row++)
		y += draw_row(p, y, end, row, colors);
	if (!p->rows.nr && tui_top(t) && y < end)
		put_text(y++, TUI_GUTTER, COLS - TUI_GUTTER, "no rows", A_DIM);
	if (!strcmp(p->view->name, "findings") && tui_top(t) && y + 1 < end)
		put_text(y + 1, TUI_GUTTER, COLS - TUI_GUTTER, t->note, A_NORMAL);
}

void tui_draw(const struct tui *t, bool colors)
{
	static const struct view nothing = {.name = "", .title = ""};
	const struct tui_page none = {.view = &nothing}, *p = tui_top(t) ? tui_top(t) : &none;
	struct tui_frame f = tui_frame(LINES);

	erase();
	if (f.title >= 0)
		draw_title(t, p, f.title);
	if (f.head >= 0)
		draw_head(p, f.head);
	draw_body(t, p, &f, colors);
	if (f.status >= 0 || t->asking)
		draw_status(t, f.status >= 0 ? f.status : 0, colors);
	place_cursor(t, p, &f);
	refresh();
}
