/* What the next VM entry with each VMCS would be told, check by check. */
#include "vmcs/entry_check.h"

#include "analyzers/collect/collectors.h"
#include "analyzers/collect/nested_block.h"
#include "analyzers/collect/values.h"

enum { CPUID_WIDTHS = 0x80000008 };

static const struct inq_column cols[] = {
	COLS_OF_CPU,
	{"id", INQ_TEXT, "guest-rflags, host-cs, ...: see vmcs/entry_checks.def"},
	{"field", INQ_TEXT, "that it is about, as in vmcs_field"},
	{"value", INQ_ADDR, "of that field"},
	{"rule", INQ_TEXT, "what is demanded of it"},
	{"verdict", INQ_TEXT, "pass, fail, unknown"},
	{"lacks", INQ_TEXT, "why the verdict is unknown; NULL: it is known"},
	{"leads_to", INQ_TEXT, "what an entry ends in when it fails"},
	{"section", INQ_TEXT, "of the SDM, vol. 3"},
	{0},
};

static struct vmcs_checked checked_of(const struct inq_cpu *cpu, const uint8_t *vmcs12,
				      const struct vmcs_nested *state)
{
	struct vmcs_checked c = {.vmcs12 = vmcs12,
				 .entered = state->guest_mode && !state->run_pending};

	for (unsigned int i = 0; i < VMCS_CAPS; i++)
		if (inq_cpu_msr(cpu, VMCS_CAP_FIRST + i, &c.cap[i]))
			c.caps_known |= 1U << i;
	for (size_t i = 0; i < cpu->nr_cpuid; i++)
		if (cpu->cpuid[i].leaf == CPUID_WIDTHS)
			c.maxphyaddr = cpu->cpuid[i].eax & 0xff;
	if (c.maxphyaddr < 32 || c.maxphyaddr > 52)
		c.maxphyaddr = 0;
	return c;
}

static const char *word_of(enum vmcs_verdict v)
{
	return v == VMCS_PASS ? "pass" : v == VMCS_FAIL ? "fail" : "unknown";
}

static enum inq_status of_vmcs(const struct inq_machine *m, const struct inq_cpu *cpu,
			       const uint8_t *vmcs12, const struct vmcs_nested *state,
			       struct inq_sink *out, struct inq_err *err)
{
	const struct vmcs_checked c = checked_of(cpu, vmcs12, state);
	const struct vmcs_entry_check *of;
	enum inq_status st = INQ_OK;

	for (size_t i = 0; !st && (of = vmcs_entry_check_at(i)); i++) {
		const enum vmcs_verdict v = vmcs_entry_verdict(i, &c);
		st = INQ_ROW(out, err, INQ_V_INT(m->sample.sample_id), INQ_V_INT(cpu->index),
			     INQ_V_TEXT(of->id), INQ_V_TEXT(vmcs_field_info[of->field].name),
			     INQ_V_ADDR(vmcs12_get(vmcs12, of->field)), INQ_V_TEXT(of->rule),
			     INQ_V_TEXT(word_of(v)), v_text(vmcs_verdict_lacks(v)),
			     INQ_V_TEXT(vmcs_stage_name(of->stage)), INQ_V_TEXT(of->section));
	}
	return st;
}

static enum inq_status run(const struct inq_machine *m, struct inq_sink *out, struct inq_err *err)
{
	struct nested_blocks b;
	bool told = false;
	enum inq_status st = nested_blocks_told(m, &told, out, err);

	for (uint32_t i = 0; !st && told && i < m->nr_cpus; i++) {
		st = nested_blocks_read(m, &m->cpus[i], &b, out, err);
		const struct nested_block *current = st ? NULL : nested_blocks_find(&b, "current");
		if (current)
			st = of_vmcs(m, &m->cpus[i], current->bytes, &b.state, out, err);
	}
	return st;
}

const struct inq_collector collect_entry_check = {
	.table = "entry_check",
	.doc = "what a VM entry demands of each current VMCS, and whether it is so",
	.cols = cols,
	.nr_keys = 3,
	.run = run,
};
