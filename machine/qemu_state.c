/*
 * Knows how QEMU names the state of an x86 CPU in its migration streams.  Source: QEMU's
 * target/i386/machine.c (vmstate_x86_cpu), target/i386/cpu.h (hflags), kvm/kvm.c
 * (kvm_get_vcpu_events), hw/intc/apic_common.c, include/exec/cpu-all.h; on the other side Linux
 * arch/x86/include/uapi/asm/kvm.h.
 */
#include "machine/qemu_state.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/named.h"
#include "base/span.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

struct field {
	uint16_t off;
	uint8_t bytes;
	const char *name;
};

static const struct field regs_fields[] = {
	{0, 8, "cpu.env.regs[0]"},    {8, 8, "cpu.env.regs[3]"},    {16, 8, "cpu.env.regs[1]"},
	{24, 8, "cpu.env.regs[2]"},   {32, 8, "cpu.env.regs[6]"},   {40, 8, "cpu.env.regs[7]"},
	{48, 8, "cpu.env.regs[4]"},   {56, 8, "cpu.env.regs[5]"},   {64, 8, "cpu.env.regs[8]"},
	{72, 8, "cpu.env.regs[9]"},   {80, 8, "cpu.env.regs[10]"},  {88, 8, "cpu.env.regs[11]"},
	{96, 8, "cpu.env.regs[12]"},  {104, 8, "cpu.env.regs[13]"}, {112, 8, "cpu.env.regs[14]"},
	{120, 8, "cpu.env.regs[15]"}, {128, 8, "cpu.env.eip"},      {136, 8, "cpu.env.eflags"},
};
static const struct field sregs_fields[] = {
	{192, 8, "cpu.env.gdt.base"},  {200, 2, "cpu.env.gdt.limit"}, {208, 8, "cpu.env.idt.base"},
	{216, 2, "cpu.env.idt.limit"}, {224, 8, "cpu.env.cr[0]"},     {232, 8, "cpu.env.cr[2]"},
	{240, 8, "cpu.env.cr[3]"},     {248, 8, "cpu.env.cr[4]"},     {264, 8, "cpu.env.efer"},
	{272, 8, "apic.apicbase"},
};
/* Of the subsection cpu/pdptrs, which is there when they are loaded. */
static const struct field pdptr_fields[] = {
	{288, 8, "cpu.env.pdptrs[0]"},
	{296, 8, "cpu.env.pdptrs[1]"},
	{304, 8, "cpu.env.pdptrs[2]"},
	{312, 8, "cpu.env.pdptrs[3]"},
};
enum { CR8 = 256, SREGS2_FLAGS = 280, PDPTRS_VALID = 1, SEGMENT = 24 };
/* In the order of struct kvm_sregs2: cs ds es fs gs ss tr ldt */
static const char *const segments[] = {
	"cpu.env.segs[1]", "cpu.env.segs[3]", "cpu.env.segs[0]", "cpu.env.segs[4]",
	"cpu.env.segs[5]", "cpu.env.segs[2]", "cpu.env.tr",      "cpu.env.ldt",
};
static const struct field debug_fields[] = {
	{0, 8, "cpu.env.dr[0]"},  {8, 8, "cpu.env.dr[1]"},  {16, 8, "cpu.env.dr[2]"},
	{24, 8, "cpu.env.dr[3]"}, {32, 8, "cpu.env.dr[6]"}, {40, 8, "cpu.env.dr[7]"},
};
static const struct field lapic_fields[] = {
	{0x23, 1, "apic.id"},           {0x80, 1, "apic.tpr"},
	{0xd3, 1, "apic.log_dest"},     {0xf0, 4, "apic.spurious_vec"},
	{0x280, 4, "apic.esr"},         {0x300, 4, "apic.icr[0]"},
	{0x310, 4, "apic.icr[1]"},      {0x320, 4, "apic.lvt[0]"},
	{0x330, 4, "apic.lvt[1]"},      {0x340, 4, "apic.lvt[2]"},
	{0x350, 4, "apic.lvt[3]"},      {0x360, 4, "apic.lvt[4]"},
	{0x370, 4, "apic.lvt[5]"},      {0x380, 4, "apic.initial_count"},
	{0x3e0, 4, "apic.divide_conf"},
};

