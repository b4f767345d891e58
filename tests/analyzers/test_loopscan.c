/* Loops made by hand, instruction by instruction: what the engine says of each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analyzers/loopscan.h"
#include "analyzers/writers.h"
#include "tests/analyzers/frozen.h"

static struct frozen *machine(void)
{
	struct frozen *f = malloc(sizeof(*f));

	assert_non_null(f);
	frozen_init(f);
	return f;
}

static struct loop scan(struct frozen *f)
{
	struct loop l;
	struct inq_err err = {0};

	assert_int_equal(loop_scan(&f->cpu[0], &l, &err), INQ_OK);
	return l;
}

static void a_load_test_branch_loop_is_closed_and_names_its_gate(void **state)
{
	struct frozen *f = machine();
	(void)state;

	frozen_set(f, 0, X86_64_RBX, 0x5000);
	CODE(f, 0x1000,
	     "\x8b\x43\x10" /* mov eax, [rbx+0x10] */
	     "\x85\xc0"     /* test eax, eax */
	     "\x74\xf9");   /* je 0x1000 */
	struct loop l = scan(f);
	assert_int_equal(l.kind, LOOP_CLOSED);
	assert_int_equal(l.first, 0x1000);
	assert_int_equal(l.last, 0x1006);
	assert_int_equal(l.nr_insns, 3);
	assert_int_equal(l.nr_gates, 1);
	assert_int_equal(l.gate[0].load.phys, 0x5010);
	assert_int_equal(l.gate[0].load.rip, 0x1000);
	assert_int_equal(l.gate[0].load.bytes, 4);
	assert_int_equal(l.gate[0].load.value, 0);
	assert_int_equal(l.gate[0].cls, LOOP_GATE_SHARED);
	assert_string_equal(l.gate[0].cond, "value != 0x0");
	assert_true(l.gate[0].exit_known);
	assert_int_not_equal(l.gate[0].exit_value, 0);
	assert_int_equal(l.role[0], LOOP_ROLE_GATE);
	assert_int_equal(l.role[2], LOOP_ROLE_EXIT);
	free(f);
}

static void rip_in_the_middle_of_the_loop_finds_the_same_loop(void **state)
{
	struct frozen *f = machine();
	(void)state;

	CODE(f, 0x1000, "\x8b\x43\x10\x85\xc0\x74\xf9");
	frozen_set(f, 0, X86_64_RBX, 0x5000);
	frozen_set(f, 0, X86_64_RAX, 0);
	frozen_set(f, 0, X86_64_RIP, 0x1003);
	struct loop l = scan(f);
	assert_int_equal(l.kind, LOOP_CLOSED);
	assert_int_equal(l.first, 0x1000);
	assert_int_equal(l.head, 0x1000);
	assert_int_equal(l.nr_gates, 1);
	free(f);
}

static void a_gate_whose_condition_holds_leaves_the_loop_open(void **state)
{
	struct frozen *f = machine();
	(void)state;

	frozen_set(f, 0, X86_64_RBX, 0x5000);
	CODE(f, 0x1000, "\x8b\x43\x10\x85\xc0\x74\xf9\xc3");
	frozen_word(f, 0x5010, 1, 4);
	struct loop l = scan(f);
	assert_int_equal(l.kind, LOOP_OPEN);
	assert_string_equal(l.why, "run on, it leaves");
	free(f);
}

static void a_comparison_with_a_constant_says_which_value_ends_it(void **state)
{
	struct frozen *f = machine();
	(void)state;

	frozen_set(f, 0, X86_64_RBX, 0x5000);
	frozen_word(f, 0x5008, 0x1111, 4);
	CODE(f, 0x1000,
	     "\x81\x7b\x08\x78\x56\x34\x12" /* cmp dword [rbx+8], 0x12345678 */
	     "\xf3\x90"                     /* pause */
	     "\x75\xf5");                   /* jne 0x1000 */
	struct loop l = scan(f);
	assert_int_equal(l.kind, LOOP_CLOSED);
	assert_int_equal(l.nr_gates, 1);
	assert_string_equal(l.gate[0].cond, "value == 0x12345678");
	assert_true(l.gate[0].exit_known);
	assert_int_equal(l.gate[0].exit_value, 0x12345678);
	assert_int_equal(l.gate[0].load.value, 0x1111);
	free(f);
}

static void a_tested_bit_keeps_the_other_bits_of_the_exit_value(void **state)
{
	struct frozen *f = machine();
	(void)state;

	frozen_set(f, 0, X86_64_RSI, 0x6000);
	frozen_word(f, 0x6001, 0x81, 1);
	CODE(f, 0x1000,
	     "\xf6\x46\x01\x10" /* test byte [rsi+1], 0x10 */
	     "\x74\xfa");       /* jz 0x1000 */
	struct loop l = scan(f);
	assert_int_equal(l.kind, LOOP_CLOSED);
	assert_string_equal(l.gate[0].cond, "(value & 0x10) != 0x0");
	assert_int_equal(l.gate[0].exit_value, 0x91);
	assert_int_equal(l.gate[0].load.bytes, 1);
	free(f);
}

