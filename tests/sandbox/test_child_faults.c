/* What the system refuses while a child starts: an error each, and nothing stays behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"

/* The call that fails, counted from 1; 0: none. */
static unsigned failing, counted;

static bool fails(void)
{
	return ++counted == failing;
}

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__real_mmap64(void *p, size_t n, int prot, int flags, int fd, off_t off);
void *__wrap_mmap64(void *p, size_t n, int prot, int flags, int fd, off_t off);
void *__wrap_mmap64(void *p, size_t n, int prot, int flags, int fd, off_t off)
{
	errno = ENOMEM;
	return fails() ? MAP_FAILED : __real_mmap64(p, n, prot, flags, fd, off);
}

int __real_pipe2(int fd[2], int flags);
int __wrap_pipe2(int fd[2], int flags);
int __wrap_pipe2(int fd[2], int flags)
{
	errno = EMFILE;
	return fails() ? -1 : __real_pipe2(fd, flags);
}

pid_t __real_fork(void);
pid_t __wrap_fork(void);
pid_t __wrap_fork(void)
{
	errno = EAGAIN;
	return fails() ? -1 : __real_fork();
}

static enum inq_status open_it(const struct child_job *job, void **ret_state, struct inq_err *err)
{
	(void)job;
	(void)ret_state;
	(void)err;
	return INQ_OK;
}

static enum inq_status serve(void *state, const struct child_call *call, uint8_t *buf, size_t room,
			     size_t *ret_n, struct inq_err *err)
{
	(void)state;
	(void)call;
	(void)buf;
	(void)room;
	(void)ret_n;
	(void)err;
	return INQ_OK;
}

static unsigned open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static enum inq_status start_once(unsigned at, struct inq_err *err)
{
	const struct child_job job = {.name = "parser",
				      .open = open_it,
				      .serve = serve,
				      .room = 4096,
				      .memory = (size_t)64 << 20,
				      .seconds = 1};
	struct child *c = NULL;

	counted = 0;
	failing = at;
	enum inq_status st = child_start(&job, &c, err);
	failing = 0;
	assert_int_equal(st == INQ_OK, c != NULL);
	child_stop(c);
	return st;
}

static void every_refusal_is_an_error_and_leaves_nothing(void **state)
{
	unsigned files = open_files(), at = 1;
	struct inq_err err = {0};

	(void)state;
	for (; start_once(at, &err); at++) {
		assert_true(err.status == INQ_ENOMEM || err.status == INQ_EIO);
		assert_int_equal(open_files(), files);
		assert_int_equal(waitpid(-1, NULL, 0), -1);
		assert_int_equal(errno, ECHILD);
	}
	assert_true(at > 4); /* memory twice, two pipes, the fork */
	assert_int_equal(open_files(), files);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_refusal_is_an_error_and_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
