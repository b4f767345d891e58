/* Writing a snapshot: include/inquest/snapshot.h as a file.  No KVM. */
#ifndef VMM_SNAPSHOT_H
#define VMM_SNAPSHOT_H

#include "snap/notes.h"
#include "snap/out.h"
#include "vmm/memory.h"
#include "vmm/pages.h"

/* A vCPU's flight record; ring.file_off and .crc are filled in by the writer. */
struct vmm_snapshot_ring {
	uint32_t vcpu;
	struct inq_snap_ring ring;
	const struct inq_snap_flight *at; /* ring.count of them */
};

enum { VMM_LIVE_HEADERS = 4096 }; /* of an ELF core without views, at most */
enum vmm_format { VMM_FORMAT_ELF, VMM_FORMAT_KDUMP_ZLIB, VMM_FORMAT_KDUMP_ZSTD };

/* By its name on the command line: elf, kdump-zlib, kdump-zstd.  False: there is none. */
bool vmm_format_find(const char *name, enum vmm_format *ret);

/* The parts, in the order of their notes. */
struct vmm_snapshot {
	enum vmm_format format;
	const struct vmm_memory *mem;
	struct inq_snap_header header; /* who and why; sizes and checksums are filled in here */
	struct snap_notes core;        /* CORE notes */
	const char *host;              /* text of INQ_SNAP_HOST */
	const char *vmcoreinfo;        /* borrowed; NULL: none */
	size_t vmcoreinfo_bytes;
	struct snap_notes vcpu;         /* notes of ours, of all vCPUs, then the VM's */
	struct vmm_snapshot_ring *ring; /* flight records, nr_rings of them */
	unsigned nr_rings;
	struct vmm_pages *pages; /* borrowed: memory that is in the file already; NULL: none */
	const uint8_t *dirty; /* with it: what has to be written once more, a bit per page of RAM */
	const struct vmm_snapshot_view *view; /* borrowed; ascending, each va unlike its gpa */
	size_t nr_views;
};

/* Bytes of memory at another address, too: a further PT_LOAD over the same bytes of the file. */
struct vmm_snapshot_view {
	uint64_t va, gpa, bytes; /* whole pages, within one region */
};

struct vmm_snapshot_done {
	uint64_t file_bytes;
	uint64_t written_bytes; /* without the holes */
	uint64_t zero_pages, pages;
};

/* Into an open output; the caller commits. */
INQ_MUST enum inq_status vmm_snapshot_write(const struct vmm_snapshot *s, struct snap_out *o,
					    struct vmm_snapshot_done *ret, struct inq_err *err);

#endif
