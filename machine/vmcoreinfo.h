/* VMCOREINFO: what a Linux kernel tells dump tools about itself, as text.  For machine/ only. */
#ifndef MACHINE_VMCOREINFO_H
#define MACHINE_VMCOREINFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <inquest/machine.h>

enum {
	VMCOREINFO_PAGE = 4096, /* where it lies in memory it has a page of its own */
	VMCOREINFO_RELEASE = 65,
	VMCOREINFO_BUILD_ID = 41,
};
#define VMCOREINFO_START "OSRELEASE="

struct vmcoreinfo {
	char release[VMCOREINFO_RELEASE];   /* "6.1.0-56-amd64"; "": unknown */
	char build_id[VMCOREINFO_BUILD_ID]; /* hex digits; "": unknown */
	bool has_stext, has_root, has_kaslr, has_phys_base, has_l5;
	uint64_t stext;     /* SYMBOL(_stext), where it runs */
	uint64_t root;      /* SYMBOL(swapper_pg_dir), a virtual address of the kernel's image */
	uint64_t kaslr;     /* KERNELOFFSET */
	uint64_t phys_base; /* NUMBER(phys_base), two's complement */
	bool l5;            /* NUMBER(pgtable_l5_enabled) */
	struct inq_kallsyms_place kallsyms; /* SYMBOL(kallsyms_...) */
};

/*
 * Any bytes: the text ends at a NUL or with them.  False when it does not begin as such a text
 * does.  A value that cannot be read is unknown.
 */
bool vmcoreinfo_parse(const uint8_t *p, size_t n, struct vmcoreinfo *ret);

#endif
