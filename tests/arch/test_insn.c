/* Decoding: the table is bytes and what they mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86_64/insn.h"

#define RIP64 UINT64_C(0xffffffff81000000)

static size_t parse_hex(const char *hex, uint8_t out[X86_64_INSN_MAX + 1])
{
	size_t n = 0;

	for (; n <= X86_64_INSN_MAX && hex[0]; hex += 2) {
		const char digits[3] = {hex[0], hex[1], '\0'};
		out[n++] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return n;
}

static struct x86_64_insn decode(enum x86_64_mode mode, uint64_t rip, const char *hex)
{
	uint8_t bytes[X86_64_INSN_MAX + 1];
	size_t n = parse_hex(hex, bytes);
	struct x86_64_insn in;
	struct inq_err err = {0};

	if (x86_64_insn_decode(mode, rip, bytes, n, &in, &err))
		fail_msg("%s: %s", hex, err.msg);
	assert_int_equal(in.len, n);
	assert_memory_equal(in.bytes, bytes, n);
	assert_true(in.rip == rip);
	return in;
}

static const struct {
	enum x86_64_mode mode;
	const char *hex, *text;
	enum x86_64_insn_class cls;
	enum x86_64_mn mn;
} table[] = {
	{X86_64_MODE_LONG, "89d8", "mov eax, ebx", X86_64_CLASS_PLAIN, X86_64_MN_MOV},
	{X86_64_MODE_LONG, "480fb706", "movzx rax, word ptr [rsi]", X86_64_CLASS_PLAIN,
	 X86_64_MN_MOVZX},
	{X86_64_MODE_LONG, "4863c1", "movsxd rax, ecx", X86_64_CLASS_PLAIN, X86_64_MN_MOVSXD},
	{X86_64_MODE_LONG, "4883e0f0", "and rax, 0xfffffffffffffff0", X86_64_CLASS_PLAIN,
	 X86_64_MN_AND},
	{X86_64_MODE_LONG, "480fbae03f", "bt rax, 0x3f", X86_64_CLASS_PLAIN, X86_64_MN_BT},
	{X86_64_MODE_LONG, "f390", "pause", X86_64_CLASS_PLAIN, X86_64_MN_PAUSE},
	{X86_64_MODE_LONG, "0f1f440000", "nop dword ptr [rax+rax*1], eax", X86_64_CLASS_PLAIN,
	 X86_64_MN_NOP},
	{X86_64_MODE_LONG, "488703", "xchg qword ptr [rbx], rax", X86_64_CLASS_PLAIN,
	 X86_64_MN_XCHG},
	{X86_64_MODE_LONG, "fa", "cli", X86_64_CLASS_PLAIN, X86_64_MN_CLI},
	{X86_64_MODE_LONG, "fb", "sti", X86_64_CLASS_PLAIN, X86_64_MN_STI},
	{X86_64_MODE_LONG, "0faee8", "lfence", X86_64_CLASS_PLAIN, X86_64_MN_FENCE},
	{X86_64_MODE_LONG, "0faef0", "mfence", X86_64_CLASS_PLAIN, X86_64_MN_FENCE},
	{X86_64_MODE_LONG, "48f7d8", "neg rax", X86_64_CLASS_PLAIN, X86_64_MN_NEG},
	{X86_64_MODE_LONG, "480fc303", "movnti qword ptr [rbx], rax", X86_64_CLASS_PLAIN,
	 X86_64_MN_OTHER},
	{X86_64_MODE_LONG, "d9e8", "fld1", X86_64_CLASS_OTHER, X86_64_MN_OTHER},
	{X86_64_MODE_LONG, "660f6f00", "movdqa xmm0, xmmword ptr [rax]", X86_64_CLASS_OTHER,
	 X86_64_MN_OTHER},
	{X86_64_MODE_LONG, "f3a4", "rep movsb", X86_64_CLASS_OTHER, X86_64_MN_OTHER},
	{X86_64_MODE_LONG, "f4", "hlt", X86_64_CLASS_HLT, X86_64_MN_OTHER},
	{X86_64_MODE_LONG, "0f01c9", "mwait", X86_64_CLASS_HLT, X86_64_MN_OTHER},
	{X86_64_MODE_LONG, "0f31", "rdtsc", X86_64_CLASS_TIMER, X86_64_MN_OTHER},
	{X86_64_MODE_LONG, "0f01f9", "rdtscp", X86_64_CLASS_TIMER, X86_64_MN_OTHER},
	{X86_64_MODE_LONG, "ec", "in al, dx", X86_64_CLASS_IO, X86_64_MN_OTHER},
	{X86_64_MODE_LONG, "e680", "out 0x80, al", X86_64_CLASS_IO, X86_64_MN_OTHER},
	{X86_64_MODE_LONG, "f36c", "rep insb", X86_64_CLASS_IO, X86_64_MN_OTHER},
	{X86_64_MODE_LONG, "c3", "ret", X86_64_CLASS_RET, X86_64_MN_OTHER},
	{X86_64_MODE_LONG, "48cf", "iretq", X86_64_CLASS_RET, X86_64_MN_OTHER},
	{X86_64_MODE_REAL, "0faa", "rsm", X86_64_CLASS_RET, X86_64_MN_OTHER},
	{X86_64_MODE_LONG, "0f07", "sysret", X86_64_CLASS_RET, X86_64_MN_OTHER},
	{X86_64_MODE_LONG, "ff2500000000", "jmp qword ptr [0xffffffff81000006]",
	 X86_64_CLASS_INDIRECT, X86_64_MN_OTHER},
	{X86_64_MODE_LONG, "ffd0", "call rax", X86_64_CLASS_INDIRECT, X86_64_MN_OTHER},
	{X86_64_MODE_PROT32, "ea001000000800", "jmp far 0x0008:0x00001000", X86_64_CLASS_INDIRECT,
	 X86_64_MN_OTHER},
	{X86_64_MODE_LONG, "0fa2", "cpuid", X86_64_CLASS_SYSTEM, X86_64_MN_OTHER},
	{X86_64_MODE_LONG, "0f22d8", "mov cr3, rax", X86_64_CLASS_SYSTEM, X86_64_MN_MOV},
	{X86_64_MODE_LONG, "0f21f8", "mov rax, dr7", X86_64_CLASS_SYSTEM, X86_64_MN_MOV},
	{X86_64_MODE_LONG, "8ed8", "mov ds, ax", X86_64_CLASS_SYSTEM, X86_64_MN_MOV},
	{X86_64_MODE_LONG, "8cd8", "mov eax, ds", X86_64_CLASS_PLAIN, X86_64_MN_MOV},
	{X86_64_MODE_LONG, "cd80", "int 0x80", X86_64_CLASS_SYSTEM, X86_64_MN_OTHER},
	{X86_64_MODE_LONG, "0f05", "syscall", X86_64_CLASS_SYSTEM, X86_64_MN_OTHER},
	{X86_64_MODE_LONG, "0f32", "rdmsr", X86_64_CLASS_SYSTEM, X86_64_MN_OTHER},
	{X86_64_MODE_LONG, "0f01c3", "vmresume", X86_64_CLASS_SYSTEM, X86_64_MN_OTHER},
	{X86_64_MODE_LONG, "0f01d8", "vmrun rax", X86_64_CLASS_SYSTEM, X86_64_MN_OTHER},
	{X86_64_MODE_LONG, "0f0b", "ud2", X86_64_CLASS_SYSTEM, X86_64_MN_OTHER},
	{X86_64_MODE_REAL, "a10090", "mov ax, word ptr [0x9000]", X86_64_CLASS_PLAIN,
	 X86_64_MN_MOV},
	{X86_64_MODE_REAL, "66a10090", "mov eax, dword ptr [0x9000]", X86_64_CLASS_PLAIN,
	 X86_64_MN_MOV},
	{X86_64_MODE_REAL, "2e8b47f4", "mov ax, word ptr cs:[bx-0xc]", X86_64_CLASS_PLAIN,
	 X86_64_MN_MOV},
	{X86_64_MODE_PROT32, "8b442404", "mov eax, dword ptr [esp+0x4]", X86_64_CLASS_PLAIN,
	 X86_64_MN_MOV},
	{X86_64_MODE_PROT32, "40", "inc eax", X86_64_CLASS_PLAIN, X86_64_MN_INC},
	{X86_64_MODE_PROT32, "07", "pop es", X86_64_CLASS_SYSTEM, X86_64_MN_POP},
	{X86_64_MODE_COMPAT32, "49", "dec ecx", X86_64_CLASS_PLAIN, X86_64_MN_DEC},
	{X86_64_MODE_COMPAT16, "49", "dec cx", X86_64_CLASS_PLAIN, X86_64_MN_DEC},
	{X86_64_MODE_PROT16, "49", "dec cx", X86_64_CLASS_PLAIN, X86_64_MN_DEC},
	{X86_64_MODE_VM86, "49", "dec cx", X86_64_CLASS_PLAIN, X86_64_MN_DEC},
};

static void test_each_instruction_has_its_text_class_and_mnemonic(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct x86_64_insn in = decode(table[i].mode, RIP64, table[i].hex);
		assert_string_equal(in.text, table[i].text);
		if (in.cls != table[i].cls || in.mn != table[i].mn)
			fail_msg("%s: class %d, mnemonic %d", in.text, (int)in.cls, (int)in.mn);
	}
}

static const struct {
	enum x86_64_mode mode;
	uint64_t rip;
	const char *hex;
	enum x86_64_insn_class cls;
	int cc;
	uint64_t target;
	const char *text;
} branches[] = {
	{X86_64_MODE_LONG, RIP64, "ebfe", X86_64_CLASS_JMP, -1, RIP64, "jmp 0xffffffff81000000"},
	{X86_64_MODE_LONG, 0, "ebf0", X86_64_CLASS_JMP, -1, UINT64_C(0xfffffffffffffff2),
	 "jmp 0xfffffffffffffff2"},
	{X86_64_MODE_LONG, 0x1000, "e8fbefffff", X86_64_CLASS_CALL, -1, 0, "call 0x0"},
	{X86_64_MODE_LONG, 0x1000, "74fe", X86_64_CLASS_JCC, 4, 0x1000, "jz 0x1000"},
	{X86_64_MODE_LONG, 0x1000, "4875fd", X86_64_CLASS_JCC, 5, 0x1000, "jnz 0x1000"},
	{X86_64_MODE_LONG, 0x1000, "0f8ffaffffff", X86_64_CLASS_JCC, 15, 0x1000, "jnle 0x1000"},
	{X86_64_MODE_LONG, 0x1000, "3e72fd", X86_64_CLASS_JCC, 2, 0x1000, "jb 0x1000"},
	{X86_64_MODE_LONG, 0x1000, "e3fe", X86_64_CLASS_JCC, -1, 0x1000, "jrcxz 0x1000"},
	{X86_64_MODE_LONG, 0x1000, "e2fe", X86_64_CLASS_JCC, -1, 0x1000, "loop 0x1000"},
	/* branches wrap at the operand size, and only there: SMM runs above 64 KiB */
	{X86_64_MODE_REAL, 0x8000, "e9fd7f", X86_64_CLASS_JMP, -1, 0, "jmp 0x0"},
	{X86_64_MODE_REAL, 0x8000, "66e900000100", X86_64_CLASS_JMP, -1, 0x18006, "jmp 0x18006"},
	{X86_64_MODE_REAL, 0x8000, "660f85f9ffffff", X86_64_CLASS_JCC, 5, 0x8000, "jnz 0x8000"},
	{X86_64_MODE_PROT32, 0x10, "e900ffffff", X86_64_CLASS_JMP, -1, 0xffffff15,
	 "jmp 0xffffff15"},
	{X86_64_MODE_PROT32, 0xfffffff0, "eb20", X86_64_CLASS_JMP, -1, 0x12, "jmp 0x12"},
};

