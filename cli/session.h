/* An opened file, dump or index, of which only what is asked for gets collected. */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include <stdbool.h>

#include <inquest/dump.h>

#include "base/scope.h"
#include "cli/say.h"
#include "machine/machine.h"
#include "store/store.h"
#include "views/view.h"

struct session {
	const char *file;            /* as given */
	struct inq_dump *dump;       /* NULL when the file is an index */
	struct inq_machine *machine; /* NULL when the rows come from an index */
	struct store *store;
	bool rules_asked;
	bool quiet;        /* the screen belongs to the TUI: no notes */
	const char *doing; /* for the progress line */
	struct cli_progress progress;
};

/*
 * Open a dump or an index, told apart by content.  An index of the same dump that lies beside it
 * or in the cache folder is used unless fresh is set; one that does not fit is noted and left.
 */
INQ_MUST enum inq_status session_open(const char *file, bool fresh, struct session **ret_session,
				      struct inq_err *err);
void session_close(struct session *s); /* accepts NULL */
INQ_DEFINE_SCOPE(struct session, session_close)

/*
 * Have these tables filled: collectors' names, "finding" for the rules, "*" for all; others are
 * there anyway.  Failures of collectors and rules are recorded in the index and noted;
 * only the user's wish to stop, and memory, end it.
 */
INQ_MUST enum inq_status session_need(struct session *s, const char *table, struct inq_err *err);
INQ_MUST enum inq_status session_need_view(struct session *s, const struct view *v,
					   struct inq_err *err);

/* Write the index, marked with what made it; see session_open. */
INQ_MUST enum inq_status session_save(struct session *s, const char *path, struct inq_err *err);

/* Where the index of file lies by default: beside it, else in the cache folder.  To be freed. */
char *session_index_beside(const char *file);
char *session_index_cached(const struct inq_dump *dump);

#endif
