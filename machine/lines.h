/* The debug files of a machine's kernel and its modules.  For machine.c, and for who opens
 * machines. */
#ifndef MACHINE_LINES_H
#define MACHINE_LINES_H

#include <inquest/lines.h>

struct machine_lines;

/* Where to look besides the system's own places; NULL: nowhere. */
struct machine_debug {
	const char *given; /* a file that somebody named: believed when the dump has no build id */
	const char *by_given; /* that file's folder */
	const char *beside;   /* the dump's folder */
	const char *fetched;  /* the folder of debuginfod's client */
	const char *cache;    /* a folder for what was found out of debug files */
};

void machine_lines_destroy(struct machine_lines *l); /* accepts NULL */

/*
 * To be said before anybody asks, or there are no lines; what it points to must outlive the
 * machine.
 */
void machine_debug_where(const struct inq_machine *m, const struct machine_debug *where);

/*
 * For people: which files are used, or why none; a line each.  NULL behind the last; there is none
 * before somebody has asked.
 */
const char *machine_debug_note(const struct inq_machine *m, size_t i);

#endif
