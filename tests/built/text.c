/* Knows how people write a dump down: one statement a line, the grammar of text.h. */
#include "words.h"

#include <ctype.h>
#include <linux/kvm.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUN_BYTES = 288 };

void text_fill(const struct text *t, const struct text_field *f, uint8_t *at)
{
	for (size_t i = 1; i < t->nr_words; i++) {
		char key[32];
		const char *eq = strchr(t->word[i], '=');
		const struct text_field *hit = f;
		if (!eq || (size_t)(eq - t->word[i]) >= sizeof(key))
			text_mistake(t, "'%s' is not field=value", t->word[i]);
		snprintf(key, sizeof(key), "%.*s", (int)(eq - t->word[i]), t->word[i]);
		if (!strcmp(key, "vcpu"))
			continue;
		while (hit->name && strcmp(hit->name, key) != 0)
			hit++;
		if (!hit->name)
			text_mistake(t, "'%s' has no field '%s'", t->word[0], key);
		uint64_t v = text_number(t, eq + 1);
		memcpy(at + hit->off, &v, hit->n);
	}
}

#define F(type, name)                                                                              \
	{                                                                                          \
#name, offsetof(struct type, name), sizeof(((struct type *)0)->name)               \
	}
/* NOLINTBEGIN(bugprone-macro-parentheses): members cannot stand in them */
#define SEG(seg)                                                                                   \
	F(kvm_sregs2, seg.base), F(kvm_sregs2, seg.limit), F(kvm_sregs2, seg.selector),            \
		F(kvm_sregs2, seg.type), F(kvm_sregs2, seg.present), F(kvm_sregs2, seg.dpl),       \
		F(kvm_sregs2, seg.db), F(kvm_sregs2, seg.s), F(kvm_sregs2, seg.l),                 \
		F(kvm_sregs2, seg.g), F(kvm_sregs2, seg.avl), F(kvm_sregs2, seg.unusable)

/* NOLINTEND(bugprone-macro-parentheses) */

static const struct text_field regs_fields[] = {
	F(kvm_regs, rax),
	F(kvm_regs, rbx),
	F(kvm_regs, rcx),
	F(kvm_regs, rdx),
	F(kvm_regs, rsi),
	F(kvm_regs, rdi),
	F(kvm_regs, rsp),
	F(kvm_regs, rbp),
	F(kvm_regs, r8),
	F(kvm_regs, r9),
	F(kvm_regs, r10),
	F(kvm_regs, r11),
	F(kvm_regs, r12),
	F(kvm_regs, r13),
	F(kvm_regs, r14),
	F(kvm_regs, r15),
	F(kvm_regs, rip),
	F(kvm_regs, rflags),
	{0},
};
static const struct text_field sregs2_fields[] = {
	SEG(cs),
	SEG(ds),
	SEG(es),
	SEG(fs),
	SEG(gs),
	SEG(ss),
	SEG(tr),
	SEG(ldt),
	F(kvm_sregs2, gdt.base),
	F(kvm_sregs2, gdt.limit),
	F(kvm_sregs2, idt.base),
	F(kvm_sregs2, idt.limit),
	F(kvm_sregs2, cr0),
	F(kvm_sregs2, cr2),
	F(kvm_sregs2, cr3),
	F(kvm_sregs2, cr4),
	F(kvm_sregs2, cr8),
	F(kvm_sregs2, efer),
	F(kvm_sregs2, apic_base),
	F(kvm_sregs2, flags),
	F(kvm_sregs2, pdptrs[0]),
	F(kvm_sregs2, pdptrs[1]),
	F(kvm_sregs2, pdptrs[2]),
	F(kvm_sregs2, pdptrs[3]),
	{0},
};
static const struct text_field debugregs_fields[] = {
	F(kvm_debugregs, db[0]),
	F(kvm_debugregs, db[1]),
	F(kvm_debugregs, db[2]),
	F(kvm_debugregs, db[3]),
	F(kvm_debugregs, dr6),
	F(kvm_debugregs, dr7),
	{0},
};
static const struct text_field events_fields[] = {
	F(kvm_vcpu_events, exception.injected),
	F(kvm_vcpu_events, exception.nr),
	F(kvm_vcpu_events, exception.has_error_code),
	F(kvm_vcpu_events, exception.pending),
	F(kvm_vcpu_events, exception.error_code),
	F(kvm_vcpu_events, interrupt.injected),
	F(kvm_vcpu_events, interrupt.nr),
	F(kvm_vcpu_events, interrupt.soft),
	F(kvm_vcpu_events, interrupt.shadow),
	F(kvm_vcpu_events, nmi.injected),
	F(kvm_vcpu_events, nmi.pending),
	F(kvm_vcpu_events, nmi.masked),
	F(kvm_vcpu_events, sipi_vector),
	F(kvm_vcpu_events, flags),
	F(kvm_vcpu_events, smi.smm),
	F(kvm_vcpu_events, smi.pending),
	F(kvm_vcpu_events, smi.smm_inside_nmi),
	F(kvm_vcpu_events, smi.latched_init),
	F(kvm_vcpu_events, triple_fault.pending),
	F(kvm_vcpu_events, exception_has_payload),
	F(kvm_vcpu_events, exception_payload),
	{0},
};
static const struct text_field mp_state_fields[] = {F(kvm_mp_state, mp_state), {0}};
static const struct text_field run_fields[] = {
	F(kvm_run, immediate_exit),
	F(kvm_run, exit_reason),
	F(kvm_run, ready_for_interrupt_injection),
	F(kvm_run, if_flag),
	F(kvm_run, flags),
	F(kvm_run, cr8),
	F(kvm_run, apic_base),
	F(kvm_run, hw.hardware_exit_reason),
	F(kvm_run, io.port),
	F(kvm_run, mmio.phys_addr),
	F(kvm_run, internal.suberror),
	{0},
};

