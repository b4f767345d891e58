/* Knows which functions only compute: no files, no extensions, no large allocations, no chance. */
#include "store/guard.h"

#include <stddef.h>
#include <strings.h>

static const char *const functions[] = {"hex64",        "addr_add",
					"addr_in",      "addr_cmp",
					"json_text",    "abs",
					"avg",          "char",
					"coalesce",     "count",
					"dense_rank",   "first_value",
					"format",       "glob",
					"group_concat", "hex",
					"ifnull",       "iif",
					"instr",        "json_array",
					"json_extract", "json_group_array",
					"json_object",  "json_quote",
					"lag",          "last_value",
					"lead",         "length",
					"like",         "lower",
					"ltrim",        "max",
					"min",          "nth_value",
					"nullif",       "printf",
					"quote",        "rank",
					"replace",      "round",
					"row_number",   "rtrim",
					"sign",         "substr",
					"substring",    "sum",
					"total",        "trim",
					"typeof",       "unicode",
					"upper",        NULL};

static int is_known(const char *name)
{
	for (size_t i = 0; functions[i]; i++)
		if (!strcasecmp(functions[i], name))
			return 1;
	return 0;
}

int store_guard_rule(void *ctx, int action, const char *a, const char *b, const char *db,
		     const char *trigger)
{
	(void)ctx;
	(void)db;
	(void)trigger;
	switch (action) {
	case SQLITE_SELECT:
	case SQLITE_READ:
	case SQLITE_RECURSIVE:
		return SQLITE_OK;
	case SQLITE_FUNCTION: /* its name is the second argument */
		return b && is_known(b) ? SQLITE_OK : SQLITE_DENY;
	default:
		(void)a;
		return SQLITE_DENY;
	}
}
