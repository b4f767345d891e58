/* Images of guests: probed by content, laid into memory, and how the first vCPU then begins. */
#ifndef VMM_BOOT_H
#define VMM_BOOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <inquest/err.h>

#include "vmm/memory.h"

/* What was asked for; strings are borrowed. */
struct vmm_boot {
	const char *kernel; /* a file's name; NULL: no image */
	const char *initrd; /* NULL: none */
	const char *append; /* command line; NULL: empty */
	const char *format; /* a format's name; NULL or "auto": look */
	uint64_t load_at;   /* of a flat binary */
	bool load_at_given;
	bool entry64; /* a flat binary begins in 64-bit mode, not in real mode */
};

/* A file's bytes; foreign. */
struct vmm_image {
	const char *path;
	uint8_t *at; /* heap */
	size_t n;
};

enum vmm_boot_mode { VMM_MODE_REAL, VMM_MODE_PROTECTED, VMM_MODE_LONG };

/* The first vCPU; rip is linear. */
struct vmm_boot_start {
	enum vmm_boot_mode mode;
	uint64_t rip, rax, rbx, rsi;
};

/* A stretch of the map that the guest is told, in the type numbers of e820. */
struct vmm_boot_range {
	uint64_t gpa, bytes;
	uint32_t type;
};
enum { VMM_E820_RAM = 1, VMM_E820_RESERVED = 2, VMM_BOOT_MAX_RANGES = 8, VMM_BOOT_CMDLINE = 2048 };

/* A load on its way. */
struct vmm_boot_load {
	const struct vmm_boot *how;
	struct vmm_image kernel, initrd; /* initrd.at NULL: none */
	struct vmm_memory *mem;          /* borrowed */
	uint64_t rsdp;                   /* gpa of the ACPI tables' root; 0: none */
	uint64_t low_end;                /* end of the RAM below 4 GiB that the guest may use */
	struct vmm_boot_range range[VMM_BOOT_MAX_RANGES];
	unsigned nr_ranges;
};

/* Guest-physical layout below 1 MiB, as far as a loader needs any. */
enum {
	VMM_BOOT_GDT = 0x1000,
	VMM_BOOT_INFO = 0x6000, /* PVH or multiboot */
	VMM_BOOT_ZERO_PAGE = 0x7000,
	VMM_BOOT_TABLES = 0x9000,    /* 6 pages */
	VMM_BOOT_TEXT = 0x20000,     /* command line */
	VMM_BOOT_BASE_END = 0x9c000, /* behind it: vmm/tables.h */
};

/* Adding a format: a file with these, its name in formats.c, its line in meson.build. */
struct vmm_boot_format {
	const char *name;
	bool (*probe)(const struct vmm_image *k);
	enum inq_status (*load)(struct vmm_boot_load *l, struct vmm_boot_start *ret,
				struct inq_err *err);
};
extern const struct vmm_boot_format vmm_boot_bzimage, vmm_boot_vmlinux, vmm_boot_pvh,
	vmm_boot_multiboot, vmm_boot_flat;

/* INQ_EIO, INQ_ENOMEM; INQ_EUSAGE when it is empty or larger than 1 GiB. */
INQ_MUST enum inq_status vmm_image_read(struct vmm_image *ret, const char *path,
					struct inq_err *err);
void vmm_image_deinit(struct vmm_image *i); /* zeroed is fine */

/*
 * Lay kernel, initrd and what the format tells its guest into l->mem; .how, .kernel, .initrd, .mem,
 * .rsdp and .low_end are set.  INQ_EUSAGE with one line for whatever is wrong with the image.
 */
INQ_MUST enum inq_status vmm_boot_install(struct vmm_boot_load *l, struct vmm_boot_start *ret,
					  struct inq_err *err);

/* For formats: the map of memory is in l->range before load is called. */
INQ_MUST enum inq_status vmm_boot_put(const struct vmm_boot_load *l, uint64_t gpa, const void *p,
				      uint64_t n, const char *what, struct inq_err *err);
/* The command line, zero-ended, at VMM_BOOT_TEXT. */
INQ_MUST enum inq_status vmm_boot_put_text(const struct vmm_boot_load *l, uint64_t most,
					   struct inq_err *err);
/* The initrd as high as it may lie, in whole pages from `from` on, up to max; 0 when there is none.
 */
INQ_MUST enum inq_status vmm_boot_put_initrd(const struct vmm_boot_load *l, uint64_t from,
					     uint64_t max, uint64_t *ret_gpa, struct inq_err *err);

/* A whole ELF file's PT_LOADs at their physical addresses. */
struct vmm_elf {
	uint64_t entry, end; /* end: behind the highest byte, .bss counted */
	bool wide;           /* 64 bits */
};
bool vmm_elf_is(const struct vmm_image *k);
INQ_MUST enum inq_status vmm_elf_load(const struct vmm_boot_load *l, struct vmm_elf *ret,
				      struct inq_err *err);
/* The entry that a Xen note 18 names; false: it has none. */
bool vmm_elf_pvh_entry(const struct vmm_image *k, uint64_t *ret);

/* Little-endian bytes of an image; 0 when it ends before. */
uint16_t vmm_image_u16(const struct vmm_image *k, uint64_t at);
uint32_t vmm_image_u32(const struct vmm_image *k, uint64_t at);
uint64_t vmm_image_u64(const struct vmm_image *k, uint64_t at);

/* The zero page, from a setup header of n bytes (NULL: none) at its offset 0x1f1. */
INQ_MUST enum inq_status vmm_boot_put_zero_page(const struct vmm_boot_load *l,
						const uint8_t *header, size_t n, uint64_t initrd,
						struct inq_err *err);

#endif
