/*
 * Knows in which order a vCPU gets its state back (measured on kvm-intel and kvm-amd; why in Linux
 * arch/x86/kvm): CPUID and TSC frequency; SREGS before LAPIC (APIC base says which format) and
 * before NESTED (EFER.SVME); LAPIC before MSRs (TSC_DEADLINE); REGS before EVENTS (they clear what
 * is pending); EVENTS before NESTED (entering SMM wipes nested state) and once more behind it
 * (blocking by NMI and STI is L2's).  A refused NESTED_STATE would let L2 run on as if it were the
 * guest itself: never to be forced.  GUEST_DEBUG is last: from it KVM derives what of DRs and flags
 * the CPU gets, out of those that are there (x86.c: kvm_arch_vcpu_ioctl_set_guest_debug).
 */
#include "vmm/restore.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/scope.h"
#include "vmm/devnote.h"
#include "vmm/msrs.h"
#include "vmm/restore_tsc.h"

INQ_DEFINE_SCOPE(struct vmm_vm, vmm_vm_destroy)
INQ_DEFINE_SCOPE(struct vmm_memory, vmm_memory_destroy)

enum {
	MAX_CPUID = 256,
	MAX_STATE = 1 << 20,
};

/* One vCPU, or the VM, that gets its state. */
struct target {
	const struct vmm_load *l;
	const struct vmm_vm *vm;
	struct vmm_vcpu *v; /* NULL: the VM */
	uint32_t vcpu;
	int fd;
	bool force;
};

/* Changes of a vCPU go into its flight record. */
static int set(const struct target *t, unsigned long request, void *arg)
{
	return t->v ? vmm_flight_ioctl(&t->v->flight, t->fd, request, arg)
		    : ioctl(t->fd, request, arg);
}

static enum inq_status refused(const struct target *t, const char *what, struct inq_err *err)
{
	if (t->v)
		return inq_fail(err, INQ_EIO, "%s: vCPU %u: /dev/kvm refuses its %s: %s",
				t->l->path, t->vcpu, what, strerror(errno));
	return inq_fail(err, INQ_EIO, "%s: /dev/kvm refuses its %s: %s", t->l->path, what,
			strerror(errno));
}

static enum inq_status incomplete(const struct target *t, enum inq_snap_kind kind,
				  struct inq_err *err)
{
	return inq_fail(err, INQ_ECORRUPT, "%s: vCPU %u: no complete %s, it cannot run", t->l->path,
			t->vcpu, vmm_load_kind_name(kind));
}

/* A copy that KVM may read to its structure's end: `size` bytes or more, heap. */
static enum inq_status copy_note(const struct target *t, const struct vmm_load_note *n, size_t size,
				 uint8_t **ret, struct inq_err *err)
{
	if (n->n > MAX_STATE)
		return inq_fail(err, INQ_ELIMIT, "%s: %s of %zu bytes", t->l->path,
				vmm_load_kind_name((enum inq_snap_kind)n->kind), n->n);
	uint8_t *p = calloc(1, n->n > size ? n->n : size);
	if (!p)
		return inq_fail(err, INQ_ENOMEM, "%s", t->l->path);
	memcpy(p, n->p, n->n);
	*ret = p;
	return INQ_OK;
}

/* What a newer kernel put behind the structure that this one knows is lost, unless it is zero. */
static enum inq_status check_tail(const struct target *t, const struct vmm_load_note *n,
				  size_t size, struct inq_err *err)
{
	for (size_t i = size; i < n->n && !t->force; i++)
		if (n->p[i])
			return inq_fail(err, INQ_EUNSUPPORTED,
					"%s: its %s is longer than this KVM knows; --force goes on "
					"without",
					t->l->path,
					vmm_load_kind_name((enum inq_snap_kind)n->kind));
	return INQ_OK;
}

