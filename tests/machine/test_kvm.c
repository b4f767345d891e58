/* The raw structures of KVM, cut, broken and with every validity flag. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>

#include "machine/machine.h"
#include "tests/machine/fake.h"
#include "tests/machine/raw.h"

static struct inq_machine *open_fake(struct fake *f)
{
	struct inq_machine *m = NULL;
	struct inq_err err = {0};

	if (machine_open(&f->dump, &m, &err))
		fail_msg("%s", err.msg);
	return m;
}

static void add_all(struct fake *f, uint32_t vcpu, const struct raw *r)
{
	for (size_t i = 0; i < RAW_NR_PIECES; i++)
		fake_blob(f, vcpu, raw_piece[i].kind, raw_bytes(r, &raw_piece[i]),
			  raw_piece[i].bytes);
}

static void assert_known(const struct inq_cpu *cpu, int r, uint64_t value)
{
	if (!inq_reg_known(&cpu->regs, (unsigned int)r) || cpu->regs.v[r] != value)
		fail_msg("%s: known %d, 0x%llx, not 0x%llx", x86_64_reg_info[r].name,
			 inq_reg_known(&cpu->regs, (unsigned int)r),
			 (unsigned long long)cpu->regs.v[r], (unsigned long long)value);
}

static void assert_unknown(const struct inq_cpu *cpu, int r)
{
	if (inq_reg_known(&cpu->regs, (unsigned int)r) || cpu->regs.v[r])
		fail_msg("%s is known", x86_64_reg_info[r].name);
}

static void test_every_register_comes_from_its_place_in_the_kernels_structures(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 20; seed++) {
		struct fake f;
		struct raw r = raw_random(seed);
		uint64_t want[X86_64_NR_REGS];
		fake_init(&f, 1);
		add_all(&f, 0, &r);
		struct inq_machine *m = open_fake(&f);
		raw_want(&r, want);
		for (int i = 0; i < X86_64_NR_REGS; i++)
			assert_known(&m->cpus[0], i, want[i]);
		assert_ptr_equal(m->cpus[0].lapic, &r.lapic);
		machine_close(m);
	}
}

static void test_each_event_comes_from_its_own_byte(void **state)
{
	(void)state;
	static const struct {
		size_t off;
		int reg;
	} all[] = {
		{offsetof(struct kvm_vcpu_events, exception.injected), X86_64_EXC_INJECTED},
		{offsetof(struct kvm_vcpu_events, exception.pending), X86_64_EXC_PENDING},
		{offsetof(struct kvm_vcpu_events, interrupt.injected), X86_64_INT_INJECTED},
		{offsetof(struct kvm_vcpu_events, nmi.injected), X86_64_NMI_INJECTED},
		{offsetof(struct kvm_vcpu_events, nmi.pending), X86_64_NMI_PENDING},
		{offsetof(struct kvm_vcpu_events, nmi.masked), X86_64_NMI_MASKED},
		{offsetof(struct kvm_vcpu_events, smi.smm), X86_64_SMM},
		{offsetof(struct kvm_vcpu_events, smi.pending), X86_64_SMI_PENDING},
		{offsetof(struct kvm_vcpu_events, smi.smm_inside_nmi), X86_64_SMM_INSIDE_NMI},
		{offsetof(struct kvm_vcpu_events, smi.latched_init), X86_64_SMM_LATCHED_INIT},
		{offsetof(struct kvm_vcpu_events, triple_fault.pending), X86_64_TRIPLE_FAULT},
	};
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		struct fake f;
		struct kvm_vcpu_events e;
		memset(&e, 0, sizeof(e));
		e.flags = 0x3d;
		((uint8_t *)&e)[all[i].off] = 0x80; /* a boolean is any value but 0 */
		fake_init(&f, 1);
		fake_blob(&f, 0, INQ_SNAP_EVENTS, &e, sizeof(e));
		struct inq_machine *m = open_fake(&f);
		for (size_t k = 0; k < sizeof(all) / sizeof(*all); k++)
			assert_known(&m->cpus[0], all[k].reg, k == i);
		machine_close(m);
	}
}

