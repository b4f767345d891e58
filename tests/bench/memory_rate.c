/*
 * How fast all cores together read memory.  usage: memory_rate.  Prints bytes_per_s=N: the best of
 * a few rounds over 1 GiB that is written before, in huge pages where there are any.
 */
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { ROUNDS = 5, MAX_THREADS = 64 };
#define BYTES ((size_t)1 << 30)

struct part {
	pthread_t thread;
	const uint64_t *p;
	size_t nr;
	uint64_t any;
};

static void *look(void *arg)
{
	struct part *t = arg;
	uint64_t any[8] = {0};

	for (size_t i = 0; i + 8 <= t->nr; i += 8)
		for (size_t k = 0; k < 8; k++) /* side by side: the compiler makes it wide */
			any[k] |= t->p[i + k];
	for (size_t k = 0; k < 8; k++)
		t->any |= any[k];
	return NULL;
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Seconds; negative: no thread, or memory that is not what was written. */
static double run(const uint64_t *p, int nr)
{
	struct part part[MAX_THREADS] = {0};
	size_t each = BYTES / sizeof(*p) / (size_t)nr;
	double began = now_s();
	uint64_t any = 0;

	for (int i = 0; i < nr; i++) {
		part[i] = (struct part){.p = p + each * (size_t)i, .nr = each};
		if (pthread_create(&part[i].thread, NULL, look, &part[i]))
			return -1;
	}
	for (int i = 0; i < nr; i++) {
		pthread_join(part[i].thread, NULL);
		any |= part[i].any;
	}
	return any == 0x0101010101010101 ? now_s() - began : -1;
}

int main(void)
{
	cpu_set_t cores;
	int nr = sched_getaffinity(0, sizeof(cores), &cores) ? 1 : CPU_COUNT(&cores);
	void *p = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	double best = 0;

	if (p == MAP_FAILED)
		return 1;
	(void)madvise(p, BYTES, MADV_HUGEPAGE); /* or the page walks would count, too */
	memset(p, 1, BYTES);
	for (int i = 0; i < ROUNDS; i++) {
		double s = run(p, nr < MAX_THREADS ? nr : MAX_THREADS);
		if (s <= 0)
			return 1;
		if (best < (double)BYTES / s)
			best = (double)BYTES / s;
	}
	printf("bytes_per_s=%.0f\n", best);
	return 0;
}
