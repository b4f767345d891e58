/*
 * Knows how an index is opened: a fresh one in memory, or a found one, which is hostile.
 * Source for the defences: sqlite.org/security.html, "Untrusted SQLite Database Files".
 */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/internal.h"

INQ_DEFINE_SCOPE(struct store, store_destroy)

struct sqlite3 *store_db(struct store *s)
{
	return s->db;
}

int store_read_only(const struct store *s)
{
	return s->read_only;
}

void store_on_stop(struct store *s, store_stop_fn *fn, void *ctx)
{
	s->stop = fn;
	s->stop_ctx = ctx;
}

static int on_progress(void *ctx)
{
	struct store *s = ctx;

	if (store_stopped(s))
		return 1;
	if (s->budget_on && --s->budget < 0)
		s->budget_spent = true;
	return s->budget_on && s->budget_spent;
}

void store_destroy(struct store *s)
{
	if (s)
		sqlite3_close_v2(s->db);
	free(s);
}

/* Neither a found index nor a rule or a question needs more. */
static void set_limits(sqlite3 *db)
{
	static const int limits[][2] = {{SQLITE_LIMIT_LENGTH, 64 << 20},
					{SQLITE_LIMIT_SQL_LENGTH, 1 << 20},
					{SQLITE_LIMIT_COLUMN, 200},
					{SQLITE_LIMIT_EXPR_DEPTH, 200},
					{SQLITE_LIMIT_COMPOUND_SELECT, 50},
					{SQLITE_LIMIT_VDBE_OP, 250000},
					{SQLITE_LIMIT_FUNCTION_ARG, 60},
					{SQLITE_LIMIT_ATTACHED, 1}, /* VACUUM INTO takes one */
					{SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000},
					{SQLITE_LIMIT_VARIABLE_NUMBER, 100},
					{SQLITE_LIMIT_TRIGGER_DEPTH, 1}};

	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++)
		(void)sqlite3_limit(db, limits[i][0], limits[i][1]);
}

static enum inq_status open_connection(const char *name, int flags, struct store **ret_store,
				       struct inq_err *err)
{
	INQ_SCOPED(store_destroy_scope_) struct store *s = calloc(1, sizeof(*s));

	if (!s)
		return inq_fail(err, INQ_ENOMEM, "index");
	if (sqlite3_open_v2(name, &s->db, flags | SQLITE_OPEN_NOMUTEX, NULL))
		return s->db ? sql_fail(s->db, INQ_EIO, "sqlite", err)
			     : inq_fail(err, INQ_ENOMEM, "sqlite");
	set_limits(s->db);
	sqlite3_progress_handler(s->db, STORE_STEPS_PER_CALL, on_progress, s);
	enum inq_status st = store_functions_register(s->db, err);
	if (st)
		return st;
	*ret_store = inq_take(s);
	return INQ_OK;
}

static const char fill_meta[] =
	"INSERT INTO meta VALUES('schema_version', ?1), ('producer', 'inquest " INQ_VERSION "')";

static enum inq_status create_tables(struct store *s, struct inq_err *err)
{
	INQ_SCOPED(sql_str_free_scope_) sqlite3_str *pragmas = sqlite3_str_new(s->db);
	INQ_SCOPED(sql_stmt_free_scope_) sqlite3_stmt *q = NULL;

	sqlite3_str_appendf(
		pragmas,
		"PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA application_id = %d;"
		" PRAGMA user_version = %d",
		STORE_APPLICATION_ID, STORE_SCHEMA_VERSION);
	if (sqlite3_str_errcode(pragmas))
		return inq_fail(err, INQ_ENOMEM, "schema");
	enum inq_status st = sql_run(s->db, sqlite3_str_value(pragmas), err);
	if (!st)
		st = store_schema_create(s->db, err);
	if (!st)
		st = sql_prepare(s->db, fill_meta, &q, err);
	if (!st && sqlite3_bind_int(q, 1, STORE_SCHEMA_VERSION))
		st = sql_fail(s->db, INQ_EIO, "bind", err);
	return st ? st : sql_done(q, "meta", err);
}

enum inq_status store_create(struct store **ret_store, struct inq_err *err)
{
	INQ_SCOPED(store_destroy_scope_) struct store *s = NULL;
	/* not SQLITE_OPEN_MEMORY: VACUUM INTO would inherit it, and write to memory */
	enum inq_status st =
		open_connection(":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &s, err);

	if (!st)
		st = create_tables(s, err);
	if (!st)
		*ret_store = inq_take(s);
	return inq_wrap(err, st, "new index");
}

enum inq_status store_set_meta(struct store *s, const char *key, const char *value,
			       struct inq_err *err)
{
	INQ_SCOPED(sql_stmt_free_scope_) sqlite3_stmt *q = NULL;
	enum inq_status st =
		sql_prepare(s->db, "INSERT OR REPLACE INTO meta VALUES(?1, ?2)", &q, err);

