/* The spaces of a guest that a guest runs, from a vCPU's nested state.  For machine/ only. */
#ifndef MACHINE_NESTED_H
#define MACHINE_NESTED_H

#include "arch/paging.h"
#include "machine/kvm.h"
#include "vmcs/nested.h"

enum { MACHINE_NESTED_NAME = 24 };

/*
 * Not to be moved: its spaces refer to each other.  A space without a name is not there: what
 * decides it is unknown, or the hypervisor has no tables of its own below its guest.
 */
struct machine_nested {
	struct paging_space phys;  /* nestedN: guest-physical memory of the inner guest */
	struct paging_space virt;  /* nestedN-virt: its linear addresses */
	struct paging_space outer; /* outerN-virt: linear addresses of its hypervisor, while the
				      vCPU's registers are the inner guest's */
	bool runs;                 /* they are */
	char name[3][MACHINE_NESTED_NAME];
};

/*
 * cpu: with registers, MSRs and CPUID.  maxphyaddr, gbpages as in arch/paging.h.  A note that is
 * missing or damaged leaves everything absent.
 */
void machine_nested_open(const struct machine_blobs *b, const struct inq_cpu *cpu,
			 const struct inq_space *phys, int maxphyaddr, int gbpages,
			 struct machine_nested *ret);

/*
 * How the hypervisor's own tables below its guest are walked, root being what vmcs_nested_paging
 * tells.  False: what decides it is unknown.
 */
bool machine_nested_mode(const struct inq_cpu *cpu, const struct vmcs_nested *state, uint64_t root,
			 int maxphyaddr, int gbpages, struct paging_mode *ret);

#endif