/* Bit by bit: what a flag does not vouch for is unknown. */
static void test_events_are_valid_only_under_their_flags(void **state)
{
	(void)state;
	static const struct {
		int reg;
		uint32_t flag;
	} guarded[] = {
		{X86_64_NMI_PENDING, 0x1},
		{X86_64_INT_SHADOW, 0x4},
		{X86_64_SMM, 0x8},
		{X86_64_SMI_PENDING, 0x8},
		{X86_64_SMM_INSIDE_NMI, 0x8},
		{X86_64_SMM_LATCHED_INIT, 0x8},
		{X86_64_EXC_PENDING, 0x10},
		{X86_64_TRIPLE_FAULT, 0x20},
	};
	for (uint32_t flags = 0; flags < 0x40; flags++) {
		struct fake f;
		struct raw r = raw_random(flags + 1);
		fake_init(&f, 1);
		r.events.flags = flags;
		r.events.exception.has_error_code = flags & 1;
		add_all(&f, 0, &r);
		struct inq_machine *m = open_fake(&f);
		for (size_t i = 0; i < sizeof(guarded) / sizeof(*guarded); i++)
			assert_int_equal(
				inq_reg_known(&m->cpus[0].regs, (unsigned int)guarded[i].reg),
				!!(flags & guarded[i].flag));
		assert_int_equal(inq_reg_known(&m->cpus[0].regs, X86_64_EXC_ERROR), flags & 1);
		assert_known(&m->cpus[0], X86_64_EXC_NR, r.events.exception.nr);
		assert_known(&m->cpus[0], X86_64_NMI_MASKED, r.events.nmi.masked != 0);
		machine_close(m);
	}
}

static void test_pdptrs_are_known_only_when_kvm_vouches_for_them(void **state)
{
	(void)state;
	struct fake f;
	struct raw r = raw_random(3);
	fake_init(&f, 1);
	r.sregs2.flags = ~(uint64_t)KVM_SREGS2_FLAGS_PDPTRS_VALID;
	add_all(&f, 0, &r);
	struct inq_machine *m = open_fake(&f);
	for (int i = X86_64_PDPTR0; i <= X86_64_PDPTR3; i++)
		assert_unknown(&m->cpus[0], i);
	assert_known(&m->cpus[0], X86_64_CR3, r.sregs2.cr3);
	machine_close(m);
}

static void test_the_older_sregs_stand_in_where_sregs2_is_not_whole(void **state)
{
	(void)state;
	struct raw r = raw_random(4), other = raw_random(5);
	struct kvm_sregs old = {.cr3 = 0x1234000, .apic_base = 0xfee00800, .efer = 0xd01};
	uint64_t want[X86_64_NR_REGS];
	raw_want(&r, want);
	for (int variant = 0; variant < 3; variant++) {
		struct fake f;
		fake_init(&f, 1);
		fake_blob(&f, 0, INQ_SNAP_SREGS, &old, sizeof(old));
		if (variant)
			fake_blob(&f, 0, INQ_SNAP_SREGS2, variant == 1 ? &r.sregs2 : &other.sregs2,
				  sizeof(r.sregs2) - (variant == 2));
		struct inq_machine *m = open_fake(&f);
		assert_known(&m->cpus[0], X86_64_CR3, variant == 1 ? want[X86_64_CR3] : old.cr3);
		assert_known(&m->cpus[0], X86_64_EFER, variant == 1 ? 0xd00 : 0xd01);
		assert_known(&m->cpus[0], X86_64_CR8, variant == 1 ? want[X86_64_CR8] : 0);
		assert_int_equal(inq_reg_known(&m->cpus[0].regs, X86_64_PDPTR0), variant == 1);
		machine_close(m);
	}
}

/* Whatever length a structure has: whole, or nothing of it.  Copies end at their last byte. */
static void test_a_structure_cut_anywhere_leaves_its_registers_unknown(void **state)
{
	(void)state;
	struct raw r = raw_random(6);
	uint64_t want[X86_64_NR_REGS];
	raw_want(&r, want);
	for (size_t i = 0; i < RAW_NR_PIECES; i++) {
		const struct raw_piece *p = &raw_piece[i];
		if (p->kind == INQ_SNAP_MSRS || p->kind == INQ_SNAP_CPUID2)
			continue; /* lists: below */
		for (size_t n = 0; n <= p->bytes; n++) {
			struct fake f;
			uint8_t *cut = malloc(n ? n : 1);
			assert_non_null(cut);
			memcpy(cut, raw_bytes(&r, p), n);
			fake_init(&f, 1);
			fake_blob(&f, 0, p->kind, cut, n);
			struct inq_machine *m = open_fake(&f);
			for (int k = 0; k < X86_64_NR_REGS; k++)
				if (n == p->bytes && k >= p->first && k <= p->last)
					assert_known(&m->cpus[0], k, want[k]);
				else
					assert_unknown(&m->cpus[0], k);
			assert_true((m->cpus[0].lapic != NULL) ==
				    (n == p->bytes && p->kind == INQ_SNAP_LAPIC));
			machine_close(m);
			free(cut);
		}
	}
}

