/* QEMU's CPU-state note, as its target/i386/arch_dump.c lays it out. */
#ifndef TESTS_MACHINE_QEMU_H
#define TESTS_MACHINE_QEMU_H

#include <stdint.h>

struct qemu_cpu {
	uint32_t version, size;
	uint64_t gpr[18]; /* rax rbx rcx rdx rsi rdi rsp rbp r8 ... r15 rip rflags */
	struct {
		uint32_t selector, limit, flags, pad;
		uint64_t base;
	} seg[10]; /* cs ds es fs gs ss ldt tr gdt idt */
	uint64_t cr[5], kernel_gs_base;
};
_Static_assert(sizeof(struct qemu_cpu) == 440, "as QEMU writes it");

#endif
