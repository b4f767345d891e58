/* The terminal: taken over, given back sane in every case, and its keys. */
#ifndef TUI_TERM_H
#define TUI_TERM_H

#include <signal.h>
#include <stdbool.h>

#include <inquest/err.h>

enum { TUI_NR_SIGNALS = 10, TUI_KEY_GONE = -0x7fffffff };

struct tui_term {
	struct screen *screen; /* of curses */
	struct sigaction old[TUI_NR_SIGNALS];
	bool taken[TUI_NR_SIGNALS];
	bool colors; /* the terminal has some, and NO_COLOR is not set */
};

/*
 * Errors: INQ_EUSAGE (no terminal), INQ_EUNSUPPORTED (one without a movable cursor, or of an
 * unknown kind).  Only after success the terminal must be given back with tui_term_close.
 */
INQ_MUST enum inq_status tui_term_open(struct tui_term *term, struct inq_err *err);
void tui_term_close(struct tui_term *term);

/* The signal that asked to stop, or 0. */
int tui_term_signal(void);

/*
 * Was Esc typed?  Then it is taken, and what was typed before it goes, too; without, all keys
 * stay.  Never waits.
 */
bool tui_term_escaped(void);

/*
 * Wait for a key, as struct tui_command has them; -KEY_RESIZE after a change of size,
 * TUI_KEY_NONE when a signal came, TUI_KEY_GONE when the terminal has gone.
 */
int tui_term_key(struct tui_term *term);

#endif
