/* The ncurses front end.  Its only input is an opened view set. */
#ifndef TUI_TUI_H
#define TUI_TUI_H

#include <stdbool.h>

#include <inquest/err.h>

struct store;
struct view;

struct tui_source {
	struct store *store;
	const char *title; /* the file's name */
	/* Collect what v needs before it is read; with progress done by the caller. */
	enum inq_status (*prepare)(void *ctx, const struct view *v, struct inq_err *err);
	/*
	 * Keep everything in an index file, whose name is written to ret_path (to be freed).  NULL:
	 * there is nothing to keep, the file is an index itself.
	 */
	enum inq_status (*save)(void *ctx, char **ret_path, struct inq_err *err);
	/* Ask this now and then while something takes long: true, Esc was pressed.  Optional. */
	void (*on_stop)(void *ctx, bool (*stop)(void));
	void *ctx;         /* of all */
	const char *first; /* name of the first view: "findings" */
};

/* Run until the user quits.  The terminal is sane on return, whatever happened. */
INQ_MUST enum inq_status tui_run(const struct tui_source *src, struct inq_err *err);

#endif
