/* Interrupts and exceptions on request: the `inject` verb of the control socket. */
#ifndef VMM_INJECT_H
#define VMM_INJECT_H

#include "vmm/json.h"
#include "vmm/vm.h"

enum vmm_injected {
	VMM_INJECTED_NOTHING,
	VMM_INJECTED_IRQ,       /* vcpu, vector */
	VMM_INJECTED_EXCEPTION, /* vcpu, vector, error, address */
	VMM_INJECTED_LINE,      /* gsi, level */
	VMM_INJECTED_MSI,       /* address, data */
};

/* What to inject; has: which members were given. */
struct vmm_injection {
	enum vmm_injected what;
	unsigned has; /* bits of the table in inject.c */
	uint32_t vcpu, vector, error, gsi, level, data;
	uint64_t address;
};

/* Take one member of the request but "do"; INQ_EUSAGE. */
INQ_MUST enum inq_status vmm_injection_member(struct vmm_injection *q,
					      const struct vmm_json_member *m, unsigned nr_vcpus,
					      struct inq_err *err);
/* All taken: is everything there, and nothing that does not belong to it? */
INQ_MUST enum inq_status vmm_injection_check(const struct vmm_injection *q, struct inq_err *err);

/*
 * Do it.  For an exception all vCPUs must be parked.  *ret_taken: 0 when the LAPIC that an
 * interrupt was for does not take any.  INQ_EUNSUPPORTED, INQ_EIO naming what KVM says.
 */
INQ_MUST enum inq_status vmm_inject_now(struct vmm_vm *vm, const struct vmm_injection *q,
					bool *ret_taken, struct inq_err *err);

#endif