/* Give one structure back.  A kind that this snapshot does not hold is left as it is. */
static enum inq_status put(const struct target *t, enum inq_snap_kind kind, unsigned long request,
			   size_t size, bool must, struct inq_err *err)
{
	const struct vmm_load_note *n = vmm_load_note(t->l, t->vcpu, kind);
	uint8_t *p = NULL;

	if (!n || !n->p)
		return must ? incomplete(t, kind, err) : INQ_OK;
	if (n->n < size)
		return incomplete(t, kind, err);
	enum inq_status st = check_tail(t, n, size, err);
	if (!st)
		st = copy_note(t, n, size, &p, err);
	if (!st && set(t, request, p) < 0)
		st = refused(t, vmm_load_kind_name(kind), err);
	free(p);
	return st;
}

static enum inq_status put_cpuid(const struct target *t, struct inq_err *err)
{
	const struct vmm_load_note *n = vmm_load_note(t->l, t->vcpu, INQ_SNAP_CPUID2);
	size_t nr = n && n->p ? n->n / sizeof(struct kvm_cpuid_entry2) : 0;

	if (!nr || nr > MAX_CPUID)
		return incomplete(t, INQ_SNAP_CPUID2, err);
	struct kvm_cpuid2 *c = calloc(1, sizeof(*c) + nr * sizeof(c->entries[0]));
	if (!c)
		return inq_fail(err, INQ_ENOMEM, "CPUID table");
	c->nent = (uint32_t)nr;
	memcpy(c->entries, n->p, nr * sizeof(c->entries[0]));
	int r = set(t, KVM_SET_CPUID2, c);
	free(c);
	return r ? refused(t, "CPUID2", err) : INQ_OK;
}

/* Equal, or as close as two calibrations of one processor are: 250 ppm. */
static bool same_khz(uint32_t a, uint32_t b)
{
	uint32_t d = a > b ? a - b : b - a;

	return d <= a / 4000;
}

static enum inq_status put_khz(const struct target *t, struct inq_err *err)
{
	const struct vmm_load_note *n = vmm_load_note(t->l, t->vcpu, INQ_SNAP_TSC);
	struct inq_snap_tsc tsc = {0};

	if (n && n->n >= sizeof(tsc))
		memcpy(&tsc, n->p, sizeof(tsc));
	int now = ioctl(t->fd, KVM_GET_TSC_KHZ, 0);
	if (!tsc.khz || now == (int)tsc.khz || t->force)
		return INQ_OK;
	if (!ioctl(t->fd, KVM_SET_TSC_KHZ, (unsigned long)tsc.khz))
		return INQ_OK;
	return now > 0 && same_khz(tsc.khz, (uint32_t)now)
		       ? INQ_OK
		       : inq_fail(err, INQ_EUNSUPPORTED,
				  "%s: its TSC has %u kHz, here it would have %d; --force goes on "
				  "with that",
				  t->l->path, tsc.khz, now);
}

/* Refused: fatal, unless nothing is lost by it. */
static enum inq_status check_refused_msr(const struct target *t, const struct kvm_msr_entry *e,
					 struct inq_err *err)
{
	struct kvm_msr_entry now = {.index = e->index};

	if (t->force || vmm_restore_derived(e->index) ||
	    (vmm_msrs_get(t->fd, &now, 1) == 1 && now.data == e->data))
		return INQ_OK;
	return inq_fail(err, INQ_EIO,
			"%s: vCPU %u: /dev/kvm refuses MSR 0x%x = 0x%" PRIx64
			"; --force goes on without",
			t->l->path, t->vcpu, e->index, (uint64_t)e->data);
}

static enum inq_status put_list(const struct target *t, const struct kvm_msr_entry *e, uint32_t nr,
				struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	for (uint32_t at = 0; at < nr && !st; at++) {
		at += vmm_msrs_set(t->fd, e + at, nr - at);
		if (at < nr)
			st = check_refused_msr(t, &e[at], err);
	}
	return st;
}

