/*
 * Knows how values of VMCS and VMCB fields are put together.  Sources: SDM vol. 3, 25.4.1, 25.6.8,
 * 25.6.11, 25.8.3, 25.9.1, 25.9.2, 28.2.1; APM vol. 2, 15.7.2, 15.10.2, 15.20, 15.21.
 */
#include "vmcs/say.h"

#include <inttypes.h>

#include "arch/x86_64/decode.h"
#include "arch/x86_64/say.h"
#include "vmcs/fields.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

enum { REASON_EVENT = 0, REASON_TASK = 9, REASON_CR = 28, REASON_DR = 29, REASON_IO = 30 };
enum { REASON_GUEST_STATE = 33, REASON_MSR_LOAD = 34, REASON_APIC = 44, REASON_EPT = 48 };
enum { SVM_PF = 0x4e, SVM_IOIO = 0x7b, SVM_MSR = 0x7c, SVM_NPF = 0x400 };

static const struct vmcs_bit bits[] = {
#define SET(set, source, others)
#define BIT(set, nr, name, meaning) {VMCS_SAY_##set, nr, name, meaning},
#include "vmcs/bits.def"
#undef SET
#undef BIT
};

static const struct {
	const char *source;
	uint64_t others;
	bool is_bits;
} sets[VMCS_NR_SAYS] = {
#define SET(set, source, others) [VMCS_SAY_##set] = {source, others, true},
#define BIT(set, nr, name, meaning)
#include "vmcs/bits.def"
#undef SET
#undef BIT
#define CODES(set, source) [VMCS_SAY_##set] = {source, 0, false},
#define CODE(set, number, meaning)
#include "vmcs/codes.def"
#undef CODES
#undef CODE
};

static const struct {
	enum vmcs_say set;
	uint64_t number;
	const char *meaning;
} codes[] = {
#define CODES(set, source)
#define CODE(set, number, meaning) {VMCS_SAY_##set, number, meaning},
#include "vmcs/codes.def"
#undef CODES
#undef CODE
};

const struct vmcs_bit *vmcs_bit_at(size_t i)
{
	return i < COUNT(bits) ? &bits[i] : NULL;
}

const char *vmcs_say_source(enum vmcs_say how)
{
	return sets[how].source;
}

const char *vmcs_code_name(enum vmcs_say how, uint64_t number)
{
	for (size_t i = 0; i < COUNT(codes); i++)
		if (codes[i].set == how && codes[i].number == number)
			return codes[i].meaning;
	return NULL;
}

/* Named bits in their order, then the others by number. */
static void say_bits(struct say *s, enum vmcs_say set, uint64_t v)
{
	v &= ~sets[set].others;
	for (size_t i = 0; i < COUNT(bits); i++) {
		if (bits[i].set != set || !(v >> bits[i].nr & 1))
			continue;
		x86_64_say(s, "%s", bits[i].name);
		v &= ~(UINT64_C(1) << bits[i].nr);
	}
	for (unsigned int i = 0; i < 64; i++)
		if (v >> i & 1)
			x86_64_say(s, "bit %u", i);
}

static void say_code(struct say *s, enum vmcs_say set, uint64_t v)
{
	const char *name = vmcs_code_name(set, v);

	if (name)
		x86_64_say(s, "%s", name);
	else
		x86_64_say(s, "0x%" PRIx64 ", which has no name", v);
}

static void say_vectors(struct say *s, uint64_t v)
{
	for (unsigned int i = 0; i < 32; i++) {
		const char *name = x86_64_exception_name(i);
		if (!(v >> i & 1))
			continue;
		if (name)
			x86_64_say(s, "%s", name);
		else
			x86_64_say(s, "vector %u", i);
	}
}

static void say_register(struct say *s, enum x86_64_reg reg, uint64_t v)
{
	char text[160];

	x86_64_describe(reg, v, text, sizeof(text));
	if (*text)
		x86_64_say(s, "%s", text);
}

static void say_event(struct say *s, enum vmcs_say how, uint64_t v)
{
	const bool svm = how == VMCS_SAY_SVM_EVENT;
	const unsigned int vector = v & 0xff, type = v >> 8 & 7;
	const char *name = type == 3 ? x86_64_exception_name(vector) : NULL;

	if (!(v >> 31 & 1))
		return;
	say_code(s, svm ? VMCS_SAY_SVM_EVENT_TYPE : VMCS_SAY_EVENT_TYPE, type);
	if (name)
		x86_64_say(s, "%s", name);
	else
		x86_64_say(s, "vector %u", vector);
	if (v >> 11 & 1)
		x86_64_say(s, "error code");
	if (how == VMCS_SAY_EXIT_EVENT && v >> 12 & 1)
		x86_64_say(s, "NMI unblocked by IRET");
}

