/*
 * What was found out about a debug file, kept on disk for the next time: which unit has which
 * addresses, where which variable is.  A file each to a build id, in a folder of its own that may
 * be deleted at any time.
 */
#ifndef SYMBOLS_DEBUG_CACHE_H
#define SYMBOLS_DEBUG_CACHE_H

#include <inquest/err.h>
#include <stdbool.h>
#include <stddef.h>

#include "symbols/debug_job.h"

/* Which debug file it is of.  Two of one build id may differ: one of them may be stripped. */
struct debug_cache_key {
	const char *folder;   /* NULL: there is no cache */
	const char *suffix;   /* which list: "ranges", "vars" */
	const char *build_id; /* hexadecimal digits; "": there is no cache either */
	uint64_t info_bytes, line_bytes;
};

/* Files of the folder at most, and bytes of each. */
enum { DEBUG_CACHE_FILES = 64, DEBUG_CACHE_BYTES = 4 << 20 };

/*
 * Ascending, none overlapping; to be freed.  Whoever wrote the file, it is believed only when it is
 * whole and of that key.  Errors: INQ_ENOTFOUND (there is none), INQ_ECORRUPT (it is left alone),
 * INQ_EIO, INQ_ENOMEM.
 */
INQ_MUST enum inq_status debug_cache_load(const struct debug_cache_key *key,
					  struct job_range **ret_ranges, size_t *ret_nr,
					  struct inq_err *err);
/* The same out of n bytes, for its fuzzer. */
INQ_MUST enum inq_status debug_cache_take(const struct debug_cache_key *key, const void *p,
					  size_t n, struct job_range **ret_ranges, size_t *ret_nr,
					  struct inq_err *err);

/*
 * Written to another name and renamed: never half a file.  The oldest of too many are removed.
 * Not being able to is no failure: then the next time takes as long as this one.
 */
void debug_cache_save(const struct debug_cache_key *key, const struct job_range *ranges, size_t nr);

/* Are they ascending, and none overlapping? */
bool debug_ranges_sorted(const struct job_range *r, size_t nr);

#endif
