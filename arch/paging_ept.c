/*
 * Knows the tables that Intel CPUs walk from a guest-physical address, and what makes an entry of
 * theirs a misconfiguration.  Source: SDM vol. 3, "EPT Translation Mechanism" (29.3.2), "EPT
 * Misconfigurations" (29.3.3.1), "Extended-Page-Table Pointer" (25.6.11), A.10.
 */
#include <inttypes.h>

#include "arch/paging.h"

#define BIT(n) (UINT64_C(1) << (n))
#define EPT_READ BIT(0)
#define EPT_WRITE BIT(1)
#define EPT_EXEC BIT(2)
#define EPT_EXEC_USER BIT(10)

enum { MAX_PHYS_BITS = 52 };
enum { CAP_EXEC_ONLY = 0, CAP_WALK_4 = 6, CAP_1_GIB = 17 };

static int capability(uint64_t cap, int bit)
{
	/* every CPU with EPT walks 4 levels: without that bit the MSR was not seen */
	return cap >> CAP_WALK_4 & 1 ? (int)(cap >> bit & 1) : -1;
}

enum inq_status paging_mode_of_eptp(uint64_t eptp, uint64_t vpid_cap, int maxphyaddr,
				    struct paging_mode *ret_mode, struct inq_err *err)
{
	int levels = (int)(eptp >> 3 & 7) + 1;

	if (levels != 4 && levels != 5)
		return inq_fail(err, INQ_ECORRUPT, "eptp 0x%" PRIx64 ": a walk of %d levels", eptp,
				levels);
	*ret_mode = (struct paging_mode){.kind = PAGING_EPT,
					 .levels = levels,
					 .nx = true,
					 .maxphyaddr = maxphyaddr,
					 .gbpages = capability(vpid_cap, CAP_1_GIB),
					 .exec_only = capability(vpid_cap, CAP_EXEC_ONLY),
					 .root = eptp & paging_bits(MAX_PHYS_BITS - 1, 12)};
	return INQ_OK;
}

uint64_t paging_ept_reserved(const struct paging_mode *m, int level, bool leaf)
{
	uint64_t r = paging_bits(MAX_PHYS_BITS - 1, m->maxphyaddr ? m->maxphyaddr : MAX_PHYS_BITS);

	if (leaf)
		return level > 1 ? r | paging_bits(paging_shift(m, level) - 1, 12) : r;
	return r | paging_bits(level >= 4 ? 7 : 6, 3);
}

/* Execution alone is a right that a CPU may lack. */
static bool is_exec_only(const struct paging_mode *m, uint64_t entry)
{
	return !(entry & EPT_READ) && entry & (EPT_EXEC | (m->mbec ? EPT_EXEC_USER : 0));
}

enum paging_verdict paging_ept_judge(const struct paging_mode *m, int level, uint64_t entry)
{
	bool leaf = paging_is_leaf(m, level, entry);
	unsigned int type = (unsigned int)(entry >> 3 & 7);

	if (!(entry & EPT_READ) && entry & EPT_WRITE)
		return PAGING_WRITE_ONLY;
	if (m->exec_only == 0 && is_exec_only(m, entry))
		return PAGING_EXEC_ONLY;
	if (entry & paging_ept_reserved(m, level, leaf))
		return PAGING_RESERVED;
	if (leaf && (type == 2 || type == 3 || type == 7))
		return PAGING_MEMORY_TYPE;
	return PAGING_OK;
}
