/*
 * Knows what a snapshot needs of a KVM: capabilities by what its notes hold, CPUID bit by bit, and
 * which notes nothing can do without.  Also the MSRs that nobody can set: KVM computes them.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vmm/cpuid.h"
#include "vmm/restore.h"

enum { NESTED_HEADER = 128, GIF_SET = 0x100, MAX_CPUID = 256 };

bool vmm_restore_derived(uint32_t msr)
{
	static const struct {
		uint32_t first, last;
	} derived[] = {
		{0x481, 0x484},           /* VMX controls: follow from the TRUE ones */
		{0x487, 0x487},           /* CR0 fixed 1 */
		{0x489, 0x489},           /* CR4 fixed 1 */
		{0x40000020, 0x40000020}, /* Hyper-V's reference counter: follows the clock */
	};

	for (size_t i = 0; i < sizeof(derived) / sizeof(*derived); i++)
		if (msr >= derived[i].first && msr <= derived[i].last)
			return true;
	return false;
}

static enum inq_status lacks(const struct vmm_load *l, const char *what, struct inq_err *err)
{
	return inq_fail(err, INQ_EUNSUPPORTED,
			"%s: it needs %s, which this KVM lacks; --force goes on without", l->path,
			what);
}

static const struct vmm_load_note *have(const struct vmm_load *l, uint32_t vcpu,
					enum inq_snap_kind kind, size_t least)
{
	const struct vmm_load_note *t = vmm_load_note(l, vcpu, kind);

	return t && t->p && t->n >= least ? t : NULL;
}

/* Every part of the state was taken, or KVM had no such thing. */
static enum inq_status check_taken(const struct vmm_load *l, uint32_t vcpu, struct inq_err *err)
{
	static const enum inq_snap_kind kinds[] = {
		INQ_SNAP_DEBUGREGS, INQ_SNAP_EVENTS, INQ_SNAP_XSAVE,
		INQ_SNAP_XCRS,      INQ_SNAP_NESTED, INQ_SNAP_TSC,
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		const struct vmm_load_note *t = vmm_load_note(l, vcpu, kinds[i]);

		if (!t || t->state == INQ_SNAP_FAILED)
			return inq_fail(err, INQ_EUNSUPPORTED,
					"%s: vCPU %u: it holds no %s; --force goes on without",
					l->path, vcpu, vmm_load_kind_name(kinds[i]));
	}
	return INQ_OK;
}

static bool nested_in_use(const struct vmm_load_note *t)
{
	uint16_t flags;
	uint32_t size;

	if (!t)
		return false;
	memcpy(&flags, t->p, 2);
	memcpy(&size, t->p + 4, 4);
	return (flags && flags != GIF_SET) || size > NESTED_HEADER;
}

static enum inq_status check_caps(const struct vmm_load *l, uint32_t vcpu, const struct vmm_caps *c,
				  struct inq_err *err)
{
	const struct vmm_load_note *x = have(l, vcpu, INQ_SNAP_XSAVE, 1),
				   *ev = have(l, vcpu, INQ_SNAP_EVENTS, 64),
				   *xcrs = have(l, vcpu, INQ_SNAP_XCRS, 4);
	int xsave = c->value[VMM_CAP_XSAVE2] > 4096 ? c->value[VMM_CAP_XSAVE2] : 4096;
	uint32_t flags = 0, nr_xcrs = 0;

	if (ev)
		memcpy(&flags, ev->p + 20, 4);
	if (xcrs)
		memcpy(&nr_xcrs, xcrs->p, 4);
	if ((flags & KVM_VCPUEVENT_VALID_PAYLOAD) && !c->value[VMM_CAP_EXCEPTION_PAYLOAD])
		return lacks(l, "exception_payload", err);
	if ((flags & KVM_VCPUEVENT_VALID_TRIPLE_FAULT) && !c->value[VMM_CAP_TRIPLE_FAULT])
		return lacks(l, "x86_triple_fault_event", err);
	if (have(l, vcpu, INQ_SNAP_SREGS2, 1) && !c->value[VMM_CAP_SREGS2])
		return lacks(l, "sregs2", err);
	if (x && x->n > (size_t)xsave)
		return lacks(l, "xsave2 of that size", err);
	if (nr_xcrs && !c->value[VMM_CAP_XCRS])
		return lacks(l, "xcrs", err);
	if (nested_in_use(have(l, vcpu, INQ_SNAP_NESTED, 8)) && !c->value[VMM_CAP_NESTED])
		return lacks(l, "nested_state", err);
	return INQ_OK;
}

/*
 * Bits that KVM turns on and off by itself, as the guest sets CR4 and its like; and HTT, which says
 * how many cores there are, not what they can (vmm/cpuid.c).
 */
static uint32_t own_bits(const struct kvm_cpuid_entry2 *e, unsigned reg)
{
	if (e->function == 1 && reg == 2)
		return 1u << 27 | 1u << 3; /* OSXSAVE, MONITOR */
	if (e->function == 1 && reg == 3)
		return 1u << 9 | 1u << 28;                 /* APIC, HTT */
	return e->function == 7 && reg == 2 ? 1u << 4 : 0; /* OSPKE */
}

