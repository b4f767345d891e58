/* Stacks in a small memory, with a table that says how to climb them: whole, looped and cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "machine/machine.h"
#include "machine/names.h"
#include "machine/types.h"
#include "machine/unwind_parts.h"

#define BASE UINT64_C(0xffffffff81000000)
enum {
	BYTES = 0x8000,
	CALLS = 0x100, /* an 8-byte frame; every return address here is behind a call */
	TOP = 0x200,   /* the outermost function */
	ENTRY = 0x300, /* registers lie at rsp */
	DOWN = 0x400,  /* its frame address is the word at rsp */
	BARE = 0x500,  /* the table says that it does not know */
	END = 0x600,
	IPS = 0x1000,
	ENTRIES = 0x1100,
	TASK = 0x4000,
	IRQ = 0x6000,
	STACK = 0x1000,
};

struct lab {
	struct inq_space space; /* the first: reading gets it as self */
	struct window {
		struct inq_space base;
		uint8_t bytes[0x10000];
	} smm;
	uint8_t bytes[BYTES];
	struct inq_kernel kernel;
	struct machine_names names;
	struct machine_made made;
	struct inq_dump dump;
	struct inq_cpu cpu;
	struct inq_machine m;
	struct unwind_area irq, own;
	struct unwinder u;
	struct unwind_stack got;
};

static enum inq_status read_memory(const struct inq_space *self, uint64_t addr, void *buf, size_t n,
				   struct inq_err *err)
{
	if (addr < BASE || addr - BASE >= BYTES || n > BYTES - (addr - BASE))
		return inq_fail_at(err, INQ_EFAULT, addr, "kernel: 0x%llx is not mapped",
				   (unsigned long long)addr);
	memcpy(buf, ((const struct lab *)self)->bytes + (addr - BASE), n);
	return INQ_OK;
}

static enum inq_status read_smm(const struct inq_space *self, uint64_t addr, void *buf, size_t n,
				struct inq_err *err)
{
	const struct window *w = (const struct window *)self;

	if (addr >= sizeof(w->bytes) || n > sizeof(w->bytes) - addr)
		return inq_fail_at(err, INQ_EFAULT, addr, "smm: not mapped");
	memcpy(buf, w->bytes + addr, n);
	return INQ_OK;
}

static enum inq_status mem_read(void *ctx, uint64_t addr, void *buf, size_t n, struct inq_err *err)
{
	const struct lab *l = ctx;

	return read_memory(&l->space, addr, buf, n, err);
}

static bool mem_is_code(void *ctx, uint64_t addr)
{
	(void)ctx;
	return addr >= BASE + CALLS && addr < BASE + IPS;
}

static void entry(struct lab *l, unsigned i, unsigned at, int sp_off, unsigned bits)
{
	int32_t rel = (int32_t)at - (int32_t)(IPS + 4 * i);
	int16_t off = (int16_t)sp_off;
	uint8_t *e = l->bytes + ENTRIES + 6 * i;

	memcpy(l->bytes + IPS + 4 * i, &rel, 4);
	memcpy(e, &off, 2);
	e[4] = (uint8_t)bits;
	e[5] = (uint8_t)(bits >> 8);
}

static void build_table(struct lab *l)
{
	struct inq_err err;

	entry(l, 0, CALLS, 8, 5 | 2 << 8);
	entry(l, 1, TOP, 0, 1 << 8);
	entry(l, 2, ENTRY, 0, 5 | 3 << 8);
	entry(l, 3, DOWN, 8, 9 | 2 << 8);
	entry(l, 4, BARE, 0, 0);
	if (symbols_orc_open(mem_read, l, BASE + IPS, BASE + ENTRIES, 5, NULL, &l->u.orc, &err))
		fail_msg("%s", err.msg);
}

