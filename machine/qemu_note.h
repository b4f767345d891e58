/* QEMU's CPU-state note to registers.  For kvm.c and machine.c only. */
#ifndef MACHINE_QEMU_NOTE_H
#define MACHINE_QEMU_NOTE_H

#include "machine/kvm.h"

/*
 * Sets what the note tells and rs does not know yet.  EFER is not in it: see x86_64_long_mode.
 * A note of another version says nothing.
 */
void machine_qemu_regs(const struct machine_blobs *b, struct inq_regset *rs);

/* KERNEL_GS_BASE, the one MSR that it holds, as machine_kvm_msrs.  Errors: INQ_ENOMEM. */
INQ_MUST enum inq_status machine_qemu_msrs(const struct machine_blobs *b, struct inq_msr **ret_msrs,
					   size_t *ret_nr, struct inq_err *err);

#endif