static void test_lists_keep_the_entries_that_are_whole(void **state)
{
	(void)state;
	struct raw r = raw_random(7);
	for (size_t n = 0; n <= sizeof(r.msrs); n++) {
		struct fake f;
		uint8_t *msrs = malloc(n ? n : 1), *cpuid = malloc(n ? n : 1);
		assert_true(msrs && cpuid);
		memcpy(msrs, r.msrs, n);
		memcpy(cpuid, r.cpuid, n);
		fake_init(&f, 1);
		fake_blob(&f, 0, INQ_SNAP_MSRS, msrs, n);
		fake_blob(&f, 0, INQ_SNAP_CPUID2, cpuid, n);
		struct inq_machine *m = open_fake(&f);
		const struct inq_cpu *cpu = &m->cpus[0];
		assert_int_equal(cpu->nr_msrs, n / sizeof(r.msrs[0]));
		assert_int_equal(cpu->nr_cpuid, n / sizeof(r.cpuid[0]));
		assert_true((cpu->msrs != NULL) == (cpu->nr_msrs != 0));
		assert_true((cpu->cpuid != NULL) == (cpu->nr_cpuid != 0));
		for (size_t i = 1; cpu->msrs && i < cpu->nr_msrs; i++)
			assert_true(cpu->msrs[i - 1].index < cpu->msrs[i].index);
		for (size_t i = 0; cpu->cpuid && i < cpu->nr_cpuid; i++) {
			assert_int_equal(cpu->cpuid[i].leaf, r.cpuid[i].function);
			assert_int_equal(cpu->cpuid[i].subleaf, r.cpuid[i].index);
			assert_int_equal(cpu->cpuid[i].edx, r.cpuid[i].edx);
		}
		for (size_t i = 0; i < RAW_NR_MSRS; i++) {
			uint64_t v = 0;
			int known = inq_cpu_msr(cpu, r.msrs[i].index, &v);
			assert_int_equal(known, i < cpu->nr_msrs);
			assert_true(!known || v == r.msrs[i].data);
		}
		machine_close(m);
		free(msrs);
		free(cpuid);
	}
}

static void test_refused_and_contradicting_msrs_are_unknown(void **state)
{
	(void)state;
	static const struct kvm_msr_entry e[] = {
		{.index = 0x9e, .reserved = 1, .data = 0x30000}, /* KVM refused */
		{.index = 0x10, .data = 1},
		{.index = 0x34, .data = 7},
		{.index = 0x10, .data = 2}, /* says something else */
		{.index = 0x34, .data = 7}, /* says the same */
		{.index = 0x1b, .data = 9},
		{.index = 0x1b, .reserved = 1, .data = 9},
	};
	struct fake f;
	uint64_t v = 77;
	fake_init(&f, 1);
	fake_blob(&f, 0, INQ_SNAP_MSRS, e, sizeof(e));
	struct inq_machine *m = open_fake(&f);
	const struct inq_cpu *cpu = &m->cpus[0];
	assert_int_equal(cpu->nr_msrs, 4);
	assert_unknown(cpu, X86_64_SMBASE);
	assert_int_equal(inq_cpu_msr(cpu, 0x9e, &v), 0);
	assert_int_equal(inq_cpu_msr(cpu, 0x10, &v), 0);
	assert_int_equal(inq_cpu_msr(cpu, 0x1b, &v), 0);
	assert_int_equal(inq_cpu_msr(cpu, 0x11, &v), 0);
	assert_int_equal(v, 77);
	assert_int_equal(inq_cpu_msr(cpu, 0x34, &v), 1);
	assert_int_equal(v, 7);
	machine_close(m);
}

