/* Ring 2 of the flight record: what KVM's own tracepoints say of our vCPUs, where tracefs allows.
 */
#ifndef VMM_TRACE_H
#define VMM_TRACE_H

#include "snap/notes.h"
#include "vmm/vm.h"

struct vmm_trace;

/*
 * A tracing instance of our own, which hears this thread and all that it will start.  Where there
 * is none to be had, that is what the note says.  Before vmm_vm_start.
 */
INQ_MUST enum inq_status vmm_trace_create(struct vmm_trace **ret, struct inq_err *err);
/* Removes the instance.  NULL is fine. */
void vmm_trace_destroy(struct vmm_trace *t);

/* Events are recorded: there is a tracefs, and it lets us. */
bool vmm_trace_is_on(const struct vmm_trace *t);

/* The newest lines of each vCPU; or why there are none.  The VM stopped. */
void vmm_trace_add_notes(const struct vmm_trace *t, const struct vmm_vm *vm, struct snap_notes *n);

enum { VMM_TRACE_MAX_TEXT = 64 << 20 };

/* .n bytes of .room. */
struct vmm_trace_text {
	char *text; /* heap */
	size_t n, room;
};

/*
 * All that fd gives until its end, or the newest of it when that is more than VMM_TRACE_MAX_TEXT or
 * than memory has: half of that at least.  0, or errno and no text.
 */
int vmm_trace_read(int fd, struct vmm_trace_text *t);

/*
 * The thread of a line as tracefs prints it ("comm-TID [CPU] flags time: event: ..."), and where
 * its "[CPU]" begins; -1: no such line.  n: without the newline.
 */
long vmm_trace_thread(const char *line, size_t n, size_t *ret_rest);

#endif
