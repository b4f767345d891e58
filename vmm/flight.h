/* The flight record: what each vCPU did last, always on.  One writer per ring, no lock. */
#ifndef VMM_FLIGHT_H
#define VMM_FLIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include <inquest/err.h>
#include <inquest/snapshot.h>
#include <linux/kvm.h>

/* Written by the vCPU's own thread (before it starts: by its maker), read while it is parked. */
struct vmm_flight {
	struct inq_snap_flight *at; /* INQ_SNAP_FLIGHT_RECORDS of them */
	uint64_t next;              /* number of the record to come */
};

INQ_MUST enum inq_status vmm_flight_init(struct vmm_flight *f, struct inq_err *err);
void vmm_flight_deinit(struct vmm_flight *f); /* zeroed is fine */

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t vmm_now(void);

/*
 * KVM_RUN returned r with errno e.  synced: run->s.regs holds registers and segments.  run_bytes:
 * of the mapping, for the bytes of port I/O.
 */
void vmm_flight_exit(struct vmm_flight *f, const struct kvm_run *run, size_t run_bytes, bool synced,
		     int e);

/* An ioctl that changes the vCPU: done, recorded; what it returned, errno as it left it. */
int vmm_flight_ioctl(struct vmm_flight *f, int fd, unsigned long request, void *arg);

/* The same for an ioctl that was done already; e: its errno, 0: fine. */
void vmm_flight_note(struct vmm_flight *f, unsigned long request, int e);

/* The last record written; there must be one. */
const struct inq_snap_flight *vmm_flight_newest(const struct vmm_flight *f);

/* The newest records, oldest first; to: room for INQ_SNAP_FLIGHT_RECORDS.  ret: all but file_off.
 */
void vmm_flight_copy(const struct vmm_flight *f, struct inq_snap_flight *to,
		     struct inq_snap_ring *ret);

/* CS.base + RIP of what KVM mirrored into the page; wraps at 4 GiB outside 64-bit code. */
uint64_t vmm_flight_rip(const struct kvm_regs *regs, const struct kvm_sregs *sregs);

#endif