static void test_branches_know_their_target_and_condition(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(branches) / sizeof(*branches); i++) {
		struct x86_64_insn in = decode(branches[i].mode, branches[i].rip, branches[i].hex);
		assert_string_equal(in.text, branches[i].text);
		assert_int_equal(in.cls, branches[i].cls);
		assert_true(in.target == branches[i].target);
		assert_int_equal(x86_64_insn_cc(&in), branches[i].cc);
	}
}

static void test_every_condition_code_is_the_nibble_of_the_opcode(void **state)
{
	(void)state;
	for (unsigned int cc = 0; cc < 16; cc++) {
		char hex[16];
		snprintf(hex, sizeof(hex), "%02x00", 0x70 + cc);
		struct x86_64_insn in = decode(X86_64_MODE_LONG, 0, hex);
		assert_int_equal(x86_64_insn_cc(&in), cc);
		snprintf(hex, sizeof(hex), "0f%02x00000000", 0x80 + cc);
		in = decode(X86_64_MODE_PROT32, 0, hex);
		assert_int_equal(x86_64_insn_cc(&in), cc);
	}
	struct x86_64_insn jmp = decode(X86_64_MODE_LONG, 0, "eb70");
	assert_int_equal(x86_64_insn_cc(&jmp), -1);
}

static void assert_mem(const struct x86_64_op *op, int base, int index, int scale, int seg,
		       int64_t disp)
{
	assert_int_equal(op->kind, X86_64_OP_MEM);
	assert_int_equal(op->base, base);
	assert_int_equal(op->index, index);
	if (index >= 0)
		assert_int_equal(op->scale, scale);
	assert_int_equal(op->seg, seg);
	assert_true(op->disp == disp);
}

