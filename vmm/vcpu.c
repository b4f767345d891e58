/*
 * Knows how one vCPU gets into 64-bit mode and how its thread runs: between two KVM_RUNs it takes
 * its orders (SMI, park, quit), and before it parks it finishes pending I/O, because after an exit
 * for I/O or MMIO the instruction is only complete once KVM_RUN was entered again (api.rst,
 * kvm_run).
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>

#include "vmm/msrs.h"

enum { MSR_SMBASE = 0x9e };

static enum inq_status refused(struct inq_err *err, unsigned vcpu, const char *what)
{
	return inq_fail(err, INQ_EIO, "/dev/kvm: vCPU %u: %s: %s", vcpu, what, strerror(errno));
}

/* KVM_GET_SUPPORTED_CPUID speaks of the CPU that asked; the APIC id is ours. */
static enum inq_status set_cpuid(struct vmm_vcpu *v, const struct kvm_cpuid2 *supported,
				 struct inq_err *err)
{
	size_t bytes = sizeof(*supported) + supported->nent * sizeof(supported->entries[0]);
	struct kvm_cpuid2 *c = malloc(bytes);

	if (!c)
		return inq_fail(err, INQ_ENOMEM, "CPUID table");
	memcpy(c, supported, bytes);
	for (uint32_t i = 0; i < c->nent; i++) {
		struct kvm_cpuid_entry2 *e = &c->entries[i];

		if (e->function == 1)
			e->ebx = (e->ebx & 0xffffff) | v->index << 24;
		else if (e->function == 0xb || e->function == 0x1f)
			e->edx = v->index;
	}
	int r = vmm_flight_ioctl(&v->flight, v->fd, KVM_SET_CPUID2, c);
	free(c);
	return r ? refused(err, v->index, "KVM_SET_CPUID2") : INQ_OK;
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

static enum inq_status set_sregs(struct vmm_vcpu *v, const struct vmm_plan *p, struct inq_err *err)
{
	struct kvm_sregs s;

