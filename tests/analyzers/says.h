/* SQL over a machine that is made up, and what it answers as one text.  For tests. */
#ifndef TESTS_ANALYZERS_SAYS_H
#define TESTS_ANALYZERS_SAYS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "analyzers/live/live.h"
#include "store/sql.h"
#include "store/store.h"

struct sql_lab {
	struct inq_machine m;
	struct live_host host;
	struct store *s;
};

static inline const struct inq_machine *sql_lab_machine(void *ctx)
{
	return &((struct sql_lab *)ctx)->m;
}

/* The lab stays where it is. */
static inline void sql_lab_open(struct sql_lab *l, struct inq_machine m)
{
	struct inq_err err;

	*l = (struct sql_lab){.m = m, .host = {.machine = sql_lab_machine, .ctx = l}};
	if (store_create(&l->s, &err) || live_register(l->s, &l->host, &err))
		fail_msg("%s", err.msg);
}

/* All cells of the answer, with | between them and ; behind a row; or what went wrong. */
static inline void sql_says(struct store *s, const char *sql, const char *wanted)
{
	sqlite3 *db = store_db(s);
	sqlite3_stmt *q = NULL;
	char out[2048] = "";
	int rc = sqlite3_prepare_v2(db, sql, -1, &q, NULL);

	while (!rc && (rc = sqlite3_step(q)) == SQLITE_ROW) {
		for (int i = 0; i < sqlite3_column_count(q); i++) {
			const char *t = (const char *)sqlite3_column_text(q, i);
			strncat(out, t ? t : "-", sizeof(out) - strlen(out) - 1);
			strncat(out, "|", sizeof(out) - strlen(out) - 1);
		}
		strncat(out, ";", sizeof(out) - strlen(out) - 1);
		rc = 0;
	}
	assert_string_equal(rc == SQLITE_DONE ? out : sqlite3_errmsg(db), wanted);
	sqlite3_finalize(q);
}

#endif
