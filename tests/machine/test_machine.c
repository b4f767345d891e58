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
#include "tests/machine/qemu.h"
#include "tests/machine/raw.h"

/* An opened dump and its machine. */
struct lab {
	struct built *b;
	struct inq_dump *dump;
	struct inq_machine *m;
	int fd;
};

static struct lab lab_open(struct built *b)
{
	struct lab l = {.b = b, .fd = -1};
	struct inq_err err = {0};
	char path[32];
	size_t n;
	uint8_t *bytes = built_finish(b, &n);

	l.fd = built_memfd(bytes, n, path);
	if (inq_dump_open(path, &l.dump, &err) || machine_open(l.dump, &l.m, &err))
		fail_msg("%s", err.msg);
	return l;
}

static void lab_close(struct lab *l)
{
	machine_close(l->m);
	inq_dump_close(l->dump);
	close(l->fd);
	built_free(l->b);
}

enum lost { LOST_NOTHING, LOST_NOTE, LOST_ABSENT, LOST_FAILED };

/* Two vCPUs; the note of kind piece of vCPU 1 is lost in one of the ways. */
static struct built *two_cpus(const struct raw raw[2], size_t piece, enum lost how)
{
	struct built *b = built_snapshot(2);

	built_segment(b, 0, 0x4000);
	for (uint32_t cpu = 0; cpu < 2; cpu++) {
		for (size_t i = 0; i < RAW_NR_PIECES; i++) {
			const struct raw_piece *p = &raw_piece[i];
			if (cpu == 0 || i != piece || how == LOST_NOTHING)
				built_note_of(b, p->kind, cpu, raw_bytes(&raw[cpu], p), p->bytes);
			else if (how != LOST_NOTE)
				built_note_lacks(b, p->kind, cpu,
						 how == LOST_ABSENT ? INQ_SNAP_ABSENT
								    : INQ_SNAP_FAILED,
						 how == LOST_FAILED ? 22 : 0);
		}
	}
	return b;
}

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

static void test_a_foreign_core_knows_what_prstatus_holds(void **state)
{
	(void)state;
	uint64_t user[27];
	for (unsigned int i = 0; i < 27; i++)
		user[i] = UINT64_C(0x1111000000000000) + i;
	struct built *b = built_core();
	built_segment(b, 0, 0x1000);
	built_prstatus(b, user);
	user[16] = 0x5555;
	built_prstatus(b, user);
	struct lab l = lab_open(b);
	/* user_regs_struct: r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip
	   cs eflags rsp ss fs_base gs_base ds es fs gs */
	static const int where[18] = {
		[X86_64_RAX] = 10, [X86_64_RCX] = 11,   [X86_64_RDX] = 12, [X86_64_RBX] = 5,
		[X86_64_RSP] = 19, [X86_64_RBP] = 4,    [X86_64_RSI] = 13, [X86_64_RDI] = 14,
		[X86_64_R8] = 9,   [X86_64_R9] = 8,     [X86_64_R10] = 7,  [X86_64_R11] = 6,
		[X86_64_R12] = 3,  [X86_64_R13] = 2,    [X86_64_R14] = 1,  [X86_64_R15] = 0,
		[X86_64_RIP] = 16, [X86_64_RFLAGS] = 18};
	assert_int_equal(l.m->nr_cpus, 2);
	assert_string_equal(l.m->kind, "unknown");
	assert_int_equal(l.m->sample.t_known, 0);
	const struct inq_regset *rs = &l.m->cpus[1].regs;
	for (unsigned int r = 0; r < X86_64_NR_REGS; r++) {
		uint64_t want = r < 18 ? user[where[r]] : 0;
		if (r == X86_64_CS_SEL || r == X86_64_SS_SEL)
			want = r == X86_64_CS_SEL ? 17 : 20;
		/* fs_base and gs_base are the task's when a crashing Linux wrote them: unknown */
		assert_int_equal(inq_reg_known(rs, r), want != 0);
		assert_true(rs->v[r] == want);
	}
	assert_true(l.m->cpus[0].regs.v[X86_64_RIP] == user[0] + 16);
	assert_null(l.m->cpus[1].virt);
	lab_close(&l);
}

