/*
 * Knows how a process survives a file that shrinks under its mapping: the kernel then sends SIGBUS
 * with the address of the touched page (mmap(2), sigaction(2) on BUS_ADRERR).  The handler puts a
 * page of zeros there and sets that page's bit; whoever looked asks for the bit afterwards.
 *
 * A signal handler has no argument of ours, so the registry below is the one unavoidable global of
 * the libraries: a table of fixed size, written under a lock, read by the handler through atomics
 * only.  A slot is published last and withdrawn first; its page bits outlive it.
 */
#include "base/mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	MAX_MAPPINGS = 64,
	PAGE = 4096,
	BULK = 32 << 10, /* bytes from which on a system call is cheaper than faults */
};

static struct slot {
	_Atomic uintptr_t start; /* 0: free */
	_Atomic size_t bytes;    /* whole pages */
	_Atomic(unsigned char *) lost;
	_Atomic int any;
} slots[MAX_MAPPINGS];
static struct sigaction previous;
static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local int passing; /* a handler that calls us back: do not go in circles */

static struct slot *slot_of(uintptr_t addr)
{
	for (size_t i = 0; i < MAX_MAPPINGS; i++) {
		uintptr_t start = atomic_load(&slots[i].start);
		if (start && addr >= start && addr - start < atomic_load(&slots[i].bytes))
			return &slots[i];
	}
	return NULL;
}

/* Not ours: do what would have happened without us. */
static void pass_on(int sig, siginfo_t *info, void *context)
{
	int by_default =
		passing || previous.sa_handler == SIG_DFL || previous.sa_handler == SIG_IGN;

	passing = 1;
	if (by_default) {
		signal(sig, SIG_DFL);
		if (info->si_code <= 0)
			raise(sig); /* sent by somebody: it would not come again by itself */
	} else if (previous.sa_flags & SA_SIGINFO) {
		previous.sa_sigaction(sig, info, context);
	} else {
		previous.sa_handler(sig);
	}
	passing = 0;
}

static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	int saved = errno;
	uintptr_t addr = (uintptr_t)info->si_addr;
	struct slot *s = info->si_code > 0 ? slot_of(addr) : NULL;
	size_t page = s ? (addr - atomic_load(&s->start)) / PAGE : 0;

	if (!s || mmap((char *)info->si_addr - addr % PAGE, PAGE, PROT_READ,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED) {
		pass_on(sig, info, context);
	} else {
		__atomic_fetch_or(&atomic_load(&s->lost)[page / 8],
				  (unsigned char)(1u << (page % 8)), __ATOMIC_SEQ_CST);
		atomic_store(&s->any, 1);
	}
	errno = saved;
}

/* Asked anew for each mapping: others may have put their handler over ours since. */
static enum inq_status install_handler(struct inq_err *err)
{
	struct sigaction now,
		ours = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | SA_ONSTACK};

	sigemptyset(&ours.sa_mask);
	if (sigaction(SIGBUS, NULL, &now))
		return inq_fail(err, INQ_EIO, "cannot handle SIGBUS: %s", strerror(errno));
	if ((now.sa_flags & SA_SIGINFO) && now.sa_sigaction == on_sigbus)
		return INQ_OK;
	previous = now;
	if (sigaction(SIGBUS, &ours, NULL))
		return inq_fail(err, INQ_EIO, "cannot handle SIGBUS: %s", strerror(errno));
	return INQ_OK;
}

static enum inq_status enter_registry(struct mapping *map, struct inq_err *err)
{
	enum inq_status st = install_handler(err);

	for (size_t i = 0; !st && i < MAX_MAPPINGS; i++) {
		if (atomic_load(&slots[i].start))
			continue;
		atomic_store(&slots[i].bytes, (map->n + PAGE - 1) / PAGE * PAGE);
		atomic_store(&slots[i].lost, map->lost);
		atomic_store(&slots[i].any, 0);
		atomic_store(&slots[i].start, (uintptr_t)map->p);
		map->slot = i;
		return INQ_OK;
	}
	return st ? st : inq_fail(err, INQ_ELIMIT, "%d files are mapped already", MAX_MAPPINGS);
}

static const char *kind_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return "a directory";
	case S_IFIFO:
		return "a fifo";
	case S_IFCHR:
		return "a character device";
	case S_IFBLK:
		return "a block device";
	case S_IFSOCK:
		return "a socket";
	default:
		return "no regular file";
	}
}

static enum inq_status open_regular(const char *path, struct mapping *map, struct inq_err *err)
{
	struct stat sb;

