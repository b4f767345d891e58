/*
 * Knows fw_cfg (QEMU's docs/specs/fw_cfg.rst) and the item etc/vmcoreinfo
 * (docs/specs/vmcoreinfo.rst). A write through DMA changes that item alone; there is nothing else
 * that a guest may write.
 */
#include "vmm/fwcfg.h"

#include <string.h>

#include "vmm/memory.h"

enum { KEY_SIGNATURE = 0, KEY_ID = 1, KEY_DIR = 0x19, KEY_VMCOREINFO = 0x20, KEY_NONE = 0xffff };
enum { DMA_ERROR = 1, DMA_READ = 2, DMA_SKIP = 4, DMA_SELECT = 8, DMA_WRITE = 16, DMA_BYTES = 16 };
enum { FORMAT_ELF = 1, HOST_BYTES = 2, MAX_NOTE = 1 << 20, MAX_TRANSFER = 1 << 20 };

/* A directory of one file: u32 count; u32 size, u16 key, u16 0, char[56] name; big-endian. */
static const uint8_t directory[4 + 64] = {
	0,   0,
	0,   1,
	0,   0,
	0,   VMM_FWCFG_VMCOREINFO_BYTES,
	0,   KEY_VMCOREINFO,
	0,   0,
	'e', 't',
	'c', '/',
	'v', 'm',
	'c', 'o',
	'r', 'e',
	'i', 'n',
	'f', 'o',
};
static const uint8_t signature[] = {'Q', 'E', 'M', 'U'}, id[] = {3, 0, 0, 0}; /* ports and DMA */

void vmm_fwcfg_reset(struct vmm_fwcfg *f)
{
	*f = (struct vmm_fwcfg){.key = KEY_NONE};
	f->vmcoreinfo[0] = FORMAT_ELF; /* what the host takes */
}

/* The item that is selected; none: no bytes. */
static const uint8_t *item(const struct vmm_fwcfg *f, uint32_t *ret_n)
{
	switch (f->key) {
	case KEY_SIGNATURE:
		*ret_n = sizeof(signature);
		return signature;
	case KEY_ID:
		*ret_n = sizeof(id);
		return id;
	case KEY_DIR:
		*ret_n = sizeof(directory);
		return directory;
	case KEY_VMCOREINFO:
		*ret_n = sizeof(f->vmcoreinfo);
		return f->vmcoreinfo;
	default:
		*ret_n = 0;
		return signature;
	}
}

void vmm_fwcfg_select(struct vmm_fwcfg *f, uint16_t key)
{
	f->key = key;
	f->at = 0;
}

uint8_t vmm_fwcfg_read(struct vmm_fwcfg *f)
{
	uint32_t n;
	const uint8_t *p = item(f, &n);

	return f->at < n ? p[f->at++] : 0;
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void skip(struct vmm_fwcfg *f, uint32_t n)
{
	uint32_t size;

	(void)item(f, &size);
	f->at = n < size - f->at ? f->at + n : size;
}

/* Behind an item's end there are zeros. */
static bool transfer_out(struct vmm_fwcfg *f, uint64_t gpa, uint32_t n,
			 const struct vmm_memory *mem)
{
	uint8_t *to = vmm_memory_at(mem, 0, gpa, n);
	uint32_t size;
	const uint8_t *p = item(f, &size);
	uint32_t have = size - f->at < n ? size - f->at : n;

	if (!to)
		return false;
	memcpy(to, p + f->at, have);
	memset(to + have, 0, n - have);
	vmm_memory_device_wrote(mem, to, n);
	f->at += have;
	return true;
}

/*
 * "Only full write (of 16 bytes) are considered valid" (docs/specs/vmcoreinfo.rst); others change
 * nothing.  The formats that the host takes, in front, stay the host's: the next kernel asks, too.
 */
static bool transfer_in(struct vmm_fwcfg *f, uint64_t gpa, uint32_t n, const struct vmm_memory *mem)
{
	const uint8_t *from = vmm_memory_at(mem, 0, gpa, n);

	if (!from || f->key != KEY_VMCOREINFO || f->at || n != sizeof(f->vmcoreinfo))
		return false;
	memcpy(f->vmcoreinfo + HOST_BYTES, from + HOST_BYTES, n - HOST_BYTES);
	f->at = n;
	return true;
}

static bool transfer(struct vmm_fwcfg *f, uint32_t control, uint64_t gpa, uint32_t n,
		     const struct vmm_memory *mem)
{
	if (control & DMA_SELECT)
		vmm_fwcfg_select(f, (uint16_t)(control >> 16));
	if (!n)
		return true;
	if (control & (DMA_READ | DMA_WRITE) && n > MAX_TRANSFER)
		return false; /* nothing here is so long, and all vCPUs' devices wait meanwhile */
	if (control & DMA_READ)
		return transfer_out(f, gpa, n, mem);
	if (control & DMA_WRITE)
		return transfer_in(f, gpa, n, mem);
	if (control & DMA_SKIP)
		skip(f, n);
	return true;
}

/* The order lies in memory: u32 control, u32 length, u64 address, big-endian.  It is answered in
   its control: 0, or DMA_ERROR. */
void vmm_fwcfg_dma(struct vmm_fwcfg *f, bool high, uint32_t bus, const struct vmm_memory *mem)
{
	uint32_t v = __builtin_bswap32(bus);

	if (high) {
		f->dma_high = v;
		return;
	}
	uint64_t at = (uint64_t)f->dma_high << 32 | v;
	f->dma_high = 0;
	uint8_t *p = mem ? vmm_memory_at(mem, 0, at, DMA_BYTES) : NULL;
	if (!p)
		return;
	bool ok =
		transfer(f, be32(p), (uint64_t)be32(p + 8) << 32 | be32(p + 12), be32(p + 4), mem);
	const uint8_t answer[4] = {0, 0, 0, ok ? 0 : DMA_ERROR};
	memcpy(p, answer, sizeof(answer));
	vmm_memory_device_wrote(mem, p, sizeof(answer));
}

bool vmm_fwcfg_vmcoreinfo(const struct vmm_fwcfg *f, uint64_t *ret_gpa, uint32_t *ret_bytes)
{
	struct {
		uint16_t host_format, guest_format; /* all little-endian */
		uint32_t size;
		uint64_t gpa;
	} v;

	_Static_assert(sizeof(v) == VMM_FWCFG_VMCOREINFO_BYTES, "as the guest writes it");
	memcpy(&v, f->vmcoreinfo, sizeof(v));
	*ret_gpa = v.gpa;
	*ret_bytes = v.size;
	return v.guest_format == FORMAT_ELF && v.size && v.size <= MAX_NOTE && v.gpa;
}

bool vmm_fwcfg_valid(const struct vmm_fwcfg *f)
{
	uint32_t n;

	(void)item(f, &n);
	return f->at <= n && !f->pad && !f->pad1;
}
