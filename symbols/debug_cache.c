/* Knows the files of the cache: a head, and the stretches of addresses, as they lie in memory. */
#include "symbols/debug_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/scope.h"

static const char magic[8] = {'I', 'N', 'Q', 'R', 'N', 'G', '1', '\n'};

struct head {
	char magic[8];
	char build_id[SYMBOLS_BUILD_ID + 7]; /* NUL to the end */
	char suffix[8];
	uint64_t info_bytes, line_bytes;
	uint64_t nr;
	uint64_t sum; /* of the ranges: a disk may have lost some */
};

static void close_fd(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static void free_bytes(void **p)
{
	free(*p);
}

/* FNV-1a, 64 bits at a time: against accidents only. */
static uint64_t sum_of(const struct job_range *r, size_t nr)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < nr; i++) {
		const uint64_t word[] = {r[i].first, r[i].last, r[i].unit};
		for (size_t k = 0; k < sizeof(word) / sizeof(*word); k++)
			h = (h ^ word[k]) * UINT64_C(0x100000001b3);
	}
	return h;
}

bool debug_ranges_sorted(const struct job_range *r, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		if (r[i].first > r[i].last || (i && r[i].first <= r[i - 1].last))
			return false;
	return true;
}

static struct head head_of(const struct debug_cache_key *key, const struct job_range *r, size_t nr)
{
	struct head h = {.info_bytes = key->info_bytes,
			 .line_bytes = key->line_bytes,
			 .nr = nr,
			 .sum = sum_of(r, nr)};

	memcpy(h.magic, magic, sizeof(magic));
	snprintf(h.build_id, sizeof(h.build_id), "%s", key->build_id);
	snprintf(h.suffix, sizeof(h.suffix), "%s", key->suffix);
	return h;
}

enum inq_status debug_cache_take(const struct debug_cache_key *key, const void *p, size_t n,
				 struct job_range **ret_ranges, size_t *ret_nr, struct inq_err *err)
{
	size_t bytes = n < sizeof(struct head) ? 0 : n - sizeof(struct head);
	size_t nr = bytes / sizeof(struct job_range);
	INQ_SCOPED(free_bytes) void *own = nr ? malloc(bytes) : NULL;

	if (!nr || bytes % sizeof(struct job_range) || n > DEBUG_CACHE_BYTES)
		return inq_fail(err, INQ_ECORRUPT, "has not the size that it should have");
	if (!own)
		return inq_fail(err, INQ_ENOMEM, "out of memory");
	memcpy(own, (const uint8_t *)p + sizeof(struct head), bytes);
	const struct head h = head_of(key, own, nr);
	if (memcmp(&h, p, sizeof(h)) != 0)
		return inq_fail(err, INQ_ECORRUPT, "is of another file, or damaged");
	if (!debug_ranges_sorted(own, nr))
		return inq_fail(err, INQ_ECORRUPT, "contradicts itself");
	*ret_ranges = inq_take(own);
	*ret_nr = nr;
	return INQ_OK;
}

/* False: there is no cache, or no room for the name. */
static bool path_of(const struct debug_cache_key *key, const char *tail, char *path, size_t n)
{
	int len = !key->folder || !*key->build_id ? -1
						  : snprintf(path, n, "%s/%s.%s%s", key->folder,
							     key->build_id, key->suffix, tail);

	return len >= 0 && (size_t)len < n;
}

static enum inq_status read_file(int fd, void **ret, size_t *ret_n, struct inq_err *err)
{
	struct stat s;

	if (fstat(fd, &s) || !S_ISREG(s.st_mode))
		return inq_fail(err, INQ_ECORRUPT, "is no file");
	if (s.st_size > DEBUG_CACHE_BYTES)
		return inq_fail(err, INQ_ECORRUPT, "is too long");
	*ret = malloc((size_t)s.st_size + 1);
	if (!*ret)
		return inq_fail(err, INQ_ENOMEM, "out of memory");
	ssize_t n = pread(fd, *ret, (size_t)s.st_size, 0);
	if (n < 0)
		return inq_fail(err, INQ_EIO, "%s", strerror(errno));
	*ret_n = (size_t)n;
	return INQ_OK;
}

enum inq_status debug_cache_load(const struct debug_cache_key *key, struct job_range **ret_ranges,
				 size_t *ret_nr, struct inq_err *err)
{
	char path[512];
	INQ_SCOPED(close_fd) int fd = -1;
	INQ_SCOPED(free_bytes) void *p = NULL;
	size_t n = 0;

	if (!path_of(key, "", path, sizeof(path)))
		return inq_fail(err, INQ_ENOTFOUND, "no cache");
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	if (fd < 0)
		return inq_fail(err, INQ_ENOTFOUND, "%s: %s", path, strerror(errno));
	enum inq_status st = read_file(fd, &p, &n, err);
	if (!st)
		st = debug_cache_take(key, p, n, ret_ranges, ret_nr, err);
	return inq_wrap(err, st, "%s", path);
}

/* The file that was written first, half ones too; how many there are. The folder is ours. */
static size_t find_oldest(int folder, DIR *d, char *oldest, size_t n)
{
	time_t when = 0;
	size_t nr = 0;
	struct dirent *e;

	while ((e = readdir(d))) {
		struct stat s;
		size_t len = strlen(e->d_name);
		if (len >= n || *e->d_name == '.' ||
		    fstatat(folder, e->d_name, &s, AT_SYMLINK_NOFOLLOW))
			continue;
		if (!nr++ || s.st_mtime < when) {
			when = s.st_mtime;
			memcpy(oldest, e->d_name, len + 1);
		}
	}
	return nr;
}

/* Of too many the oldest go; the one that is being written counts. */
static void prune(const char *path)
{
	char oldest[NAME_MAX + 1];

	for (int i = 0; i < DEBUG_CACHE_FILES; i++) {
		DIR *d = opendir(path);
		if (!d)
			return;
		size_t nr = find_oldest(dirfd(d), d, oldest, sizeof(oldest));
		bool full = nr > DEBUG_CACHE_FILES;
		if (full)
			full = !unlinkat(dirfd(d), oldest, 0);
		closedir(d);
		if (!full)
			return;
	}
}

static bool write_all(int fd, const void *p, size_t n)
{
	const uint8_t *at = p;

	while (n) {
		ssize_t done = write(fd, at, n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return false;
		at += done;
		n -= (size_t)done;
	}
	return true;
}

void debug_cache_save(const struct debug_cache_key *key, const struct job_range *ranges, size_t nr)
{
	char path[512], other[512], tail[32];
	const struct head h = head_of(key, ranges, nr);

	snprintf(tail, sizeof(tail), ".%d.tmp", (int)getpid());
	if (!nr || nr > (DEBUG_CACHE_BYTES - sizeof(h)) / sizeof(*ranges) ||
	    !path_of(key, "", path, sizeof(path)) || !path_of(key, tail, other, sizeof(other)))
		return;
	int fd = open(other, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return; /* who only reads, or asks without a cache folder */
	prune(key->folder);
	bool ok = write_all(fd, &h, sizeof(h)) && write_all(fd, ranges, nr * sizeof(*ranges));
	ok = !close(fd) && ok;
	if (!ok || rename(other, path))
		(void)unlink(other);
}
