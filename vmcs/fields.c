/* The one list of VMCS fields, as a table. */
#include "vmcs/fields.h"

#include "base/span.h"

#define FIELD(group, encoding, bytes, off, name, section, say)                                     \
	{VMCS_##group, encoding, off, bytes, #name, section, VMCS_SAY_##say},
const struct vmcs_field_info vmcs_field_info[VMCS_NR_FIELDS] = {
#include "vmcs/fields.def"
};
#undef FIELD

const char *vmcs_group_name(enum vmcs_group group)
{
	static const char *const names[] = {
		[VMCS_HEAD] = "head", [VMCS_EXEC] = "control", [VMCS_ENTRY] = "entry",
		[VMCS_EXIT] = "exit", [VMCS_INFO] = "info",    [VMCS_GUEST] = "guest",
		[VMCS_HOST] = "host",
	};

	return names[group];
}

const char *vmcs_field_access(const struct vmcs_field_info *f)
{
	return f->group == VMCS_INFO ? "read-only" : "read/write";
}

uint64_t vmcs12_get(const uint8_t *vmcs12, enum vmcs_field f)
{
	uint64_t v = 0;

	(void)span_at(vmcs12, VMCS12_BYTES, vmcs_field_info[f].off, vmcs_field_info[f].bytes, &v);
	return v;
}

bool vmcs12_tells(const uint8_t *vmcs12, enum vmcs_field f)
{
	/* Linux arch/x86/kvm/vmx/vmcs12.h: paddingl[8], from which six were taken */
	const bool new = vmcs_field_info[f].off >= 680 && vmcs_field_info[f].off < 744;

	return !new || vmcs12_get(vmcs12, f);
}

void vmcs12_say(const uint8_t *vmcs12, enum vmcs_field f, char *buf, size_t n)
{
	const struct vmcs_beside beside = {true, vmcs12_get(vmcs12, VMCS_VM_EXIT_REASON),
					   vmcs12_get(vmcs12, VMCS_VM_EXIT_INTR_INFO)};

	vmcs_say_value(vmcs_field_info[f].say, vmcs12_get(vmcs12, f), &beside, buf, n);
}
