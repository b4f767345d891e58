/*
 * usage: flight_cost
 * What the flight record costs: ns per record alone, and ns per exit of a guest that writes to a
 * port for ever, without and with SYNC_REGS and the record.  For ./dev bench; no test.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/flight.h"

enum { RECORDS = 2000000, EXITS = 100000, RUN_BYTES = 12288 };

static double per_record(struct vmm_flight *f)
{
	struct kvm_run *run = calloc(1, RUN_BYTES);

	run->exit_reason = KVM_EXIT_IO;
	run->io.direction = KVM_EXIT_IO_OUT;
	run->io.size = 1;
	run->io.count = 1;
	run->io.data_offset = 4096;
	uint64_t began = vmm_now();
	for (int i = 0; i < RECORDS; i++)
		vmm_flight_exit(f, run, RUN_BYTES, true, 0);
	uint64_t took = vmm_now() - began;
	free(run);
	return (double)took / RECORDS;
}

static double per_exit(struct vmm_flight *f, int vcpu, struct kvm_run *run, bool record)
{
	run->kvm_valid_regs = record ? 7 : 0;
	uint64_t began = vmm_now();
	for (int i = 0; i < EXITS; i++) {
		if (ioctl(vcpu, KVM_RUN, 0))
			return 0;
		if (record)
			vmm_flight_exit(f, run, RUN_BYTES, true, 0);
	}
	return (double)(vmm_now() - began) / EXITS;
}

static int make_guest(struct kvm_run **ret_run)
{
	static const uint8_t code[] = {0xe6, 0x80, 0xeb, 0xfc}; /* out 0x80, al; jmp */
	int kvm = open("/dev/kvm", O_RDWR), vm = kvm < 0 ? -1 : ioctl(kvm, KVM_CREATE_VM, 0);
	uint8_t *ram = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct kvm_userspace_memory_region r = {
		.guest_phys_addr = 0x1000, .memory_size = 4096, .userspace_addr = (uintptr_t)ram};
	struct kvm_regs regs = {.rip = 0x1000, .rflags = 2};
	struct kvm_sregs s;

	memcpy(ram, code, sizeof(code));
	if (vm < 0 || ioctl(vm, KVM_SET_USER_MEMORY_REGION, &r))
		return -1;
	int vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	if (vcpu < 0 || ioctl(vcpu, KVM_GET_SREGS, &s))
		return -1;
	s.cs.base = s.cs.selector = 0;
	void *p = mmap(NULL, RUN_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (ioctl(vcpu, KVM_SET_SREGS, &s) || ioctl(vcpu, KVM_SET_REGS, &regs) || p == MAP_FAILED)
		return -1;
	*ret_run = p;
	return vcpu;
}

int main(void)
{
	struct vmm_flight f;
	struct kvm_run *run = NULL;
	struct inq_err err;

	if (vmm_flight_init(&f, &err))
		return 2;
	printf("record_ns=%.1f\n", per_record(&f));
	int vcpu = make_guest(&run);
	if (vcpu >= 0) {
		(void)per_exit(&f, vcpu, run, false); /* warm */
		printf("exit_ns=%.1f\n", per_exit(&f, vcpu, run, false));
		printf("exit_with_record_ns=%.1f\n", per_exit(&f, vcpu, run, true));
	}
	vmm_flight_deinit(&f);
	return vcpu < 0;
}
