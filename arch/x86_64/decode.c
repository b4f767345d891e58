/*
 * Knows what the bits of registers are called.  Sources: SDM vol. 3, 2.3, 2.5, 3.4.5, 6.15, 11.4.4;
 * APM vol. 2, 3.1.7; numbers of KVM: Linux include/uapi/linux/kvm.h.
 */
#include "arch/x86_64/decode.h"

#include <inttypes.h>
#include <stdbool.h>

#include "arch/x86_64/say.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static const char *const cr0_bits[64] = {
	[0] = "PE",  [1] = "MP",  [2] = "EM",  [3] = "TS",  [4] = "ET",  [5] = "NE",
	[16] = "WP", [18] = "AM", [29] = "NW", [30] = "CD", [31] = "PG",
};
static const char *const cr4_bits[64] = {
	[0] = "VME",         [1] = "PVI",    [2] = "TSD",      [3] = "DE",    [4] = "PSE",
	[5] = "PAE",         [6] = "MCE",    [7] = "PGE",      [8] = "PCE",   [9] = "OSFXSR",
	[10] = "OSXMMEXCPT", [11] = "UMIP",  [12] = "LA57",    [13] = "VMXE", [14] = "SMXE",
	[16] = "FSGSBASE",   [17] = "PCIDE", [18] = "OSXSAVE", [19] = "KL",   [20] = "SMEP",
	[21] = "SMAP",       [22] = "PKE",   [23] = "CET",     [24] = "PKS",  [25] = "UINTR",
	[28] = "LAM_SUP",    [32] = "FRED",
};
static const char *const efer_bits[64] = {
	[0] = "SCE",    [8] = "LME",    [10] = "LMA", [11] = "NXE",    [12] = "SVME",
	[13] = "LMSLE", [14] = "FFXSR", [15] = "TCE", [21] = "AIBRSE",
};
static const char *const rflags_bits[64] = {
	[0] = "CF",  [2] = "PF",   [4] = "AF",   [6] = "ZF",  [7] = "SF",  [8] = "TF",
	[9] = "IF",  [10] = "DF",  [11] = "OF",  [14] = "NT", [16] = "RF", [17] = "VM",
	[18] = "AC", [19] = "VIF", [20] = "VIP", [21] = "ID",
};
#define RFLAGS_IOPL (UINT64_C(3) << 12)
static const char *const run_bits[64] = {"smm", "bus lock", "guest mode"};
static const char *const shadow_bits[64] = {"after MOV SS", "after STI"};

/* Set bits by name, those without one by number. */
static void say_bits(struct say *s, const char *const names[64], uint64_t v)
{
	for (unsigned int i = 0; i < 64; i++) {
		if (!(v >> i & 1))
			continue;
		if (names[i])
			x86_64_say(s, "%s", names[i]);
		else
			x86_64_say(s, "bit %u", i);
	}
}

static void say_rflags(struct say *s, uint64_t v)
{
	say_bits(s, rflags_bits, v & ~(RFLAGS_IOPL | 2)); /* bit 1 is always set */
	if (v & RFLAGS_IOPL)
		x86_64_say(s, "IOPL %u", (unsigned int)(v >> 12 & 3));
}

static void say_dr6(struct say *s, uint64_t v)
{
	for (unsigned int i = 0; i < 4; i++)
		if (v >> i & 1)
			x86_64_say(s, "B%u", i);
	if (!(v & 1u << 11)) /* active low, as is RTM */
		x86_64_say(s, "BLD");
	if (v & 1u << 13)
		x86_64_say(s, "BD");
	if (v & 1u << 14)
		x86_64_say(s, "BS");
	if (v & 1u << 15)
		x86_64_say(s, "BT");
	if (!(v & 1u << 16))
		x86_64_say(s, "RTM");
}

static void say_breakpoint(struct say *s, uint64_t v, unsigned int i)
{
	static const char *const kinds[] = {"exec", "write", "io", "access"};
	static const unsigned int lengths[] = {1, 2, 8, 4};
	uint64_t enable = v >> (2 * i) & 3, how = v >> (16 + 4 * i) & 0xf;

	if (enable)
		x86_64_say(s, "%s%s%u %s %u", enable & 1 ? "L" : "", enable & 2 ? "G" : "", i,
			   kinds[how & 3], lengths[how >> 2]);
}

static void say_dr7(struct say *s, uint64_t v)
{
	if (v & 1u << 13)
		x86_64_say(s, "GD");
	for (unsigned int i = 0; i < 4; i++)
		say_breakpoint(s, v, i);
	if (v & 1u << 8)
		x86_64_say(s, "LE");
	if (v & 1u << 9)
		x86_64_say(s, "GE");
	if (v & 1u << 11)
		x86_64_say(s, "RTM");
}

static void say_system_type(struct say *s, unsigned int type)
{
	static const char *const names[] = {
		[1] = "tss16",     [2] = "ldt",        [3] = "tss16 busy",  [4] = "call gate16",
		[5] = "task gate", [6] = "int gate16", [7] = "trap gate16", [9] = "tss",
		[11] = "tss busy", [12] = "call gate", [14] = "int gate",   [15] = "trap gate",
	};

	if (names[type])
		x86_64_say(s, "%s", names[type]);
	else
		x86_64_say(s, "reserved type %u", type);
}

static void say_type(struct say *s, uint64_t v)
{
	unsigned int type = v & 0xf;

	if (!(v & 1u << 4)) {
		say_system_type(s, type);
		return;
	}
	if (type & 8)
		x86_64_say(s, "code%s%s", type & 2 ? " readable" : "",
			   type & 4 ? " conforming" : "");
	else
		x86_64_say(s, "data%s%s", type & 2 ? " writable" : "",
			   type & 4 ? " expand-down" : "");
	if (type & 1)
		x86_64_say(s, "accessed");
}

