/* What a name of the kernel stands for where people write an address. */
#ifndef MACHINE_NAME_ADDR_H
#define MACHINE_NAME_ADDR_H

#include <inquest/machine.h>

/* For --help: what an address may be beside a number. */
#define MACHINE_NAME_HELP                                                                          \
	"  schedule+0x20      a name of the kernel; it stands without a SPACE, too\n"              \
	"  runqueues@1        a per-CPU variable, and whose\n"

struct machine_name {
	uint64_t addr, size; /* size 0: unknown */
};

/*
 * NAME, or of a per-CPU variable NAME@CPU: n characters.  cpu: whose where no @ says so, or NULL.
 * Errors: INQ_ENOTFOUND (no such name), INQ_EUSAGE (there are several, or nobody says whose),
 * INQ_EABSENT.
 */
INQ_MUST enum inq_status machine_name_addr(const struct inq_machine *m, const char *text, size_t n,
					   const uint32_t *cpu, struct machine_name *ret,
					   struct inq_err *err);

#endif
