/* A file that is complete or not there, whatever comes in between. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "snap/out.h"

/* In place of the C library's: what the disk was told to begin with. */
static struct {
	unsigned calls;
	uint64_t end; /* of the last one */
} begun;

int __wrap_sync_file_range(int fd, off64_t off, off64_t n, unsigned flags);
int __wrap_sync_file_range(int fd, off64_t off, off64_t n, unsigned flags)
{
	(void)fd;
	(void)flags;
	begun.calls++;
	begun.end = (uint64_t)(off + n);
	return 0;
}

/* Each test has a folder of its own as working folder. */
static int enter(void **state)
{
	char dir[] = "/tmp/inquest-out-XXXXXX";

	if (!mkdtemp(dir) || chdir(dir))
		return -1;
	*state = strdup(dir);
	return *state ? 0 : -1;
}

static unsigned nr_files(const char *dir, bool remove)
{
	DIR *d = opendir(dir);
	unsigned n = 0;

	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
			n++;
			if (remove)
				assert_int_equal(unlinkat(dirfd(d), e->d_name, 0), 0);
		}
	closedir(d);
	return n;
}

static int leave(void **state)
{
	(void)nr_files(*state, true);
	int r = chdir("/") || rmdir(*state);
	free(*state);
	return r;
}

static void a_committed_file_is_there_alone(void **state)
{
	struct snap_out o;
	struct inq_err err;
	struct stat sb;

	assert_int_equal(snap_out_open(&o, "a.core", &err), INQ_OK);
	assert_int_equal(snap_out_write(&o, "xyz", 3, 5, &err), INQ_OK);
	assert_int_equal(access("a.core", F_OK), -1);
	assert_int_equal(snap_out_commit(&o, &err), INQ_OK);
	snap_out_close(&o);
	assert_int_equal(stat("a.core", &sb), 0);
	assert_int_equal(sb.st_size, 8);
	assert_int_equal(sb.st_mode & 0777, 0600);
	assert_int_equal(nr_files(*state, false), 1);
}

/* Every other page, as a memory full of holes is written. */
static void short_runs_are_begun_together(void **state)
{
	enum { RUNS = 8192, PAGE = 4096 };
	static const uint8_t page[PAGE] = {1};
	struct snap_out o;
	struct inq_err err;

	(void)state;
	begun.calls = 0;
	assert_int_equal(snap_out_open(&o, "a.core", &err), INQ_OK);
	for (uint64_t i = 0; i < RUNS; i++)
		assert_int_equal(snap_out_write(&o, page, PAGE, 2 * i * PAGE, &err), INQ_OK);
	assert_int_equal(begun.calls, RUNS * PAGE / (8 << 20));
	assert_int_equal(begun.end, (2 * RUNS - 1) * (uint64_t)PAGE);
	snap_out_close(&o);
}

static void put_file(const char *name, const void *p, size_t n)
{
	int fd = open(name, O_CREAT | O_WRONLY, 0600);

	assert_int_equal(write(fd, p, n), n);
	close(fd);
}

static void what_is_no_core_is_never_replaced(void **state)
{
	char program[64] = "\177ELF";
	struct snap_out o;
	struct inq_err err;
	struct stat sb;

	program[16] = 2; /* ET_EXEC */
	put_file("letter", "dear aunt, this is no core at all", 33);
	put_file("short", "\177ELF", 4);
	put_file("program", program, sizeof(program));
	put_file("empty", "", 0);
	assert_int_equal(mkfifo("pipe", 0600), 0);
	assert_int_equal(symlink("/dev/null", "null"), 0);
	static const char *const kept[] = {"letter", "short", "program", "pipe", "null"};
	for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++) {
		assert_int_equal(snap_out_open(&o, kept[i], &err), INQ_EUSAGE);
		assert_non_null(strstr(err.msg, ": exists and is no core; "));
	}
	assert_int_equal(stat("letter", &sb), 0);
	assert_int_equal(sb.st_size, 33);
	assert_int_equal(nr_files(*state, false), 6);
	assert_int_equal(snap_out_open(&o, "empty", &err), INQ_OK);
	snap_out_close(&o);
}

static void an_abandoned_file_leaves_nothing_and_spares_the_old_one(void **state)
{
	struct snap_out o;
	struct inq_err err;
	char text[4] = "";

	char old[64] = "\177ELF";

	old[16] = 4; /* ET_CORE */
	strcpy(old + 20, "old");
	put_file("a.core", old, sizeof(old));
	assert_int_equal(snap_out_open(&o, "a.core", &err), INQ_OK);
	assert_int_equal(snap_out_write(&o, "new", 3, 0, &err), INQ_OK);
	snap_out_close(&o);
	int fd = open("a.core", O_RDONLY);
	assert_int_equal(pread(fd, text, 3, 20), 3);
	close(fd);
	assert_string_equal(text, "old");
	assert_int_equal(nr_files(*state, false), 1);
}

static void places_that_cannot_be_written_are_usage_errors(void **state)
{
	static const char *const bad[] = {"no-such/x", "/proc/x", ".", "sub", "sub/", "/"};
	struct snap_out o;
	struct inq_err err;

	(void)state;
	assert_int_equal(mkdir("sub", 0700), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(snap_out_open(&o, bad[i], &err), INQ_EUSAGE);
		assert_memory_equal(err.msg, bad[i], strlen(bad[i]));
		assert_non_null(strstr(err.msg, "; give "));
	}
	assert_int_equal(rmdir("sub"), 0);
}

