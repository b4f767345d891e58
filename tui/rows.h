/* The rows of one view, kept in memory so that scrolling and searching ask no database. */
#ifndef TUI_ROWS_H
#define TUI_ROWS_H

#include <stdbool.h>

#include "views/view.h"

/* Beyond either limit the rest of a view is left out, and `more` says so. */
enum { TUI_ROWS_MAX = 100000, TUI_ROWS_BYTES_MAX = 64 << 20 };

/* All zero is an empty store of no columns. */
struct tui_rows {
	size_t nr, room;      /* rows, and how many there is memory for */
	size_t nr_cols;       /* cells of each row */
	struct view_ref *ref; /* one per row */
	uint32_t *cell;       /* nr_cols per row: offsets into text */
	char *text;           /* cells, each ended by NUL */
	size_t used, size;    /* bytes of text */
	int width[VIEW_COLS]; /* columns that the widest cell takes */
	bool more;            /* there are rows that are not kept */
};

void tui_rows_init(struct tui_rows *r, size_t nr_cols);
void tui_rows_deinit(struct tui_rows *r); /* leaves an empty store of no columns */

/* Keep a copy.  INQ_ELIMIT with `more` set: full.  INQ_ENOMEM. */
INQ_MUST enum inq_status tui_rows_add(struct tui_rows *r, const struct view_ref *ref,
				      const char *const *cell, struct inq_err *err);

/* A finished cell; borrowed until the store is changed. */
const char *tui_rows_cell(const struct tui_rows *r, size_t row, size_t col);

#endif
