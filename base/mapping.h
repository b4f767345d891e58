/* A file, mapped read-only.  A byte that the file loses meanwhile is a failing look, not a death.
 */
#ifndef BASE_MAPPING_H
#define BASE_MAPPING_H

#include <inquest/err.h>

#include "base/scope.h"

struct mapping {
	const uint8_t *p; /* NULL for an empty file; else n bytes, always safe to read */
	size_t n;         /* bytes, as long as the file was when opened */
	void *start;      /* the same, for munmap */
	int fd;
	size_t slot;         /* its place in the registry of the SIGBUS handler */
	unsigned char *lost; /* one bit per page that was gone when touched */
	size_t lost_n;       /* bytes of that bitmap */
};

/*
 * Map a regular file.  Never hangs on a fifo.  Sees to it that SIGBUS has our handler, which
 * passes on what is not about a mapping.  Errors: INQ_EIO (open or map refused, with the reason),
 * INQ_EUNSUPPORTED (a directory, a device ...: says which), INQ_ENOMEM, INQ_ELIMIT (64 mappings).
 */
INQ_MUST enum inq_status mapping_open(const char *path, struct mapping **ret_map,
				      struct inq_err *err);
void mapping_close(struct mapping *map); /* accepts NULL */
INQ_DEFINE_SCOPE(struct mapping, mapping_close)

/*
 * How many of the n bytes at off the file still holds: n, or less when it shrank or a page could
 * not be read.  Ask after copying: what was lost before the copy was read as zero.
 */
size_t mapping_good(const struct mapping *map, size_t off, size_t n);

/*
 * Copy n bytes at off to buf.  Returns how many of them the file still holds, as mapping_good.
 * Many bytes are read(2) from the file: that asks a disk for large blocks, and touching the mapping
 * costs a fault for every few pages.
 */
size_t mapping_copy(const struct mapping *map, size_t off, uint8_t *buf, size_t n);

/* Did the file lose anything since it was opened, as far as anybody looked? */
int mapping_lost(const struct mapping *map);

#endif
