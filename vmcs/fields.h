/* VMCS fields by name, out of the bytes of KVM's vmcs12.  Adding one: a line in fields.def. */
#ifndef VMCS_FIELDS_H
#define VMCS_FIELDS_H

#include <stddef.h>
#include <stdint.h>

#include "vmcs/say.h"

enum vmcs_field {
#define FIELD(group, encoding, bytes, off, name, section, say) VMCS_##name,
#include "vmcs/fields.def"
#undef FIELD
	VMCS_NR_FIELDS
};

enum vmcs_group { VMCS_HEAD, VMCS_EXEC, VMCS_ENTRY, VMCS_EXIT, VMCS_INFO, VMCS_GUEST, VMCS_HOST };

enum { VMCS_NO_ENCODING = 0xffff }; /* of what precedes the fields in memory */

struct vmcs_field_info {
	enum vmcs_group group;
	uint16_t encoding, off; /* SDM's; bytes from the start of a vmcs12 */
	uint8_t bytes;
	const char *name;
	const char *section; /* of the SDM, vol. 3 */
	enum vmcs_say say;
};
/* Indexed by enum vmcs_field. */
extern const struct vmcs_field_info vmcs_field_info[VMCS_NR_FIELDS];

/* "control", "guest", ...: static. */
const char *vmcs_group_name(enum vmcs_group group);

/* May a hypervisor write it on every processor?  "read-only", or "read/write". */
const char *vmcs_field_access(const struct vmcs_field_info *f);

enum { VMCS12_BYTES = 4096, VMCS12_REVISION = 0x11e57ed0 };

/* The field of a vmcs12 of VMCS12_BYTES bytes. */
uint64_t vmcs12_get(const uint8_t *vmcs12, enum vmcs_field f);

/*
 * Does it tell the field's value?  A 0 in those that were padding before Linux 6.18 may be that of
 * a kernel that did not know them.
 */
bool vmcs12_tells(const uint8_t *vmcs12, enum vmcs_field f);

/* What the value of a field says in words: see vmcs_say_value(). */
void vmcs12_say(const uint8_t *vmcs12, enum vmcs_field f, char *buf, size_t n);

#endif
