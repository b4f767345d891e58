/* VMCB fields by name.  Adding one: a line in vmcb.def. */
#ifndef VMCS_VMCB_H
#define VMCS_VMCB_H

#include <stddef.h>
#include <stdint.h>

#include "vmcs/say.h"

enum vmcb_field {
#define FIELD(group, off, bytes, id, name, section, say) VMCB_##id,
#include "vmcs/vmcb.def"
#undef FIELD
	VMCB_NR_FIELDS
};

enum vmcb_group { VMCB_INTERCEPT, VMCB_CONTROL, VMCB_EXIT, VMCB_SAVE };

struct vmcb_field_info {
	enum vmcb_group group;
	uint16_t off; /* bytes from the start of a VMCB */
	uint8_t bytes;
	const char *name;    /* "intercept_cr", "cs.base" */
	const char *section; /* of the APM, vol. 2 */
	enum vmcs_say say;
};
/* Indexed by enum vmcb_field. */
extern const struct vmcb_field_info vmcb_field_info[VMCB_NR_FIELDS];

const char *vmcb_group_name(enum vmcb_group group); /* static */

enum { VMCB_BYTES = 4096, VMCB_SAVE_OFF = 0x400 };

/* The field of a VMCB of VMCB_BYTES bytes; of one that is wider than 8 bytes, the first 8. */
uint64_t vmcb_get(const uint8_t *vmcb, enum vmcb_field f);

/* What the value of a field says in words: see vmcs_say_value(). */
void vmcb_say(const uint8_t *vmcb, enum vmcb_field f, char *buf, size_t n);

#endif