/* The TSC, and behind it what is counted in it. */
static int msr_rank(uint32_t index)
{
	return index == VMM_MSR_TSC            ? 1
	       : index == VMM_MSR_TSC_ADJUST   ? 2
	       : index == VMM_MSR_TSC_DEADLINE ? 3
					       : 0;
}

static enum inq_status put_msrs(const struct target *t, struct inq_err *err)
{
	const struct vmm_load_note *n = vmm_load_note(t->l, t->vcpu, INQ_SNAP_MSRS);
	size_t all = n && n->p ? n->n / sizeof(struct kvm_msr_entry) : 0;
	uint32_t nr = 0;

	if (!all)
		return incomplete(t, INQ_SNAP_MSRS, err);
	struct kvm_msr_entry *e = calloc(all, sizeof(*e));
	if (!e)
		return inq_fail(err, INQ_ENOMEM, "list of MSRs");
	for (int rank = 0; rank < 4; rank++)
		for (size_t i = 0; i < all; i++) {
			struct kvm_msr_entry one;

			memcpy(&one, n->p + i * sizeof(one), sizeof(one));
			if (!one.reserved && msr_rank(one.index) == rank)
				e[nr++] = one;
		}
	enum inq_status st = put_list(t, e, nr, err);
	vmm_flight_note(&t->v->flight, KVM_SET_MSRS, st ? EINVAL : 0);
	free(e);
	return st;
}

static enum inq_status put_xcrs(const struct target *t, struct inq_err *err)
{
	const struct vmm_load_note *n = vmm_load_note(t->l, t->vcpu, INQ_SNAP_XCRS);
	uint32_t nr = 0;

	if (n && n->n >= sizeof(nr))
		memcpy(&nr, n->p, sizeof(nr));
	if (!nr || !t->vm->caps.value[VMM_CAP_XCRS])
		return INQ_OK;
	return put(t, INQ_SNAP_XCRS, KVM_SET_XCRS, sizeof(struct kvm_xcrs), false, err);
}

/* KVM reads as many bytes as XSAVE2 says, whatever is in the note. */
static enum inq_status put_xsave(const struct target *t, struct inq_err *err)
{
	const struct vmm_load_note *n = vmm_load_note(t->l, t->vcpu, INQ_SNAP_XSAVE);
	int two = ioctl(t->vm->fd, KVM_CHECK_EXTENSION, KVM_CAP_XSAVE2);
	size_t room = two > 4096 ? (size_t)two : 4096;
	uint8_t *p = NULL;

	if (!n || !n->p)
		return INQ_OK;
	if (n->n < 4096)
		return incomplete(t, INQ_SNAP_XSAVE, err);
	enum inq_status st = check_tail(t, n, room, err);
	if (!st)
		st = copy_note(t, n, room, &p, err);
	if (!st && set(t, KVM_SET_XSAVE, p) < 0)
		st = refused(t, "XSAVE", err);
	free(p);
	return st;
}

static enum inq_status put_nested(const struct target *t, struct inq_err *err)
{
	const struct vmm_load_note *n = vmm_load_note(t->l, t->vcpu, INQ_SNAP_NESTED);
	size_t room = (size_t)t->vm->caps.value[VMM_CAP_NESTED];
	struct kvm_nested_state h;
	uint8_t *p = NULL;

	if (!n || !n->p || !room)
		return INQ_OK;
	if (n->n < sizeof(h))
		return incomplete(t, INQ_SNAP_NESTED, err);
	memcpy(&h, n->p, sizeof(h));
	if (h.size < sizeof(h) || h.size > n->n)
		return incomplete(t, INQ_SNAP_NESTED, err);
	enum inq_status st = copy_note(t, n, room, &p, err);
	if (!st && set(t, KVM_SET_NESTED_STATE, p) < 0)
		st = refused(t, "NESTED", err);
	free(p);
	return st;
}

