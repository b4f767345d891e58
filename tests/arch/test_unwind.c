/* One step up a stack, on stacks that are built: every kind of rule, RBP, and the scan. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "arch/x86_64/unwind.h"

#define STACK UINT64_C(0xffffc90000010000)
#define CODE UINT64_C(0xffffffff81000000)
enum { WORDS = 64, CODE_BYTES = 64 };

/* call +0; call rax; call [rip+x]; and what only looks like one */
static const uint8_t code[CODE_BYTES] = {
	0xe8, 0,    0,    0,    0,                      /* 0x00: behind it is 0x05 */
	0xff, 0xd0,                                     /* 0x05: 0x07 */
	0xff, 0x15, 0,    0,    0,    0,                /* 0x07: 0x0d */
	0x41, 0xff, 0x94, 0xc4, 0x10, 0,    0,    0,    /* 0x0d: 0x15 */
	0xff, 0xe0,                                     /* 0x15: jmp rax, 0x17 */
	0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, /* 0x17 */
};

struct lab {
	uint64_t stack[WORDS];
};

static enum inq_status lab_read(void *ctx, uint64_t addr, void *buf, size_t n, struct inq_err *err)
{
	const struct lab *l = ctx;

	if (addr >= STACK && n <= sizeof(l->stack) && addr - STACK <= sizeof(l->stack) - n)
		memcpy(buf, (const uint8_t *)l->stack + (addr - STACK), n);
	else if (addr >= CODE - 8 && n <= CODE_BYTES && addr - (CODE - 8) <= CODE_BYTES - n)
		for (size_t i = 0; i < n; i++)
			((uint8_t *)buf)[i] = addr + i < CODE ? 0x90 : code[addr + i - CODE];
	else
		return inq_fail_at(err, INQ_EFAULT, addr, "not mapped");
	return INQ_OK;
}

static bool lab_is_code(void *ctx, uint64_t addr)
{
	(void)ctx;
	return addr >= CODE && addr < CODE + CODE_BYTES;
}

static struct x86_64_memory memory_of(struct lab *l)
{
	return (struct x86_64_memory){lab_read, lab_is_code, l};
}

static struct x86_64_frame at(uint64_t rsp, uint64_t rbp)
{
	struct x86_64_frame f = {0};

	x86_64_frame_set(&f, X86_64_RIP, CODE);
	x86_64_frame_set(&f, X86_64_RSP, rsp);
	x86_64_frame_set(&f, X86_64_RBP, rbp);
	x86_64_frame_set(&f, X86_64_RBX, 3);
	return f;
}

static void a_call_yields_rip_rsp_and_rbp(void **state)
{
	(void)state;
	struct lab l = {{[2] = 0xb0, [3] = CODE + 5}};
	struct x86_64_memory mem = memory_of(&l);
	struct x86_64_frame now = at(STACK, 0xb1), up;
	struct inq_unwind_rule r = {.kind = INQ_UNWIND_CALL, .reg = INQ_UNWIND_SP, .off = 32};

	r.saved[INQ_UNWIND_BP].how = INQ_UNWIND_AT_CFA;
	r.saved[INQ_UNWIND_BP].off = -16;
	assert_int_equal(x86_64_unwind_rule(&now, &r, &mem, &up, NULL), INQ_OK);
	assert_true(up.v[X86_64_RIP] == CODE + 5 && up.v[X86_64_RSP] == STACK + 32);
	assert_true(up.v[X86_64_RBP] == 0xb0 && !up.exact);
	assert_int_equal(up.known, 1u << X86_64_RIP | 1u << X86_64_RSP | 1u << X86_64_RBP);
	r.saved[INQ_UNWIND_BP].how = INQ_UNWIND_SAME;
	assert_int_equal(x86_64_unwind_rule(&now, &r, &mem, &up, NULL), INQ_OK);
	assert_int_equal(up.v[X86_64_RBP], 0xb1);
	r.saved[INQ_UNWIND_BP].how = INQ_UNWIND_LOST;
	assert_int_equal(x86_64_unwind_rule(&now, &r, &mem, &up, NULL), INQ_OK);
	assert_false(x86_64_frame_known(&up, X86_64_RBP));
}

static void saved_registers_are_all_known(void **state)
{
	(void)state;
	struct lab l = {{0}};
	struct x86_64_memory mem = memory_of(&l);
	struct x86_64_frame now = at(STACK, 0), up;
	struct inq_unwind_rule r = {
		.kind = INQ_UNWIND_REGS, .reg = INQ_UNWIND_SP, .off = 8, .interrupts = true};

	for (unsigned i = 0; i < WORDS; i++)
		l.stack[i] = 0x100 + i;
	l.stack[18] = 0x33; /* cs */
	assert_int_equal(x86_64_unwind_rule(&now, &r, &mem, &up, NULL), INQ_OK);
	assert_int_equal(up.known, (1u << X86_64_UNWIND_NR) - 1);
	assert_true(up.v[X86_64_R15] == 0x101 && up.v[X86_64_RDI] == 0x10f);
	assert_true(up.orig_rax == 0x110 && up.v[X86_64_RIP] == 0x111);
	assert_true(up.v[X86_64_RFLAGS] == 0x113 && up.v[X86_64_RSP] == 0x114);
	assert_true(up.exact && up.has_regs && up.regs_at == STACK + 8 &&
		    x86_64_frame_is_user(&up));
}

