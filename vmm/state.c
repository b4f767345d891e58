/*
 * Knows which ioctls yield a vCPU's state, and in which order: MP_STATE first, because it lets
 * pending INIT and SIPI take effect; EVENTS next, because it folds queued NMI and SMI into what is
 * shown (Linux arch/x86/kvm/x86.c: kvm_arch_vcpu_ioctl_get_mpstate, process_nmi).
 */
#include "vmm/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "snap/kvm_notes.h"
#include "vmm/msrs.h"
#include "vmm/stats.h"

enum { MAX_CPUID = 256, RUN_BYTES = 288, XSAVE_BYTES = 4096, MAX_BYTES = 1 << 20 };
#define MSR_KERNEL_GS_BASE 0xc0000102u

static void take(struct vmm_state *s, enum inq_snap_kind kind, bool have, int fd,
		 unsigned long request, void *to)
{
	if (!have)
		s->state[kind] = INQ_SNAP_ABSENT;
	else if (ioctl(fd, request, to) < 0) {
		s->state[kind] = INQ_SNAP_FAILED;
		s->error[kind] = (uint16_t)errno;
	} else {
		s->state[kind] = INQ_SNAP_PRESENT;
	}
}

static enum inq_status take_msrs(struct vmm_state *s, const struct vmm_vcpu *v, struct inq_err *err)
{
	int e = 0;
	enum inq_status st = vmm_msrs_take(v, &s->msrs, &s->nr_msrs, &e, err);

	s->state[INQ_SNAP_MSRS] = e ? INQ_SNAP_FAILED : INQ_SNAP_PRESENT;
	s->error[INQ_SNAP_MSRS] = (uint16_t)e;
	return st;
}

static enum inq_status take_cpuid(struct vmm_state *s, int fd, struct inq_err *err)
{
	struct kvm_cpuid2 *c = calloc(1, sizeof(*c) + MAX_CPUID * sizeof(c->entries[0]));

	s->cpuid = calloc(MAX_CPUID, sizeof(*s->cpuid));
	if (!c || !s->cpuid) {
		free(c);
		return inq_fail(err, INQ_ENOMEM, "CPUID table");
	}
	c->nent = MAX_CPUID;
	take(s, INQ_SNAP_CPUID2, true, fd, KVM_GET_CPUID2, c);
	if (s->state[INQ_SNAP_CPUID2] == INQ_SNAP_PRESENT) {
		s->nr_cpuid = c->nent;
		memcpy(s->cpuid, c->entries, c->nent * sizeof(c->entries[0]));
	}
	free(c);
	return INQ_OK;
}

/* XSAVE2 tells its size on the VM only: what the guest was allowed counts. */
static enum inq_status take_xsave(struct vmm_state *s, const struct vmm_vcpu *v,
				  struct inq_err *err)
{
	int n = ioctl(v->vm->fd, KVM_CHECK_EXTENSION, KVM_CAP_XSAVE2);
	bool two = n >= XSAVE_BYTES && n <= MAX_BYTES;

	s->xsave_bytes = two ? (size_t)n : XSAVE_BYTES;
	s->xsave = calloc(1, s->xsave_bytes);
	if (!s->xsave)
		return inq_fail(err, INQ_ENOMEM, "FPU state");
	take(s, INQ_SNAP_XSAVE, true, v->fd, two ? KVM_GET_XSAVE2 : KVM_GET_XSAVE, s->xsave);
	return INQ_OK;
}

/* The buffer is always as long as KVM can need: kvm-amd 6.1 writes that much even when told less.
 */
static enum inq_status take_nested(struct vmm_state *s, const struct vmm_vcpu *v,
				   struct inq_err *err)
{
	size_t n = (size_t)v->vm->caps.value[VMM_CAP_NESTED];
	bool have = n >= sizeof(struct kvm_nested_state) && n <= MAX_BYTES;
	struct kvm_nested_state h = {.size = (uint32_t)n};

