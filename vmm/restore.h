/* A VM made from a snapshot, whose vCPUs stand where they stood. */
#ifndef VMM_RESTORE_H
#define VMM_RESTORE_H

#include "vmm/load.h"
#include "vmm/vm.h"

/*
 * Build it; nothing runs yet.  INQ_EUNSUPPORTED names what the snapshot needs and this KVM lacks,
 * or what the snapshot does not hold; force goes on without that where anything can go on.
 */
INQ_MUST enum inq_status vmm_restore(const struct vmm_load *l, bool force, struct vmm_vm **ret,
				     struct inq_err *err);

/* What this KVM must have for that snapshot (restore_check.c). */
INQ_MUST enum inq_status vmm_restore_check(const struct vmm_load *l, const struct vmm_caps *caps,
					   int kvm, struct inq_err *err);

/* May a vCPU go on without that MSR?  A documented list (docs/snapshot-format.md, section 11). */
bool vmm_restore_derived(uint32_t msr);

#endif
