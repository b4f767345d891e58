/*
 * Page-table walks that tell everything they saw: x86 2, 3, 4 and 5 levels, and the tables that
 * a hypervisor puts below a guest's physical memory (EPT, NPT).
 * Also for inquest-vmm, hence beside x86_64/ and free of libraries.
 * Source: SDM vol. 3 chapters 4 and 29; APM vol. 2 chapter 5 and 15.25.
 */
#ifndef ARCH_PAGING_H
#define ARCH_PAGING_H

#include <stdbool.h>

#include <inquest/regs.h>
#include <inquest/space.h>

enum { PAGING_MAX_LEVELS = 5 };

enum paging_kind {
	PAGING_CPU, /* linear addresses, as control registers say */
	PAGING_EPT, /* guest-physical addresses, Intel */
	PAGING_NPT, /* guest-physical addresses, AMD: a host's tables, always walked as a user */
};

/* How a CPU translates, as far as it is known. */
struct paging_mode {
	enum paging_kind kind;
	int levels;        /* 0: paging is off; 2, 3 (PAE), 4, 5 */
	bool nx;           /* EFER.NXE, or EFER is unknown: bit 63 is XD, else reserved */
	bool pse;          /* 2 levels: 4 MiB pages allowed */
	int maxphyaddr;    /* 0: unknown, then address bits above 51 only are reserved */
	int gbpages;       /* CPUID 0x80000001 EDX bit 26; of EPT, bit 17 of IA32_VMX_EPT_VPID_CAP:
			      1 yes, 0 no, -1 unknown */
	int exec_only;     /* EPT: bit 0 of that MSR, pages that cannot be read may be executed */
	bool mbec;         /* EPT: bit 10 of an entry is execution by users */
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
	PAGING_TOO_WIDE,     /* a guest-physical address that these tables cannot hold */
	PAGING_SUPERVISOR,   /* NPT: no user page, and every access is a user's */
	PAGING_WRITE_ONLY,   /* EPT: writable, but not readable: misconfiguration */
	PAGING_EXEC_ONLY,    /* EPT: executable only, and this CPU has no such pages: the same */
	PAGING_MEMORY_TYPE,  /* EPT: memory type 2, 3 or 7: the same */
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
	bool unreadable;             /* EPT only, the same */
};

/* From CR0, CR3, CR4, EFER, the PDPTRs and CPUID.  INQ_EABSENT: a deciding register is unknown. */
INQ_MUST enum inq_status paging_mode_of(const struct inq_regset *rs, int maxphyaddr, int gbpages,
					struct paging_mode *ret_mode, struct inq_err *err);

/*
 * From an EPTP and the CPU's IA32_VMX_EPT_VPID_CAP (0: unknown; bit 6 is always set, SDM vol. 3,
 * A.10).  INQ_ECORRUPT: no EPTP, its walk has neither 4 nor 5 levels.
 */
INQ_MUST enum inq_status paging_mode_of_eptp(uint64_t eptp, uint64_t vpid_cap, int maxphyaddr,
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

/* Which bits of an entry must be clear where it stands; leaf: it maps a page. */
uint64_t paging_reserved_bits(const struct paging_mode *mode, int level, bool leaf);
/* Does the entry map a page, if it is legal? */
bool paging_is_leaf(const struct paging_mode *mode, int level, uint64_t entry);
/* Does an entry lead or map at all?  What is not present has no other faults. */
bool paging_is_present(const struct paging_mode *mode, uint64_t entry);

/* What is wrong with an entry where it stands, as far as the entry itself tells. */
enum paging_verdict paging_judge(const struct paging_mode *mode, int level, uint64_t entry);

/* Bits hi..lo set; none when lo is above hi. */
uint64_t paging_bits(int hi, int lo);

/* The rules of EPT, for paging.c: SDM vol. 3, 29.3.2 and 29.3.3.1. */
enum paging_verdict paging_ept_judge(const struct paging_mode *mode, int level, uint64_t entry);
uint64_t paging_ept_reserved(const struct paging_mode *mode, int level, bool leaf);

/* "not present", "reserved bit set", ...  Static. */
const char *paging_verdict_name(enum paging_verdict v);

/*
 * Why the step's entry is what its verdict says, by bit: "bit 63 (XD) while EFER.NXE is 0".  Empty
 * when the verdict says it all.  n is 1 at least.
 */
void paging_explain(const struct paging_mode *mode, const struct paging_step *step, char *buf,
		    size_t n);
/* What the set bits of an entry are called: "P RW US A D PS". */
void paging_entry_flags(const struct paging_mode *mode, const struct paging_step *step, char *buf,
			size_t n);

/* A space of linear addresses over phys.  The caller owns it; name must outlive it. */
struct paging_space {
	struct inq_space base;
	struct paging_mode mode;
};
void paging_space_init(struct paging_space *ps, const char *name, const struct inq_space *phys,
		       const struct paging_mode *mode);

/*
 * Where the byte lies below all page tables: walk through one space after the other, until one is
 * no paging_space.  Errors: INQ_EFAULT, INQ_EABSENT, in addresses of sp.
 */
INQ_MUST enum inq_status paging_resolve(const struct inq_space *sp, uint64_t addr,
					const struct inq_space **ret_space, uint64_t *ret_addr,
					struct inq_err *err);

/* The same space with its tables, if that is what it is; else NULL. */
const struct paging_space *paging_space_of(const struct inq_space *sp);

#endif
