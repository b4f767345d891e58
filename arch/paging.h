/*
 * Page-table walks that tell everything they saw: x86 2, 3, 4 and 5 levels.
 * Also for inquest-vmm, hence beside x86_64/ and free of libraries.
 * Source: SDM vol. 3 chapter 4; APM vol. 2 chapter 5.
 */
#ifndef ARCH_PAGING_H
#define ARCH_PAGING_H

#include <stdbool.h>

#include <inquest/regs.h>
#include <inquest/space.h>

enum { PAGING_MAX_LEVELS = 5 };

/* How a CPU translates, as far as it is known. */
struct paging_mode {
	int levels;        /* 0: paging is off; 2, 3 (PAE), 4, 5 */
	bool nx;           /* EFER.NXE: bit 63 is XD, else reserved */
	bool pse;          /* 2 levels: 4 MiB pages allowed */
	int maxphyaddr;    /* 0: unknown, then address bits above 51 only are reserved */
	int gbpages;       /* CPUID 0x80000001 EDX bit 26: 1 yes, 0 no, -1 unknown */
	uint64_t root;     /* physical address of the top table */
	uint64_t pdptr[4]; /* 3 levels with pdptr_known: the loaded ones, which win over memory */
	bool pdptr_known;
};

enum paging_verdict {
	PAGING_OK,           /* this entry leads on, or maps */
	PAGING_NOT_PRESENT,  /* bit 0 clear: #PF */
	PAGING_RESERVED,     /* a reserved bit is set: #PF with RSVD */
	PAGING_NO_GBPAGES,   /* maps 1 GiB, and this CPU has no such pages: #PF with RSVD */
	PAGING_NONCANONICAL, /* the address itself: #GP, no entry was read */
	PAGING_ABSENT,       /* the entry was not dumped: unknown */
	PAGING_UNREADABLE,   /* the entry lies where there is no memory */
};

struct paging_step {
	int level;           /* 1 PT, 2 PD, 3 PDPT, 4 PML4, 5 PML5 */
	uint64_t entry_addr; /* physical, or the PDPTR's number when loaded from a register */
	uint64_t entry;      /* as read; meaningless for NONCANONICAL, ABSENT, UNREADABLE */
	enum paging_verdict verdict;
};

struct paging_walk {
	struct paging_step step[PAGING_MAX_LEVELS];
	int nr_steps;
	enum paging_verdict verdict; /* of the last step */
	uint64_t pa;                 /* PAGING_OK only */
	uint64_t page_bytes;         /* 4 KiB .. 1 GiB */
	bool writable, user, nx;     /* combined over all levels */
};

/* From CR0, CR3, CR4, EFER, the PDPTRs and CPUID.  INQ_EABSENT: a deciding register is unknown. */
INQ_MUST enum inq_status paging_mode_of(const struct inq_regset *rs, int maxphyaddr, int gbpages,
					struct paging_mode *ret_mode, struct inq_err *err);

/*
 * Walk va.  phys is the space in which the tables lie.  Always fills *ret; a page fault is a
 * result here, no error.  With levels 0 the walk has no steps and pa == va.
 */
void paging_walk(const struct paging_mode *mode, const struct inq_space *phys, uint64_t va,
		 struct paging_walk *ret);

/* Lowest address bit that a table of this level (1 PT .. 5 PML5) resolves, and va's entry in it. */
int paging_shift(const struct paging_mode *mode, int level);
unsigned int paging_index(const struct paging_mode *mode, int level, uint64_t va);

/* "pt", "pd", "pdpt", "pml4", "pml5".  Static. */
const char *paging_table_name(int level);

/* "not present", "reserved bit set", ...  Static. */
const char *paging_verdict_name(enum paging_verdict v);

/* A space of linear addresses over phys.  The caller owns it; name must outlive it. */
struct paging_space {
	struct inq_space base;
	struct paging_mode mode;
};
void paging_space_init(struct paging_space *ps, const char *name, const struct inq_space *phys,
		       const struct paging_mode *mode);

#endif