static void test_memory_operands_name_segment_base_index_and_displacement(void **state)
{
	(void)state;
	struct x86_64_insn in = decode(X86_64_MODE_LONG, 0, "64488b44cb28");
	assert_mem(&in.op[1], X86_64_RBX, X86_64_RCX, 8, X86_64_FS_SEL, 0x28);
	assert_int_equal(in.addr_bits, 64);
	in = decode(X86_64_MODE_LONG, 0, "48a18877665544332211");
	assert_mem(&in.op[1], -1, -1, 0, X86_64_DS_SEL, 0x1122334455667788);
	in = decode(X86_64_MODE_PROT32, 0, "8b4500");
	assert_mem(&in.op[1], X86_64_RBP, -1, 0, X86_64_SS_SEL, 0);
	in = decode(X86_64_MODE_REAL, 0, "8b4004");
	assert_mem(&in.op[1], X86_64_RBX, X86_64_RSI, 1, X86_64_DS_SEL, 4);
	assert_int_equal(in.addr_bits, 16);
	in = decode(X86_64_MODE_REAL, 0, "67668b850090ffff");
	assert_mem(&in.op[1], X86_64_RBP, -1, 0, X86_64_SS_SEL, -0x7000);
	assert_int_equal(in.addr_bits, 32);
	assert_int_equal(in.op_bits, 32);
	assert_int_equal(in.op[1].bytes, 4);
}