static const struct msr_name {
	uint32_t index;
	const char *name;
} msr_names[] = {
	{0x10, "cpu.env.tsc"},
	{0x11, "cpu.env.wall_clock_msr"},
	{0x12, "cpu.env.system_time_msr"},
	{0x1b, "apic.apicbase"},
	{0x34, "cpu.env.msr_smi_count"},
	{0x3a, "cpu.env.msr_ia32_feature_control"},
	{0x3b, "cpu.env.tsc_adjust"},
	{0x48, "cpu.env.spec_ctrl"},
	{0x9e, "cpu.env.smbase"},
	{0xe1, "cpu.env.umwait"},
	{0x174, "cpu.env.sysenter_cs"},
	{0x175, "cpu.env.sysenter_esp"},
	{0x176, "cpu.env.sysenter_eip"},
	{0x179, "cpu.env.mcg_cap"},
	{0x17a, "cpu.env.mcg_status"},
	{0x17b, "cpu.env.mcg_ctl"},
	{0x1a0, "cpu.env.msr_ia32_misc_enable"},
	{0x250, "cpu.env.mtrr_fixed[0]"},
	{0x258, "cpu.env.mtrr_fixed[1]"},
	{0x259, "cpu.env.mtrr_fixed[2]"},
	{0x277, "cpu.env.pat"},
	{0x2ff, "cpu.env.mtrr_deftype"},
	{0x4d0, "cpu.env.mcg_ext_ctl"},
	{0x6e0, "cpu.env.tsc_deadline"},
	{0xd90, "cpu.env.msr_bndcfgs"},
	{0xda0, "cpu.env.xss"},
	{0x4b564d02, "cpu.env.async_pf_en_msr"},
	{0x4b564d03, "cpu.env.steal_time_msr"},
	{0x4b564d04, "cpu.env.pv_eoi_en_msr"},
	{0x4b564d05, "cpu.env.poll_control_msr"},
	{0xc0000080, "cpu.env.efer"},
	{0xc0000081, "cpu.env.star"},
	{0xc0000082, "cpu.env.lstar"},
	{0xc0000083, "cpu.env.cstar"},
	{0xc0000084, "cpu.env.fmask"},
	{0xc0000100, "cpu.env.segs[4].base"},
	{0xc0000101, "cpu.env.segs[5].base"},
	{0xc0000102, "cpu.env.kernelgsbase"},
	{0xc0000103, "cpu.env.tsc_aux"},
	{0xc0010117, "cpu.env.vm_hsave"},
	{0xc001011f, "cpu.env.virt_ssbd"},
};
/* Arrays of MSRs that follow each other: index of the first, step, and how many. */
static const struct msr_array {
	uint32_t index, step, nr;
	const char *before, *behind; /* the number */
	unsigned from;               /* of the first */
} msr_arrays[] = {
	{0x268, 1, 8, "cpu.env.mtrr_fixed[", "]", 3},
	{0x200, 2, 8, "cpu.env.mtrr_var[", "].base", 0},
	{0x201, 2, 8, "cpu.env.mtrr_var[", "].mask", 0},
};
enum { MCE_BANK = 0x400, MCE_MOST = 10 };

enum hflags {
	HF_INHIBIT_IRQ = 1 << 3,
	HF_SMM = 1 << 19,
	HF_GUEST = 1 << 21,
};
enum hflags2 {
	HF2_GIF = 1 << 0,
	HF2_NMI = 1 << 2,
	HF2_SMM_INSIDE_NMI = 1 << 4,
};
enum interrupt_request {
	INTERRUPT_SMI = 0x40,
	INTERRUPT_NMI = 0x200,
	INTERRUPT_INIT = 0x400,
};

/* What the stream says of a CPU. */
struct words {
	const struct inq_blob *cpu, *vm;
};