static void a_masked_value_compared_is_solved_through_the_mask(void **state)
{
	struct frozen *f = machine();
	(void)state;

	frozen_set(f, 0, X86_64_RDI, 0x6000);
	frozen_word(f, 0x6000, 0xabcd0012, 4);
	CODE(f, 0x1000,
	     "\x8b\x07"             /* mov eax, [rdi] */
	     "\x25\xff\x00\x00\x00" /* and eax, 0xff */
	     "\x3d\x34\x00\x00\x00" /* cmp eax, 0x34 */
	     "\x75\xf2");           /* jne 0x1000 */
	struct loop l = scan(f);
	assert_int_equal(l.kind, LOOP_CLOSED);
	assert_string_equal(l.gate[0].cond, "(value & 0xff) == 0x34");
	assert_true(l.gate[0].exit_known);
	assert_int_equal(l.gate[0].exit_value, 0xabcd0034);
	free(f);
}

static void a_shifted_and_a_bit_tested_value_are_solved(void **state)
{
	struct frozen *f = machine();
	(void)state;

	frozen_set(f, 0, X86_64_RDI, 0x6000);
	CODE(f, 0x1000,
	     "\x8b\x07"     /* mov eax, [rdi] */
	     "\xc1\xe8\x05" /* shr eax, 5 */
	     "\xa8\x01"     /* test al, 1 */
	     "\x74\xf7");   /* jz 0x1000 */
	struct loop l = scan(f);
	assert_int_equal(l.kind, LOOP_CLOSED);
	assert_true(l.gate[0].exit_known);
	assert_int_equal(l.gate[0].exit_value, 0x20);
	CODE(f, 0x1000,
	     "\x8b\x07"         /* mov eax, [rdi] */
	     "\x0f\xba\xe0\x07" /* bt eax, 7 */
	     "\x73\xf8");       /* jnc 0x1000 */
	l = scan(f);
	assert_int_equal(l.kind, LOOP_CLOSED);
	assert_string_equal(l.gate[0].cond, "bit 7 of value is set");
	assert_int_equal(l.gate[0].exit_value, 0x80);
	free(f);
}

static void a_jump_to_itself_is_closed_without_any_gate(void **state)
{
	struct frozen *f = machine();
	(void)state;

	CODE(f, 0x1000, "\xeb\xfe");
	struct loop l = scan(f);
	assert_int_equal(l.kind, LOOP_CLOSED);
	assert_int_equal(l.nr_gates, 0);
	assert_int_equal(l.nr_insns, 1);
	free(f);
}

static void a_count_of_spins_that_decides_nothing_does_not_open_the_loop(void **state)
{
	struct frozen *f = machine();
	(void)state;

	frozen_set(f, 0, X86_64_RBX, 0x5000);
	CODE(f, 0x1000,
	     "\x48\xff\xc1" /* inc rcx */
	     "\x8b\x03"     /* mov eax, [rbx] */
	     "\x85\xc0"     /* test eax, eax */
	     "\x74\xf7");   /* je 0x1000 */
	struct loop l = scan(f);
	assert_int_equal(l.kind, LOOP_CLOSED);
	assert_int_equal(l.nr_gates, 1);
	free(f);
}

static void a_count_that_decides_is_not_closed(void **state)
{
	struct frozen *f = machine();
	(void)state;

	frozen_set(f, 0, X86_64_RCX, 1000000);
	CODE(f, 0x1000, "\x48\xff\xc9\x75\xfb"); /* dec rcx; jnz 0x1000 */
	struct loop l = scan(f);
	assert_int_equal(l.kind, LOOP_OPEN);
	assert_string_equal(l.why,
			    "run on for long, it did not come back to a state it had been in");
	free(f);
}

static void an_inner_delay_inside_a_wait_is_seen_through(void **state)
{
	struct frozen *f = machine();
	(void)state;

	frozen_set(f, 0, X86_64_RBX, 0x5000);
	CODE(f, 0x1000,
	     "\xb9\x64\x00\x00\x00" /* mov ecx, 100 */
	     "\xff\xc9"             /* dec ecx */
	     "\x75\xfc"             /* jnz 0x1005 */
	     "\x83\x3b\x00"         /* cmp dword [rbx], 0 */
	     "\x74\xf2");           /* je 0x1000 */
	struct loop l = scan(f);
	assert_int_equal(l.kind, LOOP_CLOSED);
	assert_int_equal(l.nr_gates, 1);
	assert_int_equal(l.gate[0].load.phys, 0x5000);
	assert_int_equal(l.nr_insns, 5);
	free(f);
}

static void a_loop_that_reads_the_time_is_bounded(void **state)
{
	struct frozen *f = machine();
	(void)state;

	frozen_set(f, 0, X86_64_RBX, 0x5000);
	CODE(f, 0x1000,
	     "\x0f\x31" /* rdtsc */
	     "\x39\xf0" /* cmp eax, esi */
	     "\x73\x04" /* jae 0x100a */
	     "\x8b\x03" /* mov eax, [rbx] */
	     "\xeb\xf6" /* jmp 0x1000 */
	     "\xc3");
	struct loop l = scan(f);
	assert_int_equal(l.kind, LOOP_BOUNDED);
	free(f);
}

