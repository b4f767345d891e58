/* Register values in words. */
#ifndef ARCH_X86_64_DECODE_H
#define ARCH_X86_64_DECODE_H

#include <stddef.h>

#include "arch/x86_64/regs.h"

/*
 * What a known value means, for people: "PE, ET, PG" for CR0, "GD, L0 exec 1" for DR7, "halted" for
 * MP_STATE, "shutdown" for EXIT_REASON.  Cut to n bytes with the NUL; empty when there is nothing
 * to say.
 */
void x86_64_describe(enum x86_64_reg reg, uint64_t value, char *buf, size_t n);

/* "hlt", "internal error", ...; NULL when the number is unknown here.  Static. */
const char *x86_64_exit_reason_name(uint64_t reason);

/* "#DE" .. "#SX"; NULL when the vector is no exception.  Static. */
const char *x86_64_exception_name(uint64_t vector);

#endif