static const struct raw {
	const char *name;
	enum inq_snap_kind kind;
	size_t n;
	const struct text_field *fields;
} raws[] = {
	{"regs", INQ_SNAP_REGS, sizeof(struct kvm_regs), regs_fields},
	{"sregs2", INQ_SNAP_SREGS2, sizeof(struct kvm_sregs2), sregs2_fields},
	{"debugregs", INQ_SNAP_DEBUGREGS, sizeof(struct kvm_debugregs), debugregs_fields},
	{"events", INQ_SNAP_EVENTS, sizeof(struct kvm_vcpu_events), events_fields},
	{"mp_state", INQ_SNAP_MP_STATE, sizeof(struct kvm_mp_state), mp_state_fields},
	{"run", INQ_SNAP_RUN, RUN_BYTES, run_fields},
	{"lapic", INQ_SNAP_LAPIC, 0, NULL},
	{"msrs", INQ_SNAP_MSRS, 0, NULL},
	{"cpuid2", INQ_SNAP_CPUID2, 0, NULL},
	{"host", INQ_SNAP_HOST, 0, NULL},
	{"smram", INQ_SNAP_SMRAM, 0, NULL},
	{"slots", INQ_SNAP_SLOTS, 0, NULL},
};

static const struct raw *raw_named(const struct text *t, const char *name)
{
	for (size_t i = 0; i < sizeof(raws) / sizeof(*raws); i++)
		if (!strcmp(raws[i].name, name))
			return &raws[i];
	text_mistake(t, "no kind of note is called '%s'", name);
}

static void say_raw(struct text *t)
{
	const struct raw *r = raw_named(t, t->word[0]);
	uint8_t at[sizeof(struct kvm_run)] = {0};

	text_fill(t, r->fields, at);
	built_note_of(t->b, r->kind, text_vcpu(t), at, r->n);
}

static const struct text_field flight_fields[] = {
	F(inq_snap_flight, nr),    F(inq_snap_flight, t_ns),  F(inq_snap_flight, rip),
	F(inq_snap_flight, addr),  F(inq_snap_flight, value), F(inq_snap_flight, reason),
	F(inq_snap_flight, what),  F(inq_snap_flight, flags), F(inq_snap_flight, size),
	F(inq_snap_flight, items), F(inq_snap_flight, error), {0},
};
static const struct text_field rip_fields[] = {
	F(inq_snap_rip, t_ns), F(inq_snap_rip, rip), F(inq_snap_rip, flags), {0}};

