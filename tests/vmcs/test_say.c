/* What values of VMCS and VMCB fields say, and that their tables hold together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "vmcs/fields.h"
#include "vmcs/vmcb.h"

static uint8_t block[VMCS12_BYTES];

static void put(size_t off, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		block[off + i] = (uint8_t)(v >> (8 * i));
}

static void vmcs_says(enum vmcs_field f, uint64_t v, const char *want)
{
	char text[200];

	put(vmcs_field_info[f].off, v, vmcs_field_info[f].bytes);
	vmcs12_say(block, f, text, sizeof(text));
	assert_string_equal(text, want);
}

static void vmcb_says(enum vmcb_field f, uint64_t v, const char *want)
{
	char text[200];

	put(vmcb_field_info[f].off, v, vmcb_field_info[f].bytes > 8 ? 8 : vmcb_field_info[f].bytes);
	vmcb_say(block, f, text, sizeof(text));
	assert_string_equal(text, want);
}

static void test_tables_hold_together(void **state)
{
	(void)state;
	for (int f = 0; f < VMCS_NR_FIELDS; f++) {
		/* bits 11:10 of an encoding: control, read-only, guest, host */
		static const uint8_t type[] = {[VMCS_INFO] = 1, [VMCS_GUEST] = 2, [VMCS_HOST] = 3};
		const struct vmcs_field_info *a = &vmcs_field_info[f];
		if (a->group != VMCS_HEAD)
			assert_int_equal(a->group < VMCS_INFO ? 0 : type[a->group],
					 a->encoding >> 10 & 3);
		for (int g = 0; g < f; g++)
			assert_true(!strcmp(a->name, vmcs_field_info[g].name) == 0 &&
				    (a->encoding != vmcs_field_info[g].encoding ||
				     a->encoding == VMCS_NO_ENCODING));
	}
	for (int f = 1; f < VMCB_NR_FIELDS; f++) {
		const struct vmcb_field_info *a = &vmcb_field_info[f - 1], *b = a + 1;
		assert_true(a->off + a->bytes <= b->off && b->off + b->bytes <= VMCB_BYTES);
		assert_int_equal(b->group == VMCB_SAVE, b->off >= VMCB_SAVE_OFF);
	}
	for (size_t i = 1; vmcs_bit_at(i); i++) {
		const struct vmcs_bit *a = vmcs_bit_at(i - 1), *b = vmcs_bit_at(i);
		assert_true(a->set < b->set || (a->set == b->set && a->nr < b->nr));
		assert_non_null(vmcs_say_source(b->set));
		assert_true(b->nr < 64);
	}
}

static void test_vmcs_values(void **state)
{
	(void)state;
	vmcs_says(VMCS_PIN_BASED_VM_EXEC_CONTROL, 0x3f,
		  "external-interrupt exiting, NMI exiting, virtual NMIs");
	vmcs_says(VMCS_CPU_BASED_VM_EXEC_CONTROL, 0x4806172, "MOV-DR exiting");
	vmcs_says(VMCS_VM_ENTRY_CONTROLS, 0x80013ff, "load debug controls, IA-32e guest, bit 27");
	vmcs_says(VMCS_VM_ENTRY_INTR_INFO_FIELD, 0x80000b0e, "hardware exception, #PF, error code");
	vmcs_says(VMCS_VM_ENTRY_INTR_INFO_FIELD, 0x30e, "");
	vmcs_says(VMCS_IDT_VECTORING_INFO_FIELD, 0x80000031, "external interrupt, vector 49");
	vmcs_says(VMCS_GUEST_INTERRUPTIBILITY_INFO, 9, "blocking by STI, blocking by NMI");
	vmcs_says(VMCS_GUEST_ACTIVITY_STATE, 3, "wait for SIPI");
	vmcs_says(VMCS_GUEST_ACTIVITY_STATE, 4, "0x4, which has no name");
	vmcs_says(VMCS_GUEST_DR7, 0x2400, "GD");
	vmcs_says(VMCS_GUEST_TR_AR_BYTES, 0x8b, "tss busy, dpl 0, 16-bit");
	vmcs_says(VMCS_GUEST_LDTR_AR_BYTES, 0x10000, "unusable");
	vmcs_says(VMCS_VMCS_LINK_POINTER, UINT64_MAX, "none");
	vmcs_says(VMCS_EPT_POINTER, 0x1005e, "tables at 0x10000, 4 levels, WB, accessed and dirty");
	vmcs_says(VMCS_GUEST_IA32_PAT, 0x0007040600070402, "invalid, WT, UC-, UC, WB, WT, UC-, UC");
	vmcs_says(VMCS_EXCEPTION_BITMAP, 0x60042, "#DB, #UD, #AC, #MC");
	vmcs_says(VMCS_VM_INSTRUCTION_ERROR, 7, "entry with invalid control fields");
	vmcs_says(VMCS_REVISION, 0x91e57ed0, "KVM's, a shadow VMCS");
}

