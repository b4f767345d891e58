/* A set of register values and, beside it, which of them are known: unknown is not zero. */
#ifndef INQ_REGS_H
#define INQ_REGS_H

#include <stdint.h>

enum { INQ_NR_REGS = 192 }; /* numbers are the architecture's: arch/x86_64/regs.h */

struct inq_regset {
	uint64_t v[INQ_NR_REGS];
	uint64_t known[INQ_NR_REGS / 64];
};

static inline int inq_reg_known(const struct inq_regset *rs, unsigned int r)
{
	return (int)(rs->known[r / 64] >> (r % 64) & 1);
}

static inline void inq_reg_set(struct inq_regset *rs, unsigned int r, uint64_t value)
{
	rs->v[r] = value;
	rs->known[r / 64] |= UINT64_C(1) << (r % 64);
}

static inline void inq_reg_forget(struct inq_regset *rs, unsigned int r)
{
	rs->v[r] = 0;
	rs->known[r / 64] &= ~(UINT64_C(1) << (r % 64));
}

#endif
