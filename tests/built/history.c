/* Knows notes of the time before: single steps, and any other as bytes. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "words.h"

/* What registers say of the size of code. */
static void set_code(const struct text *t, uint64_t bits, struct inq_snap_step_regs *r)
{
	if (bits != 16 && bits != 32 && bits != 64)
		text_mistake(t, "code has 16, 32 or 64 bits");
	r->flags = INQ_STEP_KNOWN | (bits == 64 ? INQ_STEP_CS_L : bits == 32 ? INQ_STEP_CS_D : 0u);
	r->cr0 = bits == 64 ? 0x80000011 : bits == 32 ? 0x11 : 0x10;
	r->efer = bits == 64 ? 0x500 : 0;
}

/* RIP=HEX[,REG=VALUE]...; registers that are not named stay. */
static void one_step(const struct text *t, char *w, struct inq_snap_step *s,
		     struct inq_snap_step_regs *r)
{
	static const char names[16][4] = {"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rsp", "rbp",
					  "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
	char *hex = text_cut(t, w), *rest = hex, two[3] = "";

	s->rip = text_number(t, w);
	strsep(&rest, ",");
	for (; hex[0] && hex[1] && s->nr_bytes < sizeof(s->bytes); hex += 2) {
		memcpy(two, hex, 2);
		s->bytes[s->nr_bytes++] = (uint8_t)strtoul(two, NULL, 16);
	}
	for (char *one; (one = strsep(&rest, ","));) {
		uint64_t v = text_number(t, text_cut(t, one));
		size_t i = 0;

		while (i < 16 && strcmp(names[i], one) != 0)
			i++;
		if (i == 16 && strcmp(one, "rflags") != 0)
			text_mistake(t, "no register of a step is called '%s'", one);
		*(i < 16 ? &r->gpr[i] : &r->rflags) = v;
	}
}

void text_say_steps(struct text *t)
{
	struct inq_snap_step_regs r[MAX_WORDS] = {0}, now = {.rflags = 2};
	struct inq_snap_step s[MAX_WORDS] = {0};
	size_t n = 0;

	now.cs_base = text_value_or(t, "cs_base", 0);
	if (text_value(t, "code"))
		set_code(t, text_number(t, text_value(t, "code")), &now);
	for (size_t i = 1; i < t->nr_words; i++) {
		if (!isdigit((unsigned char)t->word[i][0]))
			continue;
		s[n].flags = (uint32_t)text_value_or(t, "flags", 3);
		one_step(t, t->word[i], &s[n], &now);
		r[n++] = now;
	}
	built_note_of(t->b, INQ_SNAP_STEPS, text_vcpu(t), s, n * sizeof(*s));
	if (now.flags)
		built_note_of(t->b, INQ_SNAP_STEP_REGS, text_vcpu(t), r, n * sizeof(*r));
}

void text_say_payload(struct text *t)
{
	struct inq_snap_note head = {.vcpu = text_vcpu(t),
				     .sample = (uint32_t)text_value_or(t, "sample", 0),
				     .kind = (uint16_t)text_number(t, text_word(t, 1)),
				     .version = 1};
	size_t first = 2, n;

	while (first < t->nr_words && strchr(t->word[first], '=') && t->word[first][0] != '\'')
		first++;
	uint8_t *bytes = text_bytes_from(t, first, &n);
	head.size = n;
	built_note_raw(t->b, INQ_SNAP_NOTE_TYPE | head.kind, &head, bytes, n);
	free(bytes);
}
