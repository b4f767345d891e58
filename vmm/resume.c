/*
 * Knows the course of a resume: build the VM from the snapshot, step, run, stop, write the next
 * snapshot.  What the guest is, nobody knows here: nothing in a snapshot says so.
 */
#include "vmm/resume.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "base/scope.h"
#include "vmm/console.h"
#include "vmm/load.h"
#include "vmm/out.h"
#include "vmm/produce.h"
#include "vmm/restore.h"

INQ_DEFINE_SCOPE(struct vmm_load, vmm_load_close)
INQ_DEFINE_SCOPE(struct vmm_vm, vmm_vm_destroy)

enum { RFLAGS_IF = 0x200, SLICE_NS = 100000000, INSN_BYTES = 8 };

struct session {
	const struct vmm_resume *r;
	const struct vmm_load *load;
	struct vmm_vm *vm;
	struct vmm_out *out; /* NULL: no snapshot */
	struct vmm_vmstate vmstate;
	struct vmm_state state[VMM_MAX_VCPUS];
	unsigned nr_states;
	const struct vmm_vcpu *dead; /* the first that ended by itself */
	struct vmm_why why;
};

/* Up to INSN_BYTES bytes at a linear address as that vCPU sees it. */
static size_t code_at(const struct vmm_vm *vm, const struct vmm_vcpu *v, uint64_t linear,
		      uint8_t *to)
{
	struct kvm_vcpu_events events = {0};
	size_t n = 0;

	(void)ioctl(v->fd, KVM_GET_VCPU_EVENTS, &events);
	for (; n < INSN_BYTES; n++) {
		struct kvm_translation t = {.linear_address = linear + n};
		const uint8_t *p = NULL;

		if (!ioctl(v->fd, KVM_TRANSLATE, &t) && t.valid)
			p = vmm_memory_at(vm->mem, events.smi.smm != 0, t.physical_address, 1);
		if (!p)
			break;
		to[n] = *p;
	}
	return n;
}

static void print_step(const struct session *s, const struct vmm_vcpu *v, uint64_t n)
{
	struct kvm_sregs q = {0};
	struct kvm_regs r = {0};
	uint8_t code[INSN_BYTES];

	if (ioctl(v->fd, KVM_GET_REGS, &r) || ioctl(v->fd, KVM_GET_SREGS, &q))
		return;
	size_t have = code_at(s->vm, v, q.cs.base + r.rip, code);
	printf("step %" PRIu64 ": vcpu %u: rip 0x%" PRIx64 ":", n, v->index,
	       (uint64_t)(q.cs.base + r.rip));
	for (size_t i = 0; i < have; i++)
		printf(" %02x", code[i]);
	putchar('\n');
}

static enum inq_status step(struct session *s, struct inq_err *err)
{
	struct vmm_vcpu *v = &s->vm->vcpu[s->r->step_vcpu];

	for (uint64_t n = 1; n <= s->r->steps && v->end == VMM_ALIVE; n++) {
		if (vmm_out_signal())
			return inq_fail(err, INQ_EINTR, "%s: interrupted", s->r->path);
		if (!vmm_vcpu_step(v)) {
			printf("step %" PRIu64 ": vcpu %u does not get on\n", n, v->index);
			break;
		}
		print_step(s, v, n);
	}
	return INQ_OK;
}

/* Was that vCPU halted with interrupts off when the snapshot was taken? */
static bool was_over(const struct vmm_load *l, unsigned vcpu)
{
	const struct vmm_load_note *m = vmm_load_note(l, vcpu, INQ_SNAP_MP_STATE),
				   *r = vmm_load_note(l, vcpu, INQ_SNAP_REGS);
	uint32_t mp;
	struct kvm_regs regs;

	if (!m || m->n < sizeof(mp) || !r || r->n < sizeof(regs))
		return false;
	memcpy(&mp, m->p, sizeof(mp));
	memcpy(&regs, r->p, sizeof(regs));
	return mp == KVM_MP_STATE_HALTED && !(regs.rflags & RFLAGS_IF);
}

/* Every vCPU gave its result, or had nothing more to do; at least one gave it. */
static bool all_done(const struct session *s)
{
	bool any = false;

	for (unsigned i = 0; i < s->vm->nr_vcpus; i++) {
		if (!s->vm->vcpu[i].has_result && !was_over(s->load, i))
			return false;
		any |= s->vm->vcpu[i].has_result;
	}
	return any;
}

/* Under the lock: until something changed or `until`, but not for long. */
static void wait_slice(struct vmm_vm *vm, uint64_t until)
{
	uint64_t now = vmm_now_ns(CLOCK_MONOTONIC),
		 to = now + SLICE_NS < until ? now + SLICE_NS : until;
	struct timespec t = {(time_t)(to / 1000000000u), (long)(to % 1000000000u)};

	pthread_cond_timedwait(&vm->changed, &vm->lock, &t);
}

/* Until its time is over, all have their results, or one died. */
static enum inq_status go_on(struct session *s, struct inq_err *err)
{
	const struct vmm_resume *r = s->r;
	uint64_t until = r->timed ? vmm_now_ns(CLOCK_MONOTONIC) + r->for_ms * 1000000u : UINT64_MAX;
	enum inq_status st = vmm_vm_start(s->vm, err);

	if (st)
		return st;
	pthread_mutex_lock(&s->vm->lock);
	while (!st && !vmm_vm_first_dead(s->vm) && !all_done(s) &&
	       vmm_now_ns(CLOCK_MONOTONIC) < until) {
		wait_slice(s->vm, until);
		if (vmm_out_signal())
			st = inq_fail(err, INQ_EINTR, "%s: interrupted", r->path);
	}
	pthread_mutex_unlock(&s->vm->lock);
	return st;
}

