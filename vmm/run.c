/*
 * Knows the course of a run, whatever the guest: load, start, wait until the guest is due, stop,
 * look whether it is where it should be, write.  One that dies on the way is written too.
 */
#include "vmm/run.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/scope.h"
#include "snap/out.h"
#include "vmm/attend.h"
#include "vmm/block.h"
#include "vmm/console.h"
#include "vmm/produce.h"
#include "vmm/tables.h"
#include "vmm/trace.h"
#include "vmm/writes.h"

INQ_DEFINE_SCOPE(struct vmm_guest, vmm_guest_destroy)
INQ_DEFINE_SCOPE(struct vmm_vm, vmm_vm_destroy)
INQ_DEFINE_SCOPE(struct vmm_writes, vmm_writes_destroy)

static enum inq_status take_states(struct vmm_session *s, struct inq_err *err)
{
	/* before the stop, so that state and memory are both those after the last step */
	if (s->fired && s->r->step_stuck && s->why.vcpu < s->vm->nr_vcpus)
		vmm_vm_step(s->vm, s->why.vcpu, (uint32_t)s->r->step_stuck);
	enum inq_status st = s->r->live ? vmm_live_start(&s->live, s->vm, &s->out, err) : INQ_OK;

	if (!st)
		st = vmm_attend_stop(s, err);
	for (unsigned i = 0;
	     i < s->vm->nr_vcpus && !st && !s->dead && !s->fired && s->guest->ops->check; i++)
		st = s->guest->ops->check(s->guest, s, i, err);
	return st;
}

/* The guest's own end, a trigger, or the time that was given. */
static struct vmm_why why_now(const struct vmm_session *s)
{
	struct vmm_why why = {.reason = INQ_SNAP_WHY_COMMAND, .vcpu = INQ_SNAP_VM};

	if (s->dead) {
		vmm_why_ended(&why, s->dead);
	} else if (s->fired) {
		why = s->why;
	} else {
		snprintf(why.text, sizeof(why.text), "asked for, after %" PRIu64 " ms",
			 s->r->after_ms);
	}
	why.t_realtime_ns = s->t_realtime_ns;
	why.t_monotonic_ns = s->t_monotonic_ns;
	return why;
}

static enum inq_status write_snapshot(struct vmm_session *s, struct inq_err *err)
{
	struct vmm_snapshot_done done;
	uint64_t start = vmm_now_ns(CLOCK_MONOTONIC);
	struct vmm_why why = why_now(s);
	const struct vmm_moment at = {&s->vmstate, s->state, &why, s->live};
	enum inq_status st = vmm_produce(s->vm, &at, &s->out, &done, err);

	s->pause_ns = vmm_now() - s->t_monotonic_ns;
	if (!st)
		st = snap_out_commit(&s->out, err);
	if (st)
		return st;
	printf("%s: %" PRIu64 " bytes, %" PRIu64 " of them written, %" PRIu64 " of %" PRIu64
	       " pages are zero\n",
	       s->r->snapshot, done.file_bytes, done.written_bytes, done.zero_pages, done.pages);
	if (s->r->timing)
		printf("write_ns=%" PRIu64 "\npause_ns=%" PRIu64 "\nwritten_bytes=%" PRIu64
		       "\nfile_bytes=%" PRIu64 "\n",
		       vmm_now_ns(CLOCK_MONOTONIC) - start, s->pause_ns, done.written_bytes,
		       done.file_bytes);
	if (s->fired)
		printf("%s\n", why.text);
	if (s->dead && s->dead->exit_code >= 0 && s->r->ret_code)
		*s->r->ret_code = s->dead->exit_code;
	if (s->dead && s->dead->end != VMM_END_EXIT &&
	    !(s->guest->dies && s->dead->end == VMM_END_SHUTDOWN))
		return inq_fail(err, INQ_EIO, "vCPU %u: %s; its snapshot is in %s", s->dead->index,
				s->dead->end_text, s->r->snapshot);
	return INQ_OK;
}

static void report(const struct vmm_session *s)
{
	for (unsigned i = 0; i < s->nr_states; i++) {
		const struct vmm_vcpu *v = &s->vm->vcpu[i];
		uint64_t rip = 0;

		if (!vmm_state_rip(&s->state[i], &rip))
			continue;
		printf("vcpu %u: rip 0x%" PRIx64, i, rip);
		if (s->guest->ops->report)
			s->guest->ops->report(s->guest, s, i, stdout);
		printf("%s%s", s->state[i].events.smi.smm ? ", in SMM" : "",
		       s->state[i].mp.mp_state == KVM_MP_STATE_HALTED ? ", halted" : "");
		if (v->has_result)
			printf(", result 0x%08" PRIx32, v->result);
		putchar('\n');
	}
}

static enum inq_status watch_points(struct vmm_vm *vm, struct inq_err *err)
{
	for (unsigned i = 0; i < vm->nr_vcpus && vm->points; i++) {
		const struct kvm_guest_debug d = vm->vcpu[i].debug;

		if (!vmm_vcpu_set_debug(&vm->vcpu[i], &d))
			return inq_fail(err, INQ_EUNSUPPORTED,
					"--watchpoint: KVM takes none: %s; give --watch GPA "
					"instead",
					strerror(errno));
	}
	return INQ_OK;
}

static enum inq_status course(struct vmm_session *s, struct inq_err *err)
{
	enum inq_status st = watch_points(s->vm, err);