static void stores_calls_and_halts_are_not_closed(void **state)
{
	static const struct {
		const char *code;
		size_t n;
		const char *why;
	} cases[] = {
		{"\xff\x03\xeb\xfc", 4, "it writes memory"}, /* inc dword [rbx]; jmp */
		{"\xe8\x02\x00\x00\x00\xeb\xf9\xe6\x80\xc3", 10,
		 "it executes an instruction that is not followed"}, /* call of out; ret */
		{"\xff\x13\xeb\xfc", 4, "it calls a function"},      /* call [rbx]; jmp */
		{"\xf4\xeb\xfd", 3, "it halts"},                     /* hlt; jmp */
		{"\xf0\x0f\xb1\x0b\x75\xfa", 6, "it writes memory"}, /* lock cmpxchg; jne */
		{"\xe4\x80\xeb\xfc", 4,
		 "it executes an instruction that is not followed"}, /* in al, 0x80; jmp */
	};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct frozen *f = machine();
		frozen_set(f, 0, X86_64_RBX, 0x5000);
		frozen_set(f, 0, X86_64_RCX, 1);
		frozen_code(f, 0x1000, cases[i].code, cases[i].n);
		struct loop l = scan(f);
		assert_int_equal(l.kind, LOOP_OPEN);
		assert_string_equal(l.why, cases[i].why);
		free(f);
	}
}

static void straight_code_is_no_loop(void **state)
{
	struct frozen *f = machine();
	(void)state;

	CODE(f, 0x1000, "\x31\xc0\x48\x89\xd8\xc3"); /* xor eax, eax; mov rax, rbx; ret */
	assert_int_equal(scan(f).kind, LOOP_NONE);
	free(f);
}

static void a_slot_of_the_own_stack_is_a_private_gate(void **state)
{
	struct frozen *f = machine();
	(void)state;

	frozen_set(f, 0, X86_64_RBP, 0x8040);
	CODE(f, 0x1000,
	     "\x48\x8b\x45\xf8" /* mov rax, [rbp-8] */
	     "\x48\x85\xc0"     /* test rax, rax */
	     "\x74\xf7");       /* je 0x1000 */
	struct loop l = scan(f);
	assert_int_equal(l.kind, LOOP_CLOSED);
	assert_int_equal(l.gate[0].cls, LOOP_GATE_PRIVATE);
	assert_int_equal(l.gate[0].load.linear, 0x8038);
	frozen_set(f, 0, X86_64_RBP, 0x1f000); /* RBP as a general register, far from the stack */
	l = scan(f);
	assert_int_equal(l.gate[0].cls, LOOP_GATE_SHARED);
	free(f);
}

static void big_real_mode_keeps_a_flat_stack_in_esp(void **state)
{
	struct frozen *f = machine();
	(void)state;

	frozen_real(f, 0, 0x10000, 0x8000);
	frozen_set(f, 0, X86_64_RSP, 0x1f530);
	frozen_set(f, 0, X86_64_RBP, 0x1f5c0);
	CODE(f, 0x18000,
	     "\x66\x67\x83\x7d\xc8\x00" /* cmp dword [ebp-0x38], 0 */
	     "\x74\xf8");               /* jz 0x8000 */
	struct loop l = scan(f);
	assert_int_equal(l.kind, LOOP_CLOSED);
	assert_int_equal(l.gate[0].load.linear, 0x1f588);
	assert_int_equal(l.gate[0].cls, LOOP_GATE_PRIVATE);
	free(f);
}

static void a_wait_on_a_device_polls_and_its_value_is_unknown(void **state)
{
	struct frozen *f = machine();
	(void)state;

	frozen_set(f, 0, X86_64_RBX, 0xd0000);
	CODE(f, 0x1000, "\x8b\x43\x30\x85\xc0\x74\xf9");
	struct loop l = scan(f);
	assert_int_equal(l.kind, LOOP_POLLING);
	assert_int_equal(l.nr_gates, 1);
	assert_int_equal(l.gate[0].cls, LOOP_GATE_DEVICE);
	assert_false(l.gate[0].load.known);
	free(f);
}

static void a_gate_that_was_not_dumped_proves_nothing(void **state)
{
	struct frozen *f = machine();
	(void)state;

	frozen_set(f, 0, X86_64_RBX, 0x5000);
	f->phys.absent = 0x5000;
	CODE(f, 0x1000, "\x8b\x43\x10\x85\xc0\x74\xf9");
	struct loop l;
	struct inq_err err = {0};
	assert_int_equal(loop_scan(&f->cpu[0], &l, &err), INQ_EABSENT);
	assert_non_null(strstr(err.msg, "0x5010"));
	free(f);
}

static void an_unknown_address_register_proves_nothing(void **state)
{
	struct frozen *f = machine();
	(void)state;

	inq_reg_forget(&f->cpu[0].regs, X86_64_RBX);
	CODE(f, 0x1000, "\x8b\x43\x10\x85\xc0\x74\xf9");
	struct loop l = scan(f);
	assert_int_equal(l.kind, LOOP_OPEN);
	assert_string_equal(l.why, "it branches on a value that the dump does not hold");
	free(f);
}

static void code_that_was_not_dumped_is_an_error_naming_it(void **state)
{
	struct frozen *f = machine();
	struct loop l;
	struct inq_err err = {0};
	(void)state;

	f->phys.absent = 0x1000;
	assert_int_equal(loop_scan(&f->cpu[0], &l, &err), INQ_EABSENT);
	assert_non_null(strstr(err.msg, "0x1000"));
	inq_reg_forget(&f->cpu[0].regs, X86_64_RIP);
	assert_int_equal(loop_scan(&f->cpu[0], &l, &err), INQ_EUNSUPPORTED);
	free(f);
}