static void say_flight(struct text *t)
{
	struct inq_snap_flight r = {0};

	text_fill(t, flight_fields, (uint8_t *)&r);
	built_flight(t->b, text_vcpu(t), &r);
}

static void say_rips(struct text *t)
{
	struct inq_snap_rip r = {0};

	text_fill(t, rip_fields, (uint8_t *)&r);
	built_note_of(t->b, INQ_SNAP_RIPS, text_vcpu(t), &r, sizeof(r));
}

static void say_lapic(struct text *t)
{
	uint8_t page[1024] = {0};

	for (size_t i = 1; i < t->nr_words; i++) {
		if (!strncmp(t->word[i], "vcpu=", 5))
			continue;
		const char *v = text_cut(t, t->word[i]);
		uint64_t off = text_number(t, t->word[i]);
		uint32_t reg = (uint32_t)text_number(t, v);
		if (off > sizeof(page) - sizeof(reg))
			text_mistake(t, "the apic page ends before 0x%lx", (unsigned long)off);
		memcpy(page + off, &reg, sizeof(reg));
	}
	built_note_of(t->b, INQ_SNAP_LAPIC, text_vcpu(t), page, sizeof(page));
}

static void say_msrs(struct text *t)
{
	struct kvm_msr_entry e[MAX_WORDS] = {0};
	uint32_t cpu = text_vcpu(t);
	size_t n = 0;

	for (size_t i = 1; i < t->nr_words; i++) {
		const char *v = text_cut(t, t->word[i]);
		if (!strcmp(t->word[i], "vcpu"))
			continue;
		e[n].index = (uint32_t)text_number(t, t->word[i]);
		e[n].reserved = !strcmp(v, "refused");
		e[n].data = e[n].reserved ? 0 : text_number(t, v);
		n++;
	}
	built_note_of(t->b, INQ_SNAP_MSRS, cpu, e, n * sizeof(e[0]));
}

/* leaf.subleaf=eax,ebx,ecx,edx */
static void cpuid_leaf(const struct text *t, const char *w, struct kvm_cpuid_entry2 *e)
{
	__u32 *const to[] = {&e->function, &e->index, &e->eax, &e->ebx, &e->ecx, &e->edx};
	static const char behind[] = ".=,,,";

	for (size_t i = 0; i < sizeof(to) / sizeof(*to); i++) {
		char *end;
		*to[i] = (__u32)strtoul(w, &end, 0);
		if (end == w || *end != behind[i])
			text_mistake(t, "'%s' is not leaf.subleaf=eax,ebx,ecx,edx", w);
		w = end + 1;
	}
}

static void say_cpuid2(struct text *t)
{
	struct kvm_cpuid_entry2 e[MAX_WORDS] = {0};
	size_t n = 0;

	for (size_t i = 1; i < t->nr_words; i++)
		if (strncmp(t->word[i], "vcpu=", 5) != 0)
			cpuid_leaf(t, t->word[i], &e[n++]);
	built_note_of(t->b, INQ_SNAP_CPUID2, text_vcpu(t), e, n * sizeof(e[0]));
}

static void say_host(struct text *t)
{
	char lines[4096];
	size_t n = 0;

	for (size_t i = 1; i < t->nr_words; i++)
		n += (size_t)snprintf(lines + n, sizeof(lines) - n, "%s\n", t->word[i]);
	built_note_of(t->b, INQ_SNAP_HOST, INQ_SNAP_VM, lines, n);
}

static void say_lacks(struct text *t)
{
	const struct raw *r = raw_named(t, text_word(t, 1));
	bool failed = !strcmp(t->word[0], "failed");

	built_note_lacks(t->b, r->kind, text_vcpu(t), failed ? INQ_SNAP_FAILED : INQ_SNAP_ABSENT,
			 (int)text_value_or(t, "error", 0));
}

static void say_prstatus(struct text *t)
{
	static const char *const names[27] = {
		"r15",    "r14", "r13", "r12",     "rbp",     "rbx", "r11",      "r10", "r9",
		"r8",     "rax", "rcx", "rdx",     "rsi",     "rdi", "orig_rax", "rip", "cs",
		"rflags", "rsp", "ss",  "fs_base", "gs_base", "ds",  "es",       "fs",  "gs"};
	struct text_field f[28] = {{0}};
	uint64_t regs[27] = {0};

	for (size_t i = 0; i < 27; i++)
		f[i] = (struct text_field){names[i], 8 * i, 8};
	text_fill(t, f, (uint8_t *)regs);
	built_prstatus(t->b, regs);
}

