/*
 * Knows what Linux offers a process that wants to give up rights: Landlock, which grew with each
 * ABI version (Documentation/userspace-api/landlock.rst, "Compatibility"), and seccomp(2).
 */
#include "base/sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/sanitized.h"
#include "base/scope.h"

enum { SIBLINGS_MAX = 256 }; /* a rule takes about 20 us */

/* What headers of Linux 6.1 do not have yet: include/uapi/linux/landlock.h of 6.15. */
enum {
	FS_TRUNCATE = 1 << 14,
	FS_IOCTL_DEV = 1 << 15,
	NET_BIND_AND_CONNECT_TCP = 3,
	SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS = 3,
};

/* struct landlock_ruleset_attr; each ABI knows a longer piece of it. */
struct ruleset {
	uint64_t fs, net, scoped;
};

enum {
	FS_READ = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
	FS_WRITE = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |
		   LANDLOCK_ACCESS_FS_REMOVE_FILE | FS_TRUNCATE,
	FS_OF_FILES = LANDLOCK_ACCESS_FS_READ_FILE, /* of FS_READ, what a rule for a file may say */
};

static const struct {
	int abi;
	struct ruleset rules;
	size_t size;      /* bytes of struct ruleset that this ABI takes */
	const char *what; /* told where it is missing; NULL: forbidden without it too */
} steps[] = {
	{1, {.fs = LANDLOCK_ACCESS_FS_REFER - 1}, 8, "files"},
	{2, {.fs = LANDLOCK_ACCESS_FS_REFER}, 8, NULL},
	{3, {.fs = FS_TRUNCATE}, 8, "truncation"},
	{4, {.net = NET_BIND_AND_CONNECT_TCP}, 16, NULL}, /* seccomp leaves no socket at all */
	{5, {.fs = FS_IOCTL_DEV}, 16, "device ioctls"},
	{6, {.scoped = SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS}, 24, "signals"},
};
enum { NR_STEPS = sizeof(steps) / sizeof(*steps) };

static long create_ruleset(const struct ruleset *r, size_t size, uint32_t flags)
{
	return syscall(SYS_landlock_create_ruleset, r, size, flags);
}

static void append(char *text, size_t n, const char *sep, const char *more)
{
	size_t used = strlen(text);

	snprintf(text + used, n - used, "%s%s", sep, more);
}

static void describe_landlock(struct sandbox *sb, int abi)
{
	const char *sep = "; this kernel cannot forbid ";

	snprintf(sb->files, sizeof(sb->files), "Landlock ABI %d", abi);
	for (size_t i = 0; i < NR_STEPS; i++) {
		if (steps[i].abi <= abi || !steps[i].what)
			continue;
		append(sb->files, sizeof(sb->files), sep, steps[i].what);
		sep = ", ";
	}
}

static void landlock_failed(struct sandbox *sb, const char *what)
{
	const char *why = errno == ENOSYS       ? "this kernel has none"
			  : errno == EOPNOTSUPP ? "it was not enabled at boot"
						: strerror(errno);

	snprintf(sb->files, sizeof(sb->files), "no Landlock: %s%s", what, why);
}

