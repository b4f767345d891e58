/* What is said of a vCPU that KVM cannot run on, from made-up exits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/produce.h"

static const uint8_t code[] = {0x0f, 0x01, 0xd8};

static struct kvm_run internal(uint32_t suberror, uint32_t ndata)
{
	struct kvm_run run = {.exit_reason = KVM_EXIT_INTERNAL_ERROR};

	run.internal.suberror = suberror;
	run.internal.ndata = ndata;
	for (unsigned i = 0; i < 16; i++)
		run.internal.data[i] = 0x10 + i;
	return run;
}

static void a_failed_entry_has_its_reason(void **state)
{
	static const struct {
		uint64_t reason;
		const char *text;
	} all[] = {
		{0x80000021, "VM entry failed, hardware reason 0x80000021 (invalid guest state)"},
		{7, "VM entry failed, hardware reason 0x7 (invalid control fields)"},
		{UINT64_MAX,
		 "VM entry failed, hardware reason 0xffffffffffffffff (VMEXIT_INVALID)"},
		{0xffffffff, "VM entry failed, hardware reason 0xffffffff (VMEXIT_INVALID)"},
		{0x1234, "VM entry failed, hardware reason 0x1234"},
		{0, "VM entry failed, hardware reason 0x0"},
	};
	struct kvm_run run = {.exit_reason = KVM_EXIT_FAIL_ENTRY};
	char text[200];

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		run.fail_entry.hardware_entry_failure_reason = all[i].reason;
		vmm_ends_fail_entry(&run, text, sizeof(text));
		assert_string_equal(text, all[i].text);
	}
}

static void emulation_tells_the_instruction_once(void **state)
{
	struct kvm_run run = internal(KVM_INTERNAL_ERROR_EMULATION, 5);
	char text[200];

	(void)state;
	run.emulation_failure.flags = KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES;
	run.emulation_failure.insn_size = 3;
	memcpy(run.emulation_failure.insn_bytes, "\x66\x0f\x6e", 3);
	vmm_ends_internal(&run, code, sizeof(code), text, sizeof(text));
	assert_string_equal(text, "KVM internal error, suberror 1 (emulation), instruction 660f6e, "
				  "data 0x13 0x14");
	run.emulation_failure.insn_size = 255; /* more than there is room for */
	vmm_ends_internal(&run, NULL, 0, text, sizeof(text));
	assert_non_null(strstr(text, "instruction 660f6e"));
	assert_int_equal(strcspn(strstr(text, "instruction ") + 12, ","), 30);
}

static void without_the_flag_memory_is_told(void **state)
{
	struct kvm_run run = internal(KVM_INTERNAL_ERROR_EMULATION, 0);
	char text[200];

	(void)state;
	run.emulation_failure.flags = KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES;
	vmm_ends_internal(&run, code, sizeof(code), text, sizeof(text));
	assert_string_equal(text, "KVM internal error, suberror 1 (emulation), code 0f01d8");
	run.internal.ndata = 3;
	run.emulation_failure.flags = 0;
	vmm_ends_internal(&run, NULL, 0, text, sizeof(text));
	assert_non_null(strstr(text, "(emulation), data 0x0 "));
}

static void every_suberror_has_its_words(void **state)
{
	static const struct {
		uint32_t suberror;
		const char *text;
	} all[] = {
		{2, "KVM internal error, suberror 2 (simultaneous exceptions), code 0f01d8, "
		    "data 0x10 0x11 0x12"},
		{3, "KVM internal error, suberror 3 (event delivery), code 0f01d8, "
		    "data 0x10 0x11 0x12"},
		{4, "KVM internal error, suberror 4 (unexpected exit), code 0f01d8, "
		    "data 0x10 0x11 0x12"},
		{77, "KVM internal error, suberror 77, code 0f01d8, data 0x10 0x11 0x12"},
	};
	char text[200];

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		struct kvm_run run = internal(all[i].suberror, 3);

		vmm_ends_internal(&run, code, sizeof(code), text, sizeof(text));
		assert_string_equal(text, all[i].text);
	}
}

/* 16 at most, whatever is claimed; what has no room is counted. */
static void words_without_room_are_counted(void **state)
{
	struct kvm_run run = internal(KVM_INTERNAL_ERROR_DELIVERY_EV, 1000);
	char text[200];

	(void)state;
	vmm_ends_internal(&run, NULL, 0, text, sizeof(text));
	assert_non_null(strstr(text, "0x10 0x11"));
	assert_non_null(strstr(text, "0x1f"));
	for (size_t n = 1; n < sizeof(text); n++) {
		unsigned told = 0;

		memset(text, 'x', sizeof(text));
		vmm_ends_internal(&run, code, sizeof(code), text, n);
		assert_true(strlen(text) < n);
		const char *left = strchr(text, '+'), *at = strstr(text, "data");
		for (; at && (at = strstr(at, " 0x")); at++)
			told++;
		if (strstr(text, "data"))
			assert_int_equal(told + (left ? strtoul(left, NULL, 10) : 0), 16);
	}
}

static void a_long_end_is_cut_in_the_header(void **state)
{
	static struct vmm_vcpu v = {.index = 63, .end = VMM_END_FAIL_ENTRY};
	struct vmm_why why = {0};

	(void)state;
	memset(v.end_text, 'a', sizeof(v.end_text) - 1);
	vmm_why_ended(&why, &v);
	assert_int_equal(why.reason, INQ_SNAP_WHY_FAIL_ENTRY);
	assert_int_equal(why.vcpu, 63);
	assert_int_equal(strlen(why.text), sizeof(why.text) - 1);
	assert_memory_equal(why.text, "vCPU 63: aaa", 12);
	assert_string_equal(why.text + sizeof(why.text) - 5, "a...");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failed_entry_has_its_reason),
		cmocka_unit_test(emulation_tells_the_instruction_once),
		cmocka_unit_test(without_the_flag_memory_is_told),
		cmocka_unit_test(every_suberror_has_its_words),
		cmocka_unit_test(words_without_room_are_counted),
		cmocka_unit_test(a_long_end_is_cut_in_the_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