static void say_note(struct text *t)
{
	size_t n;
	uint8_t *desc = text_bytes_from(t, 3, &n);

	built_note(t->b, text_word(t, 1), (uint32_t)text_number(t, text_word(t, 2)), desc, n);
	free(desc);
}

static void say_segment(struct text *t)
{
	size_t n;
	uint8_t *bytes = text_bytes_from(t, 1, &n);
	uint8_t *at = built_segment(t->b, text_number(t, t->word[0] + 1), n);

	if (n)
		memcpy(at, bytes, n);
	free(bytes);
}

static void say_smram(struct text *t)
{
	size_t n;

	if (t->nr_words == 1) {
		built_smram_note(t->b);
		return;
	}
	uint8_t *bytes = text_bytes_from(t, 2, &n);
	uint8_t *at = built_smram(t->b, text_number(t, text_word(t, 1)), n);
	if (n)
		memcpy(at, bytes, n);
	free(bytes);
}

static void say_frame(struct text *t)
{
	if (!strcmp(t->word[0], "alias"))
		built_alias(t->b, text_number(t, text_word(t, 1)), text_number(t, text_word(t, 2)));
	else if (!strcmp(t->word[0], "memsz"))
		built_memsz(t->b, text_number(t, text_word(t, 1)));
	else if (!strcmp(t->word[0], "zero-bitmap"))
		built_zero_bitmap(t->b);
	else if (!strcmp(t->word[0], "pn-xnum"))
		built_pn_xnum(t->b);
	else if (!strcmp(t->word[0], "packed"))
		built_packed(t->b);
	else
		built_ehsize(t->b, (uint16_t)text_number(t, text_word(t, 1)));
}

static void say_ask(struct text *t)
{
	if (t->nr_asks == t->max_asks)
		text_mistake(t, "no more questions here, %zu at most", t->max_asks);
	t->asks[t->nr_asks++] = (struct built_ask){.runs = t->word[0][1] == 'u',
						   .smm = !strcmp(text_word(t, 1), "smm"),
						   .virt = !strcmp(text_word(t, 1), "virt"),
						   .addr = text_number(t, text_word(t, 2)),
						   .n = text_number(t, text_word(t, 3))};
}

static void say_poke(struct text *t)
{
	size_t n, file_n;
	uint8_t *bytes = text_bytes_from(t, 2, &n), *file = built_finish(t->b, &file_n);
	uint64_t at = text_number(t, text_word(t, 1));

	if (at > file_n || n > file_n - at)
		text_mistake(t, "the file ends at 0x%zx", file_n);
	if (n)
		memcpy(file + at, bytes, n);
	free(bytes);
}

static void say_truncate(struct text *t)
{
	uint64_t n = text_number(t, text_word(t, 1));
	size_t file_n;

	(void)built_finish(t->b, &file_n);
	if (n > file_n)
		text_mistake(t, "the file ends at 0x%zx", file_n);
	built_truncate(t->b, n);
}

static const struct {
	const char *name;
	void (*say)(struct text *t);
	bool late;
} statements[] = {
	{"regs", say_raw},
	{"sregs2", say_raw},
	{"debugregs", say_raw},
	{"events", say_raw},
	{"mp_state", say_raw},
	{"run", say_raw},
	{"lapic", say_lapic},
	{"msrs", say_msrs},
	{"cpuid2", say_cpuid2},
	{"flight", say_flight},
	{"rips", say_rips},
	{"host", say_host},
	{"steps", text_say_steps},
	{"payload", text_say_payload},
	{"absent", say_lacks},
	{"failed", say_lacks},
	{"prstatus", say_prstatus},
	{"note", say_note},
	{"smram", say_smram},
	{"alias", say_frame},
	{"memsz", say_frame},
	{"zero-bitmap", say_frame},
	{"pn-xnum", say_frame},
	{"packed", say_frame},
	{"ehsize", say_frame},
	{"read", say_ask},
	{"runs", say_ask},
	{"poke", say_poke, true},
	{"truncate", say_truncate, true},
};

