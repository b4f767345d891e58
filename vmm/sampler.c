/*
 * Knows the twin of a snapshot: two pictures are kept and the older one is told, so that it is
 * never younger than the time between them.  Each vCPU's own thread takes its part, between two
 * KVM_RUNs.
 */
#include "vmm/sampler.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

struct picture {
	uint64_t t_ns; /* 0: none yet */
	struct vmm_twin *cpu;
	uint8_t *words; /* one behind the other */
};

struct vmm_sampler {
	struct vmm_sampler_options o;
	uint64_t next_ns;
	unsigned nr_vcpus;
	struct picture kept[2]; /* older, newer */
};

_Static_assert(sizeof(struct inq_snap_words) == 16, "no padding in the file format");
_Static_assert(sizeof(struct inq_snap_word) == 16, "no padding in the file format");

static size_t words_bytes(const struct vmm_sampler_options *o)
{
	size_t n = 0;

	for (unsigned i = 0; i < o->word.nr; i++)
		n += o->word.at[i].bytes;
	return n;
}

enum inq_status vmm_sampler_create(struct vmm_sampler **ret, const struct vmm_sampler_options *o,
				   const struct vmm_vm *vm, struct inq_err *err)
{
	for (unsigned i = 0; i < o->word.nr; i++)
		if (!vmm_memory_at(vm->mem, 0, o->word.at[i].gpa, o->word.at[i].bytes))
			return inq_fail(err, INQ_EUSAGE,
					"--word 0x%llx: no memory of the guest lies there; give "
					"a guest-physical address",
					(unsigned long long)o->word.at[i].gpa);
	struct vmm_sampler *p = calloc(1, sizeof(*p));
	if (!p)
		return inq_fail(err, INQ_ENOMEM, "sampler");
	p->o = *o;
	p->nr_vcpus = vm->nr_vcpus;
	p->next_ns = vmm_now() + o->ms * 1000000u;
	for (unsigned i = 0; i < 2; i++) {
		p->kept[i].cpu = calloc(vm->nr_vcpus, sizeof(*p->kept[i].cpu));
		p->kept[i].words = calloc(1, words_bytes(o) + 1);
		if (!p->kept[i].cpu || !p->kept[i].words) {
			vmm_sampler_destroy(p);
			return inq_fail(err, INQ_ENOMEM, "sampler");
		}
	}
	*ret = p;
	return INQ_OK;
}

void vmm_sampler_destroy(struct vmm_sampler *p)
{
	if (!p)
		return;
	for (unsigned i = 0; i < 2; i++) {
		free(p->kept[i].cpu);
		free(p->kept[i].words);
	}
	free(p);
}

uint64_t vmm_sampler_due(const struct vmm_sampler *p)
{
	return p->next_ns;
}

void vmm_sampler_take(struct vmm_vcpu *v, struct vmm_twin *to)
{
	*to = (struct vmm_twin){.rip = v->look.rip};
	to->has_regs = !ioctl(v->fd, KVM_GET_REGS, &to->regs);
	to->has_sregs = !ioctl(v->fd, KVM_GET_SREGS, &to->sregs);
	to->has_lapic = !ioctl(v->fd, KVM_GET_LAPIC, &to->lapic);
	to->has_mp = !ioctl(v->fd, KVM_GET_MP_STATE, &to->mp);
	to->has_events = v->vm->caps.value[VMM_CAP_VCPU_EVENTS] &&
			 !ioctl(v->fd, KVM_GET_VCPU_EVENTS, &to->events);
}

void vmm_sampler_poll(struct vmm_sampler *p, struct vmm_vm *vm)
{
	struct picture oldest = p->kept[0];
	uint8_t *to = oldest.words;

	if (vmm_now() < p->next_ns)
		return;
	memset(oldest.cpu, 0, p->nr_vcpus * sizeof(*oldest.cpu));
	vm->twin = oldest.cpu;
	(void)vmm_vm_sample(vm); /* one that does not come has no picture */
	pthread_mutex_lock(&vm->lock);
	vm->twin = NULL;
	pthread_mutex_unlock(&vm->lock);
	oldest.t_ns = vmm_now();
	for (unsigned i = 0; i < p->o.word.nr; i++) {
		size_t n = p->o.word.at[i].bytes;

		memcpy(to, vmm_memory_at(vm->mem, 0, p->o.word.at[i].gpa, n), n);
		to += n;
	}
	p->kept[0] = p->kept[1];
	p->kept[1] = oldest;
	p->next_ns = oldest.t_ns + p->o.ms * 1000000u;
}

static void add_words(const struct vmm_sampler *p, struct snap_notes *n)
{
	struct inq_snap_words head = {.t_ns = p->kept[0].t_ns, .count = p->o.word.nr};
	size_t bytes =
		sizeof(head) + p->o.word.nr * sizeof(struct inq_snap_word) + words_bytes(&p->o);
	uint8_t *all = calloc(1, bytes), *at = all;

	if (!all) {
		n->failed = 1;
		return;
	}
	memcpy(at, &head, sizeof(head));
	at += sizeof(head);
	for (unsigned i = 0; i < p->o.word.nr; i++, at += sizeof(struct inq_snap_word)) {
		struct inq_snap_word w = {.gpa = p->o.word.at[i].gpa,
					  .bytes = p->o.word.at[i].bytes};

		memcpy(at, &w, sizeof(w));
	}
	memcpy(at, p->kept[0].words, words_bytes(&p->o));
	snap_notes_add_in(n, INQ_SNAP_TWIN, INQ_SNAP_VM, INQ_SNAP_WORDS, all, bytes);
	free(all);
}

void vmm_sampler_add_notes(const struct vmm_sampler *p, struct snap_notes *n)
{
	if (!p->kept[0].t_ns)
		return;
	for (unsigned i = 0; i < p->nr_vcpus; i++) {
		const struct vmm_twin *t = &p->kept[0].cpu[i];
		const struct {
			bool has;
			enum inq_snap_kind kind;
			const void *data;
			size_t size;
		} part[] = {
			{true, INQ_SNAP_RIPS, &t->rip, sizeof(t->rip)},
			{t->has_regs, INQ_SNAP_REGS, &t->regs, sizeof(t->regs)},
			{t->has_sregs, INQ_SNAP_SREGS, &t->sregs, sizeof(t->sregs)},
			{t->has_events, INQ_SNAP_EVENTS, &t->events, sizeof(t->events)},
			{t->has_lapic, INQ_SNAP_LAPIC, &t->lapic, sizeof(t->lapic)},
			{t->has_mp, INQ_SNAP_MP_STATE, &t->mp, sizeof(t->mp)},
		};

		for (size_t k = 0; t->rip.t_ns && k < sizeof(part) / sizeof(*part); k++)
			if (part[k].has)
				snap_notes_add_in(n, INQ_SNAP_TWIN, i, part[k].kind, part[k].data,
						  part[k].size);
	}
	add_words(p, n);
}
