/*
 * Knows the course of a run: start, wait for the guest's checkpoints, SMI, wait, stop, look whether
 * the guest really is where it should be, write.  A guest that dies on the way is written too.
 */
#include "vmm/run.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/scope.h"
#include "vmm/attend.h"
#include "vmm/out.h"
#include "vmm/produce.h"

INQ_DEFINE_SCOPE(struct vmm_plan, vmm_plan_destroy)
INQ_DEFINE_SCOPE(struct vmm_vm, vmm_vm_destroy)

enum { RFLAGS_IF = 0x200 };

/* A trigger fired, or somebody said quit. */
static bool is_over(const struct vmm_session *s)
{
	return s->fired || s->quit;
}

static enum inq_status interrupted(const struct vmm_session *s, struct inq_err *err)
{
	return inq_fail(err, INQ_EINTR, "%s: interrupted; nothing was written", s->r->snapshot);
}

/* Until that vCPU wrote the code to port 0x80; also returns when some vCPU died. */
static enum inq_status wait_post(struct vmm_session *s, unsigned cpu, int code, struct inq_err *err)
{
	uint64_t until = vmm_now_ns(CLOCK_MONOTONIC) + s->r->timeout_s * 1000000000u;
	struct vmm_vcpu *v = &s->vm->vcpu[cpu];
	enum inq_status st = INQ_OK;

	pthread_mutex_lock(&s->vm->lock);
	while (!vmm_vcpu_posted(v, code) && !(s->dead = vmm_vm_first_dead(s->vm)) && !is_over(s) &&
	       !st) {
		vmm_attend(s);
		if (v->smi_error)
			st = inq_fail(err, INQ_EIO, "/dev/kvm: vCPU %u: KVM_SMI: %s", cpu,
				      strerror(v->smi_error));
		else if (vmm_out_signal())
			st = interrupted(s, err);
		else if (!s->paused && !is_over(s) && vmm_now_ns(CLOCK_MONOTONIC) > until)
			st = inq_fail(err, INQ_EIO,
				      "%s: vCPU %u did not get to POST 0x%x, its last is 0x%x; "
				      "give more --timeout",
				      s->r->scenario->name, cpu, (unsigned)code,
				      v->last_post < 0 ? 0u : (unsigned)v->last_post);
	}
	pthread_mutex_unlock(&s->vm->lock);
	return st;
}

static int first_post(enum vmm_role role)
{
	return role == VMM_ROLE_COUNT  ? VMM_POST_COUNTING
	       : role == VMM_ROLE_HALT ? VMM_POST_HALTING
	       : role == VMM_ROLE_WORK ? VMM_POST_WORKING
				       : VMM_POST_TICKING;
}

static enum inq_status reach(struct vmm_session *s, struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	for (unsigned i = 0; i < s->plan->nr_vcpus && !st && !s->dead && !is_over(s); i++)
		st = wait_post(s, i, first_post(s->plan->cpu[i].role), err);
	if (st || s->dead || is_over(s) || !s->r->scenario->smm)
		return st;
	vmm_vm_inject(s->vm, s->plan->hit, VMM_INJECT_SMI);
	st = wait_post(s, s->plan->hit, VMM_POST_SMI, err);
	return st || s->dead || is_over(s) ? st : wait_post(s, s->plan->hit, VMM_POST_LOOP, err);
}

static bool in_smm(const struct vmm_session *s, unsigned cpu)
{
	return s->r->scenario->smm && cpu == s->plan->hit;
}

static uint64_t counter(const struct vmm_session *s, unsigned cpu)
{
	const uint8_t *at = vmm_memory_at(s->vm->mem, 0, s->plan->cpu[cpu].counter, 8);

	return at ? __atomic_load_n((const uint64_t *)(const void *)at, __ATOMIC_RELAXED) : 0;
}

