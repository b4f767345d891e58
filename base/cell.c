/* Knows the little that a parser needs of Linux.  Source: seccomp(2), getrlimit(2). */
#include "base/cell.h"

#include <errno.h>
#include <limits.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/sanitized.h"

/* Lowest first, each a gap behind the one before. */
static int close_others(const struct cell *cell)
{
	int from = 0;

	for (;;) {
		int next = INT_MAX;
		for (size_t i = 0; i < CELL_FDS; i++)
			if (cell->fd[i] >= from && cell->fd[i] < next)
				next = cell->fd[i];
		if (BASE_SANITIZED && from <= STDERR_FILENO && STDERR_FILENO < next)
			next = STDERR_FILENO;
		if (next > from && close_range((unsigned)from, (unsigned)next - 1, 0))
			return -1;
		if (next == INT_MAX)
			return 0;
		from = next + 1;
	}
}

/* Handlers are the parent's, as is what to do when somebody types Ctrl-C. */
static void reset_signals(void)
{
	static const int ignored[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGTSTP};
	sigset_t none;

	for (int sig = 1; sig < 32; sig++)
		(void)signal(sig, SIG_DFL);
	for (size_t i = 0; i < sizeof(ignored) / sizeof(*ignored); i++)
		(void)signal(ignored[i], SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int limit(__rlimit_resource_t what, rlim_t n)
{
	const struct rlimit r = {.rlim_cur = n, .rlim_max = n};

	return setrlimit(what, &r);
}

/*
 * RLIMIT_DATA counts what is private and writable, the parent's included; RLIMIT_AS would count
 * the dump, which is mapped.  The sanitizer has mapped terabytes.
 */
static int set_limits(const struct cell *cell)
{
	struct rusage now;

	if (getrusage(RUSAGE_SELF, &now) || limit(RLIMIT_CORE, 0))
		return -1;
	return BASE_SANITIZED ? 0 : limit(RLIMIT_DATA, (rlim_t)now.ru_maxrss * 1024 + cell->memory);
}

static int allow_names(scmp_filter_ctx ctx)
{
	static const int calls[] = {
		SCMP_SYS(read),         SCMP_SYS(pread64),        SCMP_SYS(readv),
		SCMP_SYS(preadv),       SCMP_SYS(lseek),          SCMP_SYS(fstat),
		SCMP_SYS(newfstatat),   SCMP_SYS(close),          SCMP_SYS(brk),
		SCMP_SYS(munmap),       SCMP_SYS(mremap),         SCMP_SYS(madvise),
		SCMP_SYS(futex),        SCMP_SYS(getpid),         SCMP_SYS(gettid),
		SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
		SCMP_SYS(sigaltstack),  SCMP_SYS(clock_gettime),  SCMP_SYS(gettimeofday),
		SCMP_SYS(getrandom),    SCMP_SYS(sched_yield),    SCMP_SYS(restart_syscall),
		SCMP_SYS(exit),         SCMP_SYS(exit_group),
	};
	int rc = 0;

	for (size_t i = 0; !rc && i < sizeof(calls) / sizeof(*calls); i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 0);
	return rc;
}

/* Never code; and shared memory only of a file, since no limit counts the other. */
static int allow_mapping(scmp_filter_ctx ctx)
{
	const struct scmp_arg_cmp no_code = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
	int rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, no_code);

	if (!rc)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2, no_code,
				      SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, 0));
	return rc ? rc
		  : seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2, no_code,
				     SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_SHARED, 0));
}

/* abort(3) sends itself a signal; answers go to one file. */
static int allow_telling(scmp_filter_ctx ctx, const struct cell *cell)
{
	int rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
				  SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));

	if (!rc && BASE_SANITIZED)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(write), 1,
				      SCMP_A0(SCMP_CMP_EQ, STDERR_FILENO));
	return rc ? rc
		  : seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(write), 1,
				     SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)cell->tell_fd));
}

static void filter_calls(const struct cell *cell)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	bool ready = ctx && !seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

	if (ready && !allow_names(ctx) && !allow_mapping(ctx) && !allow_telling(ctx, cell))
		(void)seccomp_load(ctx);
	if (ctx)
		seccomp_release(ctx);
}

int cell_enter(const struct cell *cell)
{
	reset_signals();
	if (close_others(cell) || set_limits(cell))
		return -1;
	filter_calls(cell);
	return 0;
}