	map->fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (map->fd < 0 && errno == ENXIO) /* what open(2) says of a socket */
		return inq_fail(err, INQ_EUNSUPPORTED, "is a socket or a device without a driver");
	if (map->fd < 0)
		return inq_fail(err, INQ_EIO, "cannot open: %s", strerror(errno));
	if (fstat(map->fd, &sb))
		return inq_fail(err, INQ_EIO, "cannot stat: %s", strerror(errno));
	if (!S_ISREG(sb.st_mode))
		return inq_fail(err, INQ_EUNSUPPORTED, "is %s, not a file", kind_of(sb.st_mode));
	if (sb.st_size < 0 || (uint64_t)sb.st_size > SIZE_MAX / 2)
		return inq_fail(err, INQ_ELIMIT, "size is beyond all limits");
	map->n = (size_t)sb.st_size;
	return INQ_OK;
}

static enum inq_status map_failed(struct inq_err *err)
{
	return inq_fail(err, errno == ENOMEM ? INQ_ENOMEM : INQ_EIO, "cannot map: %s",
			strerror(errno));
}

static enum inq_status map_bytes(struct mapping *map, struct inq_err *err)
{
	void *p = mmap(NULL, map->n, PROT_READ, MAP_SHARED, map->fd, 0);

	if (p == MAP_FAILED)
		return map_failed(err);
	map->p = map->start = p;
	map->lost_n = map->n / PAGE / 8 + 1;
	p = mmap(NULL, map->lost_n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return map_failed(err);
	map->lost = p;
	pthread_mutex_lock(&registry_lock);
	enum inq_status st = enter_registry(map, err);
	pthread_mutex_unlock(&registry_lock);
	return st;
}

enum inq_status mapping_open(const char *path, struct mapping **ret_map, struct inq_err *err)
{
	INQ_SCOPED(mapping_close_scope_) struct mapping *map = calloc(1, sizeof(*map));

	if (!map)
		return inq_fail(err, INQ_ENOMEM, "out of memory");
	map->slot = MAX_MAPPINGS;
	enum inq_status st = open_regular(path, map, err);
	if (!st && map->n)
		st = map_bytes(map, err);
	if (st)
		return st;
	*ret_map = inq_take(map);
	return INQ_OK;
}

void mapping_close(struct mapping *map)
{
	if (!map)
		return;
	if (map->slot < MAX_MAPPINGS)
		atomic_store(&slots[map->slot].start, 0);
	if (map->start)
		munmap(map->start, map->n);
	if (map->lost)
		munmap(map->lost, map->lost_n);
	if (map->fd >= 0)
		close(map->fd);
	free(map);
}

/*
 * Is all but the last page beyond doubt?  A file that shrinks loses its last page first of all, and
 * before the page that it then ends in is zeroed (Linux mm/truncate.c:truncate_pagecache): so one
 * look at the last byte, behind the copy, does for most reads what a system call would.
 */
static bool end_is_there(const struct mapping *map)
{
	(void)*(volatile const uint8_t *)&map->p[map->n - 1];
	return !atomic_load(&slots[map->slot].any);
}

/* Do n bytes at off end before the file's last page? */
static bool ends_early(const struct mapping *map, size_t off, size_t n)
{
	size_t last = map->n ? (map->n - 1) / PAGE * PAGE : 0;

	return n <= last && off <= last - n;
}

/* Length of the file now; a page that it ends in reads as zero behind the end, without SIGBUS. */
static size_t length_now(const struct mapping *map)
{
	struct stat sb;

	return fstat(map->fd, &sb) || sb.st_size < 0 ? 0 : (size_t)sb.st_size;
}

size_t mapping_good(const struct mapping *map, size_t off, size_t n)
{
	if (ends_early(map, off, n) && end_is_there(map))
		return n;
	size_t now = length_now(map);

	if (now < map->n && (off >= now || n > now - off))
		n = off < now ? now - off : 0;
	if (!n || !atomic_load(&slots[map->slot].any))
		return n;
	for (size_t page = off / PAGE; page <= (off + n - 1) / PAGE; page++)
		if (map->lost[page / 8] >> (page % 8) & 1)
			return page * PAGE > off ? page * PAGE - off : 0;
	return n;
}

/* As much of it as the file gives. */
static size_t read_bulk(const struct mapping *map, size_t off, uint8_t *buf, size_t n)
{
	size_t got = 0;

	while (got < n) {
		ssize_t more = pread(map->fd, buf + got, n - got, (off_t)(off + got));
		if (more < 0 && errno == EINTR)
			continue;
		if (more <= 0)
			break;
		got += (size_t)more;
	}
	return got;
}

size_t mapping_copy(const struct mapping *map, size_t off, uint8_t *buf, size_t n)
{
	if (n >= BULK)
		n = read_bulk(map, off, buf, n);
	else
		memcpy(buf, map->p + off, n);
	return mapping_good(map, off, n);
}

int mapping_lost(const struct mapping *map)
{
	return map->p && (length_now(map) < map->n || atomic_load(&slots[map->slot].any));
}
