/* Devices of our own making in a snapshot: the note DEVICES, a list of records. */
#ifndef VMM_DEVNOTE_H
#define VMM_DEVNOTE_H

#include "snap/notes.h"
#include "vmm/load.h"
#include "vmm/vm.h"

/* All vCPUs are parked. */
void vmm_devnote_add(const struct vmm_vm *vm, struct snap_notes *n);

/*
 * Into a VM that does not run yet; a snapshot without that note leaves the devices as they are
 * after a reset.  A record of an unknown device or of a newer version is INQ_EUNSUPPORTED, or, with
 * force, left out; INQ_ECORRUPT: records that do not fit their note.
 */
INQ_MUST enum inq_status vmm_devnote_restore(const struct vmm_load *l, bool force,
					     struct vmm_vm *vm, struct inq_err *err);

#endif
