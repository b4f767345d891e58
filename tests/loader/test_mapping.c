/* Files that change under us, and files that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mapping.h"
#include "loader/loaders.h"
#include "tests/built/built.h"

#define PAGE ((size_t)4096)

static struct mapping *map_pages(size_t n, int *ret_fd)
{
	char path[32];
	uint8_t *bytes = test_malloc(n);
	struct mapping *m;
	struct inq_err err;

	memset(bytes, 0x5a, n);
	*ret_fd = built_memfd(bytes, n, path);
	test_free(bytes);
	assert_int_equal(mapping_open(path, &m, &err), INQ_OK);
	assert_int_equal(m->n, n);
	return m;
}

static void a_file_that_shrinks_is_no_death(void **state)
{
	(void)state;
	int fd;
	struct mapping *m = map_pages(4 * PAGE, &fd);

	assert_false(mapping_lost(m));
	assert_int_equal(mapping_good(m, 0, 4 * PAGE), 4 * PAGE);
	assert_int_equal(ftruncate(fd, PAGE), 0);
	assert_int_equal(m->p[0], 0x5a);
	assert_int_equal(m->p[2 * PAGE + 5], 0); /* SIGBUS, without the handler */
	assert_int_equal(mapping_good(m, 0, 4 * PAGE), PAGE);
	assert_int_equal(mapping_good(m, PAGE - 1, 2), 1);
	assert_int_equal(mapping_good(m, 2 * PAGE, 1), 0);
	assert_true(mapping_lost(m));
	mapping_close(m);
	close(fd);
}

static void the_rest_of_the_last_page_is_lost_too(void **state)
{
	(void)state;
	int fd;
	struct mapping *m = map_pages(2 * PAGE, &fd);

	assert_int_equal(ftruncate(fd, PAGE + 10), 0);
	assert_int_equal(m->p[PAGE + 20], 0); /* no signal here: the kernel pads with zeros */
	assert_int_equal(mapping_good(m, PAGE, 20), 10);
	mapping_close(m);
	close(fd);
}

static void copies_end_where_the_file_ends_now(void **state)
{
	(void)state;
	const size_t n = 64 * PAGE; /* both ways: some bytes, and many */
	int fd;
	struct mapping *m = map_pages(n, &fd);
	uint8_t *buf = test_malloc(n);

	assert_int_equal(mapping_copy(m, 1, buf, n - 1), n - 1);
	assert_int_equal(mapping_copy(m, n - 7, buf, 7), 7);
	assert_int_equal(ftruncate(fd, (off_t)(40 * PAGE + 10)), 0);
	memset(buf, 0, n);
	assert_int_equal(mapping_copy(m, PAGE, buf, n - PAGE), 39 * PAGE + 10);
	for (size_t i = 0; i < 39 * PAGE + 10; i++)
		assert_int_equal(buf[i], 0x5a);
	assert_int_equal(mapping_copy(m, 40 * PAGE, buf, 20), 10);
	assert_int_equal(mapping_copy(m, 41 * PAGE, buf, 16 * PAGE), 0);
	test_free(buf);
	mapping_close(m);
	close(fd);
}

static void a_page_that_was_lost_stays_lost(void **state)
{
	(void)state;
	int fd;
	struct mapping *m = map_pages(4 * PAGE, &fd);

	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(m->p[PAGE], 0);
	assert_int_equal(ftruncate(fd, 4 * PAGE), 0); /* grown again, with other content */
	assert_int_equal(mapping_good(m, 0, 4 * PAGE), PAGE);
	assert_int_equal(mapping_good(m, PAGE, 1), 0);
	assert_int_equal(mapping_good(m, 2 * PAGE, PAGE), PAGE);
	mapping_close(m);
	close(fd);
}

static void two_mappings_do_not_mix(void **state)
{
	(void)state;
	int fa, fb;
	struct mapping *a = map_pages(2 * PAGE, &fa), *b = map_pages(2 * PAGE, &fb);

	assert_int_equal(ftruncate(fa, 0), 0);
	assert_int_equal(a->p[0], 0);
	assert_true(mapping_lost(a));
	assert_false(mapping_lost(b));
	mapping_close(a);
	struct mapping *c = map_pages(PAGE, &fa); /* takes the place of a, with a clean record */
	assert_false(mapping_lost(c));
	mapping_close(c);
	mapping_close(b);
	close(fb);
}

static void there_is_a_limit_and_it_says_so(void **state)
{
	(void)state;
	struct mapping *all[65] = {0};
	char path[32];
	int fd = built_memfd("x", 1, path);
	struct inq_err err;
	size_t n = 0;

	while (n < 65 && !mapping_open(path, &all[n], &err))
		n++;
	assert_int_equal(n, 64);
	assert_int_equal(err.status, INQ_ELIMIT);
	while (n)
		mapping_close(all[--n]);
	close(fd);
}

