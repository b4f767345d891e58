/* Knows how control registers and the code segment decide what RIP means.  SDM vol. 3, 2.2, 3.4.5.
 */
#include "arch/x86_64/regs.h"

#include <string.h>

#include <stdbool.h>

#define RFLAGS_VM (UINT64_C(1) << 17)

const struct x86_64_reg_info x86_64_reg_info[X86_64_NR_REGS] = {
#define REG(ident, text, of_group, width, meaning)                                                 \
	[X86_64_##ident] = {.name = (text), .group = (of_group), .doc = (meaning), .bits = (width)},
#include "arch/x86_64/regs.def"
#undef REG
};

/* PCIDs: SDM vol. 3, 4.10.1.  A base above 4 GiB is loaded by 64-bit code alone, and a legacy code
   segment leaves bit L reserved.  An unknown register is 0 here, which says nothing. */
static bool has_what_long_mode_has(const struct inq_regset *rs)
{
	return (rs->v[X86_64_CR4] & X86_64_CR4_PCIDE) || (rs->v[X86_64_CS_ATTR] & X86_64_SEG_L) ||
	       (rs->v[X86_64_IDTR_BASE] | rs->v[X86_64_GDTR_BASE]) >> 32;
}

/* EFER.LMA cannot be set without PG and PAE. */
int x86_64_long_mode(const struct inq_regset *rs)
{
	if (!inq_reg_known(rs, X86_64_CR0))
		return -1;
	if (!(rs->v[X86_64_CR0] & X86_64_CR0_PG))
		return 0;
	if (inq_reg_known(rs, X86_64_EFER))
		return !!(rs->v[X86_64_EFER] & X86_64_EFER_LMA);
	if (!inq_reg_known(rs, X86_64_CR4))
		return -1;
	if (!(rs->v[X86_64_CR4] & X86_64_CR4_PAE))
		return 0;
	return has_what_long_mode_has(rs) ? 1 : -1;
}

static enum x86_64_mode protected_mode(const struct inq_regset *rs, bool ia32e)
{
	uint64_t attr = rs->v[X86_64_CS_ATTR];

	if (!inq_reg_known(rs, X86_64_CS_ATTR))
		return X86_64_MODE_UNKNOWN;
	if (ia32e && (attr & X86_64_SEG_L))
		return X86_64_MODE_LONG;
	if (ia32e)
		return attr & X86_64_SEG_DB ? X86_64_MODE_COMPAT32 : X86_64_MODE_COMPAT16;
	return attr & X86_64_SEG_DB ? X86_64_MODE_PROT32 : X86_64_MODE_PROT16;
}

enum x86_64_mode x86_64_mode_of(const struct inq_regset *rs)
{
	if (!inq_reg_known(rs, X86_64_CR0))
		return X86_64_MODE_UNKNOWN;
	if (!(rs->v[X86_64_CR0] & X86_64_CR0_PE))
		return X86_64_MODE_REAL;

	int ia32e = x86_64_long_mode(rs);
	if (ia32e < 0)
		return X86_64_MODE_UNKNOWN;
	if (ia32e)
		return protected_mode(rs, true);
	if (!inq_reg_known(rs, X86_64_RFLAGS))
		return X86_64_MODE_UNKNOWN;
	if (rs->v[X86_64_RFLAGS] & RFLAGS_VM)
		return X86_64_MODE_VM86;
	return protected_mode(rs, false);
}

const char *x86_64_mode_name(enum x86_64_mode mode)
{
	static const char *const names[] = {
		[X86_64_MODE_UNKNOWN] = "unknown",   [X86_64_MODE_REAL] = "real",
		[X86_64_MODE_VM86] = "vm86",         [X86_64_MODE_PROT16] = "prot16",
		[X86_64_MODE_PROT32] = "prot32",     [X86_64_MODE_COMPAT16] = "compat16",
		[X86_64_MODE_COMPAT32] = "compat32", [X86_64_MODE_LONG] = "long",
	};
	return names[mode];
}

int x86_64_linear_rip(const struct inq_regset *rs, uint64_t *ret)
{
	enum x86_64_mode mode = x86_64_mode_of(rs);

	if (!inq_reg_known(rs, X86_64_RIP))
		return 0;
	/* only 64-bit mode gets to the upper half: enough where no control register is known */
	bool upper = mode == X86_64_MODE_UNKNOWN && rs->v[X86_64_RIP] >> 47 == 0x1ffff;
	if (mode == X86_64_MODE_UNKNOWN && !upper)
		return 0;
	if (mode == X86_64_MODE_LONG || upper) {
		*ret = rs->v[X86_64_RIP]; /* the base of CS counts as 0 */
		return 1;
	}
	if (!inq_reg_known(rs, X86_64_CS_BASE))
		return 0;
	*ret = (uint32_t)(rs->v[X86_64_CS_BASE] + rs->v[X86_64_RIP]);
	return 1;
}

int x86_64_reg_find(const char *name)
{
	for (int i = 0; i < X86_64_NR_REGS; i++)
		if (!strcmp(x86_64_reg_info[i].name, name))
			return i;
	return -1;
}
