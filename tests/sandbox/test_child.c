/* What a child may do to us, and what we allow it: children that behave as badly as they can. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/child.h"
#include "base/sanitized.h"

enum { ROOM = 4096 };
#define MEMORY ((size_t)64 << 20)

enum deed {
	READ_FILE, /* arg[1]: offset */
	TELL_PID,
	COUNT, /* calls in this life */
	SAY_ABSENT,
	CRASH,
	ABORT,
	LOOP,
	LEAVE,
	EAT_MEMORY,
	CLAIM_MORE,    /* than there is room */
	ANSWER_LONGER, /* than was asked for */
	TRY_SYSTEM,
	OPEN_FAILS, /* arg of open, not of serve */
	OPEN_CRASHES,
	OPEN_CRASHES_LATER,
};

struct state {
	int fd;
	uint64_t calls;
};

static int *lives; /* shared with all children */

static enum inq_status open_it(const struct child_job *job, void **ret_state, struct inq_err *err)
{
	static struct state s;
	const enum deed *deed = job->ctx;

	++*lives;
	s = (struct state){.fd = job->fd};
	*ret_state = &s;
	if (deed && (*deed == OPEN_CRASHES || (*deed == OPEN_CRASHES_LATER && *lives > 1)))
		raise(SIGSEGV);
	return deed && *deed == OPEN_FAILS ? inq_fail(err, INQ_EUNSUPPORTED, "unknown LKCD version")
					   : INQ_OK;
}

/* Everything at which a parser gone wild should fail; the first that works is told. */
static const char *try_system(const struct state *s)
{
	char byte;
	void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p != MAP_FAILED)
		return "code";
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p != MAP_FAILED)
		return "shared memory";
	if (open("/dev/null", O_RDONLY) >= 0 || errno != EPERM)
		return "open";
	if (socket(AF_INET, SOCK_STREAM, 0) >= 0 || errno != EPERM)
		return "socket";
	if (!kill(getppid(), 0) || errno != EPERM)
		return "kill";
	if (fork() >= 0 || errno != EPERM)
		return "fork";
	if (write(s->fd, "x", 1) >= 0 || errno != EPERM)
		return "write";
	if (!setrlimit(RLIMIT_CPU, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY}))
		return "more time";
	return pread(s->fd, &byte, 1, 0) == 1 ? "" : "no read";
}

static void eat_memory(void)
{
	for (size_t n = 0; n < 4 * MEMORY; n += 1 << 20) {
		volatile char *p = malloc(1 << 20);
		if (!p)
			return;
		for (size_t i = 0; i < 1 << 20; i += 4096)
			p[i] = 1;
	}
	raise(SIGSEGV);
}

static enum inq_status do_deed(struct state *s, const struct child_call *call, uint8_t *buf,
			       size_t *ret_n, struct inq_err *err)
{
	switch ((enum deed)call->arg[0]) {
	case READ_FILE:
		*ret_n = (size_t)pread(s->fd, buf, 16, (off_t)call->arg[1]);
		return INQ_OK;
	case COUNT:
		*ret_n = 1;
		buf[0] = (uint8_t)s->calls;
		return INQ_OK;
	case TELL_PID:
		*ret_n = sizeof(pid_t);
		memcpy(buf, &(pid_t){getpid()}, sizeof(pid_t));
		return INQ_OK;
	case SAY_ABSENT:
		return inq_fail(err, INQ_EABSENT, "page 0x5 was not dumped");
	case CRASH:
		raise(SIGSEGV);
		return INQ_OK;
	case ABORT:
		abort();
	case LOOP:
		for (;;)
			__asm__ volatile("");
	case LEAVE:
		_exit(3);
	case EAT_MEMORY:
		eat_memory();
		return inq_fail(err, INQ_ENOMEM, "out of memory");
	case CLAIM_MORE:
		*ret_n = SIZE_MAX;
		return INQ_OK;
	case ANSWER_LONGER:
		*ret_n = ROOM;
		return INQ_OK;
	case TRY_SYSTEM:
		*ret_n = strlen(strcpy((char *)buf, try_system(s)));
		return INQ_OK;
	case OPEN_FAILS:
	case OPEN_CRASHES:
	case OPEN_CRASHES_LATER:
		break;
	}
	return INQ_OK;
}

