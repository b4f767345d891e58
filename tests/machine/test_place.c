/* SPACE:ADDRESS as people write it, and where a space goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86_64/regs.h"
#include "machine/place.h"
#include "tests/arch/mem.h"

/* Two CPUs: 0 with 4 levels of tables below 0x1000, 1 in real mode; a space of an inner guest. */
struct lab {
	struct mem mem;
	struct paging_space virt[2], nested;
	struct inq_cpu cpu[2];
	struct inq_extent extent[2];
	const struct inq_space *spaces[4];
	struct inq_dump dump;
	struct inq_machine m;
};

static void set(struct inq_regset *rs, unsigned int reg, uint64_t v)
{
	inq_reg_set(rs, reg, v);
}

static int setup(void **state)
{
	static struct lab l;
	const struct paging_mode long_mode = {.levels = 4, .nx = true, .root = 0x1000};
	const struct paging_mode ept = {.kind = PAGING_EPT, .levels = 4, .root = 0x1000};
	const struct paging_mode real = {.levels = 0};

	l = (struct lab){.mem = mem_new()};
	l.mem.base.space_id = 1;
	paging_space_init(&l.virt[0], "cpu0-virt", &l.mem.base, &long_mode);
	paging_space_init(&l.virt[1], "cpu1-virt", &l.mem.base, &real);
	paging_space_init(&l.nested, "nested0", &l.mem.base, &ept);
	for (uint32_t i = 0; i < 2; i++) {
		l.virt[i].base.space_id = 2 + i;
		l.cpu[i] = (struct inq_cpu){.index = i, .virt = &l.virt[i].base};
		l.spaces[1 + i] = &l.virt[i].base;
	}
	l.nested.base.space_id = 4;
	l.spaces[0] = &l.mem.base;
	l.spaces[3] = &l.nested.base;
	l.extent[0] = (struct inq_extent){.first = 0, .last = 0xfffff};
	l.extent[1] = (struct inq_extent){.first = 0x180000, .last = MEM_BYTES - 1};
	l.dump = (struct inq_dump){
		.path = "lab", .phys = &l.mem.base, .extents = l.extent, .nr_extents = 2};
	l.m = (struct inq_machine){.machine_id = 1,
				   .dump = &l.dump,
				   .cpus = l.cpu,
				   .nr_cpus = 2,
				   .spaces = l.spaces,
				   .nr_spaces = 4};
	set(&l.cpu[0].regs, X86_64_CR0, 0x80000031);
	set(&l.cpu[0].regs, X86_64_EFER, 0xd00);
	set(&l.cpu[0].regs, X86_64_RFLAGS, 2);
	set(&l.cpu[0].regs, X86_64_CS_ATTR, 0xa09b);
	set(&l.cpu[0].regs, X86_64_CS_BASE, 0x7777);
	set(&l.cpu[0].regs, X86_64_RIP, 0xffffffff81000000);
	set(&l.cpu[1].regs, X86_64_CR0, 0x10);
	set(&l.cpu[1].regs, X86_64_RFLAGS, 2);
	set(&l.cpu[1].regs, X86_64_CS_BASE, 0xffff0000);
	set(&l.cpu[1].regs, X86_64_RIP, 0x1fff0);
	set(&l.cpu[1].regs, X86_64_RSP, 0x100);
	*state = &l;
	return 0;
}

static int teardown(void **state)
{
	free(((struct lab *)*state)->mem.p);
	return 0;
}

static void test_numbers(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool good;
		uint64_t v;
	} all[] = {
		{"0", true, 0},
		{"18446744073709551615", true, UINT64_MAX},
		{"18446744073709551616", false, 0},
		{"0xFFFFffffFFFFffff", true, UINT64_MAX},
		{"0x10000000000000000", false, 0},
		{"0X1f", true, 0x1f},
		{"0x", false, 0},
		{"", false, 0},
		{"1f", false, 0},
		{" 1", false, 0},
		{"1 ", false, 0},
		{"-1", false, 0},
		{"+1", false, 0},
		{"0x1g", false, 0},
		{"0x0x1", false, 0},
		{"0x00000000000000000001", true, 1},
	};
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		uint64_t v = 0;
		if (machine_number(all[i].text, strlen(all[i].text), &v) != all[i].good ||
		    v != all[i].v)
			fail_msg("'%s'", all[i].text);
	}
}

