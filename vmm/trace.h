/* Ring 2 of the flight record: what KVM's own tracepoints say of our vCPUs, where tracefs allows.
 */
#ifndef VMM_TRACE_H
#define VMM_TRACE_H

#include "vmm/notes.h"
#include "vmm/vm.h"

struct vmm_trace;

/*
 * A tracing instance of our own, which hears this thread and all that it will start.  Where there
 * is none to be had, that is what the note says.  Before vmm_vm_start.
 */
INQ_MUST enum inq_status vmm_trace_create(struct vmm_trace **ret, struct inq_err *err);
/* Removes the instance.  NULL is fine. */
void vmm_trace_destroy(struct vmm_trace *t);

/* The newest lines of each vCPU; or why there are none.  The VM stopped. */
void vmm_trace_add_notes(const struct vmm_trace *t, const struct vmm_vm *vm, struct vmm_notes *n);

/*
 * The thread of a line as tracefs prints it ("comm-TID [CPU] flags time: event: ..."), and where
 * its "[CPU]" begins; -1: no such line.  n: without the newline.
 */
long vmm_trace_thread(const char *line, size_t n, size_t *ret_rest);

#endif
