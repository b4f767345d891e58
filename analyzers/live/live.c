/* Knows which functions there are over the open machine. */
#include "analyzers/live/live.h"

#include <stdlib.h>

#include "analyzers/live/table.h"
#include "store/sql.h"
#include "store/store.h"

enum { MEM_MAX = 1 << 20 }; /* bytes of one value */

/* mem(space, addr, n): the bytes, or NULL when not all of them are known. */
static void mem(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	const struct live_host *host = sqlite3_user_data(ctx);
	const struct inq_machine *m = host->machine(host->ctx);
	struct machine_where w;
	struct inq_err err = {0};
	uint64_t addr = 0;

	for (int i = 0; i < n; i++)
		if (sqlite3_value_type(v[i]) == SQLITE_NULL)
			return;
	sqlite3_int64 bytes = sqlite3_value_int64(v[2]);
	if (!m)
		return;
	enum inq_status st = live_space(m, v[0], &w, &err);
	if (!st)
		st = live_addr(&w, v[1], &addr, &err);
	if (!st && (bytes < 0 || bytes > MEM_MAX))
		st = inq_fail(&err, INQ_ELIMIT, "%d bytes at most", MEM_MAX);
	uint8_t *buf = st ? NULL : malloc(bytes ? (size_t)bytes : 1);
	if (!buf) {
		if (st)
			sqlite3_result_error(ctx, err.msg, -1);
		else
			sqlite3_result_error_nomem(ctx);
		return;
	}
	if (inq_read(w.space, addr, buf, (size_t)bytes, &err))
		free(buf);
	else
		sqlite3_result_blob64(ctx, buf, (sqlite3_uint64)bytes, free);
}

static const struct {
	const char *name;
	int nr_args;
	void (*call)(sqlite3_context *ctx, int n, sqlite3_value **v);
} functions[] = {
	{"is_code", 1, live_is_code}, {"line", 1, live_line},         {"mem", 3, mem},
	{"sym", 1, live_sym},         {"var_type", 1, live_var_type},
};

enum inq_status live_functions_register(sqlite3 *db, const struct live_host *host,
					struct inq_err *err)
{
	union {
		const struct live_host *in;
		void *out;
	} aux = {host};

	for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++)
		if (sqlite3_create_function_v2(db, functions[i].name, functions[i].nr_args,
					       SQLITE_UTF8 | SQLITE_DIRECTONLY, aux.out,
					       functions[i].call, NULL, NULL, NULL))
			return sql_fail(db, INQ_ENOMEM, functions[i].name, err);
	return INQ_OK;
}

enum inq_status live_register(struct store *s, const struct live_host *host, struct inq_err *err)
{
	enum inq_status st = live_functions_register(store_db(s), host, err);

	return st ? st : live_tables_register(store_db(s), host, err);
}