static void test_places(void **state)
{
	struct lab *l = *state;
	static const struct {
		const char *text, *space;
		uint64_t addr;
	} all[] = {
		{"phys:0x1000", "phys", 0x1000},
		{"cpu0:4096", "cpu0-virt", 0x1000},
		{"cpu0-virt:0xffffffffffffffff", "cpu0-virt", UINT64_MAX},
		{"2:1+0x10", "cpu0-virt", 0x11},
		{"phys:0-1", "phys", UINT64_MAX},
		{"phys:0xffffffffffffffff+2", "phys", 1},
		{"cpu0:rip", "cpu0-virt", 0xffffffff81000000}, /* cs.base does not count */
		{"cpu0:rip-0x10", "cpu0-virt", 0xffffffff80fffff0},
		{"cpu1:rip", "cpu1-virt", 0xfff0}, /* 32 bits */
		{"nested0:0", "nested0", 0},
		{"cr3=0x5fff:1", "cr3=0x5fff", 1},
		{"cr3=0x5000@nested0:1", "cr3=0x5000@nested0", 1},
	};
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		struct machine_where w;
		struct inq_err err = {0};
		uint64_t addr = 0;
		if (machine_place(&l->m, all[i].text, &w, &addr, &err))
			fail_msg("%s: %s", all[i].text, err.msg);
		assert_string_equal(w.space->name, all[i].space);
		if (addr != all[i].addr)
			fail_msg("%s: 0x%llx", all[i].text, (unsigned long long)addr);
	}
}

static void test_what_is_no_place(void **state)
{
	struct lab *l = *state;
	static const struct {
		const char *text;
		enum inq_status st;
	} all[] = {
		{"", INQ_EUSAGE},
		{"phys", INQ_EUSAGE},
		{":", INQ_ENOTFOUND},
		{":0", INQ_ENOTFOUND},
		{"phys:", INQ_EUSAGE},
		{"phys:+1", INQ_EUSAGE},
		{"phys:1+", INQ_EUSAGE},
		{"phys:1+-1", INQ_EUSAGE},
		{"phys:1+2+3", INQ_EUSAGE},
		{"phys:rip", INQ_EUSAGE},
		{"cpu0:rsp", INQ_EABSENT},
		{"cpu1:rsp", INQ_EABSENT}, /* its segment's base is unknown */
		{"cpu0:nonsense", INQ_EUSAGE},
		{"cpu2:0", INQ_ENOTFOUND},
		{"cpu:0", INQ_ENOTFOUND},
		{"cpu99999999999999999999:0", INQ_ENOTFOUND},
		{"0:0", INQ_ENOTFOUND},
		{"5:0", INQ_ENOTFOUND},
		{"18446744073709551615:0", INQ_ENOTFOUND},
		{"phys2:0", INQ_ENOTFOUND},
		{"PHYS:0", INQ_ENOTFOUND},
		{"cr3=:0", INQ_EUSAGE},
		{"cr3=x:0", INQ_EUSAGE},
		{"cr3=0x1@:0", INQ_ENOTFOUND},
		{"cr3=0x1@mars:0", INQ_ENOTFOUND},
		{"cr3=0x1@cr3=0x2:0", INQ_ENOTFOUND},
	};
	char longest[400];

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		struct machine_where w;
		struct inq_err err = {0};
		uint64_t addr;
		enum inq_status st = machine_place(&l->m, all[i].text, &w, &addr, &err);
		if (st != all[i].st)
			fail_msg("%s: %s, %s", all[i].text, inq_status_name(st), err.msg);
		assert_true(err.msg[0]);
	}
	for (size_t n = 1; n < sizeof(longest); n++) {
		struct machine_where w;
		uint64_t addr;
		memset(longest, 'c', n);
		memcpy(longest + n - 1, ":", 2);
		memcpy(longest, "cr3=", n > 5 ? 4 : 0);
		assert_true(machine_place(&l->m, longest, &w, &addr, NULL));
	}
}

