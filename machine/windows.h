/* From a Windows dump: what its kernel said when it stopped, and the registers of its CPUs. */
#ifndef MACHINE_WINDOWS_H
#define MACHINE_WINDOWS_H

#include <inquest/machine.h>

#include "arch/paging.h"

struct machine_windows;

/*
 * Understand the header, and where memory allows it the kernel's own list of processors.  NULL in
 * *ret when the dump is not of Windows.  What cannot be read is told in pub.why, never an error.
 * Errors: INQ_ENOMEM.
 */
INQ_MUST enum inq_status machine_windows_open(const struct inq_dump *dump,
					      struct machine_windows **ret, struct inq_err *err);
void machine_windows_close(struct machine_windows *w); /* accepts NULL */
const struct inq_windows *machine_windows_pub(const struct machine_windows *w);

/* Sets what the dump tells of one CPU; the rest of rs stays as it is. */
void machine_windows_regs(const struct machine_windows *w, uint32_t cpu, struct inq_regset *rs);
/* Its MSRs, ascending; NULL and 0 when unknown.  free() them.  Errors: INQ_ENOMEM. */
INQ_MUST enum inq_status machine_windows_msrs(const struct machine_windows *w, uint32_t cpu,
					      struct inq_msr **ret_msrs, size_t *ret_nr,
					      struct inq_err *err);

/* How a CPU translates whose EFER is not in the dump, as no Windows dump has it; false: unknown. */
bool machine_windows_mode(const struct machine_windows *w, const struct inq_regset *rs,
			  struct paging_mode *ret);

/* The bug check's name and what its parameter 1..4 means.  Static; NULL: not in our table. */
const char *machine_bugcheck_name(uint32_t code);
const char *machine_bugcheck_parameter(uint32_t code, unsigned int nr);

#endif
