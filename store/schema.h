/* The tables of every index, documented by what creates them. */
#ifndef STORE_SCHEMA_H
#define STORE_SCHEMA_H

#include <stddef.h>

struct store_column {
	const char *name;
	const char *type; /* SQL type and column constraints */
	const char *doc;  /* meaning and unit, one line */
};

struct store_table {
	const char *name, *doc;
	const struct store_column *cols; /* ends at a NULL name */
	const char *keys;                /* table constraints, or NULL */
};

const struct store_table *store_table_at(size_t i); /* NULL behind the last */

#endif
