/* Knows how KVM's CPUID table becomes that of one vCPU. */
#include "vmm/cpuid.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

enum { MAX_CPUID = 256 };
#define TSC_DEADLINE (1u << 24) /* leaf 1, ECX */
#define HYPERVISOR (1u << 31)
#define SHSTK (1u << 7) /* leaf 7, ECX */

/*
 * KVM_GET_SUPPORTED_CPUID leaves these to the VMM (Linux Documentation/virt/kvm/api.rst): without
 * the former, no guest looks for KVM's own leaves, without the latter its LAPIC timer must be
 * calibrated.  Shadow stacks are not offered: their pointer SSP is in no structure of KVM's
 * (KVM_REG_GUEST_SSP, a one-register call of newer kernels), so that a snapshot would lose it.
 */
void vmm_cpuid_offer(struct kvm_cpuid2 *c, bool tsc_deadline)
{
	for (uint32_t i = 0; i < c->nent; i++) {
		struct kvm_cpuid_entry2 *e = &c->entries[i];

		if (e->function == 1)
			e->ecx |= HYPERVISOR | (tsc_deadline ? TSC_DEADLINE : 0);
		if (e->function == 7 && !e->index)
			e->ecx &= ~SHSTK;
	}
}

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
	vmm_cpuid_offer(c, ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) > 0);
	*ret = c;
	return INQ_OK;
}

/* Bits of an x2APIC id that number nr cores. */
static unsigned shift_of(unsigned nr)
{
	unsigned n = 0;

	while (1u << n < nr)
		n++;
	return n;
}

/* One package of nr cores of one thread each; what KVM says is of the CPU that asked. */
static void set_topology(struct kvm_cpuid_entry2 *e, uint32_t id, uint32_t nr)
{
	switch (e->function) {
	case 1:
		e->ebx = (e->ebx & 0xffff) | (1u << shift_of(nr)) << 16 | id << 24;
		e->edx = nr > 1 ? e->edx | 1u << 28 : e->edx & ~(1u << 28); /* HTT */
		break;
	case 4: /* caches: the third level is everybody's */
		if (e->eax & 0x1f)
			e->eax = (e->eax & 0x3fff) | (nr - 1) << 26 |
				 ((e->eax >> 5 & 7) >= 3 ? (nr - 1) << 14 : 0);
		break;
	case 0x80000008:
		e->ecx = (e->ecx & ~0xf0ffu) | shift_of(nr) << 12 | (nr - 1);
		break;
	case 0x8000001e:
		e->eax = id;
		e->ebx = id;
		e->ecx = 0;
		break;
	default:
		break;
	}
}

/* Leaf 0xb anew: a level of threads (one), a level of cores. */
static void put_levels(struct kvm_cpuid2 *c, uint32_t id, uint32_t nr)
{
	const struct kvm_cpuid_entry2 level[] = {
		{0xb, 0, KVM_CPUID_FLAG_SIGNIFCANT_INDEX, 0, 1, 1 << 8, id, {0}},
		{0xb, 1, KVM_CPUID_FLAG_SIGNIFCANT_INDEX, shift_of(nr), nr, 2 << 8 | 1, id, {0}},
		{0xb, 2, KVM_CPUID_FLAG_SIGNIFCANT_INDEX, 0, 0, 2, id, {0}},
	};
	bool has_leaf = false;
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->nent; i++) {
		has_leaf |= c->entries[i].function == 0 && c->entries[i].eax >= 0xb;
		if (c->entries[i].function != 0xb && c->entries[i].function != 0x1f)
			c->entries[n++] = c->entries[i];
	}
	c->nent = n;
	if (!has_leaf)
		return;
	memcpy(c->entries + n, level, sizeof(level));
	c->nent += sizeof(level) / sizeof(*level);
}

void vmm_cpuid_topology(struct kvm_cpuid2 *c, uint32_t id, uint32_t nr)
{
	for (uint32_t i = 0; i < c->nent; i++)
		set_topology(&c->entries[i], id, nr);
	put_levels(c, id, nr);
}

enum inq_status vmm_cpuid_set(struct vmm_vcpu *v, const struct kvm_cpuid2 *supported,
			      struct inq_err *err)
{
	size_t entry = sizeof(supported->entries[0]),
	       bytes = sizeof(*supported) + supported->nent * entry;
	struct kvm_cpuid2 *c = malloc(bytes + VMM_CPUID_SPARE * entry);

	if (!c)
		return inq_fail(err, INQ_ENOMEM, "CPUID table");
	memcpy(c, supported, bytes);
	vmm_cpuid_topology(c, v->index, v->vm->nr_vcpus);
	int r = vmm_flight_ioctl(&v->flight, v->fd, KVM_SET_CPUID2, c);
	free(c);
	return r ? inq_fail(err, INQ_EIO, "/dev/kvm: vCPU %u: KVM_SET_CPUID2: %s", v->index,
			    strerror(errno))
		 : INQ_OK;
}
