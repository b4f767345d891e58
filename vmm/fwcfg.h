/* QEMU's firmware configuration device, as far as a kernel needs it to hand over its vmcoreinfo. */
#ifndef VMM_FWCFG_H
#define VMM_FWCFG_H

#include <stdbool.h>
#include <stdint.h>

struct vmm_memory;

enum {
	VMM_FWCFG_SELECTOR = 0x510, /* 16 bits; the data byte at 0x511 */
	VMM_FWCFG_DMA = 0x514,      /* 64 bits, big-endian, as two dwords */
	VMM_FWCFG_VMCOREINFO_BYTES = 16,
};

/* All that it remembers, as a snapshot holds it. */
struct vmm_fwcfg {
	uint16_t key; /* that was selected */
	uint16_t pad; /* 0 */
	uint32_t at;  /* byte of that item that comes next; no more than its size */
	uint32_t dma_high;
	uint32_t pad1;                                  /* 0 */
	uint8_t vmcoreinfo[VMM_FWCFG_VMCOREINFO_BYTES]; /* the item "etc/vmcoreinfo" */
};

void vmm_fwcfg_reset(struct vmm_fwcfg *f);

void vmm_fwcfg_select(struct vmm_fwcfg *f, uint16_t key);
uint8_t vmm_fwcfg_read(struct vmm_fwcfg *f);

/* A dword to VMM_FWCFG_DMA (high false: + 4), in the order of the bytes on the bus: the low one
   starts the transfer, from or to that memory. */
void vmm_fwcfg_dma(struct vmm_fwcfg *f, bool high, uint32_t bus, const struct vmm_memory *mem);

/* Where the guest says that its ELF note VMCOREINFO lies; false: it did not say, or nonsense. */
bool vmm_fwcfg_vmcoreinfo(const struct vmm_fwcfg *f, uint64_t *ret_gpa, uint32_t *ret_bytes);

/* Could a guest have made it so?  For a foreign one. */
bool vmm_fwcfg_valid(const struct vmm_fwcfg *f);

#endif
