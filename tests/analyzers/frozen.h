/* A machine made by hand: code and data at chosen addresses, CPUs with chosen registers. */
#ifndef TESTS_ANALYZERS_FROZEN_H
#define TESTS_ANALYZERS_FROZEN_H

#include <inquest/machine.h>

#include "arch/x86_64/regs.h"

enum { FROZEN_RAM = 0x20000, FROZEN_CPUS = 2, FROZEN_CODE = 0x1000 };

struct frozen_space {
	struct inq_space base;
	uint8_t ram[FROZEN_RAM];
	uint64_t absent; /* first address of a page that was not dumped; ~0: none */
};

struct frozen {
	struct frozen_space phys;
	struct inq_cpu cpu[FROZEN_CPUS];
	struct inq_machine machine;
};

/* All registers known and zero, 64-bit code, RIP at FROZEN_CODE, RSP at 0x8000, IF clear. */
void frozen_init(struct frozen *f);
/* Make a CPU run 16-bit code in SMM-like state: CS base, RIP relative to it. */
void frozen_real(struct frozen *f, unsigned int cpu, uint64_t cs_base, uint64_t rip);
void frozen_set(struct frozen *f, unsigned int cpu, enum x86_64_reg r, uint64_t value);
void frozen_code(struct frozen *f, uint64_t at, const char *bytes, size_t n);
void frozen_word(struct frozen *f, uint64_t at, uint64_t value, unsigned int bytes);

/* CODE(f, 0x1000, "\xeb\xfe"): bytes without the literal's NUL. */
#define CODE(f, at, literal) frozen_code((f), (at), (literal), sizeof(literal) - 1)

#endif
