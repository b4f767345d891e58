/* Checks of a VM entry: a VMCS that a processor takes passes, and each mistake fails its own check.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "vmcs/entry_check.h"

static uint8_t block[VMCS12_BYTES];
static struct vmcs_checked c = {.vmcs12 = block};

static void put(enum vmcs_field f, uint64_t v)
{
	for (unsigned int i = 0; i < vmcs_field_info[f].bytes; i++)
		block[vmcs_field_info[f].off + i] = (uint8_t)(v >> (8 * i));
}

static void cap(unsigned int msr, uint64_t v)
{
	c.cap[msr - VMCS_CAP_FIRST] = v;
	c.caps_known |= 1U << (msr - VMCS_CAP_FIRST);
}

/* A 64-bit guest of a 64-bit hypervisor, without EPT. */
static void make_valid(void)
{
	static const struct {
		enum vmcs_field f;
		uint64_t v;
	} fields[] = {
		{VMCS_PIN_BASED_VM_EXEC_CONTROL, 0x16},
		{VMCS_CPU_BASED_VM_EXEC_CONTROL, 0x4806172},
		{VMCS_VM_EXIT_CONTROLS, 0x36fff},
		{VMCS_VM_ENTRY_CONTROLS, 0x13ff},
		{VMCS_HOST_CR0, 0x80000031},
		{VMCS_HOST_CR4, 0x2020},
		{VMCS_HOST_CS_SELECTOR, 8},
		{VMCS_HOST_TR_SELECTOR, 0x18},
		{VMCS_GUEST_CR0, 0x80000031},
		{VMCS_GUEST_CR4, 0x2020},
		{VMCS_GUEST_CS_LIMIT, UINT32_MAX},
		{VMCS_GUEST_CS_AR_BYTES, 0xa09b},
		{VMCS_GUEST_SS_AR_BYTES, 0xc093},
		{VMCS_GUEST_DS_AR_BYTES, 0x10000},
		{VMCS_GUEST_ES_AR_BYTES, 0x10000},
		{VMCS_GUEST_FS_AR_BYTES, 0x10000},
		{VMCS_GUEST_GS_AR_BYTES, 0x10000},
		{VMCS_GUEST_LDTR_AR_BYTES, 0x10000},
		{VMCS_GUEST_TR_AR_BYTES, 0x8b},
		{VMCS_GUEST_RFLAGS, 0x202},
		{VMCS_VMCS_LINK_POINTER, UINT64_MAX},
	};

	memset(block, 0, sizeof(block));
	c = (struct vmcs_checked){.vmcs12 = block, .maxphyaddr = 40};
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		put(fields[i].f, fields[i].v);
	cap(0x480, UINT64_C(1) << 55);
	cap(0x485, 0x40000 | 7 << 6);
	cap(0x486, 0x80000021);
	cap(0x487, UINT32_MAX);
	cap(0x488, 0x2000);
	cap(0x489, 0x3727ff);
	cap(0x48d, UINT64_C(0x7f00000016));
	cap(0x48e, UINT64_C(0xfff9fffe04006172));
	cap(0x48f, UINT64_C(0xffffff00036dfb));
	cap(0x490, UINT64_C(0xffff000011fb));
}

/* The ids that fail, in their order, or that are unknown. */
static const char *those(enum vmcs_verdict verdict)
{
	static char text[2000];
	const struct vmcs_entry_check *e;

	text[0] = '\0';
	for (size_t i = 0; (e = vmcs_entry_check_at(i)); i++) {
		if (vmcs_entry_verdict(i, &c) != verdict)
			continue;
		strncat(text, *text ? " " : "", sizeof(text) - strlen(text) - 1);
		strncat(text, e->id, sizeof(text) - strlen(text) - 1);
	}
	return text;
}

static void test_a_valid_one_passes(void **state)
{
	(void)state;
	make_valid();
	assert_string_equal(those(VMCS_FAIL), "");
	assert_string_equal(those(VMCS_UNKNOWN_MSR), "");
	c.caps_known = 0;
	assert_string_equal(those(VMCS_FAIL), "");
	assert_string_equal(those(VMCS_UNKNOWN_MSR),
			    "pin-reserved proc-reserved cr3-target-count exit-reserved "
			    "entry-reserved host-cr0 host-cr4 guest-cr0 guest-cr4");
}

