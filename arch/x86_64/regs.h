/* Numbers and names of the x86-64 registers in a struct inq_regset. */
#ifndef ARCH_X86_64_REGS_H
#define ARCH_X86_64_REGS_H

#include <stddef.h>

#include <inquest/regs.h>

enum x86_64_reg {
#define REG(ident, name, group, bits, doc) X86_64_##ident,
#include "arch/x86_64/regs.def"
#undef REG
	X86_64_NR_REGS
};
_Static_assert((int)X86_64_NR_REGS <= (int)INQ_NR_REGS, "a regset holds them all");

#define X86_64_RFLAGS_IF (UINT64_C(1) << 9)
#define X86_64_CR0_PE UINT64_C(1)
#define X86_64_CR0_PG (UINT64_C(1) << 31)
#define X86_64_CR4_PSE (UINT64_C(1) << 4)
#define X86_64_CR4_PAE (UINT64_C(1) << 5)
#define X86_64_CR4_PCIDE (UINT64_C(1) << 17)
#define X86_64_CR4_LA57 (UINT64_C(1) << 12)
#define X86_64_EFER_LME (UINT64_C(1) << 8)
#define X86_64_EFER_LMA (UINT64_C(1) << 10)
#define X86_64_EFER_NXE (UINT64_C(1) << 11)
#define X86_64_SEG_L (1u << 13)
#define X86_64_SEG_DB (1u << 14)

struct x86_64_reg_info {
	const char *name, *group, *doc;
	int bits;
};
/* Indexed by enum x86_64_reg. */
extern const struct x86_64_reg_info x86_64_reg_info[X86_64_NR_REGS];

/* enum x86_64_reg of a name, or -1. */
int x86_64_reg_find(const char *name);

/*
 * Is the CPU in IA-32e mode?  1, 0, or -1: unknown.  Where EFER is not known, what no other mode
 * allows tells.
 */
int x86_64_long_mode(const struct inq_regset *rs);

enum x86_64_mode {
	X86_64_MODE_UNKNOWN, /* a register that decides is unknown */
	X86_64_MODE_REAL,
	X86_64_MODE_VM86,
	X86_64_MODE_PROT16,
	X86_64_MODE_PROT32,
	X86_64_MODE_COMPAT16,
	X86_64_MODE_COMPAT32,
	X86_64_MODE_LONG,
};
/* SDM vol. 3, 2.2 and 3.4.5: from CR0, EFER, RFLAGS.VM and the code segment. */
enum x86_64_mode x86_64_mode_of(const struct inq_regset *rs);
const char *x86_64_mode_name(enum x86_64_mode mode); /* "real", "long", ... ; static */

/* cs.base + rip, truncated as the mode demands.  Returns 1 and sets *ret, or 0 when unknown. */
int x86_64_linear_rip(const struct inq_regset *rs, uint64_t *ret);

#endif
