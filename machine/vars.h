/* Variables of the kernel.  See also <inquest/types.h>. */
#ifndef MACHINE_VARS_H
#define MACHINE_VARS_H

#include "machine/types.h"

struct machine_var {
	uint64_t addr, size;  /* size 0: unknown */
	struct inq_type type; /* unit NULL: unknown */
	bool is_per_cpu;      /* then addr is what is added to the base of a CPU's data */
};

/* Errors: as inq_var. */
INQ_MUST enum inq_status machine_var(const struct inq_machine *m, const char *name,
				     struct machine_var *ret, struct inq_err *err);

#endif