static void a_full_disk_is_said_and_leaves_nothing(void **state)
{
	struct rlimit old, small;
	struct snap_out o;
	struct inq_err err;
	static const uint8_t block[1 << 16] = {1};

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = 1 << 16;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(snap_out_open(&o, "a.core", &err), INQ_OK);
	assert_int_equal(snap_out_write(&o, block, sizeof(block), 0, &err), INQ_OK);
	assert_int_equal(snap_out_write(&o, block, sizeof(block), sizeof(block), &err), INQ_EIO);
	snap_out_close(&o);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_non_null(strstr(err.msg, "a.core: File too large; make room"));
	assert_int_equal(nr_files(*state, false), 0);
}

static void a_pending_signal_ends_writing_and_leaves_nothing(void **state)
{
	struct snap_out o;
	struct inq_err err;
	sigset_t term;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	assert_int_equal(sigprocmask(SIG_BLOCK, &term, NULL), 0);
	assert_int_equal(snap_out_open(&o, "a.core", &err), INQ_OK);
	assert_int_equal(snap_out_write(&o, "x", 1, 0, &err), INQ_OK);
	raise(SIGTERM);
	assert_int_equal(snap_out_signal(), SIGTERM);
	assert_int_equal(snap_out_write(&o, "x", 1, 0, &err), INQ_EINTR);
	assert_int_equal(snap_out_commit(&o, &err), INQ_EINTR);
	snap_out_close(&o);
	assert_int_equal(nr_files(*state, false), 0);
	signal(SIGTERM, SIG_IGN); /* takes the pending one away */
	signal(SIGTERM, SIG_DFL);
	assert_int_equal(sigprocmask(SIG_UNBLOCK, &term, NULL), 0);
}

/* Write "new" over a.core, say so after that many of the calls that it takes, wait for the end. */
static void write_until(unsigned calls, int ready)
{
	struct snap_out o;
	struct inq_err err;

	for (unsigned i = 0; i < calls; i++)
		if (i == 0   ? snap_out_open(&o, "a.core", &err)
		    : i < 3  ? snap_out_write(&o, "new", 3, UINT64_C(4096) * (i - 1), &err)
		    : i == 3 ? snap_out_resize(&o, 1 << 20, &err)
			     : snap_out_commit(&o, &err))
			_exit(1);
	if (write(ready, "r", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static void kill_after(unsigned calls)
{
	int ready[2], how;
	char c;

	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	if (!pid) {
		close(ready[0]);
		write_until(calls, ready[1]);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &how, 0), pid);
	assert_true(WIFSIGNALED(how));
	close(ready[0]);
}

enum { CALLS = 5 }; /* open, write, write, resize, commit */

static void a_killed_writer_leaves_no_file_under_the_name(void **state)
{
	for (unsigned calls = 1; calls < CALLS; calls++) {
		kill_after(calls);
		assert_int_equal(access("a.core", F_OK), -1);
		assert_int_equal(nr_files(*state, true), 1); /* the temporary name */
	}
}

static void a_killed_writer_spares_the_old_file(void **state)
{
	char old[64] = "\177ELF", now[64];
	struct stat sb;

	old[16] = 4; /* ET_CORE */
	strcpy(old + 20, "old");
	for (unsigned calls = 1; calls <= CALLS; calls++) {
		bool committed = calls == CALLS;

		put_file("a.core", old, sizeof(old));
		kill_after(calls);
		assert_int_equal(stat("a.core", &sb), 0);
		assert_int_equal(sb.st_size, committed ? 1 << 20 : (int)sizeof(old));
		int fd = open("a.core", O_RDONLY);
		assert_int_equal(read(fd, now, sizeof(now)), sizeof(now));
		close(fd);
		assert_memory_equal(now, committed ? "new" : old, committed ? 3 : sizeof(old));
		assert_int_equal(nr_files(*state, true), committed ? 1 : 2);
	}
}

static void a_signal_that_is_ignored_ends_nothing(void **state)
{
	sigset_t held;
	int got;

	(void)state;
	signal(SIGHUP, SIG_IGN); /* as nohup does */
	snap_out_hold_signals();
	raise(SIGHUP);
	assert_int_equal(snap_out_signal(), 0);
	raise(SIGQUIT);
	assert_int_equal(snap_out_signal(), SIGQUIT);
	sigemptyset(&held);
	sigaddset(&held, SIGQUIT);
	assert_int_equal(sigwait(&held, &got), 0);
	sigaddset(&held, SIGINT);
	sigaddset(&held, SIGTERM);
	sigaddset(&held, SIGUSR1);
	pthread_sigmask(SIG_UNBLOCK, &held, NULL);
	signal(SIGHUP, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_committed_file_is_there_alone, enter, leave),
		cmocka_unit_test_setup_teardown(short_runs_are_begun_together, enter, leave),
		cmocka_unit_test_setup_teardown(what_is_no_core_is_never_replaced, enter, leave),
		cmocka_unit_test_setup_teardown(
			an_abandoned_file_leaves_nothing_and_spares_the_old_one, enter, leave),
		cmocka_unit_test_setup_teardown(places_that_cannot_be_written_are_usage_errors,
						enter, leave),
		cmocka_unit_test_setup_teardown(a_full_disk_is_said_and_leaves_nothing, enter,
						leave),
		cmocka_unit_test_setup_teardown(a_pending_signal_ends_writing_and_leaves_nothing,
						enter, leave),
		cmocka_unit_test_setup_teardown(a_killed_writer_leaves_no_file_under_the_name,
						enter, leave),
		cmocka_unit_test_setup_teardown(a_killed_writer_spares_the_old_file, enter, leave),
		cmocka_unit_test(a_signal_that_is_ignored_ends_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
