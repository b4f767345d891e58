/*
 * Knows the order in which a guest is drawn from its seed, and how drawn facts are printed.
 * Whoever changes that order changes every seed's guest.
 */
#include "vmm/scenarios/plan.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "vmm/scenarios/scenarios.h"

INQ_DEFINE_SCOPE(struct vmm_plan, vmm_plan_destroy)
_Static_assert(VMM_GPA_TSS + VMM_MAX_VCPUS * VMM_TSS_BYTES <= VMM_GPA_TEXT, "a TSS for each");
_Static_assert(VMM_GPA_CODE + VMM_MAX_VCPUS * VMM_CPU_BYTES <= VMM_GPA_DATA, "code for each");
_Static_assert(VMM_GPA_DATA + VMM_MAX_VCPUS * VMM_CPU_BYTES <= VMM_GPA_GATE, "data for each");

/* One window per vCPU, each in its own stretch of RAM; which vCPU gets which is drawn too. */
static void draw_smbases(struct vmm_plan *p, struct vmm_rng *rng)
{
	uint64_t first = VMM_GPA_SMRAM, end = vmm_memory_low_end(p->mib);
	uint64_t stretch = (end - first) / p->nr_vcpus & ~UINT64_C(0x7fff);

	for (unsigned i = 0; i < p->nr_vcpus; i++)
		p->cpu[i].smbase =
			vmm_rng_within(rng, first + i * stretch,
				       first + (i + 1) * stretch - VMM_SMRAM_BYTES + 1, 0x8000);
	for (unsigned i = p->nr_vcpus; i > 1; i--) {
		uint64_t *a = &p->cpu[i - 1].smbase, *b = &p->cpu[vmm_rng_below(rng, i)].smbase;
		uint64_t keep = *a;

		*a = *b;
		*b = keep;
	}
}

static void draw_cpu(struct vmm_plan *p, unsigned i, struct vmm_rng *rng)
{
	struct vmm_plan_cpu *c = &p->cpu[i];

	for (unsigned r = 0; r < 16; r++)
		c->gpr[r] = vmm_rng_u64(rng);
	c->code_gpa = VMM_GPA_CODE + (uint64_t)i * VMM_CPU_BYTES + vmm_rng_below(rng, 0x1000);
	c->data_gpa = VMM_GPA_DATA + (uint64_t)i * VMM_CPU_BYTES;
	c->counter = vmm_rng_within(rng, c->data_gpa + 0x1000, c->data_gpa + 0x2000, 8);
	c->gpr[4] = p->high + c->data_gpa + VMM_CPU_BYTES - 16 - 16 * vmm_rng_below(rng, 64);
	c->code.linear = p->high + c->code_gpa;
	c->handler.linear = c->smbase + VMM_SMM_CODE;
	vmm_code_set(&c->code, VMM_P_COUNTER, p->high + c->counter);
	vmm_code_set(&c->code, VMM_P_TEXT, VMM_GPA_TEXT);
}

enum inq_status vmm_plan_create(struct vmm_plan **ret, const struct vmm_scenario *s, uint64_t seed,
				unsigned nr_vcpus, uint64_t mib, struct inq_err *err)
{
	if (!nr_vcpus || nr_vcpus > VMM_MAX_VCPUS)
		return inq_fail(err, INQ_EUSAGE, "%u vCPUs: 1 to %u can be had", nr_vcpus,
				VMM_MAX_VCPUS);
	if (mib < VMM_MIN_MIB || mib > VMM_MAX_MIB)
		return inq_fail(err, INQ_EUSAGE, "%" PRIu64 " MiB: %u to %u can be had", mib,
				VMM_MIN_MIB, VMM_MAX_MIB);
	INQ_SCOPED(vmm_plan_destroy_scope_) struct vmm_plan *p = calloc(1, sizeof(*p));
	if (!p)
		return inq_fail(err, INQ_ENOMEM, "the guest's plan");

	struct vmm_rng rng = {seed};
	*p = (struct vmm_plan){.scenario = s, .seed = seed, .nr_vcpus = nr_vcpus, .mib = mib};
	p->high = UINT64_C(0xffff) << 48 | (256 + vmm_rng_below(&rng, 255)) << 39;
	p->hit = (unsigned)vmm_rng_below(&rng, nr_vcpus);
	draw_smbases(p, &rng);
	for (unsigned i = 0; i < nr_vcpus; i++)
		draw_cpu(p, i, &rng);
	enum inq_status st = s->draw(p, &rng, err);
	if (st)
		return inq_wrap(err, st, "%s", s->name);
	*ret = inq_take(p);
	return INQ_OK;
}

void vmm_plan_destroy(struct vmm_plan *p)
{
	free(p);
}

enum inq_status vmm_plan_start(struct vmm_plan *p, unsigned cpu, struct vmm_rng *rng,
			       struct inq_err *err)
{
	struct vmm_code *c = &p->cpu[cpu].code;
	const unsigned bits = p->cpu[cpu].flat ? 32 : 64;
	enum inq_status st = vmm_code_pad(c, bits, 10, rng, err);

