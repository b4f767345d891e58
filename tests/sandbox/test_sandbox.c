/* Every test is a process of its own that enters the sandbox: there is no way back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sandbox.h"

/* The ABI that the kernel claims to have at most; 0: it says what it is. */
static int claimed_abi;

long __real_syscall(long nr, ...);
long __wrap_syscall(long nr, ...);
long __wrap_syscall(long nr, ...)
{
	long a[6];
	va_list ap;

	va_start(ap, nr);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	long got = __real_syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	bool asks = nr == SYS_landlock_create_ruleset && a[2] == LANDLOCK_CREATE_RULESET_VERSION;
	return asks && claimed_abi && got > claimed_abi ? claimed_abi : got;
}

static char folder[] = "/tmp/inquest-sandbox-XXXXXX";

static char *below(const char *name)
{
	char *path = NULL;

	assert_true(asprintf(&path, "%s/%s", folder, name) > 0);
	return path;
}

static void make_file(const char *name)
{
	char *path = below(name);
	int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, name, strlen(name)), strlen(name));
	close(fd);
	free(path);
}

static int set_up(void **state)
{
	static const char *const folders[] = {"dump", "dump/deeper", "debug", "debug/.build-id",
					      "out",  "elsewhere",   "full"};

	(void)state;
	if (!mkdtemp(folder) || chdir(folder))
		return -1;
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
		if (mkdir(folders[i], 0700))
			return -1;
	make_file("dump/vm.vmss");
	make_file("dump/vm.vmem");
	make_file("dump/deeper/secret");
	make_file("elsewhere/secret");
	make_file("elsewhere/given");
	make_file("out/old.inq");
	return symlink("../elsewhere/secret", "dump/lure");
}

static int tear_down(void **state)
{
	char *command = NULL;

	(void)state;
	int rc = asprintf(&command, "rm -rf '%s'", folder) < 0 || chdir("/") || system(command);
	free(command);
	return rc;
}

/* In the child: what a command does that was given dump/vm.vmss, and writes to out. */
static struct sandbox enter(void)
{
	struct sandbox sb;

	sandbox_init(&sb);
	sandbox_may_read(&sb, "dump/vm.vmss");
	sandbox_may_read_in(&sb, "dump");
	sandbox_may_read(&sb, "debug");
	sandbox_may_read(&sb, "elsewhere/given");
	sandbox_may_read(&sb, "nowhere/to/be/found");
	sandbox_may_write_in(&sb, "out");
	sandbox_enter(&sb);
	return sb;
}

