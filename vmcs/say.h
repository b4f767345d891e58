/* Values of VMCS and VMCB fields in words.  Adding a bit or a number: a line in bits.def,
 * codes.def. */
#ifndef VMCS_SAY_H
#define VMCS_SAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a value is read: as a set of bits, as a number with a name, or in a way of its own. */
enum vmcs_say {
	VMCS_SAY_NOTHING,
#define SET(set, source, others) VMCS_SAY_##set,
#define BIT(set, nr, name, meaning)
#include "vmcs/bits.def"
#undef SET
#undef BIT
#define CODES(set, source) VMCS_SAY_##set,
#define CODE(set, number, meaning)
#include "vmcs/codes.def"
#undef CODES
#undef CODE
	VMCS_SAY_REVISION,
	VMCS_SAY_VECTORS, /* a bit per exception */
	VMCS_SAY_QUALIFICATION,
	VMCS_SAY_EVENT,      /* VM-entry interruption information, IDT-vectoring information */
	VMCS_SAY_EXIT_EVENT, /* VM-exit interruption information, where bit 12 has a meaning */
	VMCS_SAY_SVM_EVENT,  /* EVENTINJ, EXITINTINFO */
	VMCS_SAY_EXITINFO1,
	VMCS_SAY_AR,     /* access rights, SDM vol. 3, 25.4.1 */
	VMCS_SAY_ATTRIB, /* the same with bits 15:12 at 11:8, APM vol. 2, appendix B */
	VMCS_SAY_SELECTOR,
	VMCS_SAY_CR0,
	VMCS_SAY_CR4,
	VMCS_SAY_EFER,
	VMCS_SAY_RFLAGS,
	VMCS_SAY_DR6,
	VMCS_SAY_DR7,
	VMCS_SAY_EPTP,
	VMCS_SAY_INTR_STATUS,
	VMCS_SAY_LINK,
	VMCS_SAY_BYTES, /* too wide for a number */
	VMCS_NR_SAYS
};

struct vmcs_bit {
	enum vmcs_say set;
	unsigned int nr;
	const char *name, *meaning;
};

/* All bits that have a name, those of a set together; NULL behind the last. */
const struct vmcs_bit *vmcs_bit_at(size_t i);

/* "SDM vol. 3, 25.6.1": what defines the bits or numbers of a set; NULL: how is no such set. */
const char *vmcs_say_source(enum vmcs_say how);

/* The number's meaning; NULL: it has none here, or how is no set of numbers. */
const char *vmcs_code_name(enum vmcs_say how, uint64_t number);

/* What decides how a value beside it is read.  All zero where nothing is known of it. */
struct vmcs_beside {
	bool known;
	uint64_t reason; /* VM_EXIT_REASON, or exit_code */
	uint64_t event;  /* VM_EXIT_INTR_INFO */
};

/* Writes what the value says, cut to n bytes with the NUL; empty: nothing.  beside may be NULL. */
void vmcs_say_value(enum vmcs_say how, uint64_t v, const struct vmcs_beside *beside, char *buf,
		    size_t n);

#endif
