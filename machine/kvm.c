/*
 * Knows the layout of the structures that KVM fills, and which of their fields mean something.
 * Source: Linux include/uapi/linux/kvm.h and arch/x86/include/uapi/asm/kvm.h; what is valid when:
 * Documentation/virt/kvm/api.rst and arch/x86/kvm/x86.c.
 */
#include "machine/kvm.h"

#include <stdlib.h>

#include "arch/x86_64/regs.h"
#include "base/span.h"
#include "machine/qemu_note.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

enum {
	REGS_BYTES = 144,
	SREGS_BYTES = 312,
	SREGS2_BYTES = 320,
	DEBUGREGS_BYTES = 128,
	EVENTS_BYTES = 64,
	LAPIC_BYTES = 1024,
	MP_STATE_BYTES = 4,
	RUN_BYTES = 288, /* through the exit union */
	MSR_BYTES = 16,
	CPUID_BYTES = 40,
	PRSTATUS_BYTES = 336,
	PRSTATUS32_BYTES = 144,
};

enum {
	SREGS2_FLAGS = 280,
	SREGS2_PDPTRS_VALID = 1,
	EVENTS_FLAGS = 20,
	EVENT_NMI_PENDING = 0x1,
	EVENT_SHADOW = 0x4,
	EVENT_SMM = 0x8,
	EVENT_PAYLOAD = 0x10,
	EVENT_TRIPLE_FAULT = 0x20,
};

static const struct machine_field regs_fields[] = {
	{0, 8, X86_64_RAX},   {8, 8, X86_64_RBX},      {16, 8, X86_64_RCX},  {24, 8, X86_64_RDX},
	{32, 8, X86_64_RSI},  {40, 8, X86_64_RDI},     {48, 8, X86_64_RSP},  {56, 8, X86_64_RBP},
	{64, 8, X86_64_R8},   {72, 8, X86_64_R9},      {80, 8, X86_64_R10},  {88, 8, X86_64_R11},
	{96, 8, X86_64_R12},  {104, 8, X86_64_R13},    {112, 8, X86_64_R14}, {120, 8, X86_64_R15},
	{128, 8, X86_64_RIP}, {136, 8, X86_64_RFLAGS},
};

/* struct kvm_sregs and the beginning of kvm_sregs2 */
static const struct machine_field sregs_fields[] = {
	{192, 8, X86_64_GDTR_BASE},  {200, 2, X86_64_GDTR_LIMIT}, {208, 8, X86_64_IDTR_BASE},
	{216, 2, X86_64_IDTR_LIMIT}, {224, 8, X86_64_CR0},        {232, 8, X86_64_CR2},
	{240, 8, X86_64_CR3},        {248, 8, X86_64_CR4},        {256, 8, X86_64_CR8},
	{264, 8, X86_64_EFER},       {272, 8, X86_64_APIC_BASE},
};
static const struct machine_field pdptr_fields[] = {
	{288, 8, X86_64_PDPTR0},
	{296, 8, X86_64_PDPTR1},
	{304, 8, X86_64_PDPTR2},
	{312, 8, X86_64_PDPTR3},
};
/* X86_64_<seg>_SEL and the struct kvm_segment at off */
static const struct machine_field segments[] = {
	{0, 24, X86_64_CS_SEL},   {24, 24, X86_64_DS_SEL},    {48, 24, X86_64_ES_SEL},
	{72, 24, X86_64_FS_SEL},  {96, 24, X86_64_GS_SEL},    {120, 24, X86_64_SS_SEL},
	{144, 24, X86_64_TR_SEL}, {168, 24, X86_64_LDTR_SEL},
};

static const struct machine_field debug_fields[] = {
	{0, 8, X86_64_DR0},  {8, 8, X86_64_DR1},  {16, 8, X86_64_DR2},
	{24, 8, X86_64_DR3}, {32, 8, X86_64_DR6}, {40, 8, X86_64_DR7},
};

