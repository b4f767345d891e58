/* Knows how many cores there are, and that threads may be refused. */
#include "base/cores.h"

#include <pthread.h>
#include <sched.h>

enum { THREADS_MAX = 64 };

size_t cores_count(void)
{
	cpu_set_t cores;
	int nr = sched_getaffinity(0, sizeof(cores), &cores) ? 1 : CPU_COUNT(&cores);

	return nr > THREADS_MAX ? THREADS_MAX : nr < 1 ? 1 : (size_t)nr;
}

void cores_run(size_t most, cores_fn *fn, void *ctx)
{
	pthread_t thread[THREADS_MAX];
	size_t nr = 0, all = cores_count();

	while (nr + 1 < all && nr + 1 < most && !pthread_create(&thread[nr], NULL, fn, ctx))
		nr++;
	(void)fn(ctx);
	while (nr)
		pthread_join(thread[--nr], NULL);
}
