/*
 * Knows the course of a scenario: wait for its checkpoints, SMI, wait, linger, and look whether the
 * guest really is where it should be.
 */
#include "vmm/guest.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "vmm/attend.h"
#include "vmm/scenarios/setup.h"

enum { RFLAGS_IF = 0x200 };

struct scenario_guest {
	struct vmm_guest base;
	struct vmm_plan *plan;
	const struct vmm_run *r;
};

static const struct scenario_guest *own(const struct vmm_guest *g)
{
	return (const struct scenario_guest *)g;
}

static void print(const struct vmm_guest *g, FILE *to)
{
	const struct vmm_run *r = own(g)->r;

	fprintf(to, "%s: seed %" PRIu64 "%s, %u vCPUs, %" PRIu64 " MiB\n", g->name, r->seed,
		r->seed_given ? "" : " (drawn fresh)", g->nr_vcpus, r->mib);
}

static enum inq_status need_nested(const struct vmm_guest *g, const struct vmm_caps *caps,
				   struct inq_err *err)
{
	if (own(g)->plan->nested && !caps->value[VMM_CAP_NESTED])
		return inq_fail(err, INQ_EUNSUPPORTED,
				"/dev/kvm: tells no nested state, and %s needs it; load its module "
				"with nested=1 or use the svm testbed",
				g->name);
	return INQ_OK;
}

static enum inq_status need(const struct vmm_guest *g, const struct vmm_caps *caps,
			    struct inq_err *err)
{
	const struct vmm_scenario *s = own(g)->plan->scenario;

	if ((s->smm || s->storm) && !vmm_caps_smm(caps))
		return inq_fail(err, INQ_EUNSUPPORTED,
				"/dev/kvm: has no SMM, and %s needs it; use a kernel with "
				"CONFIG_KVM_SMM or the svm testbed",
				g->name);
	return need_nested(g, caps, err);
}

static enum inq_status load(struct vmm_guest *g, const struct vmm_caps *caps,
			    struct vmm_memory **ret, struct inq_err *err)
{
	const struct scenario_guest *s = own(g);
	const struct vmm_plan *p = s->plan;
	uint64_t smbase[VMM_MAX_VCPUS];
	struct vmm_memory *mem = NULL;

	for (unsigned i = 0; i < p->nr_vcpus; i++)
		smbase[i] = p->cpu[i].smbase;
	enum inq_status st =
		vmm_memory_create(&mem, p->mib, smbase, p->nr_vcpus, vmm_caps_smm(caps), err);
	if (st)
		return st;
	if (s->r->fill)
		vmm_memory_fill(mem, s->r->seed);
	st = vmm_plan_install(p, mem, err);
	if (st)
		vmm_memory_destroy(mem);
	else
		*ret = mem;
	return st;
}

static enum inq_status setup(const struct vmm_guest *g, struct vmm_vcpu *v,
			     const struct kvm_cpuid2 *cpuid, struct inq_err *err)
{
	return vmm_plan_setup(own(g)->plan, v, cpuid, err);
}

/* A vCPU, and what it must have done. */
struct goal {
	struct vmm_vcpu *v;
	int code, other; /* one of both; .other 0: that one */
};

static bool has_posted(struct vmm_session *s, void *arg)
{
	const struct goal *q = arg;

	(void)s;
	return vmm_vcpu_posted(q->v, q->code) || (q->other && vmm_vcpu_posted(q->v, q->other)) ||
	       q->v->smi_error;
}

/* Until that vCPU wrote the code to port 0x80; also returns when some vCPU died. */
static enum inq_status wait_either(struct vmm_session *s, unsigned cpu, int code, int other,
				   struct inq_err *err)
{
	struct goal q = {&s->vm->vcpu[cpu], code, other};
	bool late = false;
	enum inq_status st = vmm_attend_until(
		s, has_posted, &q, vmm_now() + s->r->timeout_s * 1000000000u, &late, err);

	if (!st && q.v->smi_error)
		return inq_fail(err, INQ_EIO, "/dev/kvm: vCPU %u: KVM_SMI: %s", cpu,
				strerror(q.v->smi_error));
	if (!st && late)
		return inq_fail(err, INQ_EIO,
				"%s: vCPU %u did not get to POST 0x%x, its last is 0x%x; give more "
				"--timeout",
				s->guest->name, cpu, (unsigned)code,
				q.v->last_post < 0 ? 0u : (unsigned)q.v->last_post);
	return st;
}

static enum inq_status wait_post(struct vmm_session *s, unsigned cpu, int code, struct inq_err *err)
{
	return wait_either(s, cpu, code, 0, err);
}

