/* A running guest's attendant: looks, storms, SIGUSR1 and the control socket, while a run waits. */
#ifndef VMM_ATTEND_H
#define VMM_ATTEND_H

#include "vmm/control.h"
#include "vmm/guest.h"
#include "vmm/run.h"
#include "vmm/vmstate.h"
#include "vmm/watch.h"

struct vmm_session {
	const struct vmm_run *r;
	const struct vmm_guest *guest;
	struct vmm_vm *vm;
	struct snap_out out;
	struct vmm_vmstate vmstate;
	struct vmm_state state[VMM_MAX_VCPUS];
	unsigned nr_states;
	const struct vmm_vcpu *dead;            /* the first that ended by itself */
	uint64_t t_realtime_ns, t_monotonic_ns; /* when all had stopped */
	struct vmm_watch watch;
	struct vmm_live *live;       /* memory that is written already; NULL: none */
	uint64_t pause_ns;           /* of the last snapshot: from the stop on */
	struct vmm_control *control; /* NULL: none; borrowed */
	struct vmm_why why;          /* of what fired */
	bool fired, quit, paused;
	unsigned nr_signals; /* snapshots taken because of SIGUSR1 */
};

/* Does this run go on until something happens, however long the guest is stuck already? */
bool vmm_attend_waits(const struct vmm_session *s);

/*
 * Under vm->lock, given up meanwhile: do what is due, then wait until something changed, the next
 * is due, or a while is over.
 */
void vmm_attend(struct vmm_session *s);

/* A vCPU died, a trigger fired, or somebody said quit. */
bool vmm_attend_over(const struct vmm_session *s);

/*
 * Attend until done, asked under vm->lock, says so or the run is over; past `until`
 * (CLOCK_MONOTONIC, the guest not paused) *ret_late is set.  INQ_EINTR after SIGINT or SIGTERM.
 */
INQ_MUST enum inq_status vmm_attend_until(struct vmm_session *s,
					  bool (*done)(struct vmm_session *s, void *arg), void *arg,
					  uint64_t until, bool *ret_late, struct inq_err *err);

/* RIP samples, stop, and everything that KVM knows into s; not while s holds a state already. */
INQ_MUST enum inq_status vmm_attend_stop(struct vmm_session *s, struct inq_err *err);
void vmm_attend_forget(struct vmm_session *s); /* that state */

#endif
