/* One decoded instruction, in terms an analyzer needs.  The only door to Zydis. */
#ifndef ARCH_X86_64_INSN_H
#define ARCH_X86_64_INSN_H

#include <stdbool.h>

#include <inquest/err.h>

#include "arch/x86_64/regs.h"

enum { X86_64_INSN_MAX = 15, X86_64_INSN_TEXT = 96, X86_64_INSN_OPS = 4 };

/* Mnemonics that the loop engine evaluates. */
enum x86_64_mn {
	X86_64_MN_OTHER,
	X86_64_MN_MOV,
	X86_64_MN_MOVZX,
	X86_64_MN_MOVSX,
	X86_64_MN_MOVSXD,
	X86_64_MN_LEA,
	X86_64_MN_TEST,
	X86_64_MN_CMP,
	X86_64_MN_AND,
	X86_64_MN_OR,
	X86_64_MN_XOR,
	X86_64_MN_ADD,
	X86_64_MN_SUB,
	X86_64_MN_INC,
	X86_64_MN_DEC,
	X86_64_MN_NOT,
	X86_64_MN_NEG,
	X86_64_MN_SHL,
	X86_64_MN_SHR,
	X86_64_MN_BT,
	X86_64_MN_NOP,
	X86_64_MN_PAUSE,
	X86_64_MN_XCHG,
	X86_64_MN_PUSH,
	X86_64_MN_POP,
	X86_64_MN_CLD,
	X86_64_MN_CLI,
	X86_64_MN_STI,
	X86_64_MN_FENCE,
	X86_64_MN_CMPXCHG,
	X86_64_MN_SETCC,
};

/* What an instruction does to control flow and to the world. */
enum x86_64_insn_class {
	X86_64_CLASS_PLAIN,    /* registers, flags and memory only */
	X86_64_CLASS_JMP,      /* unconditional direct */
	X86_64_CLASS_JCC,      /* conditional direct: Jcc, JCXZ, LOOPcc */
	X86_64_CLASS_CALL,     /* direct */
	X86_64_CLASS_RET,      /* RET, RETF, IRET, RSM, SYSRET, SYSEXIT */
	X86_64_CLASS_INDIRECT, /* JMP or CALL through a register or memory, far transfers */
	X86_64_CLASS_HLT,      /* HLT, MWAIT */
	X86_64_CLASS_IO,       /* IN, OUT and their string forms */
	X86_64_CLASS_TIMER,    /* RDTSC, RDTSCP */
	X86_64_CLASS_SYSTEM,   /* INT, SYSCALL, CPUID, MSRs, CR/DR moves, anything privileged */
	X86_64_CLASS_OTHER,    /* FPU, vector, string and whatever has no meaning here */
};

enum x86_64_op_kind { X86_64_OP_NONE, X86_64_OP_REG, X86_64_OP_MEM, X86_64_OP_IMM };

struct x86_64_op {
	enum x86_64_op_kind kind;
	uint8_t bytes; /* width: 1, 2, 4, 8; others occur for CLASS_OTHER */
	bool read, write;
	/* X86_64_OP_REG: the full general register, and from which byte of it (AH: 1). */
	int reg;       /* enum x86_64_reg, or -1 when it is no general register */
	uint8_t shift; /* bits: 0, or 8 for AH, CH, DH, BH */
	/* X86_64_OP_MEM: seg.base + base + index * scale + disp; RIP-relative is already resolved
	   into disp, with base -1. */
	int base, index; /* enum x86_64_reg or -1 */
	int seg;         /* X86_64_CS_SEL .. X86_64_SS_SEL: the segment used, base is at + 1 */
	uint8_t scale;
	bool agen; /* LEA: the offset is used, without segment base; memory is not touched */
	int64_t disp;
	/* X86_64_OP_IMM, sign-extended from bytes: mask a port, a vector or a shift count */
	int64_t imm;
};

struct x86_64_insn {
	uint64_t rip; /* address that it was decoded for, relative to cs.base as RIP is */
	uint8_t len;
	uint8_t bytes[X86_64_INSN_MAX];
	enum x86_64_insn_class cls;
	enum x86_64_mn mn;
	uint8_t addr_bits; /* 16, 32, 64: how a memory address wraps */
	uint8_t op_bits;   /* effective operand size */
	bool lock, rep;
	uint64_t target;                      /* JMP, JCC, CALL: destination RIP */
	struct x86_64_op op[X86_64_INSN_OPS]; /* explicit operands, destination first */
	uint8_t nr_ops;
	uint16_t writes; /* bit i: general register i is written, also where no operand says so */
	char text[X86_64_INSN_TEXT]; /* Intel syntax, lower case */
};

/*
 * Decode for the CPU's current code size (mode: real and *16 decode 16-bit code, ...).  bytes may
 * be fewer than 15 at the end of what is readable.  Errors: INQ_ECORRUPT: no instruction there;
 * INQ_EABSENT: the mode is unknown.
 */
INQ_MUST enum inq_status x86_64_insn_decode(enum x86_64_mode mode, uint64_t rip, const void *bytes,
					    size_t n, struct x86_64_insn *ret, struct inq_err *err);

/* Condition of a JCC or SETCC: the low nibble of its opcode (0 O, 2 B, 4 Z, 5 NZ, ...), SDM vol. 2
   app. B.1; -1 for JCXZ and LOOPcc. */
int x86_64_insn_cc(const struct x86_64_insn *in);

#endif
