/* Save areas: real ones from KVM, and patterns for the maps that KVM does not write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "arch/x86_64/regs.h"
#include "arch/x86_64/smm.h"

static void load(const char *name, uint8_t area[X86_64_SMM_AREA])
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/%s", TEST_DATA, name);
	FILE *f = fopen(path, "rb");
	assert_non_null(f);
	assert_int_equal(fread(area, 1, X86_64_SMM_AREA, f), X86_64_SMM_AREA);
	fclose(f);
}

static const struct x86_64_smm_field *field_of(const struct x86_64_smm_map *map, const char *name)
{
	for (size_t i = 0; i < map->nr_fields; i++)
		if (!strcmp(map->field[i].name, name))
			return &map->field[i];
	fail_msg("%s has no %s", map->name, name);
	return NULL;
}

struct want {
	const char *name;
	uint64_t value;
};

static void check(const uint8_t *area, const char *map_name, uint32_t revision,
		  const struct want *want)
{
	uint32_t rev = 0;
	const struct x86_64_smm_map *map = x86_64_smm_map_of(area, &rev);

	assert_non_null(map);
	assert_string_equal(map->name, map_name);
	assert_int_equal(rev, revision);
	for (; want->name; want++) {
		uint64_t v = x86_64_smm_value(field_of(map, want->name), area);
		if (v != want->value)
			fail_msg("%s = 0x%llx", want->name, (unsigned long long)v);
	}
}

static void test_what_kvm_amd_saved_of_a_nested_guest(void **state)
{
	(void)state;
	static const struct want want[] = {
		{"r12", UINT64_C(0x1212121212121212)},
		{"rbx", 0},
		{"rsp", 0x1e000},
		{"rflags", 0x202},
		{"cr0", 0x80050033},
		{"cr3", 0x2000},
		{"dr7", 0x2400},
		{"dr6", 0xffff0ff0},
		{"cs.sel", 8},
		{"cs.attr", 0xa09b},
		{"cs.limit", 0xffffffff},
		{"cs.base", 0},
		{"gdtr.base", 0x5000},
		{"gdtr.limit", 0x2f},
		{"tr.sel", 0x18},
		{"smbase", 0x30000},
		{"auto_halt_restart", 0},
		{"int_shadow", 0},
		{"rip", 0x11000},
		{"rax", 0x36df2fd},
		{"cr4", 0x20},
		{"efer", 0x1500},
		{"svm_guest", 1},
		{"vmcb", 0x21000},
		{0},
	};
	uint8_t area[X86_64_SMM_AREA];
	load("smm-svm.bin", area);
	check(area, "amd64", 0x20064, want);
}

static void test_what_kvm_intel_saved_of_a_nested_guest(void **state)
{
	(void)state;
	static const struct want want[] = {
		{"r12", UINT64_C(0x1212121212121212)},
		{"rbx", 0},
		{"rsp", 0x1e000},
		{"rflags", 0x202},
		{"cr0", 0x80050033},
		{"cr3", 0x2000},
		{"dr7", 0x2400},
		{"dr6", 0xffff0ff0},
		{"cs.sel", 8},
		{"cs.attr", 0xa09b},
		{"cs.limit", 0xffffffff},
		{"cs.base", 0},
		{"gdtr.base", 0x5000},
		{"gdtr.limit", 0x2f},
		{"tr.sel", 0x18},
		{"smbase", 0x30000},
		{"auto_halt_restart", 0},
		{"int_shadow", 0},
		{"rip", 0x11008},
		{"rax", 0x9b6f5c0},
		{"cr4", 0x2020},
		{"efer", 0x500},
		{"svm_guest", 0},
		{"vmcb", 0},
		{0},
	};
	uint8_t area[X86_64_SMM_AREA];
	load("smm-vmx.bin", area);
	check(area, "amd64", 0x20064, want);
}

static void put(uint8_t *area, unsigned int off, uint64_t v, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i++)
		area[off - X86_64_SMM_AREA_OFF + i] = (uint8_t)(v >> (8 * i));
}

static void test_the_32_bit_map_of_kvm(void **state)
{
	(void)state;
	static const struct want want[] = {
		{"smbase", 0x30000},      {"rip", 0x11223344},
		{"rflags", 0x246},        {"cr0", 0x80050033},
		{"cr3", 0x7000},          {"cr4", 0x90},
		{"rax", 0xaaaaaaaa},      {"rdi", 0xdddddddd},
		{"dr7", 0x400},           {"cs.sel", 0x10},
		{"cs.base", 0x1000},      {"cs.limit", 0xfffff},
		{"cs.attr", 0xc09b},      {"gdtr.base", 0x800},
		{"gdtr.limit", 0x27},     {"idtr.base", 0x900},
		{"idtr.limit", 0x7ff},    {"tr.attr", 0x8b},
		{"auto_halt_restart", 1}, {0},
	};
	uint8_t area[X86_64_SMM_AREA] = {0};
	put(area, 0xfefc, 0x20000, 4);
	put(area, 0xfef8, 0x30000, 4);
	put(area, 0xff02, 1, 2);
	put(area, 0xff14, 0x90, 4);
	put(area, 0xff54, 0x7ff, 4);
	put(area, 0xff58, 0x900, 4);
	put(area, 0xff5c, 0x00008b00, 4);
	put(area, 0xff70, 0x27, 4);
	put(area, 0xff74, 0x800, 4);
	put(area, 0xff90, 0x00c09b00, 4); /* bytes 4 to 7 of a descriptor */
	put(area, 0xff94, 0xfffff, 4);
	put(area, 0xff98, 0x1000, 4);
	put(area, 0xffac, 0x10, 4);
	put(area, 0xffc8, 0x400, 4);
	put(area, 0xffd0, 0xaaaaaaaa, 4);
	put(area, 0xffec, 0xdddddddd, 4);
	put(area, 0xfff0, 0x11223344, 4);
	put(area, 0xfff4, 0x246, 4);
	put(area, 0xfff8, 0x7000, 4);
	put(area, 0xfffc, 0x80050033, 4);
	check(area, "p6", 0x20000, want);
}

