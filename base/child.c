/*
 * Knows how to talk to a process that must not be trusted.  Answers lie in memory that both share,
 * so nothing there is believed before it was copied; two pipes say whose turn it is, and a pipe
 * that ends says that the other is dead.
 */
#include "base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cell.h"
#include "base/scope.h"

enum { LIVES = 16 };

/* The shared memory: the question, the answer, and behind it room bytes. */
struct board {
	struct child_call call;
	uint64_t n;
	uint32_t status; /* enum inq_status */
	char msg[512];
	uint8_t bytes[];
};

struct child {
	struct child_job job;
	struct board *board;
	size_t board_n;
	pid_t pid;            /* 0: none */
	int ask_fd, heard_fd; /* our ends */
	int spare_fd;   /* the other end of ask_fd: with a reader, a write to a dead child is no
			   SIGPIPE */
	unsigned lives; /* that may still be started */
	struct inq_err death; /* of the last one, once there are no lives left */
	pthread_mutex_t lock;
};

/* In the child: the answer to a call, or to being opened. */
static void put_answer(struct board *b, enum inq_status st, const struct inq_err *err, size_t n)
{
	b->status = st;
	b->n = n;
	snprintf(b->msg, sizeof(b->msg), "%s", st ? err->msg : "");
}

/* In the child, until the other side is gone. */
static void serve(struct child *c, int ask_fd, int tell_fd)
{
	struct inq_err err = {0};
	void *state = NULL;
	size_t n = 0;
	char turn;
	enum inq_status st = c->job.open(&c->job, &state, &err);
	bool usable = !st;

	put_answer(c->board, st, &err, 0);
	while (write(tell_fd, "", 1) == 1 && usable && read(ask_fd, &turn, 1) == 1) {
		struct child_call call = c->board->call;

		n = 0;
		st = c->job.serve(state, &call, c->board->bytes, c->job.room, &n, &err);
		put_answer(c->board, st, &err, n);
	}
}

static void close_ours(struct child *c)
{
	int *const fds[] = {&c->ask_fd, &c->heard_fd, &c->spare_fd};

	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}

/* What it died of; the status that says whose fault that was. */
static enum inq_status tell_death(const struct child *c, int how, struct inq_err *err)
{
	if (how < 0)
		return inq_fail(err, INQ_EIO, "%s: nobody knows what it died of", c->job.name);
	int sig = WIFSIGNALED(how) ? WTERMSIG(how) : 0;
	const char *name = sig ? sigabbrev_np(sig) : NULL;

	if (sig == SIGXCPU)
		return inq_fail(err, INQ_ELIMIT, "%s took more than %u s of CPU time", c->job.name,
				c->job.seconds);
	if (sig == SIGKILL)
		return inq_fail(err, INQ_ELIMIT, "%s was killed: out of memory?", c->job.name);
	if (sig)
		return inq_fail(err, INQ_ECORRUPT, "%s died of SIG%s", c->job.name,
				name ? name : "?");
	return inq_fail(err, INQ_ECORRUPT, "%s ended by itself with code %d", c->job.name,
			WEXITSTATUS(how));
}

/* How it ended; -1: nobody knows. */
static int bury(struct child *c)
{
	int how = -1;

	close_ours(c);
	while (waitpid(c->pid, &how, 0) < 0 && errno == EINTR)
		;
	c->pid = 0;
	return how;
}

/* SIGXCPU that many seconds from now, of its own time: what it used before is no reproach. */
static void allow_seconds(const struct child *c)
{
	struct timespec used;
	struct rlimit limit = {.rlim_max = RLIM_INFINITY};
	clockid_t clock;

	if (clock_getcpuclockid(c->pid, &clock) || clock_gettime(clock, &used))
		return; /* it is dead: the answer says so */
	limit.rlim_cur = (rlim_t)used.tv_sec + c->job.seconds + 1;
	(void)prlimit(c->pid, RLIMIT_CPU, &limit, NULL);
}

/* Whose turn: a byte.  False: the other is gone. */
static bool wait_turn(const struct child *c)
{
	char turn;
	ssize_t n;

	while ((n = read(c->heard_fd, &turn, 1)) < 0 && errno == EINTR)
		; /* who wants to stop stops after the answer, or the time, or with the next signal
		   */
	return n == 1;
}

static enum inq_status take_answer(struct child *c, void *buf, size_t n, size_t *ret_n,
				   struct inq_err *err)
{
	uint32_t status;
	uint64_t have;
	char msg[sizeof(c->board->msg)];

