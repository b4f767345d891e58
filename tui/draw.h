/* Puts the top page on the screen. */
#ifndef TUI_DRAW_H
#define TUI_DRAW_H

#include "tui/app.h"

/* Columns left of the first cell: which row is selected, which are marked. */
enum { TUI_GUTTER = 2 };

/* Which lines hold what; -1: there is no room for it.  Rows come before all else. */
struct tui_frame {
	int title, head, body, height, status;
};
struct tui_frame tui_frame(int lines);

void tui_draw_init(bool colors); /* the pairs that drawing uses */
void tui_draw(const struct tui *t, bool colors);

#endif