static enum inq_status serve(void *state, const struct child_call *call, uint8_t *buf, size_t room,
			     size_t *ret_n, struct inq_err *err)
{
	struct state *s = state;

	(void)room;
	s->calls++;
	return do_deed(s, call, buf, ret_n, err);
}

static int file_fd;

static enum inq_status start(enum deed *deed, struct child **ret, struct inq_err *err)
{
	const struct child_job job = {.name = "parser",
				      .fd = file_fd,
				      .open = open_it,
				      .serve = serve,
				      .ctx = deed,
				      .room = ROOM,
				      .memory = MEMORY,
				      .seconds = 1};

	*lives = 0;
	return child_start(&job, ret, err);
}

static struct child *started(void)
{
	struct child *c = NULL;
	struct inq_err err = {0};

	if (start(NULL, &c, &err))
		print_message("%s\n", err.msg);
	assert_non_null(c);
	return c;
}

static enum inq_status ask(struct child *c, enum deed deed, uint64_t arg, char buf[ROOM],
			   size_t *ret_n, struct inq_err *err)
{
	const struct child_call call = {.arg = {deed, arg}};

	return child_ask(c, &call, buf, 16, ret_n, err);
}

static void it_reads_the_file_and_answers(void **state)
{
	(void)state;
	struct child *c = started();
	struct inq_err err = {0};
	char buf[ROOM];
	size_t n = 0;

	assert_int_equal(ask(c, READ_FILE, 10, buf, &n, &err), INQ_OK);
	assert_int_equal(n, 16);
	assert_memory_equal(buf, "klmnopqrstuvwxyz", 16);
	assert_int_equal(ask(c, COUNT, 0, buf, &n, &err), INQ_OK);
	assert_int_equal(buf[0], 2);
	child_stop(c);
}

static void its_error_is_ours_with_its_name(void **state)
{
	(void)state;
	struct child *c = started();
	struct inq_err err = {0};
	char buf[ROOM];
	size_t n = 77;

	assert_int_equal(ask(c, SAY_ABSENT, 0, buf, &n, &err), INQ_EABSENT);
	assert_string_equal(err.msg, "parser: page 0x5 was not dumped");
	assert_int_equal(n, 77);
	assert_int_equal(ask(c, COUNT, 0, buf, &n, &err), INQ_OK);
	assert_int_equal(buf[0], 2);
	child_stop(c);
}

/* The deed ends the child; the next call finds a new one. */
static void dies(enum deed deed, enum inq_status st, const char *says)
{
	struct child *c = started();
	struct inq_err err = {0};
	char buf[ROOM];
	size_t n;

	assert_int_equal(ask(c, deed, 0, buf, &n, &err), st);
	assert_string_equal(err.msg, says);
	assert_int_equal(ask(c, COUNT, 0, buf, &n, &err), INQ_OK);
	assert_int_equal(buf[0], 1);
	assert_int_equal(*lives, 2);
	child_stop(c);
}

static void its_death_is_an_error_and_the_next_call_has_a_new_one(void **state)
{
	(void)state;
	dies(CRASH, INQ_ECORRUPT, "parser died of SIGSEGV");
	dies(ABORT, INQ_ECORRUPT, "parser died of SIGABRT");
	dies(LEAVE, INQ_ECORRUPT, "parser ended by itself with code 3");
}

static void an_endless_loop_ends(void **state)
{
	(void)state;
	dies(LOOP, INQ_ELIMIT, "parser took more than 1 s of CPU time");
}

static void an_answer_longer_than_room_is_nonsense(void **state)
{
	(void)state;
	dies(CLAIM_MORE, INQ_ECORRUPT, "parser answers nonsense");
	dies(ANSWER_LONGER, INQ_ECORRUPT, "parser answers nonsense");
}

