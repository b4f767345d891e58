/*
 * Fault loops: from an empty index through collecting, rules, saving, opening and a view, with
 * allocation 1, 2, 3 ... failing until all goes well (the first few hundred each, then one in 13);
 * once, and from there on.  The same for every read, write and sync of SQLite.  A failure must be
 * reported, and leave nothing behind.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/store/lab.h"
#include "views/query.h"
#include "views/view.h"

static struct {
	long left;    /* operations before the failing one; below 0: no fault */
	bool forever; /* every later one fails too */
	long nr;      /* operations seen */
} fault;

static bool fails(void)
{
	fault.nr++;
	if (fault.left < 0)
		return false;
	if (fault.left > 0) {
		fault.left--;
		return false;
	}
	if (!fault.forever)
		fault.left = -1;
	return true;
}

/* SQLite's allocator, and the C library's where our own code calls it (linked with --wrap). */
static bool memory_faults; /* otherwise I/O faults */
static sqlite3_mem_methods real_mem;

static void *faulty_malloc(int n)
{
	return memory_faults && fails() ? NULL : real_mem.xMalloc(n);
}
static void *faulty_realloc(void *p, int n)
{
	return memory_faults && fails() ? NULL : real_mem.xRealloc(p, n);
}

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
	return memory_faults && fails() ? NULL : __real_calloc(n, size);
}
char *__real_strdup(const char *s);
char *__wrap_strdup(const char *s);
char *__wrap_strdup(const char *s)
{
	return memory_faults && fails() ? NULL : __real_strdup(s);
}

/* A VFS above the real one whose files fail on demand. */
struct faulty_file {
	sqlite3_file base;
	sqlite3_file *real;
};
static sqlite3_vfs *real_vfs;
static sqlite3_io_methods methods;

#define REAL(f) (((struct faulty_file *)(f))->real)
static int f_close(sqlite3_file *f)
{
	int rc = REAL(f)->pMethods ? REAL(f)->pMethods->xClose(REAL(f)) : SQLITE_OK;
	sqlite3_free(REAL(f));
	return rc;
}
static int f_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
	return !memory_faults && fails() ? SQLITE_IOERR_READ
					 : REAL(f)->pMethods->xRead(REAL(f), p, n, at);
}
static int f_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
	return !memory_faults && fails() ? SQLITE_FULL
					 : REAL(f)->pMethods->xWrite(REAL(f), p, n, at);
}
static int f_truncate(sqlite3_file *f, sqlite3_int64 n)
{
	return !memory_faults && fails() ? SQLITE_IOERR_TRUNCATE
					 : REAL(f)->pMethods->xTruncate(REAL(f), n);
}
static int f_sync(sqlite3_file *f, int flags)
{
	return !memory_faults && fails() ? SQLITE_IOERR_FSYNC
					 : REAL(f)->pMethods->xSync(REAL(f), flags);
}
static int f_size(sqlite3_file *f, sqlite3_int64 *n)
{
	return !memory_faults && fails() ? SQLITE_IOERR_FSTAT
					 : REAL(f)->pMethods->xFileSize(REAL(f), n);
}
static int f_lock(sqlite3_file *f, int l)
{
	return REAL(f)->pMethods->xLock(REAL(f), l);
}
static int f_unlock(sqlite3_file *f, int l)
{
	return REAL(f)->pMethods->xUnlock(REAL(f), l);
}
static int f_reserved(sqlite3_file *f, int *r)
{
	return REAL(f)->pMethods->xCheckReservedLock(REAL(f), r);
}
static int f_control(sqlite3_file *f, int op, void *arg)
{
	return REAL(f)->pMethods->xFileControl(REAL(f), op, arg);
}
static int f_sector(sqlite3_file *f)
{
	return REAL(f)->pMethods->xSectorSize(REAL(f));
}
static int f_device(sqlite3_file *f)
{
	return REAL(f)->pMethods->xDeviceCharacteristics(REAL(f));
}

static int v_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
	(void)vfs;
	f->pMethods = NULL;
	if (!memory_faults && fails())
		return SQLITE_CANTOPEN;
	REAL(f) = sqlite3_malloc(real_vfs->szOsFile);
	if (!REAL(f))
		return SQLITE_NOMEM;
	memset(REAL(f), 0, (size_t)real_vfs->szOsFile);
	int rc = real_vfs->xOpen(real_vfs, name, REAL(f), flags, out);
	if (rc && !REAL(f)->pMethods) {
		sqlite3_free(REAL(f));
		return rc;
	}
	f->pMethods = &methods;
	return rc;
}

static char folder[] = "/tmp/inquest-faults-XXXXXX";
static char path[64];