static void sixteen_bit_code_uses_segments_and_wraps(void **state)
{
	struct frozen *f = machine();
	(void)state;

	frozen_real(f, 0, 0x10000, 0x8000);
	frozen_set(f, 0, X86_64_DS_BASE, 0x3000);
	frozen_set(f, 0, X86_64_RBX, 0x7777fff0); /* BX is 0xfff0 */
	frozen_set(f, 0, X86_64_RSI, 0x30);
	CODE(f, 0x18000,
	     "\x8b\x00"     /* mov ax, [bx+si] */
	     "\x3d\x34\x12" /* cmp ax, 0x1234 */
	     "\x75\xf9");   /* jne 0x8000 */
	struct loop l = scan(f);
	assert_int_equal(l.kind, LOOP_CLOSED);
	assert_int_equal(l.gate[0].load.linear, 0x3020);
	assert_int_equal(l.gate[0].load.bytes, 2);
	assert_string_equal(l.gate[0].cond, "value == 0x1234");
	free(f);
}

static void two_words_compared_are_two_gates(void **state)
{
	struct frozen *f = machine();
	(void)state;

	frozen_set(f, 0, X86_64_RBX, 0x5000);
	frozen_word(f, 0x5004, 7, 4);
	CODE(f, 0x1000,
	     "\x8b\x03"     /* mov eax, [rbx] */
	     "\x3b\x43\x04" /* cmp eax, [rbx+4] */
	     "\x75\xf9");   /* jne 0x1000 */
	struct loop l = scan(f);
	assert_int_equal(l.kind, LOOP_CLOSED);
	assert_int_equal(l.nr_gates, 2);
	free(f);
}

static void a_dead_loop_that_calls_pause_is_closed_wherever_it_stands(void **state)
{
	static const uint64_t rips[] = {0x1000, 0x1005, 0x100d, 0x1100, 0x1102};
	(void)state;

	for (size_t i = 0; i < sizeof(rips) / sizeof(*rips); i++) {
		struct frozen *f = machine();
		bool in_callee = rips[i] >= 0x1100;
		CODE(f, 0x1000,
		     "\xe8\xfb\x00\x00\x00"      /* call 0x1100 */
		     "\x48\x8b\x44\x24\x08"      /* mov rax, [rsp+8] */
		     "\x48\x85\xc0"              /* test rax, rax */
		     "\x74\xf1");                /* je 0x1000 */
		CODE(f, 0x1100, "\xf3\x90\xc3"); /* pause; ret */
		frozen_word(f, 0x7ff8, 0x1005, 8);
		frozen_set(f, 0, X86_64_RIP, rips[i]);
		frozen_set(f, 0, X86_64_RSP, in_callee ? 0x7ff8 : 0x8000);
		frozen_set(f, 0, X86_64_RFLAGS, 0x46);
		struct loop l = scan(f);
		assert_int_equal(l.kind, LOOP_CLOSED);
		assert_int_equal(l.first, 0x1000);
		assert_int_equal(l.head, 0x1000);
		assert_int_equal(l.last, 0x100e);
		assert_int_equal(l.insn[0].rip, 0x1000);
		assert_int_equal(l.insn[1].rip, 0x1100);
		assert_int_equal(l.nr_insns, 6);
		assert_int_equal(l.nr_gates, 1);
		assert_int_equal(l.gate[0].load.linear, 0x8008);
		assert_int_equal(l.gate[0].cls, LOOP_GATE_PRIVATE);
		assert_true(l.gate[0].exit_known);
		free(f);
	}
}

static void two_calls_that_share_a_slot_of_the_stack_are_followed(void **state)
{
	struct frozen *f = machine();
	(void)state;

	frozen_set(f, 0, X86_64_RBX, 0x5000);
	CODE(f, 0x1000,
	     "\xe8\xfb\x00\x00\x00"                          /* call 0x1100 */
	     "\xe8\xf6\x00\x00\x00"                          /* call 0x1100 */
	     "\x83\x3b\x00"                                  /* cmp dword [rbx], 0 */
	     "\x74\xf1");                                    /* je 0x1000 */
	CODE(f, 0x1100, "\x55\x48\x89\xe5\xf3\x90\x5d\xc3"); /* push rbp ... pause; pop rbp; ret */
	struct loop l = scan(f);
	assert_int_equal(l.kind, LOOP_CLOSED);
	assert_int_equal(l.nr_gates, 1);
	assert_int_equal(l.gate[0].load.linear, 0x5000);
	CODE(f, 0x1100, "\xff\x45\xfc\xc3\x90\x90\x90\x90"); /* inc dword [rbp-4]: a count */
	frozen_set(f, 0, X86_64_RBP, 0x8010);
	assert_int_equal(scan(f).kind, LOOP_OPEN);
	free(f);
}

static void a_value_that_takes_many_passes_to_the_branch_is_not_closed(void **state)
{
	struct frozen *f = machine();
	(void)state;

	CODE(f, 0x1000,
	     "\x89\xd8"   /* mov eax, ebx */
	     "\x89\xcb"   /* mov ebx, ecx */
	     "\x89\xd1"   /* mov ecx, edx */
	     "\x89\xf2"   /* mov edx, esi */
	     "\xff\xc6"   /* inc esi */
	     "\x85\xc0"   /* test eax, eax */
	     "\x74\xf2"); /* je 0x1000 */
	struct loop l = scan(f);
	assert_int_equal(l.kind, LOOP_OPEN);
	assert_string_equal(l.why, "run on, it leaves");
	free(f);
}

