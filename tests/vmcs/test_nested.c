/* Nested state, made with the kernel's own structure: what is told, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86_64/regs.h"
#include "vmcs/fields.h"
#include "vmcs/nested.h"

enum { WHOLE = sizeof(struct kvm_nested_state) + VMCS12_BYTES };

static struct kvm_nested_state *state_of(unsigned int format, unsigned int flags, uint32_t size)
{
	struct kvm_nested_state *s = calloc(1, WHOLE);

	assert_non_null(s);
	s->flags = (uint16_t)flags;
	s->format = (uint16_t)format;
	s->size = size;
	return s;
}

static uint8_t *block_of(struct kvm_nested_state *s)
{
	return (uint8_t *)s + sizeof(*s);
}

static void put(uint8_t *block, size_t off, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		block[off + i] = (uint8_t)(v >> (8 * i));
}

static void put_field(uint8_t *block, enum vmcs_field f, uint64_t v)
{
	put(block, vmcs_field_info[f].off, v, vmcs_field_info[f].bytes);
}

static void test_fields_keep_to_themselves(void **state)
{
	(void)state;
	uint8_t block[VMCS12_BYTES] = {0};

	for (int f = 0; f < VMCS_NR_FIELDS; f++) {
		const struct vmcs_field_info *a = &vmcs_field_info[f];
		/* bits 14:13 of an encoding are the width: 16, 64, 32 bits, natural */
		static const uint8_t bytes[] = {2, 8, 4, 8};
		if (a->encoding != VMCS_NO_ENCODING)
			assert_int_equal(a->bytes, bytes[a->encoding >> 13 & 3]);
		assert_true(a->off + a->bytes <= VMCS12_BYTES && a->off % a->bytes == 0);
		for (int g = 0; g < f; g++)
			assert_true(vmcs_field_info[g].off + vmcs_field_info[g].bytes <= a->off ||
				    a->off + a->bytes <= vmcs_field_info[g].off);
		put_field(block, (enum vmcs_field)f, 0x0123456789abcd00 + (uint64_t)f);
	}
	for (int f = 0; f < VMCS_NR_FIELDS; f++) {
		uint64_t want = 0x0123456789abcd00 + (uint64_t)f;
		if (vmcs_field_info[f].bytes < 8)
			want &= (UINT64_C(1) << 8 * vmcs_field_info[f].bytes) - 1;
		assert_true(vmcs12_get(block, (enum vmcs_field)f) == want);
	}
}

static void test_vmx(void **state)
{
	(void)state;
	struct kvm_nested_state *s =
		state_of(KVM_STATE_NESTED_FORMAT_VMX, KVM_STATE_NESTED_GUEST_MODE, WHOLE);
	uint8_t *b = block_of(s);
	struct vmcs_nested n;
	struct inq_regset now = {0}, rs = {0};
	uint64_t root = 0;

	s->hdr.vmx.vmcs12_pa = 0x17000;
	put(b, 0, VMCS12_REVISION | 1u << 31, 4); /* bit 31: a shadow VMCS, the same revision */
	put_field(b, VMCS_EPT_POINTER, 0x1001e);
	put_field(b, VMCS_SECONDARY_VM_EXEC_CONTROL, 2);
	assert_int_equal(vmcs_nested_parse(s, WHOLE, &n, NULL), INQ_OK);
	assert_true(n.guest_mode && !n.run_pending && n.block == b && n.block_pa == 0x17000);
	assert_false(vmcs_nested_paging(&n, &root)); /* secondary controls are not in use */
	put_field(b, VMCS_CPU_BASED_VM_EXEC_CONTROL, 1u << 31);
	assert_true(vmcs_nested_paging(&n, &root) && root == 0x1001e);

	put_field(b, VMCS_GUEST_CR0, 0x80000011);
	put_field(b, VMCS_GUEST_CR3, 0x400000);
	put_field(b, VMCS_GUEST_CR4, 0x20);
	put_field(b, VMCS_GUEST_IA32_EFER, 0xd01);
	put_field(b, VMCS_GUEST_PDPTR3, 0x3001);
	put_field(b, VMCS_HOST_CR3, 0x14000);
	assert_true(vmcs_nested_guest_regs(&n, &now, &rs));
	assert_true(rs.v[X86_64_CR0] == 0x80000011 && rs.v[X86_64_CR3] == 0x400000);
	assert_true(rs.v[X86_64_CR4] == 0x20 && rs.v[X86_64_PDPTR3] == 0x3001);
	assert_false(inq_reg_known(&rs, X86_64_EFER)); /* neither loaded nor known before */
	inq_reg_set(&now, X86_64_EFER, 0xd00);
	assert_true(vmcs_nested_guest_regs(&n, &now, &rs));
	assert_true(rs.v[X86_64_EFER] == 0x800); /* stays, without IA-32e mode */
	put_field(b, VMCS_VM_ENTRY_CONTROLS, 1u << 9);
	assert_true(vmcs_nested_guest_regs(&n, &now, &rs) && rs.v[X86_64_EFER] == 0xd00);
	put_field(b, VMCS_VM_ENTRY_CONTROLS, 1u << 15);
	assert_true(vmcs_nested_guest_regs(&n, &now, &rs) && rs.v[X86_64_EFER] == 0xd01);
	assert_true(vmcs_nested_host_regs(&n, &now, &rs) && rs.v[X86_64_CR3] == 0x14000);
	free(s);
}

