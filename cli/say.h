/* Everything that goes to standard error: one line each, `inquest: FILE: place: reason`. */
#ifndef CLI_SAY_H
#define CLI_SAY_H

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include <inquest/err.h>

/* A text of somebody else's, a file's name: no byte of it reaches a terminal as a command. */
void cli_put_safe(FILE *out, const char *text);

/* Print the failure with a hint what to do (may be NULL), and yield the exit code. */
int cli_fail(const char *file, const struct inq_err *err, const char *hint);
/* The same for a wrong command line; fmt says what is wrong, hint is a command to try. */
int cli_fail_usage(const char *hint, const char *fmt, ...) INQ_PRINTF(2, 3);
/* Something worth knowing that stops nothing. */
void cli_note(const char *file, const char *fmt, ...) INQ_PRINTF(2, 3);

/* A line on a terminal that says what takes long, once something has; rewritten and wiped. */
struct cli_progress {
	struct timespec start;
	bool on, shown;
};
void cli_progress_start(struct cli_progress *p);
void cli_progress_show(struct cli_progress *p, const char *what);
void cli_progress_wipe(struct cli_progress *p);

/* Ctrl-C, SIGTERM and SIGHUP: from here on they ask to stop; a second one ends at once. */
void cli_catch_interrupt(void);
bool cli_interrupted(void);
/* Was it Ctrl-C?  Then it is forgotten: at a prompt it ends the question, not the program. */
bool cli_forget_interrupt(void);
/* End as one who was killed by that signal.  Returns only if that is not to be. */
void cli_die_of_interrupt(void);

/* Write out what standard output holds; yields code, or CLI_FAILED when it cannot be written. */
int cli_flush(int code);

/* May standard output have colour?  A terminal, and NO_COLOR is not set. */
bool cli_colour(void);

#endif