	if (!st && (sql_bind_text(q, 1, key) || sql_bind_text(q, 2, value)))
		st = sql_fail(s->db, INQ_EIO, "bind", err);
	return st ? st : sql_done(q, "meta", err);
}

/* Before anything of the file is believed. */
static enum inq_status defend(sqlite3 *db, struct inq_err *err)
{
	static const int switches[][2] = {{SQLITE_DBCONFIG_DEFENSIVE, 1},
					  {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
					  {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},
					  {SQLITE_DBCONFIG_ENABLE_VIEW, 0},
					  {SQLITE_DBCONFIG_DQS_DDL, 0}};

	for (size_t i = 0; i < sizeof(switches) / sizeof(*switches); i++)
		if (sqlite3_db_config(db, switches[i][0], switches[i][1], NULL))
			return inq_fail(err, INQ_EIO, "sqlite refuses switch %d", switches[i][0]);
	return sql_run(db,
		       "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0;"
		       " PRAGMA temp_store = MEMORY",
		       err);
}

/* One PRAGMA that yields one value; the file is corrupt if it does not. */
static enum inq_status ask(sqlite3 *db, const char *sql, sqlite3_stmt **ret, struct inq_err *err)
{
	INQ_SCOPED(sql_stmt_free_scope_) sqlite3_stmt *q = NULL;

	if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) || sqlite3_step(q) != SQLITE_ROW)
		return sql_fail(db, INQ_ECORRUPT, sql, err);
	*ret = inq_take(q);
	return INQ_OK;
}

static enum inq_status check_number(sqlite3 *db, const char *sql, int expected, const char *what,
				    struct inq_err *err)
{
	INQ_SCOPED(sql_stmt_free_scope_) sqlite3_stmt *q = NULL;
	enum inq_status st = ask(db, sql, &q, err);

	if (st)
		return st;
	int n = sqlite3_column_int(q, 0);
	return n == expected ? INQ_OK
			     : inq_fail(err, INQ_EUNSUPPORTED, "%s is 0x%x, expected 0x%x", what,
					(unsigned)n, (unsigned)expected);
}

static enum inq_status check_pages(sqlite3 *db, struct inq_err *err)
{
	INQ_SCOPED(sql_stmt_free_scope_) sqlite3_stmt *q = NULL;
	enum inq_status st = ask(db, "PRAGMA quick_check(1)", &q, err);

	if (st)
		return st;
	const char *says = (const char *)sqlite3_column_text(q, 0);
	return says && !strcmp(says, "ok")
		       ? INQ_OK
		       : inq_fail(err, INQ_ECORRUPT, "%.150s", says ? says : "quick_check");
}

static enum inq_status check_found(sqlite3 *db, struct inq_err *err)
{
	enum inq_status st = defend(db, err);

	if (!st)
		st = check_number(db, "PRAGMA application_id", STORE_APPLICATION_ID,
				  "application id", err);
	if (!st)
		st = check_number(db, "PRAGMA user_version", STORE_SCHEMA_VERSION, "schema version",
				  err);
	if (!st)
		st = check_pages(db, err);
	return st ? st : store_schema_check(db, err);
}

/* immutable: neither locks nor a journal that lies beside the file are looked at. */
static void put_uri(sqlite3_str *s, const char *path)
{
	sqlite3_str_appendall(s, "file:");
	for (; *path; path++) {
		if (strchr("?#%", *path))
			sqlite3_str_appendf(s, "%%%02x", (unsigned)(unsigned char)*path);
		else
			sqlite3_str_appendchar(s, 1, *path);
	}
	sqlite3_str_appendall(s, "?immutable=1");
}

enum inq_status store_open(const char *path, struct store **ret_store, struct inq_err *err)
{
	INQ_SCOPED(sql_str_free_scope_) sqlite3_str *uri = sqlite3_str_new(NULL);
	INQ_SCOPED(store_destroy_scope_) struct store *s = NULL;

	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* access(2) asks no sandbox */
	if (fd < 0)
		return inq_fail(err, INQ_EIO, "%s", strerror(errno));
	close(fd);
	if (!store_is_index(path))
		return inq_fail(err, INQ_EUNSUPPORTED, "not an index of inquest");
	put_uri(uri, path);
	if (sqlite3_str_errcode(uri))
		return inq_fail(err, INQ_ENOMEM, "name of the index");
	enum inq_status st = open_connection(sqlite3_str_value(uri),
					     SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, &s, err);
	if (!st)
		st = check_found(s->db, err);
	if (st)
		return inq_wrap(err, st, "index");
	s->read_only = true;
	*ret_store = inq_take(s);
	return INQ_OK;
}

/* Source: sqlite.org/fileformat2.html, "The Database Header": the id stands at 68, big-endian. */
int store_is_index(const char *path)
{
	uint8_t head[72];
	struct stat sb;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return 0;
	ssize_t n = !fstat(fd, &sb) && S_ISREG(sb.st_mode) ? pread(fd, head, sizeof(head), 0) : -1;
	close(fd);
	if (n != sizeof(head) || memcmp(head, "SQLite format 3", 16) != 0)
		return 0;
	uint32_t id = (uint32_t)head[68] << 24 | (uint32_t)head[69] << 16 |
		      (uint32_t)head[70] << 8 | head[71];
	return id == STORE_APPLICATION_ID;
}
