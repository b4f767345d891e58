#include "tests/analyzers/frozen.h"

#include <string.h>

static enum inq_status frozen_read(const struct inq_space *self, uint64_t addr, void *buf, size_t n,
				   struct inq_err *err)
{
	const struct frozen_space *s = (const struct frozen_space *)self;

	if (addr >= FROZEN_RAM || n > FROZEN_RAM - addr)
		return inq_fail_at(err, INQ_EFAULT, addr, "phys: no memory at 0x%llx",
				   (unsigned long long)addr);
	if (addr + n > s->absent && addr < s->absent + 0x1000)
		return inq_fail_at(err, INQ_EABSENT, addr, "phys: 0x%llx was not dumped",
				   (unsigned long long)addr);
	memcpy(buf, s->ram + addr, n);
	return INQ_OK;
}

static enum inq_status frozen_runs(const struct inq_space *self, uint64_t addr, size_t n,
				   struct inq_run *ret, struct inq_err *err)
{
	const struct frozen_space *s = (const struct frozen_space *)self;

	if (addr >= FROZEN_RAM)
		return inq_fail_at(err, INQ_EFAULT, addr, "phys: no memory");
	size_t left = FROZEN_RAM - addr;
	*ret = (struct inq_run){
		.kind = INQ_RUN_BYTES, .p = s->ram + addr, .len = n < left ? n : left};
	return INQ_OK;
}

void frozen_set(struct frozen *f, unsigned int cpu, enum x86_64_reg r, uint64_t value)
{
	inq_reg_set(&f->cpu[cpu].regs, r, value);
}

void frozen_init(struct frozen *f)
{
	memset(f, 0, sizeof(*f));
	f->phys.base = (struct inq_space){
		.space_id = 1, .name = "phys", .read = frozen_read, .runs = frozen_runs};
	f->phys.absent = ~UINT64_C(0) - 0x2000;
	for (unsigned int i = 0; i < FROZEN_CPUS; i++) {
		f->cpu[i].index = i;
		f->cpu[i].phys = f->cpu[i].virt = &f->phys.base;
		for (unsigned int r = 0; r < X86_64_NR_REGS; r++)
			inq_reg_set(&f->cpu[i].regs, r, 0);
		frozen_set(f, i, X86_64_CR0, X86_64_CR0_PE | X86_64_CR0_PG);
		frozen_set(f, i, X86_64_EFER, X86_64_EFER_LME | X86_64_EFER_LMA);
		frozen_set(f, i, X86_64_CS_ATTR, 0xa09b);
		frozen_set(f, i, X86_64_SS_ATTR, 0xc093);
		frozen_set(f, i, X86_64_RFLAGS, 2);
		frozen_set(f, i, X86_64_RIP, FROZEN_CODE);
		frozen_set(f, i, X86_64_RSP, 0x8000);
	}
	f->machine = (struct inq_machine){
		.machine_id = 1, .kind = "vm", .cpus = f->cpu, .nr_cpus = FROZEN_CPUS};
}

void frozen_real(struct frozen *f, unsigned int cpu, uint64_t cs_base, uint64_t rip)
{
	frozen_set(f, cpu, X86_64_CR0, 0x10);
	frozen_set(f, cpu, X86_64_EFER, 0);
	frozen_set(f, cpu, X86_64_CS_ATTR, 0x8093);
	frozen_set(f, cpu, X86_64_SS_ATTR, 0x8093);
	frozen_set(f, cpu, X86_64_CS_BASE, cs_base);
	frozen_set(f, cpu, X86_64_RIP, rip);
	frozen_set(f, cpu, X86_64_SMM, 1);
}

void frozen_code(struct frozen *f, uint64_t at, const char *bytes, size_t n)
{
	memcpy(f->phys.ram + at, bytes, n);
}

void frozen_word(struct frozen *f, uint64_t at, uint64_t value, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i++)
		f->phys.ram[at + i] = (uint8_t)(value >> (8 * i));
}
