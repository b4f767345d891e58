/* An index reaches the disk whole or not at all, and one that is found there is not trusted. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/store/lab.h"
#include "views/view.h"

static char folder[] = "/tmp/inquest-store-XXXXXX";
static char path[64];

static int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/x?y#%%z.inq", folder); /* odd on purpose */
	return 0;
}

static int nr_files(void)
{
	DIR *d = opendir(folder);
	int n = 0;

	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static int clean(void **state)
{
	(void)state;
	DIR *d = opendir(folder);

	for (struct dirent *e; (e = readdir(d));)
		if (e->d_name[0] != '.')
			unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

static struct store *filled(void)
{
	struct lab l;
	lab_init(&l);
	struct store *s = lab_store(&l);
	run_sql(s, "CREATE TABLE thing(machine_id, id, note);"
		   "INSERT INTO thing VALUES(1, 1, 'bad')");
	return s;
}

static void save(void)
{
	struct inq_err err = {0};
	struct store *s = filled();

	if (store_save(s, path, &err))
		fail_msg("%s", err.msg);
	store_destroy(s);
}

static void a_saved_index_opens_and_says_the_same(void **state)
{
	(void)state;
	struct inq_err err = {0};
	struct store *s = NULL;

	save();
	assert_true(store_is_index(path));
	assert_int_equal(nr_files(), 1);
	assert_int_equal(store_open(path, &s, &err), INQ_OK);
	assert_true(store_read_only(s));
	assert_says(s, "SELECT note || hex64(-1) FROM thing", "bad0xffffffffffffffff");
	assert_says(s, "SELECT count(*) FROM space", "2");
	assert_int_not_equal(sqlite3_exec(store_db(s), "DELETE FROM thing", NULL, NULL, NULL),
			     SQLITE_OK);
	store_destroy(s);
}

static void an_old_index_is_replaced_and_nothing_else_is(void **state)
{
	(void)state;
	struct inq_err err = {0};
	struct store *s = filled();
	char other[80];

	save();
	assert_int_equal(store_save(s, path, &err), INQ_OK);
	assert_int_equal(nr_files(), 1);
	snprintf(other, sizeof(other), "%s/letter", folder);
	FILE *f = fopen(other, "w");
	fputs("dear aunt", f);
	fclose(f);
	assert_int_equal(store_save(s, other, &err), INQ_EUSAGE);
	assert_string_equal(err.msg, "exists and is no index, remove it first");
	assert_int_equal(store_save(s, folder, &err), INQ_EUSAGE);
	assert_int_equal(store_save(s, "/dev/null", &err), INQ_EUSAGE);
	assert_int_equal(store_save(s, "/nonexistent/x.inq", &err), INQ_EIO);
	assert_string_equal(err.msg, "temporary file: No such file or directory");
	assert_int_equal(nr_files(), 2);
	store_destroy(s);
}

/* Save in a child that may write limit bytes to a file. */
static int save_limited(rlim_t limit)
{
	pid_t pid = fork();

	if (!pid) {
		struct inq_err err = {0};
		struct store *s = filled();
		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &(struct rlimit){limit, limit});
		enum inq_status st = store_save(s, path, &err);
		_exit(st == INQ_OK ? 0 : st == INQ_EIO && err.msg[0] ? 1 : 2);
	}
	int status = 0;
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void a_full_disk_leaves_the_old_index_or_none(void **state)
{
	(void)state;
	rlim_t limit = 0;
	struct stat before, after;

	while (save_limited(limit) == 1) { /* every length at which it may break */
		assert_int_equal(nr_files(), 0);
		limit += 4096;
		assert_true(limit < (1 << 20));
	}
	assert_int_equal(nr_files(), 1);
	assert_int_equal(stat(path, &before), 0);
	assert_int_equal(save_limited(limit - 4096), 1);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(nr_files(), 1);
}

/* Change the saved file with plain SQL, then try to open it. */
static enum inq_status open_changed(const char *sql, char *msg)
{
	struct inq_err err = {0};
	struct store *s = NULL;
	sqlite3 *db = NULL;

	save();
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
	if (sqlite3_exec(db, sql, NULL, NULL, NULL))
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	sqlite3_close(db);
	enum inq_status st = store_open(path, &s, &err);
	store_destroy(s);
	memcpy(msg, err.msg, sizeof(err.msg));
	return st;
}

static void a_strangers_schema_is_refused(void **state)
{
	(void)state;
	static const struct {
		const char *sql, *says;
		enum inq_status st;
	} t[] = {
		{"PRAGMA application_id = 7", "not an index of inquest", INQ_EUNSUPPORTED},
		{"PRAGMA user_version = 1", "index: schema version is 0x1, expected 0x2",
		 INQ_EUNSUPPORTED},
		{"DROP TABLE gap", "index: table gap is missing", INQ_ECORRUPT},
		{"ALTER TABLE gap ADD COLUMN x", "index: table gap is not as we make it",
		 INQ_ECORRUPT},
		{"CREATE VIEW v AS SELECT 1", "index: holds what no index holds: view v",
		 INQ_ECORRUPT},
		{"DROP TABLE thing; CREATE VIEW thing AS WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL"
		 " SELECT n FROM c) SELECT n FROM c",
		 "index: holds what no index holds: view thing", INQ_ECORRUPT},
		{"CREATE TRIGGER t AFTER INSERT ON gap BEGIN SELECT 1; END",
		 "index: holds what no index holds: trigger t", INQ_ECORRUPT},
		{"CREATE TABLE g(a, b AS (hex(a || a || a)))",
		 "index: holds what no index holds: computed column g.b", INQ_ECORRUPT},
		{"CREATE INDEX i ON thing(abs(id))", "index: holds what no index holds: index i",
		 INQ_ECORRUPT},
		{"PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql ="
		 " 'CREATE VIRTUAL TABLE thing USING fts5(x)', rootpage = 0 WHERE name = 'thing'",
		 "index: holds what no index holds: table thing", INQ_ECORRUPT},
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		char msg[256];
		assert_int_equal(open_changed(t[i].sql, msg), t[i].st);
		assert_string_equal(msg, t[i].says);
		clean(NULL);
	}
}

static void what_is_no_index_is_not_opened(void **state)
{
	(void)state;
	struct inq_err err = {0};
	struct store *s = NULL;

	assert_int_equal(store_open("/nonexistent", &s, &err), INQ_EIO);
	assert_string_equal(err.msg, "No such file or directory");
	assert_int_equal(store_open(folder, &s, &err), INQ_EUNSUPPORTED);
	assert_int_equal(store_open("/proc/self/exe", &s, &err), INQ_EUNSUPPORTED);
	assert_false(store_is_index("/dev/zero"));
	assert_null(s);
}

static uint8_t *slurp(size_t *ret_n)
{
	struct stat sb;
	FILE *f = fopen(path, "rb");

	fstat(fileno(f), &sb);
	uint8_t *bytes = malloc((size_t)sb.st_size);
	*ret_n = fread(bytes, 1, (size_t)sb.st_size, f);
	fclose(f);
	return bytes;
}

static void write_bytes(const uint8_t *bytes, size_t n)
{
	FILE *f = fopen(path, "wb");

	fwrite(bytes, 1, n, f);
	fclose(f);
}

/* Whatever opens must answer or fail; nothing may crash or hang. */
static int try_index(void)
{
	struct inq_err err = {0};
	struct store *s = NULL;

	if (store_open(path, &s, &err))
		return 0;
	FILE *null = fopen("/dev/null", "w");
	(void)!view_print(s, view_find("findings"), NULL, VIEW_FORM_TEXT, null, &err);
	(void)!view_print(s, view_find("spaces"), NULL, VIEW_FORM_JSON, null, &err);
	fclose(null);
	store_destroy(s);
	return 1;
}

static void every_truncation_is_refused(void **state)
{
	(void)state;
	size_t n;

	save();
	uint8_t *bytes = slurp(&n);
	for (size_t cut = 0; cut < n; cut += cut < 200 ? 1 : 509) {
		write_bytes(bytes, cut);
		if (try_index())
			fail_msg("opens when cut to %zu of %zu bytes", cut, n);
	}
	free(bytes);
}

static void no_flipped_byte_does_harm(void **state)
{
	(void)state;
	size_t n;
	int opened = 0, tried = 0;

	save();
	uint8_t *bytes = slurp(&n);
	for (size_t at = 0; at < n; at += at < 110 ? 1 : at < 4096 ? 5 : 97) {
		if (at >= 4096 && !bytes[at])
			continue;
		bytes[at] ^= 0xff;
		write_bytes(bytes, n);
		opened += try_index();
		tried++;
		bytes[at] ^= 0xff;
	}
	free(bytes);
	print_message("# %d of %d still open\n", opened, tried);
	assert_true(opened < tried);
}

int main(void)
{
#define T(f) cmocka_unit_test_teardown(f, clean)
	const struct CMUnitTest tests[] = {
		T(a_saved_index_opens_and_says_the_same),
		T(an_old_index_is_replaced_and_nothing_else_is),
		T(a_full_disk_leaves_the_old_index_or_none),
		T(a_strangers_schema_is_refused),
		T(what_is_no_index_is_not_opened),
		T(every_truncation_is_refused),
		T(no_flipped_byte_does_harm),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
