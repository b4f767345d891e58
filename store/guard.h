/* What SQL of a rule may do: read, and call functions that only compute. */
#ifndef STORE_GUARD_H
#define STORE_GUARD_H

#include <sqlite3.h>

/* For sqlite3_set_authorizer; no context. */
int store_guard_rule(void *ctx, int action, const char *a, const char *b, const char *db,
		     const char *trigger);

#endif
