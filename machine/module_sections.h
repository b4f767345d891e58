/* Where the sections of a module's file lie in the kernel's memory, and of which build they are. */
#ifndef MACHINE_MODULE_SECTIONS_H
#define MACHINE_MODULE_SECTIONS_H

#include <inquest/names.h>

#include "symbols/build_id.h"

enum { MACHINE_SECTIONS_MOST = 512, MACHINE_SECTION_NAME = 64 };

struct machine_sections {
	char build_id[SYMBOLS_BUILD_ID]; /* hexadecimal digits; "": unknown */
	struct machine_section {
		uint64_t addr; /* of its first byte; how long it is only the file tells */
		char name[MACHINE_SECTION_NAME];
	} at[MACHINE_SECTIONS_MOST];
	size_t nr;
};

/*
 * What the kernel keeps for /sys/module/NAME/sections.  A section that cannot be read is left out.
 * Errors: INQ_EABSENT (the kernel keeps no such list, or the dump lacks it), INQ_ENOTFOUND (its
 * types do not tell), INQ_EFAULT, INQ_ECORRUPT.
 */
INQ_MUST enum inq_status machine_module_sections(const struct inq_machine *m,
						 const struct inq_module *mod,
						 struct machine_sections *ret, struct inq_err *err);

#endif
