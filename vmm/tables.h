/* What a PC's firmware would leave in memory: ACPI tables and an MP table.  No KVM. */
#ifndef VMM_TABLES_H
#define VMM_TABLES_H

#include <inquest/err.h>

#include "snap/notes.h"
#include "vmm/memory.h"

/* Where they lie; the guest must be told that this is no RAM of its own. */
enum { VMM_TABLES_GPA = 0x9c000, VMM_TABLES_DSDT = 0x9c800, VMM_TABLES_END = 0xa0000 };

/*
 * RSDP, XSDT, FADT, DSDT, MADT, and an MP table whose pointer lies in the last KiB of base memory.
 * *ret_rsdp: gpa of the ACPI root.  INQ_EUSAGE when memory has no such place.
 */
INQ_MUST enum inq_status vmm_tables_install(const struct vmm_memory *mem, unsigned nr_vcpus,
					    uint64_t *ret_rsdp, struct inq_err *err);

/* Set the byte `at` so that the n bytes add up to 0, as all these tables do. */
void vmm_tables_seal(uint8_t *p, size_t n, size_t at);

/* The whole block as it lies there now, as the payload of a note TABLES. */
void vmm_tables_copy(const struct vmm_memory *mem, struct snap_notes *to);

#endif