/* NT_PRSTATUS helps when the REGS note got lost, not when its producer had no registers. */
static void test_prstatus_stands_in_for_a_lost_regs_note_only(void **state)
{
	(void)state;
	struct raw raw[2] = {raw_random(51), raw_random(52)};
	uint64_t user[27];
	for (unsigned int i = 0; i < 27; i++)
		user[i] = 0xabc0 + i;
	for (enum lost how = LOST_NOTHING; how <= LOST_FAILED; how++) {
		struct built *b = two_cpus(raw, 0, how);
		built_prstatus(b, user);
		built_prstatus(b, user);
		struct lab l = lab_open(b);
		const struct inq_regset *rs = &l.m->cpus[1].regs;
		assert_int_equal(inq_reg_known(rs, X86_64_RIP), how <= LOST_NOTE);
		assert_true(rs->v[X86_64_RIP] == (how == LOST_NOTHING ? raw[1].regs.rip
						  : how == LOST_NOTE  ? 0xabd0
								      : 0));
		/* what SREGS2 says stands */
		assert_true(rs->v[X86_64_FS_BASE] == raw[1].sregs2.fs.base);
		assert_true(rs->v[X86_64_CS_SEL] == raw[1].sregs2.cs.selector);
		lab_close(&l);
	}
}

/* Every field another value, so that none can stand in for its neighbour. */
static struct qemu_cpu qemu_cpu(void)
{
	struct qemu_cpu q = {.version = 1, .size = sizeof(q), .kernel_gs_base = 0xffff888000001234};

	for (unsigned int i = 0; i < 18; i++)
		q.gpr[i] = UINT64_C(0x1234567800000000) + i;
	for (unsigned int i = 0; i < 10; i++) {
		q.seg[i].selector = 0x10 + i, q.seg[i].limit = 0xfff0 + i;
		q.seg[i].flags = 0xaf9b00 + (i << 12),
		q.seg[i].base = UINT64_C(0xfffffe0000) << 8 | i;
	}
	for (unsigned int i = 0; i < 5; i++)
		q.cr[i] = 0x80000000 + 0x1000 * i;
	q.cr[0] |= 1, q.cr[4] = 0x20;
	return q;
}

static const uint16_t qemu_gpr[18] = {X86_64_RAX, X86_64_RBX, X86_64_RCX,   X86_64_RDX, X86_64_RSI,
				      X86_64_RDI, X86_64_RSP, X86_64_RBP,   X86_64_R8,  X86_64_R9,
				      X86_64_R10, X86_64_R11, X86_64_R12,   X86_64_R13, X86_64_R14,
				      X86_64_R15, X86_64_RIP, X86_64_RFLAGS};
static const uint16_t qemu_seg[8] = {X86_64_CS_SEL, X86_64_DS_SEL, X86_64_ES_SEL,   X86_64_FS_SEL,
				     X86_64_GS_SEL, X86_64_SS_SEL, X86_64_LDTR_SEL, X86_64_TR_SEL};

/* What a machine must show of it. */
static void qemu_want(const struct qemu_cpu *q, struct inq_regset *want)
{
	for (unsigned int i = 0; i < 18; i++)
		inq_reg_set(want, qemu_gpr[i], q->gpr[i]);
	for (unsigned int i = 0; i < 8; i++) {
		inq_reg_set(want, qemu_seg[i], q->seg[i].selector);
		inq_reg_set(want, qemu_seg[i] + 1u, q->seg[i].base);
		inq_reg_set(want, qemu_seg[i] + 2u, q->seg[i].limit);
		inq_reg_set(want, qemu_seg[i] + 3u, q->seg[i].flags >> 8 & 0xf0ff);
	}
	inq_reg_set(want, X86_64_GDTR_BASE, q->seg[8].base);
	inq_reg_set(want, X86_64_GDTR_LIMIT, q->seg[8].limit);
	inq_reg_set(want, X86_64_IDTR_BASE, q->seg[9].base);
	inq_reg_set(want, X86_64_IDTR_LIMIT, q->seg[9].limit);
	inq_reg_set(want, X86_64_CR0, q->cr[0]);
	inq_reg_set(want, X86_64_CR2, q->cr[2]);
	inq_reg_set(want, X86_64_CR3, q->cr[3]);
	inq_reg_set(want, X86_64_CR4, q->cr[4]);
}

