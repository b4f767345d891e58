/*
 * usage: flight_cost
 * What is recorded of every exit costs: ns per record of the flight record alone, and ns per exit
 * of a guest that writes to a port for ever, plain, with SYNC_REGS and the record, and with KVM's
 * tracepoints as well (where tracefs lets us), in turns.  For ./dev bench; no test.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/flight.h"
#include "vmm/trace.h"

enum { RECORDS = 2000000, EXITS = 20000, ROUNDS = 5, RUN_BYTES = 12288 };

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

/* ns that EXITS exits took; 0: one of them failed. */
static uint64_t exits(struct vmm_flight *f, int vcpu, struct kvm_run *run, bool record)
{
	run->kvm_valid_regs = record ? 7 : 0;
	uint64_t began = vmm_now();
	for (int i = 0; i < EXITS; i++) {
		if (ioctl(vcpu, KVM_RUN, 0))
			return 0;
		if (record)
			vmm_flight_exit(f, run, RUN_BYTES, true, 0);
	}
	return vmm_now() - began;
}

/* The same while KVM's tracepoints are recorded; 0 where they cannot be. */
static uint64_t traced_exits(struct vmm_flight *f, int vcpu, struct kvm_run *run)
{
	struct vmm_trace *t = NULL;
	struct inq_err err;
	uint64_t ns = 0;

	if (!vmm_trace_create(&t, &err) && vmm_trace_is_on(t))
		ns = exits(f, vcpu, run, true);
	vmm_trace_destroy(t);
	return ns;
}

/* In turns, so that whatever else the machine does meanwhile meets each of them alike. */
static void per_exit(struct vmm_flight *f, int vcpu, struct kvm_run *run)
{
	static const char *const name[] = {"exit_ns", "exit_with_record_ns", "exit_with_trace_ns"};
	uint64_t sum[3] = {0};

	(void)exits(f, vcpu, run, false); /* warm */
	for (int i = 0; i < ROUNDS; i++) {
		sum[0] += exits(f, vcpu, run, false);
		sum[1] += exits(f, vcpu, run, true);
		sum[2] += traced_exits(f, vcpu, run);
	}
	for (int i = 0; i < 3; i++)
		if (sum[i])
			printf("%s=%.1f\n", name[i], (double)sum[i] / (ROUNDS * EXITS));
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
	if (vcpu >= 0)
		per_exit(&f, vcpu, run);
	vmm_flight_deinit(&f);
	return vcpu < 0;
}
