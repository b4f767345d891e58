/*
 * usage: make_index OUT.inq ROWS.sql: an index with the tables of all collectors, holding the rows
 * of an SQL file.  No dump and no rule is involved, so that screens depend on views alone.
 */
#include <stdio.h>
#include <stdlib.h>

#include <sqlite3.h>

#include "analyzers/collect/collectors.h"
#include "store/store.h"

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "make_index: %s: %s\n", what, why);
	return 1;
}

static char *slurp(const char *path)
{
	char *text = NULL;
	size_t room = 0;
	FILE *f = fopen(path, "r");

	if (f && getdelim(&text, &room, '\0', f) < 0) {
		free(text);
		text = NULL;
	}
	if (f)
		fclose(f);
	return text;
}

static int fill(struct store *s, const char *rows)
{
	struct inq_err err = {0};

	for (size_t i = 0; collector_at(i); i++)
		if (store_create_table(s, collector_at(i), &err))
			return fail(collector_at(i)->table, err.msg);
	if (sqlite3_exec(store_db(s), rows, NULL, NULL, NULL))
		return fail("rows", sqlite3_errmsg(store_db(s)));
	return 0;
}

/* As it stands, by SQLite's own means. */
static int save(struct store *s, const char *path)
{
	sqlite3 *file = NULL;
	int rc = sqlite3_open(path, &file);
	sqlite3_backup *copy = rc ? NULL : sqlite3_backup_init(file, "main", store_db(s), "main");

	if (copy) {
		sqlite3_backup_step(copy, -1);
		rc = sqlite3_backup_finish(copy);
	}
	if (rc || !copy)
		fail(path, sqlite3_errmsg(file));
	return sqlite3_close(file) || rc || !copy;
}

int main(int argc, char **argv)
{
	struct inq_err err = {0};
	struct store *s = NULL;
	char *rows = argc == 3 ? slurp(argv[2]) : NULL;

	if (!rows)
		return fail("usage", "make_index OUT.inq ROWS.sql");
	if (store_create(&s, &err)) {
		free(rows);
		return fail("store", err.msg);
	}
	int rc = fill(s, rows);
	if (!rc)
		rc = save(s, argv[1]);
	store_destroy(s);
	free(rows);
	return rc;
}