void sandbox_init(struct sandbox *sb)
{
	struct ruleset r = {0};
	size_t size = 0;

	*sb = (struct sandbox){.ruleset = -1};
	long abi = create_ruleset(NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	if (abi < 1) {
		landlock_failed(sb, "");
		return;
	}
	for (size_t i = 0; i < NR_STEPS && steps[i].abi <= abi; i++) {
		r.fs |= steps[i].rules.fs;
		r.net |= steps[i].rules.net;
		r.scoped |= steps[i].rules.scoped;
		size = steps[i].size;
	}
	sb->ruleset = (int)create_ruleset(&r, size, 0);
	if (sb->ruleset < 0)
		landlock_failed(sb, "rules: ");
	else
		describe_landlock(sb, (int)abi);
	sb->handled = r.fs;
}

void sandbox_drop(struct sandbox *sb)
{
	if (sb->ruleset >= 0)
		close(sb->ruleset);
	sb->ruleset = -1;
}

/* Takes over fd.  A rule for a file may not speak of folders. */
static void allow(struct sandbox *sb, int fd, uint64_t rights)
{
	struct stat sb_of;

	if (fd < 0)
		return;
	if (!fstat(fd, &sb_of)) {
		struct landlock_path_beneath_attr rule = {
			.allowed_access = rights & sb->handled &
					  (S_ISDIR(sb_of.st_mode) ? ~UINT64_C(0) : FS_OF_FILES),
			.parent_fd = fd};
		sb->nr_allowed += !syscall(SYS_landlock_add_rule, sb->ruleset,
					   LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	}
	close(fd);
}

static int look_up(int folder, const char *path, int flags)
{
	return openat(folder, path, O_PATH | O_CLOEXEC | flags);
}

void sandbox_may_read(struct sandbox *sb, const char *path)
{
	if (sb->ruleset >= 0)
		allow(sb, look_up(AT_FDCWD, path, 0), FS_READ);
}

static void close_folder(DIR **folder)
{
	if (*folder)
		closedir(*folder);
}

static bool is_regular(DIR *dir, const struct dirent *e)
{
	struct stat sb_of;

	if (e->d_type != DT_UNKNOWN)
		return e->d_type == DT_REG;
	return !fstatat(dirfd(dir), e->d_name, &sb_of, AT_SYMLINK_NOFOLLOW) &&
	       S_ISREG(sb_of.st_mode);
}

void sandbox_may_read_in(struct sandbox *sb, const char *folder)
{
	INQ_SCOPED(close_folder) DIR *dir = sb->ruleset >= 0 ? opendir(folder) : NULL;
	struct dirent *e;
	unsigned nr = 0;

	while (dir && (e = readdir(dir))) {
		if (!is_regular(dir, e))
			continue;
		if (nr++ == SIBLINGS_MAX) {
			sandbox_may_read(sb, folder);
			return;
		}
		allow(sb, look_up(dirfd(dir), e->d_name, O_NOFOLLOW), FS_READ);
	}
	if (dir) /* names tell less than bytes */
		allow(sb, look_up(AT_FDCWD, folder, 0), LANDLOCK_ACCESS_FS_READ_DIR);
}

void sandbox_may_write_in(struct sandbox *sb, const char *folder)
{
	if (sb->ruleset >= 0) /* who writes reads too: SQLite its file, sync the folder */
		allow(sb, look_up(AT_FDCWD, folder, 0), FS_READ | FS_WRITE);
}

static void enter_landlock(struct sandbox *sb)
{
	if (sb->ruleset < 0)
		return;
	if (BASE_SANITIZED) { /* it reads its own maps to tell what it found */
		sandbox_may_read(sb, "/proc/self");
		sandbox_may_read(sb, "/proc/self/exe");
	}
	if (syscall(SYS_landlock_restrict_self, sb->ruleset, 0))
		landlock_failed(sb, "");
	sandbox_drop(sb);
}

/*
 * Refused with EPERM.  Names, not numbers: a library that does not know one yet passes it over.
 * chmod and its kin, because Landlock does not see them; kill is Landlock's.
 */
static const char *const forbidden[] = {
	/* talking to others */
	"socket",
	"socketpair",
	"connect",
	"bind",
	"listen",
	"accept",
	"accept4",
	/* other programs, other processes */
	"execve",
	"execveat",
	"ptrace",
	"process_vm_readv",
	"process_vm_writev",
	"pidfd_getfd",
	"kcmp",
	"process_madvise",
	/* what files are, beyond their bytes */
	"chmod",
	"fchmod",
	"fchmodat",
	"fchmodat2",
	"chown",
	"lchown",
	"fchown",
	"fchownat",
	"setxattr",
	"lsetxattr",
	"fsetxattr",
	"setxattrat",
	"removexattr",
	"lremovexattr",
	"fremovexattr",
	"removexattrat",
	"utime",
	"utimes",
	"futimesat",
	"utimensat",
	"truncate",
	"mknod",
	"mknodat",
	"symlink",
	"symlinkat",
	"link",
	"linkat",
	"file_setattr",
	"open_by_handle_at",
	"name_to_handle_at",
	"fanotify_init",
	"fanotify_mark",
	"quotactl",
	"quotactl_fd",
	"acct",
	"swapon",
	"swapoff",
	/* where files are */
	"mount",
	"umount2",
	"pivot_root",
	"chroot",
	"move_mount",
	"open_tree",
	"open_tree_attr",
	"fsopen",
	"fsconfig",
	"fsmount",
	"fspick",
	"mount_setattr",
	"unshare",
	"setns",
	/* who we are */
	"setuid",
	"setgid",
	"setreuid",
	"setregid",
	"setresuid",
	"setresgid",
	"setgroups",
	"setfsuid",
	"setfsgid",
	"capset",
	"personality",
	/* parts of the kernel that are large, or rule the machine */
	"io_uring_setup",
	"io_uring_enter",
	"io_uring_register",
	"bpf",
	"perf_event_open",
	"userfaultfd",
	"add_key",
	"request_key",
	"keyctl",
	"init_module",
	"finit_module",
	"delete_module",
	"kexec_load",
	"kexec_file_load",
	"reboot",
	"syslog",
	"iopl",
	"ioperm",
	"modify_ldt",
	"vhangup",
	"settimeofday",
	"clock_settime",
	"adjtimex",
	"clock_adjtime",
	"sethostname",
	"setdomainname",
	"lookup_dcookie",
	"nfsservctl",
	"uselib",
	"ustat",
};

static int forbid_names(scmp_filter_ctx ctx)
{
	for (size_t i = 0; i < sizeof(forbidden) / sizeof(*forbidden); i++) {
		int nr = seccomp_syscall_resolve_name(forbidden[i]);
		/* the leak checker traces its own process at the end */
		if (nr < 0 || (BASE_SANITIZED && !strcmp(forbidden[i], "ptrace")))
			continue;
		int rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), nr, 0);
		if (rc)
			return rc;
	}
	return 0;
}

