/*
 * Knows read-only memory slots: KVM lets a guest read them at full speed and leaves KVM_RUN with
 * KVM_EXIT_MMIO for each write (Documentation/virt/kvm/api.rst, KVM_MEM_READONLY).  KVM emulates
 * the instruction for that, so its registers and RIP are those behind it already (x86.c:
 * x86_emulate_instruction), and a locked one is not atomic any more (emulator_cmpxchg_emulated).
 */
#include "vmm/writes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

struct vmm_writes {
	struct vmm_ranges ranges;
	const struct vmm_memory *mem;
	struct {
		bool known;
		uint64_t value;
	} point[VMM_MAX_WATCHPOINTS]; /* as it was at its last hit; under vm->lock, too */
	uint64_t next; /* number of the record to come; under vm->lock, like all below */
	struct inq_snap_write at[VMM_NR_WRITES];
};

_Static_assert(sizeof(struct inq_snap_write) == 208, "no padding in the file format");
_Static_assert(sizeof(struct inq_snap_writes) == 24, "no padding in the file format");

/* Under vm->lock, like all that is done by devices.  What was there before is gone already. */
static void device_wrote(void *writes, uint64_t gpa, const uint8_t *at, uint64_t bytes)
{
	struct vmm_writes *w = writes;

	for (unsigned i = 0; i < w->ranges.nr; i++) {
		const uint64_t first = w->ranges.at[i].gpa, end = first + w->ranges.at[i].bytes,
			       from = gpa > first ? gpa : first,
			       to = gpa + bytes < end ? gpa + bytes : end;
		struct inq_snap_write r = {.nr = w->next,
					   .t_ns = vmm_now(),
					   .gpa = from,
					   .vcpu = INQ_SNAP_VM,
					   .size = (uint32_t)(to - from),
					   .flags = INQ_WRITE_DEVICE | INQ_WRITE_NO_OLD};

		if (from >= to)
			continue;
		memcpy(&r.value, at + (from - gpa), r.size < 8 ? r.size : 8);
		w->at[w->next++ % VMM_NR_WRITES] = r;
	}
}

enum inq_status vmm_writes_create(struct vmm_writes **ret, int kvm, struct vmm_memory *m,
				  const struct vmm_ranges *ranges, struct inq_err *err)
{
	if (ranges->nr && ioctl(kvm, KVM_CHECK_EXTENSION, (unsigned long)KVM_CAP_READONLY_MEM) <= 0)
		return inq_fail(err, INQ_EUNSUPPORTED,
				"--watch: this KVM has no read-only memory; go without");
	for (unsigned i = 0; i < ranges->nr; i++) {
		enum inq_status st =
			vmm_memory_protect(m, ranges->at[i].gpa, ranges->at[i].bytes, err);
		if (st)
			return inq_wrap(err, st, "--watch");
	}
	struct vmm_writes *w = calloc(1, sizeof(*w));
	if (!w)
		return inq_fail(err, INQ_ENOMEM, "log of writes");
	w->ranges = *ranges;
	w->mem = m;
	m->on_device = device_wrote;
	m->listener = w;
	*ret = w;
	return INQ_OK;
}

void vmm_writes_destroy(struct vmm_writes *w)
{
	free(w);
}

static bool is_watched(const struct vmm_writes *w, uint64_t gpa, uint32_t bytes)
{
	for (unsigned i = 0; i < w->ranges.nr; i++)
		if (gpa < w->ranges.at[i].gpa + w->ranges.at[i].bytes &&
		    w->ranges.at[i].gpa < gpa + bytes)
			return true;
	return false;
}

static void set_registers(struct inq_snap_write *r, const struct vmm_vcpu *v)
{
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	if (!vmm_vcpu_registers(v, &regs, &sregs))
		return;
	_Static_assert(offsetof(struct kvm_regs, rip) == sizeof(r->gpr), "16 in KVM's order");
	memcpy(r->gpr, &regs, sizeof(r->gpr));
	r->rflags = regs.rflags;
	r->cr3 = sregs.cr3;
	r->rip = vmm_flight_rip(&regs, &sregs);
	r->flags |= INQ_FLIGHT_RIP;
}

