/* VMCOREINFO: what is one, where it is found, and what a guest may claim. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/vmcoreinfo.h"

static const char good[] = "OSRELEASE=6.1.0\nPAGESIZE=4096\nSYMBOL(_stext)=ffffffff81000000\n";

static struct vmm_memory *mem;
static struct vmm_fwcfg fwcfg;

static int set_up(void **state)
{
	struct inq_err err;

	(void)state;
	vmm_fwcfg_reset(&fwcfg);
	return vmm_memory_create(&mem, 16, NULL, 0, false, &err);
}

static int tear_down(void **state)
{
	(void)state;
	vmm_memory_destroy(mem);
	return 0;
}

static void put(uint64_t gpa, const void *p, size_t n)
{
	memcpy(vmm_memory_at(mem, 0, gpa, n), p, n);
}

static struct vmm_vmcoreinfo find(void)
{
	struct vmm_vmcoreinfo v;

	vmm_vmcoreinfo_find(mem, &fwcfg, &v);
	return v;
}

/* In the heap, so that a byte read too far is noticed. */
static size_t text(const char *p, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1);

	memcpy(copy, p, n);
	size_t len = vmm_vmcoreinfo_text(copy, n);
	free(copy);
	return len;
}

static void what_is_one(void **state)
{
	static const char *const bad[] = {
		"",
		"OSRELEASE=",
		"OSRELEASE=6.1.0\n",
		"OSRELEASE=6.1.0\nPAGESIZE=4096\n",
		"OSRELEASE=6.1.0\nSYMBOL(a)=1\n",
		"OSRELEASE=6.1.0\nPAGESIZE=4096\nSYMBOL(a)=1", /* cut */
		"OSRELEASE=6.1.0\nxPAGESIZE=4096\nSYMBOL(a)=1\n",
		"OSRELEASE=6.1.0\nPAGESIZE=4096\n\tSYMBOL(a)=1\n",
		"OSRELEASE=6.1.0\nPAGESIZE=4096\nSYMBOL(a)=\x80\n",
		"XOSRELEASE=6.1.0\nPAGESIZE=4096\nSYMBOL(a)=1\n",
	};

	(void)state;
	assert_int_equal(text(good, sizeof(good) - 1), sizeof(good) - 1);
	assert_int_equal(text(good, sizeof(good)), sizeof(good) - 1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(text(bad[i], strlen(bad[i])), 0);
	for (size_t n = 0; n < sizeof(good) - 1; n++)
		assert_int_equal(text(good, n), 0);
}

static void found_at_the_start_of_a_page(void **state)
{
	(void)state;
	assert_int_equal(find().from, VMM_VMCOREINFO_NONE);
	put(0x200001, good, sizeof(good)); /* not at its start */
	put(0x300000, "OSRELEASE=%s\n", 13);
	assert_int_equal(find().from, VMM_VMCOREINFO_NONE);
	put(0xfff000, good, sizeof(good)); /* the last page */
	struct vmm_vmcoreinfo v = find();
	assert_int_equal(v.from, VMM_VMCOREINFO_FOUND);
	assert_true(v.gpa == 0xfff000 && v.bytes == sizeof(good) - 1 && v.nr == 1);
	assert_memory_equal(v.text, good, v.bytes);
}

static void two_are_none(void **state)
{
	(void)state;
	put(0x5000, good, sizeof(good));
	put(0x800000, good, sizeof(good));
	struct vmm_vmcoreinfo v = find();
	assert_int_equal(v.from, VMM_VMCOREINFO_MANY);
	assert_true(v.nr == 2 && !v.bytes && !v.text);
}

/* As Linux lays it out: a note at any address. */
static void hand_over(uint64_t gpa, uint32_t bytes, uint32_t namesz, uint32_t descsz)
{
	const uint32_t head[3] = {namesz, descsz, 0};
	const uint16_t format[2] = {1, 1};

	put(0x6100, head, sizeof(head));
	put(0x610c, "VMCOREINFO\0", 12);
	put(0x6118, good, sizeof(good));
	memcpy(fwcfg.vmcoreinfo, format, 4);
	memcpy(fwcfg.vmcoreinfo + 4, &bytes, 4);
	memcpy(fwcfg.vmcoreinfo + 8, &gpa, 8);
}

static void handed_over(void **state)
{
	const uint32_t n = sizeof(good) - 1;

	(void)state;
	put(0x5000, good, sizeof(good));
	put(0x800000, good, sizeof(good)); /* does not matter then */
	hand_over(0x6100, 24 + n, 11, n);
	struct vmm_vmcoreinfo v = find();
	assert_int_equal(v.from, VMM_VMCOREINFO_HANDED);
	assert_true(v.gpa == 0x6118 && v.bytes == n);
	hand_over(0x6100, 0x834, 11, UINT32_MAX); /* as long as its note is */
	assert_int_equal(find().from, VMM_VMCOREINFO_HANDED);
}

/* Found while the guest ran; what it wrote since then may say otherwise. */
static void settled(void **state)
{
	uint8_t dirty[16 << 20 >> 12 >> 3] = {0};
	struct vmm_vmcoreinfo v;

	(void)state;
	put(0x5000, good, sizeof(good));
	vmm_vmcoreinfo_find(mem, NULL, &v);
	assert_int_equal(v.from, VMM_VMCOREINFO_FOUND);
	put(0x800000, good, sizeof(good));
	vmm_vmcoreinfo_settle(mem, &fwcfg, dirty, &v);
	assert_int_equal(v.from, VMM_VMCOREINFO_FOUND); /* nobody said that it was written */
	dirty[0x800 / 8] = 1;
	vmm_vmcoreinfo_settle(mem, &fwcfg, dirty, &v);
	assert_int_equal(v.from, VMM_VMCOREINFO_MANY);
	put(0x5000, "x", 1);
	dirty[0x800 / 8] = 0;
	dirty[0] = 1 << 5;
	vmm_vmcoreinfo_settle(mem, &fwcfg, dirty, &v);
	assert_true(v.from == VMM_VMCOREINFO_FOUND && v.gpa == 0x800000);
	put(0x800000, "x", 1);
	dirty[0x800 / 8] = 1;
	vmm_vmcoreinfo_settle(mem, &fwcfg, dirty, &v);
	assert_true(v.from == VMM_VMCOREINFO_NONE && !v.bytes);
	hand_over(0x6100, 24 + sizeof(good) - 1, 11, sizeof(good) - 1);
	vmm_vmcoreinfo_settle(mem, &fwcfg, dirty, &v);
	assert_int_equal(v.from, VMM_VMCOREINFO_HANDED);
}

static void claims_that_are_wrong(void **state)
{
	const uint32_t n = sizeof(good) - 1;
	static const struct {
		uint64_t gpa;
		uint32_t bytes, namesz, descsz;
	} bad[] = {
		{0, 24 + n, 11, n},          {0x6100, 23, 11, n},
		{0x6100, 24 + n - 1, 11, n}, {0x6100, 24 + n, 12, n},
		{0x6100, 24 + n, 11, n - 1}, {0x6101, 24 + n, 11, n},
		{16 << 20, 24 + n, 11, n},   {UINT64_MAX - 30, 24 + n, 11, n},
		{0x6100, UINT32_MAX, 11, n}, {(16 << 20) - 30, 24 + n, 11, n},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		hand_over(bad[i].gpa, bad[i].bytes, bad[i].namesz, bad[i].descsz);
		assert_int_equal(find().from, VMM_VMCOREINFO_NONE);
	}
}

static void numbers(void **state)
{
	static const char t[] =
		"A=1\nNUMBER(phys_base)=-36700160\nB=zz\nC=\nD=99999999999999999999999\n"
		"SYMBOL(x)=ffffffff81e10000\nE=5";
	const size_t n = sizeof(t) - 1;
	uint64_t v = 0;

	(void)state;
	assert_true(vmm_vmcoreinfo_number(t, n, "NUMBER(phys_base)", 10, &v));
	assert_true((int64_t)v == -36700160);
	assert_true(vmm_vmcoreinfo_number(t, n, "SYMBOL(x)", 16, &v));
	assert_true(v == 0xffffffff81e10000);
	assert_false(vmm_vmcoreinfo_number(t, n, "B", 10, &v));
	assert_false(vmm_vmcoreinfo_number(t, n, "C", 10, &v));
	assert_false(vmm_vmcoreinfo_number(t, n, "D", 10, &v));
	assert_false(vmm_vmcoreinfo_number(t, n, "E", 10, &v)); /* its line has no end */
	assert_false(vmm_vmcoreinfo_number(t, n, "x)", 10, &v));
	assert_false(vmm_vmcoreinfo_number(t, 0, "A", 10, &v));
}

static void the_name_of_the_kernel(void **state)
{
	static const char t[] = "NUMBER(phys_base)=-4194304\nSYMBOL(init_uts_ns)=ffffffff81000000\n"
				"OFFSET(uts_namespace.name)=4\n";
	char uts[390] = "Linux";

	(void)state;
	assert_null(vmm_vmcoreinfo_uts(mem, t, sizeof(t) - 1));
	strcpy(uts + 130, "6.1.0");
	put(0x1000000 - 0x400000 + 4, uts, sizeof(uts));
	const uint8_t *p = vmm_vmcoreinfo_uts(mem, t, sizeof(t) - 1);
	assert_non_null(p);
	assert_string_equal((const char *)p + 130, "6.1.0");
	assert_null(vmm_vmcoreinfo_uts(mem, NULL, 0));
	assert_null(vmm_vmcoreinfo_uts(mem, t, 30));
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_one),  TEST(found_at_the_start_of_a_page),
		TEST(two_are_none), TEST(handed_over),
		TEST(settled),      TEST(claims_that_are_wrong),
		TEST(numbers),      TEST(the_name_of_the_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
