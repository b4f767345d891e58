/* Knows how the rules of entry_checks.def are worked out.  Source: SDM vol. 3, 27.2, 27.3; A.3 to
   A.10 for the capability MSRs. */
#include "vmcs/entry_check.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

typedef enum vmcs_verdict verdict;

#define F(name) vmcs12_get(c->vmcs12, VMCS_##name)
#define BIT_OF(name, nr) ((F(name) >> (nr)&1) != 0)
#define PIN(nr) BIT_OF(PIN_BASED_VM_EXEC_CONTROL, nr)
#define PROC(nr) BIT_OF(CPU_BASED_VM_EXEC_CONTROL, nr)
#define PROC2(nr) (PROC(31) && BIT_OF(SECONDARY_VM_EXEC_CONTROL, nr))
#define EXIT(nr) BIT_OF(VM_EXIT_CONTROLS, nr)
#define ENTRY(nr) BIT_OF(VM_ENTRY_CONTROLS, nr)
#define EVENT (!c->entered && BIT_OF(VM_ENTRY_INTR_INFO_FIELD, 31))
#define EVENT_TYPE (F(VM_ENTRY_INTR_INFO_FIELD) >> 8 & 7)
#define USABLE(name) (!BIT_OF(name, 16))
#define LAM (UINT64_C(3) << 61) /* of CR3: linear-address masking, on processors that have it */
#define V8086 BIT_OF(GUEST_RFLAGS, 17)

static verdict yes(uint64_t holds)
{
	return holds ? VMCS_PASS : VMCS_FAIL;
}

static verdict when(uint64_t applies, verdict v)
{
	return applies ? v : VMCS_PASS;
}

static bool capability(const struct vmcs_checked *c, unsigned int msr, uint64_t *ret)
{
	*ret = c->cap[msr - VMCS_CAP_FIRST];
	return c->caps_known >> (msr - VMCS_CAP_FIRST) & 1;
}

/* The low half must be 1, what the high half lacks 0; bit 55 of IA32_VMX_BASIC: the TRUE one
 * counts.
 */
static verdict allowed(const struct vmcs_checked *c, uint64_t v, unsigned int msr,
		       unsigned int good)
{
	uint64_t basic, cap;

	if (!capability(c, VMCS_CAP_FIRST, &basic) ||
	    !capability(c, basic >> 55 & 1 ? good : msr, &cap))
		return VMCS_UNKNOWN_MSR;
	return yes((v & (uint32_t)cap) == (uint32_t)cap && !(v & ~(cap >> 32)));
}

/* FIXED0 must be 1, what FIXED1, the next MSR, lacks 0; free bits are whatever they are. */
static verdict fixed(const struct vmcs_checked *c, uint64_t v, unsigned int msr, uint64_t free)
{
	uint64_t ones, may;

	if (!capability(c, msr, &ones) || !capability(c, msr + 1, &may))
		return VMCS_UNKNOWN_MSR;
	return yes((v & ones & ~free) == (ones & ~free) && !(v & ~may & ~free));
}

/* A width that is not known leaves only what is misaligned, or beyond any width, to be told. */
static verdict aligned(const struct vmcs_checked *c, uint64_t v, unsigned int low_bits)
{
	if (v & ((UINT64_C(1) << low_bits) - 1) || v >> 52)
		return VMCS_FAIL;
	if (!c->maxphyaddr)
		return v >> 32 ? VMCS_UNKNOWN_WIDTH : VMCS_PASS;
	return yes(!(v >> c->maxphyaddr));
}

/* Of 57 bits, the widest; with CR4.LA57 clear a processor demands more than can be told here. */
static verdict canonical(uint64_t v)
{
	const uint64_t top = v >> 56, narrow = v >> 47;

	if (top != 0 && top != 0xff)
		return VMCS_FAIL;
	return narrow == 0 || narrow == 0x1ffff ? VMCS_PASS : VMCS_UNKNOWN_LEVELS;
}

static verdict pat(uint64_t v)
{
	for (unsigned int i = 0; i < 64; i += 8) {
		const unsigned int type = v >> i & 0xff;
		if (type > 7 || type == 2 || type == 3)
			return VMCS_FAIL;
	}
	return VMCS_PASS;
}

static verdict efer(uint64_t v, bool ia32e, bool lme_counts)
{
	const bool lme = v >> 8 & 1, lma = v >> 10 & 1;

	return yes(lma == ia32e && (!lme_counts || lme == ia32e));
}

