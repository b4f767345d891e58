/* Page-table roots out of made-up states: each mode, both nested formats, SMM; and what is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/roots.h"

enum { NESTED_BYTES = 128 + 8192 };

struct fixture {
	struct vmm_state s;
	struct vmm_memory *mem;
	struct kvm_msr_entry smbase;
	uint8_t nested[NESTED_BYTES];
};

static int setup(void **state)
{
	static const uint64_t window = 0x400000;
	struct fixture *f = calloc(1, sizeof(*f));
	struct inq_err err;

	if (!f || vmm_memory_create(&f->mem, 16, &window, 1, true, &err))
		return -1;
	f->smbase = (struct kvm_msr_entry){.index = 0x9e, .data = window};
	f->s.sregs2 = (struct kvm_sregs2){
		.cr0 = 0x80000011, .cr3 = 0x1234005, .cr4 = 0x20, .efer = 0x500};
	f->s.sregs.cr3 = 0x777000;
	f->s.msrs = &f->smbase;
	f->s.nr_msrs = 1;
	f->s.nested = f->nested;
	f->s.nested_bytes = NESTED_BYTES;
	f->s.state[INQ_SNAP_NESTED] = INQ_SNAP_ABSENT;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	vmm_memory_destroy(f->mem);
	free(f);
	return 0;
}

static struct inq_snap_roots roots(const struct fixture *f)
{
	struct inq_snap_roots r;

	assert_true(vmm_roots_of(&f->s, f->mem, &r));
	return r;
}

static void put64(uint8_t *p, size_t off, uint64_t v)
{
	memcpy(p + off, &v, sizeof(v));
}

static void test_levels(void **state)
{
	struct fixture *f = *state;
	struct kvm_sregs2 *q = &f->s.sregs2;

	assert_int_equal(roots(f).levels, 4);
	assert_int_equal(roots(f).cr3, 0x1234005);
	q->cr4 |= 0x1000;
	assert_int_equal(roots(f).levels, 5);
	q->efer = 0;
	q->cr4 = 0x20;
	assert_int_equal(roots(f).levels, 3);
	assert_false(roots(f).flags & INQ_ROOTS_PDPTRS);
	q->flags = 1;
	q->pdptrs[3] = 0x9001;
	assert_true(roots(f).flags & INQ_ROOTS_PDPTRS);
	assert_int_equal(roots(f).pdptr[3], 0x9001);
	q->cr4 = 0;
	assert_int_equal(roots(f).levels, 2);
	assert_int_equal(roots(f).pdptr[3], 0);
	q->cr0 = 0x11;
	assert_int_equal(roots(f).levels, 0);
	assert_int_equal(roots(f).flags, INQ_ROOTS_CR3);
}

static void test_without_sregs2(void **state)
{
	struct fixture *f = *state;
	struct inq_snap_roots r;

	f->s.state[INQ_SNAP_SREGS2] = INQ_SNAP_ABSENT;
	assert_int_equal(roots(f).cr3, 0x777000);
	f->s.state[INQ_SNAP_SREGS] = INQ_SNAP_FAILED;
	assert_false(vmm_roots_of(&f->s, f->mem, &r));
}

static void nested_header(struct fixture *f, uint16_t flags, uint16_t format, uint32_t size)
{
	struct kvm_nested_state h = {.flags = flags, .format = format, .size = size};

	memcpy(f->nested, &h, sizeof(h));
	f->s.state[INQ_SNAP_NESTED] = INQ_SNAP_PRESENT;
}

static void test_vmcs12(void **state)
{
	struct fixture *f = *state;
	uint32_t primary = 1u << 31, secondary = 2;

	nested_header(f, KVM_STATE_NESTED_GUEST_MODE, KVM_STATE_NESTED_FORMAT_VMX, 128 + 4096);
	put64(f->nested + 128, 120, 0x55501e);
	put64(f->nested + 128, 592, 0x444000);
	assert_int_equal(roots(f).outer_cr3, 0x444000);
	assert_false(roots(f).flags & INQ_ROOTS_NESTED); /* not switched on */
	memcpy(f->nested + 128 + 748, &primary, 4);
	memcpy(f->nested + 128 + 804, &secondary, 4);
	assert_int_equal(roots(f).nested, 0x55501e);
	assert_true(roots(f).flags & INQ_ROOTS_EPT);
	nested_header(f, KVM_STATE_NESTED_GUEST_MODE, KVM_STATE_NESTED_FORMAT_VMX, 128 + 4095);
	assert_int_equal(roots(f).flags, INQ_ROOTS_CR3 | INQ_ROOTS_GUEST_MODE);
	nested_header(f, 0, KVM_STATE_NESTED_FORMAT_VMX, 128 + 4096);
	assert_int_equal(roots(f).flags, INQ_ROOTS_CR3);
}

static void test_vmcb12(void **state)
{
	struct fixture *f = *state;

	nested_header(f, KVM_STATE_NESTED_GUEST_MODE, KVM_STATE_NESTED_FORMAT_SVM, 128 + 4096);
	put64(f->nested + 128, 0xb0, 0x666000);
	put64(f->nested + 128, 0x400 + 0x150, 0x333000);
	assert_int_equal(roots(f).outer_cr3, 0x333000);
	assert_false(roots(f).flags & INQ_ROOTS_NESTED);
	put64(f->nested + 128, 0x90, 1);
	assert_int_equal(roots(f).nested, 0x666000);
	assert_false(roots(f).flags & INQ_ROOTS_EPT);
	f->s.nested_bytes = 128 + 100;
	assert_int_equal(roots(f).flags, INQ_ROOTS_CR3 | INQ_ROOTS_GUEST_MODE);
}

static void test_smm(void **state)
{
	struct fixture *f = *state;
	uint8_t *area = f->mem->smram;

	area[0xfefc] = 0x64;
	area[0xfefe] = 2;
	put64(area, 0xff50, 0x123456789000);
	put64(area, 0xfff8, 0xabc000);
	assert_false(roots(f).flags & INQ_ROOTS_SMM);
	f->s.events.smi.smm = 1;
	assert_int_equal(roots(f).smm_cr3, 0x123456789000);
	f->smbase.data += 0x8000; /* the guest moved it: the area is behind the window, in RAM */
	put64(vmm_memory_at(f->mem, 1, f->smbase.data + 0xfff8, 8), 0, 0xdef000);
	assert_int_equal(roots(f).smm_cr3, 0xdef000);
	f->smbase.data = 0xb8000; /* begins where no memory is */
	put64(vmm_memory_at(f->mem, 1, f->smbase.data + 0xfff8, 8), 0, 0xfed000);
	assert_int_equal(roots(f).smm_cr3, 0xfed000);
	f->smbase.data = 0x400000;
	area[0xfefc] = 0;
	assert_int_equal(roots(f).smm_cr3, 0xabc000);
	f->smbase.reserved = 1; /* KVM refused to tell SMBASE */
	assert_int_equal(roots(f).flags, INQ_ROOTS_CR3 | INQ_ROOTS_SMM);
	f->smbase = (struct kvm_msr_entry){.index = 0x9e, .data = UINT64_MAX - 5};
	assert_int_equal(roots(f).flags, INQ_ROOTS_CR3 | INQ_ROOTS_SMM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_levels, setup, teardown),
		cmocka_unit_test_setup_teardown(test_without_sregs2, setup, teardown),
		cmocka_unit_test_setup_teardown(test_vmcs12, setup, teardown),
		cmocka_unit_test_setup_teardown(test_vmcb12, setup, teardown),
		cmocka_unit_test_setup_teardown(test_smm, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
