/* A dump of QEMU's, opened, to a snapshot of our own format (docs/snapshot-format.md). */
#ifndef CAPTURE_WRITE_H
#define CAPTURE_WRITE_H

#include <inquest/dump.h>

#include "snap/out.h"

/* Who and when, for the snapshot's header. */
struct capture_facts {
	const char *qemu;                       /* its version */
	uint64_t t_realtime_ns, t_monotonic_ns; /* when the guest had stopped */
};

struct capture_done {
	uint64_t file_bytes, pages, zero_pages;
	uint64_t absent_pages; /* that the stream lacks */
	uint32_t nr_vcpus;
};

/*
 * Into an open output; the caller commits.  Pages that the dump lacks stay unknown in the snapshot.
 * Errors: INQ_EUNSUPPORTED (no CPU's state in it), INQ_ENOMEM, INQ_ELIMIT, INQ_EIO, INQ_EINTR.
 */
INQ_MUST enum inq_status capture_write(const struct inq_dump *dump, const struct capture_facts *f,
				       struct snap_out *o, struct capture_done *ret,
				       struct inq_err *err);

#endif