static bool get(const struct words *w, const char *name, uint64_t *ret)
{
	return named_u64(w->cpu->p, w->cpu->n, name, ret);
}

static void put(uint8_t *to, size_t off, size_t bytes, uint64_t v)
{
	for (size_t i = 0; i < bytes; i++)
		to[off + i] = (uint8_t)(v >> 8 * i);
}

static bool put_fields(const struct words *w, uint8_t *to, const struct field *f, size_t n)
{
	uint64_t v;

	for (size_t i = 0; i < n; i++) {
		if (!get(w, f[i].name, &v))
			return false;
		put(to, f[i].off, f[i].bytes, v);
	}
	return true;
}

static bool get_part(const struct words *w, const char *of, const char *part, uint64_t *ret)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "%s.%s", of, part);
	return get(w, name, ret);
}

/* The upper half of a descriptor to struct kvm_segment. */
static bool put_segment(const struct words *w, const char *name, uint8_t *to)
{
	uint64_t base, limit, selector, f;

	if (!get_part(w, name, "base", &base) || !get_part(w, name, "limit", &limit) ||
	    !get_part(w, name, "selector", &selector) || !get_part(w, name, "flags", &f))
		return false;
	const uint8_t attr[] = {f >> 8 & 0xf, f >> 15 & 1, f >> 13 & 3, f >> 22 & 1,   f >> 12 & 1,
				f >> 21 & 1,  f >> 23 & 1, f >> 20 & 1, !(f >> 15 & 1)};
	put(to, 0, 8, base);
	put(to, 8, 4, limit);
	put(to, 12, 2, selector);
	memcpy(to + 14, attr, sizeof(attr));
	return true;
}

static bool put_sregs(const struct words *w, uint8_t *to)
{
	uint64_t tpr;

	for (size_t i = 0; i < COUNT(segments); i++)
		if (!put_segment(w, segments[i], to + i * SEGMENT))
			return false;
	if (!put_fields(w, to, sregs_fields, COUNT(sregs_fields)) || !get(w, "apic.tpr", &tpr))
		return false;
	put(to, CR8, 8, tpr >> 4);
	if (put_fields(w, to, pdptr_fields, COUNT(pdptr_fields)))
		put(to, SREGS2_FLAGS, 8, PDPTRS_VALID);
	return true;
}

/* What the fields of struct kvm_vcpu_events are made of. */
struct events {
	uint64_t hflags, hflags2, request, exception, interrupt, soft, nmi_injected, nmi_pending;
	uint64_t sipi;
};

static bool get_events(const struct words *w, struct events *e)
{
	return get(w, "cpu.env.hflags", &e->hflags) && get(w, "cpu.env.hflags2", &e->hflags2) &&
	       get(w, "cpu_common.interrupt_request", &e->request) &&
	       get(w, "cpu.env.exception_nr", &e->exception) &&
	       get(w, "cpu.env.interrupt_injected", &e->interrupt) &&
	       get(w, "cpu.env.soft_interrupt", &e->soft) &&
	       get(w, "cpu.env.nmi_injected", &e->nmi_injected) &&
	       get(w, "cpu.env.nmi_pending", &e->nmi_pending) &&
	       get(w, "cpu.env.sipi_vector", &e->sipi);
}

/*
 * An exception is told to be pending only where that makes a difference, and its error code not at
 * all: has_error_code stays clear, so that nobody takes a 0 for it.
 */
static void put_exception(const struct words *w, uint64_t nr, uint8_t *to)
{
	uint64_t injected = (uint32_t)nr != UINT32_MAX, pending, payload;

	if (get(w, "cpu.env.exception_pending", &pending) &&
	    get(w, "cpu.env.exception_payload", &payload)) {
		(void)get(w, "cpu.env.exception_injected", &injected);
		put(to, 3, 1, pending);
		put(to, 20, 1, to[20] | 0x10);
		uint64_t has = 0;
		(void)get(w, "cpu.env.exception_has_payload", &has);
		put(to, 55, 1, has);
		put(to, 56, 8, payload);
	}
	put(to, 0, 1, injected);
	put(to, 1, 1, injected || to[3] ? nr : 0);
}

