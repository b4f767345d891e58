/* The notes of a snapshot as bytes: CORE notes for gdb and its like, ours behind them.  No KVM. */
#ifndef VMM_NOTES_H
#define VMM_NOTES_H

#include <stddef.h>
#include <stdint.h>

#include <inquest/err.h>
#include <inquest/snapshot.h>

/* Bytes that grow.  Zeroed is empty; .failed sticks when memory ran out. */
struct vmm_notes {
	uint8_t *bytes;
	size_t len, room;
	int failed;
};

void vmm_notes_deinit(struct vmm_notes *n);

/* user_regs_struct of x86-64 (sys/user.h), by position. */
enum vmm_user_reg {
	VMM_R15,
	VMM_R14,
	VMM_R13,
	VMM_R12,
	VMM_RBP,
	VMM_RBX,
	VMM_R11,
	VMM_R10,
	VMM_R9,
	VMM_R8,
	VMM_RAX,
	VMM_RCX,
	VMM_RDX,
	VMM_RSI,
	VMM_RDI,
	VMM_ORIG_RAX,
	VMM_RIP,
	VMM_CS,
	VMM_RFLAGS,
	VMM_RSP,
	VMM_SS,
	VMM_FS_BASE,
	VMM_GS_BASE,
	VMM_DS,
	VMM_ES,
	VMM_FS,
	VMM_GS,
	VMM_NR_USER_REGS,
};

/* NT_PRSTATUS, name CORE, 336 bytes, pr_pid = index + 1. */
void vmm_notes_prstatus(struct vmm_notes *n, unsigned index, const uint64_t reg[VMM_NR_USER_REGS]);

/* Of QEMU's note: a segment register, its attributes as in a descriptor's upper half. */
struct vmm_qemu_segment {
	uint32_t selector, limit, flags, pad;
	uint64_t base;
};

/* QEMU's note (its target/i386/arch_dump.c, QEMUCPUState), which crash finds a kernel with. */
struct vmm_qemu_cpu {
	uint32_t version, size;
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp, r[8], rip, rflags;
	struct vmm_qemu_segment cs, ds, es, fs, gs, ss, ldt, tr, gdt, idt;
	uint64_t cr[5], kernel_gs_base;
};

/* A note of another's, behind what is there. */
void vmm_notes_foreign(struct vmm_notes *n, const char *name, uint32_t type, const void *data,
		       size_t size);

/*
 * One of ours, present.  Returns the payload's offset in n->bytes, for what is only known later;
 * 0 after a failure.
 */
size_t vmm_notes_add(struct vmm_notes *n, uint32_t vcpu, enum inq_snap_kind kind, const void *data,
		     size_t size);

/* The same in another sample than 0. */
size_t vmm_notes_add_in(struct vmm_notes *n, enum inq_snap_sample sample, uint32_t vcpu,
			enum inq_snap_kind kind, const void *data, size_t size);

/* Bytes behind what is there, padded to 4. */
void vmm_notes_raw(struct vmm_notes *n, const void *data, size_t size);

/* One that says that the thing is absent, or could not be had: error is for INQ_SNAP_FAILED. */
void vmm_notes_missing(struct vmm_notes *n, uint32_t vcpu, enum inq_snap_kind kind,
		       enum inq_snap_state state, int error);

#endif
