/* Code as a CPU would fetch it. */
#ifndef ANALYZERS_CODE_H
#define ANALYZERS_CODE_H

#include <inquest/machine.h>

#include "arch/x86_64/insn.h"

/* Linear address of an offset in a segment, wrapped as the CPU's mode demands. */
uint64_t code_linear(const struct inq_cpu *cpu, enum x86_64_mode mode, uint64_t seg_base,
		     uint64_t offset);

/*
 * The instruction at rip (relative to cs.base).  Errors: INQ_EABSENT, INQ_EFAULT (its first byte
 * cannot be read), INQ_ECORRUPT (no instruction), INQ_EUNSUPPORTED (mode or cs.base unknown).
 */
INQ_MUST enum inq_status code_fetch(const struct inq_cpu *cpu, uint64_t rip,
				    struct x86_64_insn *ret_insn, struct inq_err *err);

#endif
