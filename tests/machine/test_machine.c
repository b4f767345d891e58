/* From built dumps, through the loader, to a machine: CPUs, spaces, and what a lost note costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "machine/machine.h"
#include "tests/built/text.h"
#include "tests/machine/fake.h"
#include "tests/machine/opened.h"

static void check_cpu(const struct inq_cpu *cpu, const struct raw *raw,
		      const struct raw_piece *lost)
{
	uint64_t want[X86_64_NR_REGS];
	uint32_t lost_kind = lost ? lost->kind : 0;

	raw_want(raw, want);
	for (int r = 0; r < X86_64_NR_REGS; r++) {
		int known = inq_reg_known(&cpu->regs, (unsigned int)r);
		int should = !lost || r < lost->first || r > lost->last;
		if (known != should || (known && cpu->regs.v[r] != want[r]))
			fail_msg("without %s: %s", lost ? lost->name : "nothing",
				 x86_64_reg_info[r].name);
	}
	assert_true((cpu->msrs == NULL) == (lost_kind == INQ_SNAP_MSRS));
	assert_true((cpu->cpuid == NULL) == (lost_kind == INQ_SNAP_CPUID2));
	assert_true((cpu->lapic == NULL) == (lost_kind == INQ_SNAP_LAPIC));
	assert_true((cpu->virt == NULL) == (lost_kind == INQ_SNAP_SREGS2));
	if (cpu->lapic)
		assert_memory_equal(cpu->lapic, &raw->lapic, sizeof(raw->lapic));
}

static void test_a_lost_note_makes_exactly_its_registers_unknown(void **state)
{
	(void)state;
	struct raw raw[2] = {raw_random(11), raw_random(12)};
	for (size_t piece = 0; piece < RAW_NR_PIECES; piece++) {
		for (enum lost how = LOST_NOTHING; how <= LOST_FAILED; how++) {
			struct lab l = lab_open(two_cpus(raw, piece, how));
			assert_int_equal(l.m->nr_cpus, 2);
			check_cpu(&l.m->cpus[0], &raw[0], NULL);
			check_cpu(&l.m->cpus[1], &raw[1],
				  how == LOST_NOTHING ? NULL : &raw_piece[piece]);
			lab_close(&l);
		}
	}
}

static void test_a_cpu_without_any_note_is_still_a_cpu(void **state)
{
	(void)state;
	struct built *b = built_snapshot(3);
	built_segment(b, 0, 0x1000);
	struct lab l = lab_open(b);
	assert_int_equal(l.m->nr_cpus, 3);
	for (uint32_t i = 0; i < 3; i++) {
		const struct inq_cpu *cpu = &l.m->cpus[i];
		assert_int_equal(cpu->index, i);
		for (unsigned int r = 0; r < X86_64_NR_REGS; r++)
			assert_false(inq_reg_known(&cpu->regs, r));
		assert_ptr_equal(cpu->phys, l.dump->phys);
		assert_null(cpu->virt);
	}
	assert_int_equal(l.m->nr_spaces, l.dump->smm ? 2 : 1);
	lab_close(&l);
}

static void test_the_machine_says_what_it_is(void **state)
{
	(void)state;
	struct built *b = built_snapshot(1);
	built_segment(b, 0, 0x1000);
	built_header(b)->t_realtime_ns = 1700000000123456789;
	struct lab l = lab_open(b);
	assert_int_equal(l.m->machine_id, 1);
	assert_null(l.m->parent);
	assert_string_equal(l.m->kind, "vm");
	assert_string_equal(l.m->arch, "x86_64");
	assert_ptr_equal(l.m->dump, l.dump);
	assert_int_equal(l.m->sample.sample_id, 0);
	assert_string_equal(l.m->sample.kind, "snapshot");
	assert_int_equal(l.m->sample.t_known, 1);
	assert_true(l.m->sample.t_ns == 1700000000123456789);
	lab_close(&l);
}

/* pml4 at 0x1000: address 0 is 0x3000, in both address spaces; only the contents differ. */
static void put_tables(uint8_t *at_1000)
{
	static const struct {
		unsigned int off;
		uint16_t value;
	} e[] = {{0, 0x2003}, {0x1000, 0x2003 + 0x1000}, {0x2000, 0x83}};

	for (size_t i = 0; i < 3; i++)
		memcpy(at_1000 + e[i].off, &e[i].value, 2);
}

