/* A running virtual machine: KVM's VM, its memory slots, a thread per vCPU. */
#ifndef VMM_VM_H
#define VMM_VM_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include <inquest/err.h>
#include <linux/kvm.h>

#include "vmm/caps.h"
#include "vmm/devices.h"
#include "vmm/ends.h"
#include "vmm/flight.h"
#include "vmm/memory.h"
#include "vmm/snapshot.h"

enum { VMM_NR_RIPS = 16, /* taken before a snapshot */ VMM_MAX_STEPS = 64 };

struct vmm_guest;

/* Why a vCPU will not run on. */
enum vmm_end {
	VMM_ALIVE,
	VMM_END_SHUTDOWN,   /* triple fault */
	VMM_END_PANIC,      /* the guest said so, through the pvpanic port */
	VMM_END_EXIT,       /* the guest ended by itself, through the exit port */
	VMM_END_KVM_ERROR,  /* KVM_EXIT_INTERNAL_ERROR, an exit nobody handles, errno */
	VMM_END_FAIL_ENTRY, /* KVM_EXIT_FAIL_ENTRY: the CPU refused the vCPU's state */
};

/* What a kick of a vCPU showed. */
struct vmm_look {
	struct inq_snap_rip rip;
	bool intr_off;        /* RFLAGS.IF clear */
	bool timer_pending;   /* its LAPIC timer's vector waits in IRR; only asked for when vm->deep
			       */
	bool smi_count_known; /* and that, too */
	uint64_t smi_count;
};

/* Where it stood after a single step. */
struct vmm_step {
	uint64_t rip;
	bool smm;
	uint8_t nr_bytes,
		bytes[VMM_INSN_BYTES]; /* of the next instruction, as far as they can be had */
	struct inq_snap_step_regs regs;
};

struct vmm_vcpu {
	struct vmm_vm *vm;
	unsigned index;
	int fd;
	struct kvm_run *run; /* mapped */
	size_t run_bytes;
	uint8_t *run_seen; /* copy of that page as the last real exit left it */
	/* the same of the exit before: a triple fault may have erased the registers in run_seen */
	uint8_t *run_before;
	struct inq_snap_last_known seen_at, before_at; /* of which records; age_ns unused */
	bool synced;                                   /* KVM mirrors registers into run */
	struct vmm_flight flight;
	pthread_t thread;
	long tid; /* of that thread, set by itself */
	bool started;
	/* under vm->lock */
	bool parked; /* outside KVM_RUN, pending I/O finished, waits for vm->stop to end */
	bool want_smi, want_nmi, want_sample;
	int smi_error;        /* errno of KVM_SMI, 0: fine */
	struct vmm_look look; /* the last sample taken */
	uint64_t nr_samples;
	struct inq_snap_rip rip[VMM_NR_RIPS];
	unsigned nr_rips;
	uint32_t want_steps; /* to be made still, even while vm->stop */
	int hold_post; /* at that POST code it makes hold_steps and then stands still; 0: never */
	uint32_t hold_steps;
	bool held;
	bool stepping;                /* KVM was told */
	struct kvm_guest_debug debug; /* what it debugs all the time; control 0: nothing */
	struct vmm_step step[VMM_MAX_STEPS];
	uint32_t nr_steps;
	uint64_t posts[4]; /* POST codes seen, a bit each */
	int last_post;     /* -1: none yet */
	bool has_result;   /* the guest wrote to VMM_PORT_RESULT */
	uint32_t result;
	enum vmm_end end;
	int exit_code; /* what was written to VMM_PORT_EXIT; -1: nothing */
	char end_text[200];
};

struct vmm_twin;
struct vmm_sampler;
struct vmm_trace;
struct vmm_writes;
struct vmm_watchpoints;
struct snap_notes;

struct vmm_vm {
	int kvm, fd;
	struct vmm_caps caps;
	bool has_pit;
	struct vmm_memory *mem;
	struct snap_notes tables; /* payload of the note TABLES; empty: the guest got none */
	struct vmm_block *disk;   /* owned; NULL: none; set before vmm_vm_start */
	struct vmm_devices dev;   /* under lock once it runs */
	unsigned nr_vcpus;
	struct vmm_vcpu vcpu[VMM_MAX_VCPUS];
	pthread_mutex_t lock;
	pthread_cond_t changed;    /* a POST code, an end, parked, stop or quit; CLOCK_MONOTONIC */
	bool stop, quit;           /* under lock */
	enum vmm_format format;    /* of snapshots */
	bool want_virtual;         /* snapshots tell the kernel's linear addresses, too */
	bool deep;                 /* samples ask for more; set before vmm_vm_start */
	struct vmm_twin *twin;     /* one per vCPU: samples fill them in, too; else NULL */
	struct vmm_writes *writes; /* borrowed; NULL: nothing is watched; set before vmm_vm_start */
	const struct vmm_watchpoints *points; /* likewise; what .writes has besides, or NULL */
	struct vmm_trace *trace;              /* borrowed; NULL: none wanted */
	struct vmm_sampler *sampler;          /* borrowed; NULL: none */
};