static void load(const char *name, void *buf, size_t n)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/%s.bin", TEST_DATA, name);
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	assert_int_equal(fread(buf, 1, n, file), n);
	fclose(file);
}

static void test_a_real_vcpu_in_smm(void **state)
{
	(void)state;
	static const struct {
		int reg;
		uint64_t value;
	} want[] = {
		{X86_64_RIP, 0x804b},
		{X86_64_RFLAGS, 2},
		{X86_64_RSP, 0x16ffa},
		{X86_64_R12, UINT64_C(0x1212121212121212)},
		{X86_64_CS_SEL, 0x3000},
		{X86_64_CS_BASE, 0x30000},
		{X86_64_CS_LIMIT, 0xffffffff},
		{X86_64_CS_ATTR, 0x8093},
		{X86_64_CR0, 0x50032},
		{X86_64_CR3, 0x2000},
		{X86_64_CR4, 0},
		{X86_64_EFER, 0},
		{X86_64_APIC_BASE, 0xfee00900},
		{X86_64_DR6, 0xffff2ff0},
		{X86_64_DR7, 0x400},
		{X86_64_SMM, 1},
		{X86_64_SMI_PENDING, 0},
		{X86_64_NMI_MASKED, 1},
		{X86_64_NMI_PENDING, 0},
		{X86_64_TRIPLE_FAULT, 0},
		{X86_64_SMBASE, 0x30000},
	};
	uint8_t regs[144], sregs2[320], debug[128], events[64], lapic[1024], msrs[1552], byte = 0;
	struct fake f;
	fake_init(&f, 1);
	load("regs", regs, sizeof(regs));
	load("sregs2", sregs2, sizeof(sregs2));
	load("debugregs", debug, sizeof(debug));
	load("events", events, sizeof(events));
	load("lapic", lapic, sizeof(lapic));
	load("msrs", msrs, sizeof(msrs));
	fake_blob(&f, 0, INQ_SNAP_REGS, regs, sizeof(regs));
	fake_blob(&f, 0, INQ_SNAP_SREGS2, sregs2, sizeof(sregs2));
	fake_blob(&f, 0, INQ_SNAP_DEBUGREGS, debug, sizeof(debug));
	fake_blob(&f, 0, INQ_SNAP_EVENTS, events, sizeof(events));
	fake_blob(&f, 0, INQ_SNAP_LAPIC, lapic, sizeof(lapic));
	fake_blob(&f, 0, INQ_SNAP_MSRS, msrs, sizeof(msrs));
	struct inq_machine *m = open_fake(&f);
	const struct inq_cpu *cpu = &m->cpus[0];
	for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++)
		assert_known(cpu, want[i].reg, want[i].value);
	assert_unknown(cpu, X86_64_MP_STATE);
	assert_unknown(cpu, X86_64_PDPTR0);
	uint64_t rip = 0;
	assert_int_equal(x86_64_mode_of(&cpu->regs), X86_64_MODE_REAL);
	assert_int_equal(x86_64_linear_rip(&cpu->regs, &rip), 1);
	assert_int_equal(rip, 0x3804b);
	assert_ptr_equal(cpu->phys, &f.smm);
	assert_int_equal(inq_read(cpu->virt, rip, &byte, 1, NULL), INQ_OK);
	assert_int_equal(byte, 0x55); /* SMRAM, not what lies behind it */
	machine_close(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_every_register_comes_from_its_place_in_the_kernels_structures),
		cmocka_unit_test(test_each_event_comes_from_its_own_byte),
		cmocka_unit_test(test_events_are_valid_only_under_their_flags),
		cmocka_unit_test(test_pdptrs_are_known_only_when_kvm_vouches_for_them),
		cmocka_unit_test(test_the_older_sregs_stand_in_where_sregs2_is_not_whole),
		cmocka_unit_test(test_a_structure_cut_anywhere_leaves_its_registers_unknown),
		cmocka_unit_test(test_lists_keep_the_entries_that_are_whole),
		cmocka_unit_test(test_refused_and_contradicting_msrs_are_unknown),
		cmocka_unit_test(test_a_real_vcpu_in_smm),
	};
	return cmocka_run_group_tests_name("kvm", tests, NULL, NULL);
}