/* Is word `reg` (eax ebx ecx edx) of that leaf made of feature bits? */
static bool is_features(const struct kvm_cpuid_entry2 *e, unsigned reg)
{
	switch (e->function) {
	case 1:
		return reg >= 2;
	case 7:
		return e->index == 0 ? reg >= 1 : e->index == 1;
	case 0xd:
		return e->index == 0 ? reg == 0 || reg == 3 : e->index == 1 && reg == 0;
	case 0x80000001:
		return reg >= 2;
	case 0x8000000a:
		return reg == 3;
	default:
		return false;
	}
}

static void words(const struct kvm_cpuid_entry2 *e, uint32_t to[4])
{
	to[0] = e->eax;
	to[1] = e->ebx;
	to[2] = e->ecx;
	to[3] = e->edx;
}

/* What a guest here can have: what KVM says, and what a vCPU shows once it was told just that. */
struct offer {
	struct kvm_cpuid2 *said, *shown; /* heap; shown NULL: not known */
};

/* The table that a vCPU shows: some KVMs let bits of the processor through. */
static struct kvm_cpuid2 *probe(int kvm, struct kvm_cpuid2 *said)
{
	struct kvm_cpuid2 *c = calloc(1, sizeof(*c) + MAX_CPUID * sizeof(c->entries[0]));
	int vm = ioctl(kvm, KVM_CREATE_VM, 0);
	int vcpu = vm >= 0 ? ioctl(vm, KVM_CREATE_VCPU, 0) : -1;
	bool ok = false;

	if (c && vcpu >= 0) {
		c->nent = MAX_CPUID;
		ok = !ioctl(vcpu, KVM_SET_CPUID2, said) && !ioctl(vcpu, KVM_GET_CPUID2, c);
	}
	if (vcpu >= 0)
		close(vcpu);
	if (vm >= 0)
		close(vm);
	if (ok)
		return c;
	free(c);
	return NULL;
}

static void add_leaf(const struct kvm_cpuid2 *can, const struct kvm_cpuid_entry2 *e,
		     uint32_t got[4])
{
	for (uint32_t i = 0; can && i < can->nent; i++) {
		uint32_t w[4];

		if (can->entries[i].function != e->function || can->entries[i].index != e->index)
			continue;
		words(&can->entries[i], w);
		for (unsigned r = 0; r < 4; r++)
			got[r] |= w[r];
	}
}

static enum inq_status check_leaf(const struct vmm_load *l, const struct kvm_cpuid_entry2 *e,
				  const struct offer *can, struct inq_err *err)
{
	uint32_t want[4], got[4] = {0};
	char what[96];

	words(e, want);
	add_leaf(can->said, e, got);
	add_leaf(can->shown, e, got);
	for (unsigned r = 0; r < 4; r++) {
		uint32_t miss = is_features(e, r) ? want[r] & ~got[r] & ~own_bits(e, r) : 0;

		if (!miss)
			continue;
		snprintf(what, sizeof(what), "CPUID 0x%x.%u %.3s bits 0x%x", e->function, e->index,
			 &"eaxebxecxedx"[(size_t)3 * r], miss);
		return lacks(l, what, err);
	}
	return INQ_OK;
}

static enum inq_status check_cpuid(const struct vmm_load *l, uint32_t vcpu, const struct offer *can,
				   struct inq_err *err)
{
	const struct vmm_load_note *t = vmm_load_note(l, vcpu, INQ_SNAP_CPUID2);
	struct kvm_cpuid_entry2 e;
	enum inq_status st = INQ_OK;

	for (size_t i = 0; t && i < t->n / sizeof(e) && i < MAX_CPUID && !st; i++) {
		memcpy(&e, t->p + i * sizeof(e), sizeof(e));
		st = check_leaf(l, &e, can, err);
	}
	return st;
}

enum inq_status vmm_restore_check(const struct vmm_load *l, const struct vmm_caps *caps, int kvm,
				  struct inq_err *err)
{
	struct offer can = {NULL, NULL};
	enum inq_status st = vmm_cpuid_supported(kvm, &can.said, err);

	if (!st)
		can.shown = probe(kvm, can.said);
	if (!st && have(l, INQ_SNAP_VM, INQ_SNAP_SMRAM, 1) && !vmm_caps_smm(caps))
		st = lacks(l, "x86_smm and multi_address_space", err);
	if (!st && have(l, INQ_SNAP_VM, INQ_SNAP_PIT2, 1) &&
	    (!caps->value[VMM_CAP_PIT2] || !caps->value[VMM_CAP_PIT_STATE2]))
		st = lacks(l, "pit2", err);
	for (uint32_t i = 0; i < l->header.nr_vcpus && !st; i++) {
		st = check_taken(l, i, err);
		if (!st)
			st = check_caps(l, i, caps, err);
		if (!st)
			st = check_cpuid(l, i, &can, err);
	}
	free(can.said);
	free(can.shown);
	return st;
}
