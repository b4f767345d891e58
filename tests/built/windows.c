/*
 * Knows the structures of Windows that a dump holds, as a writer.
 * Source: QEMU include/qemu/win_dump_defs.h; rizin dmp_specs.h; ntdiff.github.io (KPRCB, CONTEXT,
 * KSPECIAL_REGISTERS); rekall kdebug (KDDEBUGGER_DATA64).
 */
#include "words.h"

#include <string.h>

enum { HEADER = 0x2000, TRIAGE = 0x80, CONTEXT = 0x4d0, SPECIAL = 0xf0, KDBG = 0x340 };

static const struct text_field header_fields[] = {
	{"major", 0x08, 4},
	{"build", 0x0c, 4},
	{"cr3", 0x10, 8},
	{"machine", 0x30, 4},
	{"processors", 0x34, 4},
	{"bugcheck", 0x38, 4},
	{"p1", 0x40, 8},
	{"p2", 0x48, 8},
	{"p3", 0x50, 8},
	{"p4", 0x58, 8},
	{"kdbg", 0x80, 8},
	{"runs", 0x88, 4},
	{"pages", 0x90, 8},
	{"page0", 0x98, 8},
	{"pages0", 0xa0, 8},
	{"page1", 0xa8, 8},
	{"pages1", 0xb0, 8},
	{"type", 0xf98, 4},
	{"time", 0xfa8, 8},
	{"uptime", 0x1030, 8},
	{"rip", 0x348 + 0xf8, 8},
	{"rsp", 0x348 + 0x98, 8},
	{"rax", 0x348 + 0x78, 8},
	{"eflags", 0x348 + 0x44, 4},
	{"cs", 0x348 + 0x38, 2},
	{"context_flags", 0x348 + 0x30, 4},
	{0},
};

static const struct text_field triage_fields[] = {
	{"size", 0x04, 4},    {"valid", 0x08, 4},  {"context", 0x0c, 4},   {"prcb", 0x1c, 4},
	{"process", 0x20, 4}, {"stack", 0x28, 4},  {"stack_n", 0x2c, 4},   {"stack_va", 0x48, 8},
	{"page_va", 0x60, 8}, {"page", 0x68, 4},   {"page_n", 0x6c, 4},    {"kdbg", 0x70, 4},
	{"kdbg_n", 0x74, 4},  {"blocks", 0x78, 4}, {"nr_blocks", 0x7c, 4}, {0},
};

static const struct text_field context_fields[] = {
	{"flags", 0x30, 4},
	{"cs", 0x38, 2},
	{"ss", 0x42, 2},
	{"eflags", 0x44, 4},
	{"dr7", 0x70, 8},
	{"rax", 0x78, 8},
	{"rcx", 0x80, 8},
	{"rsp", 0x98, 8},
	{"r15", 0xf0, 8},
	{"rip", 0xf8, 8},
	{0},
};

static const struct text_field special_fields[] = {
	{"cr0", 0x00, 8},
	{"cr2", 0x08, 8},
	{"cr3", 0x10, 8},
	{"cr4", 0x18, 8},
	{"gdtr.limit", 0x56, 2},
	{"gdtr.base", 0x58, 8},
	{"idtr.limit", 0x66, 2},
	{"idtr.base", 0x68, 8},
	{"tr", 0x70, 2},
	{"cr8", 0xa0, 8},
	{"gs_base", 0xa8, 8},
	{"lstar", 0xc0, 8},
	{0},
};

static const struct text_field kdbg_fields[] = {
	{"tag", 0x10, 4},           {"size", 0x14, 4},
	{"base", 0x18, 8},          {"processor_block", 0x218, 8},
	{"prcb_number", 0x2be, 2},  {"prcb_size", 0x2b0, 2},
	{"prcb_special", 0x2f2, 2}, {"prcb_state_context", 0x2bc, 2},
	{"prcb_context", 0x338, 2}, {0},
};

void text_say_windows(struct text *t)
{
	uint8_t at[HEADER];

	for (size_t i = 0; i < sizeof(at); i += 4)
		memcpy(at + i, "PAGE", 4);
	memcpy(at + 4, "DU64", 4);
	memcpy(at + 0x30, "\x64\x86\0\0", 4);
	memset(at + 0x348, 0, CONTEXT);
	text_fill(t, header_fields, at);
	built_put(t->b, at, sizeof(at));
}

void text_say_structure(struct text *t)
{
	static const struct {
		const char *name;
		const struct text_field *fields;
		size_t n;
	} known[] = {
		{"triage", triage_fields, TRIAGE},
		{"context", context_fields, CONTEXT},
		{"special", special_fields, SPECIAL},
		{"kdbg", kdbg_fields, KDBG},
	};
	uint8_t at[CONTEXT] = {0};
	size_t i = 0;

	while (strcmp(known[i].name, t->word[0]) != 0)
		i++;
	text_fill(t, known[i].fields, at);
	built_put(t->b, at, known[i].n);
}