/* A field that is valid only when all bits of flags are set in kvm_vcpu_events.flags. */
static const struct event_field {
	uint16_t off;
	uint16_t reg;
	uint32_t flags;
	bool truth; /* any value but 0 says yes */
} event_fields[] = {
	{0, X86_64_EXC_INJECTED, 0, true},
	{1, X86_64_EXC_NR, 0, false},
	{3, X86_64_EXC_PENDING, EVENT_PAYLOAD, true},
	{8, X86_64_INT_INJECTED, 0, true},
	{9, X86_64_INT_NR, 0, false},
	{11, X86_64_INT_SHADOW, EVENT_SHADOW, false},
	{12, X86_64_NMI_INJECTED, 0, true},
	{13, X86_64_NMI_PENDING, EVENT_NMI_PENDING, true},
	{14, X86_64_NMI_MASKED, 0, true},
	{24, X86_64_SMM, EVENT_SMM, true},
	{25, X86_64_SMI_PENDING, EVENT_SMM, true},
	{26, X86_64_SMM_INSIDE_NMI, EVENT_SMM, true},
	{27, X86_64_SMM_LATCHED_INIT, EVENT_SMM, true},
	{28, X86_64_TRIPLE_FAULT, EVENT_TRIPLE_FAULT, true},
};
enum { EVENT_HAS_ERROR_CODE = 2, EVENT_ERROR_CODE = 4 };

static const struct machine_field run_fields[] = {
	{8, 4, X86_64_EXIT_REASON},
	{12, 1, X86_64_RUN_READY},
	{13, 1, X86_64_RUN_IF},
	{14, 2, X86_64_RUN_FLAGS},
};

/* struct elf_prstatus: pr_reg at 112, in the order of user_regs_struct */
static const struct machine_field prstatus_fields[] = {
	{112, 8, X86_64_R15}, {120, 8, X86_64_R14},    {128, 8, X86_64_R13},
	{136, 8, X86_64_R12}, {144, 8, X86_64_RBP},    {152, 8, X86_64_RBX},
	{160, 8, X86_64_R11}, {168, 8, X86_64_R10},    {176, 8, X86_64_R9},
	{184, 8, X86_64_R8},  {192, 8, X86_64_RAX},    {200, 8, X86_64_RCX},
	{208, 8, X86_64_RDX}, {216, 8, X86_64_RSI},    {224, 8, X86_64_RDI},
	{240, 8, X86_64_RIP}, {248, 2, X86_64_CS_SEL}, {256, 8, X86_64_RFLAGS},
	{264, 8, X86_64_RSP}, {272, 2, X86_64_SS_SEL},
};

/*
 * What a VMM writes there is the CPU's.  A crashing Linux writes what the task that it ran has in
 * user mode (arch/x86/include/asm/elf.h, ELF_CORE_COPY_REGS), which is no register of the CPU.
 */
static const struct machine_field prstatus_bases[] = {
	{280, 8, X86_64_FS_BASE},
	{288, 8, X86_64_GS_BASE},
};

/* the same of i386: pr_reg at 72; bases do not fit into it */
static const struct machine_field prstatus32_fields[] = {
	{72, 4, X86_64_RBX},     {76, 4, X86_64_RCX},     {80, 4, X86_64_RDX},
	{84, 4, X86_64_RSI},     {88, 4, X86_64_RDI},     {92, 4, X86_64_RBP},
	{96, 4, X86_64_RAX},     {100, 2, X86_64_DS_SEL}, {104, 2, X86_64_ES_SEL},
	{108, 2, X86_64_FS_SEL}, {112, 2, X86_64_GS_SEL}, {120, 4, X86_64_RIP},
	{124, 2, X86_64_CS_SEL}, {128, 4, X86_64_RFLAGS}, {132, 4, X86_64_RSP},
	{136, 2, X86_64_SS_SEL},
};

const uint8_t *machine_whole(const struct inq_blob *b, size_t bytes)
{
	return b && b->state == INQ_SNAP_PRESENT && b->p && b->n >= bytes ? b->p : NULL;
}

/* The caller has checked that the structure is whole. */
static uint64_t get(const uint8_t *p, size_t off, size_t bytes)
{
	struct span s = span_of(p + off, bytes);

	return span_le(&s, bytes);
}

void machine_set_fields(const uint8_t *p, const struct machine_field *f, size_t n,
			struct inq_regset *rs)
{
	for (size_t i = 0; i < n; i++)
		inq_reg_set(rs, f[i].reg, get(p, f[i].off, f[i].bytes));
}

void machine_set_missing(const uint8_t *p, const struct machine_field *f, size_t n,
			 struct inq_regset *rs)
{
	for (size_t i = 0; i < n; i++)
		if (!inq_reg_known(rs, f[i].reg))
			machine_set_fields(p, &f[i], 1, rs);
}

