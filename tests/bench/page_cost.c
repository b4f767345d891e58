/*
 * What reading pages of a dump costs.  usage: page_cost FILE all|random THREADS FIRST-LAST...
 * FIRST-LAST: a range of physical memory that the file holds.  all: every page once, each thread
 * reads a part of its own; random: as many pages at random places.  Prints pages_per_s=N, and
 * pages_per_cpu_s=N: by the time that CPUs worked, which others on the machine disturb less.  All
 * of it is done twice, and the second time counts.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "page_cost.h"

enum { MAX_RANGES = 64, MAX_THREADS = 64 };

struct range {
	uint64_t first_page, nr; /* of those before it, of itself */
	uint64_t addr;
};

struct plan {
	struct range range[MAX_RANGES];
	int nr_ranges, nr_threads;
	uint64_t nr_pages;
	bool random;
};

struct worker {
	pthread_t thread;
	const struct plan *plan;
	void *reader;
	int nr;
	uint64_t bad, sum;
};

static uint64_t addr_of(const struct plan *p, uint64_t page)
{
	int i = p->nr_ranges - 1;

	while (i && p->range[i].first_page > page)
		i--;
	return p->range[i].addr + (page - p->range[i].first_page) * PAGE;
}

/* xorshift64 of G. Marsaglia, "Xorshift RNGs" (2003) */
static uint64_t next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	return *x ^= *x << 17;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	const struct plan *p = w->plan;
	uint64_t first = p->nr_pages * (uint64_t)w->nr / (uint64_t)p->nr_threads;
	uint64_t end = p->nr_pages * (uint64_t)(w->nr + 1) / (uint64_t)p->nr_threads;
	uint64_t seed = 88172645463325252u + (uint64_t)w->nr;
	uint8_t buf[PAGE];

	for (uint64_t n = first; n < end; n++) {
		uint64_t page = p->random ? next_random(&seed) % p->nr_pages : n;
		if (reader_page(w->reader, addr_of(p, page), buf))
			w->bad++;
		else
			w->sum += buf[n % PAGE]; /* so that nobody leaves the copy out */
	}
	return NULL;
}

static int parse(int argc, char **argv, struct plan *p)
{
	if (argc < 5 || argc - 4 > MAX_RANGES)
		return -1;
	p->random = !strcmp(argv[2], "random");
	p->nr_threads = atoi(argv[3]);
	for (int i = 4; i < argc; i++) {
		unsigned long long first, last;
		if (sscanf(argv[i], "%llx-%llx", &first, &last) != 2 || last < first)
			return -1;
		struct range *r = &p->range[p->nr_ranges++];
		*r = (struct range){
			.addr = first, .first_page = p->nr_pages, .nr = (last - first + 1) / PAGE};
		p->nr_pages += r->nr;
	}
	return p->nr_threads < 1 || p->nr_threads > MAX_THREADS || !p->nr_pages ? -1 : 0;
}

static double clock_s(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* All pages once.  How many of them could not be read; -1: no thread. */
static int64_t run(const struct plan *plan, struct worker *workers)
{
	int64_t bad = 0;

	for (int i = 0; i < plan->nr_threads; i++) {
		workers[i].bad = 0;
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			return -1;
	}
	for (int i = 0; i < plan->nr_threads; i++) {
		pthread_join(workers[i].thread, NULL);
		bad += (int64_t)workers[i].bad;
	}
	return bad;
}

static int open_readers(const char *path, const struct plan *plan, struct worker *workers)
{
	void *reader = reader_open(path);

	for (int i = 0; reader && i < plan->nr_threads; i++) {
		workers[i] = (struct worker){.plan = plan, .nr = i};
		workers[i].reader = i ? reader_clone(reader) : reader;
		if (!workers[i].reader)
			return -1;
	}
	return reader ? 0 : -1;
}

int main(int argc, char **argv)
{
	struct plan plan = {0};
	struct worker workers[MAX_THREADS] = {0};

	if (parse(argc, argv, &plan)) {
		fputs("usage: page_cost FILE all|random THREADS FIRST-LAST...\n", stderr);
		return 2;
	}
	if (open_readers(argv[1], &plan, workers) || run(&plan, workers) < 0)
		return 1;
	double wall = clock_s(CLOCK_MONOTONIC), cpu = clock_s(CLOCK_PROCESS_CPUTIME_ID);
	int64_t bad = run(&plan, workers);
	wall = clock_s(CLOCK_MONOTONIC) - wall;
	cpu = clock_s(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	printf("pages_per_s=%.0f\npages_per_cpu_s=%.0f\n", (double)plan.nr_pages / wall,
	       (double)plan.nr_pages / cpu);
	if (bad)
		fprintf(stderr, "%s: %lld of %llu pages cannot be read\n", argv[1], (long long)bad,
			(unsigned long long)plan.nr_pages);
	return bad ? 1 : 0;
}
