/* VMCS fields by name, out of the bytes of KVM's vmcs12.  Adding one: a line in fields.def. */
#ifndef VMCS_FIELDS_H
#define VMCS_FIELDS_H

#include <stddef.h>
#include <stdint.h>

enum vmcs_field {
#define FIELD(encoding, bytes, off, name) VMCS_##name,
#include "vmcs/fields.def"
#undef FIELD
	VMCS_NR_FIELDS
};

struct vmcs_field_info {
	uint16_t encoding, off; /* SDM's; bytes from the start of a vmcs12 */
	uint8_t bytes;
	const char *name;
};
/* Indexed by enum vmcs_field. */
extern const struct vmcs_field_info vmcs_field_info[VMCS_NR_FIELDS];

enum { VMCS12_BYTES = 4096, VMCS12_REVISION = 0x11e57ed0 };

/* The field of a vmcs12 of VMCS12_BYTES bytes. */
uint64_t vmcs12_get(const uint8_t *vmcs12, enum vmcs_field f);

#endif
