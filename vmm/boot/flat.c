/* Knows flat binaries: bytes at an address, entered at the first of them. */
#include "vmm/boot/boot.h"

enum { REAL_AT = 0x7c00 };

static bool probe(const struct vmm_image *k)
{
	return k->n;
}

static enum inq_status load(struct vmm_boot_load *l, struct vmm_boot_start *ret,
			    struct inq_err *err)
{
	const struct vmm_boot *h = l->how;
	uint64_t at = h->load_at_given ? h->load_at
		      : h->entry64     ? VMM_MIB
				       : REAL_AT,
		 n = l->kernel.n;

	if (l->initrd.at)
		return inq_fail(err, INQ_EUSAGE, "%s: a flat binary takes no initrd; leave it out",
				l->initrd.path);
	if (!h->entry64 && at >= VMM_MIB)
		return inq_fail(err, INQ_EUSAGE,
				"%s: real mode does not reach 0x%llx; give --load-at below 1 MiB, "
				"or --entry 64",
				l->kernel.path, (unsigned long long)at);
	if (h->entry64 && at < VMM_BOOT_TABLES + 6 * VMM_PAGE && at + n > VMM_BOOT_GDT)
		return inq_fail(err, INQ_EUSAGE,
				"%s: 0x%llx is where the first page tables lie; give --load-at "
				"0x10000 or more",
				l->kernel.path, (unsigned long long)at);
	*ret = (struct vmm_boot_start){.mode = h->entry64 ? VMM_MODE_LONG : VMM_MODE_REAL,
				       .rip = at};
	return vmm_boot_put(l, at, l->kernel.at, n, "the binary", err);
}

const struct vmm_boot_format vmm_boot_flat = {"flat", probe, load};
