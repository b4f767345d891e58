/* Knows how an uncompressed vmlinux is entered in 64-bit mode: its ELF entry, with a zero page. */
#include <inttypes.h>

#include "vmm/boot/boot.h"

enum { CMDLINE = 2047 };

static bool probe(const struct vmm_image *k)
{
	return vmm_elf_is(k) && k->at[4] == 2;
}

static enum inq_status load(struct vmm_boot_load *l, struct vmm_boot_start *ret,
			    struct inq_err *err)
{
	struct vmm_elf e;
	uint64_t initrd = 0;
	enum inq_status st = vmm_elf_load(l, &e, err);

	if (!st && (e.entry < VMM_MIB || e.entry >= e.end))
		st = inq_fail(err, INQ_EUSAGE,
			      "%s: its entry 0x%" PRIx64 " is not in memory; give a vmlinux",
			      l->kernel.path, e.entry);
	if (!st)
		st = vmm_boot_put_text(l, CMDLINE, err);
	if (!st)
		st = vmm_boot_put_initrd(l, e.end, INT32_MAX, &initrd, err);
	if (!st)
		st = vmm_boot_put_zero_page(l, NULL, 0, initrd, err);
	if (!st)
		*ret = (struct vmm_boot_start){
			.mode = VMM_MODE_LONG, .rip = e.entry, .rsi = VMM_BOOT_ZERO_PAGE};
	return st;
}

const struct vmm_boot_format vmm_boot_vmlinux = {"linux64", probe, load};
