/* How many struct pages a second, of a dump of Linux: in C, once through, flags looked at. */
#include <stdio.h>
#include <time.h>

#include "analyzers/collect/linux_page.h"
#include "machine/machine.h"

enum { ROUNDS = 10 };

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static size_t scan(const struct page_map *map, const struct page_shape *shape)
{
	struct page_filter f = page_all;
	struct page_scan *s = NULL;
	struct page_row row;
	size_t nr = 0;
	bool more = false;

	f.has = 1; /* locked */
	if (page_scan_open(map, shape, &f, NULL, NULL, &s, NULL))
		return 0;
	while (!page_scan_next(s, &row, &more, NULL) && more)
		nr++;
	page_scan_close(s);
	return nr;
}

int main(int argc, char **argv)
{
	struct inq_dump *dump = NULL;
	struct inq_machine *m = NULL;
	struct page_shape shape;
	struct page_map map = {0};
	struct inq_err err = {0};
	double best = 1e9;
	size_t nr = 0;

	if (argc != 2 || inq_dump_open(argv[1], &dump, &err) || machine_open(dump, &m, &err) ||
	    linux_page_shape(m, &shape, &err) || linux_page_map(m, &shape, &map, &err)) {
		fprintf(stderr, "usage: page_scan DUMP: %s\n", err.msg);
		return 1;
	}
	for (int i = 0; i < ROUNDS; i++) {
		double start = now();
		nr = scan(&map, &shape);
		double took = now() - start;
		best = took < best ? took : best;
	}
	double pages = (double)map.nr * (double)map.per_section;
	printf("%.0f struct pages, %zu locked, in %.2f ms: %.0f million a second\n", pages, nr,
	       best * 1e3, pages / best / 1e6);
	page_map_deinit(&map);
	machine_close(m);
	inq_dump_close(dump);
	return 0;
}
