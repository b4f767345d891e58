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

/*
 * For who can wait: the type of a variable that machine_var found without one, out of a debug file.
 * False: there is no such file, it knows another variable of that name, or its type has no name
 * that the kernel's own types know.
 */
bool machine_var_by_debug_file(const struct inq_machine *m, const char *name,
			       struct machine_var *v);

#endif