	if (!st && cpu == 0)
		st = vmm_code_add_named(c, bits == 32 ? "hello32" : "hello64", rng, err);
	return st ? st : vmm_code_pad(c, bits, 10, rng, err);
}

void vmm_plan_flat(struct vmm_plan *p, unsigned cpu)
{
	struct vmm_plan_cpu *c = &p->cpu[cpu];

	c->flat = true;
	c->code.linear = c->code_gpa;
	c->gpr[4] -= p->high;
	for (unsigned r = 0; r < 8; r++)
		c->gpr[r] = (uint32_t)c->gpr[r];
	vmm_code_set(&c->code, VMM_P_COUNTER, c->counter);
}

enum inq_status vmm_plan_count(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	for (unsigned i = 0; i < p->nr_vcpus && !st; i++) {
		p->cpu[i].role = VMM_ROLE_COUNT;
		st = vmm_plan_start(p, i, rng, err);
		if (!st)
			st = vmm_code_add_named(&p->cpu[i].code, "count", rng, err);
	}
	return st;
}

enum inq_status vmm_plan_idle(struct vmm_plan *p, unsigned cpu, struct vmm_rng *rng,
			      struct inq_err *err)
{
	enum { PERIODIC = 0x20000, LEAST_NS = 5000000 };
	struct vmm_plan_cpu *c = &p->cpu[cpu];

	c->role = VMM_ROLE_IDLE;
	vmm_plan_timer(c, PERIODIC, LEAST_NS, rng);
	enum inq_status st = vmm_plan_start(p, cpu, rng, err);
	if (!st)
		st = vmm_code_add_named(&c->code, "idle", rng, err);
	if (!st)
		st = vmm_code_pad(&c->code, 64, 6, rng, err);
	return st ? st : vmm_code_add_named(&c->code, "tick", rng, err);
}

void vmm_plan_timer(struct vmm_plan_cpu *c, uint32_t lvt, uint32_t least, struct vmm_rng *rng)
{
	c->vector = (uint8_t)(0x20 + vmm_rng_below(rng, 0xd0));
	vmm_code_set(&c->code, VMM_P_VECTOR, lvt | c->vector);
	/* KVM's LAPIC counts nanoseconds */
	vmm_code_set(&c->code, VMM_P_PERIOD, least + vmm_rng_below(rng, UINT64_C(2) * least));
}

/* Each in a quarter of what lies between data and SMRAM, so that they never meet. */
uint64_t vmm_plan_word(struct vmm_plan *p, const char *name, uint8_t width, uint64_t value,
		       struct vmm_rng *rng)
{
	const uint64_t part = (VMM_GPA_SMRAM - VMM_GPA_GATE) / 4;
	uint64_t from = VMM_GPA_GATE + p->nr_words * part,
		 gpa = vmm_rng_within(rng, from, from + part, width);

	p->word[p->nr_words++] = (struct vmm_plan_word){name, gpa, value, width};
	return p->high + gpa;
}

/* Of a handler that copies the saved DR7. */
static void print_dr7(const struct vmm_plan *p, FILE *to)
{
	const struct vmm_code *c = &p->cpu[p->hit].handler;

	fprintf(to,
		"dr7=0x%" PRIx64 "\ncopy_dr7=0x%" PRIx64 "\nread_dr7=0x%" PRIx64 "\ndb=0x%" PRIx64
		"\n",
		p->dr7, vmm_code_mark(c, VMM_M_COPY_DR7), vmm_code_mark(c, VMM_M_READ_DR7),
		vmm_code_mark(c, VMM_M_FAULT));
}

static void print_exit(const struct vmm_gate *g, FILE *to)
{
	switch (g->pred) {
	case VMM_PRED_NZ:
		fprintf(to, "exit=value != 0x0\n");
		break;
	case VMM_PRED_EQ:
		fprintf(to, "exit=value == 0x%" PRIx64 "\n", g->want);
		break;
	case VMM_PRED_NE:
		fprintf(to, "exit=value != 0x%" PRIx64 "\n", g->want);
		break;
	case VMM_PRED_TEST_NZ:
		fprintf(to, "exit=(value & 0x%" PRIx64 ") != 0x0\n", g->mask);
		break;
	case VMM_PRED_MASK_EQ:
		fprintf(to, "exit=(value & 0x%" PRIx64 ") == 0x%" PRIx64 "\n", g->mask, g->want);
		break;
	}
}

/* Who waits for .other beside the hit vCPU. */
static void print_meeting(const struct vmm_plan *p, FILE *to)
{
	const char *before = "also=";

	for (unsigned i = 0; i < p->nr_vcpus; i++) {
		if (i == p->hit || i == p->other)
			continue;
		fprintf(to, "%s%u", before, i);
		before = ",";
	}
	if (p->nr_vcpus > 2)
		putc('\n', to);
}

