/*
 * Builds kdump-compressed files for tests, from the format's description and with the libraries'
 * compressors; shares no code with the loader.  Test code: a broken rule aborts.
 */
#ifndef TESTS_LOADER_KDUMP_FILE_H
#define TESTS_LOADER_KDUMP_FILE_H

#include <stddef.h>
#include <stdint.h>

enum { KDUMP_PAGE = 4096 };

enum kdump_how {
	KDUMP_EXCLUDED, /* exists, was not dumped */
	KDUMP_PLAIN,
	KDUMP_ZLIB,
	KDUMP_LZO,
	KDUMP_SNAPPY,
	KDUMP_ZSTD,
	KDUMP_SAME,   /* shares the data of the first page of this kind; its fill counts */
	KDUMP_BROKEN, /* says zlib, and is none */
	KDUMP_HUGE,   /* of an absurd size */
	KDUMP_TWO,    /* two compressors at once */
};

/* Each page is filled with a text that begins with its fill and its frame number. */
struct kdump_page {
	uint64_t pfn; /* ascending */
	enum kdump_how how;
	uint8_t fill;
};

struct kdump_spec {
	const struct kdump_page *pages;
	size_t nr;
	uint32_t version; /* 0: 6 */
	uint32_t status;
	uint64_t split_first, split_last; /* both 0: not split */
	const char *machine;              /* NULL: x86_64 */
	const char *vmcoreinfo;           /* NULL: none */
	const void *notes;
	size_t notes_n;
};

struct kdump_file {
	uint8_t *p; /* free() it */
	size_t n, bitmap_at, desc_at, desc_n;
};

void kdump_content(const struct kdump_page *page, uint8_t ret[KDUMP_PAGE]);
struct kdump_file kdump_build(const struct kdump_spec *spec);

/*
 * The same as a flattened stream in records of `record` bytes, in an order drawn from seed; its
 * first record is a wrong header that a later one corrects.  Without the end mark when !ends.
 */
struct kdump_file kdump_flatten(const struct kdump_file *f, size_t record, unsigned int seed,
				int ends);

#endif