static void begin(struct text *t)
{
	bool folder = !strcmp(t->word[0], "folder");

	if (!strcmp(t->word[0], "core")) {
		t->b = built_core();
		return;
	}
	if (folder || !strcmp(t->word[0], "file")) {
		t->b = built_file(t->nr_words > 1 ? t->word[1] : "dump");
		if (folder)
			built_by_folder(t->b);
		return;
	}
	if (strcmp(t->word[0], "snapshot") != 0)
		text_mistake(t, "the first statement is 'core', 'file', 'folder' or 'snapshot'");
	t->b = built_snapshot((uint32_t)text_value_or(t, "vcpus", 1));
	struct inq_snap_header *h = built_header(t->b);
	h->reason = (uint32_t)text_value_or(t, "reason", h->reason);
	h->reason_vcpu = (uint32_t)text_value_or(t, "reason_vcpu", h->reason_vcpu);
	h->t_realtime_ns = text_value_or(t, "realtime", h->t_realtime_ns);
	h->major = (uint16_t)text_value_or(t, "major", h->major);
	if (text_value(t, "text"))
		snprintf(h->reason_text, sizeof(h->reason_text), "%s", text_value(t, "text"));
}

/* Words end at a blank, but not within quotes; double quotes vanish. */
static void split(struct text *t, char *s)
{
	t->nr_words = 0;
	for (;;) {
		while (isspace((unsigned char)*s))
			s++;
		if (!*s || *s == '#')
			return;
		if (t->nr_words == MAX_WORDS)
			text_mistake(t, "more than %d words", MAX_WORDS);
		t->word[t->nr_words++] = s;
		char quote = 0, *to = s;
		for (; *s && (quote || !isspace((unsigned char)*s)); s++) {
			if (!quote && (*s == '"' || *s == '\''))
				quote = *s;
			else if (*s == quote)
				quote = 0;
			if (*s != '"')
				*to++ = *s;
		}
		s += *s != '\0';
		*to = '\0';
	}
}

static void say(struct text *t, char *line, bool late)
{
	char *again = strdup(line);

	split(t, line);
	if (t->nr_words && !t->b) {
		begin(t);
	} else if (t->nr_words && t->word[0][0] == '@') {
		say_segment(t);
	} else if (t->nr_words && !text_say_bytes(t) && !text_say_stream(t)) {
		size_t i = 0, n = sizeof(statements) / sizeof(*statements);
		while (i < n && strcmp(statements[i].name, t->word[0]) != 0)
			i++;
		if (i == n)
			text_mistake(t, "no statement is called '%s'", t->word[0]);
		if (late || !statements[i].late) {
			statements[i].say(t);
		} else {
			if (t->nr_late == MAX_LATE)
				text_mistake(t, "more than %d pokes", MAX_LATE);
			t->late_line[t->nr_late] = t->line;
			t->late[t->nr_late++] = again;
			again = NULL;
		}
	}
	free(again);
}

struct built *built_parse(const char *file, const char *text, struct built_ask *asks, size_t max,
			  size_t *ret_nr_asks)
{
	struct text t = {.file = file, .asks = asks, .max_asks = max};
	char *all = strdup(text), *rest = all, *line;

	while ((line = strsep(&rest, "\n"))) {
		t.line++;
		say(&t, line, false);
	}
	if (!t.b)
		text_mistake(&t, "nothing is said here");
	for (size_t i = 0; i < t.nr_late; i++) {
		t.line = t.late_line[i];
		say(&t, t.late[i], true);
		free(t.late[i]);
	}
	free(all);
	if (ret_nr_asks)
		*ret_nr_asks = t.nr_asks;
	return t.b;
}

char *built_slurp(const char *path)
{
	FILE *f = fopen(path, "rb");
	char *text = NULL;
	size_t n = 0;

	if (!f || getdelim(&text, &n, '\0', f) < 0) {
		fprintf(stderr, "%s: cannot read\n", path);
		exit(2);
	}
	fclose(f);
	return text;
}

struct built *built_parse_file(const char *path)
{
	char *text = built_slurp(path);
	struct built *b = built_parse(path, text, NULL, 0, NULL);

	free(text);
	return b;
}
