/* Knows how KVM's CPUID table becomes that of one vCPU. */
#include "vmm/cpuid.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

enum { MAX_CPUID = 256 };

enum inq_status vmm_cpuid_supported(int kvm, struct kvm_cpuid2 **ret, struct inq_err *err)
{
	struct kvm_cpuid2 *c = calloc(1, sizeof(*c) + MAX_CPUID * sizeof(c->entries[0]));

	if (!c)
		return inq_fail(err, INQ_ENOMEM, "CPUID table");
	c->nent = MAX_CPUID;
	if (ioctl(kvm, KVM_GET_SUPPORTED_CPUID, c)) {
		free(c);
		return inq_fail(err, INQ_EIO, "/dev/kvm: asking for CPUID: %s", strerror(errno));
	}
	*ret = c;
	return INQ_OK;
}

/* KVM_GET_SUPPORTED_CPUID speaks of the CPU that asked; the APIC id is ours. */
enum inq_status vmm_cpuid_set(struct vmm_vcpu *v, const struct kvm_cpuid2 *supported,
			      struct inq_err *err)
{
	size_t bytes = sizeof(*supported) + supported->nent * sizeof(supported->entries[0]);
	struct kvm_cpuid2 *c = malloc(bytes);

	if (!c)
		return inq_fail(err, INQ_ENOMEM, "CPUID table");
	memcpy(c, supported, bytes);
	for (uint32_t i = 0; i < c->nent; i++) {
		struct kvm_cpuid_entry2 *e = &c->entries[i];

		if (e->function == 1)
			e->ebx = (e->ebx & 0xffffff) | v->index << 24;
		else if (e->function == 0xb || e->function == 0x1f)
			e->edx = v->index;
	}
	int r = vmm_flight_ioctl(&v->flight, v->fd, KVM_SET_CPUID2, c);
	free(c);
	return r ? inq_fail(err, INQ_EIO, "/dev/kvm: vCPU %u: KVM_SET_CPUID2: %s", v->index,
			    strerror(errno))
		 : INQ_OK;
}
