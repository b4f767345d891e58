/* The bytes that an SMI saved. */
#ifndef ANALYZERS_COLLECT_SMM_AREA_H
#define ANALYZERS_COLLECT_SMM_AREA_H

#include <stdbool.h>

#include <inquest/collect.h>

#include "arch/x86_64/smm.h"

/*
 * The save area of a CPU; *ret_have false when the dump has no SMM view or no SMBASE, or when it
 * cannot be read, which becomes a gap of out.
 */
INQ_MUST enum inq_status smm_read_area(const struct inq_machine *m, const struct inq_cpu *cpu,
				       uint8_t area[X86_64_SMM_AREA], bool *ret_have,
				       struct inq_sink *out, struct inq_err *err);

#endif