bool vmm_writes_take(struct vmm_writes *w, struct vmm_vcpu *v)
{
	const struct kvm_run *run = v->run;
	bool smm = run->flags & KVM_RUN_X86_SMM;
	uint64_t gpa = run->mmio.phys_addr;
	uint32_t n = run->mmio.len;
	uint8_t *at = n && n <= sizeof(run->mmio.data) ? vmm_memory_at(w->mem, smm, gpa, n) : NULL;

	if (!run->mmio.is_write || !at)
		return false;
	struct inq_snap_write r = {.t_ns = vmm_now(),
				   .gpa = gpa,
				   .vcpu = v->index,
				   .size = n,
				   .flags = INQ_FLIGHT_SMM_KNOWN | (smm ? INQ_FLIGHT_SMM : 0u)};
	set_registers(&r, v);
	memcpy(&r.value, run->mmio.data, n);
	pthread_mutex_lock(&v->vm->lock); /* all writes to these pages come here */
	memcpy(&r.old, at, n);
	memcpy(at, run->mmio.data, n);
	vmm_memory_touch(w->mem, at, n);
	if (is_watched(w, gpa, n)) {
		r.nr = w->next++;
		w->at[r.nr % VMM_NR_WRITES] = r;
	}
	pthread_mutex_unlock(&v->vm->lock);
	return true;
}

/* What the store left there; nobody else's store to it goes unseen but a device's. */
static void look_at_point(struct vmm_writes *w, const struct vmm_vcpu *v, unsigned i,
			  struct inq_snap_write *r)
{
	struct kvm_translation t = {.linear_address = v->vm->points->at[i].linear};
	const uint8_t *at = NULL;

	if (!ioctl(v->fd, KVM_TRANSLATE, &t) && t.valid)
		at = vmm_memory_at(w->mem, r->flags & INQ_FLIGHT_SMM ? 1 : 0, t.physical_address,
				   r->size);
	if (at) {
		memcpy(&r->value, at, r->size);
		r->gpa = t.physical_address;
	} else {
		r->flags |= INQ_WRITE_NO_PLACE;
	}
	if (w->point[i].known)
		r->old = w->point[i].value;
	else
		r->flags |= INQ_WRITE_NO_OLD;
	w->point[i].known = at;
	w->point[i].value = r->value;
}

void vmm_writes_hit(struct vmm_writes *w, struct vmm_vcpu *v)
{
	bool smm = v->run->flags & KVM_RUN_X86_SMM;

	for (unsigned i = 0; i < v->vm->points->nr; i++) {
		struct inq_snap_write r = {.t_ns = vmm_now(),
					   .vcpu = v->index,
					   .size = v->vm->points->at[i].bytes,
					   .flags = INQ_WRITE_POINT | INQ_FLIGHT_SMM_KNOWN |
						    (smm ? INQ_FLIGHT_SMM : 0u)};

		if (!(v->run->debug.arch.dr6 & 1u << i))
			continue;
		set_registers(&r, v);
		pthread_mutex_lock(&v->vm->lock);
		look_at_point(w, v, i, &r);
		r.nr = w->next++;
		w->at[r.nr % VMM_NR_WRITES] = r;
		pthread_mutex_unlock(&v->vm->lock);
	}
}

void vmm_writes_add_note(const struct vmm_writes *w, struct snap_notes *n)
{
	uint64_t count = w->next < VMM_NR_WRITES ? w->next : VMM_NR_WRITES;
	struct inq_snap_writes head = {.first = w->next - count,
				       .count = (uint32_t)count,
				       .record_bytes = sizeof(*w->at),
				       .nr_ranges = w->ranges.nr};
	size_t ranges = w->ranges.nr * sizeof(struct inq_snap_word);
	uint8_t *all = malloc(sizeof(head) + ranges + count * sizeof(*w->at)), *to = all;

	if (!all) {
		n->failed = 1;
		return;
	}
	memcpy(to, &head, sizeof(head));
	to += sizeof(head);
	for (unsigned i = 0; i < w->ranges.nr; i++, to += sizeof(struct inq_snap_word)) {
		struct inq_snap_word r = {w->ranges.at[i].gpa, w->ranges.at[i].bytes};

		memcpy(to, &r, sizeof(r));
	}
	for (uint64_t nr = head.first; nr < w->next; nr++, to += sizeof(*w->at))
		memcpy(to, &w->at[nr % VMM_NR_WRITES], sizeof(*w->at));
	snap_notes_add(n, INQ_SNAP_VM, INQ_SNAP_WRITES, all, (size_t)(to - all));
	free(all);
}
