/*
 * SMM save areas: which map a CPU uses and where each field lies.  Names are those of regs.def
 * where the field is a register (also EAX is "rax"); *.attr is in the form that regs.def gives.
 */
#ifndef ARCH_X86_64_SMM_H
#define ARCH_X86_64_SMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { X86_64_SMM_AREA = 0x400, X86_64_SMM_AREA_OFF = 0xfc00 }; /* bytes, from SMBASE */

struct x86_64_smm_field {
	const char *name;  /* "rip", "dr7", "cs.base": as in regs.def where it is a register */
	uint16_t off;      /* from SMBASE: 0xfc00 .. 0xffff */
	uint8_t bytes;     /* 1, 2, 4, 8 */
	uint16_t off_high; /* not 0: Intel64 splits some fields; high dword there, from SMBASE */
};
struct x86_64_smm_map {
	const char *name; /* "amd64", "p6", "intel64" */
	const struct x86_64_smm_field *field;
	size_t nr_fields;
};

/*
 * The map that the revision id at SMBASE+0xfefc names; NULL when it names none (0: nothing was
 * ever saved there).  area is the last 0x400 bytes of the 64 KiB window at SMBASE.
 */
const struct x86_64_smm_map *x86_64_smm_map_of(const uint8_t area[X86_64_SMM_AREA],
					       uint32_t *ret_revision);

/* Value of a field; little-endian, zero-extended. */
uint64_t x86_64_smm_value(const struct x86_64_smm_field *f, const uint8_t area[X86_64_SMM_AREA]);

/*
 * Did the SMI hit the guest of a hypervisor under SVM?  Its VMCB's physical address.  False for a
 * map that does not tell.  APM vol. 2, 15.22.2; what "vmcb" says is KVM's.
 */
bool x86_64_smm_hit_guest(const struct x86_64_smm_map *map, const uint8_t area[X86_64_SMM_AREA],
			  uint64_t *ret_vmcb);

#endif