/* Of the vCPUs that should go on counting, one whose counter is still what it was; -1: none. */
static int not_alive(const struct vmm_session *s, const uint64_t *before)
{
	for (unsigned i = 0; i < s->plan->nr_vcpus; i++)
		if (!in_smm(s, i) && s->plan->cpu[i].role != VMM_ROLE_HALT &&
		    !s->vm->vcpu[i].has_result && counter(s, i) == before[i])
			return (int)i;
	return -1;
}

/* --to-end: until each vCPU gave its result. */
static enum inq_status wait_results(struct vmm_session *s, struct inq_err *err)
{
	uint64_t until = vmm_now() + s->r->timeout_s * 1000000000u;
	enum inq_status st = INQ_OK;

	pthread_mutex_lock(&s->vm->lock);
	for (unsigned i = 0; i < s->vm->nr_vcpus && !st; i++)
		while (!s->vm->vcpu[i].has_result && !(s->dead = vmm_vm_first_dead(s->vm)) &&
		       !is_over(s) && !st) {
			vmm_attend(s);
			if (vmm_out_signal())
				st = interrupted(s, err);
			else if (!s->paused && !is_over(s) && vmm_now() > until)
				st = inq_fail(err, INQ_EIO,
					      "%s: vCPU %u gave no result; give more --timeout",
					      s->r->scenario->name, i);
		}
	pthread_mutex_unlock(&s->vm->lock);
	return st;
}

static enum inq_status too_late(const struct vmm_session *s, int still, struct inq_err *err)
{
	if (still >= 0)
		return inq_fail(err, INQ_EIO, "%s: vCPU %d does not count any more",
				s->r->scenario->name, still);
	return inq_fail(err, INQ_EIO,
			"%s: nothing fired, neither --hang nor --smm-limit; give more --timeout",
			s->r->scenario->name);
}

/* --after, and then until everybody who should live was seen to. */
static enum inq_status linger(struct vmm_session *s, struct inq_err *err)
{
	uint64_t before[VMM_MAX_VCPUS] = {0}, start = vmm_now_ns(CLOCK_MONOTONIC);
	enum inq_status st = INQ_OK;
	int still = -1;

	for (unsigned i = 0; i < s->plan->nr_vcpus; i++)
		before[i] = counter(s, i);
	pthread_mutex_lock(&s->vm->lock);
	while (!st && !(s->dead = vmm_vm_first_dead(s->vm)) && !is_over(s)) {
		uint64_t passed = vmm_now_ns(CLOCK_MONOTONIC) - start;

		still = not_alive(s, before);
		if (passed >= s->r->after_ms * 1000000u && still < 0 && !vmm_attend_waits(s))
			break;
		if (!s->control && passed > (s->r->after_ms / 1000 + s->r->timeout_s) * 1000000000u)
			st = too_late(s, still, err);
		else if (vmm_out_signal())
			st = interrupted(s, err);
		else
			vmm_attend(s);
	}
	pthread_mutex_unlock(&s->vm->lock);
	return st;
}

static enum inq_status check_vcpu(const struct vmm_session *s, unsigned i, struct inq_err *err)
{
	const struct vmm_state *q = &s->state[i];
	const struct vmm_plan *p = s->plan;
	uint64_t rip = 0;

	if (!vmm_state_rip(q, &rip))
		return inq_fail(err, INQ_EIO, "vCPU %u: KVM does not tell its registers", i);
	if (in_smm(s, i)) {
		if (!q->events.smi.smm)
			return inq_fail(err, INQ_EIO, "vCPU %u is not in SMM", i);
		if (rip < p->first || rip >= p->end)
			return inq_fail(err, INQ_EIO, "vCPU %u: rip 0x%" PRIx64 " left the loop", i,
					rip);
	} else if (p->cpu[i].role == VMM_ROLE_HALT) {
		if (q->mp.mp_state != KVM_MP_STATE_HALTED)
			return inq_fail(err, INQ_EIO, "vCPU %u is not halted, mp_state %u", i,
					q->mp.mp_state);
		if (q->regs.rflags & RFLAGS_IF)
			return inq_fail(err, INQ_EIO, "vCPU %u has interrupts on", i);
	}
	return INQ_OK;
}

