/* Registers: names, modes, linear RIP, words; names of MSRs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "arch/x86_64/decode.h"
#include "arch/x86_64/msr.h"
#include "arch/x86_64/regs.h"

static void test_every_register_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (int i = 0; i < X86_64_NR_REGS; i++) {
		const struct x86_64_reg_info *r = &x86_64_reg_info[i];
		assert_true(r->name && r->group && r->doc && *r->doc);
		assert_in_range(r->bits, 1, 64);
		for (int k = 0; k < i; k++)
			assert_string_not_equal(r->name, x86_64_reg_info[k].name);
	}
	assert_string_equal(x86_64_reg_info[X86_64_RDI].name, "rdi");
	assert_string_equal(x86_64_reg_info[X86_64_LDTR_ATTR].name, "ldtr.attr");
	assert_string_equal(x86_64_reg_info[X86_64_SMBASE].name, "smbase");
}

enum { LA = 0x500, D = 0xc09b, L = 0xa09b, W16 = 0x9b };
#define VM (1u << 17)
#define PG 0x80000000u

static const struct {
	uint64_t cr0, cr4, efer, rflags, attr;
	enum x86_64_mode mode;
	const char *name;
	uint64_t linear; /* of rip 0x1fffffff0 and cs.base 0x30000 */
} modes[] = {
	{0x10, 0, 0, 2, 0x93, X86_64_MODE_REAL, "real", 0x2fff0},
	{0x10, 0, 0x100, 2, D, X86_64_MODE_REAL, "real", 0x2fff0},
	{1, 0, 0, 2, W16, X86_64_MODE_PROT16, "prot16", 0x2fff0},
	{1, 0, 0, 2, D, X86_64_MODE_PROT32, "prot32", 0x2fff0},
	{1, 0, LA, 2, L, X86_64_MODE_PROT16, "prot16", 0x2fff0}, /* no PG: LMA means nothing */
	{PG | 1, 0x20, 0, VM | 2, D, X86_64_MODE_VM86, "vm86", 0x2fff0},
	{PG | 1, 0x20, 0, 2, D, X86_64_MODE_PROT32, "prot32", 0x2fff0},
	{PG | 1, 0x20, LA, VM | 2, L, X86_64_MODE_LONG, "long", 0x1fffffff0},
	{PG | 1, 0x20, LA, 2, D, X86_64_MODE_COMPAT32, "compat32", 0x2fff0},
	{PG | 1, 0x20, LA, 2, W16, X86_64_MODE_COMPAT16, "compat16", 0x2fff0},
};

static struct inq_regset set_of(size_t i)
{
	struct inq_regset rs = {{0}, {0}};

	inq_reg_set(&rs, X86_64_CR0, modes[i].cr0);
	inq_reg_set(&rs, X86_64_CR4, modes[i].cr4);
	inq_reg_set(&rs, X86_64_EFER, modes[i].efer);
	inq_reg_set(&rs, X86_64_RFLAGS, modes[i].rflags);
	inq_reg_set(&rs, X86_64_CS_ATTR, modes[i].attr);
	inq_reg_set(&rs, X86_64_CS_BASE, 0x30000);
	inq_reg_set(&rs, X86_64_RIP, UINT64_C(0x1fffffff0));
	return rs;
}

static void test_control_registers_decide_the_mode_and_what_rip_means(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		struct inq_regset rs = set_of(i);
		uint64_t linear = 0;
		assert_int_equal(x86_64_mode_of(&rs), modes[i].mode);
		assert_string_equal(x86_64_mode_name(x86_64_mode_of(&rs)), modes[i].name);
		assert_int_equal(x86_64_linear_rip(&rs, &linear), 1);
		assert_true(linear == modes[i].linear);
	}
}

/* A register that is unknown either does not matter or makes the answer unknown: never wrong. */
static void test_an_unknown_register_never_changes_the_mode(void **state)
{
	(void)state;
	static const enum x86_64_reg all[] = {X86_64_CR0,    X86_64_CR4,     X86_64_EFER,
					      X86_64_RFLAGS, X86_64_CS_ATTR, X86_64_CS_BASE,
					      X86_64_RIP};
	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		for (size_t k = 0; k < sizeof(all) / sizeof(*all); k++) {
			struct inq_regset rs = set_of(i);
			uint64_t linear = 0;
			inq_reg_forget(&rs, all[k]);
			enum x86_64_mode m = x86_64_mode_of(&rs);
			assert_true(m == modes[i].mode || m == X86_64_MODE_UNKNOWN);
			if (x86_64_linear_rip(&rs, &linear))
				assert_true(linear == modes[i].linear);
			if (all[k] == X86_64_CR0)
				assert_int_equal(m, X86_64_MODE_UNKNOWN);
			if (all[k] == X86_64_RIP)
				assert_int_equal(x86_64_linear_rip(&rs, &linear), 0);
		}
	}
	/* without EFER, paging without PAE is still not IA-32e mode */
	struct inq_regset rs = set_of(6);
	inq_reg_forget(&rs, X86_64_EFER);
	assert_int_equal(x86_64_mode_of(&rs), X86_64_MODE_UNKNOWN);
	inq_reg_set(&rs, X86_64_CR4, 0x10);
	assert_int_equal(x86_64_mode_of(&rs), X86_64_MODE_PROT32);
}

