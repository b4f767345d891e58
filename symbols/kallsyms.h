/* The names of a Linux kernel's symbols, as the running kernel keeps them for itself. */
#ifndef SYMBOLS_KALLSYMS_H
#define SYMBOLS_KALLSYMS_H

#include <inquest/machine.h>

enum {
	KALLSYMS_INDEX_BYTES = 512, /* of kallsyms_token_index */
	KALLSYMS_MAX_NAME = 512,    /* KSYM_NAME_LEN since Linux 6.1, with the NUL */
	KALLSYMS_MAX = 4 << 20,     /* symbols; a kernel of a distribution has 100,000 */
};

struct kallsyms_symbol {
	uint64_t addr;
	uint32_t name; /* in kallsyms.text: the type's letter, the name, a NUL */
	uint32_t nr;   /* its number in the kernel's table */
};

/* In the order of their addresses; of equal ones as in the kernel's table. */
struct kallsyms {
	struct inq_kallsyms_place place;
	struct kallsyms_symbol *symbol;
	size_t nr;
	char *text;
	size_t text_bytes;
	size_t lost;        /* symbols that have an address, but text of no letter and no name */
	uint64_t hole;      /* why: the first page of kallsyms_names that is not there, */
	struct inq_err why; /* INQ_EABSENT, or INQ_ECORRUPT where it holds something else */
};

/*
 * The first place in p at which a kallsyms_token_index can begin, a multiple of 4: n: there is
 * none.  Only what is followed by KALLSYMS_INDEX_BYTES in p is looked at.
 */
size_t kallsyms_find_index(const uint8_t *p, size_t n);

/*
 * The other tables around the kallsyms_token_index at `at`: that of tokens in front of it, that of
 * names before; offsets in front of those, or, since Linux 6.5, behind.
 * Errors: INQ_ENOTFOUND: it is no such index, or nothing fits around it; INQ_ELIMIT, INQ_ENOMEM.
 */
INQ_MUST enum inq_status kallsyms_locate(const struct inq_space *sp, uint64_t at,
					 struct inq_kallsyms_place *ret, struct inq_err *err);

/*
 * Decode all.  Where a part of kallsyms_names is not there, only the names from there to the next
 * marker are lost.  Errors: INQ_ECORRUPT (the tables contradict each other), INQ_ELIMIT,
 * INQ_ENOMEM, INQ_EABSENT, INQ_EFAULT.  Close accepts NULL.
 */
INQ_MUST enum inq_status kallsyms_open(const struct inq_space *sp,
				       const struct inq_kallsyms_place *place,
				       struct kallsyms **ret, struct inq_err *err);
void kallsyms_close(struct kallsyms *k);

#endif
