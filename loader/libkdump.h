/* What the loader and its child ask each other about a dump that libkdumpfile opened. */
#ifndef LOADER_LIBKDUMP_H
#define LOADER_LIBKDUMP_H

#include "base/child.h"

enum {
	LIBKDUMP_PAGE = 4096,
	LIBKDUMP_BATCH = 64, /* pages of one answer */
	LIBKDUMP_RUNS = 4096,
};

/* The first argument of a call. */
enum libkdump_call {
	LIBKDUMP_INFO, /* answer: struct libkdump_info */
	LIBKDUMP_RUN, /* arg 1: a pfn; answer: up to LIBKDUMP_RUNS runs from there on, none: the end
		       */
	LIBKDUMP_PAGES, /* arg 1: a pfn, 2: how many; answer: a status each (u8), then the pages */
};

struct libkdump_info {
	uint64_t max_pfn; /* of the last page, plus one */
	uint64_t page_bytes;
	char format[16], arch[16]; /* arch "": the dump does not tell */
};

struct libkdump_run {
	uint64_t first, end; /* pfn; exclusive */
	uint64_t excluded;   /* 1: memory, but left out of the file */
};

enum { LIBKDUMP_ROOM = LIBKDUMP_BATCH * (1 + LIBKDUMP_PAGE) };
_Static_assert(LIBKDUMP_RUNS * sizeof(struct libkdump_run) <= LIBKDUMP_ROOM, "runs have room");

/* In the child: see struct child_job.  A page's status is of enum inq_status. */
enum inq_status libkdump_open(const struct child_job *job, void **ret_state, struct inq_err *err);
enum inq_status libkdump_serve(void *state, const struct child_call *call, uint8_t *buf,
			       size_t room, size_t *ret_n, struct inq_err *err);

#endif
