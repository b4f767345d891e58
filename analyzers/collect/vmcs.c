/* VMCSs and VMCBs of hypervisors inside, field by field and bit by bit. */
#include "analyzers/collect/collectors.h"
#include "analyzers/collect/nested_block.h"
#include "analyzers/collect/values.h"
#include "vmcs/fields.h"

static const struct inq_column vmcs_cols[] = {
	COLS_OF_CPU,
	{"block", INQ_TEXT, "current: the VMCS in use; shadow: that of its link pointer"},
	{"name", INQ_TEXT, "GUEST_RIP, VM_ENTRY_CONTROLS, ...: as in Linux asm/vmx.h"},
	{"pa", INQ_ADDR, "guest-physical address of the VMCS"},
	{"encoding", INQ_INT, "what VMREAD takes; NULL: it has none"},
	{"bytes", INQ_INT, "its width"},
	{"grp", INQ_TEXT, "head, control, entry, exit, info, guest, host"},
	{"access", INQ_TEXT, "read-only, or read/write"},
	{"value", INQ_ADDR, "NULL: KVM may not have had the field"},
	{"text", INQ_TEXT, "what the value says"},
	{"section", INQ_TEXT, "of the SDM, vol. 3, that defines it"},
	{0},
};

static const struct inq_column vmcb_cols[] = {
	COLS_OF_CPU,
	{"block", INQ_TEXT,
	 "control: KVM's copy; memory: the guest's page, whose save area is"
	 " that of the last exit; l1, hsave: what its hypervisor gets back"},
	{"name", INQ_TEXT, "exit_code, intercept_misc1, cs.base, ...: as in Linux asm/svm.h"},
	{"pa", INQ_ADDR, "guest-physical address of the VMCB; NULL: the host keeps it"},
	{"off", INQ_INT, "offset from its start; the save area is at 0x400"},
	{"bytes", INQ_INT, "its width"},
	{"grp", INQ_TEXT, "intercept, control, exit, save"},
	{"value", INQ_ADDR, "NULL: wider than 64 bits, see text"},
	{"text", INQ_TEXT, "what the value says"},
	{"section", INQ_TEXT, "of the APM, vol. 2, that defines it"},
	{0},
};

static const struct inq_column bit_cols[] = {
	COLS_OF_CPU,
	{"block", INQ_TEXT, "as in vmcs_field and vmcb_field"},
	{"field", INQ_TEXT, "its name there"},
	{"bit", INQ_INT, "number, from 0"},
	{"name", INQ_TEXT, "MOV-DR exiting, ..."},
	{"is_set", INQ_INT, "0 or 1"},
	{"meaning", INQ_TEXT, "what it means when set"},
	{"section", INQ_TEXT, "manual and section that define it"},
	{0},
};

/* Rows of every block of a format, one CPU after the other. */
typedef enum inq_status block_fn(const struct inq_machine *m, const struct inq_cpu *cpu,
				 const struct nested_block *b, struct inq_sink *out,
				 struct inq_err *err);

static enum inq_status each_block(const struct inq_machine *m, enum vmcs_format format,
				  block_fn *rows, struct inq_sink *out, struct inq_err *err)
{
	struct nested_blocks b;
	bool told = false;
	enum inq_status st = nested_blocks_told(m, &told, out, err);

	for (uint32_t i = 0; !st && told && i < m->nr_cpus; i++) {
		st = nested_blocks_read(m, &m->cpus[i], &b, out, err);
		for (size_t k = 0; !st && k < b.nr; k++)
			if (b.block[k].format == format)
				st = rows(m, &m->cpus[i], &b.block[k], out, err);
	}
	return st;
}

static struct inq_value v_pa(const struct nested_block *b)
{
	return b->pa == UINT64_MAX ? INQ_V_NULL : INQ_V_ADDR(b->pa);
}

static enum inq_status vmcs_rows(const struct inq_machine *m, const struct inq_cpu *cpu,
				 const struct nested_block *b, struct inq_sink *out,
				 struct inq_err *err)
{
	enum inq_status st = INQ_OK;
	char text[256];

	for (int i = 0; !st && i < VMCS_NR_FIELDS; i++) {
		const enum vmcs_field f = (enum vmcs_field)i;
		const struct vmcs_field_info *of = &vmcs_field_info[f];
		text[0] = '\0';
		vmcs12_say(b->bytes, f, text, sizeof(text));
		st = INQ_ROW(out, err, INQ_V_INT(m->sample.sample_id), INQ_V_INT(cpu->index),
			     INQ_V_TEXT(b->name), INQ_V_TEXT(of->name), v_pa(b),
			     of->encoding == VMCS_NO_ENCODING ? INQ_V_NULL
							      : INQ_V_INT(of->encoding),
			     INQ_V_INT(of->bytes), INQ_V_TEXT(vmcs_group_name(of->group)),
			     INQ_V_TEXT(vmcs_field_access(of)),
			     vmcs12_tells(b->bytes, f) ? INQ_V_ADDR(vmcs12_get(b->bytes, f))
						       : INQ_V_NULL,
			     v_text(text), INQ_V_TEXT(of->section));
	}
	return st;
}