static enum inq_status take_states(struct vmm_session *s, struct inq_err *err)
{
	enum inq_status st = vmm_attend_stop(s, err);

	for (unsigned i = 0; i < s->vm->nr_vcpus && !st && !s->dead && !s->fired; i++)
		st = check_vcpu(s, i, err);
	return st;
}

/* The guest's own end, a trigger, or the time that was given. */
static struct vmm_why why_now(const struct vmm_session *s)
{
	static const enum inq_snap_reason of_end[] = {
		[VMM_END_SHUTDOWN] = INQ_SNAP_WHY_SHUTDOWN,
		[VMM_END_PANIC] = INQ_SNAP_WHY_PANIC,
		[VMM_END_EXIT] = INQ_SNAP_WHY_EXIT,
		[VMM_END_KVM_ERROR] = INQ_SNAP_WHY_KVM_ERROR,
	};
	struct vmm_why why = {.reason = INQ_SNAP_WHY_COMMAND, .vcpu = INQ_SNAP_VM};

	if (s->dead) {
		why.reason = of_end[s->dead->end];
		why.vcpu = s->dead->index;
		snprintf(why.text, sizeof(why.text), "vCPU %u: %s", why.vcpu, s->dead->end_text);
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
	enum inq_status st = vmm_produce(s->vm, &s->vmstate, s->state, &why, &s->out, &done, err);
	if (st)
		return st;
	printf("%s: %" PRIu64 " bytes, %" PRIu64 " of them written, %" PRIu64 " of %" PRIu64
	       " pages are zero\n",
	       s->r->snapshot, done.file_bytes, done.written_bytes, done.zero_pages, done.pages);
	if (s->r->timing)
		printf("write_ns=%" PRIu64 "\nwritten_bytes=%" PRIu64 "\nfile_bytes=%" PRIu64 "\n",
		       vmm_now_ns(CLOCK_MONOTONIC) - start, done.written_bytes, done.file_bytes);
	if (s->fired)
		printf("%s\n", why.text);
	if (s->dead && s->dead->end != VMM_END_EXIT)
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
		printf("vcpu %u: rip 0x%" PRIx64 ", count %" PRIu64 "%s%s", i, rip, counter(s, i),
		       s->state[i].events.smi.smm ? ", in SMM" : "",
		       s->state[i].mp.mp_state == KVM_MP_STATE_HALTED ? ", halted" : "");
		if (v->has_result)
			printf(", result 0x%08" PRIx32, v->result);
		putchar('\n');
	}
}

static enum inq_status course(struct vmm_session *s, struct inq_err *err)
{
	enum inq_status st = vmm_vm_start(s->vm, err);

	if (!st)
		st = reach(s, err);
	if (!st && !s->dead && !is_over(s))
		st = s->r->to_end ? wait_results(s, err) : linger(s, err);
	if (!st && s->quit && !s->dead && !s->fired) {
		printf("quit\n");
		return INQ_OK;
	}
	if (!st)
		st = take_states(s, err);
	if (st)
		return st;
	if (s->r->scenario->open_gate)
		vmm_plan_gate_write(s->plan, s->vm->mem, s->plan->gate.open);
	report(s);
	return write_snapshot(s, err);
}

/* Open KVM and make the VM with its memory. */
static enum inq_status make_vm(const struct vmm_run *r, const struct vmm_plan *p,
			       struct vmm_vm **ret, struct inq_err *err)
{
	uint64_t smbase[VMM_MAX_VCPUS];
	struct vmm_memory *mem = NULL;
	struct vmm_caps caps;
	int kvm;
	enum inq_status st = vmm_caps_open(&kvm, &caps, err);