static int setup(void **state)
{
	static struct lab l;

	memset(&l, 0, sizeof(l));
	l.space = (struct inq_space){.name = "kernel", .read = read_memory};
	l.smm.base = (struct inq_space){.name = "smm", .read = read_smm};
	for (unsigned at = CALLS; at < IPS; at += 8)
		l.bytes[at + 3] = 0xe8; /* every address that is a multiple of 8 is behind one */
	l.kernel = (struct inq_kernel){.os = "linux",
				       .virt = &l.space,
				       .known = INQ_KERNEL_TEXT | INQ_KERNEL_LAST,
				       .text = BASE + CALLS,
				       .last = BASE + IPS - 1};
	l.names.st = INQ_EABSENT;
	l.made = (struct machine_made){.kernel = &l.kernel, .names = &l.names};
	l.dump = (struct inq_dump){.smm = &l.smm.base};
	l.m = (struct inq_machine){.made = &l.made, .dump = &l.dump, .cpus = &l.cpu, .nr_cpus = 1};
	l.irq = (struct unwind_area){BASE + IRQ, BASE + IRQ + STACK - 1, 0, "irq"};
	l.own = (struct unwind_area){BASE + TASK, BASE + TASK + STACK - 1, 0, "task"};
	l.u.m = &l.m;
	l.u.mem = (struct x86_64_memory){mem_read, mem_is_code, &l};
	l.u.area = &l.irq;
	l.u.nr_areas = 1;
	l.u.task_st = INQ_EABSENT;
	build_table(&l);
	*state = &l;
	return 0;
}

/* What was asked for is kept, also that there is nothing. */
static int teardown(void **state)
{
	struct lab *l = *state;

	machine_types_destroy(l->made.types);
	return 0;
}

static void put(struct lab *l, unsigned at, uint64_t v)
{
	memcpy(l->bytes + at, &v, sizeof(v));
}

static const struct unwind_stack *climb(struct lab *l, unsigned pc, unsigned sp)
{
	struct x86_64_frame f = {.exact = true};

	x86_64_frame_set(&f, X86_64_RIP, BASE + pc);
	x86_64_frame_set(&f, X86_64_RSP, BASE + sp);
	l->got.nr = 0;
	unwind_climb(&l->u, &f, "registers", &l->own, &l->got);
	assert_true(l->got.nr && *l->got.why);
	return &l->got;
}

static void a_stack_ends_at_the_outermost_function(void **state)
{
	struct lab *l = *state;

	put(l, TASK, BASE + CALLS + 8);
	put(l, TASK + 8, BASE + TOP + 8);
	const struct unwind_stack *s = climb(l, CALLS, TASK);
	assert_true(s->complete && s->nr == 3);
	assert_string_equal(s->frame[0].how, "registers");
	assert_string_equal(s->frame[1].how, "orc");
	assert_string_equal(s->frame[2].stack, "task");
	assert_true(s->frame[2].pc == BASE + TOP + 8 && !s->frame[2].interrupted);
}

/* r15 .. ss at at. */
static void put_regs(struct lab *l, unsigned at, uint64_t rip, uint64_t rsp, uint64_t cs)
{
	put(l, at + 128, rip);
	put(l, at + 136, cs);
	put(l, at + 152, rsp);
}

static void an_interrupt_leads_to_the_tasks_stack_and_user_mode(void **state)
{
	struct lab *l = *state;

	put(l, IRQ, BASE + ENTRY + 8);
	put_regs(l, IRQ + 8, BASE + CALLS + 1, BASE + TASK, 0x10);
	put(l, TASK, BASE + ENTRY + 8);
	put_regs(l, TASK + 8, 0x401000, 0x7ffd0000, 0x33);
	const struct unwind_stack *s = climb(l, CALLS, IRQ);
	assert_true(s->complete && s->nr == 5);
	assert_string_equal(s->why, "user mode");
	assert_string_equal(s->frame[1].stack, "irq");
	assert_string_equal(s->frame[2].how, "saved registers");
	assert_true(s->frame[2].interrupted && s->frame[2].regs == BASE + IRQ + 8);
	assert_string_equal(s->frame[2].stack, "task");
	assert_string_equal(s->frame[4].mode, "user");
	assert_true(s->frame[4].pc == 0x401000 && s->frame[4].sp == 0x7ffd0000);
	assert_null(s->frame[4].stack);
}