static void test_a_qualification_is_read_by_its_reason(void **state)
{
	(void)state;
	vmcs_says(VMCS_VM_EXIT_REASON, 0x80000021,
		  "entry failed: invalid guest state, VM-entry failure");
	vmcs_says(VMCS_EXIT_QUALIFICATION, 4, "the VMCS link pointer");
	vmcs_says(VMCS_VM_EXIT_REASON, 0x80000022, "entry failed: MSR loading, VM-entry failure");
	vmcs_says(VMCS_EXIT_QUALIFICATION, 2, "entry 2 of the VM-entry MSR-load list");
	vmcs_says(VMCS_VM_EXIT_REASON, 48, "EPT violation");
	vmcs_says(VMCS_EXIT_QUALIFICATION, 0x182, "write, linear address valid, final address");
	vmcs_says(VMCS_VM_EXIT_REASON, 30, "I/O instruction");
	vmcs_says(VMCS_EXIT_QUALIFICATION, 0x3f80001, "OUT port 0x3f8, 2 bytes");
	vmcs_says(VMCS_VM_EXIT_REASON, 28, "control-register access");
	vmcs_says(VMCS_EXIT_QUALIFICATION, 0x313, "MOV from CR3, register 3");
	vmcs_says(VMCS_EXIT_QUALIFICATION, 0x10030, "LMSW, 0x1");
	vmcs_says(VMCS_VM_EXIT_REASON, 29, "MOV DR");
	vmcs_says(VMCS_EXIT_QUALIFICATION, 0x17, "MOV from DR7, register 0");
	vmcs_says(VMCS_VM_EXIT_REASON, 9, "task switch");
	vmcs_says(VMCS_EXIT_QUALIFICATION, 0xc0000028, "to selector 0x28 by task gate");
	vmcs_says(VMCS_VM_EXIT_REASON, 0, "exception or NMI");
	vmcs_says(VMCS_VM_EXIT_INTR_INFO, 0x80000b0e, "hardware exception, #PF, error code");
	vmcs_says(VMCS_EXIT_QUALIFICATION, 0x1000, "address 0x1000");
	vmcs_says(VMCS_VM_EXIT_INTR_INFO, 0x80000301, "hardware exception, #DB");
	vmcs_says(VMCS_EXIT_QUALIFICATION, 0x2000, "BD");
	vmcs_says(VMCS_VM_EXIT_REASON, 99, "0x63, which has no name");
	vmcs_says(VMCS_VM_EXIT_REASON, UINT32_MAX, "");
}

static void test_vmcb_values(void **state)
{
	(void)state;
	vmcb_says(VMCB_EXIT_CODE, UINT64_MAX, "invalid: VMRUN was refused");
	vmcb_says(VMCB_EXIT_CODE, 0x400, "nested page fault");
	vmcb_says(VMCB_EXIT_INFO_1, UINT64_C(0x100000006), "W, U, final address");
	vmcb_says(VMCB_EXIT_CODE, 0x7b, "I/O");
	vmcb_says(VMCB_EXIT_INFO_1, 0x00710211, "IN port 0x71, 8-bit, address64");
	vmcb_says(VMCB_EXIT_CODE, 0x7c, "MSR");
	vmcb_says(VMCB_EXIT_INFO_1, 1, "WRMSR");
	vmcb_says(VMCB_INT_CTL, 0x1030105, "V_TPR 0x5, V_IRQ, V_INTR_MASKING, priority 3");
	vmcb_says(VMCB_INTERCEPT_MISC2, 1, "VMRUN");
	vmcb_says(VMCB_EVENT_INJ, 0x80000202, "NMI, vector 2");
	vmcb_says(VMCB_CS_ATTRIB, 0xa9b, "code readable, accessed, dpl 0, 64-bit, pages");
	vmcb_says(VMCB_INSN_BYTES, 0x0807060504030201, "010203040506070800000000000000");
	vmcb_says(VMCB_TLB_CTL, 3, "flush this guest's entries");
	vmcb_says(VMCB_DR7, 0x2400, "GD");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables_hold_together),
		cmocka_unit_test(test_vmcs_values),
		cmocka_unit_test(test_a_qualification_is_read_by_its_reason),
		cmocka_unit_test(test_vmcb_values),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
