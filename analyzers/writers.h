/* Who could write a word: code of other CPUs that stores to it. */
#ifndef ANALYZERS_WRITERS_H
#define ANALYZERS_WRITERS_H

#include "analyzers/eval.h"

enum { WRITERS_MAX = 16, WRITERS_PER_CPU = 4 };

struct writer {
	uint32_t cpu;  /* index */
	bool executed; /* on the path that it takes now; else merely reachable from there */
	struct x86_64_insn insn;
};

struct writers;

/*
 * Look through what every CPU of m executes, from its RIP, from the return addresses on its stack
 * and from the entries of its IDT, for stores whose address can be told.  Registers are followed
 * as constants; a store through an unknown register counts as none.  m must stay.  Errors:
 * INQ_ENOMEM.  Destroy accepts NULL.
 */
INQ_MUST enum inq_status writers_create(const struct inq_machine *m, struct writers **ret_writers,
					struct inq_err *err);
void writers_destroy(struct writers *w);

/*
 * Of those, the ones to the bytes at phys of space, by other CPUs than victim, and by its own
 * interrupt handlers when it lets interrupts in.  Memory that the two do not share is not theirs
 * to write.  Returns how many.
 */
int writers_find(const struct writers *w, const struct inq_cpu *victim,
		 const struct inq_space *space, uint64_t phys, unsigned int bytes,
		 struct writer ret[WRITERS_MAX]);

#endif
