/* Knows the order of things: terminal, first view, then a key and a picture in turns. */
#include "tui/tui.h"

#include <curses.h>
#include <locale.h>
#include <string.h>

#include "tui/draw.h"
#include "tui/term.h"

/* The model and the terminal that it is shown on. */
struct session {
	struct tui tui; /* first: show() finds the session by it */
	struct tui_term term;
};

static void show(struct tui *t)
{
	const struct session *s = (const struct session *)t;

	tui_draw(t, s->term.colors);
}

static bool stopped(void)
{
	return tui_term_signal() != 0;
}

static void fit(struct session *s)
{
	tui_resize(&s->tui, tui_frame(LINES).height, COLS - TUI_GUTTER);
}

static enum inq_status run_keys(struct session *s, struct inq_err *err)
{
	while (!s->tui.quit) {
		tui_draw(&s->tui, s->term.colors);
		int key = tui_term_key(&s->term);
		if (stopped())
			return inq_fail(err, INQ_EINTR, "stopped by signal %d", tui_term_signal());
		if (key == TUI_KEY_GONE)
			return inq_fail(err, INQ_EIO, "the terminal has gone");
		if (key == -KEY_RESIZE)
			fit(s);
		else
			tui_key(&s->tui, key);
		if (key == ('L' & 31))
			clearok(curscr, TRUE);
	}
	return INQ_OK;
}

enum inq_status tui_run(const struct tui_source *src, struct inq_err *err)
{
	struct session s = {.tui = {.show = show, .stopped = stopped, .escaped = tui_term_escaped}};

	if (!strcmp(setlocale(LC_CTYPE, NULL), "C"))
		setlocale(LC_CTYPE, ""); /* which characters the terminal shows, and how wide */
	enum inq_status st = tui_term_open(&s.term, err);
	if (st)
		return st;
	tui_draw_init(s.term.colors);
	fit(&s);
	st = tui_start(&s.tui, src, err);
	if (!st)
		st = run_keys(&s, err);
	tui_end(&s.tui);
	tui_term_close(&s.term);
	return st;
}