static void test_a_root_is_walked_as_the_cpu_over_that_space_does(void **state)
{
	struct lab *l = *state;
	struct machine_where w;
	uint64_t addr;

	assert_int_equal(machine_place(&l->m, "cr3=0x5fff:0", &w, &addr, NULL), INQ_OK);
	assert_true(w.own.mode.levels == 4 && w.own.mode.nx && w.own.mode.root == 0x5000);
	assert_true(w.space == &w.own.base && w.own.base.lower == &l->mem.base);
	l->virt[0].mode.levels = 3;
	assert_int_equal(machine_place(&l->m, "cr3=0x5fe0:0", &w, &addr, NULL), INQ_OK);
	assert_true(w.own.mode.levels == 3 && w.own.mode.root == 0x5fe0);
	/* nobody's tables lie over the inner guest's memory: as 64-bit kernels do */
	assert_int_equal(machine_place(&l->m, "cr3=0x5000@nested0:0", &w, &addr, NULL), INQ_OK);
	assert_true(w.own.mode.levels == 4 && w.own.base.lower == &l->nested.base);
}

static uint64_t next(const struct lab *l, const struct inq_space *sp, uint64_t addr, uint64_t last)
{
	uint64_t at = 0;

	return machine_space_next(&l->m, sp, addr, last, &at) ? at : 0xdead;
}

static void test_where_a_space_goes_on(void **state)
{
	struct lab *l = *state;
	const struct inq_space *phys = &l->mem.base, *virt = &l->virt[0].base;

	assert_true(next(l, phys, 0x123, UINT64_MAX) == 0x123);
	assert_true(next(l, phys, 0x100000, UINT64_MAX) == 0x180000);
	assert_true(next(l, phys, 0x100000, 0x17ffff) == 0xdead);
	assert_true(next(l, phys, MEM_BYTES, UINT64_MAX) == 0xdead);
	assert_true(next(l, phys, 5, 4) == 0xdead);
	assert_true(next(l, &l->virt[1].base, 0x100000, UINT64_MAX) == 0x180000);

	assert_true(next(l, virt, 0, UINT64_MAX) == 0xdead); /* nothing is mapped */
	mem_put(&l->mem, 0x1ff8, 0x2003, 8);                 /* the last pml4 entry */
	mem_put(&l->mem, 0x2ff0, 0x3003, 8);
	mem_put(&l->mem, 0x3000, 0x4003, 8);
	mem_put(&l->mem, 0x4010, 0x5003, 8);
	mem_put(&l->mem, 0x4018, 0x140003, 8); /* where no memory is */
	mem_put(&l->mem, 0x3008, 0x83, 8);     /* 2 MiB from 0 on, with a hole */
	assert_true(next(l, virt, 0, UINT64_MAX) == 0xffffffff80002000);
	assert_true(next(l, virt, 0, 0xffffffff80001fff) == 0xdead);
	assert_true(next(l, virt, 0x800000000000, UINT64_MAX) == 0xffffffff80002000);
	assert_true(next(l, virt, 0xffffffff80002345, UINT64_MAX) == 0xffffffff80002345);
	assert_true(next(l, virt, 0xffffffff80003000, UINT64_MAX) == 0xffffffff80200000);
	assert_true(next(l, virt, 0xffffffff80300000, UINT64_MAX) == 0xffffffff80380000);
}

/* Tables that map all of 2^48 bytes to nowhere: an answer comes all the same. */
static void test_hostile_tables_end(void **state)
{
	struct lab *l = *state;
	uint64_t at = 0;

	for (uint64_t i = 0; i < 511; i++) {
		mem_put(&l->mem, 0x1000 + 8 * i, 0x2003, 8);
		mem_put(&l->mem, 0x2000 + 8 * i, 0x3003, 8);
		mem_put(&l->mem, 0x3000 + 8 * i, 0x4003, 8);
		mem_put(&l->mem, 0x4000 + 8 * i, 0x140003, 8);
	}
	assert_true(machine_space_next(&l->m, &l->virt[0].base, 0, UINT64_MAX, &at));
	assert_true(at && at < UINT64_C(1) << 40); /* as far as it looked */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test_setup_teardown(test_places, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_no_place, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_root_is_walked_as_the_cpu_over_that_space_does, setup, teardown),
		cmocka_unit_test_setup_teardown(test_where_a_space_goes_on, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile_tables_end, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
