/* What people write for an object of the kernel: a variable or a type, and a way on from there. */
#ifndef MACHINE_EXPR_H
#define MACHINE_EXPR_H

#include <inquest/types.h>

/* An object, or a part of one. */
struct machine_object {
	uint64_t addr;        /* of its first byte, in the kernel's memory */
	struct inq_member mb; /* its type; of a bit-field also its bits */
};

#define MACHINE_NO_CPU UINT32_MAX

/* For --help: how to write one. */
#define MACHINE_EXPR_HELP                                                                          \
	"  'struct task_struct' ADDRESS          the object of that type there\n"                  \
	"  jiffies_64                            a variable of the kernel\n"                       \
	"  init_task.comm, node_data[0]          a part of it\n"                                   \
	"  'struct task_struct.mm->pgd' ADDRESS  what its pointers lead to\n"                      \
	"  '*modules.next'                       what it points to as a whole\n"

/*
 * addr: NULL, then text begins with a variable; else it begins with a type, and that is where the
 * object lies.  cpu: whose, of a per-CPU variable; MACHINE_NO_CPU: nobody's.
 * Errors: INQ_EUSAGE, INQ_ENOTFOUND, INQ_EABSENT, INQ_EFAULT; a NULL on the way is INQ_EFAULT.
 */
INQ_MUST enum inq_status machine_object(const struct inq_machine *m, const char *text,
					const uint64_t *addr, uint32_t cpu,
					struct machine_object *ret, struct inq_err *err);

/* Does text begin with a per-CPU variable? */
bool machine_object_per_cpu(const struct inq_machine *m, const char *text);

/*
 * An address: a number, or what a variable's name and a path from it lead to (the address of that,
 * not its value), or a place as in place.h.  Errors: as machine_object.
 */
INQ_MUST enum inq_status machine_object_addr(const struct inq_machine *m, const char *text,
					     uint64_t *ret, struct inq_err *err);

#endif
