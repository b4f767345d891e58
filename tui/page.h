/* One opened view: its rows, the selected one, and the window onto them.  No terminal here. */
#ifndef TUI_PAGE_H
#define TUI_PAGE_H

#include "tui/rows.h"

struct tui;
struct tui_page;

/* Read the page's rows: from the store, or what the TUI itself has to show. */
typedef enum inq_status tui_fill_fn(struct tui *t, struct tui_page *p, struct inq_err *err);

struct tui_page {
	const struct view *view;
	tui_fill_fn *fill;
	struct view_ref from;       /* the row that opened it; nothing known when opened alone */
	char text[VIEW_TEXTS][128]; /* what from.text leads to */
	struct tui_rows rows;
	size_t at, top; /* the selected row, and the first one on the screen */
	/* The column that the title makes superfluous, every row being of that CPU; or -1. */
	int hidden;
	int left;          /* first column of the line on the screen */
	int height, width; /* of the window */
	/* The page with the row that this one shows in full; lies below it in the stack. */
	const struct tui_page *parent;
};

struct tui_page *tui_page_create(const struct view *v, tui_fill_fn *fill,
				 const struct view_ref *from); /* NULL: no memory */
void tui_page_destroy(struct tui_page *p);                     /* accepts NULL */

/* After its rows were read: see `hidden`. */
void tui_page_hide(struct tui_page *p);
bool tui_page_shows(const struct tui_page *p, size_t col);

size_t tui_view_cols(const struct view *v);
int tui_view_col(const struct view *v, const char *head); /* -1: no such column */

/* Is this row marked (the cell of view->mark is neither empty nor unknown)? */
bool tui_page_marked(const struct tui_page *p, size_t row);

/* Select another row: n down (up when negative), the same on the screen, the ends are ends. */
void tui_page_move(struct tui_page *p, long n);
void tui_page_jump(struct tui_page *p, size_t row);

/* Select the first marked row, if there is one, and show some rows above it. */
void tui_page_show_mark(struct tui_page *p);

/* Move the window, so large now, so that the selected row lies in it and no line is wasted. */
void tui_page_fit(struct tui_page *p, int height, int width);

/* By a window's height: those rows that follow (dir 1) or come before (-1) what is shown. */
void tui_page_turn(struct tui_page *p, int dir);

/* Sideways by n columns.  False: it was at that end. */
bool tui_page_slide(struct tui_page *p, int n);

/* Lines that a row takes: the text in the last column goes on below itself. */
int tui_page_lines(const struct tui_page *p, size_t row);

/*
 * Select the next row (dir 1) or the one before (-1) with the text in one of its cells, going on
 * at the other end.  Case matters when the text has an upper case letter.
 */
enum tui_found { TUI_FOUND_NOT, TUI_FOUND, TUI_FOUND_WRAPPED };
enum tui_found tui_page_search(struct tui_page *p, const char *text, int dir);

/* Where a column lies in the whole line; the last one ends at the window's edge if it is wrapped.
 */
struct tui_span {
	int first, width;
};
struct tui_span tui_page_span(const struct tui_page *p, size_t col);
int tui_page_width(const struct tui_page *p); /* of the whole line */
int tui_page_wrap(const struct tui_page *p);  /* columns of the wrapped last cell; 0: it is not */

#endif
