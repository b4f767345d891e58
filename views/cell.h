/* From a query's values to what a terminal or a JSON reader may see. */
#ifndef VIEWS_CELL_H
#define VIEWS_CELL_H

#include <sqlite3.h>
#include <stdio.h>

#include "views/view.h"

struct store;

/* Append n bytes of foreign text, escaped. */
void cell_put_text(sqlite3_str *s, const uint8_t *t, size_t n);
/* Append the value's cell: text escaped, addresses in hex, "-" for unknown. */
void cell_put(sqlite3_str *s, enum view_fmt fmt, sqlite3_stmt *q, int i);
/* The same as a JSON value: numbers as they are, addresses as strings, null for unknown, text
 * whole. */
void cell_put_json(sqlite3_str *s, enum view_fmt fmt, sqlite3_stmt *q, int i);
/* Characters that a finished cell takes on the screen. */
int cell_width(const char *cell);

/* A table on its way to a file.  First tell it every row, then print them. */
enum { GRID_COLS = 64, GRID_WIDE = 80 /* columns of the screen */ };
struct grid {
	int nr_cols;
	int width[GRID_COLS];
	int right[GRID_COLS]; /* numbers stand at the right */
	int one_line;         /* the last cell is not broken at the screen's edge */
};
void grid_measure(struct grid *g, const char *const *cell);
INQ_MUST enum inq_status grid_print(const struct grid *g, const char *const *cell, FILE *out,
				    struct inq_err *err);

#endif
