/*
 * What KVM would return for one vCPU, every byte random, and what each register must then be.
 * The structures are the kernel's own: the decoder's tables of offsets are checked against them.
 */
#ifndef TESTS_MACHINE_RAW_H
#define TESTS_MACHINE_RAW_H

#include <inquest/snapshot.h>
#include <linux/kvm.h>
#include <stddef.h>
#include <string.h>

#include "arch/x86_64/regs.h"

enum { RAW_RUN_BYTES = 288, RAW_NR_MSRS = 5, RAW_NR_CPUID = 3, RAW_NR_PIECES = 9 };

struct raw {
	struct kvm_regs regs;
	struct kvm_sregs2 sregs2;
	struct kvm_debugregs debug;
	struct kvm_vcpu_events events;
	struct kvm_mp_state mp;
	struct kvm_lapic_state lapic;
	struct kvm_msr_entry msrs[RAW_NR_MSRS];
	struct kvm_cpuid_entry2 cpuid[RAW_NR_CPUID];
	struct kvm_run run;
};

/* The notes of a vCPU, the bytes that each needs, and which registers it alone decides. */
struct raw_piece {
	enum inq_snap_kind kind;
	const char *name;
	size_t off, bytes;
	int first, last; /* of enum x86_64_reg; first > last: none */
};
static const struct raw_piece raw_piece[RAW_NR_PIECES] = {
	{INQ_SNAP_REGS, "regs", offsetof(struct raw, regs), sizeof(struct kvm_regs), X86_64_RAX,
	 X86_64_RFLAGS},
	{INQ_SNAP_SREGS2, "sregs2", offsetof(struct raw, sregs2), sizeof(struct kvm_sregs2),
	 X86_64_CR0, X86_64_PDPTR3},
	{INQ_SNAP_DEBUGREGS, "debugregs", offsetof(struct raw, debug), sizeof(struct kvm_debugregs),
	 X86_64_DR0, X86_64_DR7},
	{INQ_SNAP_EVENTS, "events", offsetof(struct raw, events), sizeof(struct kvm_vcpu_events),
	 X86_64_EXC_INJECTED, X86_64_TRIPLE_FAULT},
	{INQ_SNAP_MP_STATE, "mp_state", offsetof(struct raw, mp), sizeof(struct kvm_mp_state),
	 X86_64_MP_STATE, X86_64_MP_STATE},
	{INQ_SNAP_RUN, "run", offsetof(struct raw, run), RAW_RUN_BYTES, X86_64_EXIT_REASON,
	 X86_64_RUN_IF},
	{INQ_SNAP_MSRS, "msrs", offsetof(struct raw, msrs),
	 sizeof(struct kvm_msr_entry) * RAW_NR_MSRS, X86_64_SMBASE, X86_64_SMBASE},
	{INQ_SNAP_CPUID2, "cpuid", offsetof(struct raw, cpuid),
	 sizeof(struct kvm_cpuid_entry2) * RAW_NR_CPUID, 1, 0},
	{INQ_SNAP_LAPIC, "lapic", offsetof(struct raw, lapic), sizeof(struct kvm_lapic_state), 1,
	 0},
};

static inline const uint8_t *raw_bytes(const struct raw *r, const struct raw_piece *p)
{
	return (const uint8_t *)r + p->off;
}

/* Random bytes, with everything valid that can be; in long mode, not in SMM unless asked. */
static inline struct raw raw_random(uint32_t seed)
{
	struct raw r;

	for (size_t i = 0; i < sizeof(r); i++) {
		seed = seed * 1664525 + 1013904223;
		((uint8_t *)&r)[i] = (uint8_t)(seed >> 24);
	}
	struct kvm_segment *seg[] = {&r.sregs2.cs, &r.sregs2.ds, &r.sregs2.es, &r.sregs2.fs,
				     &r.sregs2.gs, &r.sregs2.ss, &r.sregs2.tr, &r.sregs2.ldt};
	for (unsigned int i = 0; i < 8; i++) { /* widths as KVM fills them; all bits occur */
		seg[i]->type &= 15, seg[i]->dpl &= 3;
		seg[i]->present = seg[i]->type >> 1 & 1, seg[i]->db = seg[i]->base >> 8 & 1;
		seg[i]->s = seg[i]->base >> 9 & 1, seg[i]->l = seg[i]->base >> 10 & 1;
		seg[i]->g = seg[i]->base >> 11 & 1, seg[i]->avl = seg[i]->base >> 12 & 1;
		seg[i]->unusable = seg[i]->base >> 13 & 1;
	}
	r.sregs2.flags = KVM_SREGS2_FLAGS_PDPTRS_VALID;
	r.sregs2.cr0 = 0x80050033, r.sregs2.cr4 = 0x20, r.sregs2.efer = 0xd00;
	r.events.flags = 0x3d;
	r.events.exception.has_error_code = 1;
	r.events.smi.smm = 0;
	r.mp.mp_state = KVM_MP_STATE_HALTED;
	static const uint32_t index[RAW_NR_MSRS] = {0xc0000080, 0x9e, 0x10, 0x34, 0x6e0};
	for (unsigned int i = 0; i < RAW_NR_MSRS; i++)
		r.msrs[i].index = index[i], r.msrs[i].reserved = 0;
	r.cpuid[0].function = 1;
	r.cpuid[1].function = 0x80000001, r.cpuid[1].edx = 1u << 26;
	r.cpuid[2].function = 0x80000008, r.cpuid[2].eax = 0x3028;
	return r;
}

