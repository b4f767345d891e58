/* Knows the PVH entry: 32-bit protected mode, ebx at hvm_start_info (Xen's start_info.h, v1). */
#include <string.h>

#include "vmm/boot/boot.h"

enum { START_MAGIC = 0x336ec578, CMDLINE = 2047 };

struct start_info {
	uint32_t magic, version, flags, nr_modules;
	uint64_t modlist, cmdline, rsdp, memmap;
	uint32_t memmap_entries, reserved;
};
struct module {
	uint64_t gpa, bytes, cmdline, reserved;
};
struct range {
	uint64_t gpa, bytes;
	uint32_t type, reserved;
};
struct page {
	struct start_info info;
	struct module module;
	struct range range[VMM_BOOT_MAX_RANGES];
};

static bool probe(const struct vmm_image *k)
{
	uint64_t entry;

	return vmm_elf_pvh_entry(k, &entry);
}

static enum inq_status put_info(const struct vmm_boot_load *l, uint64_t initrd, struct inq_err *err)
{
	const uint64_t at = VMM_BOOT_INFO;
	struct page p = {.info = {.magic = START_MAGIC,
				  .version = 1,
				  .nr_modules = l->initrd.at != NULL,
				  .modlist = at + offsetof(struct page, module),
				  .cmdline = VMM_BOOT_TEXT,
				  .rsdp = l->rsdp,
				  .memmap = at + offsetof(struct page, range),
				  .memmap_entries = l->nr_ranges},
			 .module = {.gpa = initrd, .bytes = l->initrd.n}};

	for (unsigned i = 0; i < l->nr_ranges; i++)
		p.range[i] =
			(struct range){l->range[i].gpa, l->range[i].bytes, l->range[i].type, 0};
	return vmm_boot_put(l, at, &p, sizeof(p), "the start info", err);
}

static enum inq_status load(struct vmm_boot_load *l, struct vmm_boot_start *ret,
			    struct inq_err *err)
{
	struct vmm_elf e;
	uint64_t initrd = 0, entry = 0;
	enum inq_status st = vmm_elf_load(l, &e, err);

	if (!st && (!vmm_elf_pvh_entry(&l->kernel, &entry) || entry < VMM_MIB || entry >= e.end))
		st = inq_fail(err, INQ_EUSAGE, "%s: its PVH entry is not in memory; damaged",
			      l->kernel.path);
	if (!st)
		st = vmm_boot_put_text(l, CMDLINE, err);
	if (!st)
		st = vmm_boot_put_initrd(l, e.end, INT32_MAX, &initrd, err);
	if (!st)
		st = put_info(l, initrd, err);
	if (!st)
		*ret = (struct vmm_boot_start){
			.mode = VMM_MODE_PROTECTED, .rip = entry, .rbx = VMM_BOOT_INFO};
	return st;
}

const struct vmm_boot_format vmm_boot_pvh = {"pvh", probe, load};
