/* What a seed draws: the same each time, within its ranges, and a loop that its gate really holds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/scenarios/nested.h"
#include "vmm/scenarios/scenarios.h"

enum { SEEDS = 1000, FEW = 100, MIB = 16, VCPUS = 3 };

static struct vmm_plan *plan(const struct vmm_scenario *s, uint64_t seed, unsigned vcpus,
			     uint64_t mib)
{
	struct vmm_plan *p = NULL;
	struct inq_err err = {0};

	if (vmm_plan_create(&p, s, seed, vcpus, mib, &err))
		fail_msg("%s, seed %llu: %s", s->name, (unsigned long long)seed, err.msg);
	return p;
}

static char *text_of(const struct vmm_plan *p)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	assert_non_null(f);
	vmm_plan_print(p, f);
	fclose(f);
	return text;
}

/* f for every scenario and many seeds. */
static void each(void (*f)(const struct vmm_plan *p))
{
	const struct vmm_scenario *s;

	for (size_t i = 0; (s = vmm_scenario_at(i)); i++)
		for (uint64_t seed = 0; seed < (i ? FEW : SEEDS); seed++) {
			struct vmm_plan *p = plan(s, seed, VCPUS, MIB);

			f(p);
			vmm_plan_destroy(p);
		}
}

static void check_same(const struct vmm_plan *p)
{
	struct vmm_plan *again = plan(p->scenario, p->seed, p->nr_vcpus, p->mib);

	assert_memory_equal(p, again, sizeof(*p));
	vmm_plan_destroy(again);
}
static void same_seed_draws_the_same_guest(void **unused)
{
	(void)unused;
	each(check_same);
}

static void other_seeds_draw_other_guests(void **unused)
{
	(void)unused;
	char *before = NULL;

	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct vmm_plan *p = plan(&vmm_scenario_smm_spin, seed, 2, 64);
		char *text = text_of(p);
		/* behind the seed, which differs anyway */
		char *drawn = strstr(text, "smbase[0]");

		assert_non_null(drawn);
		if (before)
			assert_string_not_equal(drawn, strstr(before, "smbase[0]"));
		free(before);
		before = text;
		vmm_plan_destroy(p);
	}
	free(before);
}

/* Stretches of guest-physical memory that must not meet. */
struct stretch {
	uint64_t first, end;
};

static void assert_apart(const struct stretch *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i; j++)
			assert_true(s[i].end <= s[j].first || s[j].end <= s[i].first);
}

static void check_layout(const struct vmm_plan *p)
{
	struct stretch s[3 * VCPUS + 8];
	size_t n = 0;

	for (unsigned i = 0; i < p->nr_vcpus; i++) {
		const struct vmm_plan_cpu *c = &p->cpu[i];

		assert_int_equal(c->smbase % 0x8000, 0);
		assert_in_range(c->smbase, VMM_GPA_SMRAM, MIB * VMM_MIB - VMM_SMRAM_BYTES);
		assert_in_range(c->code_gpa, VMM_GPA_CODE, VMM_GPA_DATA - c->code.len);
		assert_in_range(c->counter, c->data_gpa, c->data_gpa + VMM_CPU_BYTES - 8);
		if (!c->fault_ist) /* else: a stack in pages of its own */
			assert_in_range(c->gpr[4] - (c->code.linear - c->code_gpa), c->counter + 8,
					c->data_gpa + VMM_CPU_BYTES);
		assert_true(c->handler.len < VMM_SMM_DATA - VMM_SMM_CODE);
		s[n++] = (struct stretch){c->smbase, c->smbase + VMM_SMRAM_BYTES};
		s[n++] = (struct stretch){c->code_gpa, c->code_gpa + c->code.len};
		s[n++] = (struct stretch){c->data_gpa, c->data_gpa + VMM_CPU_BYTES};
	}
	for (unsigned i = 0; i < p->nr_words; i++)
		s[n++] = (struct stretch){p->word[i].gpa, p->word[i].gpa + p->word[i].width};
	if (p->nested) {
		assert_in_range(p->nested, VMM_GPA_GATE, VMM_GPA_SMRAM - VMM_NESTED_BYTES);
		s[n++] = (struct stretch){p->nested, p->nested + VMM_NESTED_BYTES};
		s[n++] = (struct stretch){p->l2_gpa, p->l2_gpa + p->l2.len};
	}
	if (p->bits && !p->gate.in_smram)
		s[n++] = (struct stretch){p->gate.addr, p->gate.addr + p->gate.width};
	assert_apart(s, n);
}
/* What L1's nested tables get wrong is one entry for RAM that nobody else uses. */
static void check_npt(const struct vmm_plan *p)
{
	if (!p->npt)
		return;
	uint64_t gpa = p->entry.linear - p->high;

	assert_int_equal(p->npt % VMM_PAGE, 0);
	assert_in_range(p->npt, p->nested, p->nested + VMM_NESTED_BYTES - 6 * VMM_PAGE);
	assert_int_equal(p->entry.gpa, p->npt + 2 * VMM_PAGE + 8 * (gpa >> 21));
	assert_in_range(gpa, VMM_GPA_SMRAM, MIB * VMM_MIB - 8);
	assert_int_equal(p->entry.value >> 21 & 0x7ffff, gpa >> 21);
	uint64_t must_be_0 = p->entry.value & (UINT64_C(0xf) << 48 | 0x1fe000);
	assert_int_equal(__builtin_popcountll(must_be_0), p->entry.value & 1);
}
static void nested_tables_have_one_bad_entry(void **unused)
{
	(void)unused;
	each(check_npt);
}