static void the_processors_frame_keeps_rbp(void **state)
{
	(void)state;
	struct lab l = {{[0] = CODE, [1] = 0x10, [2] = 0x46, [3] = STACK + 256, [4] = 0x18}};
	struct x86_64_memory mem = memory_of(&l);
	struct x86_64_frame now = at(STACK, 0xb1), up;
	struct inq_unwind_rule r = {
		.kind = INQ_UNWIND_IRET, .reg = INQ_UNWIND_SP, .interrupts = true};

	r.saved[INQ_UNWIND_BP].how = INQ_UNWIND_SAME;
	assert_int_equal(x86_64_unwind_rule(&now, &r, &mem, &up, NULL), INQ_OK);
	assert_true(up.v[X86_64_RSP] == STACK + 256 && up.v[X86_64_RBP] == 0xb1);
	assert_true(up.cs == 0x10 && up.exact && !x86_64_frame_is_user(&up));
	assert_false(x86_64_frame_known(&up, X86_64_RBX));
}

static void a_stack_that_was_left_lies_behind_a_word(void **state)
{
	(void)state;
	struct lab l = {{[0] = STACK + 80, [10] = 1, [11] = CODE + 7}};
	struct x86_64_memory mem = memory_of(&l);
	struct x86_64_frame now = at(STACK, 0), up;
	struct inq_unwind_rule r = {
		.kind = INQ_UNWIND_CALL, .reg = INQ_UNWIND_SP, .deref = true, .off_behind = 16};

	assert_int_equal(x86_64_unwind_rule(&now, &r, &mem, &up, NULL), INQ_OK);
	assert_true(up.v[X86_64_RIP] == CODE + 7 && up.v[X86_64_RSP] == STACK + 96);
}

static void what_is_unknown_or_unreadable_is_an_error(void **state)
{
	(void)state;
	struct lab l = {{0}};
	struct x86_64_memory mem = memory_of(&l);
	struct x86_64_frame now = at(STACK + sizeof(l.stack) - 8, 0), up;
	struct inq_unwind_rule r = {.kind = INQ_UNWIND_CALL, .reg = 10, .off = 8};

	assert_int_equal(x86_64_unwind_rule(&now, &r, &mem, &up, NULL), INQ_EABSENT);
	r.reg = INQ_UNWIND_SP;
	r.kind = INQ_UNWIND_REGS;
	assert_int_equal(x86_64_unwind_rule(&now, &r, &mem, &up, NULL), INQ_EFAULT);
	r.kind = INQ_UNWIND_IRET;
	assert_int_equal(x86_64_unwind_rule(&now, &r, &mem, &up, NULL), INQ_EFAULT);
	r.kind = INQ_UNWIND_END;
	assert_int_equal(x86_64_unwind_rule(&now, &r, &mem, &up, NULL), INQ_ENOTFOUND);
	r.reg = 16;
	r.kind = INQ_UNWIND_CALL;
	assert_int_equal(x86_64_unwind_rule(&now, &r, &mem, &up, NULL), INQ_ECORRUPT);
}

static void a_frame_pointer_leads_up_to_a_return_address(void **state)
{
	(void)state;
	struct lab l = {{[4] = STACK + 128, [5] = CODE + 5, [8] = STACK, [9] = CODE + 0x17}};
	struct x86_64_memory mem = memory_of(&l);
	struct x86_64_frame now = at(STACK, STACK + 32), up;

	assert_int_equal(x86_64_unwind_bp(&now, &mem, &up, NULL), INQ_OK);
	assert_true(up.v[X86_64_RIP] == CODE + 5 && up.v[X86_64_RSP] == STACK + 48);
	assert_int_equal(up.v[X86_64_RBP], STACK + 128);
	now = at(STACK, STACK + 64); /* behind a jump */
	assert_int_equal(x86_64_unwind_bp(&now, &mem, &up, NULL), INQ_ECORRUPT);
	now = at(STACK + 40, STACK + 32); /* downwards */
	assert_int_equal(x86_64_unwind_bp(&now, &mem, &up, NULL), INQ_ECORRUPT);
}

static void only_what_is_behind_a_call_is_a_return_address(void **state)
{
	(void)state;
	struct lab l = {{[3] = CODE, [4] = CODE + 0x17, [5] = CODE + 6, [7] = CODE + 0x15}};
	struct x86_64_memory mem = memory_of(&l);
	struct x86_64_frame up;
	static const uint64_t behind[] = {5, 7, 0xd, 0x15};

	for (uint64_t i = 0, k = 0; i < 0x20; i++) {
		bool want = k < 4 && behind[k] == i;
		assert_int_equal(x86_64_is_behind_call(&mem, CODE + i), want);
		k += want;
	}
	assert_int_equal(x86_64_unwind_scan(STACK + 1, STACK + 511, &mem, &up, NULL), INQ_OK);
	assert_true(up.v[X86_64_RIP] == CODE + 0x15 && up.v[X86_64_RSP] == STACK + 64);
	assert_int_equal(x86_64_unwind_scan(STACK, STACK + 62, &mem, &up, NULL), INQ_ENOTFOUND);
	assert_int_equal(x86_64_unwind_scan(STACK + 64, UINT64_MAX, &mem, &up, NULL), INQ_EFAULT);
	assert_int_equal(x86_64_unwind_scan(UINT64_MAX, UINT64_MAX, &mem, &up, NULL),
			 INQ_ENOTFOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_yields_rip_rsp_and_rbp),
		cmocka_unit_test(saved_registers_are_all_known),
		cmocka_unit_test(the_processors_frame_keeps_rbp),
		cmocka_unit_test(a_stack_that_was_left_lies_behind_a_word),
		cmocka_unit_test(what_is_unknown_or_unreadable_is_an_error),
		cmocka_unit_test(a_frame_pointer_leads_up_to_a_return_address),
		cmocka_unit_test(only_what_is_behind_a_call_is_a_return_address),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