static void say_attr(struct say *s, uint64_t v)
{
	if (v & 1u << 16) {
		x86_64_say(s, "unusable");
		return;
	}
	say_type(s, v);
	x86_64_say(s, "dpl %u", (unsigned int)(v >> 5 & 3));
	if (!(v & 1u << 7))
		x86_64_say(s, "not present");
	if (v & X86_64_SEG_L)
		x86_64_say(s, "64-bit");
	else
		x86_64_say(s, v & X86_64_SEG_DB ? "32-bit" : "16-bit");
	if (v & 1u << 15)
		x86_64_say(s, "pages");
}

static void say_selector(struct say *s, uint64_t v)
{
	if (v & ~UINT64_C(3))
		x86_64_say(s, "%s[%u] rpl %u", v & 4 ? "ldt" : "gdt",
			   (unsigned int)(v >> 3 & 0x1fff), (unsigned int)(v & 3));
}

static void say_apic_base(struct say *s, uint64_t v)
{
	if (v & 1u << 8)
		x86_64_say(s, "BSP");
	if (!(v & 1u << 11))
		x86_64_say(s, "disabled");
	else
		x86_64_say(s, v & 1u << 10 ? "x2APIC" : "xAPIC");
	x86_64_say(s, "base 0x%" PRIx64, v & UINT64_C(0xffffffffff000));
}

static void say_mp_state(struct say *s, uint64_t v)
{
	static const char *const names[] = {
		"runnable",      "uninitialized", "INIT received", "halted",
		"SIPI received", "stopped",       "check stop",    "operating",
		"load",          "AP reset hold", "suspended",
	};

	if (v < COUNT(names))
		x86_64_say(s, "%s", names[v]);
}

const char *x86_64_exit_reason_name(uint64_t reason)
{
	static const char *const names[] = {
		"unknown",
		"exception",
		"io",
		"hypercall",
		"debug",
		"hlt",
		"mmio",
		"irq window open",
		"shutdown",
		"fail entry",
		"intr",
		"set tpr",
		"tpr access",
		"s390 sieic",
		"s390 reset",
		"dcr",
		"nmi",
		"internal error",
		"osi",
		"papr hcall",
		"s390 ucontrol",
		"watchdog",
		"s390 tsch",
		"epr",
		"system event",
		"s390 stsi",
		"ioapic eoi",
		"hyperv",
		"arm nisv",
		"x86 rdmsr",
		"x86 wrmsr",
		"dirty ring full",
		"ap reset hold",
		"x86 bus lock",
		"xen",
		"riscv sbi",
		"riscv csr",
		"notify",
		"loongarch iocsr",
		"memory fault",
	};

	return reason < COUNT(names) ? names[reason] : NULL;
}

const char *x86_64_exception_name(uint64_t vector)
{
	static const char *const names[] = {
		"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", NULL,  "#TS",
		"#NP", "#SS", "#GP", "#PF", NULL,  "#MF", "#AC", "#MC", "#XM", "#VE", "#CP",
		NULL,  NULL,  NULL,  NULL,  NULL,  NULL,  "#HV", "#VC", "#SX",
	};

	return vector < COUNT(names) ? names[vector] : NULL;
}

/* Registers that are sets of named bits. */
static const char *const *bits_of(enum x86_64_reg reg)
{
	static const struct {
		enum x86_64_reg reg;
		const char *const *names;
	} map[] = {
		{X86_64_CR0, cr0_bits},           {X86_64_CR4, cr4_bits},
		{X86_64_EFER, efer_bits},         {X86_64_RUN_FLAGS, run_bits},
		{X86_64_INT_SHADOW, shadow_bits},
	};

	for (size_t i = 0; i < COUNT(map); i++)
		if (map[i].reg == reg)
			return map[i].names;
	return NULL;
}

static void say_name(struct say *s, const char *name)
{
	if (name)
		x86_64_say(s, "%s", name);
}

/* Segment registers lie as sel, base, limit, attr from CS on. */
static bool say_segment(struct say *s, enum x86_64_reg reg, uint64_t v)
{
	if (reg < X86_64_CS_SEL || reg > X86_64_LDTR_ATTR)
		return false;
	if ((reg - X86_64_CS_SEL) % 4 == 0)
		say_selector(s, v);
	else if ((reg - X86_64_CS_SEL) % 4 == 3)
		say_attr(s, v);
	return true;
}

void x86_64_describe(enum x86_64_reg reg, uint64_t value, char *buf, size_t n)
{
	const char *const *names = bits_of(reg);
	struct say s;

	x86_64_say_init(&s, buf, n);
	if (names)
		say_bits(&s, names, value);
	else if (say_segment(&s, reg, value))
		return;
	else if (reg == X86_64_RFLAGS)
		say_rflags(&s, value);
	else if (reg == X86_64_DR6)
		say_dr6(&s, value);
	else if (reg == X86_64_DR7)
		say_dr7(&s, value);
	else if (reg == X86_64_APIC_BASE)
		say_apic_base(&s, value);
	else if (reg == X86_64_MP_STATE)
		say_mp_state(&s, value);
	else if (reg == X86_64_EXIT_REASON)
		say_name(&s, x86_64_exit_reason_name(value));
	else if (reg == X86_64_EXC_NR)
		say_name(&s, x86_64_exception_name(value));
}
