/* QEMU's own words for the state of a CPU, to KVM's structures. */
#ifndef MACHINE_QEMU_STATE_H
#define MACHINE_QEMU_STATE_H

#include <inquest/dump.h>

enum {
	MACHINE_QEMU_MSRS = 128,
	MACHINE_QEMU_NESTED = 128 + 2 * 4096,
	MACHINE_QEMU_KINDS = 8, /* of notes that can be made */
};

/*
 * Structures of KVM, as byte arrays, that a stream of QEMU's tells all of; blob[] leads to them.  A
 * structure of which it lacks a field is not made: that is unknown as a whole.
 */
struct machine_qemu_state {
	struct inq_blob blob[MACHINE_QEMU_KINDS];
	unsigned nr;
	uint8_t regs[144], sregs2[320], debugregs[128], events[64], mp_state[4], lapic[1024];
	uint8_t msrs[MACHINE_QEMU_MSRS * 16];
	uint8_t nested[MACHINE_QEMU_NESTED];
};

/*
 * From INQ_BLOB_NAMED of a CPU, and that of the VM, which may be NULL: its clock says how far the
 * APIC's timer is.  The blobs point into *ret, which must stay where it is.
 */
void machine_qemu_state(const struct inq_blob *cpu, const struct inq_blob *vm,
			struct machine_qemu_state *ret);

/* One of its MSRs.  Returns 1 and sets *ret, else 0. */
int machine_qemu_msr(const struct machine_qemu_state *s, uint32_t index, uint64_t *ret);

#endif