/* An ELF core of QEMU has rip, but no control registers. */
/* What a note without EFER leaves: each of these only IA-32e mode allows. */
static void test_long_mode_is_told_by_what_needs_it(void **state)
{
	(void)state;
	static const struct {
		int reg;
		uint64_t value;
		int want;
	} all[] = {
		{X86_64_RSP, UINT64_MAX, -1},
		{X86_64_CR4, 0x20, -1},
		{X86_64_CR4, 0, 0},
		{X86_64_CR4, X86_64_CR4_PCIDE | X86_64_CR4_PAE, 1},
		{X86_64_CS_ATTR, X86_64_SEG_L | 0x9b, 1},
		{X86_64_CS_ATTR, X86_64_SEG_DB | 0x9b, -1},
		{X86_64_IDTR_BASE, 0xfffffe0000000000, 1},
		{X86_64_GDTR_BASE, 0xfffffe0000001000, 1},
		{X86_64_IDTR_BASE, 0xffffffff, -1},
		{X86_64_RIP, 0x7f0000000000, -1},
		{X86_64_CR0, X86_64_CR0_PE, 0},
		{X86_64_EFER, X86_64_EFER_LME, 0},
		{X86_64_EFER, X86_64_EFER_LMA, 1},
	};
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		struct inq_regset rs = {0};
		inq_reg_set(&rs, X86_64_CR0, X86_64_CR0_PG | X86_64_CR0_PE);
		inq_reg_set(&rs, X86_64_CR4, X86_64_CR4_PAE);
		inq_reg_set(&rs, (unsigned int)all[i].reg, all[i].value);
		assert_int_equal(x86_64_long_mode(&rs), all[i].want);
	}
}

static void test_a_rip_in_the_upper_half_is_its_own_linear_address(void **state)
{
	(void)state;
	struct inq_regset rs = {0};
	uint64_t linear = 0;

	inq_reg_set(&rs, X86_64_RIP, 0xffffffff81000000);
	assert_int_equal(x86_64_mode_of(&rs), X86_64_MODE_UNKNOWN);
	assert_int_equal(x86_64_linear_rip(&rs, &linear), 1);
	assert_true(linear == 0xffffffff81000000);
	inq_reg_set(&rs, X86_64_RIP, 0x7fffffffffff);
	assert_int_equal(x86_64_linear_rip(&rs, &linear), 0);
}

static const struct {
	enum x86_64_reg reg;
	uint64_t value;
	const char *text;
} words[] = {
	{X86_64_CR0, 0x80050033, "PE, MP, ET, NE, WP, AM, PG"},
	{X86_64_CR0, 0x80, "bit 7"},
	{X86_64_CR4, 0x1020, "PAE, LA57"},
	{X86_64_EFER, 0x1d01, "SCE, LME, LMA, NXE, SVME"},
	{X86_64_RFLAGS, 0x2, ""},
	{X86_64_RFLAGS, 0x3246, "PF, ZF, IF, IOPL 3"},
	{X86_64_DR6, 0xffff0ff0, ""},
	{X86_64_DR6, 0xffff2ff1, "B0, BD"},
	{X86_64_DR6, 0xffff4ff0, "BS"},
	{X86_64_DR6, 0xfffe07f0, "BLD, RTM"},
	{X86_64_DR7, 0x400, ""},
	{X86_64_DR7, 0x2400, "GD"},
	{X86_64_DR7, 0x2401, "GD, L0 exec 1"},
	{X86_64_DR7, 0xd0000402, "G0 exec 1"},
	{X86_64_DR7, 0xd0000480, "G3 write 4"},
	{X86_64_DR7, 0x00b0040c, "LG1 access 8"},
	{X86_64_CS_SEL, 0x10, "gdt[2] rpl 0"},
	{X86_64_SS_SEL, 0x2f, "ldt[5] rpl 3"},
	{X86_64_DS_SEL, 0, ""},
	{X86_64_CS_BASE, 0x1000, ""},
	{X86_64_CS_ATTR, 0xa09b, "code readable, accessed, dpl 0, 64-bit, pages"},
	{X86_64_SS_ATTR, 0xc0f3, "data writable, accessed, dpl 3, 32-bit, pages"},
	{X86_64_TR_ATTR, 0x8b, "tss busy, dpl 0, 16-bit"},
	{X86_64_DS_ATTR, 0x10000, "unusable"},
	{X86_64_APIC_BASE, 0xfee00900, "BSP, xAPIC, base 0xfee00000"},
	{X86_64_APIC_BASE, 0xfee00c00, "x2APIC, base 0xfee00000"},
	{X86_64_MP_STATE, 0, "runnable"},
	{X86_64_MP_STATE, 3, "halted"},
	{X86_64_MP_STATE, 9, "AP reset hold"},
	{X86_64_MP_STATE, 77, ""},
	{X86_64_EXIT_REASON, 5, "hlt"},
	{X86_64_EXIT_REASON, 8, "shutdown"},
	{X86_64_EXIT_REASON, 17, "internal error"},
	{X86_64_EXIT_REASON, 37, "notify"},
	{X86_64_EXIT_REASON, 39, "memory fault"},
	{X86_64_EXIT_REASON, 40, ""},
	{X86_64_EXC_NR, 14, "#PF"},
	{X86_64_EXC_NR, 9, ""},
	{X86_64_EXC_NR, 255, ""},
	{X86_64_INT_SHADOW, 3, "after MOV SS, after STI"},
	{X86_64_RUN_FLAGS, 1, "smm"},
	{X86_64_RAX, 5, ""},
};