static void addresses_are_in_range_and_apart(void **unused)
{
	(void)unused;
	each(check_layout);
}

static void check_gate_place(const struct vmm_plan *p)
{
	if (!p->bits)
		return;
	const struct vmm_plan_cpu *c = &p->cpu[p->hit];
	uint64_t off = p->gate.addr - c->smbase;

	assert_int_equal(p->gate.addr % p->gate.width, 0);
	if (p->gate.in_smram) {
		assert_true((off >= VMM_SMM_STACK && off < VMM_SMM_CODE) ||
			    (off >= VMM_SMM_DATA && off + p->gate.width <= VMM_SMM_DATA_END));
	} else {
		assert_true((p->gate.addr >= VMM_GPA_LOW_GATE && p->gate.addr < VMM_GPA_LOW_END) ||
			    (p->gate.addr >= VMM_GPA_GATE && p->gate.addr < VMM_GPA_SMRAM));
	}
	if (p->writer)
		assert_false(p->gate.in_smram);
}
static void gates_lie_where_nothing_else_does(void **unused)
{
	(void)unused;
	each(check_gate_place);
}

static bool ends_loop(const struct vmm_gate *g, uint64_t v)
{
	switch (g->pred) {
	case VMM_PRED_NZ:
		return v != 0;
	case VMM_PRED_EQ:
		return v == g->want;
	case VMM_PRED_NE:
		return v != g->want;
	case VMM_PRED_TEST_NZ:
		return (v & g->mask) != 0;
	case VMM_PRED_MASK_EQ:
		return (v & g->mask) == g->want;
	}
	return true;
}
static void check_gate_values(const struct vmm_plan *p)
{
	const struct vmm_gate *g = &p->gate;

	if (!p->bits)
		return;
	assert_false(ends_loop(g, g->value));
	assert_true(ends_loop(g, g->open));
	if (g->width < 8)
		assert_int_equal((g->value | g->open | g->want) >> (8 * g->width), 0);
}
static void the_value_holds_the_loop_and_the_other_ends_it(void **unused)
{
	(void)unused;
	each(check_gate_values);
}

static void check_loop_place(const struct vmm_plan *p)
{
	if (!p->bits)
		return;
	const struct vmm_code *c = &p->cpu[p->hit].handler;

	assert_int_equal(c->linear, p->cpu[p->hit].smbase + VMM_SMM_CODE);
	assert_true(p->first >= c->linear && p->first <= p->insn && p->insn < p->end);
	assert_true(p->end <= c->linear + c->len);
	assert_true(p->end - p->first < 64);
	if (p->writer) {
		bool inside = false;

		for (unsigned i = 0; i < p->nr_vcpus; i++) {
			const struct vmm_code *w = &p->cpu[i].code;

			inside |= i != p->hit && p->writer >= w->linear &&
				  p->writer < w->linear + w->len;
		}
		assert_true(inside);
	}
}
static void the_loop_lies_in_the_handler_of_the_hit_vcpu(void **unused)
{
	(void)unused;
	each(check_loop_place);
}

