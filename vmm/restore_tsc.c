/*
 * Knows that KVM takes a value written to MSR 0x10 for an attempt to synchronise vCPUs when it is
 * less than a second away from what the counter would show anyhow: then, where the host's TSC is
 * stable, it keeps the counter that began with the VM (Linux arch/x86/kvm/x86.c:
 * kvm_synchronize_tsc).  A snapshot taken in a machine's first seconds would so be set back, and
 * code that waits for a TSC would wait again.  KVM_VCPU_TSC_OFFSET is taken as it is.  It is
 * written to all vCPUs, the first one first: equal offsets in one go are what lets KVM keep its
 * master clock (kvm_track_tsc_matching).  Where the host's TSC is unstable KVM moves offsets by
 * itself and does what it was told by MSR 0x10, so that they are left alone.
 */
#include "vmm/restore_tsc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/msrs.h"

bool vmm_tsc_plan(struct vmm_tsc *t, unsigned nr)
{
	uint64_t first = nr ? t[0].offset : 0;
	int64_t behind = 0;
	bool back = false;

	for (unsigned i = 0; i < nr; i++) {
		bool known = t[0].offset_known && t[i].offset_known;
		uint64_t wanted =
			known ? first + t[i].saved_offset - t[0].saved_offset : t[i].offset;
		int64_t d = (int64_t)(t[i].saved - (t[i].now - t[i].offset + wanted));

		back |= (int64_t)(t[i].saved - t[i].now) > 0;
		behind = d > behind ? d : behind;
		t[i].offset = wanted;
	}
	for (unsigned i = 0; i < nr; i++)
		t[i].offset += (uint64_t)behind;
	return back;
}

/* 0: none, or one that was not armed. */
static uint64_t saved_msr(const struct vmm_load *l, uint32_t vcpu, uint32_t index)
{
	const struct vmm_load_note *n = vmm_load_note(l, vcpu, INQ_SNAP_MSRS);

	for (size_t at = 0; n && n->p && at + sizeof(struct kvm_msr_entry) <= n->n;
	     at += sizeof(struct kvm_msr_entry)) {
		struct kvm_msr_entry e;

		memcpy(&e, n->p + at, sizeof(e));
		if (e.index == index && !e.reserved)
			return e.data;
	}
	return 0;
}

/* false: it cannot be told or set here. */
static bool read_one(const struct vmm_load *l, const struct vmm_vcpu *v, uint32_t vcpu,
		     struct vmm_tsc *t)
{
	const struct vmm_load_note *n = vmm_load_note(l, vcpu, INQ_SNAP_TSC);
	struct kvm_msr_entry now = {.index = VMM_MSR_TSC};
	struct inq_snap_tsc saved = {0};

	if (n && n->p && n->n >= sizeof(saved))
		memcpy(&saved, n->p, sizeof(saved));
	if (vmm_msrs_get(v->fd, &now, 1) != 1)
		return false;
	*t = (struct vmm_tsc){.saved = saved_msr(l, vcpu, VMM_MSR_TSC),
			      .saved_offset = saved.offset,
			      .offset_known = saved.offset_known == 1,
			      .now = now.data};
	return vmm_vcpu_tsc_offset(v, KVM_GET_DEVICE_ATTR, &t->offset);
}

/* A deadline is armed anew: KVM turned it into the host's time by the old counter. */
static bool set_one(const struct vmm_load *l, struct vmm_vcpu *v, uint32_t vcpu,
		    const struct vmm_tsc *t)
{
	struct kvm_msr_entry deadline = {.index = VMM_MSR_TSC_DEADLINE,
					 .data = saved_msr(l, vcpu, VMM_MSR_TSC_DEADLINE)};
	uint64_t offset = t->offset;
	bool done = vmm_vcpu_tsc_offset(v, KVM_SET_DEVICE_ATTR, &offset);

	vmm_flight_note(&v->flight, KVM_SET_DEVICE_ATTR, done ? 0 : errno);
	return done && (!deadline.data || vmm_msrs_set(v->fd, &deadline, 1) == 1);
}

static enum inq_status refuse(const struct vmm_load *l, bool force, const struct vmm_tsc *t,
			      unsigned nr, struct inq_err *err)
{
	unsigned i = 0;

	while (i < nr && (int64_t)(t[i].saved - t[i].now) <= 0)
		i++;
	if (force || i == nr)
		return INQ_OK;
	return inq_fail(err, INQ_EUNSUPPORTED,
			"%s: vCPU %u: this KVM sets its TSC back by %" PRIu64
			" cycles; --force goes on with that",
			l->path, i, t[i].saved - t[i].now);
}

enum inq_status vmm_restore_tsc(const struct vmm_load *l, bool force, struct vmm_vm *vm,
				struct inq_err *err)
{
	struct vmm_tsc *t = calloc(vm->nr_vcpus, sizeof(*t));
	enum inq_status st = INQ_OK;
	bool can = true;

	if (!t)
		return inq_fail(err, INQ_ENOMEM, "%s: TSCs", l->path);
	for (unsigned i = 0; i < vm->nr_vcpus; i++)
		can &= read_one(l, &vm->vcpu[i], i, &t[i]);
	if (!can)
		st = refuse(l, force, t, vm->nr_vcpus, err);
	else if (vmm_tsc_plan(t, vm->nr_vcpus))
		for (unsigned i = 0; i < vm->nr_vcpus && !st; i++)
			if (!set_one(l, &vm->vcpu[i], i, &t[i]))
				st = inq_fail(err, INQ_EIO,
					      "%s: vCPU %u: /dev/kvm refuses its TSC offset: %s",
					      l->path, i, strerror(errno));
	free(t);
	return st;
}