static void its_memory_has_an_end(void **state)
{
	(void)state;
	struct child *c = started();
	struct inq_err err = {0};
	char buf[ROOM];
	size_t n;

	if (!BASE_SANITIZED) /* whose own memory would count */
		assert_int_equal(ask(c, EAT_MEMORY, 0, buf, &n, &err), INQ_ENOMEM);
	child_stop(c);
}

static void nothing_else_of_the_system_works(void **state)
{
	(void)state;
	struct child *c = started();
	struct inq_err err = {0};
	char buf[ROOM] = "";
	size_t n = 0;

	assert_int_equal(ask(c, TRY_SYSTEM, 0, buf, &n, &err), INQ_OK);
	buf[n] = '\0';
	assert_string_equal(buf, "");
	child_stop(c);
}

static void one_that_always_dies_is_not_started_forever(void **state)
{
	(void)state;
	struct child *c = started();
	struct inq_err err = {0};
	char buf[ROOM];
	size_t n;

	for (int i = 0; i < 40; i++)
		assert_int_equal(ask(c, CRASH, 0, buf, &n, &err), INQ_ECORRUPT);
	assert_string_equal(err.msg, "parser died of SIGSEGV");
	assert_int_equal(*lives, 16);
	child_stop(c);
}

static void a_killed_one_is_told_and_replaced(void **state)
{
	(void)state;
	struct child *c = started();
	struct inq_err err = {0};
	char buf[ROOM];
	size_t n;
	pid_t pid;

	assert_int_equal(ask(c, TELL_PID, 0, buf, &n, &err), INQ_OK);
	memcpy(&pid, buf, sizeof(pid));
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(ask(c, COUNT, 0, buf, &n, &err), INQ_ELIMIT);
	assert_string_equal(err.msg, "parser was killed: out of memory?");
	assert_int_equal(ask(c, COUNT, 0, buf, &n, &err), INQ_OK);
	child_stop(c);
}

static void what_cannot_be_opened_is_an_error_at_once(void **state)
{
	(void)state;
	enum deed deed = OPEN_FAILS;
	struct inq_err err = {0};
	struct child *c = NULL;

	assert_int_equal(start(&deed, &c, &err), INQ_EUNSUPPORTED);
	assert_string_equal(err.msg, "parser: unknown LKCD version");
	deed = OPEN_CRASHES;
	assert_int_equal(start(&deed, &c, &err), INQ_ECORRUPT);
	assert_string_equal(err.msg, "parser died of SIGSEGV");
	assert_null(c);
}

static void what_cannot_be_opened_again_stays_dead(void **state)
{
	(void)state;
	enum deed deed = OPEN_CRASHES_LATER;
	struct inq_err err = {0};
	struct child *c = NULL;
	char buf[ROOM];
	size_t n;

	assert_int_equal(start(&deed, &c, &err), INQ_OK);
	for (int i = 0; i < 3; i++)
		assert_int_equal(ask(c, LEAVE, 0, buf, &n, &err), INQ_ECORRUPT);
	assert_int_equal(*lives, 2);
	child_stop(c);
}

static int set_up(void **state)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz";

	(void)state;
	lives = mmap(NULL, sizeof(*lives), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	file_fd = memfd_create("dump", MFD_CLOEXEC);
	return lives == MAP_FAILED || write(file_fd, letters, 26) != 26;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_reads_the_file_and_answers),
		cmocka_unit_test(its_error_is_ours_with_its_name),
		cmocka_unit_test(its_death_is_an_error_and_the_next_call_has_a_new_one),
		cmocka_unit_test(an_endless_loop_ends),
		cmocka_unit_test(an_answer_longer_than_room_is_nonsense),
		cmocka_unit_test(its_memory_has_an_end),
		cmocka_unit_test(nothing_else_of_the_system_works),
		cmocka_unit_test(one_that_always_dies_is_not_started_forever),
		cmocka_unit_test(a_killed_one_is_told_and_replaced),
		cmocka_unit_test(what_cannot_be_opened_is_an_error_at_once),
		cmocka_unit_test(what_cannot_be_opened_again_stays_dead),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
