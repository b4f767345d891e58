/* The compressed dump of kdump, which makedumpfile writes and crash and libkdumpfile read.  No KVM.
 */
#ifndef VMM_KDUMP_H
#define VMM_KDUMP_H

#include "vmm/snapshot.h"

/* As vmm_snapshot_write(), for the formats VMM_FORMAT_KDUMP_*. */
INQ_MUST enum inq_status vmm_kdump_write(const struct vmm_snapshot *s, struct snap_out *o,
					 struct vmm_snapshot_done *ret, struct inq_err *err);

#endif
