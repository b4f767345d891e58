/* `--watch`: who wrote to a guest-physical range last. */
#ifndef VMM_WRITES_H
#define VMM_WRITES_H

#include "snap/notes.h"
#include "vmm/vm.h"
#include "vmm/watchpoint.h"

enum { VMM_NR_WRITES = 256 };

struct vmm_writes;

/*
 * Make the pages of these ranges read-only in both address spaces of m, before the VM has its
 * slots; none is fine.  INQ_EUSAGE: no memory there; INQ_EUNSUPPORTED: this KVM has no read-only
 * slots.
 */
INQ_MUST enum inq_status vmm_writes_create(struct vmm_writes **ret, int kvm, struct vmm_memory *m,
					   const struct vmm_ranges *ranges, struct inq_err *err);
void vmm_writes_destroy(struct vmm_writes *w); /* NULL is fine */

/*
 * v left KVM_RUN for MMIO: a write to a watched page is recorded, if it is in a range, and done.
 * False: it was something else.
 */
bool vmm_writes_take(struct vmm_writes *w, struct vmm_vcpu *v);

/* v left KVM_RUN for a debug exception: a hit of v->vm->points is recorded. */
void vmm_writes_hit(struct vmm_writes *w, struct vmm_vcpu *v);

/* The VM stopped. */
void vmm_writes_add_note(const struct vmm_writes *w, struct snap_notes *n);

#endif
