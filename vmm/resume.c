/*
 * Knows the course of a resume: build the VM from the snapshot, step, run, stop, write the next
 * snapshot.  What the guest is, nobody knows here: nothing in a snapshot says so.
 */
#include "vmm/resume.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "base/scope.h"
#include "snap/out.h"
#include "vmm/attend.h"
#include "vmm/block.h"
#include "vmm/console.h"
#include "vmm/load.h"
#include "vmm/produce.h"
#include "vmm/restore.h"
#include "vmm/trace.h"

INQ_DEFINE_SCOPE(struct vmm_load, vmm_load_close)
INQ_DEFINE_SCOPE(struct vmm_vm, vmm_vm_destroy)

enum { RFLAGS_IF = 0x200, INSN_BYTES = 8 };

struct session {
	const struct vmm_resume *r;
	const struct vmm_load *load;
	struct vmm_run run; /* what attending needs to know of a run */
	struct vmm_session v;
	bool writes, started; /* a snapshot at the end; the vCPUs have threads */
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
	size_t have = code_at(s->v.vm, v, q.cs.base + r.rip, code);
	printf("step %" PRIu64 ": vcpu %u: rip 0x%" PRIx64 ":", n, v->index,
	       (uint64_t)(q.cs.base + r.rip));
	for (size_t i = 0; i < have; i++)
		printf(" %02x", code[i]);
	putchar('\n');
}

static enum inq_status step(struct session *s, struct inq_err *err)
{
	struct vmm_vcpu *v = &s->v.vm->vcpu[s->r->step_vcpu];

