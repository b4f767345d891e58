/* What the commands over one place of memory share: they open the dump, and print a query. */
#ifndef CLI_MEMORY_H
#define CLI_MEMORY_H

#include "cli/commands.h"
#include "cli/session.h"
#include "machine/place.h"

/* A dump and a place in it.  Not to be moved. */
struct cli_place {
	struct session *s;
	const struct inq_machine *m;
	struct machine_where where;
	uint64_t addr;
};

/*
 * Open a->arg[0], which must be a dump: its machine, NULL: what is wrong has been said.  The
 * session is the caller's either way.
 */
const struct inq_machine *cli_machine_open(const struct cli_args *a, struct session **ret_session);

/* Open a->arg[0] and find SPACE:ADDRESS in it.  False: what is wrong has been said. */
bool cli_place_open(const struct cli_args *a, const char *place, struct cli_place *ret);
void cli_place_close(struct cli_place *p);

/* As a text of SQL; to be freed.  NULL: no memory. */
char *cli_quote(const char *text);

/* A number behind the place, 1 to most; not given: fallback.  False: it has been said. */
bool cli_count(const struct cli_args *a, int at, const char *what, uint64_t most, uint64_t fallback,
	       uint64_t *ret);

/* Print the view, or with --sql its query; yields the exit code. */
int cli_place_print(const struct cli_place *p, const struct cli_args *a, const struct view *v);

#endif