static void a_lock_that_is_taken_is_closed_and_would_end_with_the_store(void **state)
{
	struct frozen *f = machine();
	(void)state;

	frozen_set(f, 0, X86_64_RBX, 0x5000);
	frozen_set(f, 0, X86_64_RCX, 1);
	frozen_word(f, 0x5000, 1, 4);
	CODE(f, 0x1000,
	     "\x31\xc0"         /* xor eax, eax */
	     "\xf0\x0f\xb1\x0b" /* lock cmpxchg [rbx], ecx */
	     "\x75\xf8");       /* jne 0x1000 */
	struct loop l = scan(f);
	assert_int_equal(l.kind, LOOP_CLOSED);
	assert_int_equal(l.nr_gates, 1);
	assert_string_equal(l.gate[0].cond, "value == 0x0");
	assert_true(l.gate[0].exit_known);
	assert_int_equal(l.gate[0].exit_value, 0);
	CODE(f, 0x1000,
	     "\xb8\x01\x00\x00\x00" /* mov eax, 1 */
	     "\x87\x03"             /* xchg [rbx], eax */
	     "\x85\xc0"             /* test eax, eax */
	     "\x75\xf5");           /* jne 0x1000 */
	l = scan(f);
	assert_int_equal(l.kind, LOOP_CLOSED);
	assert_int_equal(l.gate[0].load.linear, 0x5000);
	assert_int_equal(l.gate[0].exit_value, 0);
	frozen_word(f, 0x5000, 2, 4); /* its store changes what is there */
	assert_int_equal(scan(f).kind, LOOP_OPEN);
	free(f);
}

static void counts_in_rcx_are_run(void **state)
{
	struct frozen *f = machine();
	(void)state;

	frozen_set(f, 0, X86_64_RBX, 0x5000);
	CODE(f, 0x1000,
	     "\xb9\x64\x00\x00\x00" /* mov ecx, 100 */
	     "\xe2\xfe"             /* loop $ */
	     "\x83\x3b\x00"         /* cmp dword [rbx], 0 */
	     "\x74\xf4");           /* je 0x1000 */
	struct loop l = scan(f);
	assert_int_equal(l.kind, LOOP_CLOSED);
	assert_int_equal(l.nr_gates, 1);
	CODE(f, 0x1000, "\x8b\x0b\x67\xe3\xfb"); /* mov ecx, [rbx]; jecxz 0x1000 */
	l = scan(f);
	assert_int_equal(l.kind, LOOP_CLOSED);
	assert_int_equal(l.gate[0].load.linear, 0x5000);
	frozen_word(f, 0x5000, 1, 4);
	assert_int_equal(scan(f).kind, LOOP_OPEN);
	CODE(f, 0x1000, "\xe2\xfe"); /* loop $: RCX times */
	assert_int_equal(scan(f).kind, LOOP_OPEN);
	free(f);
}

static void a_value_kept_on_the_stack_is_gated_by_where_it_came_from(void **state)
{
	struct frozen *f = machine();
	(void)state;

	frozen_set(f, 0, X86_64_RBX, 0x5000);
	frozen_set(f, 0, X86_64_RBP, 0x8040);
	CODE(f, 0x1000,
	     "\x8b\x03"         /* mov eax, [rbx] */
	     "\x89\x45\xfc"     /* mov [rbp-4], eax */
	     "\x83\x7d\xfc\x00" /* cmp dword [rbp-4], 0 */
	     "\x74\xf5");       /* je 0x1000 */
	struct loop l = scan(f);
	assert_int_equal(l.kind, LOOP_CLOSED);
	assert_int_equal(l.nr_gates, 1);
	assert_int_equal(l.gate[0].load.linear, 0x5000);
	assert_int_equal(l.gate[0].cls, LOOP_GATE_SHARED);
	free(f);
}

static void a_condition_made_into_a_byte_is_followed(void **state)
{
	struct frozen *f = machine();
	(void)state;

	frozen_set(f, 0, X86_64_RBX, 0x5000);
	CODE(f, 0x1000,
	     "\x83\x3b\x00" /* cmp dword [rbx], 0 */
	     "\x0f\x94\xc0" /* sete al */
	     "\x84\xc0"     /* test al, al */
	     "\x75\xf6");   /* jne 0x1000 */
	struct loop l = scan(f);
	assert_int_equal(l.kind, LOOP_CLOSED);
	assert_int_equal(l.nr_gates, 1);
	assert_int_equal(l.gate[0].load.linear, 0x5000);
	free(f);
}

static void the_sign_of_an_unknown_value_is_unknown(void **state)
{
	struct frozen *f = machine();
	(void)state;

	inq_reg_forget(&f->cpu[0].regs, X86_64_RCX);
	CODE(f, 0x1000,
	     "\x0f\xbe\xc1"         /* movsx eax, cl */
	     "\x25\x00\xff\x00\x00" /* and eax, 0xff00 */
	     "\x74\xf6");           /* je 0x1000 */
	struct loop l = scan(f);
	assert_int_equal(l.kind, LOOP_OPEN);
	assert_string_equal(l.why, "it branches on a value that the dump does not hold");
	free(f);
}

static void a_shift_by_nothing_still_extends_its_result(void **state)
{
	struct frozen *f = machine();
	(void)state;

	frozen_set(f, 0, X86_64_RAX, 0xffffffff00000000);
	CODE(f, 0x1000, "\xd3\xe0\x48\x85\xc0\x74\xf9"); /* shl eax, cl; test rax, rax; je */
	assert_int_equal(scan(f).kind, LOOP_CLOSED);
	frozen_set(f, 0, X86_64_RBX, 0x40000000);
	CODE(f, 0x1000, "\x89\xd8\xd1\xe0\x70\xfa"); /* mov eax, ebx; shl eax, 1; jo 0x1000 */
	assert_int_equal(scan(f).kind, LOOP_CLOSED);
	free(f);
}

