/* The same work on all cores that this process may use. */
#ifndef BASE_CORES_H
#define BASE_CORES_H

#include <stddef.h>

/* Called side by side, and last on the calling thread; shares out the work itself. */
typedef void *cores_fn(void *ctx);

/* How many threads are worth starting. */
size_t cores_count(void);
/*
 * Run fn(ctx) on as many threads as there are cores, most at the most, the caller's included, until
 * all have returned.  Where no thread can be had, the caller's does all.
 */
void cores_run(size_t most, cores_fn *fn, void *ctx);

#endif
