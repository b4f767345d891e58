/* Model-specific registers as the dump holds them. */
#include "arch/x86_64/msr.h"
#include "analyzers/collect/collectors.h"
#include "analyzers/collect/values.h"

static const struct inq_column cols[] = {
	COLS_OF_CPU,
	{"idx", INQ_INT, "number of the MSR"},
	{"name", INQ_TEXT, "its name, NULL when it has none here"},
	{"value", INQ_ADDR, "its value; NULL: KVM refused to read it"},
	{0},
};

static enum inq_status of_cpu(const struct inq_machine *m, const struct inq_cpu *cpu,
			      struct inq_sink *out, struct inq_err *err)
{
	enum inq_status st = INQ_OK;
	struct inq_err why;

	if (!cpu->nr_msrs) {
		(void)inq_fail(&why, INQ_EABSENT, "cpu %u: the dump has no msrs", cpu->index);
		st = inq_gap(out, NULL, 0, 0, &why, err);
	}
	for (size_t i = 0; !st && i < cpu->nr_msrs; i++) {
		const struct inq_msr *r = &cpu->msrs[i];
		if (i && r->index == r[-1].index)
			continue;
		st = INQ_ROW(out, err, INQ_V_INT(m->sample.sample_id), INQ_V_INT(cpu->index),
			     INQ_V_INT(r->index), v_text(x86_64_msr_name(r->index)),
			     r->known ? INQ_V_ADDR(r->value) : INQ_V_NULL);
	}
	return st;
}

static enum inq_status run(const struct inq_machine *m, struct inq_sink *out, struct inq_err *err)
{
	return each_cpu(m, out, of_cpu, err);
}

const struct inq_collector collect_msr = {
	.table = "msr",
	.doc = "model-specific registers of every CPU",
	.cols = cols,
	.nr_keys = 3,
	.run = run,
};