static void a_range_is_said_without_undoing_its_wrap(void **state)
{
	struct frozen *f = machine();
	(void)state;

	frozen_set(f, 0, X86_64_RBX, 0x5000);
	frozen_word(f, 0x5000, 6, 4);
	CODE(f, 0x1000,
	     "\x8b\x03"     /* mov eax, [rbx] */
	     "\x83\xe8\x05" /* sub eax, 5 */
	     "\x83\xf8\x0a" /* cmp eax, 10 */
	     "\x72\xf6");   /* jb 0x1000 */
	struct loop l = scan(f);
	assert_int_equal(l.kind, LOOP_CLOSED);
	assert_string_equal(l.gate[0].cond, "(value + 0xfffffffb) >= (unsigned) 0xa");
	assert_true(l.gate[0].exit_known);
	CODE(f, 0x1000, "\x8b\x03\x83\xc0\x05\x73\xf9"); /* mov; add eax, 5; jnc 0x1000 */
	l = scan(f);
	assert_int_equal(l.kind, LOOP_CLOSED);
	assert_string_equal(l.gate[0].cond, "");
	CODE(f, 0x1000, "\x8b\x03\x85\xc0\x7f\xfa"); /* mov; test eax, eax; jg 0x1000 */
	l = scan(f);
	assert_string_equal(l.gate[0].cond, "value <= (signed) 0x0");
	assert_int_equal(l.gate[0].exit_value, 0);
	free(f);
}

static void a_wait_for_a_change_ends_with_any_other_value(void **state)
{
	struct frozen *f = machine();
	(void)state;

	frozen_set(f, 0, X86_64_RBX, 0x5000);
	frozen_set(f, 0, X86_64_RCX, 7);
	frozen_word(f, 0x5000, 7, 4);
	CODE(f, 0x1000, "\x8b\x03\x39\xc8\x74\xfa"); /* mov eax, [rbx]; cmp eax, ecx; je */
	struct loop l = scan(f);
	assert_int_equal(l.kind, LOOP_CLOSED);
	assert_string_equal(l.gate[0].cond, "value != 0x7");
	assert_true(l.gate[0].exit_known);
	assert_int_not_equal(l.gate[0].exit_value, 7);
	CODE(f, 0x1000, "\x3b\x0b\x74\xfc"); /* cmp ecx, [rbx]; je */
	l = scan(f);
	assert_string_equal(l.gate[0].cond, "value != 0x7");
	free(f);
}

/* Both of 32-bit EDK2's: the volatile local, and the slot's address from a register. */
static void thirty_two_bit_dead_loops_are_closed(void **state)
{
	struct frozen *f = machine();
	(void)state;

	frozen_set(f, 0, X86_64_CR0, X86_64_CR0_PE);
	frozen_set(f, 0, X86_64_EFER, 0);
	frozen_set(f, 0, X86_64_CS_ATTR, 0xc09b);
	frozen_set(f, 0, X86_64_RBP, 0x8010);
	CODE(f, 0x1000,
	     "\xe8\xfb\x00\x00\x00" /* call 0x1100 */
	     "\x8b\x45\xfc"         /* mov eax, [ebp-4] */
	     "\x85\xc0"             /* test eax, eax */
	     "\x74\xf4");           /* je 0x1000 */
	CODE(f, 0x1100, "\xf3\x90\xc3");
	struct loop l = scan(f);
	assert_int_equal(l.kind, LOOP_CLOSED);
	assert_int_equal(l.gate[0].cls, LOOP_GATE_PRIVATE);
	assert_int_equal(l.gate[0].load.linear, 0x800c);
	free(f);
}

static int writers(struct frozen *f, struct writer w[WRITERS_MAX])
{
	struct inq_err err = {0};
	struct writers *all = NULL;

	assert_int_equal(writers_create(&f->machine, &all, &err), INQ_OK);
	int nr = writers_find(all, &f->cpu[0], &f->phys.base, 0x5010, 4, w);
	writers_destroy(all);
	return nr;
}

static void a_store_behind_a_far_count_of_another_cpu_is_a_writer(void **state)
{
	struct frozen *f = machine();
	struct writer w[WRITERS_MAX];
	(void)state;

	frozen_set(f, 1, X86_64_RIP, 0x2000);
	frozen_set(f, 1, X86_64_RDI, 0x5000);
	CODE(f, 0x2000,
	     "\x48\xff\xc1"                 /* inc rcx */
	     "\x48\x81\xf9\x00\x00\x00\x7f" /* cmp rcx, 0x7f000000 */
	     "\x75\xf4"                     /* jne 0x2000 */
	     "\x89\x47\x10"                 /* mov [rdi+0x10], eax */
	     "\xeb\xef");                   /* jmp 0x2000 */
	assert_int_equal(writers(f, w), 1);
	assert_int_equal(w[0].cpu, 1);
	assert_int_equal(w[0].insn.rip, 0x200c);
	assert_false(w[0].executed);
	CODE(f, 0x2000, "\x88\x67\x12\xeb\xfb"); /* mov [rdi+0x12], ah; jmp: within the word */
	assert_int_equal(writers(f, w), 1);
	assert_true(w[0].executed);
	free(f);
}

