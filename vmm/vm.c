/*
 * Knows how a VM is made and stopped.  Order of creation: capabilities that must precede vCPUs and
 * irqchip, TSS address, irqchip, slots of address space 0 and then 1, vCPUs
 * (Documentation/virt/kvm/api.rst).
 */
#include "vmm/vm.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/scope.h"
#include "vmm/cpuid.h"
#include "vmm/cpuid_edit.h"
#include "vmm/guest.h"

#ifndef KVM_CAP_X86_TRIPLE_FAULT_EVENT
#define KVM_CAP_X86_TRIPLE_FAULT_EVENT 218 /* Linux 6.1 */
#endif

INQ_DEFINE_SCOPE(struct vmm_vm, vmm_vm_destroy)

enum { TSS_ADDR = 0xfffbd000u, STOP_SECONDS = 20 };
enum { SYNCED = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS | KVM_SYNC_X86_EVENTS };

static enum inq_status refused(struct inq_err *err, const char *what)
{
	return inq_fail(err, INQ_EIO, "/dev/kvm: %s: %s", what, strerror(errno));
}

/* Both keep what is pending apart from what is delivered, and are no loss when refused. */
static void enable_caps(const struct vmm_vm *vm)
{
	struct kvm_enable_cap payload = {.cap = KVM_CAP_EXCEPTION_PAYLOAD, .args = {1}};
	struct kvm_enable_cap triple = {.cap = KVM_CAP_X86_TRIPLE_FAULT_EVENT, .args = {1}};

	if (vm->caps.value[VMM_CAP_EXCEPTION_PAYLOAD])
		(void)ioctl(vm->fd, KVM_ENABLE_CAP, &payload);
	if (vm->caps.value[VMM_CAP_TRIPLE_FAULT])
		(void)ioctl(vm->fd, KVM_ENABLE_CAP, &triple);
}

/* A machine without a PIT runs all the same. */
static void create_pit(struct vmm_vm *vm)
{
	struct kvm_pit_config pit = {.flags = KVM_PIT_SPEAKER_DUMMY};

	vm->has_pit = vm->caps.value[VMM_CAP_PIT2] && !ioctl(vm->fd, KVM_CREATE_PIT2, &pit);
}

/* Level 1 stays until it is taken back; KVM's chips make edges of it where a pin wants them. */
static void set_irq(void *arg, unsigned gsi, bool level)
{
	const struct vmm_vm *vm = arg;
	struct kvm_irq_level l = {.irq = gsi, .level = level};

	(void)ioctl(vm->fd, KVM_IRQ_LINE, &l);
}

static enum inq_status set_slots(const struct vmm_vm *vm, struct inq_err *err)
{
	for (unsigned i = 0; i < vm->mem->nr_slots; i++) {
		const struct vmm_slot *s = &vm->mem->slot[i];
		struct kvm_userspace_memory_region r = {
			.slot = s->as << 16 | s->slot,
			.guest_phys_addr = s->gpa,
			.flags = s->read_only ? KVM_MEM_READONLY : 0,
			.memory_size = s->bytes,
			.userspace_addr = (uintptr_t)s->host,
		};
		if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &r))
			return inq_fail(err, INQ_EIO,
					"/dev/kvm: memory slot %u of address space %u: %s", s->slot,
					s->as, strerror(errno));
	}
	return INQ_OK;
}

static enum inq_status create_vcpu(struct vmm_vm *vm, unsigned i, size_t run_bytes,
				   struct inq_err *err)
{
	struct vmm_vcpu *v = &vm->vcpu[i];

