/* Linear addresses of guests whose page tables are made here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/virtual.h"

enum { MIB = 16, PML4 = 0x2000, PDPT = 0x3000, PD = 0x4000, PT = 0x5000, USED = 7, LARGE = 0x87 };
#define DIRECT UINT64_C(0xffff888000000000) /* entry 273 of the PML4 */

struct lab {
	struct vmm_memory *m;
	struct vmm_state state[3];
	struct vmm_virtual v;
};

static void put(struct lab *l, uint64_t table, unsigned i, uint64_t entry)
{
	memcpy(vmm_memory_at(l->m, 0, table + UINT64_C(8) * i, 8), &entry, 8);
}

static void use_root(struct lab *l, unsigned cpu, uint64_t root)
{
	l->state[cpu].state[INQ_SNAP_SREGS2] = INQ_SNAP_PRESENT;
	l->state[cpu].sregs2 =
		(struct kvm_sregs2){.cr0 = 0x80000011, .cr3 = root, .cr4 = 0x20, .efer = 0xd00};
}

static int setup(void **to)
{
	static const uint64_t smbase[] = {0xa00000};
	struct lab *l = calloc(1, sizeof(*l));
	struct inq_err err;

	if (!l || vmm_memory_create(&l->m, MIB, smbase, 1, true, &err))
		return -1;
	for (unsigned i = 0; i < 3; i++)
		for (unsigned k = 0; k <= INQ_SNAP_CLOCK; k++)
			l->state[i].state[k] = INQ_SNAP_ABSENT;
	put(l, PML4, 273, PDPT | USED);
	put(l, PDPT, 0, PD | USED);
	use_root(l, 0, PML4);
	*to = l;
	return 0;
}

static int teardown(void **to)
{
	struct lab *l = *to;

	vmm_virtual_deinit(&l->v);
	vmm_memory_destroy(l->m);
	free(l);
	return 0;
}

static void collect(struct lab *l, unsigned nr)
{
	struct inq_err err;

	assert_int_equal(vmm_virtual_collect(&l->v, l->m, l->state, nr, &err), INQ_OK);
}

static void is_run(const struct lab *l, size_t i, uint64_t va, uint64_t gpa, uint64_t bytes)
{
	assert_true(i < l->v.nr);
	assert_int_equal(l->v.run[i].va, va);
	assert_int_equal(l->v.run[i].gpa, gpa);
	assert_int_equal(l->v.run[i].bytes, bytes);
}

static void pages_that_follow_each_other_are_one_run(void **to)
{
	struct lab *l = *to;

	put(l, PD, 0, PT | USED);
	for (unsigned i = 0; i < 4; i++)
		put(l, PT, i, (0x200000 + 0x1000 * i) | USED);
	put(l, PT, 5, 0x300000 | USED);
	put(l, PD, 1, 0x400000 | LARGE);
	collect(l, 1);
	assert_int_equal(l->v.nr, 3);
	is_run(l, 0, DIRECT, 0x200000, 0x4000);
	is_run(l, 1, DIRECT + 0x5000, 0x300000, 0x1000);
	is_run(l, 2, DIRECT + 0x200000, 0x400000, 0x200000);
}

static void what_is_no_memory_is_left_out(void **to)
{
	struct lab *l = *to;

	put(l, PD, 0, LARGE);              /* 0 to 2 MiB, with the hole for devices */
	put(l, PD, 1, 0xfee00000 | LARGE); /* a device */
	put(l, PD, 2, 0x40000000 | USED);  /* a table beyond memory */
	put(l, PML4, 0, PDPT | USED);      /* no kernel address */
	collect(l, 1);
	assert_int_equal(l->v.nr, 2);
	is_run(l, 0, DIRECT, 0, 0xa0000);
	is_run(l, 1, DIRECT + 0xc0000, 0xc0000, 0x140000);
}

static void a_second_root_adds_what_the_first_has_not(void **to)
{
	struct lab *l = *to;

	put(l, PD, 0, PT | USED);
	for (unsigned i = 2; i < 4; i++)
		put(l, PT, i, (0x200000 + 0x1000 * i) | USED);
	put(l, 0x6000, 273, 0x7000 | USED);
	put(l, 0x7000, 0, 0x8000 | USED);
	put(l, 0x8000, 0, 0x600000 | LARGE); /* around the pages of the first, elsewhere */
	use_root(l, 1, 0x6000);
	use_root(l, 2, PML4);
	collect(l, 3);
	assert_int_equal(l->v.nr, 3);
	is_run(l, 0, DIRECT, 0x600000, 0x2000);
	is_run(l, 1, DIRECT + 0x2000, 0x202000, 0x2000);
	is_run(l, 2, DIRECT + 0x4000, 0x604000, 0x1fc000);
}

static void in_smm_the_interrupted_tables_count(void **to)
{
	struct lab *l = *to;
	uint8_t *save = vmm_memory_at(l->m, 1, 0xa00000, VMM_SMRAM_BYTES);
	struct kvm_msr_entry smbase = {.index = 0x9e, .data = 0xa00000};
	const uint64_t cr0 = 0x80000011, cr3 = PML4, cr4 = 0x20, efer = 0xd00;
	const uint32_t rev = 0x20064;

	put(l, PD, 0, 0x400000 | LARGE);
	use_root(l, 0, 0x9000); /* of the handler */
	l->state[0].state[INQ_SNAP_EVENTS] = INQ_SNAP_PRESENT;
	l->state[0].events.smi.smm = 1;
	l->state[0].msrs = &smbase;
	l->state[0].nr_msrs = 1;
	collect(l, 1);
	assert_int_equal(l->v.nr, 0); /* no save area yet */
	memcpy(save + 0xfefc, &rev, 4);
	memcpy(save + 0xff58, &cr0, 8);
	memcpy(save + 0xff50, &cr3, 8);
	memcpy(save + 0xff48, &cr4, 8);
	memcpy(save + 0xfed0, &efer, 8);
	collect(l, 1);
	assert_int_equal(l->v.nr, 1);
	is_run(l, 0, DIRECT, 0x400000, 0x200000);
}

/* Each entry of the PDPT leads to one PD, each of that to one PT: 2^27 pages of one byte pattern.
 */
static void tables_that_multiply_come_to_an_end(void **to)
{
	struct lab *l = *to;

	for (unsigned i = 0; i < 512; i++) {
		put(l, PDPT, i, PD | USED);
		put(l, PD, i, PT | USED);
		put(l, PT, i, 0x200000 | USED);
	}
	collect(l, 1);
	assert_true(l->v.cut);
	assert_int_equal(l->v.nr, VMM_MAX_VIRTUAL_RUNS);
}

static void without_registers_or_paging_there_is_nothing(void **to)
{
	struct lab *l = *to;

	put(l, PD, 0, 0x400000 | LARGE);
	l->state[0].sregs2.cr0 = 1;
	collect(l, 2);
	assert_int_equal(l->v.nr, 0);
	assert_false(l->v.cut);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(pages_that_follow_each_other_are_one_run),
		TEST(what_is_no_memory_is_left_out),
		TEST(a_second_root_adds_what_the_first_has_not),
		TEST(in_smm_the_interrupted_tables_count),
		TEST(tables_that_multiply_come_to_an_end),
		TEST(without_registers_or_paging_there_is_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
