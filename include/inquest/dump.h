/* A file, opened: physical memory and raw CPU blobs.  Knows formats, no kernels.  Immutable. */
#ifndef INQ_DUMP_H
#define INQ_DUMP_H

#include <inquest/snapshot.h>
#include <inquest/space.h>

/* A stretch of guest-physical memory. */
struct inq_extent {
	uint64_t first, last; /* inclusive */
	enum inq_extent_kind {
		INQ_EXTENT_BYTES,    /* in the file (zero and single missing pages among them) */
		INQ_EXTENT_ABSENT,   /* the file says it exists, but does not hold it: truncated */
		INQ_EXTENT_EXCLUDED, /* left out on purpose by the producer */
	} kind;
	uint64_t file_off; /* of the first byte, INQ_EXTENT_BYTES only; or INQ_NO_OFFSET */
};
#define INQ_NO_OFFSET UINT64_MAX /* the bytes do not lie flat in the file that was opened */

/* Raw state of one vCPU or of the VM, where it lies.  kind also takes these, for foreign cores: */
enum {
	INQ_BLOB_PRSTATUS = 0x100,   /* Linux struct elf_prstatus: x86-64, 336 bytes; i386, 144 */
	INQ_BLOB_QEMU_CPU = 0x101,   /* QEMUCPUState of QEMU's target/i386/arch_dump.c */
	INQ_BLOB_VMCOREINFO = 0x102, /* of the VM: text of the Linux kernel, "KEY=VALUE\n" */
	/*
	 * A foreign VMM's own state as named values, one behind the other, unaligned: u32 length of
	 * the name, u32 length of the value, the name, the value; integers are little-endian.
	 */
	INQ_BLOB_NAMED = 0x103,
	INQ_BLOB_WIN_HEADER = 0x104, /* of the VM: Windows DUMP_HEADER64, 8192 bytes */
	INQ_BLOB_WIN_KDBG = 0x105,   /* of the VM: Windows KDDEBUGGER_DATA64, what there is of it */
	INQ_BLOB_WIN_PRCB = 0x106,   /* of the VM: KPRCB of the processor that crashed */
	INQ_BLOB_VMWARE = 0x107, /* VMware's own state of a CPU, in the form of INQ_BLOB_NAMED */
};
struct inq_blob {
	uint32_t vcpu; /* index, or INQ_SNAP_VM */
	uint32_t sample;
	uint32_t kind; /* enum inq_snap_kind, or INQ_BLOB_* */
	enum inq_snap_state state;
	int error;        /* errno, INQ_SNAP_FAILED only */
	const uint8_t *p; /* NULL unless present; borrowed from the dump, unaligned */
	size_t n;         /* bytes */
};

/* Something the file should have and has not: becomes a gap row and a line of the report. */
struct inq_damage {
	uint64_t addr, length; /* of the file, or of space "phys" when in_memory */
	int in_memory;
	enum inq_status status; /* INQ_EABSENT or INQ_ECORRUPT */
	char message[160];      /* "the file ends at 0x5000, 1 of 2 segments lost" */
};

/* A vCPU's flight record, newest records; see inq_snap_flight. */
struct inq_ring {
	uint32_t vcpu;
	uint32_t count;        /* records that the file holds whole */
	uint32_t record_bytes; /* INQ_SNAP_FLIGHT_BYTES or more */
	uint64_t first;        /* number of the first of them */
	uint64_t file_off;
};

struct inq_dump {
	const char *path;                     /* as given */
	const char *format;                   /* the loader's name: "elfcore" */
	const char *variant;                  /* "inquest snapshot", "elf core" */
	char content_id[33];                  /* 128 bit in hex: same content, same id */
	uint64_t file_bytes;                  /* of the file, or of the one that holds its memory */
	const struct inq_snap_header *header; /* NULL unless the file is a snapshot of ours */
	const struct inq_extent *extents;     /* ascending, without overlap */
	size_t nr_extents;
	const struct inq_blob *blobs; /* in file order */
	size_t nr_blobs;
	const uint32_t *by_key; /* their numbers in the order of vcpu, sample, kind; may be NULL */
	const struct inq_ring *rings; /* one per vCPU at most, in file order */
	size_t nr_rings;
	const struct inq_damage *damages;
	size_t nr_damages;
	struct inq_space *phys; /* guest physical memory, address space 0 */
	struct inq_space *smm;  /* the same as a CPU in SMM sees it; NULL: not told */
	struct inq_space *virt; /* pieces of the kernel's linear memory; NULL: phys has it all */
	const struct inq_extent *virt_extents; /* of virt, ascending, without overlap */
	size_t nr_virt_extents;
};

/*
 * Open any file that a loader recognises.  Errors: INQ_EIO (with the reason of the system),
 * INQ_EUNSUPPORTED (no loader knows it; says what it looks like), INQ_ECORRUPT, INQ_ELIMIT.
 * A truncated file opens, with damages.  Close accepts NULL.
 */
INQ_MUST enum inq_status inq_dump_open(const char *path, struct inq_dump **ret_dump,
				       struct inq_err *err);
/* The same for memory without a header, which begins at physical address base. */
INQ_MUST enum inq_status inq_dump_open_raw(const char *path, uint64_t base,
					   struct inq_dump **ret_dump, struct inq_err *err);
void inq_dump_close(struct inq_dump *dump);

/* The blob, present or not; NULL when the file has no such note at all. */
const struct inq_blob *inq_dump_blob(const struct inq_dump *dump, uint32_t vcpu, uint32_t sample,
				     uint32_t kind);

/*
 * The i-th stretch of memory that smm does not share with phys, ascending; 0 behind the last.
 */
int inq_dump_smram(const struct inq_dump *dump, size_t i, uint64_t *ret_first, uint64_t *ret_last);

/* Record i of the ring; i < count.  Errors: INQ_EABSENT, when the file lost it meanwhile. */
INQ_MUST enum inq_status inq_dump_flight(const struct inq_dump *dump, const struct inq_ring *ring,
					 uint32_t i, struct inq_snap_flight *ret,
					 struct inq_err *err);

#endif