/* The errno of opening path, 0 when it works. */
static int open_fails(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

/* In a child one line is all that can be told. */
#define EXPECT(got, wanted)                                                                        \
	do {                                                                                       \
		long got_ = (got), wanted_ = (wanted);                                             \
		if (got_ != wanted_) {                                                             \
			fprintf(stderr, "%s:%d: %s is %ld, not %ld\n", __FILE__, __LINE__, #got,   \
				got_, wanted_);                                                    \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

static void in_child(void (*fn)(void))
{
	pid_t pid = fork();
	int status = -1;

	assert_true(pid >= 0);
	if (!pid) {
		fn();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void open_what_is_needed(void)
{
	enter();
	EXPECT(open_fails("dump/vm.vmss", O_RDONLY), 0);
	EXPECT(open_fails("dump/vm.vmem", O_RDONLY), 0);
	EXPECT(open_fails("dump", O_RDONLY | O_DIRECTORY), 0);
	EXPECT(open_fails("elsewhere/given", O_RDONLY), 0);
}

static void what_was_given_and_what_lies_beside_it_opens(void **state)
{
	(void)state;
	in_child(open_what_is_needed);
}

static void open_late_vmlinux(void)
{
	int go[2];
	char byte;

	EXPECT(pipe(go), 0);
	pid_t outside = fork();
	if (!outside) { /* puts it there once the other is in the sandbox */
		EXPECT(read(go[0], &byte, 1), 1);
		make_file("debug/.build-id/late.debug");
		_exit(0);
	}
	enter();
	EXPECT(open_fails("debug/.build-id/late.debug", O_RDONLY), ENOENT);
	EXPECT(write(go[1], "x", 1), 1);
	EXPECT(waitpid(outside, NULL, 0), outside);
	EXPECT(open_fails("debug/.build-id/late.debug", O_RDONLY), 0);
}

static void a_vmlinux_that_comes_late_opens(void **state)
{
	(void)state;
	in_child(open_late_vmlinux);
}

static void open_other_files(void)
{
	enter();
	EXPECT(open_fails("/etc/shadow", O_RDONLY), EACCES);
	EXPECT(open_fails("/etc/passwd", O_RDONLY), EACCES);
	EXPECT(open_fails("elsewhere/secret", O_RDONLY), EACCES);
	EXPECT(open_fails("dump/deeper/secret", O_RDONLY), EACCES);
	EXPECT(open_fails("dump/lure", O_RDONLY), EACCES);
	EXPECT(open_fails("dump/vm.vmss", O_WRONLY), EACCES);
	EXPECT(open_fails("dump/new", O_WRONLY | O_CREAT), EACCES);
	EXPECT(open_fails("/proc/self/mem", O_WRONLY), EACCES);
	EXPECT(open_fails("/dev/null", O_WRONLY), EACCES);
	EXPECT(unlink("dump/vm.vmss") ? errno : 0, EACCES);
}

static void no_other_file_opens(void **state)
{
	(void)state;
	in_child(open_other_files);
}

static void open_in_a_full_folder(void)
{
	struct sandbox sb;
	char name[32];

	sandbox_init(&sb);
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "full/%d", i);
		make_file(name);
	}
	sandbox_may_read_in(&sb, "full");
	sandbox_enter(&sb);
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "full/%d", i);
		EXPECT(open_fails(name, O_RDONLY), 0);
	}
	EXPECT(open_fails("elsewhere/secret", O_RDONLY), EACCES);
}

static void a_folder_of_many_files_opens_whole(void **state)
{
	(void)state;
	in_child(open_in_a_full_folder);
}

static void write_index(void)
{
	int folder_fd;

	enter();
	EXPECT(open_fails("out/new.tmp", O_RDWR | O_CREAT | O_EXCL), 0);
	EXPECT(open_fails("out/new.tmp", O_WRONLY | O_TRUNC), 0);
	EXPECT(rename("out/new.tmp", "out/old.inq"), 0);
	folder_fd = open("out", O_RDONLY | O_DIRECTORY);
	EXPECT(folder_fd < 0 || fsync(folder_fd), 0);
	EXPECT(rename("out/old.inq", "dump/old.inq") ? errno : 0, EACCES);
	EXPECT(mkdir("out/folder", 0700) ? errno : 0, EACCES);
	EXPECT(unlink("out/old.inq"), 0);
	make_file("out/old.inq");
}

static void where_the_index_goes_can_be_written(void **state)
{
	(void)state;
	in_child(write_index);
}

static void call_forbidden(void)
{
	static char *const args[] = {NULL};

	enter();
	EXPECT(socket(AF_INET, SOCK_STREAM, 0) < 0 ? errno : 0, EPERM);
	EXPECT(socket(AF_UNIX, SOCK_STREAM, 0) < 0 ? errno : 0, EPERM);
	EXPECT(execv("/bin/true", args) ? errno : 0, EPERM);
#ifndef __SANITIZE_ADDRESS__
	EXPECT(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) < 0 ? errno : 0, EPERM);
#endif
	EXPECT(unshare(CLONE_NEWUSER) ? errno : 0, EPERM);
	EXPECT(chmod("dump/vm.vmss", 0666) ? errno : 0, EPERM);
	EXPECT(truncate("dump/vm.vmss", 0) ? errno : 0, EPERM);
	EXPECT(symlink("/etc", "out/etc") ? errno : 0, EPERM);
	EXPECT(ioctl(STDIN_FILENO, TIOCSTI, "x") ? errno : 0, EPERM);
}

static void no_socket_no_program_no_tracing(void **state)
{
	(void)state;
	in_child(call_forbidden);
}

static void signal_others(void)
{
	struct sandbox sb = enter();

	if (strstr(sb.files, "signals"))
		return; /* this kernel cannot, and that was said */
	EXPECT(kill(getppid(), 0) ? errno : 0, EPERM);
	EXPECT(kill(getpid(), 0), 0);
}

static void no_signal_reaches_others(void **state)
{
	(void)state;
	in_child(signal_others);
}

static void *read_late(void *ctx)
{
	*(int *)ctx = open_fails("elsewhere/secret", O_RDONLY);
	return NULL;
}

static void work_in_parallel(void)
{
	pthread_t thread;
	int got = 0;

	enter();
	EXPECT(pthread_create(&thread, NULL, read_late, &got), 0);
	EXPECT(pthread_join(thread, NULL), 0);
	EXPECT(got, EACCES);
	pid_t pid = fork();
	if (!pid)
		_exit(open_fails("elsewhere/secret", O_RDONLY) == EACCES ? 7 : 0);
	EXPECT(pid > 0, 1);
	EXPECT(waitpid(pid, &got, 0), pid);
	EXPECT(WEXITSTATUS(got), 7);
}

