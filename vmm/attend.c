/*
 * Knows what can be asked of a guest while it runs.  Everything happens on the thread of the run,
 * one thing after the other: a snapshot never overlaps another, a pause never a look.
 */
#include "vmm/attend.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SLICE_NS = 100000000, CONTROL_SLICE_NS = 10000000, MAX_REQUESTS = 16 };

static uint64_t realtime_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

bool vmm_attend_waits(const struct vmm_session *s)
{
	return s->control || s->r->trigger.hang || s->r->trigger.smm_limit || s->r->trigger.on_post;
}

enum inq_status vmm_attend_stop(struct vmm_session *s, struct inq_err *err)
{
	if (!s->paused)
		vmm_vm_rips(s->vm); /* of a paused guest: those of the pause */
	enum inq_status st = vmm_vm_stop(s->vm, err);

	s->t_realtime_ns = realtime_ns();
	s->t_monotonic_ns = vmm_now();
	if (!st)
		vmm_vmstate_take(&s->vmstate, s->vm);
	for (unsigned i = 0; i < s->vm->nr_vcpus && !st; i++) {
		st = vmm_state_take(&s->state[i], &s->vm->vcpu[i], err);
		s->nr_states += !st;
	}
	return st;
}

void vmm_attend_forget(struct vmm_session *s)
{
	for (unsigned i = 0; i < s->nr_states; i++)
		vmm_state_deinit(&s->state[i]);
	s->nr_states = 0;
}

static void go_on(struct vmm_session *s)
{
	vmm_vm_go(s->vm);
	vmm_watch_reset(&s->watch, vmm_now());
	s->paused = false;
}

/* A snapshot after which the guest goes on, unless it was paused before. */
static enum inq_status side_snapshot(struct vmm_session *s, const char *path, const char *text,
				     struct vmm_snapshot_done *ret, struct inq_err *err)
{
	struct vmm_why why = {.reason = INQ_SNAP_WHY_COMMAND, .vcpu = INQ_SNAP_VM};
	struct snap_out out;
	bool paused = s->paused;
	enum inq_status st = snap_out_open(&out, path, err);

	if (st)
		return st;
	if (s->r->live)
		st = vmm_live_start(&s->live, s->vm, &out, err);
	if (!st)
		st = vmm_attend_stop(s, err);
	snprintf(why.text, sizeof(why.text), "%s", text);
	why.t_realtime_ns = s->t_realtime_ns;
	why.t_monotonic_ns = s->t_monotonic_ns;
	const struct vmm_moment at = {&s->vmstate, s->state, &why, s->live};
	if (!st)
		st = vmm_produce(s->vm, &at, &out, ret, err);
	vmm_attend_forget(s);
	s->pause_ns = vmm_now() - s->t_monotonic_ns;
	if (!paused)
		go_on(s);
	vmm_live_destroy(s->live);
	s->live = NULL;
	if (!st)
		st = snap_out_commit(&out, err);
	snap_out_close(&out);
	return st;
}

static void on_signal(struct vmm_session *s)
{
	const struct timespec now = {0};
	struct vmm_snapshot_done done;
	struct inq_err err = {0};
	char path[4096];
	sigset_t usr1;

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	if (sigtimedwait(&usr1, NULL, &now) != SIGUSR1)
		return;
	int n = snprintf(path, sizeof(path), "%s.%u", s->r->snapshot, ++s->nr_signals);
	if (n < 0 || (size_t)n >= sizeof(path))
		return;
	if (side_snapshot(s, path, "asked for, by SIGUSR1", &done, &err))
		printf("SIGUSR1: %s\n", err.msg);
	else
		printf("SIGUSR1: %s: %" PRIu64 " bytes, paused for %" PRIu64 " us\n", path,
		       done.file_bytes, s->pause_ns / 1000);
	fflush(stdout);
}

static void do_snapshot(struct vmm_session *s, const struct vmm_request *q)
{
	struct vmm_snapshot_done done;
	struct inq_err err = {0};
	char text[64];

	if (side_snapshot(s, q->file, "asked for, on the control socket", &done, &err)) {
		vmm_control_refuse(s->control, err.msg);
		return;
	}
	snprintf(text, sizeof(text), "\"bytes\":%" PRIu64 ",\"paused_us\":%" PRIu64,
		 done.file_bytes, s->pause_ns / 1000);
	vmm_control_done(s->control, text);
}

static void do_pause(struct vmm_session *s)
{
	struct inq_err err = {0};

	if (!s->paused) {
		vmm_vm_rips(s->vm);
		if (vmm_vm_stop(s->vm, &err)) {
			vmm_vm_go(s->vm);
			vmm_control_refuse(s->control, err.msg);
			return;
		}
		s->paused = true;
	}
	vmm_control_done(s->control, "\"paused\":true");
}

static void do_inject(struct vmm_session *s, const struct vmm_request *q)
{
	bool smi = q->verb == VMM_VERB_SMI;

	if (smi && !vmm_caps_smm(&s->vm->caps)) {
		vmm_control_refuse(s->control, "this KVM has no SMM");
		return;
	}
	vmm_vm_inject(s->vm, q->vcpu_given ? q->vcpu : VMM_ALL_VCPUS,
		      smi ? VMM_INJECT_SMI : VMM_INJECT_NMI);
	vmm_control_done(s->control, s->paused ? "\"pending\":true" : "");
}

