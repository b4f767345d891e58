/* The few devices of the machine: serial port, POST port, nothing else. */
#ifndef VMM_DEVICES_H
#define VMM_DEVICES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define VMM_PORT_SERIAL 0x3f8
#define VMM_PORT_POST 0x80
#define VMM_PORT_RESULT 0x600 /* 32 bits: what a vCPU worked out */
#define VMM_PORT_PANIC 0x505  /* pvpanic: bit 0 of what is written */
#define VMM_PORT_I8042 0x64   /* keyboard controller: commands */
#define VMM_I8042_RESET 0xfe  /* pulses the CPUs' reset line */
#define VMM_PORT_EXIT 0xf4    /* isa-debug-exit: the code */

struct vmm_devices {
	FILE *serial; /* borrowed; NULL: what the guest sends is lost */
};

/* An access to I/O ports.  data: count items of size bytes.  Returns the POST code seen, or -1. */
int vmm_devices_io(struct vmm_devices *d, bool out, uint16_t port, unsigned size, uint32_t count,
		   uint8_t *data);

/* An access outside memory: reads give all ones. */
void vmm_devices_mmio(bool is_write, uint8_t *data, uint32_t len);

#endif