/* struct kvm_segment to the form of a descriptor, see regs.def. */
static uint64_t segment_attr(const uint8_t *p)
{
	uint64_t type = p[14] & 0xf, present = !!p[15], dpl = p[16] & 3, db = !!p[17], s = !!p[18],
		 l = !!p[19], g = !!p[20], avl = !!p[21], unusable = !!p[22];

	return type | s << 4 | dpl << 5 | present << 7 | avl << 12 | l << 13 | db << 14 | g << 15 |
	       unusable << 16;
}

static void set_segment(const uint8_t *p, unsigned int sel, struct inq_regset *rs)
{
	inq_reg_set(rs, sel, get(p, 12, 2));
	inq_reg_set(rs, sel + (X86_64_CS_BASE - X86_64_CS_SEL), get(p, 0, 8));
	inq_reg_set(rs, sel + (X86_64_CS_LIMIT - X86_64_CS_SEL), get(p, 8, 4));
	inq_reg_set(rs, sel + (X86_64_CS_ATTR - X86_64_CS_SEL), segment_attr(p));
}

static void set_sregs(const struct machine_blobs *b, struct inq_regset *rs)
{
	const uint8_t *p2 = machine_whole(b->of[INQ_SNAP_SREGS2], SREGS2_BYTES);
	const uint8_t *p = p2 ? p2 : machine_whole(b->of[INQ_SNAP_SREGS], SREGS_BYTES);

	if (!p)
		return;
	machine_set_fields(p, sregs_fields, COUNT(sregs_fields), rs);
	for (size_t i = 0; i < COUNT(segments); i++)
		set_segment(p + segments[i].off, segments[i].reg, rs);
	if (p2 && (get(p2, SREGS2_FLAGS, 8) & SREGS2_PDPTRS_VALID))
		machine_set_fields(p2, pdptr_fields, COUNT(pdptr_fields), rs);
}

static void set_events(const struct machine_blobs *b, struct inq_regset *rs)
{
	const uint8_t *p = machine_whole(b->of[INQ_SNAP_EVENTS], EVENTS_BYTES);

	if (!p)
		return;
	uint32_t flags = (uint32_t)get(p, EVENTS_FLAGS, 4);
	for (size_t i = 0; i < COUNT(event_fields); i++) {
		const struct event_field *f = &event_fields[i];
		if ((flags & f->flags) == f->flags)
			inq_reg_set(rs, f->reg, f->truth ? !!p[f->off] : p[f->off]);
	}
	if (p[EVENT_HAS_ERROR_CODE])
		inq_reg_set(rs, X86_64_EXC_ERROR, get(p, EVENT_ERROR_CODE, 4));
}

bool machine_refused(const struct inq_blob *b)
{
	return b && b->state != INQ_SNAP_PRESENT;
}

/* Only they have notes of QEMU's, or ours. */
static bool is_of_a_vmm(const struct machine_blobs *b)
{
	for (size_t kind = 0; kind < MACHINE_NR_KINDS; kind++)
		if (b->of[kind])
			return true;
	return b->qemu;
}

/* A producer that says it got no registers has none for the notes of others either. */
static void set_foreign(const struct machine_blobs *b, struct inq_regset *rs)
{
	const uint8_t *p;

	if (!machine_refused(b->of[INQ_SNAP_SREGS2]) && !machine_refused(b->of[INQ_SNAP_REGS]))
		machine_qemu_regs(b, rs);
	if (machine_refused(b->of[INQ_SNAP_REGS]))
		return;
	if ((p = machine_whole(b->prstatus, PRSTATUS_BYTES))) {
		machine_set_missing(p, prstatus_fields, COUNT(prstatus_fields), rs);
		if (is_of_a_vmm(b))
			machine_set_missing(p, prstatus_bases, COUNT(prstatus_bases), rs);
	} else if ((p = machine_whole(b->prstatus, PRSTATUS32_BYTES))) {
		machine_set_missing(p, prstatus32_fields, COUNT(prstatus32_fields), rs);
	}
}

static void set_general(const struct machine_blobs *b, struct inq_regset *rs)
{
	const uint8_t *p = machine_whole(b->of[INQ_SNAP_REGS], REGS_BYTES);

	if (p)
		machine_set_fields(p, regs_fields, COUNT(regs_fields), rs);
	set_foreign(b, rs);
}

static void set_whole(const struct inq_blob *b, size_t bytes, const struct machine_field *f,
		      size_t n, struct inq_regset *rs)
{
	const uint8_t *p = machine_whole(b, bytes);

	if (p)
		machine_set_fields(p, f, n, rs);
}