static void test_each_cpu_sees_memory_through_its_own_tables(void **state)
{
	(void)state;
	struct raw raw[3] = {raw_random(21), raw_random(22), raw_random(23)};
	struct built *b = built_snapshot(3);
	uint8_t *ram = built_segment(b, 0, 0x8000);
	put_tables(ram + 0x1000);
	memset(ram + 0x6000, 0x11, 0x1000);
	uint8_t *smram = built_smram(b, 0x6000, 0x1000);
	memset(smram, 0x22, 0x1000);
	for (uint32_t i = 0; i < 3; i++) {
		raw[i].sregs2.cr3 = 0x1000;
		raw[i].events.smi.smm = i == 1;
		if (i == 2) { /* SMM unknown, and no paging */
			raw[i].events.flags = 0;
			raw[i].events.smi.smm = 1;
			raw[i].sregs2.cr0 = 0x11;
		}
		for (size_t k = 0; k < RAW_NR_PIECES; k++)
			built_note_of(b, raw_piece[k].kind, i, raw_bytes(&raw[i], &raw_piece[k]),
				      raw_piece[k].bytes);
	}
	struct lab l = lab_open(b);
	static const uint8_t want[3] = {0x11, 0x22, 0x11};
	assert_non_null(l.dump->smm);
	for (uint32_t i = 0; i < 3; i++) {
		const struct inq_cpu *cpu = &l.m->cpus[i];
		uint8_t byte = 0;
		struct inq_err err = {0};
		assert_ptr_equal(cpu->phys, i == 1 ? l.dump->smm : l.dump->phys);
		assert_non_null(cpu->virt);
		assert_ptr_equal(cpu->virt->lower, cpu->phys);
		if (inq_read(cpu->virt, 0x6123, &byte, 1, &err))
			fail_msg("%s", err.msg);
		assert_int_equal(byte, want[i]);
	}
	assert_int_equal(inq_read(l.m->cpus[0].virt, 0x40000000, &(uint8_t){0}, 1, NULL),
			 INQ_EFAULT);
	lab_close(&l);
}

static void test_spaces_are_numbered_from_one(void **state)
{
	(void)state;
	struct raw raw[2] = {raw_random(31), raw_random(32)};
	struct built *b = two_cpus(raw, 0, LOST_NOTHING);
	memset(built_smram(b, 0x1000, 0x1000), 1, 0x1000);
	struct lab l = lab_open(b);
	static const char *const names[] = {"phys", "smm", "cpu0-virt", "cpu1-virt"};
	assert_int_equal(l.m->nr_spaces, 4);
	for (size_t i = 0; i < 4; i++) {
		assert_string_equal(l.m->spaces[i]->name, names[i]);
		assert_int_equal(l.m->spaces[i]->space_id, i + 1);
	}
	lab_close(&l);
}

static void test_cpuid_gives_the_address_width_and_the_page_sizes(void **state)
{
	(void)state;
	static const struct {
		uint32_t eax, edx;
		uint64_t pdpte;
		enum inq_status st;
	} all[] = {
		{40, 1u << 26, 0x400000083, INQ_OK},
		{40, 0, 0x40000083, INQ_EFAULT},              /* no 1 GiB pages */
		{30 + 6, 1u << 26, 0x1000000083, INQ_EFAULT}, /* bit 36 of 36 */
		{37, 1u << 26, 0x1000000083, INQ_OK},
	};
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		struct raw r = raw_random(41);
		struct built *b = built_snapshot(1);
		uint8_t *ram = built_segment(b, 0, 0x4000);
		uint64_t pml4e = 0x2003;
		r.sregs2.cr3 = 0x1000;
		r.cpuid[1].edx = all[i].edx;
		r.cpuid[2].eax = all[i].eax | 0x3000;
		memcpy(ram + 0x1000, &pml4e, 8);
		memcpy(ram + 0x2000, &all[i].pdpte, 8);
		for (size_t k = 0; k < RAW_NR_PIECES; k++)
			built_note_of(b, raw_piece[k].kind, 0, raw_bytes(&r, &raw_piece[k]),
				      raw_piece[k].bytes);
		struct lab l = lab_open(b);
		uint8_t byte;
		struct inq_err err = {0};
		enum inq_status st = inq_read(l.m->cpus[0].virt, 0, &byte, 1, &err);
		/* a page that maps leads out of this memory */
		if (all[i].st == INQ_OK)
			assert_null(strstr(err.msg, "pdpt"));
		else
			assert_non_null(strstr(err.msg, "pdpt[0]"));
		assert_int_equal(st, INQ_EFAULT);
		lab_close(&l);
	}
}