	*v = (struct vmm_vcpu){
		.vm = vm, .index = i, .run_bytes = run_bytes, .last_post = -1, .exit_code = -1};
	v->fd = ioctl(vm->fd, KVM_CREATE_VCPU, (unsigned long)i);
	if (v->fd < 0)
		return refused(err, "creating a vCPU");
	vm->nr_vcpus++; /* from here on vmm_vm_destroy knows it */
	void *p = mmap(NULL, run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
	if (p == MAP_FAILED)
		return refused(err, "mapping kvm_run");
	v->run = p;
	v->run_seen = calloc(1, 4096);
	v->run_before = calloc(1, 4096);
	if (!v->run_seen || !v->run_before)
		return inq_fail(err, INQ_ENOMEM, "vCPU %u", i);
	v->synced = (vm->caps.value[VMM_CAP_SYNC_REGS] & SYNCED) == SYNCED;
	v->run->kvm_valid_regs = v->synced ? SYNCED : 0;
	return vmm_flight_init(&v->flight, err);
}

static enum inq_status create_vcpus(struct vmm_vm *vm, unsigned nr, struct inq_err *err)
{
	int run_bytes = ioctl(vm->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	enum inq_status st =
		run_bytes < 4096 ? refused(err, "asking for the size of kvm_run") : INQ_OK;

	for (unsigned i = 0; i < nr && !st; i++)
		st = create_vcpu(vm, i, (size_t)run_bytes, err);
	return st;
}

static void init_locks(struct vmm_vm *vm)
{
	pthread_condattr_t a;

	pthread_condattr_init(&a);
	pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
	pthread_mutex_init(&vm->lock, NULL);
	pthread_cond_init(&vm->changed, &a);
	pthread_condattr_destroy(&a);
}

enum inq_status vmm_vm_make(struct vmm_vm **ret, int kvm, const struct vmm_caps *caps,
			    struct vmm_memory *mem, unsigned nr_vcpus, struct inq_err *err)
{
	struct vmm_vm *raw = calloc(1, sizeof(*raw));

	if (!raw) {
		vmm_memory_destroy(mem);
		close(kvm);
		return inq_fail(err, INQ_ENOMEM, "the VM");
	}
	*raw = (struct vmm_vm){.kvm = kvm, .fd = -1, .caps = *caps, .mem = mem};
	vmm_devices_init(&raw->dev);
	init_locks(raw);
	INQ_SCOPED(vmm_vm_destroy_scope_) struct vmm_vm *vm = raw;

	vm->fd = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm->fd < 0)
		return refused(err, "creating a VM");
	enable_caps(vm);
	if (caps->value[VMM_CAP_SET_TSS_ADDR] && ioctl(vm->fd, KVM_SET_TSS_ADDR, TSS_ADDR))
		return refused(err, "setting the TSS address");
	if (ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0))
		return refused(err, "creating the irqchip");
	create_pit(vm);
	vm->dev.arg = vm;
	vm->dev.irq = set_irq;
	vm->dev.mem = mem;
	enum inq_status st = set_slots(vm, err);
	if (!st)
		st = create_vcpus(vm, nr_vcpus, err);
	if (!st)
		*ret = inq_take(vm);
	return st;
}

enum inq_status vmm_vm_create(struct vmm_vm **ret, int kvm, const struct vmm_caps *caps,
			      struct vmm_memory *mem, const struct vmm_guest *guest,
			      struct inq_err *err)
{
	INQ_SCOPED(vmm_vm_destroy_scope_) struct vmm_vm *vm = NULL;
	struct kvm_cpuid2 *cpuid = NULL;
	enum inq_status st = vmm_vm_make(&vm, kvm, caps, mem, guest->nr_vcpus, err);

	if (!st)
		st = vmm_cpuid_supported(vm->kvm, &cpuid, err);
	if (!st && guest->cpuid)
		st = vmm_features_edit(guest->cpuid, cpuid, err);
	for (unsigned i = 0; i < guest->nr_vcpus && !st; i++)
		st = guest->ops->setup(guest, &vm->vcpu[i], cpuid, err);
	free(cpuid);
	if (!st)
		*ret = inq_take(vm);
	return st;
}

static void end_threads(struct vmm_vm *vm)
{
	vmm_virtio_hurry(&vm->dev.virtio);
	pthread_mutex_lock(&vm->lock);
	vm->quit = true;
	for (unsigned i = 0; i < vm->nr_vcpus; i++)
		vmm_vcpu_kick(&vm->vcpu[i]);
	pthread_cond_broadcast(&vm->changed);
	pthread_mutex_unlock(&vm->lock);
	for (unsigned i = 0; i < vm->nr_vcpus; i++)
		if (vm->vcpu[i].started)
			pthread_join(vm->vcpu[i].thread, NULL);
}