static void test_values_are_said_in_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		char buf[128];
		x86_64_describe(words[i].reg, words[i].value, buf, sizeof(buf));
		assert_string_equal(buf, words[i].text);
	}
}

static void test_all_words_fit_any_buffer(void **state)
{
	(void)state;
	for (int r = 0; r < X86_64_NR_REGS; r++) {
		for (size_t n = 0; n < 40; n++) {
			char buf[64];
			memset(buf, 'z', sizeof(buf));
			x86_64_describe(r, UINT64_MAX, buf, n);
			assert_int_equal(buf[n], 'z');
			assert_true(n == 0 || memchr(buf, 0, n));
		}
	}
}

static void test_msrs_have_names(void **state)
{
	(void)state;
	static const struct {
		uint32_t index;
		const char *name;
	} all[] = {
		{0x1b, "IA32_APIC_BASE"},
		{0x34, "SMI_COUNT"},
		{0x9e, "SMBASE"},
		{0x200, "IA32_MTRR_PHYSBASE0"},
		{0x26f, "IA32_MTRR_FIX4K_F8000"},
		{0x2ff, "IA32_MTRR_DEF_TYPE"},
		{0x401, "IA32_MC0_STATUS"},
		{0x6e0, "IA32_TSC_DEADLINE"},
		{0x830, "IA32_X2APIC_ICR"},
		{0xc0000080, "IA32_EFER"},
		{0xc0000082, "IA32_LSTAR"},
		{0xc0010117, "AMD_VM_HSAVE_PA"},
		{0x4b564d08, "MSR_KVM_MIGRATION_CONTROL"},
	};
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		assert_string_equal(x86_64_msr_name(all[i].index), all[i].name);
	assert_null(x86_64_msr_name(2));
	assert_null(x86_64_msr_name(0xffffffff));
}

static void test_msr_names_are_in_order_and_of_their_own(void **state)
{
	(void)state;
	static const struct {
		uint32_t index;
		const char *name;
	} list[] = {
#define MSR(at, text) {at, text},
#include "arch/x86_64/msr.def"
#undef MSR
	};
	for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++) {
		assert_string_equal(x86_64_msr_name(list[i].index), list[i].name);
		for (size_t k = 0; k < i; k++) {
			assert_true(list[k].index < list[i].index);
			assert_string_not_equal(list[k].name, list[i].name);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_register_has_a_name_of_its_own),
		cmocka_unit_test(test_control_registers_decide_the_mode_and_what_rip_means),
		cmocka_unit_test(test_an_unknown_register_never_changes_the_mode),
		cmocka_unit_test(test_long_mode_is_told_by_what_needs_it),
		cmocka_unit_test(test_a_rip_in_the_upper_half_is_its_own_linear_address),
		cmocka_unit_test(test_values_are_said_in_words),
		cmocka_unit_test(test_all_words_fit_any_buffer),
		cmocka_unit_test(test_msrs_have_names),
		cmocka_unit_test(test_msr_names_are_in_order_and_of_their_own),
	};
	return cmocka_run_group_tests_name("regs", tests, NULL, NULL);
}
