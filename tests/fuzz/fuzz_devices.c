/*
 * Any bytes as accesses to ports, and any bytes as the states that a snapshot holds: whatever a
 * guest does leaves states that a resume takes, and what a resume took a guest may go on with.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "vmm/devices.h"
#include "vmm/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_states(const struct vmm_devices *d)
{
	struct vmm_serial u = {0};
	struct vmm_virtio v = {0};

	if (!vmm_virtio_load(&v, &d->virtio.s) || !vmm_serial_load(&u, &d->serial.s) ||
	    !vmm_platform_valid(&d->platform) || !vmm_rtc_valid(&d->rtc) ||
	    !vmm_fwcfg_valid(&d->fwcfg))
		abort();
}

/* 0: a fresh machine; 1: one with foreign states, as far as they are taken. */
static size_t begin(struct vmm_devices *d, const struct vmm_memory *mem, const uint8_t *data,
		    size_t n)
{
	const size_t all = sizeof(d->serial.s) + sizeof(d->platform) + sizeof(d->rtc);
	struct vmm_serial_state s;
	struct vmm_platform p;
	struct vmm_rtc r;

	vmm_devices_init(d);
	d->mem = mem;
	if (!n || !(data[0] & 1) || n < 1 + all)
		return n ? 1 : 0;
	memcpy(&s, data + 1, sizeof(s));
	memcpy(&p, data + 1 + sizeof(s), sizeof(p));
	memcpy(&r, data + 1 + sizeof(s) + sizeof(p), sizeof(r));
	(void)vmm_serial_load(&d->serial, &s);
	if (vmm_platform_valid(&p))
		d->platform = p;
	if (vmm_rtc_valid(&r))
		d->rtc = r;
	return 1 + all;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const uint16_t base[] = {0x3f8, 0x60, 0x70, 0x92, 0xcf9, 0xb000, 0x510, 0x518};
	static struct vmm_memory *mem;
	static struct vmm_block disk = {.sectors = 64};
	struct vmm_devices d;
	struct inq_err err;

	if (!disk.fd)
		disk.fd = memfd_create("disk", 0);
	if (!mem && vmm_memory_create(&mem, 16, NULL, 0, false, &err))
		abort();
	/* the input also lies in memory, as what a driver asks for */
	memset(vmm_memory_at(mem, 0, 0, 4096), 0, 4096);
	memcpy(vmm_memory_at(mem, 0, 0, 4096), data, n < 4096 ? n : 4096);

	size_t at = begin(&d, mem, data, n);
	if (vmm_virtio_attach(&d.virtio, &disk, true, &err))
		abort();
	/* an access: where, how, and a dword */
	for (; n - at >= 6; at += 6) {
		uint8_t where = data[at], how = data[at + 1], dword[4];
		unsigned size = 1u << (how >> 1 & 3);
		uint16_t port = (uint16_t)(base[where >> 3 & 7] + (where & 7));

		memcpy(dword, data + at + 2, 4);
		if (how & 0x40) { /* a register of virtio */
			vmm_devices_mmio(&d, how & 1, VMM_VIRTIO_GPA + UINT64_C(4) * where, dword,
					 4);
			check_states(&d);
			continue;
		}
		(void)vmm_devices_io(&d, how & 1, port, size, size == 1 ? 4 : 1, dword);
		if (how & 0x80 && vmm_serial_room(&d.serial))
			vmm_serial_receive(&d.serial, dword[0]);
		check_states(&d);
	}
	return 0;
}