static void no_stack_is_entered_twice(void **state)
{
	struct lab *l = *state;

	put(l, IRQ, BASE + ENTRY + 8);
	put_regs(l, IRQ + 8, BASE + ENTRY, BASE + TASK, 0x10);
	put_regs(l, TASK, BASE + ENTRY, BASE + IRQ + 8, 0x10);
	const struct unwind_stack *s = climb(l, CALLS, IRQ);
	assert_false(s->complete);
	assert_non_null(strstr(s->why, "cut: from the task stack to"));
	assert_int_equal(s->nr, 3);
}

static void a_loop_is_cut(void **state)
{
	struct lab *l = *state;

	put(l, TASK, BASE + DOWN);
	put(l, TASK + 8, BASE + TASK);
	put(l, TASK - 8 + 8, BASE + DOWN + 8);
	const struct unwind_stack *s = climb(l, CALLS, TASK);
	assert_false(s->complete);
	assert_non_null(strstr(s->why, "is not above"));
}

static void more_frames_than_there_is_room_are_cut(void **state)
{
	struct lab *l = *state;

	for (unsigned at = TASK; at < TASK + STACK; at += 8)
		put(l, at, BASE + CALLS + 8);
	const struct unwind_stack *s = climb(l, CALLS, TASK);
	assert_true(!s->complete && s->nr == UNWIND_FRAMES);
	assert_non_null(strstr(s->why, "more than"));
}

static void without_a_rule_looks_decide_and_say_so(void **state)
{
	struct lab *l = *state;

	put(l, TASK + 24, BASE + CALLS + 4); /* not behind a call */
	put(l, TASK + 40, BASE + TOP + 8);
	const struct unwind_stack *s = climb(l, BARE, TASK);
	assert_true(s->complete && s->nr == 2);
	assert_string_equal(s->frame[1].how, "scan");
	put(l, TASK + 40, 0);
	s = climb(l, BARE, TASK);
	assert_true(!s->complete && s->nr == 1);
	assert_non_null(strstr(s->why, "cut: "));
}

static void code_that_nobody_knows_is_told(void **state)
{
	struct lab *l = *state;

	put(l, TASK, BASE + TASK); /* a return address that is none */
	put(l, TASK + 16, BASE + TOP + 8);
	const struct unwind_stack *s = climb(l, CALLS, TASK);
	assert_string_equal(s->frame[1].how, "scan");
	s = climb(l, IPS + 8, TASK);
	assert_string_equal(s->frame[0].note, "not in any known text");
}

static void a_cpu_without_registers_says_so(void **state)
{
	struct lab *l = *state;

	unwind_cpu(&l->u, 0, &l->got);
	assert_true(!l->got.nr && !l->got.complete);
	assert_non_null(strstr(l->got.why, "no registers of cpu 0"));
	unwind_cpu(&l->u, 1, &l->got);
	assert_non_null(strstr(l->got.why, "no cpu 1"));
}

static void smm_is_stitched_to_what_it_interrupted(void **state)
{
	struct lab *l = *state;
	uint32_t revision = 0x20064;
	uint64_t rip = BASE + CALLS, rsp = BASE + TASK, smbase = 0;

	inq_reg_set(&l->cpu.regs, X86_64_RIP, 0x8000);
	inq_reg_set(&l->cpu.regs, X86_64_SMM, 1);
	unwind_cpu(&l->u, 0, &l->got);
	assert_true(l->got.nr == 1 && !l->got.complete);
	inq_reg_set(&l->cpu.regs, X86_64_SMBASE, smbase);
	memcpy(l->smm.bytes + 0xfefc, &revision, 4);
	memcpy(l->smm.bytes + 0xff78, &rip, 8);
	memcpy(l->smm.bytes + 0xffd8, &rsp, 8);
	put(l, TASK, BASE + TOP + 8);
	unwind_cpu(&l->u, 0, &l->got);
	assert_true(l->got.complete && l->got.nr == 3);
	assert_string_equal(l->got.frame[0].mode, "smm");
	assert_string_equal(l->got.frame[1].how, "save area");
	assert_true(l->got.frame[2].pc == BASE + TOP + 8);
}

