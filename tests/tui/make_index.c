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
	if (!rc && store_save(s, argv[1], &err))
		rc = fail(argv[1], err.msg);
	store_destroy(s);
	free(rows);
	return rc;
}
