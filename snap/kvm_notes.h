/* Notes for debuggers, of the registers that KVM gave or that were put into its structures. */
#ifndef SNAP_KVM_NOTES_H
#define SNAP_KVM_NOTES_H

#include "snap/notes.h"

struct kvm_regs;
struct kvm_sregs;

/* NT_PRSTATUS of one vCPU. */
void snap_kvm_prstatus(struct snap_notes *n, unsigned index, const struct kvm_regs *r,
		       const struct kvm_sregs *q);
/* QEMU's note; kernel_gs_base NULL: unknown. */
void snap_kvm_qemu(struct snap_notes *n, const struct kvm_regs *r, const struct kvm_sregs *q,
		   const uint64_t *kernel_gs_base);

#endif
