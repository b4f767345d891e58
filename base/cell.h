/* What a child that parses foreign bytes is left with. */
#ifndef BASE_CELL_H
#define BASE_CELL_H

#include <stddef.h>

enum { CELL_FDS = 3 };

struct cell {
	int fd[CELL_FDS]; /* all that stays open, in any order */
	int tell_fd;      /* the one of them that can be written to */
	size_t memory;    /* bytes that may be allocated beyond what is now */
};

/*
 * In the child, before anything foreign is looked at: only these files, so much memory, no core
 * file, no signal from the terminal, and of the system only what reading, allocating and ending
 * need.  All else fails with EPERM.  Yields 0, or -1: then end.  A kernel without seccomp leaves
 * the rest.
 */
int cell_enter(const struct cell *cell);

#endif