static void say_reason(struct say *s, uint64_t v)
{
	if (v == UINT32_MAX) /* Linux vmx/nested.c, vmx_enter_smm: the exit has no reason */
		return;
	say_code(s, VMCS_SAY_REASON, v & 0xffff);
	if (v >> 31 & 1)
		x86_64_say(s, "VM-entry failure");
	if (v >> 27 & 1)
		x86_64_say(s, "in an enclave");
}

static void say_cr_access(struct say *s, uint64_t v)
{
	const unsigned int cr = v & 0xf, type = v >> 4 & 3, gpr = v >> 8 & 0xf;

	if (type < 2)
		x86_64_say(s, "MOV %s CR%u, register %u", type ? "from" : "to", cr, gpr);
	else
		x86_64_say(s, "%s", type == 2 ? "CLTS" : "LMSW");
	if (type == 3)
		x86_64_say(s, "0x%x", (unsigned int)(v >> 16 & 0xffff));
}

static void say_io(struct say *s, uint64_t v)
{
	x86_64_say(s, "%s port 0x%x, %u byte%s", v & 8 ? "IN" : "OUT",
		   (unsigned int)(v >> 16 & 0xffff), (unsigned int)(v & 7) + 1, v & 7 ? "s" : "");
	if (v & 0x10)
		x86_64_say(s, "string");
	if (v & 0x20)
		x86_64_say(s, "REP");
}

static void say_task_switch(struct say *s, uint64_t v)
{
	static const char *const by[] = {"CALL", "IRET", "JMP", "task gate"};

	x86_64_say(s, "to selector 0x%x by %s", (unsigned int)(v & 0xffff), by[v >> 30 & 3]);
}

/* A #DB has the bits of DR6, of which none is inverted here; a #PF its address. */
static void say_event_qualification(struct say *s, uint64_t event, uint64_t v)
{
	if ((event & 0xff) == 14)
		x86_64_say(s, "address 0x%" PRIx64, v);
	else if ((event & 0xff) == 1)
		say_register(s, X86_64_DR6, v ^ (1U << 16 | 1U << 11));
}

static void say_failed_entry(struct say *s, uint64_t basic, uint64_t v)
{
	if (basic == REASON_GUEST_STATE)
		say_code(s, VMCS_SAY_ENTRY_FAIL, v);
	else if (basic == REASON_MSR_LOAD)
		x86_64_say(s, "entry %" PRIu64 " of the VM-entry MSR-load list", v);
}

static void say_qualification(struct say *s, const struct vmcs_beside *beside, uint64_t v)
{
	const uint64_t basic = beside->reason & 0xffff;

	if (!beside->known)
		return;
	if (beside->reason >> 31 & 1)
		say_failed_entry(s, basic, v);
	else if (basic == REASON_EVENT)
		say_event_qualification(s, beside->event, v);
	else if (basic == REASON_TASK)
		say_task_switch(s, v);
	else if (basic == REASON_CR)
		say_cr_access(s, v);
	else if (basic == REASON_DR)
		x86_64_say(s, "MOV %s DR%u, register %u", v & 0x10 ? "from" : "to",
			   (unsigned int)(v & 7), (unsigned int)(v >> 8 & 0xf));
	else if (basic == REASON_IO)
		say_io(s, v);
	else if (basic == REASON_APIC)
		x86_64_say(s, "offset 0x%x", (unsigned int)(v & 0xfff));
	else if (basic == REASON_EPT)
		say_bits(s, VMCS_SAY_EPT_VIOLATION, v);
}

static void say_exitinfo1(struct say *s, const struct vmcs_beside *beside, uint64_t v)
{
	if (!beside->known)
		return;
	if (beside->reason == SVM_NPF || beside->reason == SVM_PF)
		say_bits(s, VMCS_SAY_PAGE_FAULT, v);
	else if (beside->reason == SVM_MSR)
		x86_64_say(s, "%s", v & 1 ? "WRMSR" : "RDMSR");
	else if (beside->reason == SVM_IOIO) {
		x86_64_say(s, "%s port 0x%x", v & 1 ? "IN" : "OUT",
			   (unsigned int)(v >> 16 & 0xffff));
		say_bits(s, VMCS_SAY_SVM_IO, v & ~UINT64_C(1));
	}
}