static void check_regs(const struct inq_cpu *cpu, const struct inq_regset *want)
{
	for (unsigned int r = 0; r < X86_64_NR_REGS; r++)
		if (inq_reg_known(&cpu->regs, r) != inq_reg_known(want, r) ||
		    cpu->regs.v[r] != want->v[r])
			fail_msg("cpu %u: %s", cpu->index, x86_64_reg_info[r].name);
}

static void test_a_qemu_note_tells_all_that_is_in_it_and_no_more(void **state)
{
	(void)state;
	struct qemu_cpu q = qemu_cpu();
	struct inq_regset want = {0};
	struct built *b = built_core();
	built_segment(b, 0, 0x1000);
	built_note(b, "QEMU", 0, &q, sizeof(q));
	struct lab l = lab_open(b);
	uint64_t gs = 0;
	qemu_want(&q, &want);
	assert_int_equal(l.m->nr_cpus, 1);
	check_regs(&l.m->cpus[0], &want);
	assert_int_equal(inq_cpu_msr(&l.m->cpus[0], 0xc0000102, &gs), 1);
	assert_true(gs == q.kernel_gs_base);
	assert_int_equal(l.m->cpus[0].nr_msrs, 1);
	/* its tables lie above 4 GiB: long mode, though EFER is not in the note */
	assert_int_equal(x86_64_mode_of(&l.m->cpus[0].regs), X86_64_MODE_LONG);
	assert_non_null(l.m->cpus[0].virt);
	lab_close(&l);
}

static void test_an_old_or_a_foreign_qemu_note_tells_what_it_can(void **state)
{
	(void)state;
	static const struct {
		uint32_t version, size;
		size_t bytes;
		unsigned int cpus;
		bool regs, gs;
	} all[] = {
		{1, 440, 440, 1, true, true},   {1, 432, 440, 1, true, false},
		{1, 432, 432, 1, true, false},  {1, 440, 432, 1, true, false},
		{1, 440, 480, 1, true, true},   {2, 440, 440, 1, false, false},
		{1, 431, 440, 1, false, false}, {1, 440, 428, 0, false, false},
		{0, 0, 440, 1, false, false},   {1, 440, 0, 0, false, false},
	};
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		uint8_t bytes[480] = {0};
		struct qemu_cpu q = qemu_cpu();
		uint64_t gs;
		struct built *b = built_core();
		q.version = all[i].version, q.size = all[i].size;
		memcpy(bytes, &q, sizeof(q));
		built_segment(b, 0, 0x1000);
		built_note(b, "QEMU", 0, bytes, all[i].bytes);
		struct lab l = lab_open(b);
		assert_int_equal(l.m->nr_cpus, all[i].cpus);
		assert_int_equal(l.dump->nr_damages, !all[i].cpus);
		if (all[i].cpus) {
			assert_int_equal(inq_reg_known(&l.m->cpus[0].regs, X86_64_CR3),
					 all[i].regs);
			assert_int_equal(inq_cpu_msr(&l.m->cpus[0], 0xc0000102, &gs), all[i].gs);
		}
		lab_close(&l);
	}
}