static void test_rip_relative_operands_are_resolved(void **state)
{
	(void)state;
	struct x86_64_insn in = decode(X86_64_MODE_LONG, RIP64, "8b05f0ffffff");
	assert_mem(&in.op[1], -1, -1, 0, X86_64_DS_SEL, (int64_t)(RIP64 + 6 - 0x10));
	assert_string_equal(in.text, "mov eax, dword ptr [0xffffffff80fffff6]");
	/* an address-size prefix makes it EIP-relative */
	in = decode(X86_64_MODE_LONG, 0x1000, "678b05f0efffff");
	assert_mem(&in.op[1], -1, -1, 0, X86_64_DS_SEL, 0xfffffff7);
}

static void test_high_bytes_are_parts_of_their_register(void **state)
{
	(void)state;
	struct x86_64_insn in = decode(X86_64_MODE_LONG, 0, "88e3"); /* mov bl, ah */
	assert_int_equal(in.op[0].reg, X86_64_RBX);
	assert_int_equal(in.op[0].shift, 0);
	assert_true(in.op[0].write && !in.op[0].read);
	assert_int_equal(in.op[1].reg, X86_64_RAX);
	assert_int_equal(in.op[1].shift, 8);
	assert_int_equal(in.op[1].bytes, 1);
	in = decode(X86_64_MODE_LONG, 0, "88f7"); /* mov bh, dh */
	assert_int_equal(in.op[0].reg, X86_64_RBX);
	assert_int_equal(in.op[0].shift, 8);
	assert_int_equal(in.op[1].reg, X86_64_RDX);
	in = decode(X86_64_MODE_LONG, 0, "4088f7"); /* mov dil, sil */
	assert_int_equal(in.op[0].reg, X86_64_RDI);
	assert_int_equal(in.op[0].shift, 0);
	assert_int_equal(in.op[1].reg, X86_64_RSI);
}

