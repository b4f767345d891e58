/* Bytes on their way to a reader who may be slow: whoever sends them never waits. */
#ifndef VMM_OUTLET_H
#define VMM_OUTLET_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <inquest/err.h>

/* So many bytes waiting are many; and so many are all that is kept. */
enum { VMM_OUTLET_FULL = 64 << 10, VMM_OUTLET_BYTES = 1 << 20 };

struct vmm_outlet;

/* fd: borrowed, and its flags stay as they are.  A thread of its own writes to it. */
INQ_MUST enum inq_status vmm_outlet_create(struct vmm_outlet **ret, int fd, struct inq_err *err);

/* Where to print what is to go out; not buffered, from any thread.  Owned by the outlet. */
FILE *vmm_outlet_file(struct vmm_outlet *o);

/*
 * Do VMM_OUTLET_FULL bytes or more wait?  Then .on_room is called once no more than half of that
 * do, again and again until it returns true.
 */
bool vmm_outlet_full(struct vmm_outlet *o);

/* From the outlet's thread, under no lock of its own that put or full take.  After a call with NULL
 * it is not called any more. */
void vmm_outlet_on_room(struct vmm_outlet *o, bool (*on_room)(void *arg), void *arg);

/*
 * Wait until all is written, but no longer than patience_ms for any one byte to go.  0, or the
 * errno that ended writing.  *ret_lost: how many bytes nobody took.  NULL is fine.
 */
int vmm_outlet_close(struct vmm_outlet *o, unsigned patience_ms, uint64_t *ret_lost);

#endif
