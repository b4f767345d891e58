/*
 * Knows how to look at running vCPUs: a kick makes each leave KVM_RUN, its own thread notes where
 * it was, and it goes on.  The picture is of one moment per vCPU, never of all at once.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "vmm/msrs.h"
#include "vmm/sampler.h"

enum { PATIENCE_S = 5, APART_NS = 1000000 };

enum { RFLAGS_IF = 0x200, MSR_SMI_COUNT = 0x34 };
enum { APIC_IRR = 0x200, APIC_LVT_TIMER = 0x320, LVT_MASKED = 0x10000 };

bool vmm_vcpu_registers(const struct vmm_vcpu *v, struct kvm_regs *regs, struct kvm_sregs *sregs)
{
	if (!v->synced)
		return !ioctl(v->fd, KVM_GET_REGS, regs) && !ioctl(v->fd, KVM_GET_SREGS, sregs);
	*regs = v->run->s.regs.regs;
	*sregs = v->run->s.regs.sregs;
	return true;
}

static bool rip_of(struct vmm_vcpu *v, uint64_t *ret)
{
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	if (!vmm_vcpu_registers(v, &regs, &sregs))
		return false;
	*ret = vmm_flight_rip(&regs, &sregs);
	v->look.intr_off = !(regs.rflags & RFLAGS_IF);
	return true;
}

static uint32_t apic_reg(const struct kvm_lapic_state *l, unsigned off)
{
	uint32_t v;

	memcpy(&v, l->regs + off, sizeof(v));
	return v;
}

static bool timer_pending(const struct vmm_vcpu *v)
{
	struct kvm_lapic_state l;

	if (ioctl(v->fd, KVM_GET_LAPIC, &l))
		return false;
	uint32_t lvt = apic_reg(&l, APIC_LVT_TIMER), vector = lvt & 0xff;
	return !(lvt & LVT_MASKED) &&
	       apic_reg(&l, APIC_IRR + vector / 32 * 16) >> (vector % 32) & 1;
}

static void look_deeper(struct vmm_vcpu *v)
{
	struct kvm_msr_entry e = {.index = MSR_SMI_COUNT};

	v->look.timer_pending = timer_pending(v);
	v->look.smi_count_known = vmm_msrs_get(v->fd, &e, 1) == 1;
	v->look.smi_count = e.data;
}

void vmm_vcpu_sample(struct vmm_vcpu *v)
{
	struct inq_snap_rip *s = &v->look.rip;
	struct kvm_mp_state mp;

	v->look = (struct vmm_look){0};
	*s = (struct inq_snap_rip){.t_ns = vmm_now(), .flags = INQ_FLIGHT_SMM_KNOWN};
	if (v->run->flags & KVM_RUN_X86_SMM)
		s->flags |= INQ_FLIGHT_SMM;
	if (rip_of(v, &s->rip))
		s->flags |= INQ_FLIGHT_RIP;
	if (!ioctl(v->fd, KVM_GET_MP_STATE, &mp))
		s->flags |= INQ_FLIGHT_HALT_KNOWN |
			    (mp.mp_state == KVM_MP_STATE_HALTED ? INQ_FLIGHT_HALTED : 0);
	if (v->vm->deep)
		look_deeper(v);
	if (v->vm->twin)
		vmm_sampler_take(v, &v->vm->twin[v->index]);
	v->want_sample = false;
	v->nr_samples++;
	pthread_cond_broadcast(&v->vm->changed);
}

static bool runs(const struct vmm_vcpu *v)
{
	return v->started && !v->parked && v->end == VMM_ALIVE;
}

/* Under the lock. */
static bool one_is_late(const struct vmm_vm *vm)
{
	for (unsigned i = 0; i < vm->nr_vcpus; i++)
		if (vm->vcpu[i].want_sample && runs(&vm->vcpu[i]))
			return true;
	return false;
}

bool vmm_vm_sample(struct vmm_vm *vm)
{
	struct timespec until;
	bool late;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += PATIENCE_S;
	pthread_mutex_lock(&vm->lock);
	for (unsigned i = 0; i < vm->nr_vcpus; i++) {
		vm->vcpu[i].want_sample = runs(&vm->vcpu[i]);
		if (vm->vcpu[i].want_sample)
			vmm_vcpu_kick(&vm->vcpu[i]);
	}
	while ((late = one_is_late(vm)))
		if (pthread_cond_timedwait(&vm->changed, &vm->lock, &until) == ETIMEDOUT)
			break;
	for (unsigned i = 0; i < vm->nr_vcpus; i++)
		vm->vcpu[i].want_sample = false;
	pthread_mutex_unlock(&vm->lock);
	return !late;
}

void vmm_vm_rips(struct vmm_vm *vm)
{
	uint64_t before[VMM_MAX_VCPUS] = {0};
	bool good = true;

	for (unsigned i = 0; i < vm->nr_vcpus; i++)
		vm->vcpu[i].nr_rips = 0;
	for (unsigned round = 0; round < VMM_NR_RIPS && good; round++) {
		const struct timespec apart = {.tv_nsec = APART_NS};

		if (round)
			nanosleep(&apart, NULL);
		for (unsigned i = 0; i < vm->nr_vcpus; i++)
			before[i] = vm->vcpu[i].nr_samples; /* nobody else asks for samples */
		good = vmm_vm_sample(vm);
		pthread_mutex_lock(&vm->lock);
		for (unsigned i = 0; i < vm->nr_vcpus; i++) {
			struct vmm_vcpu *v = &vm->vcpu[i];

			if (v->nr_samples != before[i])
				v->rip[v->nr_rips++] = v->look.rip;
		}
		pthread_mutex_unlock(&vm->lock);
	}
}
