/* Which registers decide what happens from an instruction on. */
#ifndef ANALYZERS_LIVENESS_H
#define ANALYZERS_LIVENESS_H

#include "arch/x86_64/insn.h"

enum { LIVENESS_FLAGS = 16 }; /* bit of the flags; bits 0 to 15 are RAX to R15 */

/* The set before in, given the set behind it. */
uint32_t liveness_before(const struct x86_64_insn *in, uint32_t live);

#endif
