/*
 * Every rule has rows on which it fires, with evidence that exists, and rows on which it stays
 * silent.  And it never mixes machines: each hit fixture is asked again beside each miss fixture,
 * as two machines of one index, and must say the same.
 */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "analyzers/collect/collectors.h"
#include "analyzers/rules.h"
#include "store/schema.h"
#include "store/store.h"

enum { OTHER = 1000 }; /* added to the machine ids of the second fixture */

static int nr_failed;

static void fail(const char *what, const char *why)
{
	fprintf(stderr, "FAIL %s: %s\n", what, why);
	nr_failed++;
}

static void die(const char *what, const char *why)
{
	fprintf(stderr, "FAIL %s: %s\n", what, why);
	exit(1);
}

static char *slurp(const char *path)
{
	char *text = NULL;
	size_t cap = 0;
	FILE *f = fopen(path, "r");

	if (!f || getdelim(&text, &cap, '\0', f) < 0)
		die(path, "cannot be read");
	fclose(f);
	return text;
}

static void run_sql(struct store *s, const char *what, const char *sql)
{
	if (sqlite3_exec(store_db(s), sql, NULL, NULL, NULL))
		die(what, sqlite3_errmsg(store_db(s)));
}

static int64_t ask(struct store *s, const char *sql)
{
	sqlite3_stmt *q = NULL;

	if (sqlite3_prepare_v2(store_db(s), sql, -1, &q, NULL) || sqlite3_step(q) != SQLITE_ROW)
		die(sql, sqlite3_errmsg(store_db(s)));
	int64_t n = sqlite3_column_int64(q, 0);
	sqlite3_finalize(q);
	return n;
}

/* Empty tables of all collectors; the fixtures bring machines and rows. */
static struct store *open_tables(void)
{
	struct inq_err err = {0};
	struct store *s = NULL;

	if (store_create(&s, &err))
		die("store", err.msg);
	for (size_t i = 0; collector_at(i); i++)
		if (store_create_table(s, collector_at(i), &err))
			die(collector_at(i)->table, err.msg);
	run_sql(s, "dump",
		"PRAGMA foreign_keys = OFF;"
		"INSERT INTO dump(dump_id, content_id, format) VALUES(1, 'fixture', 'sql')");
	return s;
}

static void move_machines(struct store *s, const char *table)
{
	char *sql = sqlite3_mprintf("UPDATE \"%w\" SET machine_id = machine_id + %d", table, OTHER);

	run_sql(s, table, sql);
	sqlite3_free(sql);
}

static void move_all(struct store *s)
{
	static const char *const framework[] = {"machine", "sample", "gap"};

	for (size_t i = 0; i < sizeof(framework) / sizeof(*framework); i++)
		move_machines(s, framework[i]);
	for (size_t i = 0; collector_at(i); i++)
		move_machines(s, collector_at(i)->table);
}

/* A fixture that brings no machine is about machine 1. */
static void load(struct store *s, const char *path)
{
	char *rows = slurp(path);

	run_sql(s, path, rows);
	run_sql(s, path,
		"INSERT OR IGNORE INTO machine VALUES(1, 1, NULL, 'vm', 'x86_64', 2);"
		"INSERT OR IGNORE INTO sample SELECT machine_id, 0, NULL, 'snapshot' FROM machine");
	free(rows);
}

static void all_complete(struct store *s)
{
	for (size_t i = 0; collector_at(i); i++) {
		char *sql = sqlite3_mprintf("INSERT INTO run SELECT machine_id, %Q, 'complete', 0,"
					    " 0, NULL FROM machine",
					    collector_at(i)->table);
		run_sql(s, "run", sql);
		sqlite3_free(sql);
	}
	if (ask(s, "SELECT count(*) FROM pragma_foreign_key_check"))
		die("fixture", "a row of a machine that it does not bring");
}

