/* One row per CPU: what a person asks first.  Modes: SDM vol. 3, 2.2. */
#include "analyzers/collect/collectors.h"
#include "analyzers/collect/values.h"
#include "arch/x86_64/decode.h"
#include "arch/x86_64/lapic.h"

static const struct inq_column cols[] = {
	COLS_OF_CPU,
	{"mode", INQ_TEXT, "real, prot32, long, ...: how it decodes code"},
	{"rip", INQ_ADDR, "instruction pointer, relative to cs.base"},
	{"lin_rip", INQ_ADDR, "its linear address"},
	{"rsp", INQ_ADDR, "stack pointer"},
	{"rflags", INQ_INT, "flags"},
	{"intr_flag", INQ_INT, "1: maskable interrupts are allowed (RFLAGS.IF)"},
	{"cr0", INQ_INT, "control register 0"},
	{"cr3", INQ_ADDR, "page-table root"},
	{"cr4", INQ_INT, "control register 4"},
	{"efer", INQ_INT, "extended features: long mode, NX"},
	{"cs_base", INQ_ADDR, "base of the code segment"},
	{"cpl", INQ_INT, "privilege level, 0 to 3"},
	{"smm", INQ_INT, "1: in system-management mode"},
	{"halted", INQ_INT, "1: waits in HLT"},
	{"mp_state", INQ_INT, "KVM_MP_STATE_*"},
	{"mp_name", INQ_TEXT, "the same in words"},
	{"nmi_masked", INQ_INT, "1: NMIs are blocked"},
	{"nmi_pending", INQ_INT, "1: an NMI waits"},
	{"smi_pending", INQ_INT, "1: an SMI waits"},
	{"int_shadow", INQ_INT,
	 "1 after MOV SS, 2 after STI: the next instruction is not interrupted"},
	{"exit_reason", INQ_INT, "KVM_EXIT_* of the last KVM_RUN"},
	{"exit_name", INQ_TEXT, "the same in words"},
	{"apic_id", INQ_INT, "local APIC id"},
	{"smbase", INQ_ADDR, "base of its SMM window, from MSR 0x9e"},
	{0},
};

static struct inq_value linear_rip(const struct inq_cpu *cpu)
{
	uint64_t lin = 0;

	return x86_64_linear_rip(&cpu->regs, &lin) ? INQ_V_ADDR(lin) : INQ_V_NULL;
}

/* SDM vol. 3, 5.5: DPL of SS; real mode has none, but acts as 0. */
static struct inq_value cpl(const struct inq_cpu *cpu, enum x86_64_mode mode)
{
	if (mode == X86_64_MODE_UNKNOWN || !inq_reg_known(&cpu->regs, X86_64_SS_ATTR))
		return INQ_V_NULL;
	if (mode == X86_64_MODE_REAL)
		return INQ_V_INT(0);
	return INQ_V_INT(cpu->regs.v[X86_64_SS_ATTR] >> 5 & 3);
}

static struct inq_value halted(const struct inq_cpu *cpu)
{
	enum { HALTED = 3 }; /* KVM_MP_STATE_HALTED */

	return inq_reg_known(&cpu->regs, X86_64_MP_STATE)
		       ? INQ_V_INT(cpu->regs.v[X86_64_MP_STATE] == HALTED)
		       : INQ_V_NULL;
}

/* SDM vol. 3, 11.12.5: 32 bits in x2APIC mode, else the top byte. */
static struct inq_value apic_id(const struct inq_cpu *cpu)
{
	enum { ID = 0x20, X2APIC = 10 };

	if (!cpu->lapic || !inq_reg_known(&cpu->regs, X86_64_APIC_BASE))
		return INQ_V_NULL;
	uint32_t id = x86_64_lapic_read(cpu->lapic, ID);
	return INQ_V_INT(cpu->regs.v[X86_64_APIC_BASE] >> X2APIC & 1 ? id : id >> 24);
}

static struct inq_value in_words(const struct inq_cpu *cpu, enum x86_64_reg r, char *buf, size_t n)
{
	if (!inq_reg_known(&cpu->regs, r))
		return INQ_V_NULL;
	x86_64_describe(r, cpu->regs.v[r], buf, n);
	return v_text(buf);
}

static enum inq_status one(const struct inq_machine *m, const struct inq_cpu *cpu,
			   struct inq_sink *out, struct inq_err *err)
{
	enum x86_64_mode mode = x86_64_mode_of(&cpu->regs);
	char mp[64], ex[64];

	return INQ_ROW(
		out, err, INQ_V_INT(m->sample.sample_id), INQ_V_INT(cpu->index),
		mode == X86_64_MODE_UNKNOWN ? INQ_V_NULL : INQ_V_TEXT(x86_64_mode_name(mode)),
		v_addr(cpu, X86_64_RIP), linear_rip(cpu), v_addr(cpu, X86_64_RSP),
		v_int(cpu, X86_64_RFLAGS), v_bit(cpu, X86_64_RFLAGS, 9), v_int(cpu, X86_64_CR0),
		v_addr(cpu, X86_64_CR3), v_int(cpu, X86_64_CR4), v_int(cpu, X86_64_EFER),
		v_addr(cpu, X86_64_CS_BASE), cpl(cpu, mode), v_int(cpu, X86_64_SMM), halted(cpu),
		v_int(cpu, X86_64_MP_STATE), in_words(cpu, X86_64_MP_STATE, mp, sizeof(mp)),
		v_int(cpu, X86_64_NMI_MASKED), v_int(cpu, X86_64_NMI_PENDING),
		v_int(cpu, X86_64_SMI_PENDING), v_int(cpu, X86_64_INT_SHADOW),
		v_int(cpu, X86_64_EXIT_REASON), in_words(cpu, X86_64_EXIT_REASON, ex, sizeof(ex)),
		apic_id(cpu), v_addr(cpu, X86_64_SMBASE));
}

static enum inq_status run(const struct inq_machine *m, struct inq_sink *out, struct inq_err *err)
{
	enum inq_status st = INQ_OK;
	struct inq_err why;

	if (!m->nr_cpus) { /* every machine has one: this dump does not tell */
		(void)inq_fail(&why, INQ_EABSENT, "the dump tells nothing of any cpu");
		st = inq_gap(out, NULL, 0, 0, &why, err);
	}
	return st ? st : each_cpu(m, out, one, err);
}

const struct inq_collector collect_cpu = {
	.table = "cpu",
	.doc = "every CPU: where it is and in which state",
	.cols = cols,
	.nr_keys = 2,
	.run = run,
};