static enum inq_status put_sregs(const struct target *t, struct inq_err *err)
{
	const struct vmm_load_note *n = vmm_load_note(t->l, t->vcpu, INQ_SNAP_SREGS2);

	if (n && n->p && t->vm->caps.value[VMM_CAP_SREGS2])
		return put(t, INQ_SNAP_SREGS2, KVM_SET_SREGS2, sizeof(struct kvm_sregs2), true,
			   err);
	/* they begin alike; with --force the PDPTRs behind are lost */
	return put(t, n && n->p ? INQ_SNAP_SREGS2 : INQ_SNAP_SREGS, KVM_SET_SREGS,
		   sizeof(struct kvm_sregs), true, err);
}

static enum inq_status put_events(const struct target *t, struct inq_err *err)
{
	if (!t->vm->caps.value[VMM_CAP_VCPU_EVENTS])
		return INQ_OK;
	return put(t, INQ_SNAP_EVENTS, KVM_SET_VCPU_EVENTS, sizeof(struct kvm_vcpu_events), false,
		   err);
}

static enum inq_status put_debugregs(const struct target *t, struct inq_err *err)
{
	if (!t->vm->caps.value[VMM_CAP_DEBUGREGS])
		return INQ_OK;
	return put(t, INQ_SNAP_DEBUGREGS, KVM_SET_DEBUGREGS, sizeof(struct kvm_debugregs), false,
		   err);
}

/* No note: nothing was debugged. */
static enum inq_status put_debug(const struct target *t, struct inq_err *err)
{
	const struct vmm_load_note *n = vmm_load_note(t->l, t->vcpu, INQ_SNAP_GUEST_DEBUG);
	struct kvm_guest_debug d;

	if (!n || !n->p)
		return INQ_OK;
	if (n->n < sizeof(d))
		return incomplete(t, INQ_SNAP_GUEST_DEBUG, err);
	memcpy(&d, n->p, sizeof(d));
	/* their exits are for a debugger that nobody is here; what was queued is in EVENTS */
	if (d.control & ~(uint32_t)KVM_GUESTDBG_ENABLE)
		return inq_fail(err, INQ_ECORRUPT,
				"%s: vCPU %u: GUEST_DEBUG 0x%x is none that this program sets",
				t->l->path, t->vcpu, d.control);
	return vmm_vcpu_set_debug(t->v, &d) ? INQ_OK : refused(t, "GUEST_DEBUG", err);
}

static enum inq_status put_lapic(const struct target *t, struct inq_err *err)
{
	return put(t, INQ_SNAP_LAPIC, KVM_SET_LAPIC, sizeof(struct kvm_lapic_state), true, err);
}

static enum inq_status put_regs(const struct target *t, struct inq_err *err)
{
	return put(t, INQ_SNAP_REGS, KVM_SET_REGS, sizeof(struct kvm_regs), true, err);
}

static enum inq_status put_mp_state(const struct target *t, struct inq_err *err)
{
	return put(t, INQ_SNAP_MP_STATE, KVM_SET_MP_STATE, sizeof(struct kvm_mp_state), true, err);
}

static enum inq_status put_vcpu(const struct target *t, struct inq_err *err)
{
	static enum inq_status (*const steps[])(const struct target *, struct inq_err *) = {
		put_cpuid,     put_khz,    put_sregs,  put_lapic,  put_msrs,
		put_xcrs,      put_xsave,  put_regs,   put_events, put_mp_state,
		put_debugregs, put_nested, put_events, put_debug,
	};
	const struct vmm_load_note *run = vmm_load_note(t->l, t->vcpu, INQ_SNAP_RUN);
	enum inq_status st = INQ_OK;

	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps) && !st; i++)
		st = steps[i](t, err);
	if (!st && run && run->p) /* that exit is still the last real one */
		memcpy(t->v->run_seen, run->p, run->n < 4096 ? run->n : 4096);
	return st;
}

