/* The one list of VMCB fields, as a table. */
#include "vmcs/vmcb.h"

#include <stdio.h>

#include "base/span.h"

#define FIELD(group, off, bytes, id, name, section, say)                                           \
	{VMCB_##group, off, bytes, name, section, VMCS_SAY_##say},
const struct vmcb_field_info vmcb_field_info[VMCB_NR_FIELDS] = {
#include "vmcs/vmcb.def"
};
#undef FIELD

const char *vmcb_group_name(enum vmcb_group group)
{
	static const char *const names[] = {
		[VMCB_INTERCEPT] = "intercept",
		[VMCB_CONTROL] = "control",
		[VMCB_EXIT] = "exit",
		[VMCB_SAVE] = "save",
	};

	return names[group];
}

static size_t width(enum vmcb_field f)
{
	return vmcb_field_info[f].bytes < 8 ? vmcb_field_info[f].bytes : 8;
}

uint64_t vmcb_get(const uint8_t *vmcb, enum vmcb_field f)
{
	uint64_t v = 0;

	(void)span_at(vmcb, VMCB_BYTES, vmcb_field_info[f].off, width(f), &v);
	return v;
}

static void say_bytes(const uint8_t *p, size_t bytes, char *buf, size_t n)
{
	for (size_t i = 0; i < bytes && 2 * i + 2 < n; i++)
		(void)snprintf(buf + 2 * i, 3, "%02x", p[i]);
}

void vmcb_say(const uint8_t *vmcb, enum vmcb_field f, char *buf, size_t n)
{
	const struct vmcb_field_info *info = &vmcb_field_info[f];
	const struct vmcs_beside beside = {true, vmcb_get(vmcb, VMCB_EXIT_CODE), 0};

	vmcs_say_value(info->say, vmcb_get(vmcb, f), &beside, buf, n);
	if (info->say == VMCS_SAY_BYTES)
		say_bytes(vmcb + info->off, info->bytes, buf, n);
}