/* What the text of the dump gives each CPU; Cloud Hypervisor counts pr_pid from 0. */
static void test_a_coredump_of_cloud_hypervisor_gives_its_registers_back(void **state)
{
	(void)state;
	static const struct {
		unsigned int reg;
		uint64_t value[2];
	} want[] = {
		{X86_64_RAX, {0xa0, 0}},
		{X86_64_RDX, {0xd0, 0x600}},
		{X86_64_RSP, {0xffffc90000013f58, 0}},
		{X86_64_R15, {15, 0}},
		{X86_64_RIP, {0xffffffff81000010, 0xfff0}},
		{X86_64_RFLAGS, {0x246, 2}},
		{X86_64_CS_SEL, {0x10, 0xf000}},
		{X86_64_CS_BASE, {0, 0xffff0000}},
		{X86_64_CS_LIMIT, {0xffffffff, 0xffff}},
		{X86_64_CS_ATTR, {0xa09b, 0x9b}},
		{X86_64_FS_BASE, {0x7f0000001000, 0}},
		{X86_64_GS_BASE, {0xffff88807dc00000, 0}},
		{X86_64_SS_SEL, {0x18, 0}},
		{X86_64_TR_BASE, {0xfffffe0000003000, 0}},
		{X86_64_LDTR_ATTR, {0, 0x82}},
		{X86_64_GDTR_BASE, {0xfffffe0000001000, 0}},
		{X86_64_GDTR_LIMIT, {0x7f, 0xffff}},
		{X86_64_IDTR_BASE, {0xfffffe0000000000, 0}},
		{X86_64_CR0, {0x80050033, 0x60000010}},
		{X86_64_CR2, {0x7f0000002000, 0}},
		{X86_64_CR3, {0x1000, 0}},
		{X86_64_CR4, {0x6f0, 0}},
	};
	static const uint64_t kernel_gs[2] = {0x7f0000003000, 0};
	struct built_ask asks[8];
	size_t nr_asks;
	char *text = built_slurp(BUILT_CASES "/cloud-hypervisor-coredump.txt");
	struct lab l = lab_open(built_parse("coredump", text, asks, 8, &nr_asks));

	free(text);
	assert_int_equal(l.m->nr_cpus, 2);
	for (unsigned int cpu = 0; cpu < 2; cpu++) {
		const struct inq_regset *rs = &l.m->cpus[cpu].regs;
		uint64_t gs = 1;
		for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++)
			if (!inq_reg_known(rs, want[i].reg) ||
			    rs->v[want[i].reg] != want[i].value[cpu])
				fail_msg("cpu %u: %s", cpu, x86_64_reg_info[want[i].reg].name);
		assert_false(inq_reg_known(rs, X86_64_EFER));
		assert_int_equal(inq_cpu_msr(&l.m->cpus[cpu], 0xc0000102, &gs), 1);
		assert_true(gs == kernel_gs[cpu]);
	}
	assert_int_equal(x86_64_mode_of(&l.m->cpus[0].regs), X86_64_MODE_LONG);
	assert_int_equal(x86_64_mode_of(&l.m->cpus[1].regs), X86_64_MODE_REAL);
	lab_close(&l);
}

static void put_prstatus(struct built *b, size_t bytes, uint32_t pid, uint64_t rip)
{
	uint8_t desc[336] = {0};
	bool is32 = bytes == 144;

	memcpy(desc + (is32 ? 24 : 32), &pid, 4);
	memcpy(desc + (is32 ? 120 : 240), &rip, is32 ? 4 : 8);
	built_note(b, "CORE", 1, desc, bytes);
}

/* QEMU numbers CPUs in pr_pid, from 1; what was unplugged is missing.  Others have PIDs there. */
static void test_pr_pid_is_the_cpu_plus_one_where_qemu_wrote_it(void **state)
{
	(void)state;
	static const struct {
		uint32_t pid[2];
		unsigned int qemu, cpu[2];
	} all[] = {
		{{1, 2}, 2, {0, 1}}, {{1, 4}, 2, {0, 3}},    {{2, 3}, 2, {1, 2}},
		{{3, 7}, 0, {0, 1}}, {{0, 1}, 2, {0, 1}},    {{2, 2}, 2, {0, 1}},
		{{4, 1}, 2, {0, 1}}, {{1, 4097}, 2, {0, 1}}, {{1, 4}, 1, {0, 1}},
	};
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		struct qemu_cpu q = qemu_cpu();
		struct built *b = built_core();
		built_segment(b, 0, 0x1000);
		put_prstatus(b, 336, all[i].pid[0], 0);
		put_prstatus(b, 144, all[i].pid[1], 0);
		for (q.gpr[16] = 0; q.gpr[16] < all[i].qemu; q.gpr[16]++)
			built_note(b, "QEMU", 0, &q, sizeof(q));
		struct lab l = lab_open(b);
		assert_int_equal(l.m->nr_cpus, all[i].cpu[1] + 1);
		for (unsigned int k = 0; k < 2; k++) {
			const struct inq_regset *rs = &l.m->cpus[all[i].cpu[k]].regs;
			assert_true(inq_reg_known(rs, X86_64_RIP));
			assert_int_equal(rs->v[X86_64_RIP], k < all[i].qemu ? k : 0);
		}
		lab_close(&l);
	}
}

