/* Linux's own description of itself, VMCOREINFO: what crash, drgn and libkdumpfile want. */
#ifndef VMM_VMCOREINFO_H
#define VMM_VMCOREINFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/fwcfg.h"
#include "vmm/memory.h"

enum vmm_vmcoreinfo_from {
	VMM_VMCOREINFO_NONE,
	VMM_VMCOREINFO_HANDED, /* the guest said where, through fw_cfg */
	VMM_VMCOREINFO_FOUND,  /* by looking through memory: the only page like that */
	VMM_VMCOREINFO_MANY,   /* several pages like that, so none */
};

struct vmm_vmcoreinfo {
	enum vmm_vmcoreinfo_from from;
	uint64_t gpa;     /* of the text, if HANDED or FOUND */
	const char *text; /* in guest memory; lines, no NUL */
	size_t bytes;     /* 0 unless HANDED or FOUND; at most a page */
	unsigned nr;      /* pages that look like it, if looked for */
};

/*
 * The guest stands still.  What it handed over counts only when it is such a text.  f NULL: what it
 * handed over is left out, and it may run meanwhile; then vmm_vmcoreinfo_settle() must follow.
 */
void vmm_vmcoreinfo_find(const struct vmm_memory *m, const struct vmm_fwcfg *f,
			 struct vmm_vmcoreinfo *ret);

/*
 * Now it stands still.  *v: as found while it ran; dirty: a bit per page of m->ram, set for those
 * that were written since.  Memory is looked through anew only when they may have changed *v.
 */
void vmm_vmcoreinfo_settle(const struct vmm_memory *m, const struct vmm_fwcfg *f,
			   const uint8_t *dirty, struct vmm_vmcoreinfo *v);

/* The number behind "key=" at a line's start, in that base, perhaps with a sign (then modulo 2^64).
 */
bool vmm_vmcoreinfo_number(const char *text, size_t n, const char *key, int base, uint64_t *ret);

/*
 * The kernel's struct new_utsname in guest memory, 6 texts of 65 bytes; NULL: the text (n bytes;
 * NULL is fine) does not lead to one, or there is no Linux in it.
 */
const uint8_t *vmm_vmcoreinfo_uts(const struct vmm_memory *m, const char *text, size_t n);

/* How many of at most n bytes are a text of that kind; 0: none. */
size_t vmm_vmcoreinfo_text(const uint8_t *p, size_t n);

#endif
