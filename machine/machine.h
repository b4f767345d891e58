/* From an open dump to a machine.  Joins loader, arch and the raw KVM structures. */
#ifndef MACHINE_MACHINE_H
#define MACHINE_MACHINE_H

#include <stdbool.h>

#include <inquest/machine.h>

struct machine_lines;
struct machine_names;
struct machine_types;
struct whole_machine;

/* Asked now and then: bytes done, and how many there are; 0: nobody knows.  False: stop. */
typedef bool machine_search_go_fn(void *ctx, uint64_t done, uint64_t total);

/* What is made when it is first asked for; who makes it owns the pointer's meaning. */
struct machine_made {
	struct whole_machine *whole; /* of which this is a part */
	struct inq_kernel *kernel;
	struct machine_names *names;
	machine_search_go_fn *go; /* asked while all memory is looked through; may be NULL */
	void *go_ctx;
	struct machine_types *types;
	struct machine_lines *lines;
};

/* A failure that tells of this moment, not of the dump: it is no answer to be kept. */
static inline bool machine_passes(enum inq_status st)
{
	return st == INQ_ENOMEM || st == INQ_EINTR;
}

/*
 * The kernel, for who reads its memory to find what ("names").  Errors: INQ_EABSENT (there is none,
 * or its page tables are unknown), and what kept from looking for it.
 */
INQ_MUST enum inq_status machine_kernel_for(const struct inq_machine *m, const char *what,
					    const struct inq_kernel **ret, struct inq_err *err);

/*
 * Understand the dump.  The dump must stay open as long as the machine, and is not owned by it.
 * A blob that is missing, refused or too short leaves its registers unknown: never an error here.
 * Errors: INQ_ENOMEM, INQ_ELIMIT.  Close accepts NULL.
 */
INQ_MUST enum inq_status machine_open(const struct inq_dump *dump, struct inq_machine **ret_machine,
				      struct inq_err *err);
void machine_close(struct inq_machine *m);

/* Have go asked while all of memory is looked through to find something: false ends it, INQ_EINTR.
 */
void machine_on_search(struct inq_machine *m, machine_search_go_fn *go, void *ctx);

#endif
