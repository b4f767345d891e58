/* The names of a machine's kernel and its modules, found when they are first asked for. */
#ifndef MACHINE_NAMES_H
#define MACHINE_NAMES_H

#include <inquest/names.h>

#include "symbols/kallsyms.h"

enum { MACHINE_MODULE_REGIONS = 7 }; /* MOD_MEM_NUM_TYPES since Linux 6.4; before, 2 */

/* What inq_modules shows of a module, and what it does not. */
struct machine_module {
	struct kallsyms *names; /* NULL: none, see pub.damage */
	char name[56];          /* MODULE_NAME_LEN, with the NUL */
	struct {
		uint64_t addr, bytes;
	} region[MACHINE_MODULE_REGIONS]; /* bytes 0: unused */
	struct inq_err why;
};

struct machine_modules {
	enum inq_status st; /* why there is no list */
	struct inq_err why;
	struct inq_err cut; /* why the list is short; status INQ_OK: it is not */
	struct inq_module *pub;
	struct machine_module *of;
	size_t nr;
};

/* One of all symbols. */
struct machine_name {
	uint64_t addr;
	uint32_t module; /* its number + 1; 0: the kernel's */
	uint32_t i;      /* in the table of its owner */
};

struct machine_names {
	enum inq_status st; /* why there are none */
	struct inq_err why;
	struct kallsyms *kernel;
	struct machine_modules *modules; /* NULL: not asked for yet */
	bool finding_modules;            /* who is asked meanwhile knows none */
	struct machine_name *all;        /* in the order of their addresses; NULL: likewise */
	size_t nr_all;
	uint32_t *hash; /* of the kernel's: first of each chain, its number + 1; 0: none */
	uint32_t *next; /* behind them: the next one of each name's chain */
	size_t hash_mask;
};

/* Errors: INQ_EABSENT (with the reason), INQ_ENOMEM. */
INQ_MUST enum inq_status machine_names(const struct inq_machine *m, struct machine_names **ret,
				       struct inq_err *err);
void machine_names_destroy(struct machine_names *n); /* accepts NULL */

/* For names.c: the kernel's own, by VMCOREINFO or by what they look like.  Errors: as above. */
INQ_MUST enum inq_status machine_names_find(const struct inq_machine *m, struct kallsyms **ret,
					    struct inq_err *err);
/* The same of modules, once; damage is no error but in it.  Errors: INQ_ENOMEM. */
INQ_MUST enum inq_status machine_modules(const struct inq_machine *m, struct machine_names *n,
					 struct inq_err *err);
void machine_modules_destroy(struct machine_modules *mods); /* accepts NULL */
/* The symbols of the struct mod_kallsyms at addr.  Errors: also INQ_ECORRUPT, INQ_ELIMIT. */
INQ_MUST enum inq_status machine_module_symbols(const struct inq_machine *m, uint64_t addr,
						struct kallsyms **ret, struct inq_err *err);

/* The first symbol at addr, or if there is none, the last below: its number; k->nr: none. */
size_t machine_names_at(const struct kallsyms *k, uint64_t addr);
/* The first symbol of that name from number `from` on; k->nr: none. */
size_t machine_names_scan(const struct kallsyms *k, const char *name, size_t from);

#endif
