/*
 * Knows virtio-blk's requests (virtio 1.1, 5.2.6).  How a driver cuts a request into parts means
 * nothing (2.6.4): a header of 16 bytes, the data, a byte of status.
 */
#include "vmm/block.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { IN = 0, OUT = 1, FLUSH = 4, GET_ID = 8, HEAD_BYTES = 16, ID_BYTES = 20 };
enum { OK = 0, IOERR = 1, UNSUPPORTED = 2 };

static enum inq_status cannot(const char *path, const char *why, struct inq_err *err)
{
	return inq_fail(err, INQ_EUSAGE, "%s: %s; give another file for --disk", path, why);
}

static enum inq_status open_path(struct vmm_block *b, const char *path, struct inq_err *err)
{
	struct stat sb;

	/* not waiting: a pipe would have open() do so */
	b->fd = open(path, (b->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);
	if (b->fd < 0 || fstat(b->fd, &sb))
		return cannot(path, strerror(errno), err);
	if (!S_ISREG(sb.st_mode) && !S_ISBLK(sb.st_mode))
		return cannot(path, "neither a file nor a block device", err);
	if (flock(b->fd, (b->read_only ? LOCK_SH : LOCK_EX) | LOCK_NB))
		return cannot(path,
			      errno == EWOULDBLOCK ? "another machine uses it" : strerror(errno),
			      err);
	off_t end = lseek(b->fd, 0, SEEK_END);
	b->sectors = end < 0 ? 0 : (uint64_t)end / VMM_SECTOR;
	return b->sectors ? INQ_OK : cannot(path, "no disk, it has not one sector", err);
}

bool vmm_block_path(const char *spec, char *to, size_t size)
{
	size_t n = strlen(spec);
	bool ro = n > 3 && !strcmp(spec + n - 3, ":ro");

	snprintf(to, size, "%.*s", (int)(ro ? n - 3 : n), spec);
	return ro;
}

enum inq_status vmm_block_open(struct vmm_block **ret, const char *spec, struct inq_err *err)
{
	char *path = malloc(strlen(spec) + 1);
	bool ro = path && vmm_block_path(spec, path, strlen(spec) + 1);
	struct vmm_block *b = calloc(1, sizeof(*b));
	enum inq_status st = b && path ? INQ_OK : inq_fail(err, INQ_ENOMEM, "the disk %s", spec);

	if (!st) {
		*b = (struct vmm_block){.fd = -1, .read_only = ro};
		st = open_path(b, path, err);
	}
	free(path);
	if (st)
		vmm_block_close(b);
	else
		*ret = b;
	return st;
}

void vmm_block_close(struct vmm_block *b)
{
	if (b && b->fd >= 0)
		close(b->fd);
	free(b);
}

/* The parts of one direction as vectors, without `skip` bytes in front and `drop` at the end. */
static unsigned vectors(const struct vmm_block_part *part, unsigned nr, bool writable,
			uint64_t skip, uint64_t drop, struct iovec *ret, uint64_t *ret_bytes)
{
	uint64_t all = 0, left;
	unsigned n = 0;

	for (unsigned i = 0; i < nr; i++)
		all += part[i].writable == writable ? part[i].bytes : 0;
	*ret_bytes = left = all > skip + drop ? all - skip - drop : 0;
	for (unsigned i = 0; i < nr && left; i++) {
		uint64_t from = part[i].bytes < skip ? part[i].bytes : skip;

		if (part[i].writable != writable)
			continue;
		skip -= from;
		uint64_t bytes = part[i].bytes - from < left ? part[i].bytes - from : left;
		if (bytes)
			ret[n++] = (struct iovec){part[i].at + from, bytes};
		left -= bytes;
	}
	return n;
}

/* All of it: a file system may give less at once. */
static bool move_all(int fd, bool out, struct iovec *v, unsigned nr, off_t at)
{
	while (nr) {
		ssize_t n = out ? pwritev(fd, v, (int)nr, at) : preadv(fd, v, (int)nr, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		for (; nr && (size_t)n >= v->iov_len; v++, nr--)
			n -= (ssize_t)v->iov_len;
		if (nr) {
			v->iov_base = (uint8_t *)v->iov_base + n;
			v->iov_len -= (size_t)n;
		}
	}
	return true;
}

static uint8_t move_data(const struct vmm_block *b, bool out, uint64_t sector, struct iovec *v,
			 unsigned nr, uint64_t bytes)
{
	if (bytes > VMM_BLOCK_MAX_BYTES || bytes % VMM_SECTOR || sector > b->sectors ||
	    bytes / VMM_SECTOR > b->sectors - sector)
		return IOERR;
	if (out && b->read_only)
		return IOERR;
	return move_all(b->fd, out, v, nr, (off_t)(sector * VMM_SECTOR)) ? OK : IOERR;
}

static uint8_t put_id(const struct iovec *v, unsigned nr, uint64_t *ret_bytes)
{
	static const char id[ID_BYTES] = "inquest";
	uint64_t done = 0;

	for (unsigned i = 0; i < nr && done < ID_BYTES; i++) {
		uint64_t n = v[i].iov_len < ID_BYTES - done ? v[i].iov_len : ID_BYTES - done;

		memcpy(v[i].iov_base, id + done, n);
		done += n;
	}
	*ret_bytes = done;
	return OK;
}

/* The first 16 bytes of what the device may read, copied once: the guest may change them. */
static bool header(const struct vmm_block_part *part, unsigned nr, uint8_t *to)
{
	uint32_t have = 0;

	for (unsigned i = 0; i < nr && have < HEAD_BYTES && !part[i].writable; i++) {
		uint32_t n = part[i].bytes < HEAD_BYTES - have ? part[i].bytes : HEAD_BYTES - have;

		memcpy(to + have, part[i].at, n);
		have += n;
	}
	return have == HEAD_BYTES;
}

/* *ret_bytes: how many the guest got, the status not counted. */
static uint8_t perform(const struct vmm_block *b, const struct vmm_block_part *part, unsigned nr,
		       const uint8_t *head, uint64_t *ret_bytes)
{
	struct iovec v[VMM_BLOCK_MAX_PARTS];
	uint32_t type;
	uint64_t sector, bytes;
	uint8_t status;

	memcpy(&type, head, sizeof(type));
	memcpy(&sector, head + 8, sizeof(sector));
	bool out = type == OUT;
	unsigned n = vectors(part, nr, !out, out ? HEAD_BYTES : 0, out ? 0 : 1, v, &bytes);
	*ret_bytes = 0;
	switch (type) {
	case IN:
	case OUT:
		status = move_data(b, out, sector, v, n, bytes);
		*ret_bytes = out || status ? 0 : bytes;
		return status;
	case FLUSH:
		return b->read_only || !fdatasync(b->fd) ? OK : IOERR;
	case GET_ID:
		return put_id(v, n, ret_bytes);
	default:
		return UNSUPPORTED;
	}
}

uint32_t vmm_block_request(const struct vmm_block *b, const struct vmm_block_part *part,
			   unsigned nr)
{
	uint8_t head[HEAD_BYTES];
	uint64_t bytes;

	if (!nr || nr > VMM_BLOCK_MAX_PARTS || !header(part, nr, head))
		return 0;
	const struct vmm_block_part *last = &part[nr - 1];
	if (!last->writable || !last->bytes)
		return 0;
	last->at[last->bytes - 1] = perform(b, part, nr, head, &bytes);
	return (uint32_t)bytes + 1;
}