static void test_prstatus_of_i386_tells_what_is_in_it(void **state)
{
	(void)state;
	struct built *b = built_core();
	uint8_t desc[144] = {0};
	static const uint16_t where[16] = {
		X86_64_RBX,    X86_64_RCX,    X86_64_RDX,    X86_64_RSI,
		X86_64_RDI,    X86_64_RBP,    X86_64_RAX,    X86_64_DS_SEL,
		X86_64_ES_SEL, X86_64_FS_SEL, X86_64_GS_SEL, X86_64_NR_REGS,
		X86_64_RIP,    X86_64_CS_SEL, X86_64_RFLAGS, X86_64_RSP};
	struct inq_regset want = {0};
	for (uint32_t i = 0; i < 17; i++) { /* struct user_regs_struct of i386 */
		uint32_t value = 0xf000 + i;
		memcpy(desc + 72 + 4 * i, &value, 4);
		if (i == 16)
			inq_reg_set(&want, X86_64_SS_SEL, value);
		else if (where[i] != X86_64_NR_REGS)
			inq_reg_set(&want, where[i], value);
	}
	built_segment(b, 0, 0x1000);
	built_note(b, "CORE", 1, desc, sizeof(desc));
	struct lab l = lab_open(b);
	assert_int_equal(l.dump->nr_damages, 0);
	assert_int_equal(l.m->nr_cpus, 1);
	check_regs(&l.m->cpus[0], &want);
	lab_close(&l);
}

/* Ours comes first, and what its producer refused is not asked of others. */
static void test_a_qemu_note_stands_in_for_lost_notes_only(void **state)
{
	(void)state;
	struct raw raw[2] = {raw_random(71), raw_random(72)};
	struct qemu_cpu q = qemu_cpu();
	for (size_t piece = 0; piece < 2; piece++) { /* REGS, SREGS2 */
		for (enum lost how = LOST_NOTHING; how <= LOST_FAILED; how++) {
			struct built *b = two_cpus(raw, piece, how);
			built_note(b, "QEMU", 0, &q, sizeof(q));
			built_note(b, "QEMU", 0, &q, sizeof(q));
			struct lab l = lab_open(b);
			const struct inq_regset *rs = &l.m->cpus[1].regs;
			unsigned int r = piece ? X86_64_CR3 : X86_64_RIP;
			uint64_t ours = piece ? raw[1].sregs2.cr3 : raw[1].regs.rip;
			assert_int_equal(inq_reg_known(rs, r), how <= LOST_NOTE);
			assert_true(rs->v[r] == (how == LOST_NOTHING ? ours
						 : how > LOST_NOTE   ? 0
						 : piece             ? q.cr[3]
								     : q.gpr[16]));
			assert_true(rs->v[piece ? X86_64_RIP : X86_64_CR3] ==
				    (piece ? raw[1].regs.rip : raw[1].sregs2.cr3));
			lab_close(&l);
		}
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
		cmocka_unit_test(test_a_foreign_core_knows_what_prstatus_holds),
		cmocka_unit_test(test_prstatus_stands_in_for_a_lost_regs_note_only),
		cmocka_unit_test(test_a_qemu_note_tells_all_that_is_in_it_and_no_more),
		cmocka_unit_test(test_an_old_or_a_foreign_qemu_note_tells_what_it_can),
		cmocka_unit_test(test_a_coredump_of_cloud_hypervisor_gives_its_registers_back),
		cmocka_unit_test(test_pr_pid_is_the_cpu_plus_one_where_qemu_wrote_it),
		cmocka_unit_test(test_prstatus_of_i386_tells_what_is_in_it),
		cmocka_unit_test(test_a_qemu_note_stands_in_for_lost_notes_only),
		cmocka_unit_test(test_only_the_snapshot_itself_counts),
		cmocka_unit_test(test_absurd_numbers_of_cpus_are_refused),
	};
	return cmocka_run_group_tests_name("machine", tests, NULL, NULL);
}