/* In a child: what happens to a SIGBUS that is not about a mapping. */
static int child_dies_of(int self_sent)
{
	pid_t pid = fork();

	if (!pid) {
		int fd;
		signal(SIGBUS, SIG_DFL);
		struct mapping *m = map_pages(PAGE, &fd);
		(void)m;
		if (self_sent)
			raise(SIGBUS);
		_exit(0);
	}
	int status = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void a_signal_that_is_not_ours_is_passed_on(void **state)
{
	(void)state;
	assert_int_equal(child_dies_of(0), 0);
	assert_int_equal(child_dies_of(1), SIGBUS);
}

static void a_dump_that_shrinks_reads_as_absent(void **state)
{
	(void)state;
	struct built *b = built_core();
	char path[32];
	size_t n;
	struct inq_dump *d;
	struct inq_err err;
	struct inq_run run;
	uint64_t v;

	memset(built_segment(b, 0, 4 * PAGE), 0x77, 4 * PAGE);
	const uint8_t *file = built_finish(b, &n);
	int fd = built_memfd(file, n, path);
	assert_int_equal(inq_dump_open(path, &d, &err), INQ_OK);
	assert_int_equal(ftruncate(fd, (off_t)(n - 2 * PAGE - 4)), 0);
	assert_int_equal(inq_read(d->phys, 0x1ff0, &v, 8, &err), INQ_OK);
	assert_int_equal(inq_read(d->phys, 0x1ff8, &v, 8, &err), INQ_EABSENT);
	assert_int_equal(err.addr, 0x1ffc);
	assert_int_equal(inq_read(d->phys, 0x3000, &v, 8, &err), INQ_EABSENT);
	assert_int_equal(inq_runs(d->phys, 0x1000, 3 * PAGE, &run, &err), INQ_OK);
	assert_int_equal(run.len, 0xffc);
	assert_int_equal(inq_runs(d->phys, 0x1ffc, PAGE, &run, &err), INQ_OK);
	assert_int_equal(run.kind, INQ_RUN_ABSENT);
	assert_true(loader_dump_lost(d));
	inq_dump_close(d);
	close(fd);
	built_free(b);
}

static void refuse(const char *path, enum inq_status st, const char *part)
{
	struct inq_dump *d = NULL;
	struct inq_err err;

	assert_int_equal(inq_dump_open(path, &d, &err), st);
	assert_null(d);
	if (!strstr(err.msg, part) || !strstr(err.msg, path))
		fail_msg("'%s' does not say '%s' of '%s'", err.msg, part, path);
}

static void what_is_no_file_is_refused_at_once(void **state)
{
	(void)state;
	char dir[] = "/tmp/inquest-test-XXXXXX", path[64];
	struct sockaddr_un at = {.sun_family = AF_UNIX};

	assert_non_null(mkdtemp(dir));
	refuse(dir, INQ_EUNSUPPORTED, "is a directory");
	snprintf(path, sizeof(path), "%s/fifo", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	refuse(path, INQ_EUNSUPPORTED, "is a fifo");
	unlink(path);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/socket", dir);
	int s = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(s, (struct sockaddr *)&at, sizeof(at)), 0);
	refuse(at.sun_path, INQ_EUNSUPPORTED, "is a socket");
	close(s);
	unlink(at.sun_path);
	snprintf(path, sizeof(path), "%s/nothing", dir);
	refuse(path, INQ_EIO, "No such file");
	rmdir(dir);
	refuse("/dev/zero", INQ_EUNSUPPORTED, "is a character device");
}

static void an_unreadable_file_says_why(void **state)
{
	(void)state;
	char path[] = "/tmp/inquest-test-XXXXXX";
	int fd = mkstemp(path), status = 0;

	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, 0), 0);
	pid_t pid = fork(); /* root reads everything: ask as somebody else */
	if (!pid) {
		struct inq_dump *d;
		struct inq_err err;
		if (!geteuid() && setuid(65534))
			_exit(2);
		_exit(inq_dump_open(path, &d, &err) != INQ_EIO ||
		      !strstr(err.msg, "Permission denied"));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	unlink(path);
	close(fd);
}

static void what_is_no_dump_is_named(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		size_t n;
		const char *part;
	} seen[] = {
		{"", 0, "the file is empty"},
		{"\x1f\x8b\x08", 3, "begins with '\\x1f\\x8b\\x08' (looks like gzip"},
		{"\x89PNG\r\n", 6, "(looks like a PNG picture)"},
		{"hello\n", 6, "begins with 'hello\\x0a' (looks like text)"},
		{"\x00\x01\xfe", 3, "(looks like binary data)"},
		{"\0\0\0\0\0", 5, "(looks like zeros)"},
	};

	for (size_t i = 0; i < sizeof(seen) / sizeof(*seen); i++) {
		char path[32];
		int fd = built_memfd(seen[i].bytes, seen[i].n, path);
		refuse(path, INQ_EUNSUPPORTED, seen[i].part);
		close(fd);
	}
}

static void the_list_of_loaders_can_be_shown(void **state)
{
	(void)state;
	size_t n = 0;

	for (const struct inq_loader *l; (l = loader_at(n)); n++)
		assert_true(l->name[0] && l->doc[0] && l->carries[0] && l->probe && l->open);
	assert_true(n > 0);
	assert_string_equal(loader_at(0)->name, "elfcore");
	assert_null(loader_at(n + 100));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_that_shrinks_is_no_death),
		cmocka_unit_test(the_rest_of_the_last_page_is_lost_too),
		cmocka_unit_test(copies_end_where_the_file_ends_now),
		cmocka_unit_test(a_page_that_was_lost_stays_lost),
		cmocka_unit_test(two_mappings_do_not_mix),
		cmocka_unit_test(there_is_a_limit_and_it_says_so),
		cmocka_unit_test(a_signal_that_is_not_ours_is_passed_on),
		cmocka_unit_test(a_dump_that_shrinks_reads_as_absent),
		cmocka_unit_test(what_is_no_file_is_refused_at_once),
		cmocka_unit_test(an_unreadable_file_says_why),
		cmocka_unit_test(what_is_no_dump_is_named),
		cmocka_unit_test(the_list_of_loaders_can_be_shown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
