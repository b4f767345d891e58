/* What a VM entry demands of a VMCS.  Adding a check: a line in entry_checks.def. */
#ifndef VMCS_ENTRY_CHECK_H
#define VMCS_ENTRY_CHECK_H

#include "vmcs/fields.h"

enum { VMCS_CAP_FIRST = 0x480, VMCS_CAPS = 0x13 }; /* IA32_VMX_BASIC to IA32_VMX_PROCBASED_CTLS3 */

/* What the checks go by. */
struct vmcs_checked {
	const uint8_t *vmcs12; /* VMCS12_BYTES */
	uint64_t cap[VMCS_CAPS];
	uint32_t caps_known;     /* a bit per capability MSR */
	unsigned int maxphyaddr; /* bits; 0: unknown */
	/* The guest runs: what was to be injected is delivered, and stays valid in KVM's vmcs12 up
	   to the exit (Linux arch/x86/kvm/vmx/nested.c, prepare_vmcs12). */
	bool entered;
};

/* Below VMCS_FAIL: unknown, by what is not known. */
enum vmcs_verdict {
	VMCS_UNKNOWN_LEVELS = -3,
	VMCS_UNKNOWN_WIDTH = -2,
	VMCS_UNKNOWN_MSR = -1,
	VMCS_FAIL = 0,
	VMCS_PASS = 1
};

/* What a failed check makes of the entry. */
enum vmcs_stage { VMCS_STAGE_CONTROLS, VMCS_STAGE_HOST, VMCS_STAGE_GUEST };

struct vmcs_entry_check {
	const char *id;
	enum vmcs_stage stage;
	enum vmcs_field field; /* that it is about; the rule names others */
	const char *section;   /* of the SDM, vol. 3 */
	const char *rule;
};

/* NULL behind the last. */
const struct vmcs_entry_check *vmcs_entry_check_at(size_t i);

/* Of check i, which there is. */
enum vmcs_verdict vmcs_entry_verdict(size_t i, const struct vmcs_checked *c);

/* "a capability MSR is not in the dump", ...: static; NULL: the verdict is known. */
const char *vmcs_verdict_lacks(enum vmcs_verdict v);

/* "VM-instruction error 7", ...: static. */
const char *vmcs_stage_name(enum vmcs_stage stage);

#endif