static void test_all_sixteen_registers_are_found_in_every_width(void **state)
{
	(void)state;
	for (unsigned int r = 0; r < 16; r++) {
		char hex[16];
		snprintf(hex, sizeof(hex), "%02x8d%02x00000000", r < 8 ? 0x48u : 0x4cu,
			 5 + (r % 8) * 8);
		struct x86_64_insn in = decode(X86_64_MODE_LONG, 0, hex);
		assert_int_equal(in.op[0].reg, X86_64_RAX + r);
		snprintf(hex, sizeof(hex), "%s89%02x", r < 8 ? "66" : "6641", 0xc0 + r % 8);
		in = decode(X86_64_MODE_LONG, 0, hex);
		assert_int_equal(in.op[0].reg, X86_64_RAX + r);
		assert_int_equal(in.op[0].bytes, 2);
	}
}

static void test_lea_touches_no_memory(void **state)
{
	(void)state;
	struct x86_64_insn in = decode(X86_64_MODE_LONG, 0, "488d04c8");
	assert_int_equal(in.mn, X86_64_MN_LEA);
	assert_true(in.op[1].agen);
	assert_false(in.op[1].read || in.op[1].write);
	in = decode(X86_64_MODE_LONG, 0, "488b04c8");
	assert_false(in.op[1].agen);
	assert_true(in.op[1].read);
}

static void test_immediates_are_sign_extended(void **state)
{
	(void)state;
	struct x86_64_insn in = decode(X86_64_MODE_LONG, 0, "4883e0f0");
	assert_true(in.op[1].imm == -16);
	in = decode(X86_64_MODE_LONG, 0, "b800000080");
	assert_true(in.op[1].imm == (int64_t)INT32_MIN);
	in = decode(X86_64_MODE_LONG, 0, "48b80000008000000000");
	assert_true(in.op[1].imm == 0x80000000);
	in = decode(X86_64_MODE_REAL, 0, "b80080");
	assert_true(in.op[1].imm == (int64_t)INT16_MIN);
}

static void test_hidden_operands_are_left_out(void **state)
{
	(void)state;
	struct x86_64_insn in = decode(X86_64_MODE_LONG, 0, "50"); /* push rax writes [rsp] */
	assert_int_equal(in.nr_ops, 1);
	in = decode(X86_64_MODE_LONG, 0, "0f31");
	assert_int_equal(in.nr_ops, 0);
	in = decode(X86_64_MODE_LONG, 0, "f0480fb10b"); /* cmpxchg: rax is hidden */
	assert_int_equal(in.nr_ops, 2);
	assert_true(in.lock && !in.rep);
	assert_true(in.op[0].read && in.op[0].write);
	in = decode(X86_64_MODE_LONG, 0, "f3a4");
	assert_true(in.rep && !in.lock);
}