	for (uint64_t n = 1; n <= s->r->steps && v->end == VMM_ALIVE; n++) {
		if (snap_out_signal())
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
static bool all_done(struct vmm_session *v, void *arg)
{
	const struct session *s = arg;
	bool any = false;

	for (unsigned i = 0; i < v->vm->nr_vcpus; i++) {
		if (!v->vm->vcpu[i].has_result && !was_over(s->load, i))
			return false;
		any |= v->vm->vcpu[i].has_result;
	}
	return any && !vmm_attend_waits(v);
}

/* Until its time is over, all have their results, one died, a trigger fired, or somebody said quit.
 */
static enum inq_status go_on(struct session *s, struct inq_err *err)
{
	const struct vmm_resume *r = s->r;
	uint64_t until = r->timed ? vmm_now() + r->for_ms * 1000000u : UINT64_MAX;
	struct vmm_vm *vm = s->v.vm;
	bool late;

	vm->deep = r->trigger.hang || r->trigger.smm_limit;
	enum inq_status st = r->no_trace ? INQ_OK : vmm_trace_create(&vm->trace, err);
	if (!st)
		st = vmm_vm_start(vm, err);
	if (st)
		return st;
	s->started = true;
	vmm_watch_init(&s->v.watch, &r->trigger, vmm_now());
	return vmm_attend_until(&s->v, all_done, s, until, &late, err);
}

static struct vmm_why why_now(const struct session *s)
{
	struct vmm_why why = {.reason = INQ_SNAP_WHY_COMMAND, .vcpu = INQ_SNAP_VM};

	if (s->v.dead)
		vmm_why_ended(&why, s->v.dead);
	else if (s->v.fired)
		why = s->v.why;
	else
		snprintf(why.text, sizeof(why.text), "asked for, after resume");
	why.t_realtime_ns = s->v.t_realtime_ns;
	why.t_monotonic_ns = s->v.t_monotonic_ns;
	return why;
}

static void report(const struct vmm_session *s)
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

static enum inq_status write_snapshot(struct session *s, struct inq_err *err)
{
	struct vmm_session *v = &s->v;
	struct vmm_snapshot_done done;
	struct vmm_why why = why_now(s);
	const struct vmm_moment at = {&v->vmstate, v->state, &why, NULL};
	enum inq_status st = vmm_produce(v->vm, &at, &v->out, &done, err);

	if (!st)
		st = snap_out_commit(&v->out, err);
	if (!st)
		printf("%s: %" PRIu64 " bytes, %" PRIu64 " of them written\n", s->r->snapshot,
		       done.file_bytes, done.written_bytes);
	if (!st && v->fired)
		printf("%s\n", why.text);
	return st;
}

static enum inq_status finish(struct session *s, struct inq_err *err)
{
	struct vmm_session *v = &s->v;

	v->paused = v->paused || !s->started; /* who does not run leaves no samples */
	enum inq_status st = vmm_attend_stop(v, err);
	if (st)
		return st;
	report(v);
	if (s->writes)
		st = write_snapshot(s, err);
	if (st || !v->dead)
		return st;
	if (v->dead->end != VMM_END_EXIT)
		return inq_fail(err, INQ_EIO, "vCPU %u: %s", v->dead->index, v->dead->end_text);
	printf("vCPU %u: %s\n", v->dead->index, v->dead->end_text);
	if (v->dead->exit_code >= 0)
		*s->r->ret_code = v->dead->exit_code;
	return INQ_OK;
}

/* The disk and the other end of the serial port. */
static enum inq_status attach(const struct vmm_resume *r, struct vmm_vm *vm,
			      struct vmm_console *console, struct inq_err *err)
{
	enum inq_status st = r->disk ? vmm_block_open(&vm->disk, r->disk, err) : INQ_OK;

	if (!st)
		st = vmm_virtio_attach(&vm->dev.virtio, vm->disk, r->force, err);
	return st ? st : vmm_console_attach(console, vm, err);
}

static enum inq_status steps_and_time(struct session *s, struct inq_err *err)
{
	const struct vmm_resume *r = s->r;
	enum inq_status st = step(s, err);

	s->v.dead = vmm_vm_first_dead(s->v.vm);
	if (!st && !s->v.dead && !(r->timed && !r->for_ms))
		st = go_on(s, err);
	if (!st && s->v.quit && !s->v.dead && !s->v.fired) {
		printf("quit\n");
		return INQ_OK;
	}
	return st ? st : finish(s, err);
}

/* out: where the snapshot at the end goes; NULL: there is none. */
static enum inq_status course(const struct vmm_resume *r, struct snap_out *out,
			      struct vmm_control *control, struct vmm_console *console,
			      struct inq_err *err)
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
	struct session s = {.r = r, .load = load, .writes = out};
	s.run = (struct vmm_run){.snapshot = r->snapshot ? r->snapshot : r->path,
				 .trigger = r->trigger};
	s.v = (struct vmm_session){.r = &s.run, .vm = vm, .control = control};
	if (out)
		s.v.out = *out;
	vm->format = r->format;
	printf("%s: %u vCPUs\n", r->path, vm->nr_vcpus);
	st = attach(r, vm, console, err);
	if (!st)
		st = steps_and_time(&s, err);
	vmm_console_detach(console);
	if (out)
		*out = s.v.out;
	vmm_attend_forget(&s.v);
	vmm_trace_destroy(vm->trace);
	return st;
}

static enum inq_status open_console(const struct vmm_resume *r, struct vmm_console **ret,
				    struct inq_err *err)
{
	char disk[PATH_MAX] = "";
	const char *others[] = {r->path, disk, r->snapshot, NULL};

	if (r->disk)
		vmm_block_path(r->disk, disk, sizeof(disk));
	return vmm_console_open(ret, r->serial, others, err);
}

enum inq_status vmm_resume(const struct vmm_resume *r, struct inq_err *err)
{
	struct vmm_console *console = NULL;
	struct vmm_control *control = NULL;
	struct snap_out out;
	enum inq_status st = INQ_OK;

	snap_out_hold_signals();
	if (r->snapshot)
		st = snap_out_open(&out, r->snapshot, err);
	if (st)
		return st;
	if (r->control)
		st = vmm_control_create(&control, r->control, err);
	if (!st)
		st = open_console(r, &console, err);
	if (!st)
		st = course(r, r->snapshot ? &out : NULL, control, console, err);
	vmm_control_destroy(control);
	if (r->snapshot)
		snap_out_close(&out);
	enum inq_status closed = vmm_console_close(console, st ? NULL : err);
	return st ? st : closed;
}
