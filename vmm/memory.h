/* Guest memory: RAM with the hole below 1 MiB, and one SMRAM window per vCPU.  No KVM in here. */
#ifndef VMM_MEMORY_H
#define VMM_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include <inquest/err.h>

#define VMM_MAX_VCPUS 64u
#define VMM_PAGE UINT64_C(4096)
#define VMM_MIB UINT64_C(0x100000)
#define VMM_FIRMWARE UINT64_C(0xc0000)    /* ROMs and BIOS of a PC; here zeroed RAM */
#define VMM_SMRAM_BYTES UINT64_C(0x10000) /* of one window */
#define VMM_MIN_MIB 16u
#define VMM_MAX_MIB (64u << 10)
#define VMM_LOW_END UINT64_C(0xc0000000) /* RAM beyond goes to 4 GiB; devices lie between */
#define VMM_HIGH UINT64_C(0x100000000)
#define VMM_MAX_REGIONS 3u
#define VMM_MAX_RANGES 16u
#define VMM_MAX_SLOTS (2 * VMM_MAX_REGIONS + 2 * VMM_MAX_VCPUS + 4 * VMM_MAX_RANGES)

/* A stretch of RAM.  off: where it lies in the RAM file and in its mapping. */
struct vmm_region {
	uint64_t gpa, bytes, off;
};

/* A memory slot as KVM gets it.  as 1: what a vCPU sees while in SMM. */
struct vmm_slot {
	uint32_t as, slot;
	uint64_t gpa, bytes;
	uint8_t *host;
	bool smram; /* backed by a window, not by RAM */
	bool read_only;
};

/* Guest-physical ranges, as they are named on the command line. */
struct vmm_ranges {
	struct {
		uint64_t gpa, bytes;
	} at[VMM_MAX_RANGES];
	unsigned nr;
};

struct vmm_memory {
	int ram_fd; /* memfd: its holes are pages that nobody ever touched */
	uint8_t *ram;
	uint64_t ram_bytes; /* of the mapping */
	struct vmm_region region[VMM_MAX_REGIONS];
	unsigned nr_regions;
	uint8_t *smram;                 /* all windows, one behind the other */
	uint64_t window[VMM_MAX_VCPUS]; /* guest-physical, ascending */
	unsigned nr_windows;
	struct vmm_slot slot[VMM_MAX_SLOTS];
	unsigned nr_slots;
	uint8_t *touched; /* pages of the mapping that the VMM itself wrote, a bit each; heap */
	/* who wants to hear of vmm_memory_device_wrote(); NULL: nobody */
	void (*on_device)(void *listener, uint64_t gpa, const uint8_t *at, uint64_t bytes);
	void *listener;
};

/*
 * Map `mib` MiB of RAM, and an SMRAM window at each of smbase[]; those must be distinct and lie in
 * RAM below 3 GiB.  with_smm false: no windows and no slots of address space 1.
 */
INQ_MUST enum inq_status vmm_memory_create(struct vmm_memory **ret, uint64_t mib,
					   const uint64_t *smbase, unsigned nr, bool with_smm,
					   struct inq_err *err);
/*
 * The same for any map: region[] ascends, in whole pages and without overlap, off in its mapping;
 * window[] lies in it.  nr_windows 0: no slots of address space 1.
 */
INQ_MUST enum inq_status vmm_memory_map(struct vmm_memory **ret, const struct vmm_region *region,
					unsigned nr_regions, const uint64_t *window,
					unsigned nr_windows, struct inq_err *err);
/* NULL is fine. */
void vmm_memory_destroy(struct vmm_memory *m);

/* End of the RAM below the hole for devices. */
uint64_t vmm_memory_low_end(uint64_t mib);

/* The bytes at gpa as seen outside (as 0) or inside SMM (as 1); NULL unless all of them are there.
 */
uint8_t *vmm_memory_at(const struct vmm_memory *m, uint32_t as, uint64_t gpa, uint64_t bytes);

/* Write there before the guest runs; false when not all of it is memory. */
bool vmm_memory_put(const struct vmm_memory *m, uint32_t as, uint64_t gpa, const void *p,
		    uint64_t n);

/* The VMM wrote, or is going to write, those bytes of RAM: no log of KVM's says so. */
void vmm_memory_touch(const struct vmm_memory *m, const uint8_t *at, uint64_t bytes);

/*
 * A device of the VMM wrote those bytes, which vmm_memory_at() gave for address space 0: touched,
 * and told to the listener.  Under vm->lock once the VM runs.
 */
void vmm_memory_device_wrote(const struct vmm_memory *m, const uint8_t *at, uint64_t bytes);

/*
 * The next stretch of the RAM mapping from *from on, before end, that was ever touched, in whole
 * pages: *from up to *to.  None is left: both are end.
 */
void vmm_memory_next_data(const struct vmm_memory *m, uint64_t *from, uint64_t *to, uint64_t end);

/*
 * Make the pages of this range slots of their own, read-only, in each address space; for as long as
 * no VM has the slots.  INQ_EUSAGE: not all of it is memory.
 */
INQ_MUST enum inq_status vmm_memory_protect(struct vmm_memory *m, uint64_t gpa, uint64_t bytes,
					    struct inq_err *err);

/* "ADDRESS[:LEN]", LEN at least 1, else 8; false: it is none. */
bool vmm_range_parse(const char *text, uint64_t *ret_at, uint64_t *ret_bytes);

/* "GPA[:LEN]" as one more range, LEN from 1 to 4096, else 8; false: it is none, or too many. */
bool vmm_ranges_add(struct vmm_ranges *r, const char *text);

/* Every page of RAM gets bytes drawn from seed; no page stays zero. */
void vmm_memory_fill(struct vmm_memory *m, uint64_t seed);

#endif