static void test_svm(void **state)
{
	(void)state;
	struct kvm_nested_state *s =
		state_of(KVM_STATE_NESTED_FORMAT_SVM,
			 KVM_STATE_NESTED_GUEST_MODE | KVM_STATE_NESTED_RUN_PENDING | 0x100, WHOLE);
	uint8_t *b = block_of(s);
	struct vmcs_nested n;
	struct inq_regset now = {0}, rs = {0};
	uint64_t root = 0;

	s->hdr.svm.vmcb_pa = 0x18000;
	put(b, 0xb0, 0x10000, 8);
	assert_int_equal(vmcs_nested_parse(s, WHOLE, &n, NULL), INQ_OK);
	assert_true(n.format == VMCS_SVM && n.run_pending && n.block_pa == 0x18000);
	assert_false(vmcs_nested_paging(&n, &root));
	put(b, 0x90, 1, 8);
	assert_true(vmcs_nested_paging(&n, &root) && root == 0x10000);
	put(b, 0x400 + 0x150, 0x14000, 8);
	put(b, 0x400 + 0xd0, 0x1d01, 8);
	assert_true(vmcs_nested_host_regs(&n, &now, &rs));
	assert_true(rs.v[X86_64_CR3] == 0x14000 && rs.v[X86_64_EFER] == 0x1d01);
	put(b, 0x400 + 0x178, 0x1234, 8);
	put(b, 0x400 + 0x1d8, 0x5678, 8);
	assert_true(vmcs_nested_host_regs(&n, &now, &rs));
	assert_true(rs.v[X86_64_RIP] == 0x1234 && rs.v[X86_64_RSP] == 0x5678);
	assert_false(vmcs_nested_guest_regs(&n, &now, &rs)); /* they are the CPU's own */
	free(s);
}

static void test_without_a_guest_there_is_no_block(void **state)
{
	(void)state;
	struct kvm_nested_state *s = state_of(KVM_STATE_NESTED_FORMAT_VMX, 0, sizeof(*s));
	struct vmcs_nested n;
	struct inq_regset rs = {0};
	uint64_t root;

	s->hdr.vmx.vmcs12_pa = UINT64_MAX;
	assert_int_equal(vmcs_nested_parse(s, WHOLE, &n, NULL), INQ_OK);
	assert_true(!n.guest_mode && !n.block && n.block_pa == UINT64_MAX);
	assert_false(vmcs_nested_paging(&n, &root) || vmcs_nested_guest_regs(&n, &rs, &rs) ||
		     vmcs_nested_host_regs(&n, &rs, &rs));
	free(s);
}

static void test_what_is_refused(void **state)
{
	(void)state;
	struct kvm_nested_state *s =
		state_of(KVM_STATE_NESTED_FORMAT_VMX, KVM_STATE_NESTED_GUEST_MODE, WHOLE);
	struct vmcs_nested n;
	struct inq_err err;

	assert_int_equal(vmcs_nested_parse(s, WHOLE, &n, &err), INQ_EUNSUPPORTED);
	assert_string_equal(err.msg, "nested state: vmcs12 of revision 0x0, expected 0x11e57ed0");
	put(block_of(s), 0, VMCS12_REVISION, 4);
	for (size_t i = 0; i < WHOLE; i++) /* it says more than there is */
		assert_int_equal(vmcs_nested_parse(s, i, &n, &err), INQ_ECORRUPT);
	s->size = 127;
	assert_int_equal(vmcs_nested_parse(s, WHOLE, &n, &err), INQ_ECORRUPT);
	s->size = WHOLE - 1; /* not a whole block: none */
	assert_int_equal(vmcs_nested_parse(s, WHOLE, &n, &err), INQ_OK);
	assert_null(n.block);
	s->format = 2;
	assert_int_equal(vmcs_nested_parse(s, WHOLE, &n, &err), INQ_EUNSUPPORTED);
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields_keep_to_themselves),
		cmocka_unit_test(test_vmx),
		cmocka_unit_test(test_svm),
		cmocka_unit_test(test_without_a_guest_there_is_no_block),
		cmocka_unit_test(test_what_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