static void test_the_map_of_intel_joins_split_fields(void **state)
{
	(void)state;
	static const struct want want[] = {
		{"gdtr.base", UINT64_C(0xfffffe0000001000)},
		{"idtr.base", UINT64_C(0xfffffe0000000000)},
		{"ldtr.base", UINT64_C(0x1234567800000010)},
		{"rip", UINT64_C(0xffffffff81000000)},
		{"rax", UINT64_C(0x1111111122222222)},
		{"r8", 8},
		{"r15", 15},
		{"smbase", 0x7f000000},
		{"eptp", 0x105e},
		{"ept_enabled", 1},
		{"io.misc", 0x00b20013},
		{"cs.sel", 0x10},
		{0},
	};
	uint8_t area[X86_64_SMM_AREA] = {0};
	put(area, 0xfefc, 0x30101, 4);
	put(area, 0xfef8, 0x7f000000, 4);
	put(area, 0xfdd0, 0xfffffe00, 4);
	put(area, 0xfe8c, 0x1000, 4);
	put(area, 0xfdd8, 0xfffffe00, 4);
	put(area, 0xfdd4, 0x12345678, 4);
	put(area, 0xfe9c, 0x10, 4);
	put(area, 0xffd8, UINT64_C(0xffffffff81000000), 8);
	put(area, 0xff5c, UINT64_C(0x1111111122222222), 8);
	put(area, 0xff54, 8, 8);
	put(area, 0xff1c, 15, 8);
	put(area, 0xfed8, 0x105e, 8);
	put(area, 0xfee0, 1, 4);
	put(area, 0xffa4, 0x00b20013, 4);
	put(area, 0xffac, 0x10, 4);
	check(area, "intel64", 0x30101, want);
}

static void test_other_revisions_name_no_map(void **state)
{
	(void)state;
	static const struct {
		uint32_t revision;
		const char *map;
	} all[] = {
		{0, NULL},          {0x30064, "amd64"},   {0x20064, "amd64"},
		{0x64, "amd64"},    {0x20000, "p6"},      {0x30004, "p6"},
		{0x30005, NULL},    {0x30100, "intel64"}, {0x301ff, "intel64"},
		{0x30200, NULL},    {0x40064, NULL},      {0xffffffff, NULL},
		{0xf4ebfd90, NULL},
	};
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		uint8_t area[X86_64_SMM_AREA] = {0};
		uint32_t rev = ~all[i].revision;
		put(area, 0xfefc, all[i].revision, 4);
		const struct x86_64_smm_map *map = x86_64_smm_map_of(area, &rev);
		assert_int_equal(rev, all[i].revision);
		if (all[i].map)
			assert_string_equal(map ? map->name : "none", all[i].map);
		else
			assert_null(map);
	}
}

/* A field lies in the area, overlaps no other, appears once; registers go by their real name. */
static void test_maps_have_no_overlapping_fields(void **state)
{
	(void)state;
	static const uint32_t revisions[] = {0x20064, 0x20000, 0x30100};
	for (size_t k = 0; k < 3; k++) {
		uint8_t area[X86_64_SMM_AREA] = {0}, used[X86_64_SMM_AREA] = {0};
		uint32_t rev;
		put(area, 0xfefc, revisions[k], 4);
		const struct x86_64_smm_map *map = x86_64_smm_map_of(area, &rev);
		for (size_t i = 0; i < map->nr_fields; i++) {
			const struct x86_64_smm_field *f = &map->field[i];
			assert_ptr_equal(field_of(map, f->name), f);
			assert_true(f->off >= X86_64_SMM_AREA_OFF && f->off + f->bytes <= 0x10000);
			for (unsigned int b = 0; b < f->bytes; b++)
				if (used[f->off - X86_64_SMM_AREA_OFF + b]++)
					fail_msg("%s: %s overlaps", map->name, f->name);
			for (unsigned int b = 0; f->off_high && b < 4; b++)
				if (used[f->off_high - X86_64_SMM_AREA_OFF + b]++)
					fail_msg("%s: %s overlaps", map->name, f->name);
		}
	}
}

static void test_every_general_register_is_in_every_map(void **state)
{
	(void)state;
	static const uint32_t revisions[] = {0x20064, 0x20000, 0x30100};
	for (size_t k = 0; k < 3; k++) {
		uint8_t area[X86_64_SMM_AREA] = {0};
		uint32_t rev;
		put(area, 0xfefc, revisions[k], 4);
		const struct x86_64_smm_map *map = x86_64_smm_map_of(area, &rev);
		for (int r = X86_64_RAX; r <= X86_64_RFLAGS; r++)
			if (k != 1 || r < X86_64_R8 || r > X86_64_R15)
				(void)field_of(map, x86_64_reg_info[r].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_kvm_amd_saved_of_a_nested_guest),
		cmocka_unit_test(test_what_kvm_intel_saved_of_a_nested_guest),
		cmocka_unit_test(test_the_32_bit_map_of_kvm),
		cmocka_unit_test(test_the_map_of_intel_joins_split_fields),
		cmocka_unit_test(test_other_revisions_name_no_map),
		cmocka_unit_test(test_maps_have_no_overlapping_fields),
		cmocka_unit_test(test_every_general_register_is_in_every_map),
	};
	return cmocka_run_group_tests_name("smm", tests, NULL, NULL);
}
