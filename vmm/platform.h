/* What of a PC's chipset ends or resets a machine: keyboard controller, ports 0x92 and 0xcf9, ACPI
 * PM. */
#ifndef VMM_PLATFORM_H
#define VMM_PLATFORM_H

#include <stdbool.h>
#include <stdint.h>

enum {
	VMM_PM1_STATUS = 0xb000, /* status, then enable, 16 bits each */
	VMM_PM1_CONTROL = 0xb004,
	VMM_SLP_TYP_S5 = 5, /* as \_S5 in the DSDT has it */
};

/* All that it remembers, as a snapshot holds it. */
struct vmm_platform {
	uint8_t kbd_command; /* the controller's command byte */
	uint8_t kbd_reply;   /* waits to be read, if .kbd_full */
	uint8_t kbd_full;    /* 1: output buffer full */
	uint8_t kbd_expects; /* the command whose argument is the next data byte; 0: none */
	uint8_t port92, cf9;
	uint16_t pm1_enable, pm1_control;
	uint8_t pad[6]; /* 0 */
};

/* What a write made of the machine. */
enum vmm_platform_end {
	VMM_PLATFORM_ON,
	VMM_PLATFORM_RESET_I8042,
	VMM_PLATFORM_RESET_92,
	VMM_PLATFORM_RESET_CF9,
	VMM_PLATFORM_OFF, /* S5 */
};

void vmm_platform_reset(struct vmm_platform *p);

/* A byte of one of its ports: 0x60, 0x64, 0x92, 0xcf9, VMM_PM1_STATUS to VMM_PM1_CONTROL + 1. */
uint8_t vmm_platform_read(struct vmm_platform *p, uint16_t port);
enum vmm_platform_end vmm_platform_write(struct vmm_platform *p, uint16_t port, uint8_t value);

/* Could a guest have made it so?  For a foreign one. */
bool vmm_platform_valid(const struct vmm_platform *p);

#endif
