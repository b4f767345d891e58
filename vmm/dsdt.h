/* The ACPI table DSDT, compiled from dsdt.asl. */
#ifndef VMM_DSDT_H
#define VMM_DSDT_H

#include <stddef.h>
#include <stdint.h>

extern const uint8_t vmm_dsdt[];
extern const size_t vmm_dsdt_bytes;

#endif
