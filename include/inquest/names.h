/*
 * Names of the kernel's addresses, as its own memory tells them: kallsyms, and the symbol tables of
 * its modules.  Everything is looked for when it is first asked for, and kept as long as the
 * machine.  A machine whose kernel was not found, or has no names, fails with INQ_EABSENT and says
 * why, at each call.
 */
#ifndef INQ_NAMES_H
#define INQ_NAMES_H

#include <stdbool.h>

#include <inquest/machine.h>

/* Strings and copies of it are valid as long as the machine. */
struct inq_symbol {
	uint64_t addr;      /* of an absolute symbol, its value: "fixed_percpu_data" is 0 */
	uint64_t size;      /* to the next address that has a symbol, or the end; 0: unknown */
	const char *name;   /* "": lost, see inq_names_lost; of inq_symbol_nth only */
	const char *module; /* NULL: the kernel's image */
	char type;          /* as nm(1) prints it: 'T', 't', 'D', 'A' ...; 0: unknown */
};

/*
 * The symbol that addr lies in: of the kernel, when it lies in its image, else of the module that
 * it lies in.  Of several at one address the one that the kernel itself would name: the first in
 * its table.
 * Errors: INQ_ENOTFOUND, INQ_EABSENT, INQ_ENOMEM.
 */
INQ_MUST enum inq_status inq_symbol_at(const struct inq_machine *m, uint64_t addr,
				       struct inq_symbol *ret, struct inq_err *err);

/*
 * Symbol nth, from 0, of all that have this name: the kernel's in the order of their addresses,
 * then the modules'.  "nf_conntrack:init" asks that module only.
 * Errors: INQ_ENOTFOUND (there are not so many), INQ_EABSENT, INQ_ENOMEM.
 */
INQ_MUST enum inq_status inq_symbol_named(const struct inq_machine *m, const char *name, size_t nth,
					  struct inq_symbol *ret, struct inq_err *err);

/*
 * All, in the order of their addresses (unsigned): number i, from 0.  inq_symbol_first is the
 * number of the first at addr or above, which may be inq_nr_symbols.
 * inq_symbol_nth: false behind the last.  Errors: INQ_EABSENT, INQ_ENOMEM.
 */
INQ_MUST enum inq_status inq_nr_symbols(const struct inq_machine *m, size_t *ret,
					struct inq_err *err);
bool inq_symbol_nth(const struct inq_machine *m, size_t i, struct inq_symbol *ret);
size_t inq_symbol_first(const struct inq_machine *m, uint64_t addr);

/*
 * Are some of the kernel's names lost, as the memory that holds them is not in the dump, or is
 * damaged?  Then *ret_page is the address of the first such page (4096 bytes), and *ret_why says
 * how many are.  Their symbols have addresses all the same, so none is taken for another.
 */
bool inq_names_lost(const struct inq_machine *m, uint64_t *ret_page, struct inq_err *ret_why);

/* A module as the kernel's list has it. */
struct inq_module {
	const char *name;
	uint64_t addr;             /* of its struct module */
	uint64_t base, bytes;      /* as /proc/modules shows it: its text, and all of it */
	uint64_t text, text_bytes; /* its code that stays; 0: unknown */
	uint64_t init_text, init_text_bytes; /* that of its start, while it is there; else 0 */
	unsigned int state; /* enum module_state: 0 live, 1 coming, 2 going, 3 unformed */
	size_t nr_symbols;
	enum inq_status damage; /* why its symbols are not all there; INQ_OK: they are */
	const char *why;        /* for people; "": no damage */
};

/*
 * The modules in the order of the list.  *ret is NULL when there are none; *ret_why, which may be
 * NULL, is what cut the list short, or "".
 * Errors: INQ_EABSENT (their list cannot be found, or what a module consists of), INQ_ENOMEM.
 */
INQ_MUST enum inq_status inq_modules(const struct inq_machine *m, const struct inq_module **ret,
				     size_t *ret_nr, const char **ret_why, struct inq_err *err);

/*
 * Is there code at addr?  Then it is the kernel's (*ret_module NULL), also that of its start, or a
 * module's.  ret_module may be NULL.  Without names the image's own bounds decide for the kernel.
 */
bool inq_is_text(const struct inq_machine *m, uint64_t addr, const struct inq_module **ret_module);

/*
 * "function+0xoff/0xsize [module]"; "function" alone at its start, without "/0xsize" where that is
 * unknown.  False and "" where no symbol is known.  Always ends with a NUL; cut to n bytes.
 */
bool inq_symbol_text(const struct inq_machine *m, uint64_t addr, char *buf, size_t n);

#endif