/* An exception goes into a vCPU that stands still. */
static void do_injection(struct vmm_session *s, const struct vmm_injection *q)
{
	bool stop = q->what == VMM_INJECTED_EXCEPTION && !s->paused, taken = false;
	struct inq_err err = {0};
	enum inq_status st = stop ? vmm_vm_stop(s->vm, &err) : INQ_OK;

	if (!st)
		st = vmm_inject_now(s->vm, q, &taken, &err);
	if (stop)
		go_on(s);
	if (st)
		vmm_control_refuse(s->control, err.msg);
	else
		vmm_control_done(s->control, taken ? "\"taken\":true" : "\"taken\":false");
}

static void print_steps(const struct vmm_vcpu *v, uint32_t wanted, FILE *to)
{
	fprintf(to, "\"vcpu\":%u,\"wanted\":%" PRIu32 ",\"steps\":[", v->index, wanted);
	for (uint32_t i = 0; i < v->nr_steps; i++) {
		const struct vmm_step *p = &v->step[i];

		fprintf(to, "%s{\"rip\":\"0x%" PRIx64 "\",\"smm\":%s,\"bytes\":\"", i ? "," : "",
			p->rip, p->smm ? "true" : "false");
		for (unsigned b = 0; b < p->nr_bytes; b++)
			fprintf(to, "%02x", p->bytes[b]);
		fputs("\"}", to);
	}
	fputs("]", to);
}

/* Fewer steps than wanted are no error: a halted vCPU makes none. */
static void do_step(struct vmm_session *s, const struct vmm_request *q)
{
	char *text = NULL;
	size_t n = 0;

	vmm_vm_step(s->vm, q->vcpu, q->n);
	FILE *f = open_memstream(&text, &n);
	if (f)
		print_steps(&s->vm->vcpu[q->vcpu], q->n, f);
	if (!f || fclose(f))
		vmm_control_refuse(s->control, "out of memory");
	else
		vmm_control_done(s->control, text);
	free(text);
	vmm_watch_reset(&s->watch, vmm_now());
}

static void serve(struct vmm_session *s, const struct vmm_request *q)
{
	switch (q->verb) {
	case VMM_VERB_SNAPSHOT:
		do_snapshot(s, q);
		break;
	case VMM_VERB_PAUSE:
		do_pause(s);
		break;
	case VMM_VERB_RESUME:
		if (s->paused)
			go_on(s);
		vmm_control_done(s->control, "\"paused\":false");
		break;
	case VMM_VERB_NMI:
	case VMM_VERB_SMI:
		do_inject(s, q);
		break;
	case VMM_VERB_STEP:
		do_step(s, q);
		break;
	case VMM_VERB_INJECT:
		do_injection(s, &q->inject);
		break;
	case VMM_VERB_QUIT:
		s->quit = true;
		vmm_control_done(s->control, "");
		break;
	}
}

static uint64_t slice_ns(const struct vmm_session *s)
{
	uint64_t most = s->control ? CONTROL_SLICE_NS : SLICE_NS;

	if (s->paused)
		return most;
	most = vmm_watch_idle(&s->watch, most);
	if (s->vm->sampler) {
		uint64_t due = vmm_sampler_due(s->vm->sampler), now = vmm_now();

		most = due <= now ? 0 : due - now < most ? due - now : most;
	}
	return most;
}

void vmm_attend(struct vmm_session *s)
{
	struct vmm_vm *vm = s->vm;
	struct vmm_request q;

	pthread_mutex_unlock(&vm->lock);
	on_signal(s);
	for (int i = 0; i < MAX_REQUESTS && s->control && !s->quit &&
			vmm_control_next(s->control, vm->nr_vcpus, &q);
	     i++)
		serve(s, &q);
	if (!s->paused && !s->fired)
		s->fired = vmm_watch_poll(&s->watch, vm, &s->why);
	if (!s->paused && !s->fired && vm->sampler)
		vmm_sampler_poll(vm->sampler, vm);
	pthread_mutex_lock(&vm->lock);
	if (s->fired || s->quit)
		return;
	uint64_t until = vmm_now() + slice_ns(s);
	struct timespec t = {(time_t)(until / 1000000000u), (long)(until % 1000000000u)};
	pthread_cond_timedwait(&vm->changed, &vm->lock, &t);
}

bool vmm_attend_over(const struct vmm_session *s)
{
	return s->dead || s->fired || s->quit;
}

enum inq_status vmm_attend_until(struct vmm_session *s,
				 bool (*done)(struct vmm_session *s, void *arg), void *arg,
				 uint64_t until, bool *ret_late, struct inq_err *err)
{
	enum inq_status st = INQ_OK;
	bool late = false;

	pthread_mutex_lock(&s->vm->lock);
	while (!st && !late && !(s->dead = vmm_vm_first_dead(s->vm)) && !vmm_attend_over(s) &&
	       !done(s, arg)) {
		vmm_attend(s);
		if (snap_out_signal())
			st = inq_fail(err, INQ_EINTR, "%s: interrupted; nothing was written",
				      s->r->snapshot);
		else
			late = !s->paused && !vmm_attend_over(s) && vmm_now() > until;
	}
	late = late && !s->dead && !done(s, arg);
	pthread_mutex_unlock(&s->vm->lock);
	*ret_late = late;
	return st;
}