void machine_kvm_regs(const struct machine_blobs *b, struct inq_regset *rs)
{
	static const struct machine_field mp_state = {0, 4, X86_64_MP_STATE};

	set_sregs(b, rs);
	set_general(b, rs);
	set_events(b, rs);
	set_whole(b->of[INQ_SNAP_DEBUGREGS], DEBUGREGS_BYTES, debug_fields, COUNT(debug_fields),
		  rs);
	set_whole(b->of[INQ_SNAP_MP_STATE], MP_STATE_BYTES, &mp_state, 1, rs);
	set_whole(b->of[INQ_SNAP_RUN], RUN_BYTES, run_fields, COUNT(run_fields), rs);
}

const uint8_t *machine_kvm_lapic(const struct machine_blobs *b)
{
	return machine_whole(b->of[INQ_SNAP_LAPIC], LAPIC_BYTES);
}

void machine_kvm_nested(const struct machine_blobs *b, struct inq_cpu *cpu)
{
	const struct inq_blob *note = b->of[INQ_SNAP_NESTED];

	cpu->nested = machine_whole(note, 1);
	cpu->nr_nested = cpu->nested ? note->n : 0;
	cpu->nested_known = cpu->nested || (note && note->state == INQ_SNAP_ABSENT);
}

static int by_index(const void *a, const void *b)
{
	uint32_t x = ((const struct inq_msr *)a)->index, y = ((const struct inq_msr *)b)->index;

	return (x > y) - (x < y);
}

/* msrs is sorted.  Returns how many are left. */
static size_t merge_equal(struct inq_msr *msrs, size_t n)
{
	size_t out = 0;

	for (size_t i = 0; i < n; i++) {
		if (!out || msrs[out - 1].index != msrs[i].index) {
			msrs[out++] = msrs[i];
			continue;
		}
		if (!msrs[i].known || msrs[i].value != msrs[out - 1].value)
			msrs[out - 1].known = 0;
	}
	return out;
}

enum inq_status machine_kvm_msrs(const struct machine_blobs *b, struct inq_msr **ret_msrs,
				 size_t *ret_nr, struct inq_err *err)
{
	const uint8_t *p = machine_whole(b->of[INQ_SNAP_MSRS], MSR_BYTES);
	size_t n = p ? b->of[INQ_SNAP_MSRS]->n / MSR_BYTES : 0;

	*ret_msrs = NULL;
	*ret_nr = 0;
	if (!p)
		return INQ_OK;

	struct inq_msr *msrs = calloc(n, sizeof(*msrs));
	if (!msrs)
		return inq_fail(err, INQ_ENOMEM, "%zu msrs", n);
	for (size_t i = 0; i < n; i++, p += MSR_BYTES)
		msrs[i] = (struct inq_msr){
			.index = (uint32_t)get(p, 0, 4),
			.known = get(p, 4, 4) == 0,
			.value = get(p, 8, 8),
		};
	qsort(msrs, n, sizeof(*msrs), by_index);
	*ret_nr = merge_equal(msrs, n);
	*ret_msrs = msrs;
	return INQ_OK;
}

enum inq_status machine_kvm_cpuid(const struct machine_blobs *b, struct inq_cpuid **ret_cpuid,
				  size_t *ret_nr, struct inq_err *err)
{
	const uint8_t *p = machine_whole(b->of[INQ_SNAP_CPUID2], CPUID_BYTES);
	size_t n = p ? b->of[INQ_SNAP_CPUID2]->n / CPUID_BYTES : 0;

	*ret_cpuid = NULL;
	*ret_nr = 0;
	if (!p)
		return INQ_OK;

	struct inq_cpuid *cpuid = calloc(n, sizeof(*cpuid));
	if (!cpuid)
		return inq_fail(err, INQ_ENOMEM, "%zu cpuid leaves", n);
	for (size_t i = 0; i < n; i++) {
		struct span s = span_of(p + i * CPUID_BYTES, CPUID_BYTES);
		cpuid[i].leaf = span_u32le(&s);
		cpuid[i].subleaf = span_u32le(&s);
		cpuid[i].flags = span_u32le(&s);
		cpuid[i].eax = span_u32le(&s);
		cpuid[i].ebx = span_u32le(&s);
		cpuid[i].ecx = span_u32le(&s);
		cpuid[i].edx = span_u32le(&s);
	}
	*ret_cpuid = cpuid;
	*ret_nr = n;
	return INQ_OK;
}