/* kvmclock goes on from where it was: the flags would make it catch up. */
static enum inq_status put_clock(const struct target *t, struct inq_err *err)
{
	const struct vmm_load_note *n = vmm_load_note(t->l, INQ_SNAP_VM, INQ_SNAP_CLOCK);
	struct kvm_clock_data old, c = {0};

	if (!n || n->n < sizeof(old) || !t->vm->caps.value[VMM_CAP_ADJUST_CLOCK])
		return INQ_OK;
	memcpy(&old, n->p, sizeof(old));
	c.clock = old.clock;
	return set(t, KVM_SET_CLOCK, &c) ? refused(t, "CLOCK", err) : INQ_OK;
}

static enum inq_status put_vm(const struct target *t, struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	for (uint32_t i = 0; i < 3 && !st; i++) {
		enum inq_snap_kind kind = (enum inq_snap_kind)(INQ_SNAP_PIC1 + i);
		const struct vmm_load_note *n = vmm_load_note(t->l, INQ_SNAP_VM, kind);

		if (n && n->n >= sizeof(i) && memcmp(n->p, &i, sizeof(i)) != 0)
			return inq_fail(err, INQ_ECORRUPT, "%s: its %s is another chip's",
					t->l->path, vmm_load_kind_name(kind));
		st = put(t, kind, KVM_SET_IRQCHIP, sizeof(struct kvm_irqchip), false, err);
	}
	if (!st && t->vm->has_pit && t->vm->caps.value[VMM_CAP_PIT_STATE2])
		st = put(t, INQ_SNAP_PIT2, KVM_SET_PIT2, sizeof(struct kvm_pit_state2), false, err);
	return st ? st : put_clock(t, err);
}

/* A VM of that shape with that memory. */
static enum inq_status make(const struct vmm_load *l, bool force, struct vmm_vm **ret,
			    struct inq_err *err)
{
	INQ_SCOPED(vmm_memory_destroy_scope_) struct vmm_memory *mem = NULL;
	struct vmm_caps caps;
	int kvm;
	enum inq_status st = vmm_caps_open(&kvm, &caps, err);

	if (st)
		return st;
	st = vmm_caps_check(&caps, err);
	if (!st && !force)
		st = vmm_restore_check(l, &caps, kvm, err);
	if (!st)
		st = vmm_load_memory(l, &mem, err);
	if (!st)
		return vmm_vm_make(ret, kvm, &caps, inq_take(mem), l->header.nr_vcpus, err);
	close(kvm);
	return st;
}

/* They are what was loaded once, and go into the next snapshot as they are. */
static void keep_tables(const struct vmm_load *l, struct vmm_vm *vm)
{
	const struct vmm_load_note *n = vmm_load_note(l, INQ_SNAP_VM, INQ_SNAP_TABLES);

	if (n && n->p && n->n)
		snap_notes_raw(&vm->tables, n->p, n->n);
}

enum inq_status vmm_restore(const struct vmm_load *l, bool force, struct vmm_vm **ret,
			    struct inq_err *err)
{
	INQ_SCOPED(vmm_vm_destroy_scope_) struct vmm_vm *vm = NULL;
	enum inq_status st = make(l, force, &vm, err);

	for (unsigned i = 0; !st && i < vm->nr_vcpus; i++) {
		struct target t = {l, vm, &vm->vcpu[i], i, vm->vcpu[i].fd, force};

		st = put_vcpu(&t, err);
	}
	if (!st)
		st = vmm_restore_tsc(l, force, vm, err);
	/* before the interrupt controllers: a device that raises its line must not add a request to
	   those that they had */
	if (!st)
		st = vmm_devnote_restore(l, force, vm, err);
	if (!st) {
		struct target t = {l, vm, NULL, INQ_SNAP_VM, vm->fd, force};

		st = put_vm(&t, err);
	}
	if (!st)
		keep_tables(l, vm);
	if (!st)
		*ret = inq_take(vm);
	return st;
}
