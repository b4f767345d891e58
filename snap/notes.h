/* The notes of a snapshot as bytes: CORE notes for gdb and its like, ours behind them.  No KVM. */
#ifndef SNAP_NOTES_H
#define SNAP_NOTES_H

#include <elf.h>
#include <stddef.h>
#include <stdint.h>

#include <inquest/err.h>
#include <inquest/snapshot.h>

/* Bytes that grow.  Zeroed is empty; .failed sticks when memory ran out. */
struct snap_notes {
	uint8_t *bytes;
	size_t len, room;
	int failed;
};

void snap_notes_deinit(struct snap_notes *n);

/* user_regs_struct of x86-64 (sys/user.h), by position. */
enum snap_user_reg {
	SNAP_R15,
	SNAP_R14,
	SNAP_R13,
	SNAP_R12,
	SNAP_RBP,
	SNAP_RBX,
	SNAP_R11,
	SNAP_R10,
	SNAP_R9,
	SNAP_R8,
	SNAP_RAX,
	SNAP_RCX,
	SNAP_RDX,
	SNAP_RSI,
	SNAP_RDI,
	SNAP_ORIG_RAX,
	SNAP_RIP,
	SNAP_CS,
	SNAP_RFLAGS,
	SNAP_RSP,
	SNAP_SS,
	SNAP_FS_BASE,
	SNAP_GS_BASE,
	SNAP_DS,
	SNAP_ES,
	SNAP_FS,
	SNAP_GS,
	SNAP_NR_USER_REGS,
};

/* NT_PRSTATUS, name CORE, 336 bytes, pr_pid = index + 1. */
void snap_notes_prstatus(struct snap_notes *n, unsigned index,
			 const uint64_t reg[SNAP_NR_USER_REGS]);

/* Of QEMU's note: a segment register, its attributes as in a descriptor's upper half. */
struct snap_qemu_segment {
	uint32_t selector, limit, flags, pad;
	uint64_t base;
};

/* QEMU's note (its target/i386/arch_dump.c, QEMUCPUState), which crash finds a kernel with. */
struct snap_qemu_cpu {
	uint32_t version, size;
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp, r[8], rip, rflags;
	struct snap_qemu_segment cs, ds, es, fs, gs, ss, ldt, tr, gdt, idt;
	uint64_t cr[5], kernel_gs_base;
};

/* A note of another's, behind what is there. */
void snap_notes_foreign(struct snap_notes *n, const char *name, uint32_t type, const void *data,
			size_t size);

/*
 * One of ours, present.  Returns the payload's offset in n->bytes, for what is only known later;
 * 0 after a failure.
 */
size_t snap_notes_add(struct snap_notes *n, uint32_t vcpu, enum inq_snap_kind kind,
		      const void *data, size_t size);

/* The same in another sample than 0. */
size_t snap_notes_add_in(struct snap_notes *n, enum inq_snap_sample sample, uint32_t vcpu,
			 enum inq_snap_kind kind, const void *data, size_t size);

/* All notes of another, behind what is there. */
void snap_notes_append(struct snap_notes *to, const struct snap_notes *from);

/* Bytes behind what is there, padded to 4. */
void snap_notes_raw(struct snap_notes *n, const void *data, size_t size);

/* One that says that the thing is absent, or could not be had: error is for INQ_SNAP_FAILED. */
void snap_notes_missing(struct snap_notes *n, uint32_t vcpu, enum inq_snap_kind kind,
			enum inq_snap_state state, int error);

/* The ELF header of a snapshot: its program headers follow at once; over 65534 need shdr[0]. */
Elf64_Ehdr snap_core_header(size_t nr_phdrs);

#endif
