/* The sandbox of a command that opens a file: entered before any byte of it is looked at. */
#ifndef CLI_FENCE_H
#define CLI_FENCE_H

struct session_plan;

/* Says what is in force when the plan is verbose.  Entered twice, the second adds to the first. */
void fence_enter(const struct session_plan *plan);

#endif
