/* Knows which KVM capabilities matter here, and what each one's absence costs. */
#include "vmm/caps.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/kvm.h>

#include "base/wrap.h"

#ifndef KVM_CAP_X86_TRIPLE_FAULT_EVENT
#define KVM_CAP_X86_TRIPLE_FAULT_EVENT 218 /* Linux 6.1 */
#endif

static const struct {
	unsigned nr;
	const char *name;
	bool needed;      /* no guest without it */
	const char *cost; /* what a snapshot then lacks */
} table[VMM_NR_CAPS] = {
	[VMM_CAP_USER_MEMORY] = {KVM_CAP_USER_MEMORY, "user_memory", true, "no guest runs"},
	[VMM_CAP_IRQCHIP] = {KVM_CAP_IRQCHIP, "irqchip", true, "no guest runs"},
	[VMM_CAP_EXT_CPUID] = {KVM_CAP_EXT_CPUID, "ext_cpuid", true, "no guest runs"},
	[VMM_CAP_MP_STATE] = {KVM_CAP_MP_STATE, "mp_state", true, "no guest runs"},
	[VMM_CAP_IMMEDIATE_EXIT] = {KVM_CAP_IMMEDIATE_EXIT, "immediate_exit", true,
				    "no guest runs"},
	[VMM_CAP_SET_TSS_ADDR] = {KVM_CAP_SET_TSS_ADDR, "set_tss_addr", false, "nothing"},
	[VMM_CAP_SMM] = {KVM_CAP_X86_SMM, "x86_smm", false,
			 "SMM: no SMI, no SMBASE, no SMRAM; smm-* scenarios do not run"},
	[VMM_CAP_ADDRESS_SPACES] = {KVM_CAP_MULTI_ADDRESS_SPACE, "multi_address_space", false,
				    "SMRAM apart from RAM; smm-* scenarios do not run"},
	[VMM_CAP_VCPU_EVENTS] = {KVM_CAP_VCPU_EVENTS, "vcpu_events", false,
				 "pending exceptions, NMI and SMM state"},
	[VMM_CAP_DEBUGREGS] = {KVM_CAP_DEBUGREGS, "debugregs", false, "DR0 to DR7"},
	[VMM_CAP_SREGS2] = {KVM_CAP_SREGS2, "sregs2", false, "PDPTRs (SREGS is taken instead)"},
	[VMM_CAP_EXCEPTION_PAYLOAD] = {KVM_CAP_EXCEPTION_PAYLOAD, "exception_payload", false,
				       "CR2/DR6 of a pending exception apart from the registers"},
	[VMM_CAP_TRIPLE_FAULT] = {KVM_CAP_X86_TRIPLE_FAULT_EVENT, "x86_triple_fault_event", false,
				  "a pending triple fault"},
	[VMM_CAP_XSAVE2] = {KVM_CAP_XSAVE2, "xsave2", false,
			    "FPU state beyond 4096 bytes (XSAVE is taken instead)"},
	[VMM_CAP_XCRS] = {KVM_CAP_XCRS, "xcrs", false, "XCR0"},
	[VMM_CAP_NESTED] = {KVM_CAP_NESTED_STATE, "nested_state", false,
			    "a guest hypervisor's VMCS or VMCB"},
	[VMM_CAP_TSC_KHZ] = {KVM_CAP_GET_TSC_KHZ, "get_tsc_khz", false, "the TSC's frequency"},
	[VMM_CAP_TSC_CONTROL] = {KVM_CAP_TSC_CONTROL, "tsc_control", false,
				 "nothing (it resumes only where the TSC is as fast)"},
	[VMM_CAP_VCPU_ATTRIBUTES] = {KVM_CAP_VCPU_ATTRIBUTES, "vcpu_attributes", false,
				     "the TSC's offset"},
	[VMM_CAP_PIT2] = {KVM_CAP_PIT2, "pit2", false, "the PIT: the guest has none"},
	[VMM_CAP_PIT_STATE2] = {KVM_CAP_PIT_STATE2, "pit_state2", false, "the PIT's state"},
	[VMM_CAP_ADJUST_CLOCK] = {KVM_CAP_ADJUST_CLOCK, "adjust_clock", false, "kvmclock"},
	[VMM_CAP_STATS_FD] = {KVM_CAP_BINARY_STATS_FD, "binary_stats_fd", false,
			      "KVM's own counters"},
	[VMM_CAP_MAX_VCPUS] = {KVM_CAP_MAX_VCPUS, "max_vcpus", false, "nothing"},
	[VMM_CAP_MEMSLOTS] = {KVM_CAP_NR_MEMSLOTS, "nr_memslots", false, "nothing"},
	[VMM_CAP_SYNC_REGS] = {KVM_CAP_SYNC_REGS, "sync_regs", false,
			       "RIPs in the flight record; the last registers before a triple "
			       "fault"},
};

const char *vmm_cap_name(enum vmm_cap cap)
{
	return table[cap].name;
}

enum inq_status vmm_caps_open(int *ret_fd, struct vmm_caps *ret, struct inq_err *err)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return inq_fail(
			err, INQ_EIO,
			"/dev/kvm: %s; load kvm-intel or kvm-amd, check the permissions, or "
			"use a testbed (./dev demo does)",
			strerror(errno));
	struct vmm_caps c = {.api = ioctl(fd, KVM_GET_API_VERSION, 0)};
	if (c.api != KVM_API_VERSION) {
		close(fd);
		return inq_fail(err, INQ_EUNSUPPORTED,
				"/dev/kvm: API version %d, not %d; use another kernel", c.api,
				KVM_API_VERSION);
	}
	for (int i = 0; i < VMM_NR_CAPS; i++) {
		int v = ioctl(fd, KVM_CHECK_EXTENSION, (unsigned long)table[i].nr);

		c.value[i] = v > 0 ? v : 0;
	}
	*ret_fd = fd;
	*ret = c;
	return INQ_OK;
}

bool vmm_caps_smm(const struct vmm_caps *c)
{
	return c->value[VMM_CAP_SMM] && c->value[VMM_CAP_ADDRESS_SPACES] >= 2 &&
	       c->value[VMM_CAP_VCPU_EVENTS];
}

enum inq_status vmm_caps_check(const struct vmm_caps *c, struct inq_err *err)
{
	for (int i = 0; i < VMM_NR_CAPS; i++)
		if (table[i].needed && !c->value[i])
			return inq_fail(err, INQ_EUNSUPPORTED,
					"/dev/kvm: lacks %s, no guest can run; use another kernel",
					table[i].name);
	return INQ_OK;
}

/* 24 + 1 + 6 + 2 + 7 + 2 columns, then the cost within what is left of a line. */
enum { COST_AT = 42 };

void vmm_caps_print(const struct vmm_caps *c, FILE *to)
{
	fprintf(to, "KVM API version %d\n\n%-24s %6s  %-7s  %s\n", c->api, "CAPABILITY", "VALUE",
		"IS", "WITHOUT IT, A SNAPSHOT LACKS");
	for (int i = 0; i < VMM_NR_CAPS; i++) {
		fprintf(to, "%-24s %6d  %-7s  ", table[i].name, c->value[i],
			c->value[i] ? "present" : "absent");
		text_put_wrapped(to, table[i].cost, COST_AT, COST_AT);
	}
	fprintf(to, "\nSMM scenarios: %s\n",
		vmm_caps_smm(c) ? "can run here" : "cannot run here; use the svm testbed");
}