static enum inq_status vmcb_rows(const struct inq_machine *m, const struct inq_cpu *cpu,
				 const struct nested_block *b, struct inq_sink *out,
				 struct inq_err *err)
{
	enum inq_status st = INQ_OK;
	char text[256];

	for (int i = 0; !st && i < VMCB_NR_FIELDS; i++) {
		const enum vmcb_field f = (enum vmcb_field)i;
		const struct vmcb_field_info *of = &vmcb_field_info[f];
		if (!(b->groups >> of->group & 1))
			continue;
		text[0] = '\0';
		vmcb_say(b->bytes, f, text, sizeof(text));
		st = INQ_ROW(out, err, INQ_V_INT(m->sample.sample_id), INQ_V_INT(cpu->index),
			     INQ_V_TEXT(b->name), INQ_V_TEXT(of->name), v_pa(b), INQ_V_INT(of->off),
			     INQ_V_INT(of->bytes), INQ_V_TEXT(vmcb_group_name(of->group)),
			     of->bytes > 8 ? INQ_V_NULL : INQ_V_ADDR(vmcb_get(b->bytes, f)),
			     v_text(text), INQ_V_TEXT(of->section));
	}
	return st;
}

/* Every bit that has a name, of one field. */
static enum inq_status bits_of(const struct inq_machine *m, const struct inq_cpu *cpu,
			       const struct nested_block *b, const char *field, enum vmcs_say set,
			       uint64_t v, struct inq_sink *out, struct inq_err *err)
{
	enum inq_status st = INQ_OK;
	const struct vmcs_bit *bit;

	for (size_t i = 0; !st && (bit = vmcs_bit_at(i)); i++)
		if (bit->set == set)
			st = INQ_ROW(out, err, INQ_V_INT(m->sample.sample_id),
				     INQ_V_INT(cpu->index), INQ_V_TEXT(b->name), INQ_V_TEXT(field),
				     INQ_V_INT(bit->nr), INQ_V_TEXT(bit->name),
				     INQ_V_INT(v >> bit->nr & 1), INQ_V_TEXT(bit->meaning),
				     INQ_V_TEXT(vmcs_say_source(set)));
	return st;
}

static enum inq_status vmcs_bits(const struct inq_machine *m, const struct inq_cpu *cpu,
				 const struct nested_block *b, struct inq_sink *out,
				 struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	for (int i = 0; !st && i < VMCS_NR_FIELDS; i++)
		st = bits_of(m, cpu, b, vmcs_field_info[i].name, vmcs_field_info[i].say,
			     vmcs12_get(b->bytes, (enum vmcs_field)i), out, err);
	return st;
}

static enum inq_status vmcb_bits(const struct inq_machine *m, const struct inq_cpu *cpu,
				 const struct nested_block *b, struct inq_sink *out,
				 struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	for (int i = 0; !st && i < VMCB_NR_FIELDS; i++)
		if (b->groups >> vmcb_field_info[i].group & 1)
			st = bits_of(m, cpu, b, vmcb_field_info[i].name, vmcb_field_info[i].say,
				     vmcb_get(b->bytes, (enum vmcb_field)i), out, err);
	return st;
}

static enum inq_status run_vmcs(const struct inq_machine *m, struct inq_sink *out,
				struct inq_err *err)
{
	return each_block(m, VMCS_VMX, vmcs_rows, out, err);
}

static enum inq_status run_vmcb(const struct inq_machine *m, struct inq_sink *out,
				struct inq_err *err)
{
	return each_block(m, VMCS_SVM, vmcb_rows, out, err);
}

static enum inq_status run_vmcs_bit(const struct inq_machine *m, struct inq_sink *out,
				    struct inq_err *err)
{
	return each_block(m, VMCS_VMX, vmcs_bits, out, err);
}

static enum inq_status run_vmcb_bit(const struct inq_machine *m, struct inq_sink *out,
				    struct inq_err *err)
{
	return each_block(m, VMCS_SVM, vmcb_bits, out, err);
}

const struct inq_collector collect_vmcs_field = {
	.table = "vmcs_field",
	.doc = "VMCSs of hypervisors that run inside, field by field",
	.cols = vmcs_cols,
	.nr_keys = 4,
	.run = run_vmcs,
};

const struct inq_collector collect_vmcb_field = {
	.table = "vmcb_field",
	.doc = "VMCBs of hypervisors that run inside, field by field",
	.cols = vmcb_cols,
	.nr_keys = 4,
	.run = run_vmcb,
};

const struct inq_collector collect_vmcs_bit = {
	.table = "vmcs_bit",
	.doc = "every bit that has a name, of the fields of vmcs_field",
	.cols = bit_cols,
	.nr_keys = 5,
	.run = run_vmcs_bit,
};

const struct inq_collector collect_vmcb_bit = {
	.table = "vmcb_bit",
	.doc = "every bit that has a name, of the fields of vmcb_field",
	.cols = bit_cols,
	.nr_keys = 5,
	.run = run_vmcb_bit,
};