static enum inq_status decode_fails(enum x86_64_mode mode, const char *hex, struct inq_err *err)
{
	uint8_t bytes[X86_64_INSN_MAX + 1];
	size_t n = parse_hex(hex, bytes);
	struct x86_64_insn in = {.len = 77};
	enum inq_status st = x86_64_insn_decode(mode, 0x1000, bytes, n, &in, err);

	assert_int_equal(in.len, 77); /* written only on success */
	return st;
}

static void test_bytes_that_are_no_instruction_are_refused(void **state)
{
	(void)state;
	struct inq_err err = {0};
	assert_int_equal(decode_fails(X86_64_MODE_LONG, "06", &err), INQ_ECORRUPT);
	assert_string_equal(err.msg, "rip 0x1000: no instruction");
	assert_int_equal(decode_fails(X86_64_MODE_LONG, "48b80000", &err), INQ_ECORRUPT);
	assert_string_equal(err.msg, "rip 0x1000: instruction is cut off after 4 bytes");
	assert_int_equal(decode_fails(X86_64_MODE_LONG, "", &err), INQ_ECORRUPT);
	assert_int_equal(decode_fails(X86_64_MODE_LONG, "66666666666666666666666666666690", &err),
			 INQ_ECORRUPT);
	assert_string_equal(err.msg, "rip 0x1000: no instruction");
	assert_int_equal(decode_fails(X86_64_MODE_UNKNOWN, "90", &err), INQ_EABSENT);
}

/* Every two-byte opcode in every mode: no crash, and what decodes is consistent. */
static void test_all_short_opcodes_decode_consistently(void **state)
{
	(void)state;
	for (unsigned int mode = X86_64_MODE_REAL; mode <= X86_64_MODE_LONG; mode++) {
		for (unsigned int op = 0; op < 0x10000; op++) {
			uint8_t bytes[15] = {(uint8_t)(op >> 8), (uint8_t)op, 0x24, 0x45, 0x91};
			struct x86_64_insn in;
			if (x86_64_insn_decode(mode, 0x7fff8, bytes, sizeof(bytes), &in, NULL))
				continue;
			assert_in_range(in.len, 1, X86_64_INSN_MAX);
			assert_true(in.nr_ops <= X86_64_INSN_OPS);
			assert_true(in.text[0] && memchr(in.text, 0, sizeof(in.text)));
			for (unsigned int i = 0; i < in.nr_ops; i++) {
				const struct x86_64_op *o = &in.op[i];
				assert_true(o->reg >= -1 && o->reg <= X86_64_R15);
				assert_true(o->base >= -1 && o->base <= X86_64_R15);
				assert_true(o->index >= -1 && o->index <= X86_64_R15);
				assert_in_range(o->seg, X86_64_CS_SEL, X86_64_SS_SEL);
			}
			if (mode != X86_64_MODE_LONG)
				assert_true(in.target <= UINT32_MAX);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_instruction_has_its_text_class_and_mnemonic),
		cmocka_unit_test(test_branches_know_their_target_and_condition),
		cmocka_unit_test(test_every_condition_code_is_the_nibble_of_the_opcode),
		cmocka_unit_test(test_memory_operands_name_segment_base_index_and_displacement),
		cmocka_unit_test(test_rip_relative_operands_are_resolved),
		cmocka_unit_test(test_high_bytes_are_parts_of_their_register),
		cmocka_unit_test(test_all_sixteen_registers_are_found_in_every_width),
		cmocka_unit_test(test_lea_touches_no_memory),
		cmocka_unit_test(test_immediates_are_sign_extended),
		cmocka_unit_test(test_hidden_operands_are_left_out),
		cmocka_unit_test(test_bytes_that_are_no_instruction_are_refused),
		cmocka_unit_test(test_all_short_opcodes_decode_consistently),
	};
	return cmocka_run_group_tests_name("insn", tests, NULL, NULL);
}