	if (st)
		return st;
	for (unsigned i = 0; i < p->nr_vcpus; i++)
		smbase[i] = p->cpu[i].smbase;
	st = vmm_caps_check(&caps, err);
	if (!st && r->scenario->smm && !vmm_caps_smm(&caps))
		st = inq_fail(err, INQ_EUNSUPPORTED,
			      "/dev/kvm: has no SMM, and %s needs it; use a kernel with "
			      "CONFIG_KVM_SMM or the svm testbed",
			      r->scenario->name);
	if (!st)
		st = vmm_memory_create(&mem, p->mib, smbase, p->nr_vcpus, vmm_caps_smm(&caps), err);
	if (!st && r->fill)
		vmm_memory_fill(mem, r->seed);
	if (!st)
		st = vmm_plan_install(p, mem, err);
	if (!st)
		return vmm_vm_create(ret, kvm, &caps, mem, p, err);
	vmm_memory_destroy(mem);
	close(kvm);
	return st;
}

static enum inq_status open_serial(const struct vmm_run *r, FILE **ret, struct inq_err *err)
{
	*ret = NULL;
	if (!r->serial)
		return INQ_OK;
	*ret = strcmp(r->serial, "-") ? fopen(r->serial, "we") : stdout;
	return *ret ? INQ_OK
		    : inq_fail(err, INQ_EUSAGE, "%s: %s; give another file for --serial", r->serial,
			       strerror(errno));
}

static enum inq_status run_with(const struct vmm_run *r, const struct vmm_plan *plan,
				struct vmm_out *out, struct vmm_control *control, FILE *serial,
				struct inq_err *err)
{
	INQ_SCOPED(vmm_vm_destroy_scope_) struct vmm_vm *vm = NULL;
	enum inq_status st = make_vm(r, plan, &vm, err);

	if (st)
		return st;
	vm->dev.serial = serial;
	vm->deep = r->trigger.hang || r->trigger.smm_limit;
	struct vmm_session s = {.r = r, .plan = plan, .vm = vm, .out = *out, .control = control};
	vmm_watch_init(&s.watch, &r->trigger, vmm_now());
	st = course(&s, err);
	*out = s.out;
	vmm_attend_forget(&s);
	return st;
}

enum inq_status vmm_run(const struct vmm_run *r, struct inq_err *err)
{
	INQ_SCOPED(vmm_plan_destroy_scope_) struct vmm_plan *plan = NULL;
	struct vmm_out out;
	struct vmm_control *control = NULL;
	FILE *serial = NULL;
	sigset_t held;
	enum inq_status st = vmm_plan_create(&plan, r->scenario, r->seed, r->nr_vcpus, r->mib, err);

	if (st)
		return st;
	sigemptyset(&held);
	sigaddset(&held, SIGINT);
	sigaddset(&held, SIGTERM);
	sigaddset(&held, SIGUSR1);               /* vmm_attend() */
	pthread_sigmask(SIG_BLOCK, &held, NULL); /* looked for by vmm_out_signal() */
	signal(SIGXFSZ, SIG_IGN);                /* EFBIG is enough */
	signal(SIGPIPE, SIG_IGN);
	st = vmm_out_open(&out, r->snapshot, err);
	if (st)
		return st;
	if (r->control)
		st = vmm_control_create(&control, r->control, err);
	if (!st)
		st = open_serial(r, &serial, err); /* empties an old log, hence not before */
	if (!st) {
		printf("%s: seed %" PRIu64 "%s, %u vCPUs, %" PRIu64 " MiB\n", r->scenario->name,
		       r->seed, r->fresh_seed ? " (drawn fresh)" : "", r->nr_vcpus, r->mib);
		st = run_with(r, plan, &out, control, serial, err);
	}
	vmm_control_destroy(control);
	vmm_out_close(&out);
	if (serial && serial != stdout && fclose(serial) && !st)
		st = inq_fail(err, INQ_EIO, "%s: %s; make room for the serial log", r->serial,
			      strerror(errno));
	return st;
}
