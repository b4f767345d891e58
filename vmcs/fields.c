/* The one list of VMCS fields, as a table. */
#include "vmcs/fields.h"

#include "base/span.h"

#define FIELD(encoding, bytes, off, name) {encoding, off, bytes, #name},
const struct vmcs_field_info vmcs_field_info[VMCS_NR_FIELDS] = {
#include "vmcs/fields.def"
};
#undef FIELD

uint64_t vmcs12_get(const uint8_t *vmcs12, enum vmcs_field f)
{
	uint64_t v = 0;

	(void)span_at(vmcs12, VMCS12_BYTES, vmcs_field_info[f].off, vmcs_field_info[f].bytes, &v);
	return v;
}