static void a_store_beside_the_word_or_through_an_unknown_register_is_none(void **state)
{
	struct frozen *f = machine();
	struct writer w[WRITERS_MAX];
	(void)state;

	frozen_set(f, 1, X86_64_RIP, 0x2000);
	frozen_set(f, 1, X86_64_RDI, 0x5000);
	CODE(f, 0x2000, "\x89\x47\x14\xeb\xfb"); /* mov [rdi+0x14], eax; jmp 0x2000 */
	assert_int_equal(writers(f, w), 0);
	CODE(f, 0x2000,
	     "\x48\x8b\x3f" /* mov rdi, [rdi]: another value on the second pass */
	     "\x89\x47\x10" /* mov [rdi+0x10], eax */
	     "\xeb\xf8");   /* jmp 0x2000 */
	frozen_word(f, 0x5000, 0x9000, 8);
	assert_int_equal(writers(f, w), 0);
	free(f);
}

static void a_store_in_a_called_function_is_found(void **state)
{
	struct frozen *f = machine();
	struct writer w[WRITERS_MAX];
	(void)state;

	frozen_set(f, 1, X86_64_RIP, 0x2000);
	CODE(f, 0x2000,
	     "\xbf\x10\x50\x00\x00"              /* mov edi, 0x5010 */
	     "\xe8\xf6\x00\x00\x00"              /* call 0x2100 */
	     "\xeb\xf4");                        /* jmp 0x2000 */
	CODE(f, 0x2100, "\xf0\x0f\xc1\x07\xc3"); /* lock xadd [rdi], eax; ret */
	assert_int_equal(writers(f, w), 1);
	assert_int_equal(w[0].insn.rip, 0x2100);
	free(f);
}

static void a_store_in_an_interrupt_handler_is_found(void **state)
{
	struct frozen *f = machine();
	struct writer w[WRITERS_MAX];
	(void)state;

	frozen_set(f, 1, X86_64_RIP, 0x2000);
	frozen_set(f, 1, X86_64_IDTR_BASE, 0x7000);
	frozen_set(f, 1, X86_64_IDTR_LIMIT, 0x20f);
	CODE(f, 0x2000, "\xeb\xfe");
	CODE(f, 0x7200, "\x00\x21\x08\x00\x00\x8e\x00\x00"); /* vector 0x20 at 0x2100 */
	CODE(f, 0x2100,
	     "\xc7\x04\x25\x10\x50\x00\x00\x01\x00\x00\x00" /* mov dword [0x5010], 1 */
	     "\x48\xcf");                                   /* iretq */
	assert_int_equal(writers(f, w), 1);
	assert_int_equal(w[0].insn.rip, 0x2100);
	f->phys.ram[0x7205] = 0x0e; /* not present: never entered */
	assert_int_equal(writers(f, w), 0);
	free(f);
}

static void a_store_behind_the_return_of_the_running_function_is_found(void **state)
{
	struct frozen *f = machine();
	struct writer w[WRITERS_MAX];
	(void)state;

	frozen_set(f, 1, X86_64_RIP, 0x2100);
	frozen_set(f, 1, X86_64_RSP, 0x9000);
	frozen_word(f, 0x9000, 0x5000, 8); /* saved rbx */
	frozen_word(f, 0x9008, 0x2005, 8);
	CODE(f, 0x2000,
	     "\xe8\xfb\x00\x00\x00"          /* call 0x2100 */
	     "\x89\x43\x10");                /* mov [rbx+0x10], eax */
	CODE(f, 0x2100, "\x31\xc0\x5b\xc3"); /* xor eax, eax; pop rbx; ret */
	assert_int_equal(writers(f, w), 1);
	assert_int_equal(w[0].insn.rip, 0x2005);
	assert_true(w[0].executed);
	/* the frame is not known to the evaluator: only that there is a return address */
	CODE(f, 0x2005, "\xa3\x10\x50\x00\x00\x00\x00\x00\x00"); /* mov [0x5010], eax */
	CODE(f, 0x2100, "\xe4\x80\xc8\x00\x00\x00\xff\xe0");     /* in; enter; jmp rax */
	assert_int_equal(writers(f, w), 1);
	assert_false(w[0].executed);
	frozen_word(f, 0x9008, 0x2001, 8); /* no call before it */
	assert_int_equal(writers(f, w), 0);
	free(f);
}

static void a_halted_cpu_may_write_when_it_wakes(void **state)
{
	struct frozen *f = machine();
	struct writer w[WRITERS_MAX];
	(void)state;

	frozen_set(f, 1, X86_64_RIP, 0x2000);
	frozen_set(f, 1, X86_64_RAX, 0x5010);
	CODE(f, 0x2000, "\xf4\x89\x10\xeb\xfb"); /* hlt; mov [rax], edx; jmp */
	assert_int_equal(writers(f, w), 1);
	assert_int_equal(w[0].insn.rip, 0x2001);
	free(f);
}

static void registers_that_no_operand_names_are_forgotten(void **state)
{
	struct frozen *f = machine();
	struct writer w[WRITERS_MAX];
	(void)state;

	frozen_set(f, 1, X86_64_RIP, 0x2000);
	frozen_set(f, 1, X86_64_RSI, 0x5010);
	CODE(f, 0x2000, "\xac\x89\x06\xeb\xfe"); /* lodsb; mov [rsi], eax; jmp $ */
	assert_int_equal(writers(f, w), 0);
	free(f);
}

