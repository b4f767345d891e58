/* Knows Linux's zero page (Documentation/arch/x86/zero-page.rst; offsets of struct boot_params). */
#include <string.h>

#include "vmm/boot/boot.h"

enum {
	ACPI_RSDP = 0x070,
	E820_ENTRIES = 0x1e8,
	HEADER = 0x1f1,
	HEADER_END = 0x290, /* edd_mbr_sig_buffer; a header may be longer one day */
	BOOT_FLAG = 0x1fe,
	MAGIC = 0x202,
	TYPE_OF_LOADER = 0x210,
	RAMDISK_IMAGE = 0x218,
	RAMDISK_SIZE = 0x21c,
	CMD_LINE_PTR = 0x228,
	E820_TABLE = 0x2d0,
	E820_ENTRY = 20,
	UNDEFINED_LOADER = 0xff,
};

static void set32(uint8_t *page, unsigned at, uint32_t v)
{
	memcpy(page + at, &v, 4);
}

static void set_map(const struct vmm_boot_load *l, uint8_t *page)
{
	page[E820_ENTRIES] = (uint8_t)l->nr_ranges;
	for (unsigned i = 0; i < l->nr_ranges; i++) {
		uint8_t *e = page + E820_TABLE + (size_t)i * E820_ENTRY;

		memcpy(e, &l->range[i].gpa, 8);
		memcpy(e + 8, &l->range[i].bytes, 8);
		memcpy(e + 16, &l->range[i].type, 4);
	}
}

enum inq_status vmm_boot_put_zero_page(const struct vmm_boot_load *l, const uint8_t *header,
				       size_t n, uint64_t initrd, struct inq_err *err)
{
	uint8_t page[VMM_PAGE] = {0};

	if (header)
		memcpy(page + HEADER, header, n < HEADER_END - HEADER ? n : HEADER_END - HEADER);
	page[BOOT_FLAG] = 0x55;
	page[BOOT_FLAG + 1] = 0xaa;
	memcpy(page + MAGIC, "HdrS", 4);
	page[TYPE_OF_LOADER] = UNDEFINED_LOADER;
	set32(page, RAMDISK_IMAGE, (uint32_t)initrd);
	set32(page, RAMDISK_SIZE, l->initrd.at ? (uint32_t)l->initrd.n : 0);
	set32(page, CMD_LINE_PTR, VMM_BOOT_TEXT);
	memcpy(page + ACPI_RSDP, &l->rsdp, 8);
	set_map(l, page);
	return vmm_boot_put(l, VMM_BOOT_ZERO_PAGE, page, sizeof(page), "the zero page", err);
}