static bool put_events(const struct words *w, uint8_t *to)
{
	enum { NMI_PENDING = 1, SHADOW = 4, SMM = 8, BOTH_SHADOWS = 3 };
	struct events e;

	if (!get_events(w, &e))
		return false;
	bool injected = (uint32_t)e.interrupt != UINT32_MAX, smm = e.hflags & HF_SMM;
	put(to, 8, 1, injected);
	put(to, 9, 1, injected ? e.interrupt : 0);
	put(to, 10, 1, e.soft);
	/* after MOV SS or STI: it does not say which, as KVM for SVM */
	put(to, 11, 1, e.hflags & HF_INHIBIT_IRQ ? BOTH_SHADOWS : 0);
	put(to, 12, 1, e.nmi_injected);
	put(to, 13, 1, e.nmi_pending || (e.request & INTERRUPT_NMI));
	put(to, 14, 1, !!(e.hflags2 & HF2_NMI));
	put(to, 16, 4, e.sipi);
	put(to, 20, 4, NMI_PENDING | SHADOW | SMM);
	put(to, 24, 1, smm);
	put(to, 25, 1, !!(e.request & INTERRUPT_SMI));
	put(to, 26, 1, !!(e.hflags2 & HF2_SMM_INSIDE_NMI));
	put(to, 27, 1, smm && (e.request & INTERRUPT_INIT));
	put_exception(w, e.exception, to);
	return true;
}

/* Only KVM's CPUs have it as such; QEMU's own are halted, or wait for a SIPI, or run. */
static bool put_mp_state(const struct words *w, uint8_t *to)
{
	enum { RUNNABLE = 0, UNINITIALIZED = 1, HALTED = 3 };
	uint64_t state, halted, waits = 0;

	if (!get(w, "cpu.env.mp_state", &state) || !get(w, "cpu_common.halted", &halted))
		return false;
	(void)get(w, "apic.wait_for_sipi", &waits);
	if (!state && halted)
		state = waits ? UNINITIALIZED : HALTED;
	put(to, 0, 4, state);
	return true;
}

/* 8 words of 32 vectors, a register each 16 bytes.  Returns the highest vector that is set. */
static bool put_vectors(const struct words *w, const char *format, uint8_t *to,
			uint8_t *ret_highest)
{
	uint64_t v;
	char name[32];

	for (unsigned i = 0; i < 8; i++) {
		(void)snprintf(name, sizeof(name), "apic.%s[%u]", format, i);
		if (!get(w, name, &v))
			return false;
		put(to, 16 * i, 4, v);
		if ((uint32_t)v)
			*ret_highest =
				(uint8_t)(32 * i + 31 - (unsigned)__builtin_clz((uint32_t)v));
	}
	return true;
}

/*
 * What is left of the timer, by the machine's clock, which stood still (QEMU's hw/intc/apic.c,
 * apic_get_current_count).  With KVM's APIC, QEMU sets the load time to the moment of saving.
 * initial is the register of 32 bits: a stream can say any width.
 */
static uint64_t timer_count(const struct words *w, uint32_t initial, uint64_t lvt)
{
	enum { PERIODIC = 1 << 17 };
	uint64_t now, loaded, shift;

	if (!w->vm || !named_u64(w->vm->p, w->vm->n, "timer.cpu_clock_offset", &now) ||
	    !get(w, "apic.initial_count_load_time", &loaded) ||
	    !get(w, "apic.count_shift", &shift) || now < loaded)
		return initial;
	uint64_t passed = (now - loaded) >> (shift & 7);
	if (lvt & PERIODIC)
		return initial - passed % ((uint64_t)initial + 1);
	return passed < initial ? initial - passed : 0;
}

/*
 * In x2APIC mode an id has 32 bits, of which the section carries 8; its instance is the id the CPU
 * was made with, but in machines older than QEMU 2.7 (QEMU hw/intc/apic_common.c,
 * apic_common_realize).
 */
