/*
 * Knows how a gate is drawn: an address that the loop's shape can reach, a value that holds the
 * loop and one that ends it, and what the shape's patch points become.
 */
#include <string.h>

#include "vmm/scenarios/plan.h"

static uint64_t width_mask(unsigned width)
{
	return width >= 8 ? UINT64_MAX : (UINT64_C(1) << (8 * width)) - 1;
}

static void draw_place(struct vmm_plan *p, enum vmm_place place, bool shared, struct vmm_rng *rng)
{
	struct vmm_plan_cpu *c = &p->cpu[p->hit];
	struct vmm_gate *g = &p->gate;
	uint64_t stack = vmm_rng_within(rng, c->smbase + VMM_SMM_STACK + 0x100,
					c->smbase + VMM_SMM_CODE - 0x200, 16);

	vmm_code_set(&c->handler, VMM_P_STACK, stack);
	g->in_smram = false;
	g->on_stack = place == VMM_PLACE_STACK;
	if (place == VMM_PLACE_LOW) {
		g->addr = vmm_rng_within(rng, VMM_GPA_LOW_GATE, VMM_GPA_LOW_END, g->width);
	} else if (place == VMM_PLACE_STACK) {
		g->addr = vmm_rng_within(rng, stack, stack + 0x80, g->width);
		g->in_smram = true;
	} else if (!shared && (place == VMM_PLACE_SMRAM || vmm_rng_below(rng, 2))) {
		g->addr = vmm_rng_within(rng, c->smbase + VMM_SMM_DATA,
					 c->smbase + VMM_SMM_DATA_END, g->width);
		g->in_smram = true;
	} else {
		g->addr = vmm_rng_within(rng, VMM_GPA_GATE, VMM_GPA_SMRAM, g->width);
	}
}

/* A value other than `not`, within mask. */
static uint64_t draw_other(struct vmm_rng *rng, uint64_t mask, uint64_t not )
{
	uint64_t v;

	do
		v = vmm_rng_u64(rng) & mask;
	while (v == not );
	return v;
}

static void draw_values(struct vmm_gate *g, struct vmm_rng *rng)
{
	uint64_t all = width_mask(g->width);

	g->mask = draw_other(rng, all, 0);
	g->want = vmm_rng_u64(rng) & all;
	switch (g->pred) {
	case VMM_PRED_NZ:
		g->value = 0;
		g->open = draw_other(rng, all, 0);
		break;
	case VMM_PRED_EQ:
		g->value = draw_other(rng, all, g->want);
		g->open = g->want;
		break;
	case VMM_PRED_NE:
		g->value = g->want;
		g->open = draw_other(rng, all, g->want);
		break;
	case VMM_PRED_TEST_NZ:
		g->value = vmm_rng_u64(rng) & all & ~g->mask;
		g->open = g->value | g->mask;
		break;
	case VMM_PRED_MASK_EQ:
		g->want &= g->mask;
		do
			g->value = vmm_rng_u64(rng) & all;
		while ((g->value & g->mask) == g->want);
		g->open = (g->value & ~g->mask) | g->want;
		break;
	}
}

/* A compiler's frame pointer lies above the local; other bases lie anywhere. */
static uint64_t draw_disp(enum vmm_place place, struct vmm_rng *rng)
{
	if (place == VMM_PLACE_STACK)
		return -(vmm_rng_within(rng, 8, 0x48, 8));
	return vmm_rng_below(rng, 0xc000) - UINT64_C(0x6000);
}

static void set_address(struct vmm_plan *p, enum vmm_place place, struct vmm_rng *rng)
{
	struct vmm_code *c = &p->cpu[p->hit].handler;
	uint64_t gate = p->gate.addr, disp = draw_disp(place, rng);
	uint64_t disp16 = vmm_rng_below(rng, 0x800), off16 = vmm_rng_below(rng, 0x4000);

	vmm_code_set(c, VMM_P_GATE, gate);
	vmm_code_set(c, VMM_P_DISP, disp);
	vmm_code_set(c, VMM_P_BASE, gate - disp);
	if (gate < VMM_GPA_LOW_GATE || gate >= VMM_GPA_LOW_END)
		return;
	uint64_t seg = (gate - disp16 - off16) >> 4;
	vmm_code_set(c, VMM_P_SEG, seg);
	vmm_code_set(c, VMM_P_DISP16, disp16);
	vmm_code_set(c, VMM_P_OFF16, gate - disp16 - (seg << 4));
}

void vmm_gate_draw(struct vmm_plan *p, const struct vmm_frag *shape, bool shared,
		   struct vmm_rng *rng)
{
	struct vmm_code *c = &p->cpu[p->hit].handler;
	struct vmm_gate *g = &p->gate;

	g->width = shape->width;
	g->pred = (enum vmm_pred)shape->pred;
	memcpy(p->shape, shape->name, sizeof(p->shape));
	draw_place(p, (enum vmm_place)shape->place, shared, rng);
	draw_values(g, rng);
	set_address(p, (enum vmm_place)shape->place, rng);
	vmm_code_set(c, VMM_P_MASK, g->mask);
	vmm_code_set(c, VMM_P_WANT, g->want);
	vmm_code_set(c, VMM_P_FAR, 0x1000 + vmm_rng_below(rng, 0x6000000));
}