static verdict cr3_targets(const struct vmcs_checked *c)
{
	uint64_t misc;

	return capability(c, 0x485, &misc) ? yes(F(CR3_TARGET_COUNT) <= (misc >> 16 & 0x1ff))
					   : VMCS_UNKNOWN_MSR;
}

static verdict activity(const struct vmcs_checked *c)
{
	const uint64_t v = F(GUEST_ACTIVITY_STATE);
	uint64_t misc;

	if (v == 0 || v > 3)
		return yes(v == 0);
	return capability(c, 0x485, &misc) ? yes(misc >> (5 + v) & 1) : VMCS_UNKNOWN_MSR;
}

static verdict event_vector(const struct vmcs_checked *c)
{
	const uint64_t vector = F(VM_ENTRY_INTR_INFO_FIELD) & 0xff;

	return yes(EVENT_TYPE == 2   ? vector == 2
		   : EVENT_TYPE == 3 ? vector <= 31
				     : EVENT_TYPE != 7 || vector == 0);
}

static verdict eptp_allowed(const struct vmcs_checked *c)
{
	const uint64_t v = F(EPT_POINTER), type = v & 7, levels = (v >> 3 & 7) + 1;
	uint64_t cap;

	if ((type != 0 && type != 6) || (levels != 4 && levels != 5) || v & 0xf00)
		return VMCS_FAIL;
	if (!capability(c, 0x48c, &cap))
		return VMCS_UNKNOWN_MSR;
	if (!(cap >> (type ? 14 : 8) & 1) || !(cap >> (levels == 4 ? 6 : 7) & 1) ||
	    (v & 0x40 && !(cap >> 21 & 1)))
		return VMCS_FAIL;
	return aligned(c, v & ~UINT64_C(0xfff), 12);
}

/* Reserved bits clear, S as given, P set. */
static bool is_present(uint64_t ar, bool s)
{
	return !(ar & 0xfffe0f00) && (ar >> 4 & 1) == s && ar >> 7 & 1;
}

static bool tss_is_busy(const struct vmcs_checked *c)
{
	const uint64_t ar = F(GUEST_TR_AR_BYTES), type = ar & 0xf;

	return USABLE(GUEST_TR_AR_BYTES) && is_present(ar, false) &&
	       (type == 11 || (type == 3 && !ENTRY(9)));
}

static bool code_is_fit(const struct vmcs_checked *c)
{
	const uint64_t ar = F(GUEST_CS_AR_BYTES), type = ar & 0xf;

	return is_present(ar, true) && ((type >= 9 && type & 1) || (type == 3 && PROC2(7)));
}

/* A stack is writable data; else code must be readable. */
static bool data_is_fit(uint64_t ar, bool stack)
{
	const uint64_t type = ar & 0xf;

	if (!is_present(ar, true) || !(type & 1))
		return false;
	return stack ? type == 3 || type == 7 : !(type & 8) || type & 2;
}

static bool granular(uint64_t limit, uint64_t ar)
{
	const bool pages = ar >> 15 & 1;

	return pages ? (limit & 0xfff) == 0xfff : !(limit >> 20);
}

static const struct vmcs_entry_check checks[] = {
#define CHECK(id, stage, field, section, rule, holds)                                              \
	{#id, VMCS_STAGE_##stage, VMCS_##field, section, rule},
#include "vmcs/entry_checks.def"
#undef CHECK
};

const struct vmcs_entry_check *vmcs_entry_check_at(size_t i)
{
	return i < COUNT(checks) ? &checks[i] : NULL;
}

enum vmcs_verdict vmcs_entry_verdict(size_t i, const struct vmcs_checked *c)
{
	size_t at = 0;

#define CHECK(id, stage, field, section, rule, holds)                                              \
	if (at++ == i)                                                                             \
		return (holds);
#include "vmcs/entry_checks.def"
#undef CHECK
	return VMCS_UNKNOWN_MSR;
}

const char *vmcs_verdict_lacks(enum vmcs_verdict v)
{
	switch (v) {
	case VMCS_UNKNOWN_LEVELS:
		return "canonical only with 57-bit addresses";
	case VMCS_UNKNOWN_WIDTH:
		return "the physical-address width is not in the dump";
	case VMCS_UNKNOWN_MSR:
		return "a capability MSR is not in the dump";
	case VMCS_FAIL:
	case VMCS_PASS:
		break;
	}
	return NULL;
}

const char *vmcs_stage_name(enum vmcs_stage stage)
{
	static const char *const names[] = {"VM-instruction error 7", "VM-instruction error 8",
					    "exit reason 33"};

	return names[stage];
}
