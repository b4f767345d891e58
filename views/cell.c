/* Knows how a value looks: what is unknown, what a terminal may see, where a column stands. */
#include "views/cell.h"

#include <math.h>
#include <string.h>

#include "base/text.h"
#include "store/json.h"

void cell_put_text(sqlite3_str *s, const uint8_t *t, size_t n)
{
	while (n) {
		size_t len = text_printable(t, n);
		if (len)
			sqlite3_str_append(s, (const char *)t, (int)len);
		else
			sqlite3_str_appendf(s, "\\x%02x", *t);
		len += !len;
		t += len;
		n -= len;
	}
}

void cell_put(sqlite3_str *s, enum view_fmt fmt, sqlite3_stmt *q, int i)
{
	int type = sqlite3_column_type(q, i);

	if (type == SQLITE_NULL) {
		sqlite3_str_appendall(s, "-"); /* unknown, whatever the format */
		return;
	}
	if (type == SQLITE_INTEGER && fmt == VIEW_HEX) {
		sqlite3_str_appendf(s, "0x%llx", sqlite3_column_int64(q, i));
		return;
	}
	/* a hostile index may hold text where we expect a number: it is shown as what it is */
	const uint8_t *t = sqlite3_column_text(q, i);
	cell_put_text(s, t, t ? (size_t)sqlite3_column_bytes(q, i) : 0);
}

void cell_put_json(sqlite3_str *s, enum view_fmt fmt, sqlite3_stmt *q, int i)
{
	int type = sqlite3_column_type(q, i);

	if (type == SQLITE_NULL) {
		sqlite3_str_appendall(s, "null");
		return;
	}
	if (type == SQLITE_INTEGER && fmt != VIEW_HEX) {
		sqlite3_str_appendf(s, "%lld", sqlite3_column_int64(q, i));
		return;
	}
	if (type == SQLITE_FLOAT && isfinite(sqlite3_column_double(q, i))) {
		sqlite3_str_appendf(s, "%!.15g", sqlite3_column_double(q, i));
		return;
	}
	if (type == SQLITE_TEXT || type == SQLITE_BLOB) {
		const char *text = (const char *)sqlite3_column_text(q, i);
		store_json_text(s, text ? text : "", text ? (size_t)sqlite3_column_bytes(q, i) : 0);
		return;
	}
	sqlite3_str *cell = sqlite3_str_new(NULL);
	cell_put(cell, fmt, q, i);
	store_json_text(s, sqlite3_str_length(cell) ? sqlite3_str_value(cell) : "",
			(size_t)sqlite3_str_length(cell));
	sqlite3_free(sqlite3_str_finish(cell));
}

int cell_width(const char *cell)
{
	int n = 0;

	for (; *cell; cell++)
		n += ((uint8_t)*cell & 0xc0) != 0x80;
	return n;
}

void grid_measure(struct grid *g, const char *const *cell)
{
	for (int i = 0; i < g->nr_cols; i++) {
		int n = cell_width(cell[i]);
		if (n > g->width[i])
			g->width[i] = n;
	}
}

/* How many bytes of text go on a line of room characters; *ret_next is where the next begins. */
static size_t fit(const char *text, int room, const char **ret_next)
{
	size_t at = 0, space = 0;
	int n = 0;

	for (; text[at]; at++) {
		if (((uint8_t)text[at] & 0xc0) != 0x80 && n++ == room)
			break;
		if (text[at] == ' ')
			space = at;
	}
	if (!text[at]) {
		*ret_next = text + at;
		return at;
	}
	size_t take = text[at] == ' ' ? at : space ? space : at;
	*ret_next = text + take + (text[take] == ' ');
	return take;
}

/* The last cell, broken at the screen's edge where that leaves room for words. */
static void print_last(const char *text, int column, FILE *out)
{
	int room = GRID_WIDE - column;

	if (room < 16) {
		fputs(text, out);
		return;
	}
	while (*text) {
		const char *next;
		size_t n = fit(text, room, &next);
		fwrite(text, 1, n, out);
		if (*next)
			fprintf(out, "\n%*s", column, "");
		text = next;
	}
}

enum inq_status grid_print(const struct grid *g, const char *const *cell, FILE *out,
			   struct inq_err *err)
{
	int column = 0, owed = 0; /* blanks before the next visible character */

	for (int i = 0; i < g->nr_cols; i++) {
		int n = cell_width(cell[i]), pad = g->width[i] > n ? g->width[i] - n : 0;
		owed += g->right[i] ? pad : 0;
		if (n)
			fprintf(out, "%*s", owed, "");
		if (i == g->nr_cols - 1 && !g->right[i] && !g->one_line)
			print_last(cell[i], column, out);
		else
			fputs(cell[i], out);
		owed = (n ? 0 : owed + n) + (g->right[i] ? 0 : pad) + 1;
		column += g->width[i] + 1;
	}
	fputc('\n', out);
	return ferror(out) ? inq_fail(err, INQ_EIO, "write") : INQ_OK;
}
