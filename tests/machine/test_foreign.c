/* From cores of other producers to a machine: PRSTATUS, QEMU's notes, Cloud Hypervisor's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "arch/x86_64/lapic.h"
#include "tests/machine/opened.h"
#include "tests/machine/qemu.h"

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

static struct lab lab_of_case(const char *path)
{
	struct built_ask asks[8];
	size_t nr_asks;
	char *text = built_slurp(path);
	struct lab l = lab_open(built_parse(path, text, asks, 8, &nr_asks));

	free(text);
	return l;
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
	struct lab l = lab_of_case(BUILT_CASES "/cloud-hypervisor-coredump.txt");

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

static void test_a_qemu_stream_tells_how_far_a_timer_is_whatever_its_width(void **state)
{
	static const struct {
		const char *path;
		uint32_t initial;
	} all[] = {{BUILT_CASES "/qemu-cpu.txt", 0x10000},
		   {BUILT_CASES "/qemu-timer.txt", UINT32_MAX}};
	enum { PASSED = (1000000 - 1000) >> 2 };

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		struct lab l = lab_of_case(all[i].path);
		assert_int_equal(l.m->nr_cpus, 1);
		const uint8_t *lapic = l.m->cpus[0].lapic;
		assert_non_null(lapic);
		assert_int_equal(x86_64_lapic_read(lapic, 0x380), all[i].initial);
		assert_int_equal(x86_64_lapic_read(lapic, 0x390),
				 all[i].initial - PASSED % ((uint64_t)all[i].initial + 1));
		lab_close(&l);
	}
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_foreign_core_knows_what_prstatus_holds),
		cmocka_unit_test(test_prstatus_stands_in_for_a_lost_regs_note_only),
		cmocka_unit_test(test_a_qemu_note_tells_all_that_is_in_it_and_no_more),
		cmocka_unit_test(test_an_old_or_a_foreign_qemu_note_tells_what_it_can),
		cmocka_unit_test(test_a_coredump_of_cloud_hypervisor_gives_its_registers_back),
		cmocka_unit_test(test_a_qemu_stream_tells_how_far_a_timer_is_whatever_its_width),
		cmocka_unit_test(test_pr_pid_is_the_cpu_plus_one_where_qemu_wrote_it),
		cmocka_unit_test(test_prstatus_of_i386_tells_what_is_in_it),
		cmocka_unit_test(test_a_qemu_note_stands_in_for_lost_notes_only),
	};
	return cmocka_run_group_tests_name("machine foreign", tests, NULL, NULL);
}
