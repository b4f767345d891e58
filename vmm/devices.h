/* The devices that the VMM plays itself, and which ports they answer on.  No KVM. */
#ifndef VMM_DEVICES_H
#define VMM_DEVICES_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/fwcfg.h"
#include "vmm/platform.h"
#include "vmm/rtc.h"
#include "vmm/serial16550.h"
#include "vmm/virtio.h"

#define VMM_PORT_SERIAL 0x3f8
#define VMM_PORT_POST 0x80
#define VMM_PORT_RESULT 0x600 /* 32 bits: what a vCPU worked out */
#define VMM_PORT_PANIC 0x505  /* pvpanic: bit 0 of what is written */
#define VMM_PORT_EXIT 0xf4    /* isa-debug-exit: the code */
enum { VMM_GSI_SERIAL = 4, VMM_GSI_VIRTIO = 5 };

/* Used under the VM's lock, from any thread. */
struct vmm_devices {
	void *listener; /* of .send, which may be NULL: what the guest sends is lost */
	void (*send)(void *listener, uint8_t byte);
	void *arg;
	void (*irq)(void *arg, unsigned gsi, bool level); /* NULL: no interrupts */
	const struct vmm_memory *mem; /* borrowed; what devices read and write; NULL: nothing */
	struct vmm_serial serial;
	struct vmm_platform platform;
	struct vmm_rtc rtc;
	struct vmm_fwcfg fwcfg;
	struct vmm_virtio virtio;
};

/* What an access told the VMM about the guest. */
struct vmm_heard {
	bool post, result;
	uint64_t posts[4]; /* POST codes, a bit each, if .post; .last_post: the last of them */
	int last_post;
	uint32_t value;  /* if .result */
	int exit_code;   /* -1: none */
	const char *end; /* how the guest ended, static text; NULL: it did not */
	bool panic;      /* and that was a panic */
};

/* As after a reset. */
void vmm_devices_init(struct vmm_devices *d);

/* An access to I/O ports.  data: count items of size bytes, in memory order. */
struct vmm_heard vmm_devices_io(struct vmm_devices *d, bool out, uint16_t port, unsigned size,
				uint32_t count, uint8_t *data);

/* An access outside memory, of up to 8 bytes; where nobody is, reads give all ones. */
void vmm_devices_mmio(struct vmm_devices *d, bool is_write, uint64_t gpa, uint8_t *data,
		      uint32_t len);

#endif
