/* Knows that pages which follow each other in a space often do so in the file, too. */
#include "machine/bytes.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 4096 };

/* Where the n bytes lie in one piece; NULL: they do not. */
static const uint8_t *in_place(const struct inq_space *sp, uint64_t addr, size_t n)
{
	const uint8_t *start = NULL;
	struct inq_run run;

	for (size_t at = 0; at < n; at += run.len) {
		if (inq_runs(sp, addr + at, n - at, &run, NULL) || run.kind != INQ_RUN_BYTES)
			return NULL;
		if (!at)
			start = run.p;
		if (run.p != start + at)
			return NULL;
	}
	return start;
}

static enum inq_status allocate(size_t n, struct machine_bytes *ret, struct inq_err *err)
{
	uint8_t *own = malloc(n ? n : 1);

	if (!own)
		return inq_fail(err, INQ_ENOMEM, "%zu bytes", n);
	*ret = (struct machine_bytes){own, n, own};
	return INQ_OK;
}

enum inq_status machine_bytes(const struct inq_space *sp, uint64_t addr, size_t n,
			      struct machine_bytes *ret, struct inq_err *err)
{
	const uint8_t *p = sp->runs ? in_place(sp, addr, n) : NULL;

	if (p) {
		*ret = (struct machine_bytes){p, n, NULL};
		return INQ_OK;
	}
	enum inq_status st = allocate(n, ret, err);
	if (!st && (st = inq_read(sp, addr, ret->own, n, err)))
		machine_bytes_deinit(ret);
	return st;
}

void machine_read_there(const struct inq_space *sp, uint64_t addr, uint8_t *buf, size_t n)
{
	if (!inq_read(sp, addr, buf, n, NULL))
		return;
	for (size_t at = 0, len; at < n; at += len) {
		len = PAGE - (addr + at) % PAGE;
		len = len < n - at ? len : n - at;
		if (inq_read(sp, addr + at, buf + at, len, NULL))
			memset(buf + at, 0, len);
	}
}

enum inq_status machine_bytes_there(const struct inq_space *sp, uint64_t addr, size_t n,
				    struct machine_bytes *ret, struct inq_err *err)
{
	enum inq_status st = machine_bytes(sp, addr, n, ret, err);

	if (st != INQ_EABSENT && st != INQ_EFAULT)
		return st;
	if ((st = allocate(n, ret, err)))
		return st;
	machine_read_there(sp, addr, ret->own, n);
	return INQ_OK;
}

void machine_bytes_deinit(struct machine_bytes *b)
{
	free(b->own);
	*b = (struct machine_bytes){0};
}