/* VM, slots and vCPUs as KVM makes them.  Takes over kvm and mem. */
INQ_MUST enum inq_status vmm_vm_make(struct vmm_vm **ret, int kvm, const struct vmm_caps *caps,
				     struct vmm_memory *mem, unsigned nr_vcpus,
				     struct inq_err *err);

/* The same, and the vCPUs set as that guest begins; nothing runs yet. */
INQ_MUST enum inq_status vmm_vm_create(struct vmm_vm **ret, int kvm, const struct vmm_caps *caps,
				       struct vmm_memory *mem, const struct vmm_guest *guest,
				       struct inq_err *err);

/* Ends the threads first.  NULL is fine. */
void vmm_vm_destroy(struct vmm_vm *vm);

/* A thread per vCPU. */
INQ_MUST enum inq_status vmm_vm_start(struct vmm_vm *vm, struct inq_err *err);

/* Ask for an SMI or NMI between two runs of that vCPU, or of VMM_ALL_VCPUS. */
#define VMM_ALL_VCPUS UINT32_MAX
enum vmm_inject { VMM_INJECT_SMI, VMM_INJECT_NMI };
void vmm_vm_inject(struct vmm_vm *vm, unsigned vcpu, enum vmm_inject what);

/*
 * Let that vCPU alone make n single steps (VMM_MAX_STEPS at most), whether the VM is stopped or
 * not; how many it made is in .nr_steps, at most n: a halted one makes none.
 */
void vmm_vm_step(struct vmm_vm *vm, unsigned vcpu, uint32_t n);

/* Park all vCPUs, until vmm_vm_go or vmm_vm_destroy.  INQ_EIO when one does not come. */
INQ_MUST enum inq_status vmm_vm_stop(struct vmm_vm *vm, struct inq_err *err);

/* Let those go on that did not end by themselves. */
void vmm_vm_go(struct vmm_vm *vm);

/*
 * Kick every vCPU that runs and wait until each has set .look.  False: one did not come for
 * seconds.
 */
bool vmm_vm_sample(struct vmm_vm *vm);

/* Fill .rip[] of every vCPU that runs: VMM_NR_RIPS samples, 1 ms apart or more. */
void vmm_vm_rips(struct vmm_vm *vm);

/* Between two runs, on the vCPU's own thread, under the lock. */
void vmm_vcpu_sample(struct vmm_vcpu *v);

/* KVM_GET_DEVICE_ATTR or KVM_SET_DEVICE_ATTR of what KVM adds to the host's TSC; false: errno. */
bool vmm_vcpu_tsc_offset(const struct vmm_vcpu *v, unsigned long request, uint64_t *offset);

/* Between two runs, on the vCPU's own thread: its registers.  False: KVM does not tell. */
bool vmm_vcpu_registers(const struct vmm_vcpu *v, struct kvm_regs *regs, struct kvm_sregs *sregs);

/* The same: switch single-stepping as .want_steps says; and what a KVM_EXIT_DEBUG shows. */
void vmm_vcpu_set_stepping(struct vmm_vcpu *v);
void vmm_vcpu_stepped(struct vmm_vcpu *v);

/*
 * Up to VMM_INSN_BYTES bytes of one page at a linear address, through the guest's own page tables;
 * 0: not mapped, or no memory.  On the vCPU's own thread, or while it has none.
 */
size_t vmm_vcpu_code(const struct vmm_vcpu *v, uint64_t linear, bool smm, uint8_t *to);

/* The steps of the last vmm_vm_step as a note; none: no note. */
void vmm_vcpu_add_steps(const struct vmm_vcpu *v, struct snap_notes *n);

/* Make KVM_RUN return after each instruction, or no longer; interrupts wait meanwhile where KVM can
   do that.  From the vCPU's thread, or while it has none.  False: KVM refuses. */
bool vmm_vcpu_singlestep(struct vmm_vcpu *v, bool on);

/* What KVM debugs besides, from now on; before the thread starts.  False: KVM refuses. */
bool vmm_vcpu_set_debug(struct vmm_vcpu *v, const struct kvm_guest_debug *d);

/* The first vCPU that ended by itself; NULL: all live. */
const struct vmm_vcpu *vmm_vm_first_dead(const struct vmm_vm *vm);

/* Nanoseconds of that clock. */
uint64_t vmm_now_ns(clockid_t clock);

/* Body of a vCPU's thread (vcpu.c). */
void *vmm_vcpu_main(void *vcpu);

/*
 * One instruction of a vCPU that has no thread, with what it does to devices; false: it did not get
 * on within a second (halted), or this KVM cannot.
 */
bool vmm_vcpu_step(struct vmm_vcpu *v);

/* Under vm->lock: make v leave KVM_RUN. */
void vmm_vcpu_kick(struct vmm_vcpu *v);

static inline bool vmm_vcpu_posted(const struct vmm_vcpu *v, int code)
{
	return v->posts[code >> 6 & 3] >> (code & 63) & 1;
}

#endif
