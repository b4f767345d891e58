/*
 * Builds LKCD files for tests, from public descriptions: shares no code with the loader.
 * Page PFN is filled with the byte PFN + 1.  Test code: a broken rule aborts.
 */
#ifndef TESTS_LOADER_FOREIGN_FILE_H
#define TESTS_LOADER_FOREIGN_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FOREIGN_PAGE = 4096 };

struct foreign_file {
	uint8_t *p; /* free() it */
	size_t n, pages_at;
};

/* LKCD version 9 of one CPU: these page frames, as they are or packed with zlib; of this
   machine (uname -m). */
struct foreign_file lkcd_build(const uint64_t *pfn, size_t nr, bool packed, const char *machine);

#endif