void vmm_vm_destroy(struct vmm_vm *vm)
{
	if (!vm)
		return;
	end_threads(vm);
	for (unsigned i = 0; i < vm->nr_vcpus; i++) {
		struct vmm_vcpu *v = &vm->vcpu[i];

		if (v->run)
			munmap(v->run, v->run_bytes);
		free(v->run_seen);
		free(v->run_before);
		vmm_flight_deinit(&v->flight);
		close(v->fd);
	}
	if (vm->fd >= 0)
		close(vm->fd);
	close(vm->kvm);
	pthread_cond_destroy(&vm->changed);
	pthread_mutex_destroy(&vm->lock);
	vmm_block_close(vm->disk);
	snap_notes_deinit(&vm->tables);
	vmm_memory_destroy(vm->mem);
	free(vm);
}

static void on_kick(int sig)
{
	(void)sig; /* its arrival ends KVM_RUN */
}

enum inq_status vmm_vm_start(struct vmm_vm *vm, struct inq_err *err)
{
	struct sigaction sa = {.sa_handler = on_kick};

	sigaction(SIGRTMIN, &sa, NULL);
	vmm_virtio_go_on(&vm->dev.virtio, vm->mem); /* restored: nobody else runs yet */
	for (unsigned i = 0; i < vm->nr_vcpus; i++) {
		struct vmm_vcpu *v = &vm->vcpu[i];
		int e = pthread_create(&v->thread, NULL, vmm_vcpu_main, v);

		if (e)
			return inq_fail(err, INQ_ENOMEM, "thread of vCPU %u: %s", i, strerror(e));
		v->started = true;
	}
	return INQ_OK;
}

void vmm_vcpu_kick(struct vmm_vcpu *v)
{
	if (!v->started)
		return;
	v->run->immediate_exit = 1; /* for a signal that comes before KVM_RUN is entered */
	pthread_kill(v->thread, SIGRTMIN);
}

void vmm_vm_inject(struct vmm_vm *vm, unsigned vcpu, enum vmm_inject what)
{
	pthread_mutex_lock(&vm->lock);
	for (unsigned i = 0; i < vm->nr_vcpus; i++) {
		struct vmm_vcpu *v = &vm->vcpu[i];

		if (vcpu != VMM_ALL_VCPUS && i != vcpu)
			continue;
		if (what == VMM_INJECT_SMI)
			v->want_smi = true;
		else
			v->want_nmi = true;
		vmm_vcpu_kick(v);
	}
	pthread_mutex_unlock(&vm->lock);
}

/* Under the lock. */
static const struct vmm_vcpu *not_parked(const struct vmm_vm *vm)
{
	for (unsigned i = 0; i < vm->nr_vcpus; i++)
		if (vm->vcpu[i].started && !vm->vcpu[i].parked)
			return &vm->vcpu[i];
	return NULL;
}

enum inq_status vmm_vm_stop(struct vmm_vm *vm, struct inq_err *err)
{
	struct timespec until;
	const struct vmm_vcpu *late;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += STOP_SECONDS;
	vmm_virtio_hurry(&vm->dev.virtio); /* a queue of large requests has the lock for long */
	pthread_mutex_lock(&vm->lock);
	vm->stop = true;
	for (unsigned i = 0; i < vm->nr_vcpus; i++)
		vmm_vcpu_kick(&vm->vcpu[i]);
	while ((late = not_parked(vm)))
		if (pthread_cond_timedwait(&vm->changed, &vm->lock, &until) == ETIMEDOUT)
			break;
	pthread_mutex_unlock(&vm->lock);
	return late ? inq_fail(err, INQ_EIO, "vCPU %u does not leave KVM_RUN", late->index)
		    : INQ_OK;
}

void vmm_vm_go(struct vmm_vm *vm)
{
	pthread_mutex_lock(&vm->lock);
	vm->stop = false;
	vmm_virtio_go_on(&vm->dev.virtio, vm->mem);
	/* a vCPU that has not woken up by the next stop must not count as parked meanwhile */
	for (unsigned i = 0; i < vm->nr_vcpus; i++)
		if (vm->vcpu[i].end == VMM_ALIVE)
			vm->vcpu[i].parked = false;
	pthread_cond_broadcast(&vm->changed);
	pthread_mutex_unlock(&vm->lock);
}

const struct vmm_vcpu *vmm_vm_first_dead(const struct vmm_vm *vm)
{
	for (unsigned i = 0; i < vm->nr_vcpus; i++)
		if (vm->vcpu[i].end != VMM_ALIVE)
			return &vm->vcpu[i];
	return NULL;
}

uint64_t vmm_now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