/* 0: it says nothing by itself. */
static int first_post(enum vmm_role role)
{
	static const int post[] = {
		[VMM_ROLE_COUNT] = VMM_POST_COUNTING,
		[VMM_ROLE_HIT] = VMM_POST_COUNTING,
		[VMM_ROLE_HALT] = VMM_POST_HALTING,
		[VMM_ROLE_IDLE] = VMM_POST_TICKING,
		[VMM_ROLE_WORK] = VMM_POST_WORKING,
		[VMM_ROLE_STUCK] = VMM_POST_STUCK,
		[VMM_ROLE_TRAPPED] = 0,
	};

	return post[role];
}

/* Has no reason to stop counting. */
static bool lives(enum vmm_role role)
{
	return role != VMM_ROLE_HALT && role != VMM_ROLE_STUCK && role != VMM_ROLE_HIT;
}

/* The scenario's own steps. */
static enum inq_status follow(const struct vmm_plan *p, struct vmm_session *s, struct inq_err *err)
{
	const struct vmm_scenario_step *q = p->scenario->steps;
	enum inq_status st = INQ_OK;

	for (; q->what != VMM_STEP_END && !st && !vmm_attend_over(s); q++)
		if (q->what == VMM_STEP_NMI)
			vmm_vm_inject(s->vm, p->hit, VMM_INJECT_NMI);
		else
			st = wait_either(s, p->hit, q->post, q->other, err);
	return st;
}

static bool gets_smi(const struct vmm_plan *p, unsigned cpu)
{
	return p->scenario->smm && (p->scenario->meet ? cpu != p->other : cpu == p->hit);
}

static enum inq_status send_smis(const struct vmm_plan *p, struct vmm_session *s,
				 struct inq_err *err)
{
	int last = p->scenario->returns ? VMM_POST_LEFT : VMM_POST_LOOP;
	enum inq_status st = INQ_OK;

	for (unsigned i = 0; i < p->nr_vcpus; i++)
		if (gets_smi(p, i))
			vmm_vm_inject(s->vm, i, VMM_INJECT_SMI);
	for (unsigned i = 0; i < p->nr_vcpus && !st && !vmm_attend_over(s); i++) {
		if (!gets_smi(p, i))
			continue;
		st = wait_post(s, i, VMM_POST_SMI, err);
		if (!st && !vmm_attend_over(s))
			st = wait_post(s, i, last, err);
	}
	return st;
}

static enum inq_status reach(const struct vmm_plan *p, struct vmm_session *s, struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	for (unsigned i = 0; i < p->nr_vcpus && !st && !vmm_attend_over(s); i++)
		if (first_post(p->cpu[i].role))
			st = wait_post(s, i, first_post(p->cpu[i].role), err);
	if (!st && p->scenario->steps)
		st = follow(p, s, err);
	if (st || vmm_attend_over(s) || !p->scenario->smm)
		return st;
	return send_smis(p, s, err);
}

static bool in_smm(const struct vmm_plan *p, unsigned cpu)
{
	return gets_smi(p, cpu) && !p->scenario->returns;
}

static uint64_t counter(const struct vmm_plan *p, const struct vmm_session *s, unsigned cpu)
{
	const uint8_t *at = vmm_memory_at(s->vm->mem, 0, p->cpu[cpu].counter, 8);

	return at ? __atomic_load_n((const uint64_t *)(const void *)at, __ATOMIC_RELAXED) : 0;
}

/* What lingering looks at. */
struct life {
	const struct vmm_plan *plan;
	uint64_t before[VMM_MAX_VCPUS], after; /* counters; the time that must pass */
	int still;                             /* a vCPU that does not count any more; -1: none */
};

/* Of the vCPUs that should go on counting, one whose counter is still what it was; -1: none. */
static int not_alive(const struct life *l, const struct vmm_session *s)
{
	const struct vmm_plan *p = l->plan;

	for (unsigned i = 0; i < p->nr_vcpus; i++)
		if (!in_smm(p, i) && lives(p->cpu[i].role) && !s->vm->vcpu[i].has_result &&
		    counter(p, s, i) == l->before[i])
			return (int)i;
	return -1;
}

static bool has_lived(struct vmm_session *s, void *arg)
{
	struct life *l = arg;

	l->still = not_alive(l, s);
	return vmm_now() >= l->after && l->still < 0 && !vmm_attend_waits(s);
}

static enum inq_status too_late(const struct vmm_session *s, int still, struct inq_err *err)
{
	if (still >= 0)
		return inq_fail(err, INQ_EIO, "%s: vCPU %d does not count any more", s->guest->name,
				still);
	return inq_fail(err, INQ_EIO,
			"%s: nothing fired, neither --hang nor --smm-limit; give more --timeout",
			s->guest->name);
}

