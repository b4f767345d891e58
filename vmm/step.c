/*
 * Knows single-stepping by KVM_SET_GUEST_DEBUG.  It works inside SMM, too: an SMI and RSM each
 * clear TF, but KVM sets it anew at every entry while it is told to.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "snap/notes.h"
#include "vmm/vm.h"
#include "vmm/watchpoint.h"

enum { PATIENCE_S = 2 };
_Static_assert(sizeof(struct inq_snap_step_regs) == 184, "no padding in the file format");

/*
 * An interrupt that is taken while stepping pushes the TF that KVM had set; after its IRET the
 * guest would trap on its own.  So none is taken, where KVM can do that (Linux 5.15).
 */
static uint32_t block_irq(const struct vmm_vm *vm)
{
	int mask = ioctl(vm->kvm, KVM_CHECK_EXTENSION, (unsigned long)KVM_CAP_SET_GUEST_DEBUG2);

	return mask > 0 ? (uint32_t)mask & KVM_GUESTDBG_BLOCKIRQ : 0;
}

bool vmm_vcpu_set_debug(struct vmm_vcpu *v, const struct kvm_guest_debug *d)
{
	struct kvm_guest_debug all = *d;

	v->debug = *d;
	vmm_watchpoints_arm(v->vm->points, &all);
	return !vmm_flight_ioctl(&v->flight, v->fd, KVM_SET_GUEST_DEBUG, &all);
}

bool vmm_vcpu_singlestep(struct vmm_vcpu *v, bool on)
{
	struct kvm_guest_debug d = v->debug;

	vmm_watchpoints_arm(v->vm->points, &d);
	if (on)
		d.control |= KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP | block_irq(v->vm);
	return !vmm_flight_ioctl(&v->flight, v->fd, KVM_SET_GUEST_DEBUG, &d);
}

void vmm_vcpu_set_stepping(struct vmm_vcpu *v)
{
	bool want = v->want_steps && v->end == VMM_ALIVE;

	if (want == v->stepping)
		return;
	if (!vmm_vcpu_singlestep(v, want)) {
		v->want_steps = 0;
		pthread_cond_broadcast(&v->vm->changed);
		return;
	}
	v->stepping = want;
}

size_t vmm_vcpu_code(const struct vmm_vcpu *v, uint64_t linear, bool smm, uint8_t *to)
{
	struct kvm_translation t = {.linear_address = linear};

	if (ioctl(v->fd, KVM_TRANSLATE, &t) || !t.valid)
		return 0;
	uint64_t left = VMM_PAGE - (linear & (VMM_PAGE - 1));
	uint64_t n = left < VMM_INSN_BYTES ? left : VMM_INSN_BYTES;
	const uint8_t *at = vmm_memory_at(v->vm->mem, smm, t.physical_address, n);
	if (!at)
		return 0;
	memcpy(to, at, n);
	return n;
}

static struct inq_snap_step_regs registers(const struct vmm_vcpu *v)
{
	struct inq_snap_step_regs r = {0};
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	if (!vmm_vcpu_registers(v, &regs, &sregs))
		return r;
	_Static_assert(offsetof(struct kvm_regs, rip) == sizeof(r.gpr), "16 in KVM's order");
	memcpy(r.gpr, &regs, sizeof(r.gpr));
	r.rflags = regs.rflags;
	r.cr0 = sregs.cr0;
	r.cr3 = sregs.cr3;
	r.cr4 = sregs.cr4;
	r.efer = sregs.efer;
	r.cs_base = sregs.cs.base;
	r.flags = INQ_STEP_KNOWN | (sregs.cs.l ? INQ_STEP_CS_L : 0u) |
		  (sregs.cs.db ? INQ_STEP_CS_D : 0u);
	return r;
}

void vmm_vcpu_stepped(struct vmm_vcpu *v)
{
	struct vmm_step s = {.rip = v->run->debug.arch.pc,
			     .smm = v->run->flags & KVM_RUN_X86_SMM,
			     .regs = registers(v)};

	s.nr_bytes = (uint8_t)vmm_vcpu_code(v, s.rip, s.smm, s.bytes);
	pthread_mutex_lock(&v->vm->lock);
	if (v->want_steps && v->nr_steps < VMM_MAX_STEPS) {
		v->step[v->nr_steps++] = s;
		v->want_steps--;
		pthread_cond_broadcast(&v->vm->changed);
	}
	pthread_mutex_unlock(&v->vm->lock);
}

void vmm_vcpu_add_steps(const struct vmm_vcpu *v, struct snap_notes *n)
{
	struct inq_snap_step_regs regs[VMM_MAX_STEPS];
	struct inq_snap_step all[VMM_MAX_STEPS];

	for (uint32_t i = 0; i < v->nr_steps; i++) {
		const struct vmm_step *s = &v->step[i];

		all[i] = (struct inq_snap_step){.rip = s->rip,
						.flags = INQ_FLIGHT_RIP | INQ_FLIGHT_SMM_KNOWN |
							 (s->smm ? INQ_FLIGHT_SMM : 0),
						.nr_bytes = s->nr_bytes};
		memcpy(all[i].bytes, s->bytes, s->nr_bytes);
		regs[i] = s->regs;
	}
	if (!v->nr_steps)
		return;
	snap_notes_add(n, v->index, INQ_SNAP_STEPS, all, v->nr_steps * sizeof(*all));
	snap_notes_add(n, v->index, INQ_SNAP_STEP_REGS, regs, v->nr_steps * sizeof(*regs));
}

/* Under the lock: until no step is wanted, or patience is at its end. */
static void await_steps(struct vmm_vm *vm, const struct vmm_vcpu *v)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += PATIENCE_S;
	while (v->want_steps && v->end == VMM_ALIVE)
		if (pthread_cond_timedwait(&vm->changed, &vm->lock, &until) == ETIMEDOUT)
			break;
}

/* Under the lock: a stopped VM is only left when this vCPU stands still again. */
static void await_parked(struct vmm_vm *vm, struct vmm_vcpu *v)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += PATIENCE_S;
	vmm_vcpu_kick(v);
	while (vm->stop && !v->parked)
		if (pthread_cond_timedwait(&vm->changed, &vm->lock, &until) == ETIMEDOUT)
			break;
}

void vmm_vm_step(struct vmm_vm *vm, unsigned vcpu, uint32_t n)
{
	struct vmm_vcpu *v = &vm->vcpu[vcpu];

	pthread_mutex_lock(&vm->lock);
	v->nr_steps = 0;
	v->want_steps = n < VMM_MAX_STEPS ? n : VMM_MAX_STEPS;
	if (v->end != VMM_ALIVE)
		v->want_steps = 0;
	v->parked = v->parked && !v->want_steps;
	vmm_vcpu_kick(v);
	pthread_cond_broadcast(&vm->changed);
	await_steps(vm, v);
	v->want_steps = 0;
	await_parked(vm, v);
	pthread_mutex_unlock(&vm->lock);
}
