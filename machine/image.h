/*
 * The image of an x86-64 Linux kernel as page tables map it: where it lies, and what can be read
 * in it without symbols.  For machine/ only.
 */
#ifndef MACHINE_IMAGE_H
#define MACHINE_IMAGE_H

#include "arch/paging.h"
#include "machine/vmcoreinfo.h"

/* Linux Documentation/x86/x86_64/mm.rst: the kernel's text mapping, 1 GiB with KASLR. */
#define IMAGE_BASE UINT64_C(0xffffffff80000000)
#define IMAGE_END UINT64_C(0xffffffffc0000000)
#define IMAGE_ALIGN UINT64_C(0x200000)            /* CONFIG_PHYSICAL_ALIGN's least */
#define IMAGE_LINKED UINT64_C(0xffffffff81000000) /* with the usual CONFIG_PHYSICAL_START */

enum { IMAGE_MAX_PIECES = 1024 };
#define IMAGE_MAX_BYTES (UINT64_C(256) << 20)

/* A stretch that is mapped the same way throughout. */
struct image_piece {
	uint64_t va, bytes;
	bool nx;
};

struct image {
	uint64_t first, last; /* virtual, inclusive; first is _text: 2 MiB aligned */
	uint64_t phys_base;   /* pa = va - IMAGE_BASE + phys_base, modulo 2^64 */
	uint64_t mapped;      /* bytes */
	size_t nr;
	struct image_piece piece[IMAGE_MAX_PIECES];
};

/*
 * What these tables map where Linux has its image.  Returns false when that is nothing, or cannot
 * be an image: what is mapped first must lie at a multiple of 2 MiB.
 */
bool image_map(const struct inq_space *phys, const struct paging_mode *mode, struct image *ret);

/* What is found in it.  Unknown: "" or 0, which no such thing has for an address. */
struct image_facts {
	char release[VMCOREINFO_RELEASE]; /* from the banner */
	uint64_t banner;                  /* virtual address of "Linux version ..." */
	char build_id[VMCOREINFO_BUILD_ID];
	uint64_t build_id_at;
	uint64_t per_cpu; /* address of __per_cpu_offset[] */
};

/*
 * Look through the image in a space that maps it, until all is found.  gs are the bases of the
 * CPUs' own data, 0 where unknown; they are what
 * __per_cpu_offset holds.  Errors: INQ_ENOMEM; what cannot be read is passed over.
 */
INQ_MUST enum inq_status image_search(const struct inq_space *virt, const struct image *im,
				      const uint64_t *gs, size_t nr_gs, struct image_facts *ret,
				      struct inq_err *err);

/*
 * What looks like the pointer to VMCOREINFO: the virtual address of that page; 0: nothing does.  It
 * lies near the image's end.  Errors: INQ_ENOMEM; what cannot be read is passed over.
 */
INQ_MUST enum inq_status image_find_vmcoreinfo(const struct inq_space *virt, const struct image *im,
					       uint64_t *ret, struct inq_err *err);

/* n bytes of an image, from va on.  INQ_ENOTFOUND: not here, go on. */
typedef enum inq_status image_chunk_fn(void *ctx, uint64_t va, const uint8_t *p, size_t n,
				       struct inq_err *err);

/*
 * Show fn all of the image that a space's tables map, data before code, in chunks that reach
 * overlap bytes into what follows, until it yields anything but INQ_ENOTFOUND: that is the answer.
 * What cannot be read is zero.  Errors: also INQ_ENOMEM, and INQ_ENOTFOUND in the end.
 */
INQ_MUST enum inq_status image_scan(const struct inq_space *virt, size_t overlap,
				    image_chunk_fn *fn, void *ctx, struct inq_err *err);

/* Does va lie in it? */
static inline bool image_has(const struct image *im, uint64_t va)
{
	return va >= im->first && va <= im->last;
}

#endif
