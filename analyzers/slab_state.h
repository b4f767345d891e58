/* Whether an object of a slab is free: Linux' SLUB, by its lists of free objects. */
#ifndef ANALYZERS_SLAB_STATE_H
#define ANALYZERS_SLAB_STATE_H

#include <inquest/types.h>

enum slab_verdict { SLAB_UNKNOWN, SLAB_FREE, SLAB_IN_USE };
enum { SLAB_WHY = 96 };

/* One slab, as the kernel describes it; addresses are the kernel's. */
struct slab_lists {
	uint64_t first; /* of its memory */
	uint64_t size;  /* bytes from one object to the next */
	uint64_t pad;   /* from there to the object itself: a red zone; else 0 */
	uint64_t link;  /* from the object to the pointer to the next free one */
	uint64_t objects, inuse;
	uint64_t random; /* meaningless unless hardened */
	bool hardened;   /* pointers to free objects are stored disguised */
	uint64_t freelist;
};

/* For reading words; all or nothing. */
typedef bool slab_read_fn(void *ctx, uint64_t addr, uint64_t *ret);

/* An object is free when its bit is set. */
struct slab_free {
	uint8_t bit[1 << 12]; /* objects is a field of 15 bits */
	uint64_t nr;
};

/*
 * Follow one list from its first object and mark what it passes.  False: it leads out of the slab,
 * comes back to an object that is marked, or cannot be read; why says so, SLAB_WHY bytes.
 */
bool slab_list_mark(const struct slab_lists *l, uint64_t first, slab_read_fn *read, void *ctx,
		    struct slab_free *to, char *why);

/*
 * The object that addr lies in.  slab: its struct slab, or page; cache: its kmem_cache; first: of
 * its memory.  why says which list has it, or why nothing can be said; "" in use.
 */
enum slab_verdict slab_state_of(const struct inq_machine *m, uint64_t slab, uint64_t cache,
				uint64_t first, uint64_t addr, char why[SLAB_WHY]);

#endif
