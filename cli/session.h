/* An opened file, dump or index, of which only what is asked for gets collected. */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include <stdbool.h>

#include <inquest/dump.h>

#include "analyzers/live/live.h"
#include "base/scope.h"
#include "cli/say.h"
#include "machine/lines.h"
#include "machine/machine.h"
#include "store/store.h"
#include "views/view.h"

/* What a command wants to open, and what it still needs afterwards: the sandbox is made of it. */
struct session_plan {
	const char *file;         /* dump or index */
	const char *const *given; /* other files named by the user: read whenever they are wanted */
	int nr_given;
	bool fresh;           /* never look at an index of the dump */
	bool keeps_index;     /* it may be written: to output, beside the dump, or in the cache */
	const char *output;   /* -o; NULL: not given */
	const uint64_t *base; /* the file is memory without a header from there on; NULL: a dump */
	bool lines;           /* debug files will be asked: the cache for them may be written */
	bool verbose;         /* tell which sandbox, loader and index */
	const char *vmlinux;  /* that must be of the same kernel; NULL: not given */
};

struct session {
	const char *file;                   /* as given */
	char *index;                        /* of the dump, whose rows are used; NULL: none */
	struct inq_dump *dump;              /* NULL when the file is an index */
	struct inq_machine *machine;        /* NULL when the rows come from an index */
	char *debug_beside, *debug_fetched; /* folders that may have debug files; NULL */
	char *debug_by_given, *debug_cache; /* likewise */
	struct machine_debug debug;         /* the same, for the machine */
	bool verbose;
	struct inq_machine *live_machine; /* with an index: opened when memory is asked for */
	struct live_host live;
	struct store *store;
	bool rules_asked;
	bool (*escaped)(void); /* the TUI: what takes long shall be given up; or NULL */
	bool quiet;            /* the screen belongs to the TUI: no notes */
	const char *doing;     /* for the progress line */
	struct cli_progress progress;
};

/*
 * Enter the sandbox, then open a dump or an index, told apart by content.  An index of the same
 * dump that lies beside it or in the cache folder is used unless the plan says fresh; one that does
 * not fit is noted and left.  A vmlinux of another kernel is refused.  Whatever else is to be open
 * for writing is open before.
 */
INQ_MUST enum inq_status session_open(const struct session_plan *plan, struct session **ret_session,
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

/* The machine of the dump, for its memory; NULL: the file is an index, or it cannot be opened. */
const struct inq_machine *session_machine(struct session *s);

/* Write the index, marked with what made it; see session_open. */
INQ_MUST enum inq_status session_save(struct session *s, const char *path, struct inq_err *err);

/* Where the index of its dump goes: beside it, else in the cache folder.  To be freed. */
char *session_index_path(const struct session *s);

#endif