static int nr_files(void)
{
	DIR *d = opendir(folder);
	int n = 0;

	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static const struct inq_column cols[] = {{"id", INQ_INT, "which"}, {"note", INQ_TEXT, "what"}, {0}};
static enum inq_status run(const struct inq_machine *m, struct inq_sink *out, struct inq_err *err)
{
	struct inq_err why = {0};
	enum inq_status st = INQ_ROW(out, err, INQ_V_INT(1), INQ_V_TEXT("bad"));
	if (st)
		return st;
	(void)!inq_fail(&why, INQ_EABSENT, "page was not dumped");
	return m->machine_id == 1 ? INQ_OK : inq_gap(out, m->spaces[0], 0, 1, &why, err);
}
static const struct inq_collector thing = {"thing", "test", cols, 1, run};
static const struct inq_rule rule = {
	.id = "r",
	.severity = "error",
	.confidence = "proof",
	.title = "t",
	.why = "w",
	.fix = "f",
	.needs = {"thing"},
	.sql = "SELECT id AS key, machine_id, 's' AS subject, note AS detail FROM thing;"
	       "SELECT id AS key, machine_id, 'thing' AS tbl, rowid AS row, note AS text FROM "
	       "thing;",
};

static enum inq_status fill(struct store *s, struct inq_err *err)
{
	struct lab l;
	lab_init(&l);
	enum inq_status st = store_add_machine(s, &l.machine, err);
	if (!st)
		st = store_collect(s, &thing, &l.machine, err);
	return st ? st : store_detect(s, &rule, err);
}

static enum inq_status look(struct store *s, struct inq_err *err)
{
	char *text = NULL;
	FILE *null = fopen("/dev/null", "w");
	enum inq_status st = view_print(s, view_find("findings"), NULL, VIEW_FORM_TEXT, null, err);

	if (!st)
		st = view_print(s, view_find("finding"), NULL, VIEW_FORM_JSON, null, err);
	if (!st)
		st = query_print(s, "SELECT note, hex64(id) FROM thing", VIEW_FORM_JSON, null, err);
	if (!st)
		st = query_text(s, "SELECT group_concat(rule) FROM finding", &text, err);
	fclose(null);
	if (!st)
		assert_string_equal(text, "r"); /* a success is a right answer */
	free(text);
	return st;
}

static enum inq_status everything(struct inq_err *err)
{
	struct store *s = NULL, *found = NULL;
	enum inq_status st = store_create(&s, err);

	if (!st)
		st = fill(s, err);
	if (!st)
		st = store_save(s, path, err);
	if (!st)
		st = store_open(path, &found, err);
	if (!st)
		st = look(found, err);
	store_destroy(s);
	store_destroy(found);
	return st;
}

static void loop(bool forever)
{
	long at = 0, failed = 0;

	for (bool good = false; !good; at += at < 300 ? 1 : 13) {
		struct inq_err err = {0};
		unlink(path);
		fault.left = at;
		fault.forever = forever;
		fault.nr = 0;
		enum inq_status st = everything(&err);
		good = fault.nr <= at; /* the failing one was never reached */
		fault.left = -1;
		failed += st != INQ_OK;
		if (good && st)
			fail_msg("without a fault: %s", err.msg);
		if (st && !err.msg[0])
			fail_msg("fault %ld: status %d without a message", at, st);
		if (nr_files() > 1)
			fail_msg("fault %ld leaves a file: %s", at, err.msg);
		assert_true(at < 100000);
	}
	print_message("# %ld operations, %ld failures reported\n", fault.nr, failed);
	assert_true(failed > 20);
}

static void every_allocation_may_fail_once(void **state)
{
	(void)state;
	memory_faults = true;
	loop(false);
}

static void every_allocation_may_fail_for_good(void **state)
{
	(void)state;
	memory_faults = true;
	loop(true);
}

static void every_read_and_write_may_fail_once(void **state)
{
	(void)state;
	memory_faults = false;
	loop(false);
}

static void every_read_and_write_may_fail_for_good(void **state)
{
	(void)state;
	memory_faults = false;
	loop(true);
}

static int setup(void **state)
{
	static sqlite3_mem_methods mem;
	static sqlite3_vfs vfs;

	(void)state;
	fault.left = -1;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/x.inq", folder);
	sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_mem);
	mem = real_mem;
	mem.xMalloc = faulty_malloc;
	mem.xRealloc = faulty_realloc;
	if (sqlite3_config(SQLITE_CONFIG_MALLOC, &mem) ||
	    sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0) || sqlite3_initialize())
		return -1;
	real_vfs = sqlite3_vfs_find(NULL);
	vfs = *real_vfs;
	vfs.zName = "faulty";
	vfs.szOsFile = (int)sizeof(struct faulty_file);
	vfs.xOpen = v_open;
	methods = (sqlite3_io_methods){.iVersion = 1,
				       .xClose = f_close,
				       .xRead = f_read,
				       .xWrite = f_write,
				       .xTruncate = f_truncate,
				       .xSync = f_sync,
				       .xFileSize = f_size,
				       .xLock = f_lock,
				       .xUnlock = f_unlock,
				       .xCheckReservedLock = f_reserved,
				       .xFileControl = f_control,
				       .xSectorSize = f_sector,
				       .xDeviceCharacteristics = f_device};
	return sqlite3_vfs_register(&vfs, 1);
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_allocation_may_fail_once),
		cmocka_unit_test(every_allocation_may_fail_for_good),
		cmocka_unit_test(every_read_and_write_may_fail_once),
		cmocka_unit_test(every_read_and_write_may_fail_for_good),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