	if (ioctl(v->fd, KVM_GET_SREGS, &s))
		return refused(err, v->index, "KVM_GET_SREGS");
	s.cs = segment(8, 11);
	s.cs.l = 1;
	s.ss = segment(16, 3);
	s.ss.db = 1;
	s.ds = s.es = s.fs = s.gs = s.ss;
	s.tr = (struct kvm_segment){.base = p->high + VMM_GPA_TSS +
					    (p->user ? v->index * VMM_TSS_BYTES : 0),
				    .limit = 0x67,
				    .selector = 24,
				    .present = 1,
				    .type = 11};
	s.gdt = (struct kvm_dtable){.base = p->high + VMM_GPA_GDT, .limit = p->user ? 0x37 : 0x27};
	s.idt = (struct kvm_dtable){.base = p->high + p->cpu[v->index].data_gpa, .limit = 0xfff};
	s.cr3 = VMM_GPA_PML4;
	s.cr4 = 0x20;       /* PAE */
	s.cr0 = 0x80050033; /* PG AM WP NE ET MP PE */
	s.efer = 0x500;     /* LMA LME */
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

enum inq_status vmm_vcpu_setup(struct vmm_vcpu *v, const struct vmm_plan *plan,
			       const struct kvm_cpuid2 *cpuid, struct inq_err *err)
{
	const struct vmm_plan_cpu *c = &plan->cpu[v->index];
	enum inq_status st = set_cpuid(v, cpuid, err);

	if (!st && vmm_caps_smm(&v->vm->caps))
		st = set_smbase(v, c->smbase, err);
	if (!st)
		st = set_sregs(v, plan, err);
	return st ? st : set_regs(v, c, err);
}

static void set_end(struct vmm_vcpu *v, enum vmm_end end, const char *fmt, ...) INQ_PRINTF(3, 4);
static void set_end(struct vmm_vcpu *v, enum vmm_end end, const char *fmt, ...)
{
	va_list ap;

	pthread_mutex_lock(&v->vm->lock);
	v->end = end;
	va_start(ap, fmt);
	vsnprintf(v->end_text, sizeof(v->end_text), fmt, ap);
	va_end(ap);
	pthread_cond_broadcast(&v->vm->changed);
	pthread_mutex_unlock(&v->vm->lock);
}

/* The ways in which a guest says that it is over: pvpanic, and QEMU's isa-debug-exit. */
static void hear_end(struct vmm_vcpu *v, const uint8_t *data)
{
	const struct kvm_run *r = v->run;

	if (r->io.direction != KVM_EXIT_IO_OUT || !r->io.count)
		return;
	if (r->io.port == VMM_PORT_PANIC && data[0] & 1)
		set_end(v, VMM_END_PANIC, "the guest panicked");
	else if (r->io.port == VMM_PORT_EXIT)
		set_end(v, VMM_END_EXIT, "the guest ended with code %u", data[0]);
}

static void handle_io(struct vmm_vcpu *v)
{
	struct kvm_run *r = v->run;
	uint64_t off = r->io.data_offset, n = (uint64_t)r->io.size * r->io.count;

	if (off > v->run_bytes || n > v->run_bytes - off)
		return;
	pthread_mutex_lock(&v->vm->lock); /* one console for all */
	int post = vmm_devices_io(&v->vm->dev, r->io.direction == KVM_EXIT_IO_OUT, r->io.port,
				  r->io.size, r->io.count, (uint8_t *)r + off);
	if (post >= 0) {
		v->posts[post >> 6 & 3] |= UINT64_C(1) << (post & 63);
		v->last_post = post;
		pthread_cond_broadcast(&v->vm->changed);
	}
	if (r->io.direction == KVM_EXIT_IO_OUT && r->io.port == VMM_PORT_RESULT && n == 4) {
		v->has_result = true;
		memcpy(&v->result, (const uint8_t *)r + off, 4);
		pthread_cond_broadcast(&v->vm->changed);
	}
	pthread_mutex_unlock(&v->vm->lock);
	hear_end(v, (const uint8_t *)r + off);
}

/* Documentation/virt/kvm/api.rst, KVM_EXIT_INTERNAL_ERROR: the bytes that KVM cannot emulate. */
static void internal_error(struct vmm_vcpu *v)
{
	const struct kvm_run *r = v->run;
	char hex[2 * sizeof(r->emulation_failure.insn_bytes) + 1] = "";
	size_t n = r->emulation_failure.insn_size;

	if (r->internal.suberror == KVM_INTERNAL_ERROR_EMULATION && r->internal.ndata >= 3 &&
	    r->emulation_failure.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES)
		for (size_t i = 0; i < n && i < sizeof(r->emulation_failure.insn_bytes); i++)
			snprintf(hex + 2 * i, 3, "%02x", r->emulation_failure.insn_bytes[i]);
	set_end(v, VMM_END_KVM_ERROR, "KVM internal error, suberror %u%s%s", r->internal.suberror,
		*hex ? ", instruction " : "", hex);
}

static void handle_exit(struct vmm_vcpu *v)
{
	struct kvm_run *r = v->run;

	switch (r->exit_reason) {
	case KVM_EXIT_IO:
		handle_io(v);
		break;
	case KVM_EXIT_MMIO:
		vmm_devices_mmio(r->mmio.is_write, r->mmio.data, r->mmio.len);
		break;
	case KVM_EXIT_INTR:
	case KVM_EXIT_IRQ_WINDOW_OPEN:
		break;
	case KVM_EXIT_SHUTDOWN:
		set_end(v, VMM_END_SHUTDOWN, "triple fault");
		break;
	case KVM_EXIT_FAIL_ENTRY:
		set_end(v, VMM_END_KVM_ERROR, "VM entry failed, hardware reason 0x%llx",
			(unsigned long long)r->fail_entry.hardware_entry_failure_reason);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		internal_error(v);
		break;
	case KVM_EXIT_DEBUG:
		vmm_vcpu_stepped(v);
		break;
	default:
		set_end(v, VMM_END_KVM_ERROR, "KVM exit %u, which nobody handles", r->exit_reason);
		break;
	}
}

/* KVM_RUN, recorded; 0 or errno. */
static int enter(struct vmm_vcpu *v)
{
	int e = ioctl(v->fd, KVM_RUN, 0) ? errno : 0;

	vmm_flight_exit(&v->flight, v->run, v->run_bytes, v->synced, e);
	return e;
}

/* Keep the page of this exit and that of the one before. */
static void keep_page(struct vmm_vcpu *v)
{
	uint8_t *oldest = v->run_before;
	const struct inq_snap_flight *r = vmm_flight_newest(&v->flight);

	v->run_before = v->run_seen;
	v->before_at = v->seen_at;
	v->run_seen = oldest;
	v->seen_at = (struct inq_snap_last_known){.nr = r->nr, .t_ns = r->t_ns};
	memcpy(v->run_seen, v->run, 4096);
}

static void run_once(struct vmm_vcpu *v)
{
	int e = enter(v);

	keep_page(v);
	if (!e)
		handle_exit(v);
	else if (e != EINTR && e != EAGAIN)
		set_end(v, VMM_END_KVM_ERROR, "KVM_RUN: %s", strerror(e));
}

/* Enter KVM_RUN only to complete the instruction of the last exit; a string I/O exits again. */
static void finish_io(struct vmm_vcpu *v)
{
	for (int i = 0; i < 64 && v->end == VMM_ALIVE; i++) {
		v->run->immediate_exit = 1;
		if (enter(v))
			break;
		keep_page(v);
		handle_exit(v);
	}
}

/* Under the lock. */
static bool must_park(const struct vmm_vcpu *v)
{
	const struct vmm_vm *vm = v->vm;

	return !vm->quit && (v->end != VMM_ALIVE || (vm->stop && !v->want_steps));
}

/* Under the lock, given up meanwhile. */
static void park(struct vmm_vcpu *v)
{
	struct vmm_vm *vm = v->vm;

	pthread_mutex_unlock(&vm->lock);
	finish_io(v);
	pthread_mutex_lock(&vm->lock);
	while (must_park(v)) {
		if (!v->parked) { /* again, when a stop came before it woke up from the last */
			v->parked = true;
			pthread_cond_broadcast(&vm->changed);
		}
		pthread_cond_wait(&vm->changed, &vm->lock);
	}
	v->parked = false;
}

/* Between two runs; false: quit.  Only here, and under the lock, immediate_exit is cleared. */
static bool take_orders(struct vmm_vcpu *v)
{
	struct vmm_vm *vm = v->vm;

	pthread_mutex_lock(&vm->lock);
	if (v->want_smi && !vm->stop) {
		v->want_smi = false;
		v->smi_error = vmm_flight_ioctl(&v->flight, v->fd, KVM_SMI, NULL) ? errno : 0;
		pthread_cond_broadcast(&vm->changed);
	}
	if (v->want_nmi && !vm->stop) {
		v->want_nmi = false;
		(void)vmm_flight_ioctl(&v->flight, v->fd, KVM_NMI, NULL);
	}
	if (v->want_sample)
		vmm_vcpu_sample(v);
	vmm_vcpu_set_stepping(v);
	if (must_park(v))
		park(v);
	vmm_vcpu_set_stepping(v);
	v->run->immediate_exit = 0;
	bool go_on = !vm->quit;
	pthread_mutex_unlock(&vm->lock);
	return go_on;
}

static void on_alarm(int sig)
{
	(void)sig; /* its arrival ends KVM_RUN */
}

bool vmm_vcpu_step(struct vmm_vcpu *v)
{
	const struct itimerval second = {.it_value = {.tv_sec = 1}}, never = {0};
	struct sigaction sa = {.sa_handler = on_alarm}, old;

	if (!vmm_vcpu_singlestep(v, true))
		return false;
	sigaction(SIGALRM, &sa, &old);
	setitimer(ITIMER_REAL, &second, NULL);
	int e = enter(v);
	setitimer(ITIMER_REAL, &never, NULL);
	sigaction(SIGALRM, &old, NULL);
	if (!e) {
		keep_page(v);
		handle_exit(v);
		finish_io(v);
	} else if (e != EINTR && e != EAGAIN) {
		set_end(v, VMM_END_KVM_ERROR, "KVM_RUN: %s", strerror(e));
	}
	v->run->immediate_exit = 0;
	return vmm_vcpu_singlestep(v, false) && !e;
}

void *vmm_vcpu_main(void *vcpu)
{
	struct vmm_vcpu *v = vcpu;

	while (take_orders(v))
		run_once(v);
	return NULL;
}
