/* Knows multiboot 1 (its specification, 0.6.96): an ELF, or addresses in the header itself. */
#include <inttypes.h>
#include <string.h>

#include "vmm/boot/boot.h"

enum {
	HEADER_MAGIC = 0x1badb002,
	LOADER_MAGIC = 0x2badb002,
	SEARCH = 8192,
	WANTS_ADDRESSES = 1 << 16,
	UNKNOWN_NEEDS = 0xfffc, /* required features but page alignment and the memory map */
	CMDLINE = 2047,
};

struct info {
	uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4],
		mmap_length, mmap_addr, drives[2], config, loader_name, apm, vbe[4];
};
struct module {
	uint32_t first, end, cmdline, reserved;
};
struct range {
	uint32_t size;
	uint64_t gpa, bytes;
	uint32_t type;
} __attribute__((packed));
struct page {
	struct info info;
	struct module module;
	struct range range[VMM_BOOT_MAX_RANGES];
};

static bool find(const struct vmm_image *k, uint64_t *ret)
{
	for (uint64_t at = 0; at + 12 <= SEARCH && at + 12 <= k->n; at += 4) {
		uint32_t magic = vmm_image_u32(k, at), flags = vmm_image_u32(k, at + 4);

		if (magic == HEADER_MAGIC &&
		    !(uint32_t)(magic + flags + vmm_image_u32(k, at + 8))) {
			*ret = at;
			return true;
		}
	}
	return false;
}

static bool probe(const struct vmm_image *k)
{
	uint64_t at;

	return find(k, &at);
}

/* As the header's own addresses say. */
static enum inq_status load_plain(const struct vmm_boot_load *l, uint64_t at, struct vmm_elf *ret,
				  struct inq_err *err)
{
	const struct vmm_image *k = &l->kernel;
	uint32_t header = vmm_image_u32(k, at + 12), from = vmm_image_u32(k, at + 16),
		 end = vmm_image_u32(k, at + 20), bss = vmm_image_u32(k, at + 24);
	uint64_t before = (uint64_t)header - from, off = at - before;

	if (at + 32 > k->n || header < from || before > at || (end && end < from) ||
	    (end && end - from > k->n - off))
		return inq_fail(err, INQ_EUSAGE,
				"%s: multiboot header with addresses outside the file; damaged or "
				"cut off",
				k->path);
	uint64_t n = end ? end - from : k->n - off, most = l->low_end;
	if (from < VMM_MIB || from + n > most || bss > most)
		return inq_fail(err, INQ_EUSAGE,
				"%s: no memory for %" PRIu64 " bytes at 0x%" PRIx32
				"; give more --memory",
				k->path, n, from);
	*ret = (struct vmm_elf){.entry = vmm_image_u32(k, at + 28), .end = from + n};
	if (bss > ret->end)
		ret->end = bss;
	return vmm_boot_put(l, from, k->at + off, n, "the kernel", err);
}

static enum inq_status put_info(const struct vmm_boot_load *l, uint64_t initrd, struct inq_err *err)
{
	const uint32_t at = VMM_BOOT_INFO;
	struct page p = {
		.info = {.flags = 1 | 4 | 8 | 0x40, /* memory, command line, modules, map */
			 .mem_lower = VMM_BOOT_BASE_END / 1024,
			 .mem_upper = (uint32_t)((l->low_end - VMM_MIB) / 1024),
			 .cmdline = VMM_BOOT_TEXT,
			 .mods_count = l->initrd.at != NULL,
			 .mods_addr = at + offsetof(struct page, module),
			 .mmap_length = (uint32_t)(l->nr_ranges * sizeof(struct range)),
			 .mmap_addr = at + offsetof(struct page, range)},
		.module = {.first = (uint32_t)initrd, .end = (uint32_t)(initrd + l->initrd.n)}};

	for (unsigned i = 0; i < l->nr_ranges; i++)
		p.range[i] =
			(struct range){20, l->range[i].gpa, l->range[i].bytes, l->range[i].type};
	return vmm_boot_put(l, at, &p, sizeof(p), "the multiboot information", err);
}

static enum inq_status load_kernel(const struct vmm_boot_load *l, struct vmm_elf *e,
				   struct inq_err *err)
{
	const struct vmm_image *k = &l->kernel;
	uint64_t at = 0;

	if (!find(k, &at))
		return inq_fail(err, INQ_EUSAGE, "%s: no multiboot header", k->path);
	uint32_t flags = vmm_image_u32(k, at + 4);
	if (flags & UNKNOWN_NEEDS)
		return inq_fail(err, INQ_EUSAGE,
				"%s: its multiboot header wants features 0x%" PRIx32
				", which are not to be had here",
				k->path, flags & UNKNOWN_NEEDS);
	if (flags & WANTS_ADDRESSES)
		return load_plain(l, at, e, err);
	if (!vmm_elf_is(k))
		return inq_fail(err, INQ_EUSAGE, "%s: multiboot, but no ELF and no addresses",
				k->path);
	return vmm_elf_load(l, e, err);
}

static enum inq_status load(struct vmm_boot_load *l, struct vmm_boot_start *ret,
			    struct inq_err *err)
{
	struct vmm_elf e = {0};
	uint64_t initrd = 0;
	enum inq_status st = load_kernel(l, &e, err);

	if (!st && (e.entry < VMM_MIB || e.entry >= e.end))
		st = inq_fail(err, INQ_EUSAGE, "%s: its entry 0x%" PRIx64 " is not in memory",
			      l->kernel.path, e.entry);
	if (!st)
		st = vmm_boot_put_text(l, CMDLINE, err);
	if (!st)
		st = vmm_boot_put_initrd(l, e.end, UINT32_MAX, &initrd, err);
	if (!st)
		st = put_info(l, initrd, err);
	if (!st)
		*ret = (struct vmm_boot_start){.mode = VMM_MODE_PROTECTED,
					       .rip = e.entry,
					       .rax = LOADER_MAGIC,
					       .rbx = VMM_BOOT_INFO};
	return st;
}

const struct vmm_boot_format vmm_boot_multiboot = {"multiboot", probe, load};
