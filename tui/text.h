/* Text on a grid: how many columns it takes, and which part of it a window shows. */
#ifndef TUI_TEXT_H
#define TUI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <wchar.h>

/*
 * The character at t and its columns: 0 (combining), 1 or 2.  Bytes to step over; 0 at the end.
 * What the locale or the terminal cannot show becomes '?', so any text is safe to draw.
 */
size_t tui_glyph(const char *t, wchar_t *ret_wc, int *ret_width);

int tui_text_width(const char *t); /* columns of all of it */

/*
 * Break a line: the bytes that go on one of so many columns (at least a character, at a space where
 * there is one), and where the next line begins.
 */
size_t tui_text_break(const char *t, int columns, const char **ret_next);

/* The part of a text from column skip on, at most room columns. */
struct tui_clip {
	const char *at;
	int skip, room;
};

/*
 * Next character of the part; false behind the last.  Half of a wide character at an edge is a
 * space, so that what follows stays in its column.
 */
bool tui_clip_next(struct tui_clip *c, wchar_t *ret_wc, int *ret_width);

#endif