/* Threads and children are fine, other worlds for them are not. */
static int forbid_namespaces(scmp_filter_ctx ctx)
{
	static const uint64_t worlds[] = {0x00020000, 0x02000000, 0x04000000, 0x08000000,
					  0x10000000, 0x20000000, 0x40000000}; /* CLONE_NEW* */
	int rc = 0;

	for (size_t i = 0; !rc && i < sizeof(worlds) / sizeof(*worlds); i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
				      SCMP_A0(SCMP_CMP_MASKED_EQ, worlds[i], worlds[i]));
	/* its flags lie in memory, where no filter looks; the C library then takes clone */
	return rc ? rc : seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

/* Input typed into our own terminal would be read by the shell behind us: ioctl_tty(2). */
static int forbid_typing(scmp_filter_ctx ctx)
{
	static const uint64_t requests[] = {TIOCSTI, TIOCLINUX};
	int rc = 0;

	for (size_t i = 0; !rc && i < sizeof(requests) / sizeof(*requests); i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
				      SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffff, requests[i]));
	return rc;
}

static int forbid_calls(scmp_filter_ctx ctx)
{
	/* a tree instead of a list, where the library can: every system call passes it */
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	int rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

	if (!rc)
		rc = forbid_names(ctx);
	if (!rc)
		rc = forbid_namespaces(ctx);
	if (!rc)
		rc = forbid_typing(ctx);
	return rc ? rc : seccomp_load(ctx);
}

static void enter_seccomp(struct sandbox *sb)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int rc = ctx ? forbid_calls(ctx) : -ENOMEM;

	if (rc)
		snprintf(sb->calls, sizeof(sb->calls), "no seccomp: %s", strerror(-rc));
	else
		snprintf(sb->calls, sizeof(sb->calls),
			 "seccomp: no socket, no program, no tracing");
	if (ctx)
		seccomp_release(ctx);
}

void sandbox_enter(struct sandbox *sb)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) /* both ask for it */
		snprintf(sb->calls, sizeof(sb->calls), "no new privileges: %s", strerror(errno));
	enter_landlock(sb);
	enter_seccomp(sb);
}
