/* virtio over MMIO, version 2, with one queue: the way to a disk.  No KVM. */
#ifndef VMM_VIRTIO_H
#define VMM_VIRTIO_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/block.h"
#include "vmm/memory.h"

#define VMM_VIRTIO_GPA UINT64_C(0xd0000000)
enum { VMM_VIRTIO_BYTES = 0x1000, VMM_VIRTIO_QUEUE = 128 };

/* All that it remembers, as a snapshot holds it. */
struct vmm_virtio_state {
	uint64_t driver_features;
	uint64_t desc, avail, used; /* gpa of the queue's three parts */
	uint64_t sectors;           /* of the disk; 0: there is none */
	uint32_t status;            /* bits of 2.1 of the specification */
	uint32_t features_sel, driver_features_sel, queue_sel;
	uint32_t interrupt; /* pending: 1 used buffers, 2 configuration */
	uint32_t queue_num; /* entries, a power of 2 up to VMM_VIRTIO_QUEUE; 0: not set */
	uint32_t queue_ready;
	uint16_t next;      /* the entry of the available ring that comes next */
	uint16_t used_next; /* likewise */
};

struct vmm_virtio {
	struct vmm_virtio_state s;
	const struct vmm_block *disk; /* borrowed; NULL: no device is there */
	bool line;                    /* as .irq was told last */
	bool hurry;                   /* atomic: the VM's lock is wanted */
	bool cut;                     /* there may be requests that nobody will tell of again */
	void *arg;
	void (*irq)(void *arg, bool level); /* changes only; NULL: not wired */
};

/* Registers as after a reset, with that disk or none. */
void vmm_virtio_reset(struct vmm_virtio *v, const struct vmm_block *disk);

/*
 * The disk of a machine that does not run yet; NULL: none.  A device that was in use (loaded) keeps
 * its state, and the disk must be as large as it was, unless forced: INQ_EUSAGE.
 */
INQ_MUST enum inq_status vmm_virtio_attach(struct vmm_virtio *v, const struct vmm_block *disk,
					   bool force, struct inq_err *err);

/* off: within VMM_VIRTIO_BYTES.  A write may do I/O on the disk and in mem. */
void vmm_virtio_read(const struct vmm_virtio *v, uint32_t off, uint8_t *data, unsigned len);
void vmm_virtio_write(struct vmm_virtio *v, uint32_t off, const uint8_t *data, unsigned len,
		      const struct vmm_memory *mem);

/*
 * From any thread, without the VM's lock: finish the request at hand, leave those behind it to
 * vmm_virtio_go_on(), which is for who has the lock.
 */
void vmm_virtio_hurry(struct vmm_virtio *v);
void vmm_virtio_go_on(struct vmm_virtio *v, const struct vmm_memory *mem);

/* From a snapshot, which is foreign; its disk comes with .disk.  False: no device is ever in that
   state; nothing changed. */
bool vmm_virtio_load(struct vmm_virtio *v, const struct vmm_virtio_state *s);

#endif