static void test_only_the_snapshot_itself_counts(void **state)
{
	(void)state;
	struct fake f;
	struct raw r = raw_random(61);
	fake_init(&f, 1);
	fake_blob(&f, 5, INQ_SNAP_REGS, &r.regs, sizeof(r.regs))->sample = 1;
	fake_blob(&f, INQ_SNAP_VM, INQ_SNAP_HOST, "a=b\n", 4);
	fake_blob(&f, 7, 0x77, &r.regs, sizeof(r.regs));
	fake_blob(&f, 0, INQ_SNAP_REGS, &r.regs, sizeof(r.regs));
	fake_blob(&f, 0, INQ_SNAP_REGS, &r.sregs2, sizeof(r.sregs2)); /* the first one counts */
	struct inq_machine *m = NULL;
	assert_int_equal(machine_open(&f.dump, &m, NULL), INQ_OK);
	assert_int_equal(m->nr_cpus, 1);
	assert_true(m->cpus[0].regs.v[X86_64_RIP] == r.regs.rip);
	machine_close(m);
}

static void test_absurd_numbers_of_cpus_are_refused(void **state)
{
	(void)state;
	struct fake f;
	struct inq_machine *m = NULL;
	struct inq_err err = {0};
	fake_init(&f, 1);
	fake_blob(&f, INQ_SNAP_MAX_VCPUS, INQ_SNAP_REGS, NULL, 0);
	assert_int_equal(machine_open(&f.dump, &m, &err), INQ_ELIMIT);
	assert_string_equal(err.msg, "fake: 4097 cpus, 4096 at most");
	f.blob[0].vcpu = 0xfffffffe;
	assert_int_equal(machine_open(&f.dump, &m, &err), INQ_ELIMIT);
	f.blob[0].vcpu = INQ_SNAP_MAX_VCPUS - 1;
	assert_int_equal(machine_open(&f.dump, &m, &err), INQ_OK);
	assert_int_equal(m->nr_cpus, INQ_SNAP_MAX_VCPUS);
	machine_close(m);
	f.header.nr_vcpus = UINT32_MAX;
	assert_int_equal(machine_open(&f.dump, &m, &err), INQ_ELIMIT);
	f.dump.header = NULL;
	f.dump.nr_blobs = 0;
	assert_int_equal(machine_open(&f.dump, &m, &err), INQ_OK); /* memory alone */
	assert_int_equal(m->nr_cpus, 0);
	assert_int_equal(m->nr_spaces, 2);
	machine_close(m);
	machine_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_lost_note_makes_exactly_its_registers_unknown),
		cmocka_unit_test(test_a_cpu_without_any_note_is_still_a_cpu),
		cmocka_unit_test(test_the_machine_says_what_it_is),
		cmocka_unit_test(test_each_cpu_sees_memory_through_its_own_tables),
		cmocka_unit_test(test_spaces_are_numbered_from_one),
		cmocka_unit_test(test_cpuid_gives_the_address_width_and_the_page_sizes),
		cmocka_unit_test(test_only_the_snapshot_itself_counts),
		cmocka_unit_test(test_absurd_numbers_of_cpus_are_refused),
	};
	return cmocka_run_group_tests_name("machine", tests, NULL, NULL);
}
