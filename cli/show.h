/* One view of a file, printed: what `inquest show` does, and commands that name a view. */
#ifndef CLI_SHOW_H
#define CLI_SHOW_H

#include "cli/commands.h"
#include "cli/session.h"
#include "views/view.h"

/*
 * As --json and --sql say; with --sql file may be NULL.  from: what was selected, or NULL.  Tables
 * of which something is missing are named.  Yields an exit code, and has said what failed.
 */
int cli_show(const struct view *v, const struct view_ref *from, const struct cli_args *a,
	     const char *file);

/* Note which tables of the view are not complete: empty or short, they may be so because of it. */
INQ_MUST enum inq_status cli_note_incomplete(struct session *s, const struct view *v,
					     struct inq_err *err);

/* The rows of one CPU; text may be NULL: of all.  False: that is no number. */
bool cli_show_cpu(const char *text, struct view_ref *ret);

#endif
