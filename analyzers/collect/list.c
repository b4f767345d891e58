/* The one list of collectors, as a table. */
#include <string.h>

#include "analyzers/collect/collectors.h"

#define ENTRY(n) &collect_##n,
static const struct inq_collector *const list[] = {ANALYZERS_COLLECTORS(ENTRY) NULL};

const struct inq_collector *collector_at(size_t i)
{
	return i < sizeof(list) / sizeof(*list) ? list[i] : NULL;
}

const struct inq_collector *collector_find(const char *table)
{
	for (size_t i = 0; list[i]; i++)
		if (!strcmp(list[i]->table, table))
			return list[i];
	return NULL;
}
