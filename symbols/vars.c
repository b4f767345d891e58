/* Knows the types of variables that no kernel tells. */
#include "symbols/vars.h"

#include <stdlib.h>
#include <string.h>

static const struct var {
	const char *name, *type;
} vars[] = {
#define VAR(name, type) {#name, type},
#include "symbols/vars.def"
#undef VAR
};

const char *symbols_var_type(const char *name)
{
	for (size_t i = 0; i < sizeof(vars) / sizeof(*vars); i++)
		if (!strcmp(vars[i].name, name))
			return vars[i].type;
	return NULL;
}
