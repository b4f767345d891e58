/*
 * Knows how one vCPU's thread runs: between two KVM_RUNs it takes its orders (SMI, park, quit), and
 * before it parks it finishes pending I/O, because after an exit for I/O or MMIO the instruction is
 * only complete once KVM_RUN was entered again (api.rst, kvm_run).
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <unistd.h>

#include "vmm/ends.h"
#include "vmm/vm.h"
#include "vmm/writes.h"

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

/* Under the lock. */
static void note_posts(struct vmm_vcpu *v, const struct vmm_heard *h)
{
	for (unsigned i = 0; i < 4; i++)
		v->posts[i] |= h->posts[i];
	if (h->post)
		v->last_post = h->last_post;
	if (h->post && v->hold_post && v->hold_post == h->last_post && !v->held) {
		v->held = true;
		v->nr_steps = 0;
		v->want_steps = v->hold_steps;
	}
	if (h->result) {
		v->has_result = true;
		v->result = h->value;
	}
	if (h->post || h->result)
		pthread_cond_broadcast(&v->vm->changed);
}

static void hear_end(struct vmm_vcpu *v, const struct vmm_heard *h)
{
	v->exit_code = h->exit_code;
	if (h->exit_code >= 0)
		set_end(v, VMM_END_EXIT, "%s with code %d", h->end, h->exit_code);
	else
		set_end(v, h->panic ? VMM_END_PANIC : VMM_END_EXIT, "%s", h->end);
}

static void handle_io(struct vmm_vcpu *v)
{
	struct kvm_run *r = v->run;
	uint64_t off = r->io.data_offset, n = (uint64_t)r->io.size * r->io.count;

	if (off > v->run_bytes || n > v->run_bytes - off)
		return;
	pthread_mutex_lock(&v->vm->lock); /* the devices are one for all */
	struct vmm_heard h =
		vmm_devices_io(&v->vm->dev, r->io.direction == KVM_EXIT_IO_OUT, r->io.port,
			       r->io.size, r->io.count, (uint8_t *)r + off);
	note_posts(v, &h);
	pthread_mutex_unlock(&v->vm->lock);
	if (h.end)
		hear_end(v, &h);
}

static void handle_mmio(struct vmm_vcpu *v)
{
	struct kvm_run *r = v->run;

	if (r->mmio.len > sizeof(r->mmio.data))
		return;
	pthread_mutex_lock(&v->vm->lock);
	vmm_devices_mmio(&v->vm->dev, r->mmio.is_write, r->mmio.phys_addr, r->mmio.data,
			 r->mmio.len);
	pthread_mutex_unlock(&v->vm->lock);
}

/* KVM tells the instruction only when it could not emulate it; else memory may. */
static void internal_error(struct vmm_vcpu *v)
{
	const struct inq_snap_flight *last = vmm_flight_newest(&v->flight);
	uint8_t code[VMM_INSN_BYTES];
	char text[sizeof(v->end_text)];
	size_t n = 0;

	if (last->flags & INQ_FLIGHT_RIP)
		n = vmm_vcpu_code(v, last->rip, last->flags & INQ_FLIGHT_SMM, code);
	vmm_ends_internal(v->run, code, n, text, sizeof(text));
	set_end(v, VMM_END_KVM_ERROR, "%s", text);
}

static void fail_entry(struct vmm_vcpu *v)
{
	char text[sizeof(v->end_text)];

	vmm_ends_fail_entry(v->run, text, sizeof(text));
	set_end(v, VMM_END_FAIL_ENTRY, "%s", text);
}

static void handle_exit(struct vmm_vcpu *v)
{
	struct kvm_run *r = v->run;

	switch (r->exit_reason) {
	case KVM_EXIT_IO:
		handle_io(v);
		break;
	case KVM_EXIT_MMIO:
		if (v->vm->writes && vmm_writes_take(v->vm->writes, v))
			break;
		handle_mmio(v);
		break;
	case KVM_EXIT_INTR:
	case KVM_EXIT_IRQ_WINDOW_OPEN:
		break;
	case KVM_EXIT_SHUTDOWN:
		set_end(v, VMM_END_SHUTDOWN, "triple fault");
		break;
	case KVM_EXIT_FAIL_ENTRY:
		fail_entry(v);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		internal_error(v);
		break;
	case KVM_EXIT_DEBUG:
		if (v->vm->points)
			vmm_writes_hit(v->vm->writes, v);
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

/* By an instruction of its own, which is complete only after another entry. */
static bool ended_by_io(const struct vmm_vcpu *v)
{
	return v->end == VMM_END_EXIT || v->end == VMM_END_PANIC;
}

/* Enter KVM_RUN only to complete the instruction of the last exit; a string I/O exits again. */
static void finish_io(struct vmm_vcpu *v)
{
	for (int i = 0; i < 64 && (v->end == VMM_ALIVE || ended_by_io(v)); i++) {
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

	return !vm->quit && (v->end != VMM_ALIVE || ((vm->stop || v->held) && !v->want_steps));
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

	v->tid = gettid();
	while (take_orders(v))
		run_once(v);
	return NULL;
}

bool vmm_vcpu_tsc_offset(const struct vmm_vcpu *v, unsigned long request, uint64_t *offset)
{
	struct kvm_device_attr attr = {
		.group = KVM_VCPU_TSC_CTRL, .attr = KVM_VCPU_TSC_OFFSET, .addr = (uintptr_t)offset};

	errno = ENXIO;
	return v->vm->caps.value[VMM_CAP_VCPU_ATTRIBUTES] && !ioctl(v->fd, request, &attr);
}
