/* The VMCSs and VMCBs of a vCPU, wherever the dump keeps them. */
#ifndef ANALYZERS_COLLECT_NESTED_BLOCK_H
#define ANALYZERS_COLLECT_NESTED_BLOCK_H

#include <inquest/collect.h>

#include "vmcs/nested.h"
#include "vmcs/vmcb.h"

enum { NESTED_BLOCKS = 3 };

struct nested_block {
	/*
	 * VMCS: "current", "shadow".  VMCB: "control" is KVM's own copy of the control area, which
	 * is fresher than "memory", the page of the guest; "l1" is what the hypervisor gets back at
	 * the next exit, while its guest runs, "hsave" the same while it is in SMM.
	 */
	const char *name;
	enum vmcs_format format;
	const uint8_t *bytes; /* VMCS12_BYTES */
	uint64_t pa;          /* guest-physical; UINT64_MAX: it lies in no memory of the guest */
	uint32_t groups;      /* of the VMCB: a bit per enum vmcb_group that it tells */
};

/* Not to be moved: blocks point into it. */
struct nested_blocks {
	struct vmcs_nested state;
	bool have; /* nested state was told: .state */
	struct nested_block block[NESTED_BLOCKS];
	size_t nr;
	uint8_t memory[VMCB_BYTES], hsave[VMCB_BYTES];
};

/* All that the dump has of a CPU; what it does not tell, or is damaged, becomes gaps of out. */
INQ_MUST enum inq_status nested_blocks_read(const struct inq_machine *m, const struct inq_cpu *cpu,
					    struct nested_blocks *ret, struct inq_sink *out,
					    struct inq_err *err);

/* False, and one gap for all CPUs: the dump tells nested state of none. */
INQ_MUST enum inq_status nested_blocks_told(const struct inq_machine *m, bool *ret_told,
					    struct inq_sink *out, struct inq_err *err);

/* The block of that name, or NULL. */
const struct nested_block *nested_blocks_find(const struct nested_blocks *b, const char *name);

#endif
