/*
 * System-management mode: where each CPU's window lies and what was saved there.  The area is read
 * through the SMM view of memory; a dump without one has none, which is not the same as zeros.
 */
#include "arch/x86_64/smm.h"

#include <inttypes.h>

#include "analyzers/collect/collectors.h"
#include "analyzers/collect/smm_area.h"
#include "analyzers/collect/values.h"
#include "arch/x86_64/decode.h"

enum { MSR_SMI_COUNT = 0x34 };

static const struct inq_column smm_cols[] = {
	COLS_OF_CPU,
	{"in_smm", INQ_INT, "1: the CPU is in SMM now"},
	{"smbase", INQ_ADDR, "base of its window, from MSR 0x9e"},
	{"map", INQ_TEXT, "layout of the save area: amd64, p6, intel64; NULL: none is recognised"},
	{"revision", INQ_INT,
	 "SMM revision identifier found there; NULL: the area is not in the dump"},
	{"smi_count", INQ_INT, "SMIs taken since reset, MSR 0x34"},
	{0},
};

static const struct inq_column save_cols[] = {
	COLS_OF_CPU,
	{"name", INQ_TEXT, "rip, cr3, cs.base, auto_halt_restart, ..."},
	{"addr", INQ_ADDR, "where it lies, guest physical in the SMM view"},
	{"value", INQ_ADDR, "its value"},
	{"text", INQ_TEXT, "what the value says"},
	{0},
};

enum inq_status smm_read_area(const struct inq_machine *m, const struct inq_cpu *cpu,
			      uint8_t area[X86_64_SMM_AREA], bool *ret_have, struct inq_sink *out,
			      struct inq_err *err)
{
	struct inq_err why;

	*ret_have = false;
	if (!m->dump->smm || !inq_reg_known(&cpu->regs, X86_64_SMBASE))
		return INQ_OK;
	uint64_t at = cpu->regs.v[X86_64_SMBASE] + X86_64_SMM_AREA_OFF;
	if (inq_read(m->dump->smm, at, area, X86_64_SMM_AREA, &why))
		return inq_gap(out, m->dump->smm, at, X86_64_SMM_AREA, &why, err);
	*ret_have = true;
	return INQ_OK;
}

static enum inq_status smm_of(const struct inq_machine *m, const struct inq_cpu *cpu,
			      struct inq_sink *out, struct inq_err *err)
{
	uint8_t area[X86_64_SMM_AREA];
	const struct x86_64_smm_map *map = NULL;
	uint64_t count = 0;
	uint32_t revision = 0;
	bool have = false;
	enum inq_status st = smm_read_area(m, cpu, area, &have, out, err);

	if (st)
		return st;
	if (have)
		map = x86_64_smm_map_of(area, &revision);
	return INQ_ROW(out, err, INQ_V_INT(m->sample.sample_id), INQ_V_INT(cpu->index),
		       v_int(cpu, X86_64_SMM), v_addr(cpu, X86_64_SMBASE),
		       map ? INQ_V_TEXT(map->name) : INQ_V_NULL,
		       have ? INQ_V_INT(revision) : INQ_V_NULL,
		       inq_cpu_msr(cpu, MSR_SMI_COUNT, &count) ? INQ_V_INT(count) : INQ_V_NULL);
}

static enum inq_status save_of(const struct inq_machine *m, const struct inq_cpu *cpu,
			       struct inq_sink *out, struct inq_err *err)
{
	uint8_t area[X86_64_SMM_AREA];
	const struct x86_64_smm_map *map = NULL;
	uint32_t revision = 0;
	char buf[160];
	bool have = false;
	enum inq_status st = smm_read_area(m, cpu, area, &have, out, err);

	if (!st && have)
		map = x86_64_smm_map_of(area, &revision);
	for (size_t i = 0; !st && map && i < map->nr_fields; i++) {
		const struct x86_64_smm_field *f = &map->field[i];
		uint64_t v = x86_64_smm_value(f, area);
		int reg = x86_64_reg_find(f->name);
		buf[0] = '\0';
		if (reg >= 0)
			x86_64_describe((enum x86_64_reg)reg, v, buf, sizeof(buf));
		st = INQ_ROW(out, err, INQ_V_INT(m->sample.sample_id), INQ_V_INT(cpu->index),
			     INQ_V_TEXT(f->name), INQ_V_ADDR(cpu->regs.v[X86_64_SMBASE] + f->off),
			     INQ_V_ADDR(v), v_text(buf));
	}
	return st;
}

static enum inq_status run_smm(const struct inq_machine *m, struct inq_sink *out,
			       struct inq_err *err)
{
	return each_cpu(m, out, smm_of, err);
}

static enum inq_status run_save(const struct inq_machine *m, struct inq_sink *out,
				struct inq_err *err)
{
	return each_cpu(m, out, save_of, err);
}

const struct inq_collector collect_smm = {
	.table = "smm",
	.doc = "system-management mode of every CPU",
	.cols = smm_cols,
	.nr_keys = 2,
	.run = run_smm,
};

const struct inq_collector collect_smm_save = {
	.table = "smm_save",
	.doc = "what the last SMI saved, field by field",
	.cols = save_cols,
	.nr_keys = 3,
	.run = run_save,
};
