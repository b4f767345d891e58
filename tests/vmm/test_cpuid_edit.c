/* CPUID changes: names, raw bits, and the lines that wrong ones get. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/cpuid.h"
#include "vmm/cpuid_edit.h"

/* A KVM that offers x2apic, pdpe1gb and a leaf 7 with smep; nothing else. */
static struct kvm_cpuid2 *table(void)
{
	struct kvm_cpuid2 *t = calloc(1, sizeof(*t) + 3 * sizeof(t->entries[0]));

	t->nent = 3;
	t->entries[0] = (struct kvm_cpuid_entry2){.function = 1, .ecx = 1 << 21};
	t->entries[1] = (struct kvm_cpuid_entry2){.function = 0x80000001, .edx = 1 << 26};
	t->entries[2] = (struct kvm_cpuid_entry2){
		.function = 7, .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX, .ebx = 1 << 7};
	return t;
}

static void names_and_bits_change_the_table(void **state)
{
	struct kvm_cpuid2 *t = table();
	struct inq_err err;

	(void)state;
	assert_int_equal(vmm_features_edit("-pdpe1gb,+x2apic,-smep", t, &err), INQ_OK);
	assert_int_equal(t->entries[0].ecx, 1 << 21);
	assert_int_equal(t->entries[1].edx, 0);
	assert_int_equal(t->entries[2].ebx, 0);
	assert_int_equal(vmm_features_edit("0x80000001:edx.26=1,7.0:ebx.20=1,1:ecx.21=0", t, &err),
			 INQ_OK);
	assert_int_equal(t->entries[0].ecx, 0);
	assert_int_equal(t->entries[1].edx, 1 << 26);
	assert_int_equal(t->entries[2].ebx, 1 << 20);
	free(t);
}

static void what_kvm_lacks_is_not_given(void **state)
{
	struct kvm_cpuid2 *t = table();
	struct inq_err err;

	(void)state;
	assert_int_equal(vmm_features_edit("+la57", t, &err), INQ_EUNSUPPORTED);
	assert_string_equal(err.msg, "/dev/kvm: cannot give a guest la57; leave it out of --cpuid");
	assert_int_equal(vmm_features_edit("0x8000000a:edx.0=1", t, &err), INQ_EUNSUPPORTED);
	assert_int_equal(vmm_features_edit("-svm", t, &err), INQ_OK); /* had none before */
	free(t);
}

static void wrong_words_are_refused(void **state)
{
	static const char *const wrong[] = {"",        ",",          "+",          "-nx,",
					    "x2apic",  "1:efx.1=0",  "1:eax.32=0", "1:eax.1=2",
					    "1:eax.1", "-1:eax.1=0", "1:eax.1=0x", "+x2apik"};
	struct inq_err err;
	struct vmm_feature f;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_int_equal(vmm_features_edit(wrong[i], NULL, &err), INQ_EUSAGE);
	assert_string_equal(err.msg, "--cpuid: unknown feature x2apik; did you mean x2apic?");
	assert_true(vmm_feature_count() >= 120);
	assert_true(vmm_feature_find("svm", &f));
	assert_int_equal(f.leaf, 0x80000001);
	assert_int_equal(f.bit, 2);
}

static void a_guest_knows_its_hypervisor_and_its_timer(void **state)
{
	struct kvm_cpuid2 *t = table();

	(void)state;
	t->entries[2].ecx = 1 << 7 | 1 << 2;
	vmm_cpuid_offer(t, false);
	assert_int_equal(t->entries[0].ecx, 1u << 31 | 1 << 21);
	vmm_cpuid_offer(t, true);
	assert_int_equal(t->entries[0].ecx, 1u << 31 | 1 << 24 | 1 << 21);
	assert_int_equal(t->entries[2].ecx, 1 << 2); /* no shadow stacks */
	assert_int_equal(t->entries[1].ecx, 0);      /* of leaf 0x80000001 */
	free(t);
}

static void cores_have_a_place_in_one_package(void **state)
{
	struct kvm_cpuid2 *t = calloc(1, sizeof(*t) + 8 * sizeof(t->entries[0]));

	(void)state;
	t->nent = 3;
	t->entries[0] = (struct kvm_cpuid_entry2){.function = 0, .eax = 0x1f};
	t->entries[1] = (struct kvm_cpuid_entry2){.function = 1, .ebx = 0x12345678};
	t->entries[2] = (struct kvm_cpuid_entry2){.function = 0x1f, .edx = 99};
	vmm_cpuid_topology(t, 41, 48);
	assert_int_equal(t->entries[1].ebx, 41u << 24 | 64 << 16 | 0x5678);
	assert_int_equal(t->entries[1].edx, 1 << 28);
	assert_int_equal(t->nent, 5); /* 0x1f made room for three levels of 0xb */
	assert_int_equal(t->entries[3].function, 0xb);
	assert_int_equal(t->entries[3].eax, 6);
	assert_int_equal(t->entries[3].ebx, 48);
	assert_int_equal(t->entries[3].edx, 41);
	free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_bits_change_the_table),
		cmocka_unit_test(what_kvm_lacks_is_not_given),
		cmocka_unit_test(wrong_words_are_refused),
		cmocka_unit_test(a_guest_knows_its_hypervisor_and_its_timer),
		cmocka_unit_test(cores_have_a_place_in_one_package),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
