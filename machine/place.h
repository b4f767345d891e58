/* SPACE:ADDRESS as people write it, and how far a space goes on. */
#ifndef MACHINE_PLACE_H
#define MACHINE_PLACE_H

#include <stdbool.h>

#include <inquest/machine.h>

#include "arch/paging.h"

/*
 * A space that somebody named.  Not to be moved: with cr3=... the space is the one kept here.
 */
struct machine_where {
	const struct inq_space *space;
	const struct inq_machine *m;
	const struct inq_cpu *cpu; /* whose registers an address may name; NULL: nobody's */
	struct paging_space own;
	char name[96]; /* as it was written */
};

/* For messages and --help: what may stand before the colon. */
#define MACHINE_SPACE_HELP                                                                         \
	"  phys           physical memory\n"                                                       \
	"  smm            the same as a CPU in SMM sees it\n"                                      \
	"  kernel         virtual memory of the kernel that was found\n"                           \
	"  cpuN           virtual memory of CPU N as it is\n"                                      \
	"  cr3=ROOT       virtual memory of the process with that page table root\n"               \
	"  nestedN        physical memory of the guest that CPU N's guest runs (EPT, NPT)\n"       \
	"  nestedN-virt   its virtual memory; cr3=ROOT@nestedN: of a process of it\n"              \
	"  outerN-virt    virtual memory of the hypervisor that runs it\n"                         \
	"  or any name or number that `inquest show spaces FILE` lists\n"

/*
 * The space of n characters of text.  cr3=ROOT: tables below ROOT, over phys or over the space
 * behind an @, walked as the CPU or inner guest there does; where nobody's paging mode is known,
 * as 64-bit kernels do: 4 levels, NX.  Errors: INQ_ENOTFOUND (no such space: names those that
 * there are), INQ_EUSAGE.
 */
INQ_MUST enum inq_status machine_space_named(const struct inq_machine *m, const char *text,
					     size_t n, struct machine_where *ret,
					     struct inq_err *err);
/* The space with that row of the space table; the same errors. */
INQ_MUST enum inq_status machine_space_nr(const struct inq_machine *m, int64_t space_id,
					  struct machine_where *ret, struct inq_err *err);

/*
 * An address: 0x and hexadecimal digits, or decimal digits, or, when the space is a CPU's, the name
 * of one of its registers (rip and rsp with their segment's base), or, in virtual memory over the
 * dump's, a name of the kernel as in name_addr.h; then +NUMBER or -NUMBER, which wraps.  The whole
 * text.  Errors: INQ_EUSAGE, INQ_EABSENT (that register is unknown), those of name_addr.h.
 */
INQ_MUST enum inq_status machine_address(const struct machine_where *where, const char *text,
					 uint64_t *ret_addr, struct inq_err *err);

/* A number as above, 64 bits: the whole of n characters. */
bool machine_number(const char *text, size_t n, uint64_t *ret);

/* SPACE:ADDRESS, or a name in space kernel.  The same errors. */
INQ_MUST enum inq_status machine_place(const struct inq_machine *m, const char *text,
				       struct machine_where *ret_where, uint64_t *ret_addr,
				       struct inq_err *err);

/*
 * The first address from addr on, last at most, that the space may map: skips what its page tables
 * or the dump's extents leave out, but not without end.  False: there is none.
 */
bool machine_space_next(const struct inq_machine *m, const struct inq_space *sp, uint64_t addr,
			uint64_t last, uint64_t *ret_addr);

#endif
