/* Every register and pending event by name; NULL where the dump does not hold it. */
#include <string.h>

#include "analyzers/collect/collectors.h"
#include "analyzers/collect/values.h"
#include "arch/x86_64/decode.h"

static const struct inq_column reg_cols[] = {
	COLS_OF_CPU,
	{"name", INQ_TEXT, "rax, cs.base, nmi.masked, ..."},
	{"grp", INQ_TEXT, "general, control, segment, table, debug, event, run"},
	{"value", INQ_ADDR, "its value; NULL: the dump does not hold it"},
	{"text", INQ_TEXT, "what the value says"},
	{0},
};

static const struct inq_column dbgreg_cols[] = {
	COLS_OF_CPU,
	{"name", INQ_TEXT, "dr0 to dr3, dr6, dr7"},
	{"value", INQ_ADDR, "its value; NULL: the dump does not hold it"},
	{"text", INQ_TEXT, "the bits that are set: BD, GD, breakpoints"},
	{0},
};

static bool is_debug(unsigned int r)
{
	return !strcmp(x86_64_reg_info[r].group, "debug");
}

static struct inq_value text_of(const struct inq_cpu *cpu, unsigned int r, char *buf, size_t n)
{
	buf[0] = '\0';
	if (inq_reg_known(&cpu->regs, r))
		x86_64_describe((enum x86_64_reg)r, cpu->regs.v[r], buf, n);
	return v_text(buf);
}

static enum inq_status run_reg(const struct inq_machine *m, struct inq_sink *out,
			       struct inq_err *err)
{
	enum inq_status st = INQ_OK;
	char buf[160];

	for (uint32_t i = 0; i < m->nr_cpus; i++)
		for (unsigned int r = 0; !st && r < X86_64_NR_REGS; r++)
			st = INQ_ROW(out, err, INQ_V_INT(m->sample.sample_id), INQ_V_INT(i),
				     INQ_V_TEXT(x86_64_reg_info[r].name),
				     INQ_V_TEXT(x86_64_reg_info[r].group), v_addr(&m->cpus[i], r),
				     text_of(&m->cpus[i], r, buf, sizeof(buf)));
	return st;
}

static enum inq_status run_dbgreg(const struct inq_machine *m, struct inq_sink *out,
				  struct inq_err *err)
{
	enum inq_status st = INQ_OK;
	char buf[160];

	for (uint32_t i = 0; i < m->nr_cpus; i++)
		for (unsigned int r = 0; !st && r < X86_64_NR_REGS; r++)
			if (is_debug(r))
				st = INQ_ROW(out, err, INQ_V_INT(m->sample.sample_id), INQ_V_INT(i),
					     INQ_V_TEXT(x86_64_reg_info[r].name),
					     v_addr(&m->cpus[i], r),
					     text_of(&m->cpus[i], r, buf, sizeof(buf)));
	return st;
}

const struct inq_collector collect_reg = {
	.table = "reg",
	.doc = "every register and pending event of every CPU",
	.cols = reg_cols,
	.nr_keys = 3,
	.run = run_reg,
};

const struct inq_collector collect_dbgreg = {
	.table = "dbgreg",
	.doc = "the debug registers, decoded",
	.cols = dbgreg_cols,
	.nr_keys = 3,
	.run = run_dbgreg,
};
