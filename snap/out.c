/*
 * Knows how to write a file that is never half there: temporary name in the same folder, fsync,
 * rename, fsync of the folder.  After SIGKILL only the temporary name can be left.
 */
#include "snap/out.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 8 << 20 };
/* What ends a run in good order: a temporary file goes, a terminal gets its settings back. */
static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

int snap_out_signal(void)
{
	sigset_t set;

	if (sigpending(&set))
		return 0;
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		if (sigismember(&set, ends[i]) > 0)
			return ends[i];
	return 0;
}

void snap_out_hold_signals(void)
{
	struct sigaction was;
	sigset_t held;

	sigemptyset(&held);
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		sigaddset(&held, ends[i]);
	if (!sigaction(SIGHUP, NULL, &was) && was.sa_handler == SIG_IGN)
		sigdelset(&held, SIGHUP); /* nohup: it would pend all the same */
	sigaddset(&held, SIGUSR1);        /* vmm_attend() */
	pthread_sigmask(SIG_BLOCK, &held, NULL);
	signal(SIGXFSZ, SIG_IGN); /* EFBIG is enough */
	signal(SIGPIPE, SIG_IGN);
}

static enum inq_status failed(const struct snap_out *o, enum inq_status st, const char *advice,
			      struct inq_err *err)
{
	return inq_fail(err, st, "%s: %s; %s", o->path, strerror(errno), advice);
}

/* The folder of path and the name within it. */
static enum inq_status open_dir(struct snap_out *o, struct inq_err *err)
{
	const char *slash = strrchr(o->path, '/');
	char dir[PATH_MAX];
	size_t n = slash ? (size_t)(slash - o->path) : 0;

	o->name = slash ? slash + 1 : o->path;
	if (n >= sizeof(dir))
		return inq_fail(err, INQ_EUSAGE, "%s: name too long; give a shorter one", o->path);
	if (slash && !n)
		strcpy(dir, "/");
	else if (!slash)
		strcpy(dir, ".");
	else
		snprintf(dir, sizeof(dir), "%.*s", (int)n, o->path);
	o->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return o->dir < 0 ? failed(o, INQ_EUSAGE, "give a file in a folder that exists", err)
			  : INQ_OK;
}

/* Only a core may be replaced: never a device, a pipe or somebody's other file. */
static bool is_core(int dir, const char *name, const struct stat *sb)
{
	unsigned char head[18] = {0};

	if (!S_ISREG(sb->st_mode))
		return false;
	if (!sb->st_size)
		return true;
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : pread(fd, head, sizeof(head), 0);
	if (fd >= 0)
		close(fd);
	return n == (ssize_t)sizeof(head) &&
	       ((!memcmp(head, ELFMAG, SELFMAG) && head[16] == ET_CORE) ||
		!memcmp(head, "KDUMP   ", 8));
}

static enum inq_status check_target(const struct snap_out *o, struct inq_err *err)
{
	struct stat sb;

	errno = EISDIR;
	if (!*o->path)
		return inq_fail(err, INQ_EUSAGE, "--snapshot: empty; give the name of a file");
	if (!*o->name)
		return failed(o, INQ_EUSAGE, "give the name of a file", err);
	if (fstatat(o->dir, o->name, &sb, 0))
		return errno == ENOENT ? INQ_OK
				       : failed(o, INQ_EUSAGE, "give the name of a file", err);
	if (S_ISDIR(sb.st_mode)) {
		errno = EISDIR;
		return failed(o, INQ_EUSAGE, "give the name of a file", err);
	}
	return is_core(o->dir, o->name, &sb)
		       ? INQ_OK
		       : inq_fail(err, INQ_EUSAGE,
				  "%s: exists and is no core; remove it or give another name",
				  o->path);
}

enum inq_status snap_out_open(struct snap_out *o, const char *path, struct inq_err *err)
{
	uint64_t tag;

	*o = (struct snap_out){.path = path, .dir = -1, .fd = -1};
	enum inq_status st = open_dir(o, err);
	if (st)
		return st;
	st = check_target(o, err);
	if (st) {
		snap_out_close(o);
		return st;
	}
	if (getrandom(&tag, sizeof(tag), 0) != (ssize_t)sizeof(tag)) {
		st = failed(o, INQ_EIO, "no random numbers", err);
	} else {
		snprintf(o->temp, sizeof(o->temp), ".inquest-%016llx.tmp", (unsigned long long)tag);
		o->fd = openat(o->dir, o->temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (o->fd < 0)
			st = failed(o, INQ_EUSAGE, "give a file in a folder that can be written",
				    err);
	}
	o->open = o->fd >= 0;
	if (st)
		snap_out_close(o);
	return st;
}

/*
 * Let the disk begin while the next pieces are copied, but not with each of them: a sparse memory
 * is many short runs, and asking for each takes longer than writing it.
 */
static void begin_writing(struct snap_out *o, uint64_t off, uint64_t n)
{
	if (!o->waiting || off < o->waiting_from)
		o->waiting_from = off;
	if (!o->waiting || off + n > o->waiting_to)
		o->waiting_to = off + n;
	o->waiting += n;
	if (o->waiting < CHUNK)
		return;
	(void)sync_file_range(o->fd, (off_t)o->waiting_from,
			      (off_t)(o->waiting_to - o->waiting_from), SYNC_FILE_RANGE_WRITE);
	o->waiting = 0;
}

enum inq_status snap_out_write(struct snap_out *o, const void *p, size_t n, uint64_t off,
			       struct inq_err *err)
{
	const uint8_t *at = p;

	while (n) {
		if (snap_out_signal())
			return inq_fail(err, INQ_EINTR, "%s: interrupted; nothing was written",
					o->path);
		ssize_t r = pwrite(o->fd, at, n < CHUNK ? n : CHUNK, (off_t)off);
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return failed(o, INQ_EIO, "make room or give a file on another disk", err);
		begin_writing(o, off, (uint64_t)r);
		at += r;
		off += (uint64_t)r;
		n -= (size_t)r;
	}
	return INQ_OK;
}

enum inq_status snap_out_resize(const struct snap_out *o, uint64_t bytes, struct inq_err *err)
{
	return ftruncate(o->fd, (off_t)bytes)
		       ? failed(o, INQ_EIO, "make room or give a file on another disk", err)
		       : INQ_OK;
}

enum inq_status snap_out_commit(struct snap_out *o, struct inq_err *err)
{
	if (fsync(o->fd))
		return failed(o, INQ_EIO, "make room or give a file on another disk", err);
	if (snap_out_signal())
		return inq_fail(err, INQ_EINTR, "%s: interrupted; nothing was written", o->path);
	if (renameat(o->dir, o->temp, o->dir, o->name))
		return failed(o, INQ_EIO, "give another name", err);
	o->open = false;
	if (fsync(o->dir) && errno != EINVAL) /* some filesystems cannot */
		return failed(o, INQ_EIO, "the file is there, but may not survive a power cut",
			      err);
	return INQ_OK;
}

void snap_out_close(struct snap_out *o)
{
	if (o->open)
		(void)unlinkat(o->dir, o->temp, 0);
	o->open = false;
	if (o->fd > 0)
		close(o->fd);
	if (o->dir > 0)
		close(o->dir);
	o->fd = o->dir = -1;
}