	if (!st)
		st = vmm_vm_start(s->vm, err);
	if (!st)
		st = s->guest->ops->course(s->guest, s, err);
	if (!st && s->quit && !s->dead && !s->fired) {
		printf("quit\n");
		return INQ_OK;
	}
	if (!st)
		st = take_states(s, err);
	if (st)
		return st;
	if (s->guest->ops->finish)
		s->guest->ops->finish(s->guest, s->vm->mem);
	report(s);
	return write_snapshot(s, err);
}

/* Open KVM and make the VM with its memory. */
static enum inq_status make_vm(const struct vmm_run *r, struct vmm_guest *g, struct vmm_vm **ret,
			       struct vmm_writes **ret_writes, struct inq_err *err)
{
	struct vmm_memory *mem = NULL;
	struct vmm_caps caps;
	int kvm;
	enum inq_status st = vmm_caps_open(&kvm, &caps, err);

	if (st)
		return st;
	st = vmm_caps_check(&caps, err);
	if (!st && g->ops->need)
		st = g->ops->need(g, &caps, err);
	if (!st)
		st = g->ops->load(g, &caps, &mem, err);
	if (!st && r->points.nr)
		st = vmm_watchpoints_test(kvm, err);
	if (!st && (r->watch.nr || r->points.nr))
		st = vmm_writes_create(ret_writes, kvm, mem, &r->watch, err);
	if (!st)
		return vmm_vm_create(ret, kvm, &caps, mem, g, err);
	vmm_memory_destroy(mem);
	close(kvm);
	return st;
}

/* Whoever writes that POST code, instead of where the scenario would have it. */
static void hold_at(struct vmm_vm *vm, int post)
{
	for (unsigned i = 0; i < vm->nr_vcpus; i++) {
		vm->vcpu[i].hold_post = post;
		vm->vcpu[i].hold_steps = 0;
	}
}

static enum inq_status run_with(const struct vmm_run *r, struct vmm_guest *guest,
				struct snap_out *out, struct vmm_control *control,
				struct vmm_console *console, struct inq_err *err)
{
	INQ_SCOPED(vmm_writes_destroy_scope_)
	struct vmm_writes *writes = NULL; /* outlives threads */
	INQ_SCOPED(vmm_vm_destroy_scope_) struct vmm_vm *vm = NULL;
	enum inq_status st = make_vm(r, guest, &vm, &writes, err);

	if (st)
		return st;
	vm->want_virtual = r->want_virtual;
	vm->format = r->format;
	if (guest->tables)
		vmm_tables_copy(vm->mem, &vm->tables);
	vm->writes = writes;
	vm->points = r->points.nr ? &r->points : NULL;
	vm->deep = r->trigger.hang || r->trigger.smm_limit;
	struct vmm_session s = {.r = r, .guest = guest, .vm = vm, .out = *out, .control = control};
	struct vmm_triggers trigger = r->trigger;
	if (trigger.on_post)
		hold_at(vm, (int)trigger.on_post);
	if (!trigger.smi_every)
		trigger.smi_every = guest->smi_every;
	vmm_watch_init(&s.watch, &trigger, vmm_now());
	if (!r->no_trace)
		st = vmm_trace_create(&vm->trace, err);
	if (!st && r->sampler.ms)
		st = vmm_sampler_create(&vm->sampler, &r->sampler, vm, err);
	if (!st && r->disk)
		st = vmm_block_open(&vm->disk, r->disk, err);
	if (!st)
		st = vmm_virtio_attach(&vm->dev.virtio, vm->disk, false, err);
	if (!st)
		st = vmm_console_attach(console, vm, err);
	if (!st)
		st = course(&s, err);
	vmm_console_detach(console);
	*out = s.out;
	vmm_attend_forget(&s);
	vmm_live_destroy(s.live);
	vmm_sampler_destroy(vm->sampler);
	vmm_trace_destroy(vm->trace);
	return st;
}

static enum inq_status open_console(const struct vmm_run *r, struct vmm_console **ret,
				    struct inq_err *err)
{
	char disk[PATH_MAX] = "";
	const char *others[5], **to = others;

	if (r->disk)
		vmm_block_path(r->disk, disk, sizeof(disk));
	*to++ = r->snapshot;
	*to++ = disk;
	if (r->boot.kernel)
		*to++ = r->boot.kernel;
	if (r->boot.kernel && r->boot.initrd)
		*to++ = r->boot.initrd;
	*to = NULL;
	return vmm_console_open(ret, r->serial, others, err);
}

enum inq_status vmm_run(const struct vmm_run *r, struct inq_err *err)
{
	INQ_SCOPED(vmm_guest_destroy_scope_) struct vmm_guest *guest = NULL;
	struct snap_out out;
	struct vmm_control *control = NULL;
	struct vmm_console *console = NULL;
	enum inq_status st = r->scenario ? vmm_guest_of_scenario(&guest, r, err)
					 : vmm_guest_of_image(&guest, r, err);

	if (st)
		return st;
	snap_out_hold_signals();
	st = snap_out_open(&out, r->snapshot, err);
	if (st)
		return st;
	if (r->cpuid)
		guest->cpuid = r->cpuid;
	if (r->control)
		st = vmm_control_create(&control, r->control, err);
	if (!st)
		st = open_console(r, &console, err); /* empties an old log, hence not before */
	if (!st) {
		guest->ops->print(guest, stdout);
		fflush(stdout); /* before anything of the guest's, and for who reads along */
		st = run_with(r, guest, &out, control, console, err);
	}
	vmm_control_destroy(control);
	snap_out_close(&out);
	enum inq_status closed = vmm_console_close(console, st ? NULL : err);
	return st ? st : closed;
}