	if (!wait_turn(c))
		return tell_death(c, bury(c), err);
	memcpy(&status, &c->board->status, sizeof(status));
	memcpy(&have, &c->board->n, sizeof(have));
	memcpy(msg, c->board->msg, sizeof(msg));
	msg[sizeof(msg) - 1] = '\0';
	if (status > INQ_EINTR || have > c->job.room || have > n) {
		kill(c->pid, SIGKILL);
		(void)bury(c);
		return inq_fail(err, INQ_ECORRUPT, "%s answers nonsense", c->job.name);
	}
	if (status)
		return inq_fail(err, (enum inq_status)status, "%s: %s", c->job.name, msg);
	if (have)
		memcpy(buf, c->board->bytes, (size_t)have);
	*ret_n = (size_t)have;
	return INQ_OK;
}

static void close_both(int fd[2])
{
	for (int i = 0; i < 2; i++)
		if (fd[i] >= 0)
			close(fd[i]);
}

/* Behind the fork.  Does not return. */
static void live(struct child *c, int ask_fd, int tell_fd)
{
	const struct cell cell = {
		.fd = {c->job.fd, ask_fd, tell_fd}, .tell_fd = tell_fd, .memory = c->job.memory};

	if (!cell_enter(&cell))
		serve(c, ask_fd, tell_fd);
	_exit(0);
}

static enum inq_status start_life(struct child *c, struct inq_err *err)
{
	int ask[2] = {-1, -1}, tell[2] = {-1, -1};
	size_t n;

	if (pipe2(ask, O_CLOEXEC) || pipe2(tell, O_CLOEXEC) || (c->pid = fork()) < 0) {
		int why = errno;
		close_both(ask);
		close_both(tell);
		c->pid = 0;
		return inq_fail(err, INQ_EIO, "%s: cannot start a process: %s", c->job.name,
				strerror(why));
	}
	if (!c->pid)
		live(c, ask[0], tell[1]);
	close(tell[1]);
	c->spare_fd = ask[0];
	c->ask_fd = ask[1];
	c->heard_fd = tell[0];
	allow_seconds(c);
	return take_answer(c, NULL, 0, &n, err);
}

static enum inq_status make_board(struct child *c, struct inq_err *err)
{
	c->board_n = sizeof(*c->board) + c->job.room;
	void *p = mmap(NULL, c->board_n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return inq_fail(err, INQ_ENOMEM, "%s: shared memory", c->job.name);
	c->board = p;
	return INQ_OK;
}

INQ_DEFINE_SCOPE(struct child, child_stop)

enum inq_status child_start(const struct child_job *job, struct child **ret_child,
			    struct inq_err *err)
{
	INQ_SCOPED(child_stop_scope_) struct child *c = calloc(1, sizeof(*c));

	if (!c)
		return inq_fail(err, INQ_ENOMEM, "%s", job->name);
	*c = (struct child){
		.job = *job, .ask_fd = -1, .heard_fd = -1, .spare_fd = -1, .lives = LIVES - 1};
	pthread_mutex_init(&c->lock, NULL);
	enum inq_status st = make_board(c, err);
	if (!st)
		st = start_life(c, err);
	if (st)
		return st;
	*ret_child = inq_take(c);
	return INQ_OK;
}

void child_stop(struct child *c)
{
	if (!c)
		return;
	if (c->pid) {
		kill(c->pid, SIGKILL);
		(void)bury(c);
	}
	if (c->board)
		munmap(c->board, c->board_n);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

/* One that is alive, if one can still be had; its own death is remembered. */
static enum inq_status have_life(struct child *c)
{
	if (c->pid)
		return INQ_OK;
	if (!c->lives)
		return c->death.status;
	c->lives--;
	enum inq_status st = start_life(c, &c->death);
	if (st)
		c->lives = 0; /* what it cannot open now it never will */
	return st;
}

static enum inq_status ask(struct child *c, const struct child_call *call, void *buf, size_t n,
			   size_t *ret_n, struct inq_err *err)
{
	struct inq_err why = {0};
	enum inq_status st = have_life(c);

	if (st) {
		why = c->death;
	} else {
		c->board->call = *call;
		allow_seconds(c);
		(void)!write(c->ask_fd, "", 1); /* a dead one is noticed when it should answer */
		st = take_answer(c, buf, n, ret_n, &why);
		if (!c->pid)
			c->death = why;
	}
	if (st && err)
		*err = why;
	return st;
}

enum inq_status child_ask(struct child *c, const struct child_call *call, void *buf, size_t n,
			  size_t *ret_n, struct inq_err *err)
{
	pthread_mutex_lock(&c->lock);
	enum inq_status st = ask(c, call, buf, n, ret_n, err);
	pthread_mutex_unlock(&c->lock);
	return st;
}
