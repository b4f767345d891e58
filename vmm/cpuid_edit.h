/* CPU features by the names of /proc/cpuinfo, and changes of a CPUID table.  No KVM calls. */
#ifndef VMM_CPUID_EDIT_H
#define VMM_CPUID_EDIT_H

#include <stdbool.h>
#include <stdint.h>

#include <inquest/err.h>
#include <linux/kvm.h>

enum vmm_cpuid_reg { VMM_EAX, VMM_EBX, VMM_ECX, VMM_EDX };

struct vmm_feature {
	uint32_t leaf, sub;
	enum vmm_cpuid_reg reg;
	unsigned bit;
};

/* False: no such name. */
bool vmm_feature_find(const char *name, struct vmm_feature *ret);
/* How many names are known; the i-th in *ret_name, n bytes. */
unsigned vmm_feature_count(void);

/*
 * Do what text says to the table: "+x2apic,-pdpe1gb,0x80000001:edx.26=0", LEAF[.SUBLEAF]:REG.BIT.
 * table NULL: only look whether the text is right.  INQ_EUSAGE for text that is wrong, with names
 * alike; INQ_EUNSUPPORTED for + with a feature that the table, KVM's own, lacks.
 */
INQ_MUST enum inq_status vmm_features_edit(const char *text, struct kvm_cpuid2 *table,
					   struct inq_err *err);

#endif
