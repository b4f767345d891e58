#include "tests/fuzz/touch_machine.h"

#include <string.h>

#include "arch/x86_64/decode.h"
#include "arch/x86_64/insn.h"
#include "arch/x86_64/lapic.h"
#include "arch/x86_64/smm.h"
#include "machine/place.h"
#include "tests/fuzz/must.h"

static void touch_words(const struct inq_cpu *cpu)
{
	char words[64];

	for (unsigned int r = 0; r < X86_64_NR_REGS; r++) {
		MUST(inq_reg_known(&cpu->regs, r) || cpu->regs.v[r] == 0);
		x86_64_describe(r, cpu->regs.v[r], words, sizeof(words));
		MUST(memchr(words, 0, sizeof(words)));
	}
	for (size_t i = 0; cpu->lapic && i < x86_64_nr_lapic_regs; i++) {
		uint16_t off = x86_64_lapic_reg[i].off;
		x86_64_lapic_describe(off, x86_64_lapic_read(cpu->lapic, off), words,
				      sizeof(words));
		MUST(memchr(words, 0, sizeof(words)));
	}
	if (cpu->lapic)
		MUST(x86_64_lapic_ppr(cpu->lapic) >=
			     (x86_64_lapic_highest(cpu->lapic, 0x100) & 0xf0) ||
		     x86_64_lapic_highest(cpu->lapic, 0x100) < 0);
	for (size_t i = 1; i < cpu->nr_msrs; i++)
		MUST(cpu->msrs[i - 1].index < cpu->msrs[i].index);
}

static void touch_code(const struct inq_cpu *cpu)
{
	uint8_t bytes[X86_64_INSN_MAX], area[X86_64_SMM_AREA];
	struct x86_64_insn in;
	struct inq_err err;
	uint64_t rip;
	uint32_t revision;

	if (!cpu->virt || !x86_64_linear_rip(&cpu->regs, &rip))
		return;
	if (!inq_read(cpu->virt, rip, bytes, sizeof(bytes), &err))
		(void)!x86_64_insn_decode(x86_64_mode_of(&cpu->regs), rip, bytes, sizeof(bytes),
					  &in, &err);
	if (inq_read(cpu->phys, cpu->regs.v[X86_64_SMBASE] + X86_64_SMM_AREA_OFF, area,
		     sizeof(area), &err))
		return;
	const struct x86_64_smm_map *map = x86_64_smm_map_of(area, &revision);
	for (size_t i = 0; map && i < map->nr_fields; i++)
		(void)x86_64_smm_value(&map->field[i], area);
}

/* Every space of every CPU, nested ones among them, at addresses of all kinds. */
static void touch_spaces(const struct inq_machine *m)
{
	static const uint64_t at[] = {0, 0x400010, 0x800000000000, 0xffffffff81000ff9};
	struct inq_err err = {0};
	uint8_t bytes[16];

	for (size_t i = 0; i < m->nr_spaces; i++) {
		const struct inq_space *sp = m->spaces[i], *in;
		for (size_t k = 0; k < sizeof(at) / sizeof(*at); k++) {
			uint64_t to = 0;
			if (inq_read(sp, at[k], bytes, sizeof(bytes), &err))
				MUST(err.msg[0]);
			if (!paging_resolve(sp, at[k], &in, &to, &err))
				MUST(!paging_space_of(in));
			if (machine_space_next(m, sp, at[k], UINT64_MAX, &to))
				MUST(to >= at[k]);
		}
	}
}

static void touch_kernel(const struct inq_kernel *k)
{
	MUST(!k->os == !!*k->note);
	for (size_t i = 0; i < k->nr_facts; i++)
		MUST(memchr(k->facts[i].text, 0, sizeof(k->facts[i].text)));
}

void touch_machine(const struct inq_machine *m)
{
	for (size_t i = 0; i < m->nr_spaces; i++)
		MUST(m->spaces[i]->space_id == (int64_t)i + 1);
	touch_kernel(inq_machine_kernel(m));
	for (uint32_t i = 0; i < m->nr_cpus; i++) {
		touch_words(&m->cpus[i]);
		touch_code(&m->cpus[i]);
	}
	touch_spaces(m);
}
