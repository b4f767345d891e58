/* Names of a kernel that are said, not read.  For tests. */
#ifndef TESTS_MACHINE_FAKE_NAMES_H
#define TESTS_MACHINE_FAKE_NAMES_H

#include <stdlib.h>
#include <string.h>

#include "symbols/kallsyms.h"

struct fake_symbol {
	uint64_t addr;
	const char *name; /* its type's letter before it; 30 characters */
};

/* In the order that they have; to be closed by who gets them. */
static inline struct kallsyms *fake_symbols(const struct fake_symbol *from, size_t nr)
{
	struct kallsyms *k = calloc(1, sizeof(*k));

	k->symbol = calloc(nr, sizeof(*k->symbol));
	k->text = calloc(nr, 32);
	k->text_bytes = nr * 32;
	k->nr = nr;
	for (size_t i = 0; i < nr; i++) {
		k->symbol[i] =
			(struct kallsyms_symbol){from[i].addr, (uint32_t)(32 * i), (uint32_t)i};
		memcpy(k->text + 32 * i, from[i].name, strlen(from[i].name));
	}
	return k;
}

#endif
