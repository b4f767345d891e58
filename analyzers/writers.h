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

/*
 * Look through what every other CPU of m executes, from its RIP and from the entries of its IDT,
 * for stores to the bytes at phys of space.  Memory that the two do not share is not theirs to write.  Registers are
 * followed as constants; a store through an unknown register counts as none.
 */
INQ_MUST enum inq_status writers_find(const struct inq_machine *m, const struct inq_cpu *victim,
				      const struct inq_space *space, uint64_t phys,
				      unsigned int bytes, struct writer ret[WRITERS_MAX],
				      int *ret_nr, struct inq_err *err);

#endif