/* Of a scenario that does something to its hit vCPU: handlers, and where they find things. */
static void print_steps(const struct vmm_plan *p, FILE *to)
{
	const struct vmm_plan_cpu *c = &p->cpu[p->hit];
	const struct {
		const char *name;
		uint64_t value;
	} fact[] = {
		{"nmi", vmm_code_mark(&c->code, VMM_M_NMI)},
		{"fault", vmm_code_mark(&c->code, VMM_M_FAULT)},
		{"insn", vmm_code_mark(&c->code, VMM_M_INSN)},
		{"first", vmm_code_mark(&c->code, VMM_M_FIRST)},
		{"end", vmm_code_mark(&c->code, VMM_M_END)},
		{"vector", c->vector},
		{"high", p->high},
		{"data", c->data_gpa},
	};

	for (size_t i = 0; i < sizeof(fact) / sizeof(*fact); i++)
		if (fact[i].value)
			fprintf(to, "%s=0x%" PRIx64 "\n", fact[i].name, fact[i].value);
}

/* Tasks and a hypervisor of the hit vCPU. */
static void print_hit(const struct vmm_plan *p, FILE *to)
{
	for (unsigned i = 0; i < p->nr_tasks; i++)
		fprintf(to,
			"selector[%u]=0x%" PRIx32 "\ntss[%u]=0x%" PRIx32 "\nesi[%u]=0x%" PRIx32
			"\n",
			i, p->task[i].selector, i, p->task[i].tss, i, p->task[i].gpr[6]);
	if (p->nested)
		fprintf(to, "nested=0x%" PRIx64 "\nl2=0x%" PRIx64 "\n", p->nested, p->l2.linear);
	if (p->npt)
		fprintf(to,
			"high=0x%" PRIx64 "\nnpt=0x%" PRIx64 "\nept_value=0x%" PRIx64
			"\nl2_insn=0x%" PRIx64 "\n",
			p->high, p->npt, p->ept, vmm_code_mark(&p->l2, VMM_M_INSN));
}

static void print_loop(const struct vmm_plan *p, FILE *to)
{
	const struct vmm_gate *g = &p->gate;
	uint64_t value = p->scenario->open_gate ? g->open : g->value;
	fprintf(to,
		"smbase=0x%" PRIx64 "\nmode=%u\nshape=%s\ngate=0x%" PRIx64
		"\ngate_in=%s\nprivate=%s\nwidth=%u\n"
		"value=0x%" PRIx64 "\n",
		p->cpu[p->hit].smbase, p->bits, p->shape, g->addr, g->in_smram ? "smram" : "ram",
		g->on_stack ? "yes" : "no", g->width, value);
	print_exit(g, to);
	fprintf(to, "insn=0x%" PRIx64 "\nloop_first=0x%" PRIx64 "\nloop_end=0x%" PRIx64 "\n",
		p->insn, p->first, p->end);
	if (p->writer)
		fprintf(to, "writer=0x%" PRIx64 "\n", p->writer);
}

void vmm_plan_print(const struct vmm_plan *p, FILE *to)
{
	fprintf(to, "scenario=%s\nkind=%s\nseed=%" PRIu64 "\nvcpus=%u\nmemory_mib=%" PRIu64 "\n",
		p->scenario->name, vmm_scenario_kind_name(p->scenario->kind), p->seed, p->nr_vcpus,
		p->mib);
	for (unsigned i = 0; i < p->nr_vcpus; i++)
		fprintf(to,
			"smbase[%u]=0x%" PRIx64 "\ncode[%u]=0x%" PRIx64 "\ncounter[%u]=0x%" PRIx64
			"\n",
			i, p->cpu[i].smbase, i, p->cpu[i].code.linear, i, p->cpu[i].counter);
	for (unsigned i = 0; i < p->nr_vcpus; i++)
		if (p->cpu[i].sums)
			fprintf(to, "user[%u]=%s\nresult[%u]=0x%08" PRIx32 "\n", i,
				p->cpu[i].user ? "yes" : "no", i, p->cpu[i].sum);
	for (unsigned i = 0; i < p->nr_words; i++)
		fprintf(to, "%s=0x%" PRIx64 "\n", p->word[i].name, p->word[i].gpa);
	if (p->smi_every)
		fprintf(to, "smi_every=%" PRIu64 "\n", p->smi_every);
	if (p->entry.gpa)
		fprintf(to,
			"entry=0x%" PRIx64 "\nentry_value=0x%" PRIx64 "\nlinear=0x%" PRIx64 "\n",
			p->entry.gpa, p->entry.value, p->entry.linear);
	if (p->mptable)
		fprintf(to, "mptable=0x%" PRIx64 "\nmptable_more=%u\n", p->mptable,
			p->mptable_more);
	if (p->hit >= p->nr_vcpus)
		return;
	fprintf(to, "cpu=%u\n", p->hit);
	if (p->scenario->steps)
		print_steps(p, to);
	print_hit(p, to);
	if (p->dr7)
		print_dr7(p, to);
	if (p->has_other)
		fprintf(to, "other=%u\n", p->other);
	if (p->scenario->meet)
		print_meeting(p, to);
	if (p->bits)
		print_loop(p, to);
}
