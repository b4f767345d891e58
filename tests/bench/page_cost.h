/* A library that reads pages of physical memory from a dump, for page_cost.c to time. */
#ifndef TESTS_BENCH_PAGE_COST_H
#define TESTS_BENCH_PAGE_COST_H

#include <stdint.h>

enum { PAGE = 4096 };

/* NULL when it cannot be opened; says why on standard error. */
void *reader_open(const char *path);
/* What another thread reads with; may be the same.  NULL: out of memory. */
void *reader_clone(void *reader);
/* One whole page at a multiple of PAGE.  0, or -1: the file does not hold it. */
int reader_page(void *reader, uint64_t addr, uint8_t *buf);

#endif
