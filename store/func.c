/*
 * Knows how addresses behave in SQL.  A kernel address is negative as an SQLite integer, and a sum
 * that overflows turns into REAL: so nobody adds or compares addresses but these functions.
 * json_text() makes a dump's text fit for JSON.
 */
#include <inttypes.h>
#include <stdio.h>

#include "store/internal.h"
#include "store/json.h"

static uint64_t addr_of(sqlite3_value *v)
{
	return (uint64_t)sqlite3_value_int64(v);
}

/* Unknown in, unknown out. */
static bool any_null(sqlite3_value **v, int n)
{
	for (int i = 0; i < n; i++)
		if (sqlite3_value_type(v[i]) == SQLITE_NULL)
			return true;
	return false;
}

static void hex64(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	char text[24];

	if (any_null(v, n))
		return;
	snprintf(text, sizeof(text), "0x%" PRIx64, addr_of(v[0]));
	sqlite3_result_text(ctx, text, -1, SQLITE_TRANSIENT);
}

static void addr_add(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	if (any_null(v, n))
		return;
	uint64_t sum = addr_of(v[0]) + addr_of(v[1]);
	sqlite3_result_int64(ctx, (sqlite3_int64)sum);
}

static void addr_in(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	if (!any_null(v, n))
		sqlite3_result_int(ctx, addr_of(v[0]) - addr_of(v[1]) < addr_of(v[2]));
}

static void addr_cmp(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	if (any_null(v, n))
		return;
	uint64_t a = addr_of(v[0]), b = addr_of(v[1]);
	sqlite3_result_int(ctx, (a > b) - (a < b));
}

/* Text as a JSON string, for json(): which yields NULL for unknown. */
static void json_text(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	if (any_null(v, n))
		return;
	const char *from = (const char *)sqlite3_value_text(v[0]);
	sqlite3_str *s = sqlite3_str_new(sqlite3_context_db_handle(ctx));

	store_json_text(s, from ? from : "", from ? (size_t)sqlite3_value_bytes(v[0]) : 0);
	int rc = sqlite3_str_errcode(s);
	char *text = sqlite3_str_finish(s);
	if (rc) {
		sqlite3_free(text);
		sqlite3_result_error_code(ctx, rc);
		return;
	}
	sqlite3_result_text(ctx, text, -1, sqlite3_free);
}

enum inq_status store_functions_register(sqlite3 *db, struct inq_err *err)
{
	static const struct {
		const char *name;
		int args;
		void (*fn)(sqlite3_context *, int, sqlite3_value **);
	} f[] = {{"hex64", 1, hex64},
		 {"addr_add", 2, addr_add},
		 {"addr_in", 3, addr_in},
		 {"addr_cmp", 2, addr_cmp},
		 {"json_text", 1, json_text}};

	for (size_t i = 0; i < sizeof(f) / sizeof(*f); i++)
		if (sqlite3_create_function_v2(db, f[i].name, f[i].args,
					       SQLITE_UTF8 | SQLITE_DETERMINISTIC |
						       SQLITE_INNOCUOUS,
					       NULL, f[i].fn, NULL, NULL, NULL))
			return sql_fail(db, INQ_ENOMEM, f[i].name, err);
	return INQ_OK;
}
