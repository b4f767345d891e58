/* What must hold for whatever the loader was given: shared by the sweeps and the fuzz target. */
#ifndef TESTS_LOADER_TOUCH_H
#define TESTS_LOADER_TOUCH_H

#include <inquest/dump.h>

/*
 * Open path; when it opens, look at everything in it.  Aborts, with a line on stderr, when a
 * promise of inquest/dump.h or inquest/space.h does not hold.  Returns what inq_dump_open returned.
 */
enum inq_status touch_path(const char *path, struct inq_err *ret_err);

/* The same for an open dump. */
void touch_dump(const struct inq_dump *d);

#endif
