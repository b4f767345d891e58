/* Registers from VMware's named values.  For machine.c only. */
#ifndef MACHINE_VMWARE_H
#define MACHINE_VMWARE_H

#include <inquest/dump.h>
#include <inquest/regs.h>

/* Sets what an INQ_BLOB_VMWARE tells; NULL tells nothing.  The rest of rs stays as it is. */
void machine_vmware_regs(const struct inq_blob *b, struct inq_regset *rs);

#endif