static void put_x2apic_id(const struct words *w, uint8_t *to)
{
	enum { X2APIC = 10 };
	uint64_t base, id, instance;

	if (get(w, "apic.apicbase", &base) && base >> X2APIC & 1 && get(w, "apic.id", &id))
		put(to, 0x20, 4,
		    get(w, "apic.instance", &instance) && (instance & 0xff) == id ? instance : id);
}

static bool put_lapic(const struct words *w, uint8_t *to)
{
	enum { VERSION = 0x50014 }; /* QEMU's and KVM's: 6 entries in the local vector table */
	uint64_t mode, tpr, lvt, initial;
	uint8_t in_service = 0, other = 0;

	if (!put_fields(w, to, lapic_fields, COUNT(lapic_fields)) ||
	    !put_vectors(w, "isr", to + 0x100, &in_service) ||
	    !put_vectors(w, "tmr", to + 0x180, &other) ||
	    !put_vectors(w, "irr", to + 0x200, &other) || !get(w, "apic.dest_mode", &mode) ||
	    !get(w, "apic.tpr", &tpr) || !get(w, "apic.lvt[0]", &lvt) ||
	    !get(w, "apic.initial_count", &initial))
		return false;
	put_x2apic_id(w, to);
	put(to, 0x30, 4, VERSION);
	put(to, 0xa0, 4, tpr >> 4 >= in_service >> 4 ? tpr : in_service & 0xf0);
	put(to, 0xe0, 4, mode << 28 | 0x0fffffff);
	put(to, 0x390, 4, timer_count(w, (uint32_t)initial, lvt));
	return true;
}

/* Adds struct kvm_msr_entry when the stream has its value. */
static void put_msr(const struct words *w, const char *name, uint32_t index, uint8_t *to, size_t *n)
{
	uint64_t v;

	if (*n >= MACHINE_QEMU_MSRS || !get(w, name, &v))
		return;
	put(to, *n * 16, 4, index);
	put(to, *n * 16 + 8, 8, v);
	++*n;
}

/* Returns how many. */
static size_t put_msrs(const struct words *w, uint8_t *to)
{
	uint64_t cap = 0;
	char name[48];
	size_t n = 0;

	for (size_t i = 0; i < COUNT(msr_names); i++)
		put_msr(w, msr_names[i].name, msr_names[i].index, to, &n);
	for (size_t i = 0; i < COUNT(msr_arrays); i++)
		for (uint32_t k = 0; k < msr_arrays[i].nr; k++) {
			(void)snprintf(name, sizeof(name), "%s%u%s", msr_arrays[i].before,
				       msr_arrays[i].from + k, msr_arrays[i].behind);
			put_msr(w, name, msr_arrays[i].index + k * msr_arrays[i].step, to, &n);
		}
	(void)get(w, "cpu.env.mcg_cap", &cap);
	for (uint32_t k = 0; k < 4 * (cap & 0xff) && k < 4 * MCE_MOST; k++) {
		(void)snprintf(name, sizeof(name), "cpu.env.mce_banks[%u]", k);
		put_msr(w, name, MCE_BANK + k, to, &n);
	}
	return n;
}

/* Behind the header of struct kvm_nested_state. */
static void put_vmcs(const struct words *w, const char *name, uint8_t *to)
{
	enum { VMCS = 4096 };
	size_t n = 0;
	const uint8_t *p = named_find(w->cpu->p, w->cpu->n, name, &n);

	if (p && n == VMCS)
		memcpy(to, p, n);
}

/* Returns its bytes; 0: the stream has none. */
static size_t put_nested_vmx(const struct words *w, uint8_t *to)
{
	static const struct field fields[] = {
		{0, 2, "cpu.env.nested_state.flags"},
		{2, 2, "cpu.env.nested_state.format"},
		{4, 4, "cpu.env.nested_state.size"},
		{8, 8, "cpu.env.nested_state.hdr.vmx.vmxon_pa"},
		{16, 8, "cpu.env.nested_state.hdr.vmx.vmcs12_pa"},
		{24, 2, "cpu.env.nested_state.hdr.vmx.smm.flags"},
	};

	if (!put_fields(w, to, fields, COUNT(fields)))
		return 0;
	put_vmcs(w, "cpu.env.nested_state.data.vmx[0].vmcs12", to + 128);
	put_vmcs(w, "cpu.env.nested_state.data.vmx[0].shadow_vmcs12", to + 128 + 4096);
	return MACHINE_QEMU_NESTED;
}

