/* Memory that is written while the guest still runs, so that its pause is short. */
#ifndef VMM_LIVE_H
#define VMM_LIVE_H

#include "vmm/pages.h"
#include "vmm/vm.h"
#include "vmm/vmcoreinfo.h"

struct vmm_live {
	struct vmm_vm *vm;
	struct vmm_pages pages;
	uint8_t *dirty;             /* pages that have to be written once more; heap */
	struct vmm_vmcoreinfo info; /* settled in the pause */
	bool logging;
};

/*
 * Write all memory to an open output, and again what the guest changes meanwhile, until little is
 * left.  INQ_EUNSUPPORTED when this KVM does not log writes.
 */
INQ_MUST enum inq_status vmm_live_start(struct vmm_live **ret, struct vmm_vm *vm,
					struct snap_out *o, struct inq_err *err);

/* All vCPUs are parked: .dirty is now all that is left to write. */
INQ_MUST enum inq_status vmm_live_stopped(struct vmm_live *l, struct inq_err *err);

/* The guest may run on.  NULL is fine. */
void vmm_live_destroy(struct vmm_live *l);

#endif
