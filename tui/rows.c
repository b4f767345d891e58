/* Knows how the rows of a view lie in memory: one block of text, one of offsets, one of keys. */
#include "tui/rows.h"

#include <stdlib.h>
#include <string.h>

#include "tui/text.h"

void tui_rows_init(struct tui_rows *r, size_t nr_cols)
{
	*r = (struct tui_rows){.nr_cols = nr_cols < VIEW_COLS ? nr_cols : VIEW_COLS};
}

void tui_rows_deinit(struct tui_rows *r)
{
	free(r->ref);
	free(r->cell);
	free(r->text);
	*r = (struct tui_rows){0};
}

/* Limits keep every product far below SIZE_MAX and every offset within 32 bits. */
static bool grow_rows(struct tui_rows *r)
{
	size_t room = r->room ? 2 * r->room : 64;
	struct view_ref *ref = realloc(r->ref, room * sizeof(*ref));

	if (!ref)
		return false;
	r->ref = ref;
	uint32_t *cell = realloc(r->cell, room * (r->nr_cols + 1) * sizeof(*cell));
	if (!cell)
		return false;
	r->cell = cell;
	r->room = room;
	return true;
}

static bool grow_text(struct tui_rows *r, size_t need)
{
	size_t size = r->size ? r->size : 4096;

	while (size < need)
		size *= 2;
	char *text = realloc(r->text, size);
	if (!text)
		return false;
	r->text = text;
	r->size = size;
	return true;
}

/* Bytes of the row's text; TUI_ROWS_BYTES_MAX when it is no less than that. */
static size_t row_size(const struct tui_rows *r, const char *const *cell)
{
	size_t size = 0;

	for (size_t i = 0; i < r->nr_cols; i++) {
		size += strnlen(cell[i], TUI_ROWS_BYTES_MAX) + 1;
		if (size >= TUI_ROWS_BYTES_MAX)
			return TUI_ROWS_BYTES_MAX;
	}
	return size;
}

static void keep(struct tui_rows *r, const struct view_ref *ref, const char *const *cell)
{
	r->ref[r->nr] = *ref;
	for (size_t i = 0; i < r->nr_cols; i++) {
		size_t n = strlen(cell[i]) + 1;
		int width = tui_text_width(cell[i]);
		r->cell[r->nr * r->nr_cols + i] = (uint32_t)r->used;
		memcpy(r->text + r->used, cell[i], n);
		r->used += n;
		if (width > r->width[i])
			r->width[i] = width;
	}
	r->nr++;
}

enum inq_status tui_rows_add(struct tui_rows *r, const struct view_ref *ref,
			     const char *const *cell, struct inq_err *err)
{
	size_t size = row_size(r, cell);

	if (r->nr >= TUI_ROWS_MAX || size >= TUI_ROWS_BYTES_MAX - r->used) {
		r->more = true;
		return inq_fail(err, INQ_ELIMIT, "row %zu", r->nr);
	}
	if ((r->nr == r->room && !grow_rows(r)) ||
	    (r->used + size > r->size && !grow_text(r, r->used + size)))
		return inq_fail(err, INQ_ENOMEM, "row %zu", r->nr);
	keep(r, ref, cell);
	return INQ_OK;
}

const char *tui_rows_cell(const struct tui_rows *r, size_t row, size_t col)
{
	if (row >= r->nr || col >= r->nr_cols)
		return "";
	return r->text + r->cell[row * r->nr_cols + col];
}
