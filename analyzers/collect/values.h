/* Values of columns, from things that may be unknown. */
#ifndef ANALYZERS_COLLECT_VALUES_H
#define ANALYZERS_COLLECT_VALUES_H

#include <stdbool.h>

#include <inquest/collect.h>

#include "arch/x86_64/regs.h"

/* Every table of per-CPU state begins with these two. */
#define COLS_OF_CPU                                                                                \
	{"sample_id", INQ_INT, "the picture it belongs to, 0: the snapshot itself"},               \
	{                                                                                          \
		"cpu", INQ_INT, "index of the CPU"                                                 \
	}

static inline struct inq_value v_addr(const struct inq_cpu *cpu, unsigned int r)
{
	return inq_reg_known(&cpu->regs, r) ? INQ_V_ADDR(cpu->regs.v[r]) : INQ_V_NULL;
}

static inline struct inq_value v_int(const struct inq_cpu *cpu, unsigned int r)
{
	return inq_reg_known(&cpu->regs, r) ? INQ_V_INT(cpu->regs.v[r]) : INQ_V_NULL;
}

/* One bit of a register. */
static inline struct inq_value v_bit(const struct inq_cpu *cpu, unsigned int r, unsigned int bit)
{
	return inq_reg_known(&cpu->regs, r) ? INQ_V_INT(cpu->regs.v[r] >> bit & 1) : INQ_V_NULL;
}

/* Text that may have nothing to say. */
static inline struct inq_value v_text(const char *text)
{
	return text && *text ? INQ_V_TEXT(text) : INQ_V_NULL;
}

/* Rows of one CPU after the other, until one fails. */
static inline enum inq_status
each_cpu(const struct inq_machine *m, struct inq_sink *out,
	 enum inq_status (*rows)(const struct inq_machine *m, const struct inq_cpu *cpu,
				 struct inq_sink *out, struct inq_err *err),
	 struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	for (uint32_t i = 0; !st && i < m->nr_cpus; i++)
		st = rows(m, &m->cpus[i], out, err);
	return st;
}

#endif