/*
 * QEMU's own SVM: whether a guest of the guest runs, and where its VMCB lies, which is in memory.
 * KVM's nested SVM is not in a stream of QEMU 7.2: an EFER.SVME without a VMCB says nothing.
 */
static size_t put_nested_svm(const struct words *w, uint8_t *to)
{
	enum { HEADER = 128, FORMAT_SVM = 1, GUEST_MODE = 1, GIF_SET = 0x100 };
	uint64_t hflags, hflags2, vmcb;

	if (!get(w, "cpu.env.hflags", &hflags) || !get(w, "cpu.env.hflags2", &hflags2) ||
	    !get(w, "cpu.env.vm_vmcb", &vmcb) || !vmcb)
		return 0;
	put(to, 0, 2, (hflags & HF_GUEST ? GUEST_MODE : 0) | (hflags2 & HF2_GIF ? GIF_SET : 0));
	put(to, 2, 2, FORMAT_SVM);
	put(to, 4, 4, HEADER);
	put(to, 8, 8, vmcb);
	return HEADER;
}

static void add_blob(const struct words *w, struct machine_qemu_state *s, uint32_t kind,
		     const uint8_t *p, size_t n)
{
	if (n)
		s->blob[s->nr++] =
			(struct inq_blob){.vcpu = w->cpu->vcpu, .kind = kind, .p = p, .n = n};
}

void machine_qemu_state(const struct inq_blob *cpu, const struct inq_blob *vm,
			struct machine_qemu_state *ret)
{
	struct words w = {cpu, vm};

	memset(ret, 0, sizeof(*ret));
	if (put_fields(&w, ret->regs, regs_fields, COUNT(regs_fields)))
		add_blob(&w, ret, INQ_SNAP_REGS, ret->regs, sizeof(ret->regs));
	if (put_sregs(&w, ret->sregs2))
		add_blob(&w, ret, INQ_SNAP_SREGS2, ret->sregs2, sizeof(ret->sregs2));
	if (put_fields(&w, ret->debugregs, debug_fields, COUNT(debug_fields)))
		add_blob(&w, ret, INQ_SNAP_DEBUGREGS, ret->debugregs, sizeof(ret->debugregs));
	if (put_lapic(&w, ret->lapic))
		add_blob(&w, ret, INQ_SNAP_LAPIC, ret->lapic, sizeof(ret->lapic));
	if (put_events(&w, ret->events))
		add_blob(&w, ret, INQ_SNAP_EVENTS, ret->events, sizeof(ret->events));
	if (put_mp_state(&w, ret->mp_state))
		add_blob(&w, ret, INQ_SNAP_MP_STATE, ret->mp_state, sizeof(ret->mp_state));
	add_blob(&w, ret, INQ_SNAP_MSRS, ret->msrs, put_msrs(&w, ret->msrs) * 16);
	size_t nested = put_nested_vmx(&w, ret->nested);
	if (!nested) {
		memset(ret->nested, 0, sizeof(ret->nested));
		nested = put_nested_svm(&w, ret->nested);
	}
	add_blob(&w, ret, INQ_SNAP_NESTED, ret->nested, nested);
}

int machine_qemu_msr(const struct machine_qemu_state *s, uint32_t index, uint64_t *ret)
{
	for (unsigned i = 0; i < s->nr; i++)
		for (size_t at = 0; s->blob[i].kind == INQ_SNAP_MSRS && at < s->blob[i].n;
		     at += 16) {
			uint64_t found;
			if (span_at(s->msrs, sizeof(s->msrs), at, 4, &found) && found == index)
				return span_at(s->msrs, sizeof(s->msrs), at + 8, 8, ret);
		}
	return 0;
}