static void say_pat(struct say *s, uint64_t v)
{
	for (unsigned int i = 0; i < 8; i++) {
		const char *name = vmcs_code_name(VMCS_SAY_PAT, v >> (8 * i) & 0xff);
		x86_64_say(s, "%s", name ? name : "invalid");
	}
}

static void say_eptp(struct say *s, uint64_t v)
{
	if (!v)
		return;
	x86_64_say(s, "tables at 0x%" PRIx64, v & UINT64_C(0xffffffffff000));
	x86_64_say(s, "%u levels", (unsigned int)(v >> 3 & 7) + 1);
	x86_64_say(s, "%s", (v & 7) == 6 ? "WB" : (v & 7) == 0 ? "UC" : "reserved memory type");
	if (v & 0x40)
		x86_64_say(s, "accessed and dirty");
}

static void say_int_ctl(struct say *s, uint64_t v)
{
	if (v & 0xff)
		x86_64_say(s, "V_TPR 0x%x", (unsigned int)(v & 0xff));
	say_bits(s, VMCS_SAY_INT_CTL, v);
	if (v >> 16 & 0xf)
		x86_64_say(s, "priority %u", (unsigned int)(v >> 16 & 0xf));
}

/* Those that are registers of the guest, or of its hypervisor. */
static bool say_as_register(struct say *s, enum vmcs_say how, uint64_t v)
{
	static const struct {
		enum vmcs_say how;
		enum x86_64_reg reg;
	} map[] = {
		{VMCS_SAY_AR, X86_64_CS_ATTR}, {VMCS_SAY_SELECTOR, X86_64_CS_SEL},
		{VMCS_SAY_CR0, X86_64_CR0},    {VMCS_SAY_CR4, X86_64_CR4},
		{VMCS_SAY_EFER, X86_64_EFER},  {VMCS_SAY_RFLAGS, X86_64_RFLAGS},
		{VMCS_SAY_DR6, X86_64_DR6},    {VMCS_SAY_DR7, X86_64_DR7},
	};

	if (how == VMCS_SAY_ATTRIB) {
		say_register(s, X86_64_CS_ATTR, (v & 0xff) | (v & 0xf00) << 4);
		return true;
	}
	for (size_t i = 0; i < COUNT(map); i++)
		if (map[i].how == how) {
			say_register(s, map[i].reg, v);
			return true;
		}
	return false;
}

static void say_rest(struct say *s, enum vmcs_say how, uint64_t v)
{
	if (how == VMCS_SAY_REVISION)
		x86_64_say(s, "%s%s", (v & INT32_MAX) == VMCS12_REVISION ? "KVM's" : "unknown",
			   v >> 31 & 1 ? ", a shadow VMCS" : "");
	else if (how == VMCS_SAY_VECTORS)
		say_vectors(s, v);
	else if (how == VMCS_SAY_EPTP)
		say_eptp(s, v);
	else if (how == VMCS_SAY_INTR_STATUS && v)
		x86_64_say(s, "requested 0x%x, in service 0x%x", (unsigned int)(v & 0xff),
			   (unsigned int)(v >> 8 & 0xff));
	else if (how == VMCS_SAY_LINK)
		x86_64_say(s, "%s", v == UINT64_MAX ? "none" : "a shadow VMCS");
	else if (how == VMCS_SAY_EVENT || how == VMCS_SAY_EXIT_EVENT || how == VMCS_SAY_SVM_EVENT)
		say_event(s, how, v);
}

void vmcs_say_value(enum vmcs_say how, uint64_t v, const struct vmcs_beside *beside, char *buf,
		    size_t n)
{
	static const struct vmcs_beside unknown;
	struct say s;

	x86_64_say_init(&s, buf, n);
	if (how == VMCS_SAY_QUALIFICATION)
		say_qualification(&s, beside ? beside : &unknown, v);
	else if (how == VMCS_SAY_EXITINFO1)
		say_exitinfo1(&s, beside ? beside : &unknown, v);
	else if (how == VMCS_SAY_REASON)
		say_reason(&s, v);
	else if (how == VMCS_SAY_PAT)
		say_pat(&s, v);
	else if (how == VMCS_SAY_INT_CTL)
		say_int_ctl(&s, v);
	else if (sets[how].is_bits)
		say_bits(&s, how, v);
	else if (sets[how].source)
		say_code(&s, how, v);
	else if (!say_as_register(&s, how, v))
		say_rest(&s, how, v);
}
