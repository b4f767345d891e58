/*
 * Knows when a vCPU counts as stuck.  A loop that serves its interrupts is busy, not stuck; so
 * every look asks whether an interrupt could be taken at all (RFLAGS.IF, SMM) or waits in vain
 * (LAPIC timer's vector in IRR).
 */
#include "vmm/watch.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { RANGE = 512, LOOKS = 8, LOOKS_PER_LIMIT = 16 };
#define MS UINT64_C(1000000)

static uint64_t period(const struct vmm_triggers *t)
{
	uint64_t least =
		t->hang && (!t->smm_limit || t->hang < t->smm_limit) ? t->hang : t->smm_limit;
	uint64_t ns = least * MS / LOOKS_PER_LIMIT;

	return ns < MS ? MS : ns > 1000 * MS ? 1000 * MS : ns;
}

void vmm_watch_init(struct vmm_watch *w, const struct vmm_triggers *t, uint64_t now)
{
	*w = (struct vmm_watch){.t = *t, .next_look = now + period(t)};
	w->next_smi = now + t->smi_every * MS;
	w->next_nmi = now + t->nmi_every * MS;
}

void vmm_watch_reset(struct vmm_watch *w, uint64_t now)
{
	memset(w->cpu, 0, sizeof(w->cpu));
	w->from = now;
}

static bool is_smm_too_long(const struct vmm_watch *w, struct vmm_watch_cpu *c,
			    const struct vmm_look *look)
{
	bool same = c->in_smm && (!look->smi_count_known || look->smi_count == c->smi_count);

	c->in_smm = look->rip.flags & INQ_FLIGHT_SMM;
	c->smi_count = look->smi_count;
	if (!c->in_smm || !same)
		c->smm_since = look->rip.t_ns;
	return w->t.smm_limit && c->in_smm && look->rip.t_ns - c->smm_since >= w->t.smm_limit * MS;
}

static bool is_deaf(const struct vmm_look *look)
{
	return look->intr_off || look->timer_pending || look->rip.flags & INQ_FLIGHT_SMM;
}

static bool is_stuck(const struct vmm_watch *w, struct vmm_watch_cpu *c,
		     const struct vmm_look *look)
{
	const struct inq_snap_rip *r = &look->rip;

	if (!(r->flags & INQ_FLIGHT_RIP) || r->flags & INQ_FLIGHT_HALTED || !is_deaf(look)) {
		c->n = 0;
		return false;
	}
	uint64_t low = c->n && c->low < r->rip ? c->low : r->rip;
	uint64_t high = c->n && c->high > r->rip ? c->high : r->rip;

	if (!c->n || high - low > RANGE) {
		c->n = 0;
		low = high = r->rip;
		c->since = r->t_ns;
	}
	c->low = low;
	c->high = high;
	c->n++;
	return w->t.hang && c->n >= LOOKS && r->t_ns - c->since >= w->t.hang * MS;
}

enum vmm_fired vmm_watch_feed(struct vmm_watch *w, unsigned cpu, const struct vmm_look *look)
{
	struct vmm_watch_cpu *c = &w->cpu[cpu];

	if (look->rip.t_ns < w->from)
		return VMM_FIRED_NOT;
	bool smm = is_smm_too_long(w, c, look), stuck = is_stuck(w, c, look);

	return smm ? VMM_FIRED_SMM : stuck ? VMM_FIRED_HANG : VMM_FIRED_NOT;
}

static void say(const struct vmm_watch *w, unsigned cpu, enum vmm_fired fired,
		const struct vmm_look *look, struct vmm_why *why)
{
	const struct vmm_watch_cpu *c = &w->cpu[cpu];

	why->vcpu = cpu;
	if (fired == VMM_FIRED_SMM) {
		why->reason = INQ_SNAP_WHY_SMM;
		snprintf(why->text, sizeof(why->text),
			 "vCPU %u: in SMM for more than %" PRIu64 " ms", cpu, w->t.smm_limit);
		return;
	}
	why->reason = INQ_SNAP_WHY_HANG;
	snprintf(why->text, sizeof(why->text),
		 "vCPU %u: rip between 0x%" PRIx64 " and 0x%" PRIx64 " for %" PRIu64 " ms, %s", cpu,
		 c->low, c->high, w->t.hang,
		 look->rip.flags & INQ_FLIGHT_SMM ? "in SMM"
		 : look->intr_off                 ? "interrupts off"
						  : "timer interrupt pending");
}

static void storm(struct vmm_watch *w, struct vmm_vm *vm, uint64_t now)
{
	bool smi = w->t.smi_every && now >= w->next_smi;
	bool nmi = w->t.nmi_every && now >= w->next_nmi;

	if (smi) {
		vmm_vm_inject(vm, VMM_ALL_VCPUS, VMM_INJECT_SMI);
		w->next_smi = now + w->t.smi_every * MS;
	}
	if (nmi) {
		vmm_vm_inject(vm, VMM_ALL_VCPUS, VMM_INJECT_NMI);
		w->next_nmi = now + w->t.nmi_every * MS;
	}
}

/* Does one stand still at the POST code that was asked for? */
static bool is_held(const struct vmm_watch *w, struct vmm_vm *vm, struct vmm_why *why)
{
	unsigned i = 0;

	pthread_mutex_lock(&vm->lock);
	while (i < vm->nr_vcpus && !vm->vcpu[i].held)
		i++;
	pthread_mutex_unlock(&vm->lock);
	if (i == vm->nr_vcpus)
		return false;
	why->reason = INQ_SNAP_WHY_COMMAND;
	why->vcpu = i;
	snprintf(why->text, sizeof(why->text), "vCPU %u: POST code 0x%" PRIx64, i, w->t.on_post);
	return true;
}

bool vmm_watch_poll(struct vmm_watch *w, struct vmm_vm *vm, struct vmm_why *why)
{
	uint64_t now = vmm_now();

	storm(w, vm, now);
	if (w->t.on_post && is_held(w, vm, why))
		return true;
	if ((!w->t.hang && !w->t.smm_limit) || now < w->next_look)
		return false;
	(void)vmm_vm_sample(vm); /* one that does not come is not fed */
	w->next_look = vmm_now() + period(&w->t);
	for (unsigned i = 0; i < vm->nr_vcpus; i++) {
		pthread_mutex_lock(&vm->lock);
		struct vmm_look look = vm->vcpu[i].look;
		uint64_t nr = vm->vcpu[i].nr_samples;
		pthread_mutex_unlock(&vm->lock);

		if (nr == w->cpu[i].nr_seen)
			continue;
		w->cpu[i].nr_seen = nr;
		enum vmm_fired fired = vmm_watch_feed(w, i, &look);
		if (fired) {
			say(w, i, fired, &look, why);
			return true;
		}
	}
	return false;
}

static void sooner(uint64_t at, uint64_t now, uint64_t *most)
{
	uint64_t left = at > now ? at - now : 0;

	if (left < *most)
		*most = left;
}

uint64_t vmm_watch_idle(const struct vmm_watch *w, uint64_t most)
{
	uint64_t now = vmm_now();

	if (w->t.hang || w->t.smm_limit)
		sooner(w->next_look, now, &most);
	if (w->t.smi_every)
		sooner(w->next_smi, now, &most);
	if (w->t.nmi_every)
		sooner(w->next_nmi, now, &most);
	return most;
}