static enum inq_status take_states(struct session *s, struct inq_err *err)
{
	enum inq_status st = vmm_vm_stop(s->vm, err);

	s->why = (struct vmm_why){.reason = INQ_SNAP_WHY_COMMAND,
				  .vcpu = INQ_SNAP_VM,
				  .t_realtime_ns = vmm_now_ns(CLOCK_REALTIME),
				  .t_monotonic_ns = vmm_now_ns(CLOCK_MONOTONIC)};
	if (!st)
		vmm_vmstate_take(&s->vmstate, s->vm);
	for (unsigned i = 0; i < s->vm->nr_vcpus && !st; i++) {
		st = vmm_state_take(&s->state[i], &s->vm->vcpu[i], err);
		s->nr_states += !st;
	}
	s->dead = vmm_vm_first_dead(s->vm);
	if (s->dead) {
		vmm_why_ended(&s->why, s->dead);
	} else {
		snprintf(s->why.text, sizeof(s->why.text), "asked for, after resume");
	}
	return st;
}

static void report(const struct session *s)
{
	for (unsigned i = 0; i < s->nr_states; i++) {
		const struct vmm_vcpu *v = &s->vm->vcpu[i];
		uint64_t rip = 0;

		if (!vmm_state_rip(&s->state[i], &rip))
			continue;
		printf("vcpu %u: rip 0x%" PRIx64 "%s%s", i, rip,
		       s->state[i].events.smi.smm ? ", in SMM" : "",
		       s->state[i].mp.mp_state == KVM_MP_STATE_HALTED ? ", halted" : "");
		if (v->last_post >= 0)
			printf(", post 0x%x", (unsigned)v->last_post);
		if (v->has_result)
			printf(", result 0x%08x", v->result);
		putchar('\n');
	}
}

static enum inq_status finish(struct session *s, struct inq_err *err)
{
	struct vmm_snapshot_done done;
	enum inq_status st = take_states(s, err);

	if (st)
		return st;
	report(s);
	if (s->out) {
		st = vmm_produce(s->vm, &s->vmstate, s->state, &s->why, NULL, s->out, &done, err);
		if (!st)
			st = vmm_out_commit(s->out, err);
		if (st)
			return st;
		printf("%s: %" PRIu64 " bytes, %" PRIu64 " of them written\n", s->r->snapshot,
		       done.file_bytes, done.written_bytes);
	}
	if (!s->dead)
		return INQ_OK;
	if (s->dead->end != VMM_END_EXIT)
		return inq_fail(err, INQ_EIO, "vCPU %u: %s", s->dead->index, s->dead->end_text);
	printf("vCPU %u: %s\n", s->dead->index, s->dead->end_text);
	if (s->dead->exit_code >= 0)
		*s->r->ret_code = s->dead->exit_code;
	return INQ_OK;
}

static enum inq_status course(const struct vmm_resume *r, struct vmm_out *out,
			      struct vmm_console *console, struct inq_err *err)
{
	INQ_SCOPED(vmm_load_close_scope_) struct vmm_load *load = NULL;
	INQ_SCOPED(vmm_vm_destroy_scope_) struct vmm_vm *vm = NULL;
	enum inq_status st = vmm_load_open(&load, r->path, err);

	if (!st && r->steps && r->step_vcpu >= load->header.nr_vcpus)
		st = inq_fail(err, INQ_EUSAGE, "%s: it has no vCPU %u", r->path, r->step_vcpu);
	if (!st)
		st = vmm_restore(load, r->force, &vm, err);
	if (st)
		return st;
	struct session s = {.r = r, .load = load, .vm = vm, .out = out};
	vm->format = r->format;
	printf("%s: %u vCPUs\n", r->path, vm->nr_vcpus);
	if (r->disk)
		st = vmm_block_open(&vm->disk, r->disk, err);
	if (!st)
		st = vmm_virtio_attach(&vm->dev.virtio, vm->disk, r->force, err);
	if (!st)
		st = vmm_console_attach(console, vm, err);
	if (!st)
		st = step(&s, err);
	if (!st && !vmm_vm_first_dead(vm) && !(r->timed && !r->for_ms))
		st = go_on(&s, err);
	if (!st)
		st = finish(&s, err);
	vmm_console_detach(console);
	for (unsigned i = 0; i < s.nr_states; i++)
		vmm_state_deinit(&s.state[i]);
	return st;
}

static void hold_signals(void)
{
	sigset_t held;

	sigemptyset(&held);
	sigaddset(&held, SIGINT);
	sigaddset(&held, SIGTERM);
	sigaddset(&held, SIGUSR1);               /* nobody asks for a snapshot in between */
	pthread_sigmask(SIG_BLOCK, &held, NULL); /* looked for by vmm_out_signal() */
	signal(SIGXFSZ, SIG_IGN);                /* EFBIG is enough */
	signal(SIGPIPE, SIG_IGN);
}

enum inq_status vmm_resume(const struct vmm_resume *r, struct inq_err *err)
{
	struct vmm_console *console = NULL;
	struct vmm_out out;
	enum inq_status st = INQ_OK;

	hold_signals();
	if (r->snapshot)
		st = vmm_out_open(&out, r->snapshot, err);
	if (st)
		return st;
	st = vmm_console_open(&console, r->serial, err);
	if (!st)
		st = course(r, r->snapshot ? &out : NULL, console, err);
	if (r->snapshot)
		vmm_out_close(&out);
	enum inq_status closed = vmm_console_close(console, st ? NULL : err);
	return st ? st : closed;
}
