/* Finding the kernel of a dump without being told where it is.  For machine.c only. */
#ifndef MACHINE_KERNEL_H
#define MACHINE_KERNEL_H

#include <inquest/machine.h>

#include "base/scope.h"

/*
 * What the registers of the CPUs say comes first; VMCOREINFO, from a note of the dump or out of
 * memory, stands beside it, and alone where they say nothing.  Memory as a whole is searched only
 * then.  Finding nothing is a kernel without .os.  The machine must outlive it.
 * Errors: INQ_ENOMEM, INQ_EINTR.
 */
INQ_MUST enum inq_status kernel_find(const struct inq_machine *m, struct inq_kernel **ret_kernel,
				     struct inq_err *err);
void kernel_destroy(struct inq_kernel *k); /* accepts NULL */
INQ_DEFINE_SCOPE(struct inq_kernel, kernel_destroy)

/* Its space, for a number; NULL: it has none. */
struct inq_space *kernel_space(struct inq_kernel *k);

#endif
