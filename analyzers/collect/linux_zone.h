/* Which node and zone pages lie in, and which slab cache has them. */
#ifndef ANALYZERS_COLLECT_LINUX_ZONE_H
#define ANALYZERS_COLLECT_LINUX_ZONE_H

#include <inquest/types.h>

#include "analyzers/page_scan.h"
#include "analyzers/page_zones.h"

enum { LINUX_ZONES = 8, LINUX_ZONE_NAME = 16 };
struct linux_zones {
	struct page_layout layout;
	char name[LINUX_ZONES][LINUX_ZONE_NAME]; /* "DMA32"; "": unknown */
};
/* What cannot be told is left unknown. */
void linux_zones_find(const struct inq_machine *m, const struct page_shape *shape,
		      const struct page_map *map, struct linux_zones *ret);

/* Members of struct slab, which lies over the pages of one, and of the cache that it is of. */
struct linux_slab_shape {
	struct inq_field cache, name, object;
};
/* Errors: as inq_shape's. */
INQ_MUST enum inq_status linux_slab_shape(const struct inq_machine *m, struct linux_slab_shape *ret,
					  struct inq_err *err);
/* Address and name of the cache of the slab whose first struct page lies at head.  n: 1 at least.
 * Errors: as inq_read_field's. */
INQ_MUST enum inq_status linux_slab_cache(const struct inq_machine *m,
					  const struct linux_slab_shape *shape, uint64_t head,
					  uint64_t *ret_cache, char *name, size_t n,
					  struct inq_err *err);

#endif
