/* What the ways to a kernel share: machine/kernel.c asks, find_*.c answer. */
#ifndef MACHINE_FIND_H
#define MACHINE_FIND_H

#include <inquest/machine.h>

#include "machine/image.h"

/* A kernel that owns what its public part points to. */
struct whole_kernel {
	struct inq_kernel pub;
	struct inq_kernel_fact *facts;
	size_t facts_cap;
	struct paging_space space;
};

/* One set of page tables that CPUs have in common, and what it maps. */
struct find_tables {
	uint64_t key;            /* the entry for the kernel's half, as the CPU's root has it */
	uint32_t cpu;            /* the first that has them */
	struct paging_mode mode; /* root: that of the kernel's half */
	bool isolated;           /* the CPU's own root was the half for user space */
	struct image im;
	struct image_facts facts;
	bool is_linux;
};

enum { FIND_MAX_TABLES = 4, FIND_MAX_PLACES = 8 };

/* VMCOREINFO, from somewhere. */
struct find_place {
	struct vmcoreinfo info;
	const struct inq_space *space; /* where it lies; NULL: in a note */
	uint64_t addr;
	bool fits; /* the tables that it tells of map an image where it says */
};

struct finder {
	const struct inq_machine *m;
	const struct inq_dump *dump;
	const struct inq_cpu *cpus;
	uint32_t nr_cpus;
	struct whole_kernel *k;
	uint64_t *gs;      /* base of the kernel's data of each CPU; 0: unknown */
	uint32_t nr_asked; /* CPUs whose registers and tables could be asked */
	uint32_t nr_lost;  /* CPUs that could not: unknown registers, tables that are not dumped */
	struct image *scratch;
	struct find_tables *tables; /* FIND_MAX_TABLES */
	size_t nr_tables;
	struct find_place place[FIND_MAX_PLACES];
	size_t nr_places;
};

/* Add a fact.  Errors: INQ_ENOMEM. */
INQ_MUST enum inq_status find_fact(struct finder *f, struct inq_kernel_fact fact,
				   struct inq_err *err);

/* Every CPU's tables to f->tables.  Errors: INQ_ENOMEM. */
INQ_MUST enum inq_status find_by_registers(struct finder *f, struct inq_err *err);
/* The facts that they tell, once it is clear which tables are the kernel's.  Errors: INQ_ENOMEM. */
INQ_MUST enum inq_status find_register_facts(struct finder *f, struct inq_err *err);

/* The note's to f->place, and the one that the kernel's own pointer leads to. */
void find_noted(struct finder *f);
/* Errors: INQ_ENOMEM. */
INQ_MUST enum inq_status find_pointed(struct finder *f, const struct find_tables *t,
				      struct inq_err *err);
/* All in memory.  Errors: INQ_ENOMEM, INQ_EINTR. */
INQ_MUST enum inq_status find_scanned(struct finder *f, struct inq_err *err);
/* Errors: INQ_ENOMEM. */
INQ_MUST enum inq_status find_place_facts(struct finder *f, struct inq_err *err);

/* The tables that a VMCOREINFO tells of; false when it tells none. */
bool find_mode(const struct vmcoreinfo *info, struct paging_mode *ret);

#endif
