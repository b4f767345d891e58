/* What the TUI does, without a terminal: a stack of opened views, and what each key means. */
#ifndef TUI_APP_H
#define TUI_APP_H

#include "tui/page.h"
#include "tui/tui.h"

enum { TUI_DEPTH = 32, TUI_FIND_MAX = 128 };

/*
 * A key: the character, or a function key's code of <curses.h>, negated.  Some keys that curses
 * has no character for.
 */
enum { TUI_KEY_NONE = 0, TUI_KEY_ESC = 27, TUI_KEY_DEL = 127 };

struct tui {
	const struct tui_source *src;
	struct tui_page *page[TUI_DEPTH]; /* the last one is on the screen */
	size_t nr;
	int height, width;       /* of the window for rows, without what frames it */
	char status[320];        /* what to tell until the next key; "" shows the keys */
	bool failed;             /* the status tells of an error */
	char find[TUI_FIND_MAX]; /* what was searched last, UTF-8 */
	char typed[TUI_FIND_MAX];
	/* typing: what to search among the rows, where to go, what to search in memory */
	enum tui_asking { TUI_ASK_NOT, TUI_ASK_ROWS, TUI_ASK_PLACE, TUI_ASK_MEMORY } asking;
	bool quit;
	char note[96]; /* what belongs below the findings: what was not asked, not seen */
	/* All optional.  Draw now, since something slow follows; shall it be given up?  The second
	   is the end of all, the third only of that. */
	void (*show)(struct tui *t);
	bool (*stopped)(void);
	bool (*escaped)(void);
};

/* Open the first view.  There is always a page afterwards, or INQ_ENOMEM. */
INQ_MUST enum inq_status tui_start(struct tui *t, const struct tui_source *src,
				   struct inq_err *err);
void tui_end(struct tui *t); /* frees the pages */

struct tui_page *tui_top(const struct tui *t);
void tui_key(struct tui *t, int key);
void tui_resize(struct tui *t, int height, int width);

/* Replace the status text. */
void tui_say(struct tui *t, bool failed, const char *fmt, ...) INQ_PRINTF(3, 4);

/* Push a page, or go back to it when it lies in the stack.  Failures go to the status. */
void tui_open(struct tui *t, const struct view *v, tui_fill_fn *fill, const struct view_ref *from);
void tui_back(struct tui *t);                     /* does nothing at the first page */
void tui_load(struct tui *t, struct tui_page *p); /* read its rows, again */

/* Rows from the store; of all views; of all keys; of one row's cells. */
tui_fill_fn tui_fill_store, tui_fill_menu, tui_fill_help, tui_fill_record;
extern const struct view tui_menu_view, tui_help_view, tui_record_view;

/* What a key does.  Status line and help screen are made from this list. */
struct tui_command;
typedef void tui_command_fn(struct tui *t, const struct tui_command *c, int key);
struct tui_command {
	int key[11];       /* ends at TUI_KEY_NONE */
	const char *names; /* how people call them */
	const char *brief; /* in the status line; NULL: only in the help */
	const char *doc;
	tui_command_fn *run;
	long n;           /* how far, for those that move */
	const char *view; /* which one it opens */
	uint32_t ref;     /* parts of the selected row (bits) that the view is limited to */
};
const struct tui_command *tui_command_at(size_t i); /* NULL behind the last */

#endif