static void the_waiting_cpus_own_handlers_write_only_when_it_lets_them_in(void **state)
{
	struct frozen *f = machine();
	struct writer w[WRITERS_MAX];
	(void)state;

	CODE(f, 0x1000, "\xeb\xfe");
	CODE(f, 0x3000, "\xeb\xfe");
	frozen_set(f, 1, X86_64_RIP, 0x3000);
	frozen_set(f, 0, X86_64_IDTR_BASE, 0x7000);
	frozen_set(f, 0, X86_64_IDTR_LIMIT, 0x20f);
	CODE(f, 0x7200, "\x00\x21\x08\x00\x00\x8e\x00\x00");
	CODE(f, 0x2100,
	     "\xa3\x10\x50\x00\x00\x00\x00\x00\x00\x48\xcf"); /* mov [0x5010], eax; iretq */
	assert_int_equal(writers(f, w), 0);
	frozen_set(f, 0, X86_64_RFLAGS, 0x202);
	assert_int_equal(writers(f, w), 1);
	assert_int_equal(w[0].cpu, 0);
	free(f);
}

/* Whatever bytes are there, the answer comes, and a closed loop really does come back. */
static void any_bytes_as_code_give_an_answer(void **state)
{
	struct frozen *f = machine();
	struct loop l;
	struct inq_err err;
	struct writer w[WRITERS_MAX];
	uint64_t seed = 88172645463325252u;
	(void)state;

	for (int round = 0; round < 3000; round++) {
		for (int i = 0; i < 64; i++) {
			seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
			f->phys.ram[0x1000 + i] = (uint8_t)(seed >> 24);
		}
		f->phys.ram[0x1000 + 20 + round % 40] = 0xeb; /* some jumps back */
		f->phys.ram[0x1001 + 20 + round % 40] = (uint8_t)(0xe0 + round % 30);
		if (round & 1)
			frozen_real(f, 0, 0, 0x1000);
		if (loop_scan(&f->cpu[0], &l, &err) == INQ_OK && l.kind == LOOP_CLOSED)
			assert_true(l.nr_insns > 0 && l.first <= l.head && l.head <= l.last);
		if (!(round % 50))
			(void)writers(f, w);
	}
	free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_load_test_branch_loop_is_closed_and_names_its_gate),
		cmocka_unit_test(rip_in_the_middle_of_the_loop_finds_the_same_loop),
		cmocka_unit_test(a_gate_whose_condition_holds_leaves_the_loop_open),
		cmocka_unit_test(a_comparison_with_a_constant_says_which_value_ends_it),
		cmocka_unit_test(a_tested_bit_keeps_the_other_bits_of_the_exit_value),
		cmocka_unit_test(a_masked_value_compared_is_solved_through_the_mask),
		cmocka_unit_test(a_shifted_and_a_bit_tested_value_are_solved),
		cmocka_unit_test(a_jump_to_itself_is_closed_without_any_gate),
		cmocka_unit_test(a_count_of_spins_that_decides_nothing_does_not_open_the_loop),
		cmocka_unit_test(a_count_that_decides_is_not_closed),
		cmocka_unit_test(an_inner_delay_inside_a_wait_is_seen_through),
		cmocka_unit_test(a_loop_that_reads_the_time_is_bounded),
		cmocka_unit_test(stores_calls_and_halts_are_not_closed),
		cmocka_unit_test(straight_code_is_no_loop),
		cmocka_unit_test(a_slot_of_the_own_stack_is_a_private_gate),
		cmocka_unit_test(big_real_mode_keeps_a_flat_stack_in_esp),
		cmocka_unit_test(a_wait_on_a_device_polls_and_its_value_is_unknown),
		cmocka_unit_test(a_gate_that_was_not_dumped_proves_nothing),
		cmocka_unit_test(an_unknown_address_register_proves_nothing),
		cmocka_unit_test(code_that_was_not_dumped_is_an_error_naming_it),
		cmocka_unit_test(sixteen_bit_code_uses_segments_and_wraps),
		cmocka_unit_test(two_words_compared_are_two_gates),
		cmocka_unit_test(a_store_behind_a_far_count_of_another_cpu_is_a_writer),
		cmocka_unit_test(a_store_beside_the_word_or_through_an_unknown_register_is_none),
		cmocka_unit_test(a_store_in_a_called_function_is_found),
		cmocka_unit_test(a_store_in_an_interrupt_handler_is_found),
		cmocka_unit_test(a_dead_loop_that_calls_pause_is_closed_wherever_it_stands),
		cmocka_unit_test(two_calls_that_share_a_slot_of_the_stack_are_followed),
		cmocka_unit_test(a_value_that_takes_many_passes_to_the_branch_is_not_closed),
		cmocka_unit_test(a_lock_that_is_taken_is_closed_and_would_end_with_the_store),
		cmocka_unit_test(counts_in_rcx_are_run),
		cmocka_unit_test(a_value_kept_on_the_stack_is_gated_by_where_it_came_from),
		cmocka_unit_test(a_condition_made_into_a_byte_is_followed),
		cmocka_unit_test(the_sign_of_an_unknown_value_is_unknown),
		cmocka_unit_test(a_shift_by_nothing_still_extends_its_result),
		cmocka_unit_test(a_range_is_said_without_undoing_its_wrap),
		cmocka_unit_test(a_wait_for_a_change_ends_with_any_other_value),
		cmocka_unit_test(thirty_two_bit_dead_loops_are_closed),
		cmocka_unit_test(a_store_behind_the_return_of_the_running_function_is_found),
		cmocka_unit_test(a_halted_cpu_may_write_when_it_wakes),
		cmocka_unit_test(registers_that_no_operand_names_are_forgotten),
		cmocka_unit_test(the_waiting_cpus_own_handlers_write_only_when_it_lets_them_in),
		cmocka_unit_test(any_bytes_as_code_give_an_answer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
