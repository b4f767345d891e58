/* Looks at the running vCPUs from time to time: is one stuck, or in SMM for too long?  And storms.
 */
#ifndef VMM_WATCH_H
#define VMM_WATCH_H

#include "vmm/produce.h"

/* In ms; 0: off. */
struct vmm_triggers {
	uint64_t hang, smm_limit, smi_every, nmi_every;
	uint64_t on_post; /* no time but a POST code; a vCPU that writes it stands still */
};

enum vmm_fired { VMM_FIRED_NOT, VMM_FIRED_HANG, VMM_FIRED_SMM };

struct vmm_watch_cpu {
	uint64_t nr_seen;          /* of vmm_vcpu.nr_samples */
	uint64_t since, low, high; /* this small range of RIPs */
	unsigned n;                /* looks in it; 0: none */
	uint64_t smm_since, smi_count;
	bool in_smm;
};

struct vmm_watch {
	struct vmm_triggers t;
	uint64_t from;                          /* looks from before are none: ns */
	uint64_t next_look, next_smi, next_nmi; /* ns */
	struct vmm_watch_cpu cpu[VMM_MAX_VCPUS];
};

void vmm_watch_init(struct vmm_watch *w, const struct vmm_triggers *t, uint64_t now);

/* Forget what was seen before now: the vCPUs were stopped meanwhile. */
void vmm_watch_reset(struct vmm_watch *w, uint64_t now);

/*
 * One look at a vCPU.  It hangs when all looks for t.hang ms (8 of them at least) found it in one
 * small range of RIPs, never halted, and each time deaf: interrupts off, in SMM, or with a timer
 * interrupt pending and not taken.  A halted vCPU does not hang: it may wait for an NMI, INIT or
 * its next start as all idle and parked CPUs do; what it waits for is a matter of analysis.
 */
enum vmm_fired vmm_watch_feed(struct vmm_watch *w, unsigned cpu, const struct vmm_look *look);

/* Do what is due: looks, SMIs, NMIs.  True: something fired, *why is filled but for its times. */
bool vmm_watch_poll(struct vmm_watch *w, struct vmm_vm *vm, struct vmm_why *why);

/* How long nothing is due, in ns, `most` at most. */
uint64_t vmm_watch_idle(const struct vmm_watch *w, uint64_t most);

#endif
