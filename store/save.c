/*
 * Knows how an index reaches the disk whole or not at all: a temporary name beside the target,
 * sync, rename, sync of the folder.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/internal.h"

enum { TEMPORARY_TRIES = 1000 };

static void free_name(char **name)
{
	free(*name);
}

static enum inq_status fail_errno(struct inq_err *err, const char *what)
{
	return inq_fail(err, INQ_EIO, "%s: %s", what, strerror(errno));
}

/* Only an old index may be replaced: never a device, a folder or somebody's other file. */
static enum inq_status check_target(const char *path, struct inq_err *err)
{
	struct stat sb;

	if (stat(path, &sb))
		return errno == ENOENT ? INQ_OK : fail_errno(err, "target");
	if (!S_ISREG(sb.st_mode))
		return inq_fail(err, INQ_EUSAGE, "exists and is no regular file");
	if (sb.st_size && !store_is_index(path))
		return inq_fail(err, INQ_EUSAGE, "exists and is no index, remove it first");
	return INQ_OK;
}

/* A name of its own: one that was killed may have left its file, and may have had our pid. */
static enum inq_status make_temporary(const char *path, char **ret_name, struct inq_err *err)
{
	int fd = -1;

	errno = EEXIST;
	for (int i = 0; fd < 0 && errno == EEXIST && i < TEMPORARY_TRIES; i++) {
		INQ_SCOPED(free_name) char *name = NULL;
		if (asprintf(&name, "%s.%ld-%d.tmp", path, (long)getpid(), i) < 0) {
			name = NULL;
			return inq_fail(err, INQ_ENOMEM, "name of the temporary file");
		}
		fd = open(name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0666);
		if (fd >= 0)
			*ret_name = inq_take(name);
	}
	if (fd < 0)
		return fail_errno(err, "temporary file");
	close(fd);
	return INQ_OK;
}

static enum inq_status copy_to(struct store *s, const char *name, struct inq_err *err)
{
	INQ_SCOPED(sql_stmt_free_scope_) sqlite3_stmt *q = NULL;
	enum inq_status st = sql_prepare(s->db, "VACUUM INTO ?1", &q, err);

	if (!st && sql_bind_text(q, 1, name))
		st = sql_fail(s->db, INQ_EIO, "bind", err);
	if (st || !(st = sql_done(q, "write", err)))
		return st;
	errno = sqlite3_system_errno(s->db);
	return st == INQ_EIO && errno ? fail_errno(err, "write") : st;
}

/* A file, or the folder that holds one. */
static enum inq_status sync_path(const char *path, int flags, struct inq_err *err)
{
	int fd = open(path, flags | O_CLOEXEC);
	int bad = fd < 0 || fsync(fd);
	enum inq_status st = bad ? fail_errno(err, "sync") : INQ_OK;

	if (fd >= 0 && close(fd) && !st)
		st = fail_errno(err, "sync");
	return st;
}

static enum inq_status sync_folder(const char *path, struct inq_err *err)
{
	INQ_SCOPED(free_name) char *folder = strdup(path);

	if (!folder)
		return inq_fail(err, INQ_ENOMEM, "name of the folder");
	char *slash = strrchr(folder, '/');
	if (slash)
		slash[slash == folder] = '\0';
	return sync_path(slash ? folder : ".", O_RDONLY | O_DIRECTORY, err);
}

enum inq_status store_save(struct store *s, const char *path, struct inq_err *err)
{
	INQ_SCOPED(free_name) char *name = NULL;
	enum inq_status st = check_target(path, err);

	if (st)
		return st;
	st = make_temporary(path, &name, err);
	if (st)
		return st;
	st = copy_to(s, name, err);
	if (!st)
		st = sync_path(name, O_RDWR, err);
	if (!st && rename(name, path))
		st = fail_errno(err, "rename");
	if (st) {
		(void)unlink(name);
		return st;
	}
	return sync_folder(path, err);
}
