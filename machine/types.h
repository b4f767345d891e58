/* The types of a machine's kernel, found when they are first asked for. */
#ifndef MACHINE_TYPES_H
#define MACHINE_TYPES_H

#include <inquest/types.h>

#include "machine/bytes.h"
#include "symbols/btf.h"

/* The types of one module. */
struct machine_module_types {
	struct btf *btf;
	struct machine_bytes bytes;
};

struct machine_types {
	enum inq_status st; /* why there is no btf */
	struct inq_err why;
	struct btf *btf; /* the kernel's */
	uint64_t addr;   /* where it lies */
	struct machine_bytes bytes;
	struct machine_module_types *modules;
	size_t nr_modules;
	bool modules_asked;
	bool partial; /* not all modules' could be read */
};

/*
 * All that is known of types, found now if it was not before; with modules: theirs, too.
 * Errors: INQ_EABSENT (no kernel, no BTF: why), INQ_ENOMEM, and what reading it ran into.
 */
INQ_MUST enum inq_status machine_types(const struct inq_machine *m, bool modules,
				       const struct machine_types **ret, struct inq_err *err);
void machine_types_destroy(struct machine_types *t); /* accepts NULL */

/* For types.c: the BTF that lies in the image, by what it looks like. */
INQ_MUST enum inq_status machine_types_search(const struct inq_machine *m, struct machine_types *t,
					      struct inq_err *err);
/* Those of all modules that have some; damage sets t->partial.  Errors: INQ_ENOMEM. */
INQ_MUST enum inq_status machine_types_modules(const struct inq_machine *m, struct machine_types *t,
					       struct inq_err *err);
/* The BTF of n bytes at addr.  Errors: also INQ_ENOTFOUND: it has no types of a kernel. */
INQ_MUST enum inq_status machine_types_at(const struct inq_machine *m, uint64_t addr, size_t n,
					  struct machine_types *t, struct inq_err *err);

#endif
