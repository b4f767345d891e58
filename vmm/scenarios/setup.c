/* Knows how a scenario's vCPU begins: straight in 64-bit mode, or in a task of 32-bit protected
 * mode, at its own SMBASE. */
#include "vmm/scenarios/setup.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/cpuid.h"
#include "vmm/msrs.h"
#include "vmm/scenarios/scenarios.h"

enum { MSR_SMBASE = 0x9e };

static enum inq_status refused(struct inq_err *err, unsigned vcpu, const char *what)
{
	return inq_fail(err, INQ_EIO, "/dev/kvm: vCPU %u: %s: %s", vcpu, what, strerror(errno));
}

static enum inq_status set_smbase(struct vmm_vcpu *v, uint64_t smbase, struct inq_err *err)
{
	struct kvm_msr_entry e = {.index = MSR_SMBASE, .data = smbase};
	bool done = vmm_msrs_set(v->fd, &e, 1) == 1;

	vmm_flight_note(&v->flight, KVM_SET_MSRS, done ? 0 : EINVAL);
	if (!done)
		return inq_fail(err, INQ_EIO, "/dev/kvm: vCPU %u: SMBASE 0x%llx was refused",
				v->index, (unsigned long long)smbase);
	return INQ_OK;
}

static struct kvm_segment segment(uint16_t selector, uint8_t type)
{
	return (struct kvm_segment){.limit = 0xffffffff,
				    .selector = selector,
				    .present = 1,
				    .type = type,
				    .s = 1,
				    .g = 1};
}

static struct kvm_segment tss_segment(uint64_t base, uint32_t limit, uint32_t selector)
{
	return (struct kvm_segment){.base = base,
				    .limit = limit,
				    .selector = (uint16_t)selector,
				    .present = 1,
				    .type = 11};
}

static void set_long(struct kvm_sregs *s, const struct vmm_plan *p, unsigned vcpu)
{
	s->cs.l = 1;
	s->tr = tss_segment(p->high + VMM_GPA_TSS + (p->user ? vcpu * VMM_TSS_BYTES : 0), 0x67, 24);
	s->gdt = (struct kvm_dtable){.base = p->high + VMM_GPA_GDT, .limit = p->user ? 0x37 : 0x27};
	s->idt = (struct kvm_dtable){.base = p->high + p->cpu[vcpu].data_gpa, .limit = 0xfff};
	s->cr3 = VMM_GPA_PML4;
	s->cr4 = 0x20;       /* PAE */
	s->cr0 = 0x80050033; /* PG AM WP NE ET MP PE */
	s->efer = 0x500;     /* LMA LME */
}

static void set_flat(struct kvm_sregs *s, const struct vmm_plan *p, unsigned vcpu)
{
	const uint64_t data = p->cpu[vcpu].data_gpa;

	s->cs.db = 1;
	s->tr = tss_segment(p->task[0].tss, VMM_FLAT_TSS_LIMIT, p->task[0].selector);
	s->gdt = (struct kvm_dtable){.base = data + VMM_CPU_GDT,
				     .limit = VMM_FLAT_DESCRIPTORS * 8 - 1};
	s->idt = (struct kvm_dtable){.base = data, .limit = VMM_CPU_GDT - 1};
	s->cr3 = s->cr4 = s->efer = 0;
	s->cr0 = 0x31; /* NE ET PE */
}

static enum inq_status set_sregs(struct vmm_vcpu *v, const struct vmm_plan *p, struct inq_err *err)
{
	struct kvm_sregs s;

	if (ioctl(v->fd, KVM_GET_SREGS, &s))
		return refused(err, v->index, "KVM_GET_SREGS");
	s.cs = segment(8, 11);
	s.ss = segment(16, 3);
	s.ss.db = 1;
	s.ds = s.es = s.fs = s.gs = s.ss;
	if (p->cpu[v->index].flat)
		set_flat(&s, p, v->index);
	else
		set_long(&s, p, v->index);
	return vmm_flight_ioctl(&v->flight, v->fd, KVM_SET_SREGS, &s)
		       ? refused(err, v->index, "KVM_SET_SREGS")
		       : INQ_OK;
}

static enum inq_status set_regs(struct vmm_vcpu *v, const struct vmm_plan_cpu *c,
				struct inq_err *err)
{
	const uint64_t *g = c->gpr;
	struct kvm_regs r = {
		.rax = g[0],
		.rcx = g[1],
		.rdx = g[2],
		.rbx = g[3],
		.rsp = g[4],
		.rbp = g[5],
		.rsi = g[6],
		.rdi = g[7],
		.r8 = g[8],
		.r9 = g[9],
		.r10 = g[10],
		.r11 = g[11],
		.r12 = g[12],
		.r13 = g[13],
		.r14 = g[14],
		.r15 = g[15],
		.rip = c->code.linear,
		.rflags = 0x202,
	};
	struct kvm_mp_state mp = {KVM_MP_STATE_RUNNABLE};

	if (vmm_flight_ioctl(&v->flight, v->fd, KVM_SET_REGS, &r))
		return refused(err, v->index, "KVM_SET_REGS");
	return vmm_flight_ioctl(&v->flight, v->fd, KVM_SET_MP_STATE, &mp)
		       ? refused(err, v->index, "KVM_SET_MP_STATE")
		       : INQ_OK;
}

static bool has_vmx(const struct kvm_cpuid2 *c)
{
	for (uint32_t i = 0; i < c->nent; i++)
		if (c->entries[i].function == 1)
			return c->entries[i].ecx & 1 << 5;
	return false;
}

/* Intel's CPUs, and what emulates them here, know DR7.GD themselves. */
static enum inq_status set_debug(const struct vmm_scenario *s, struct vmm_vcpu *v,
				 const struct kvm_cpuid2 *cpuid, struct inq_err *err)
{
	const struct kvm_guest_debug debug = {.control = KVM_GUESTDBG_ENABLE};

	if (s->hold) {
		v->hold_post = VMM_POST_LOOP;
		v->hold_steps = VMM_HOLD_STEPS;
	}
	if (s->guest_debug && !has_vmx(cpuid) && !vmm_vcpu_set_debug(v, &debug))
		return refused(err, v->index, "KVM_SET_GUEST_DEBUG");
	return INQ_OK;
}

enum inq_status vmm_plan_setup(const struct vmm_plan *plan, struct vmm_vcpu *v,
			       const struct kvm_cpuid2 *cpuid, struct inq_err *err)
{
	const struct vmm_plan_cpu *c = &plan->cpu[v->index];
	enum inq_status st = vmm_cpuid_set(v, cpuid, err);

	if (!st && vmm_caps_smm(&v->vm->caps))
		st = set_smbase(v, c->smbase, err);
	if (!st)
		st = set_sregs(v, plan, err);
	if (!st && v->index == plan->hit)
		st = set_debug(plan->scenario, v, cpuid, err);
	return st ? st : set_regs(v, c, err);
}