static void threads_and_children_live_in_it_too(void **state)
{
	(void)state;
	in_child(work_in_parallel);
}

/* A kernel without something: a filter refuses it with that errno. */
static void take_away(int nr, int error)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);

	EXPECT(!ctx || seccomp_rule_add(ctx, SCMP_ACT_ERRNO((unsigned)error), nr, 0), 0);
	EXPECT(seccomp_load(ctx), 0);
	seccomp_release(ctx);
}

static void lack_landlock(void)
{
	take_away(SCMP_SYS(landlock_create_ruleset), ENOSYS);
	struct sandbox sb = enter();
	EXPECT(strcmp(sb.files, "no Landlock: this kernel has none"), 0);
	EXPECT(open_fails("elsewhere/secret", O_RDONLY), 0);
	EXPECT(socket(AF_INET, SOCK_STREAM, 0) < 0 ? errno : 0, EPERM);
}

static void lack_enabled_landlock(void)
{
	take_away(SCMP_SYS(landlock_create_ruleset), EOPNOTSUPP);
	struct sandbox sb = enter();
	EXPECT(strcmp(sb.files, "no Landlock: it was not enabled at boot"), 0);
}

static void lack_restriction(void)
{
	take_away(SCMP_SYS(landlock_restrict_self), E2BIG);
	struct sandbox sb = enter();
	EXPECT(strcmp(sb.files, "no Landlock: Argument list too long"), 0);
	EXPECT(open_fails("elsewhere/secret", O_RDONLY), 0);
}

static void without_landlock_it_goes_on_and_says_so(void **state)
{
	(void)state;
	in_child(lack_landlock);
	in_child(lack_enabled_landlock);
	in_child(lack_restriction);
}

static void lack_seccomp(void)
{
	take_away(SCMP_SYS(seccomp), EACCES);
	struct sandbox sb = enter();
	EXPECT(strncmp(sb.calls, "no seccomp: ", 12), 0);
	EXPECT(open_fails("elsewhere/secret", O_RDONLY), EACCES);
}

static void without_seccomp_it_goes_on_and_says_so(void **state)
{
	(void)state;
	in_child(lack_seccomp);
}

static void have_abi(int abi, const char *lacks)
{
	char wanted[160];

	claimed_abi = abi;
	struct sandbox sb = enter();
	snprintf(wanted, sizeof(wanted), "Landlock ABI %d%s", abi, lacks);
	if (strcmp(sb.files, wanted) != 0)
		fprintf(stderr, "%s\n", sb.files);
	EXPECT(strcmp(sb.files, wanted), 0);
	EXPECT(open_fails("elsewhere/secret", O_RDONLY), EACCES);
	EXPECT(open_fails("dump/vm.vmss", O_RDONLY), 0);
	EXPECT(open_fails("out/new.tmp", O_RDWR | O_CREAT | O_EXCL), 0);
	EXPECT(rename("out/new.tmp", "out/old.inq"), 0);
}

static void have_abi_1(void)
{
	have_abi(1, "; this kernel cannot forbid truncation, device ioctls, signals");
}

static void have_abi_3(void)
{
	have_abi(3, "; this kernel cannot forbid device ioctls, signals");
}

static void have_abi_6(void)
{
	have_abi(6, "");
}

static void an_old_landlock_is_used_as_far_as_it_goes(void **state)
{
	long abi = __real_syscall(SYS_landlock_create_ruleset, 0L, 0L,
				  (long)LANDLOCK_CREATE_RULESET_VERSION);

	(void)state;
	if (abi >= 1)
		in_child(have_abi_1);
	if (abi >= 3)
		in_child(have_abi_3);
	if (abi >= 6)
		in_child(have_abi_6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_given_and_what_lies_beside_it_opens),
		cmocka_unit_test(a_vmlinux_that_comes_late_opens),
		cmocka_unit_test(no_other_file_opens),
		cmocka_unit_test(a_folder_of_many_files_opens_whole),
		cmocka_unit_test(where_the_index_goes_can_be_written),
		cmocka_unit_test(no_socket_no_program_no_tracing),
		cmocka_unit_test(no_signal_reaches_others),
		cmocka_unit_test(threads_and_children_live_in_it_too),
		cmocka_unit_test(without_landlock_it_goes_on_and_says_so),
		cmocka_unit_test(without_seccomp_it_goes_on_and_says_so),
		cmocka_unit_test(an_old_landlock_is_used_as_far_as_it_goes),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