static void test_unknown_tells_what_is_lacking(void **state)
{
	(void)state;
	make_valid();
	c.maxphyaddr = 0;
	put(VMCS_HOST_CR3, UINT64_C(1) << 33);
	put(VMCS_HOST_FS_BASE, UINT64_C(1) << 50);
	assert_string_equal(those(VMCS_UNKNOWN_WIDTH), "host-cr3");
	assert_string_equal(those(VMCS_UNKNOWN_LEVELS), "host-fs-base");
	assert_string_equal(those(VMCS_FAIL), "");
	for (int v = VMCS_UNKNOWN_LEVELS; v <= VMCS_PASS; v++)
		assert_int_equal(vmcs_verdict_lacks((enum vmcs_verdict)v) != NULL, v < VMCS_FAIL);
}

static void test_each_mistake_fails_its_own_check(void **state)
{
	static const struct {
		enum vmcs_field f;
		uint64_t v;
		const char *fails;
	} mistakes[] = {
		{VMCS_PIN_BASED_VM_EXEC_CONTROL, 0, "pin-reserved"},
		{VMCS_PIN_BASED_VM_EXEC_CONTROL, 0x36, "virtual-nmis"},
		{VMCS_CPU_BASED_VM_EXEC_CONTROL, 0, "proc-reserved"},
		{VMCS_CPU_BASED_VM_EXEC_CONTROL, 0x4c06172, "nmi-window"},
		{VMCS_CR3_TARGET_COUNT, 5, "cr3-target-count"},
		{VMCS_VM_EXIT_CONTROLS, 0x436fff, "save-timer"},
		{VMCS_VM_ENTRY_INTR_INFO_FIELD, 0x80000120, "event-type"},
		{VMCS_VM_ENTRY_INTR_INFO_FIELD, 0x80000203, "event-vector"},
		{VMCS_VM_ENTRY_INTR_INFO_FIELD, 0x80001202, "event-reserved"},
		{VMCS_HOST_CS_SELECTOR, 0, "host-cs"},
		{VMCS_HOST_TR_SELECTOR, 3, "host-tr"},
		{VMCS_HOST_CR4, 0x20, "host-cr4"},
		{VMCS_HOST_CR4, 0x2000, "host-pae"},
		{VMCS_HOST_RIP, UINT64_C(1) << 60, "host-rip"},
		{VMCS_HOST_CR3, UINT64_C(1) << 40, "host-cr3"},
		{VMCS_GUEST_CR4, 0x20, "guest-cr4"},
		{VMCS_GUEST_CR0, 0x80000011, "guest-cr0"},
		{VMCS_GUEST_DR7, UINT64_C(1) << 32, "guest-dr7"},
		{VMCS_GUEST_LDTR_AR_BYTES, 0, "guest-ldtr"},
		{VMCS_GUEST_TR_AR_BYTES, 0x89, "guest-tr"},
		{VMCS_GUEST_TR_AR_BYTES, 0x10000, "guest-tr"},
		{VMCS_GUEST_RFLAGS, 0x200, "guest-rflags"},
		{VMCS_GUEST_DS_AR_BYTES, 0, "guest-ds"},
		{VMCS_GUEST_CS_LIMIT, 0, "guest-cs-limit"},
		{VMCS_GUEST_CS_AR_BYTES, 0xe09b, "guest-cs-mode"},
		{VMCS_GUEST_ACTIVITY_STATE, 4, "activity"},
		{VMCS_GUEST_INTERRUPTIBILITY_INFO, 3, "interruptibility"},
		{VMCS_VMCS_LINK_POINTER, 0x1001, "link-pointer"},
		{VMCS_GUEST_GDTR_LIMIT, 0x10000, "guest-gdtr-limit"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(*mistakes); i++) {
		make_valid();
		put(mistakes[i].f, mistakes[i].v);
		assert_string_equal(those(VMCS_FAIL), mistakes[i].fails);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_valid_one_passes),
		cmocka_unit_test(test_unknown_tells_what_is_lacking),
		cmocka_unit_test(test_each_mistake_fails_its_own_check),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