static void every_vcpu_shape_mode_and_place_is_drawn(void **unused)
{
	(void)unused;
	enum { MAX_FRAGS = 256 };
	unsigned hit[VCPUS] = {0}, drawn[MAX_FRAGS] = {0}, smram = 0, shapes = 0;
	struct vmm_frag f;

	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct vmm_plan *p = plan(&vmm_scenario_smm_spin, seed, VCPUS, MIB);

		hit[p->hit]++;
		smram += p->gate.in_smram;
		for (size_t n = 0; n < MAX_FRAGS && vmm_frag_at(n, &f); n++)
			drawn[n] += !strcmp(p->shape, f.name) && p->bits == f.bits;
		vmm_plan_destroy(p);
	}
	for (unsigned i = 0; i < VCPUS; i++)
		assert_in_range(hit[i], SEEDS / 6, SEEDS / 2);
	assert_in_range(smram, SEEDS / 10, SEEDS * 9 / 10);
	for (size_t n = 0; n < MAX_FRAGS && vmm_frag_at(n, &f); n++) {
		shapes += f.kind == VMM_FRAG_SHAPE;
		if (f.kind == VMM_FRAG_SHAPE && !drawn[n])
			fail_msg("shape %s is never drawn", f.name);
	}
	assert_in_range(shapes, 15, 100);
}

static void install_puts_the_gate_and_the_code_where_they_were_drawn(void **unused)
{
	(void)unused;
	for (uint64_t seed = 0; seed < 50; seed++) {
		struct vmm_plan *p = plan(&vmm_scenario_smm_spin, seed, 2, MIB);
		uint64_t smbase[] = {p->cpu[0].smbase, p->cpu[1].smbase}, value = 0;
		const struct vmm_code *h = &p->cpu[p->hit].handler;
		struct vmm_memory *m = NULL;
		struct inq_err err = {0};

		assert_int_equal(vmm_memory_create(&m, MIB, smbase, 2, true, &err), INQ_OK);
		assert_int_equal(vmm_plan_install(p, m, &err), INQ_OK);
		memcpy(&value, vmm_memory_at(m, 1, p->gate.addr, p->gate.width), p->gate.width);
		assert_int_equal(value, p->gate.value);
		assert_memory_equal(vmm_memory_at(m, 1, h->linear, h->len), h->bytes, h->len);
		assert_int_equal(*vmm_memory_at(m, 0, h->linear, 1), 0);
		vmm_plan_gate_write(p, m, p->gate.open);
		memcpy(&value, vmm_plan_gate(p, m), p->gate.width);
		assert_int_equal(value, p->gate.open);
		vmm_memory_destroy(m);
		vmm_plan_destroy(p);
	}
}

static void what_cannot_be_is_refused(void **unused)
{
	(void)unused;
	struct vmm_plan *p = NULL;
	struct inq_err err = {0};

	assert_int_equal(vmm_plan_create(&p, &vmm_scenario_healthy, 1, 0, 64, &err), INQ_EUSAGE);
	assert_int_equal(vmm_plan_create(&p, &vmm_scenario_healthy, 1, VMM_MAX_VCPUS + 1, 64, &err),
			 INQ_EUSAGE);
	assert_int_equal(vmm_plan_create(&p, &vmm_scenario_healthy, 1, 2, 15, &err), INQ_EUSAGE);
	assert_int_equal(vmm_plan_create(&p, &vmm_scenario_smm_gate_written, 1, 1, 64, &err),
			 INQ_EUSAGE);
	assert_null(p);
}

static void the_most_vcpus_fit_the_least_memory(void **unused)
{
	(void)unused;
	struct stretch s[VMM_MAX_VCPUS];

	for (uint64_t seed = 0; seed < 100; seed++) {
		struct vmm_plan *p = plan(&vmm_scenario_hlt_if0, seed, VMM_MAX_VCPUS, VMM_MIN_MIB);

		for (unsigned i = 0; i < VMM_MAX_VCPUS; i++) {
			s[i] = (struct stretch){p->cpu[i].smbase,
						p->cpu[i].smbase + VMM_SMRAM_BYTES};
			assert_true(s[i].end <= VMM_MIN_MIB * VMM_MIB);
			assert_true(p->cpu[i].data_gpa + VMM_CPU_BYTES <= VMM_GPA_GATE);
		}
		assert_apart(s, VMM_MAX_VCPUS);
		vmm_plan_destroy(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_seed_draws_the_same_guest),
		cmocka_unit_test(other_seeds_draw_other_guests),
		cmocka_unit_test(addresses_are_in_range_and_apart),
		cmocka_unit_test(nested_tables_have_one_bad_entry),
		cmocka_unit_test(gates_lie_where_nothing_else_does),
		cmocka_unit_test(the_value_holds_the_loop_and_the_other_ends_it),
		cmocka_unit_test(the_loop_lies_in_the_handler_of_the_hit_vcpu),
		cmocka_unit_test(every_vcpu_shape_mode_and_place_is_drawn),
		cmocka_unit_test(install_puts_the_gate_and_the_code_where_they_were_drawn),
		cmocka_unit_test(what_cannot_be_is_refused),
		cmocka_unit_test(the_most_vcpus_fit_the_least_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
