/* The local APIC's register page, register by register. */
#include "analyzers/collect/collectors.h"
#include "analyzers/collect/values.h"
#include "arch/x86_64/lapic.h"

static const struct inq_column cols[] = {
	COLS_OF_CPU,
	{"off", INQ_INT, "offset in the page, 0x20 to 0x3f0"},
	{"name", INQ_TEXT, "tpr, isr0, irr7, lvt_timer, ..."},
	{"value", INQ_INT, "32 bits; NULL: the dump does not hold the page"},
	{"text", INQ_TEXT, "what the value says: vectors, delivery mode, masked"},
	{0},
};

static enum inq_status of_cpu(const struct inq_machine *m, const struct inq_cpu *cpu,
			      struct inq_sink *out, struct inq_err *err)
{
	enum inq_status st = INQ_OK;
	char buf[160];

	for (size_t i = 0; !st && i < x86_64_nr_lapic_regs; i++) {
		const struct x86_64_lapic_reg *r = &x86_64_lapic_reg[i];
		uint32_t v = cpu->lapic ? x86_64_lapic_read(cpu->lapic, r->off) : 0;
		buf[0] = '\0';
		if (cpu->lapic)
			x86_64_lapic_describe(r->off, v, buf, sizeof(buf));
		st = INQ_ROW(out, err, INQ_V_INT(m->sample.sample_id), INQ_V_INT(cpu->index),
			     INQ_V_INT(r->off), INQ_V_TEXT(r->name),
			     cpu->lapic ? INQ_V_INT(v) : INQ_V_NULL, v_text(buf));
	}
	return st;
}

static enum inq_status run(const struct inq_machine *m, struct inq_sink *out, struct inq_err *err)
{
	return each_cpu(m, out, of_cpu, err);
}

const struct inq_collector collect_lapic_reg = {
	.table = "lapic_reg",
	.doc = "local APIC registers of every CPU",
	.cols = cols,
	.nr_keys = 3,
	.run = run,
};