	s->nested_bytes = have ? n : sizeof(h);
	s->nested = calloc(1, s->nested_bytes);
	if (!s->nested)
		return inq_fail(err, INQ_ENOMEM, "nested state");
	memcpy(s->nested, &h, sizeof(h));
	take(s, INQ_SNAP_NESTED, have, v->fd, KVM_GET_NESTED_STATE, s->nested);
	return INQ_OK;
}

static void take_tsc(struct vmm_state *s, const struct vmm_vcpu *v)
{
	uint64_t offset = 0;
	int khz = v->vm->caps.value[VMM_CAP_TSC_KHZ] ? ioctl(v->fd, KVM_GET_TSC_KHZ, 0) : 0;

	s->tsc.khz = khz > 0 ? (uint32_t)khz : 0;
	s->tsc.offset_known = vmm_vcpu_tsc_offset(v, KVM_GET_DEVICE_ATTR, &offset);
	s->tsc.offset = s->tsc.offset_known ? offset : 0;
	s->state[INQ_SNAP_TSC] =
		s->tsc.khz || s->tsc.offset_known ? INQ_SNAP_PRESENT : INQ_SNAP_ABSENT;
}

static void take_stats(struct vmm_state *s, const struct vmm_vcpu *v)
{
	int e = 0;

	s->state[INQ_SNAP_STATS] = INQ_SNAP_ABSENT;
	if (!v->vm->caps.value[VMM_CAP_STATS_FD])
		return;
	s->stats = vmm_stats_text(v->fd, &s->stats_bytes, &e);
	s->state[INQ_SNAP_STATS] = s->stats ? INQ_SNAP_PRESENT : INQ_SNAP_FAILED;
	s->error[INQ_SNAP_STATS] = (uint16_t)e;
}

/* What is larger than a structure. */
static enum inq_status take_rest(struct vmm_state *s, const struct vmm_vcpu *v, struct inq_err *err)
{
	enum inq_status st = take_msrs(s, v, err);

	if (!st)
		st = take_cpuid(s, v->fd, err);
	if (!st)
		st = take_xsave(s, v, err);
	if (!st)
		st = take_nested(s, v, err);
	if (st)
		return st;
	take_tsc(s, v);
	take_stats(s, v);
	return INQ_OK;
}

enum inq_status vmm_state_take(struct vmm_state *ret, const struct vmm_vcpu *v, struct inq_err *err)
{
	const int *cap = v->vm->caps.value;
	struct vmm_state *s = ret;
	int fd = v->fd;

	*s = (struct vmm_state){0};
	take(s, INQ_SNAP_MP_STATE, true, fd, KVM_GET_MP_STATE, &s->mp);
	take(s, INQ_SNAP_EVENTS, cap[VMM_CAP_VCPU_EVENTS], fd, KVM_GET_VCPU_EVENTS, &s->events);
	take(s, INQ_SNAP_REGS, true, fd, KVM_GET_REGS, &s->regs);
	take(s, INQ_SNAP_SREGS2, cap[VMM_CAP_SREGS2], fd, KVM_GET_SREGS2, &s->sregs2);
	take(s, INQ_SNAP_SREGS, true, fd, KVM_GET_SREGS, &s->sregs);
	take(s, INQ_SNAP_DEBUGREGS, cap[VMM_CAP_DEBUGREGS], fd, KVM_GET_DEBUGREGS, &s->debugregs);
	take(s, INQ_SNAP_LAPIC, true, fd, KVM_GET_LAPIC, &s->lapic);
	take(s, INQ_SNAP_XCRS, cap[VMM_CAP_XCRS], fd, KVM_GET_XCRS, &s->xcrs);
	enum inq_status st = take_rest(s, v, err);
	if (st)
		vmm_state_deinit(s);
	return st;
}

void vmm_state_deinit(struct vmm_state *s)
{
	free(s->msrs);
	free(s->cpuid);
	free(s->xsave);
	free(s->nested);
	free(s->stats);
	*s = (struct vmm_state){0};
}