/* --after, and then until everybody who should live was seen to. */
static enum inq_status linger(const struct vmm_plan *p, struct vmm_session *s, struct inq_err *err)
{
	struct life l = {.plan = p, .after = vmm_now() + s->r->after_ms * 1000000u, .still = -1};
	uint64_t until = s->control ? UINT64_MAX : l.after + s->r->timeout_s * 1000000000u;
	bool late = false;

	for (unsigned i = 0; i < p->nr_vcpus; i++)
		l.before[i] = counter(p, s, i);
	enum inq_status st = vmm_attend_until(s, has_lived, &l, until, &late, err);
	return !st && late ? too_late(s, l.still, err) : st;
}

static bool has_result(struct vmm_session *s, void *arg)
{
	const struct goal *q = arg;

	(void)s;
	return q->v->has_result;
}

/* --to-end: until each vCPU gave its result. */
static enum inq_status wait_results(struct vmm_session *s, struct inq_err *err)
{
	uint64_t until = vmm_now() + s->r->timeout_s * 1000000000u;
	enum inq_status st = INQ_OK;
	bool late = false;

	for (unsigned i = 0; i < s->vm->nr_vcpus && !st && !vmm_attend_over(s); i++) {
		struct goal q = {.v = &s->vm->vcpu[i]};

		st = vmm_attend_until(s, has_result, &q, until, &late, err);
		if (!st && late)
			return inq_fail(err, INQ_EIO,
					"%s: vCPU %u gave no result; give more --timeout",
					s->guest->name, i);
	}
	return st;
}

static enum inq_status course(const struct vmm_guest *g, struct vmm_session *s, struct inq_err *err)
{
	const struct vmm_plan *p = own(g)->plan;
	enum inq_status st = reach(p, s, err);

	if (st || vmm_attend_over(s))
		return st;
	return s->r->to_end ? wait_results(s, err) : linger(p, s, err);
}

static bool in_its_loop(const struct vmm_plan *p, unsigned cpu, uint64_t rip)
{
	const struct vmm_code *c = &p->cpu[cpu].handler;

	return cpu == p->hit
		       ? rip >= p->first && rip < p->end
		       : rip >= vmm_code_mark(c, VMM_M_FIRST) && rip < vmm_code_mark(c, VMM_M_END);
}

static enum inq_status check(const struct vmm_guest *g, const struct vmm_session *s, unsigned i,
			     struct inq_err *err)
{
	const struct vmm_state *q = &s->state[i];
	const struct vmm_plan *p = own(g)->plan;
	uint64_t rip = 0;

	if (p->scenario->dies && i == p->hit)
		return inq_fail(err, INQ_EIO, "vCPU %u should have died and did not", i);
	if (!vmm_state_rip(q, &rip))
		return inq_fail(err, INQ_EIO, "vCPU %u: KVM does not tell its registers", i);
	if (in_smm(p, i)) {
		if (!q->events.smi.smm)
			return inq_fail(err, INQ_EIO, "vCPU %u is not in SMM", i);
		if (!in_its_loop(p, i, rip))
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

static void report(const struct vmm_guest *g, const struct vmm_session *s, unsigned i, FILE *to)
{
	fprintf(to, ", count %" PRIu64, counter(own(g)->plan, s, i));
}

static void finish(const struct vmm_guest *g, struct vmm_memory *mem)
{
	const struct vmm_plan *p = own(g)->plan;

	if (p->scenario->open_gate)
		vmm_plan_gate_write(p, mem, p->gate.open);
}

static void destroy(struct vmm_guest *g)
{
	vmm_plan_destroy(own(g)->plan);
	free(g);
}

static const struct vmm_guest_ops ops = {
	.print = print,
	.need = need,
	.load = load,
	.setup = setup,
	.course = course,
	.check = check,
	.report = report,
	.finish = finish,
	.destroy = destroy,
};

enum inq_status vmm_guest_of_scenario(struct vmm_guest **ret, const struct vmm_run *r,
				      struct inq_err *err)
{
	struct scenario_guest *g = calloc(1, sizeof(*g));

	if (!g)
		return inq_fail(err, INQ_ENOMEM, "the guest");
	g->base = (struct vmm_guest){&ops, r->scenario->name, r->nr_vcpus};
	g->base.dies = r->scenario->dies;
	g->base.cpuid = r->scenario->cpuid;
	g->r = r;
	enum inq_status st =
		vmm_plan_create(&g->plan, r->scenario, r->seed, r->nr_vcpus, r->mib, err);
	if (st) {
		free(g);
		return st;
	}
	g->base.tables = g->plan->mptable;
	g->base.smi_every = g->plan->smi_every;
	*ret = &g->base;
	return INQ_OK;
}
