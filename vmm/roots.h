/* Page-table roots of a vCPU, put together from its other notes.  No KVM call. */
#ifndef VMM_ROOTS_H
#define VMM_ROOTS_H

#include "vmm/state.h"

/*
 * What s says, and for a vCPU in SMM what its save area in m says.  False: its control registers
 * are unknown, and so is everything here.
 */
bool vmm_roots_of(const struct vmm_state *s, const struct vmm_memory *m,
		  struct inq_snap_roots *ret);

/* The note: present, or failed like the control registers. */
void vmm_roots_add_note(const struct vmm_state *s, const struct vmm_memory *m, unsigned vcpu,
			struct snap_notes *n);

#endif