bool vmm_state_rip(const struct vmm_state *s, uint64_t *ret)
{
	if (s->state[INQ_SNAP_REGS] || s->state[INQ_SNAP_SREGS])
		return false;
	*ret = s->sregs.cs.base + s->regs.rip;
	return true;
}

static bool msr_of(const struct vmm_state *s, uint32_t index, uint64_t *ret)
{
	for (size_t i = 0; i < s->nr_msrs; i++)
		if (s->msrs[i].index == index && !s->msrs[i].reserved) {
			*ret = s->msrs[i].data;
			return true;
		}
	return false;
}

/* Zeros that nobody read would look like registers. */
static bool has_registers(const struct vmm_state *s)
{
	return s->state[INQ_SNAP_REGS] == INQ_SNAP_PRESENT &&
	       s->state[INQ_SNAP_SREGS] == INQ_SNAP_PRESENT;
}

void vmm_state_add_prstatus(const struct vmm_state *s, unsigned index, struct snap_notes *n)
{
	if (has_registers(s))
		snap_kvm_prstatus(n, index, &s->regs, &s->sregs);
}

void vmm_state_add_qemu(const struct vmm_state *s, struct snap_notes *n)
{
	uint64_t base;
	bool known = msr_of(s, MSR_KERNEL_GS_BASE, &base);

	if (has_registers(s))
		snap_kvm_qemu(n, &s->regs, &s->sregs, known ? &base : NULL);
}

void vmm_state_add_notes(const struct vmm_state *s, const struct vmm_vcpu *v, struct snap_notes *n)
{
	const struct {
		enum inq_snap_kind kind;
		const void *data;
		size_t size;
	} part[] = {
		{INQ_SNAP_MP_STATE, &s->mp, sizeof(s->mp)},
		{INQ_SNAP_EVENTS, &s->events, sizeof(s->events)},
		{INQ_SNAP_REGS, &s->regs, sizeof(s->regs)},
		{INQ_SNAP_SREGS2, &s->sregs2, sizeof(s->sregs2)},
		{INQ_SNAP_SREGS, &s->sregs, sizeof(s->sregs)},
		{INQ_SNAP_DEBUGREGS, &s->debugregs, sizeof(s->debugregs)},
		{INQ_SNAP_LAPIC, &s->lapic, sizeof(s->lapic)},
		{INQ_SNAP_MSRS, s->msrs, s->nr_msrs * sizeof(*s->msrs)},
		{INQ_SNAP_CPUID2, s->cpuid, s->nr_cpuid * sizeof(*s->cpuid)},
		{INQ_SNAP_RUN, v->run_seen, RUN_BYTES},
		{INQ_SNAP_XSAVE, s->xsave, s->xsave_bytes},
		{INQ_SNAP_XCRS, &s->xcrs, sizeof(s->xcrs)},
		{INQ_SNAP_NESTED, s->nested, s->nested_bytes},
		{INQ_SNAP_TSC, &s->tsc, sizeof(s->tsc)},
		{INQ_SNAP_STATS, s->stats, s->stats_bytes},
	};

	/* KVM does not tell what it was told */
	if (v->debug.control)
		snap_notes_add(n, v->index, INQ_SNAP_GUEST_DEBUG, &v->debug, sizeof(v->debug));
	for (size_t i = 0; i < sizeof(part) / sizeof(*part); i++) {
		enum inq_snap_kind k = part[i].kind;

		if (k == INQ_SNAP_SREGS && s->state[INQ_SNAP_SREGS2] == INQ_SNAP_PRESENT)
			continue;
		if (s->state[k] == INQ_SNAP_PRESENT)
			snap_notes_add(n, v->index, k, part[i].data, part[i].size);
		else
			snap_notes_missing(n, v->index, k, (enum inq_snap_state)s->state[k],
					   s->error[k]);
	}
}