/* A CPU whose code nobody knows, in 64-bit mode. */
static void bare(struct lab *l, unsigned sp)
{
	l->kernel.os = NULL;
	l->cpu.virt = &l->space;
	inq_reg_set(&l->cpu.regs, X86_64_CR0, X86_64_CR0_PE | X86_64_CR0_PG);
	inq_reg_set(&l->cpu.regs, X86_64_EFER, X86_64_EFER_LMA);
	inq_reg_set(&l->cpu.regs, X86_64_RIP, BASE + CALLS);
	inq_reg_set(&l->cpu.regs, X86_64_RSP, BASE + sp);
	inq_reg_set(&l->cpu.regs, X86_64_RBP, BASE + sp + 8);
	unwind_cpu(&l->u, 0, &l->got);
}

static void code_without_any_tables_is_climbed_by_its_looks(void **state)
{
	struct lab *l = *state;

	put(l, TASK + 8, BASE + TASK + 0x100);
	put(l, TASK + 16, BASE + TOP + 8);
	put(l, TASK + 0x40, BASE + DOWN + 8);
	bare(l, TASK);
	assert_true(l->got.nr == 3 && !l->got.complete);
	assert_string_equal(l->got.frame[1].how, "frame pointer");
	assert_string_equal(l->got.frame[2].how, "scan");
	assert_true(l->got.frame[2].pc == BASE + DOWN + 8);
	assert_non_null(strstr(l->got.why, "no return address"));
	inq_reg_set(&l->cpu.regs, X86_64_CS_SEL, 0x33);
	bare(l, TASK);
	assert_true(l->got.nr == 1 && l->got.complete);
	assert_string_equal(l->got.frame[0].mode, "user");
}

static void a_stack_full_of_return_addresses_is_cut(void **state)
{
	struct lab *l = *state;

	for (unsigned at = TASK; at < TASK + STACK; at += 8)
		put(l, at, BASE + TOP + 8);
	bare(l, TASK);
	assert_true(l->got.nr < UNWIND_FRAMES && !l->got.complete);
	assert_non_null(strstr(l->got.why, "more frames"));
}

static void any_byte_ends_the_climb(void **state)
{
	struct lab *l = *state;

	for (unsigned at = 0; at < 0x100; at++)
		for (unsigned v = 0; v < 256; v += 5) {
			memset(l->cpu.regs.known, 0, sizeof(l->cpu.regs.known));
			put(l, IRQ, BASE + ENTRY + 8);
			put_regs(l, IRQ + 8, BASE + CALLS + 1, BASE + TASK, 0x10);
			put(l, TASK, BASE + DOWN + 8);
			put(l, TASK + 8, BASE + TASK + 64);
			put(l, TASK + 64, BASE + ENTRY + 8);
			put_regs(l, TASK + 72, 0x401000, 0x7ffd0000, 0x33);
			l->bytes[(at < 0x80 ? IRQ : TASK - 0x80) + at] = (uint8_t)v;
			assert_true(climb(l, CALLS, IRQ)->nr <= UNWIND_FRAMES);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_stack_ends_at_the_outermost_function, setup,
						teardown),
		cmocka_unit_test_setup_teardown(an_interrupt_leads_to_the_tasks_stack_and_user_mode,
						setup, teardown),
		cmocka_unit_test_setup_teardown(no_stack_is_entered_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(a_loop_is_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(more_frames_than_there_is_room_are_cut, setup,
						teardown),
		cmocka_unit_test_setup_teardown(without_a_rule_looks_decide_and_say_so, setup,
						teardown),
		cmocka_unit_test_setup_teardown(code_that_nobody_knows_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(a_cpu_without_registers_says_so, setup, teardown),
		cmocka_unit_test_setup_teardown(smm_is_stitched_to_what_it_interrupted, setup,
						teardown),
		cmocka_unit_test_setup_teardown(code_without_any_tables_is_climbed_by_its_looks,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_stack_full_of_return_addresses_is_cut, setup,
						teardown),
		cmocka_unit_test_setup_teardown(any_byte_ends_the_climb, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
