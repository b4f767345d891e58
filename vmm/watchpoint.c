/*
 * Knows DR0 to DR3 and DR7 (SDM vol. 3B, "Debug Registers") as KVM lends them to a debugger
 * (KVM_GUESTDBG_USE_HW_BP): the guest's own are kept, and do not fire meanwhile.
 */
#include "vmm/watchpoint.h"

#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/memory.h"

enum { PAGE = 4096, TEST_AT = 0x1000, TEST_DATA = 0x1800, DR7_FIXED = 0x400, ON_WRITES = 1 };

static bool is_length(uint64_t bytes)
{
	return bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8;
}

bool vmm_watchpoints_add(struct vmm_watchpoints *w, const char *text)
{
	uint64_t linear, bytes;

	if (!vmm_range_parse(text, &linear, &bytes) || !is_length(bytes) || linear % bytes ||
	    w->nr == VMM_MAX_WATCHPOINTS)
		return false;
	w->at[w->nr].linear = linear;
	w->at[w->nr++].bytes = (uint32_t)bytes;
	return true;
}

void vmm_watchpoints_arm(const struct vmm_watchpoints *w, struct kvm_guest_debug *d)
{
	static const uint8_t len[] = {[1] = 0, [2] = 1, [4] = 3, [8] = 2};

	if (!w || !w->nr)
		return;
	d->control |= KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP;
	d->arch.debugreg[7] = DR7_FIXED;
	for (unsigned i = 0; i < w->nr; i++) {
		uint64_t what = ON_WRITES | (uint64_t)len[w->at[i].bytes] << 2;

		d->arch.debugreg[i] = w->at[i].linear;
		d->arch.debugreg[7] |= UINT64_C(1) << 2 * i | what << (16 + 4 * i);
	}
}

/* mov [TEST_DATA], al; hlt -- in real mode, at TEST_AT. */
static int make_guest(int vm, uint8_t *ram)
{
	static const uint8_t code[] = {0xa2, TEST_DATA & 0xff, TEST_DATA >> 8, 0xf4};
	struct kvm_userspace_memory_region r = {
		.guest_phys_addr = TEST_AT, .memory_size = PAGE, .userspace_addr = (uintptr_t)ram};
	struct kvm_regs regs = {.rip = TEST_AT, .rflags = 2};
	struct kvm_sregs s;

	memcpy(ram, code, sizeof(code));
	if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &r))
		return -1;
	int vcpu = ioctl(vm, KVM_CREATE_VCPU, 0UL);
	if (vcpu < 0 || ioctl(vcpu, KVM_GET_SREGS, &s))
		return vcpu;
	s.cs.base = s.cs.selector = 0;
	if (ioctl(vcpu, KVM_SET_SREGS, &s) || ioctl(vcpu, KVM_SET_REGS, &regs)) {
		close(vcpu);
		return -1;
	}
	return vcpu;
}

/* The first thing that vCPU leaves KVM_RUN for is the watched store. */
static bool fires(int kvm, int vcpu)
{
	const struct vmm_watchpoints w = {1, {{TEST_DATA, 1}}};
	struct kvm_guest_debug d = {0};
	int bytes = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0UL);
	struct kvm_run *run =
		bytes < (int)sizeof(*run)
			? MAP_FAILED
			: mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);

	if (run == MAP_FAILED)
		return false;
	vmm_watchpoints_arm(&w, &d);
	bool good = !ioctl(vcpu, KVM_SET_GUEST_DEBUG, &d) && !ioctl(vcpu, KVM_RUN, 0UL) &&
		    run->exit_reason == KVM_EXIT_DEBUG && run->debug.arch.dr6 & 1;
	munmap(run, (size_t)bytes);
	return good;
}

enum inq_status vmm_watchpoints_test(int kvm, struct inq_err *err)
{
	uint8_t *ram = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int vm = ioctl(kvm, KVM_CREATE_VM, 0UL);
	int vcpu = vm < 0 || ram == MAP_FAILED ? -1 : make_guest(vm, ram);
	bool good = vcpu >= 0 && fires(kvm, vcpu);

	if (vcpu >= 0)
		close(vcpu);
	if (vm >= 0)
		close(vm);
	if (ram != MAP_FAILED)
		munmap(ram, PAGE);
	return good ? INQ_OK
		    : inq_fail(err, INQ_EUNSUPPORTED,
			       "--watchpoint: a test saw none fire on this KVM; give --watch GPA "
			       "instead");
}
