/*
 * Knows which of VMware's names are registers.  Source: crash's vmware_vmss.c and its struct
 * vmssregs64; Volatility.  The segments ("S", "S.base64") are not read: nobody tells their order.
 */
#include "machine/vmware.h"

#include "arch/x86_64/regs.h"
#include "base/span.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

/* A value that is one register. */
static const struct {
	const char *name;
	uint16_t reg;
} names[] = {
	{"rax", X86_64_RAX},     {"rcx", X86_64_RCX},       {"rdx", X86_64_RDX},
	{"rbx", X86_64_RBX},     {"rbp", X86_64_RBP},       {"rsp", X86_64_RSP},
	{"rsi", X86_64_RSI},     {"rdi", X86_64_RDI},       {"r8", X86_64_R8},
	{"r9", X86_64_R9},       {"r10", X86_64_R10},       {"r11", X86_64_R11},
	{"r12", X86_64_R12},     {"r13", X86_64_R13},       {"r14", X86_64_R14},
	{"r15", X86_64_R15},     {"rip", X86_64_RIP},       {"eflags", X86_64_RFLAGS},
	{"CR64[0]", X86_64_CR0}, {"CR64[2]", X86_64_CR2},   {"CR64[3]", X86_64_CR3},
	{"CR64[4]", X86_64_CR4}, {"EFLAGS", X86_64_RFLAGS},
};

/* A block of registers, 8 bytes each; X86_64_NR_REGS: none of ours. */
static const uint16_t gpregs[] = {
	X86_64_RAX, X86_64_RCX, X86_64_RDX, X86_64_RBX, X86_64_RBP, X86_64_RSP,
	X86_64_RSI, X86_64_RDI, X86_64_R8,  X86_64_R9,  X86_64_R10, X86_64_R11,
	X86_64_R12, X86_64_R13, X86_64_R14, X86_64_R15,
};
static const uint16_t cr64[] = {
	X86_64_CR0,     X86_64_NR_REGS, X86_64_CR2,     X86_64_CR3, X86_64_CR4,
	X86_64_NR_REGS, X86_64_NR_REGS, X86_64_NR_REGS, X86_64_CR8,
};
enum { IDTR_BYTES = 10 }; /* limit, then base */

static void set_block(struct span value, const uint16_t *regs, size_t n, struct inq_regset *rs)
{
	for (size_t i = 0; value.left == 8 * (n - i) && i < n; i++) {
		uint64_t v = span_u64le(&value);
		if (regs[i] != X86_64_NR_REGS)
			inq_reg_set(rs, regs[i], v);
	}
}

/* As one value, or in the halves that older versions wrote. */
static void set_idtr(const char *name, struct span value, struct inq_regset *rs)
{
	if (!strcmp(name, "IDTR") && value.left == IDTR_BYTES) {
		inq_reg_set(rs, X86_64_IDTR_LIMIT, span_u16le(&value));
		inq_reg_set(rs, X86_64_IDTR_BASE, span_u64le(&value));
	}
	if (!strcmp(name, "IDTR[1]") && value.left == 4)
		inq_reg_set(rs, X86_64_IDTR_BASE, span_u32le(&value));
	if (!strcmp(name, "IDTR[2]") && value.left == 4 && inq_reg_known(rs, X86_64_IDTR_BASE))
		inq_reg_set(rs, X86_64_IDTR_BASE,
			    rs->v[X86_64_IDTR_BASE] | (uint64_t)span_u32le(&value) << 32);
}

static void set_value(const char *name, struct span value, struct inq_regset *rs)
{
	if (!strcmp(name, "gpregs"))
		set_block(value, gpregs, COUNT(gpregs), rs);
	if (!strcmp(name, "CR64"))
		set_block(value, cr64, COUNT(cr64), rs);
	set_idtr(name, value, rs);
	for (size_t i = 0; value.left && value.left <= 8 && i < COUNT(names); i++)
		if (!strcmp(name, names[i].name))
			inq_reg_set(rs, names[i].reg, span_le(&value, value.left));
}

void machine_vmware_regs(const struct inq_blob *b, struct inq_regset *rs)
{
	struct span s = b ? span_of(b->p, b->n) : (struct span){0};
	char name[300];

	while (s.left && !s.bad) {
		size_t name_n = span_u32le(&s), n = span_u32le(&s);
		const uint8_t *at = span_take(&s, name_n), *value = span_take(&s, n);
		if (s.bad || name_n >= sizeof(name))
			continue;
		memcpy(name, at, name_n);
		name[name_n] = '\0';
		set_value(name, span_of(value, n), rs);
	}
}