static inline uint64_t raw_attr(const struct kvm_segment *s)
{
	return (uint64_t)s->type | (uint64_t)s->s << 4 | (uint64_t)s->dpl << 5 |
	       (uint64_t)s->present << 7 | (uint64_t)s->avl << 12 | (uint64_t)s->l << 13 |
	       (uint64_t)s->db << 14 | (uint64_t)s->g << 15 | (uint64_t)s->unusable << 16;
}

#define RAW_SEG(want, ID, s)                                                                       \
	((want)[X86_64_##ID##_SEL] = (s).selector, (want)[X86_64_##ID##_BASE] = (s).base,          \
	 (want)[X86_64_##ID##_LIMIT] = (s).limit, (want)[X86_64_##ID##_ATTR] = raw_attr(&(s)))

static inline void raw_want_events(const struct kvm_vcpu_events *e, uint64_t *want)
{
	want[X86_64_EXC_INJECTED] = e->exception.injected != 0;
	want[X86_64_EXC_PENDING] = e->exception.pending != 0;
	want[X86_64_EXC_NR] = e->exception.nr;
	want[X86_64_EXC_ERROR] = e->exception.error_code;
	want[X86_64_INT_INJECTED] = e->interrupt.injected != 0;
	want[X86_64_INT_NR] = e->interrupt.nr;
	want[X86_64_INT_SHADOW] = e->interrupt.shadow;
	want[X86_64_NMI_INJECTED] = e->nmi.injected != 0;
	want[X86_64_NMI_PENDING] = e->nmi.pending != 0;
	want[X86_64_NMI_MASKED] = e->nmi.masked != 0;
	want[X86_64_SMM] = e->smi.smm != 0;
	want[X86_64_SMI_PENDING] = e->smi.pending != 0;
	want[X86_64_SMM_INSIDE_NMI] = e->smi.smm_inside_nmi != 0;
	want[X86_64_SMM_LATCHED_INIT] = e->smi.latched_init != 0;
	want[X86_64_TRIPLE_FAULT] = e->triple_fault.pending != 0;
}

static inline void raw_want_sregs(const struct kvm_sregs2 *s, uint64_t *want)
{
	want[X86_64_CR0] = s->cr0, want[X86_64_CR2] = s->cr2, want[X86_64_CR3] = s->cr3;
	want[X86_64_CR4] = s->cr4, want[X86_64_CR8] = s->cr8, want[X86_64_EFER] = s->efer;
	want[X86_64_APIC_BASE] = s->apic_base;
	RAW_SEG(want, CS, s->cs), RAW_SEG(want, DS, s->ds), RAW_SEG(want, ES, s->es);
	RAW_SEG(want, FS, s->fs), RAW_SEG(want, GS, s->gs), RAW_SEG(want, SS, s->ss);
	RAW_SEG(want, TR, s->tr), RAW_SEG(want, LDTR, s->ldt);
	want[X86_64_GDTR_BASE] = s->gdt.base, want[X86_64_GDTR_LIMIT] = s->gdt.limit;
	want[X86_64_IDTR_BASE] = s->idt.base, want[X86_64_IDTR_LIMIT] = s->idt.limit;
	for (unsigned int i = 0; i < 4; i++)
		want[X86_64_PDPTR0 + i] = s->pdptrs[i];
}

/* All registers, as a machine must show them. */
static inline void raw_want(const struct raw *r, uint64_t want[X86_64_NR_REGS])
{
	const struct kvm_regs *g = &r->regs;
	const uint64_t general[] = {g->rax, g->rcx, g->rdx, g->rbx, g->rsp, g->rbp,
				    g->rsi, g->rdi, g->r8,  g->r9,  g->r10, g->r11,
				    g->r12, g->r13, g->r14, g->r15, g->rip, g->rflags};

	memcpy(want, general, sizeof(general)); /* regs.def begins with these */
	raw_want_sregs(&r->sregs2, want);
	for (unsigned int i = 0; i < 4; i++)
		want[X86_64_DR0 + i] = r->debug.db[i];
	want[X86_64_DR6] = r->debug.dr6, want[X86_64_DR7] = r->debug.dr7;
	raw_want_events(&r->events, want);
	want[X86_64_MP_STATE] = r->mp.mp_state;
	want[X86_64_EXIT_REASON] = r->run.exit_reason;
	want[X86_64_RUN_FLAGS] = r->run.flags;
	want[X86_64_RUN_READY] = r->run.ready_for_interrupt_injection;
	want[X86_64_RUN_IF] = r->run.if_flag;
	want[X86_64_SMBASE] = r->msrs[1].data;
}

#endif
