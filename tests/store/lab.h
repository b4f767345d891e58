/* A tiny machine for the tests of the store: one space over a buffer, no CPUs, no dump file. */
#ifndef TESTS_STORE_LAB_H
#define TESTS_STORE_LAB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "analyzers/live/live.h"
#include "store/store.h"

struct lab {
	struct inq_space phys;
	struct inq_space smm;
	const struct inq_space *spaces[2];
	struct inq_damage damages[2];
	struct inq_snap_header header;
	struct inq_dump dump;
	struct inq_machine machine;
};

static inline void lab_init(struct lab *l)
{
	*l = (struct lab){0};
	l->phys = (struct inq_space){.space_id = 1, .name = "phys"};
	l->smm = (struct inq_space){.space_id = 2, .name = "smm", .lower = &l->phys};
	l->spaces[0] = &l->phys;
	l->spaces[1] = &l->smm;
	l->dump = (struct inq_dump){.path = "x.core",
				    .format = "elfcore",
				    .variant = "elf core",
				    .content_id = "0123456789abcdef0123456789abcdef",
				    .file_bytes = 4096,
				    .damages = l->damages,
				    .phys = &l->phys};
	l->machine = (struct inq_machine){.machine_id = 1,
					  .kind = "vm",
					  .arch = "x86_64",
					  .dump = &l->dump,
					  .sample = {.sample_id = 0, .kind = "snapshot"},
					  .nr_cpus = 2,
					  .spaces = l->spaces,
					  .nr_spaces = 2};
}

/* The first cell of the answer; for a test, "no row" and "NULL" are answers too. */
static inline void assert_says(struct store *s, const char *sql, const char *expected)
{
	sqlite3_stmt *q = NULL;
	char got[512] = "no row";

	if (sqlite3_prepare_v2(store_db(s), sql, -1, &q, NULL))
		fail_msg("%s: %s", sql, sqlite3_errmsg(store_db(s)));
	if (sqlite3_step(q) == SQLITE_ROW) {
		const char *text = (const char *)sqlite3_column_text(q, 0);
		snprintf(got, sizeof(got), "%s", text ? text : "NULL");
	}
	sqlite3_finalize(q);
	if (strcmp(got, expected) != 0)
		fail_msg("%s\n  says     %s\n  expected %s", sql, got, expected);
}

static inline void run_sql(struct store *s, const char *sql)
{
	if (sqlite3_exec(store_db(s), sql, NULL, NULL, NULL))
		fail_msg("%s: %s", sql, sqlite3_errmsg(store_db(s)));
}

static inline struct store *lab_store(const struct lab *l)
{
	struct store *s = NULL;
	struct inq_err err = {0};

	if (store_create(&s, &err) || store_add_machine(s, &l->machine, &err))
		fail_msg("%s", err.msg);
	return s;
}

static inline const struct inq_machine *lab_no_machine(void *ctx)
{
	(void)ctx;
	return NULL;
}

/* The functions over memory, as a connection without a dump has them: views name them. */
static inline void lab_live(struct store *s)
{
	static const struct live_host host = {.machine = lab_no_machine};
	struct inq_err err = {0};

	if (live_register(s, &host, &err))
		fail_msg("%s", err.msg);
}

#endif