/* Each row that a finding names as its proof is there. */
static void check_evidence(struct store *s, const char *path)
{
	sqlite3_stmt *q = NULL;

	if (sqlite3_prepare_v2(store_db(s), "SELECT DISTINCT tbl FROM evidence", -1, &q, NULL))
		die(path, sqlite3_errmsg(store_db(s)));
	while (sqlite3_step(q) == SQLITE_ROW) {
		const char *tbl = (const char *)sqlite3_column_text(q, 0);
		char *sql = sqlite3_mprintf("SELECT count(*) FROM evidence e WHERE tbl = %Q AND NOT"
					    " EXISTS (SELECT 1 FROM \"%w\" t WHERE t.rowid = e.row"
					    " AND t.machine_id = e.machine_id)",
					    tbl, tbl);
		if (ask(s, sql))
			fail(path, "evidence that is no row of its table and machine");
		sqlite3_free(sql);
	}
	sqlite3_finalize(q);
}

static void detect(struct store *s, const struct inq_rule *r, const char *path)
{
	struct inq_err err = {0};

	all_complete(s);
	if (store_detect(s, r, &err))
		die(path, err.msg);
	if (ask(s, "SELECT count(*) FROM unevaluated WHERE state <> 'unknown'"))
		die(path, "the rule needs a table that no collector makes");
	check_evidence(s, path);
}

static int64_t findings(const struct inq_rule *r, const char *path)
{
	struct store *s = open_tables();

	load(s, path);
	detect(s, r, path);
	/* a fixture about unknown values says so in its name, and there silence is no answer */
	int undecided = ask(s, "SELECT count(*) FROM unevaluated") > 0;
	if (undecided != (strstr(path, "unknown") != NULL))
		fail(path, undecided ? "the rule cannot tell" : "the rule thinks that it can tell");
	int64_t n = ask(s, "SELECT count(*) FROM finding");
	store_destroy(s);
	return n;
}

/* hit becomes machine 1001, miss stays machine 1. */
static void check_pair(const struct inq_rule *r, const char *hit, const char *miss, int64_t alone)
{
	struct store *s = open_tables();

	load(s, hit);
	move_all(s);
	load(s, miss);
	detect(s, r, hit);
	if (ask(s, "SELECT count(*) FROM finding") != alone ||
	    ask(s, "SELECT count(*) FROM finding WHERE machine_id > 1000") != alone)
		fail(miss, "beside the hit fixture as another machine, the findings differ");
	store_destroy(s);
}

static void check_rule(const char *folder, const struct inq_rule *r)
{
	char pattern[512];
	glob_t hits, misses;

	snprintf(pattern, sizeof(pattern), "%s/%s.hit*.sql", folder, r->id);
	if (glob(pattern, 0, NULL, &hits))
		die(pattern, "no such fixture");
	snprintf(pattern, sizeof(pattern), "%s/%s.miss*.sql", folder, r->id);
	if (glob(pattern, 0, NULL, &misses))
		die(pattern, "no such fixture");
	for (size_t i = 0; i < misses.gl_pathc; i++)
		if (findings(r, misses.gl_pathv[i]))
			fail(misses.gl_pathv[i], "the rule fires");
	for (size_t h = 0; h < hits.gl_pathc; h++) {
		int64_t alone = findings(r, hits.gl_pathv[h]);
		if (alone < 1)
			fail(hits.gl_pathv[h], "the rule is silent");
		for (size_t i = 0; i < misses.gl_pathc; i++)
			check_pair(r, hits.gl_pathv[h], misses.gl_pathv[i], alone);
	}
	printf("%s: %zu hits, %zu misses\n", r->id, hits.gl_pathc, misses.gl_pathc);
	globfree(&hits);
	globfree(&misses);
}

/* A fixture that no rule claims is a rule that was renamed. */
static void check_strays(const char *folder)
{
	char pattern[512];
	glob_t all;

	snprintf(pattern, sizeof(pattern), "%s/*.sql", folder);
	if (glob(pattern, 0, NULL, &all))
		die(pattern, "no fixtures");
	for (size_t i = 0; i < all.gl_pathc; i++) {
		const char *name = strrchr(all.gl_pathv[i], '/') + 1;
		const struct inq_rule *r = analyzers_rules;
		while (r->id &&
		       (strncmp(name, r->id, strlen(r->id)) != 0 || name[strlen(r->id)] != '.'))
			r++;
		if (!r->id)
			fail(name, "no rule has this fixture");
	}
	globfree(&all);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	for (const struct inq_rule *r = analyzers_rules; r->id; r++)
		check_rule(argv[1], r);
	check_strays(argv[1]);
	return nr_failed != 0;
}
