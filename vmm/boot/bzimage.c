/* Knows bzImage and its 64-bit entry (Documentation/arch/x86/boot.rst, "64-bit Boot Protocol"). */
#include <inttypes.h>
#include <string.h>

#include "vmm/boot/boot.h"

enum {
	SECTOR = 512,
	SETUP_SECTS = 0x1f1,
	SYSSIZE = 0x1f4, /* of 16 bytes each */
	BOOT_FLAG = 0x1fe,
	JUMP = 0x201, /* the header ends that far behind MAGIC */
	MAGIC = 0x202,
	VERSION = 0x206,
	INITRD_MAX = 0x22c,
	RELOCATABLE = 0x234,
	XLOADFLAGS = 0x236, /* bit 0: has a 64-bit entry */
	CMDLINE_SIZE = 0x238,
	PREF_ADDRESS = 0x258,
	INIT_SIZE = 0x260,
	HEADER_END = 0x268,
	ENTRY64 = 0x200,
	LEAST_VERSION = 0x20c,
};

static bool probe(const struct vmm_image *k)
{
	return k->n >= MAGIC + 4 && !memcmp(k->at + MAGIC, "HdrS", 4) &&
	       vmm_image_u16(k, BOOT_FLAG) == 0xaa55;
}

struct setup {
	uint64_t code_at, code_n; /* in the file */
	uint64_t load, init_size;
	size_t header_n;
};

static enum inq_status read_setup(const struct vmm_image *k, struct setup *s, struct inq_err *err)
{
	if (k->n < HEADER_END)
		return inq_fail(err, INQ_EUSAGE,
				"%s: bzImage cut off within its header, after %zu bytes; give the "
				"whole file",
				k->path, k->n);
	unsigned version = vmm_image_u16(k, VERSION);
	if (version < LEAST_VERSION || !(vmm_image_u16(k, XLOADFLAGS) & 1))
		return inq_fail(err, INQ_EUSAGE,
				"%s: bzImage without a 64-bit entry (boot protocol %u.%u); give a "
				"64-bit kernel",
				k->path, version >> 8, version & 0xff);
	unsigned sectors = k->at[SETUP_SECTS] ? k->at[SETUP_SECTS] : 4;
	s->code_at = UINT64_C(1) * (sectors + 1) * SECTOR;
	s->code_n = UINT64_C(16) * vmm_image_u32(k, SYSSIZE);
	if (s->code_at > k->n || s->code_n > k->n - s->code_at || s->code_n <= ENTRY64)
		return inq_fail(err, INQ_EUSAGE,
				"%s: bzImage cut off: %zu bytes, its header speaks of %" PRIu64
				"; give the whole file",
				k->path, k->n, s->code_at + s->code_n);
	s->header_n = (size_t)(MAGIC + k->at[JUMP] - SETUP_SECTS);
	if (MAGIC + (unsigned)k->at[JUMP] > s->code_at || s->header_n < HEADER_END - SETUP_SECTS)
		return inq_fail(err, INQ_EUSAGE, "%s: bzImage with a header of %zu bytes; damaged",
				k->path, s->header_n);
	return INQ_OK;
}

static enum inq_status place(const struct vmm_boot_load *l, struct setup *s, struct inq_err *err)
{
	const struct vmm_image *k = &l->kernel;

	s->init_size = vmm_image_u32(k, INIT_SIZE);
	if (s->init_size < s->code_n)
		s->init_size = s->code_n;
	s->load = vmm_image_u64(k, PREF_ADDRESS);
	bool fits =
		s->load >= VMM_MIB && s->load <= l->low_end && s->init_size <= l->low_end - s->load;
	if (!fits && k->at[RELOCATABLE]) {
		s->load = 2 * VMM_MIB;
		fits = s->load <= l->low_end && s->init_size <= l->low_end - s->load;
	}
	if (!fits)
		return inq_fail(err, INQ_EUSAGE,
				"%s: needs %" PRIu64 " MiB from 0x%" PRIx64
				" on to unpack itself; give more --memory",
				k->path, (s->init_size + VMM_MIB - 1) / VMM_MIB, s->load);
	return INQ_OK;
}

static enum inq_status load(struct vmm_boot_load *l, struct vmm_boot_start *ret,
			    struct inq_err *err)
{
	const struct vmm_image *k = &l->kernel;
	struct setup s = {0};
	uint64_t initrd = 0;
	enum inq_status st = read_setup(k, &s, err);

	if (!st)
		st = place(l, &s, err);
	if (!st)
		st = vmm_boot_put(l, s.load, k->at + s.code_at, s.code_n, "the kernel", err);
	if (!st)
		st = vmm_boot_put_text(l, vmm_image_u32(k, CMDLINE_SIZE), err);
	if (!st)
		st = vmm_boot_put_initrd(l, s.load + s.init_size,
					 (uint64_t)vmm_image_u32(k, INITRD_MAX) + 1, &initrd, err);
	if (!st)
		st = vmm_boot_put_zero_page(l, k->at + SETUP_SECTS, s.header_n, initrd, err);
	if (!st)
		*ret = (struct vmm_boot_start){
			.mode = VMM_MODE_LONG, .rip = s.load + ENTRY64, .rsi = VMM_BOOT_ZERO_PAGE};
	return st;
}

const struct vmm_boot_format vmm_boot_bzimage = {"linux64", probe, load};
