/*
 * Knows libkdumpfile 0.5, and runs in a child only: it can be made to crash.  Source:
 * <libkdumpfile/kdumpfile.h>.
 */
#include <libkdumpfile/kdumpfile.h>
#include <stdio.h>
#include <string.h>

#include "loader/libkdump.h"

/* For the life of the child. */
struct opened {
	kdump_ctx_t *ctx;
	kdump_bmp_t *in_file, *in_memory; /* NULL: this format has no such map */
	uint64_t max_pfn;
};

static enum inq_status status_of(kdump_status ks)
{
	switch (ks) {
	case KDUMP_OK:
		return INQ_OK;
	case KDUMP_ERR_NODATA:
	case KDUMP_ERR_EOF:
		return INQ_EABSENT;
	case KDUMP_ERR_NOTIMPL:
		return INQ_EUNSUPPORTED;
	case KDUMP_ERR_SYSTEM:
		return INQ_EIO;
	case KDUMP_ERR_CORRUPT:
	case KDUMP_ERR_INVALID:
	case KDUMP_ERR_NOKEY:
	case KDUMP_ERR_BUSY:
	case KDUMP_ERR_ADDRXLAT:
		break;
	}
	return INQ_ECORRUPT;
}

static enum inq_status fail(const struct opened *o, kdump_status ks, struct inq_err *err)
{
	return inq_fail(err, status_of(ks), "%s", kdump_get_err(o->ctx));
}

static kdump_bmp_t *bitmap_of(const struct opened *o, const char *key)
{
	kdump_attr_t attr = {.type = KDUMP_BITMAP};

	return kdump_get_typed_attr(o->ctx, key, &attr) ? NULL : attr.val.bitmap;
}

enum inq_status libkdump_open(const struct child_job *job, void **ret_state, struct inq_err *err)
{
	static struct opened o;
	kdump_status ks = KDUMP_OK;

	o.ctx = kdump_new();
	if (!o.ctx)
		return inq_fail(err, INQ_ENOMEM, "out of memory");
	/* a file that shrinks is then an error of read(2), not SIGBUS */
	ks = kdump_set_number_attr(o.ctx, KDUMP_ATTR_FILE_MMAP_POLICY, KDUMP_MMAP_NEVER);
	if (!ks)
		ks = kdump_open_fd(o.ctx, job->fd);
	if (!ks)
		ks = kdump_get_number_attr(o.ctx, "max_pfn", &o.max_pfn);
	if (ks)
		return fail(&o, ks, err);
	o.in_file = bitmap_of(&o, KDUMP_ATTR_FILE_PAGEMAP);
	o.in_memory = bitmap_of(&o, KDUMP_ATTR_MEMORY_PAGEMAP);
	*ret_state = &o;
	return INQ_OK;
}

static enum inq_status tell_info(const struct opened *o, uint8_t *buf, size_t *ret_n,
				 struct inq_err *err)
{
	struct libkdump_info info = {.max_pfn = o->max_pfn};
	const char *format = "", *arch = "";
	kdump_status ks = kdump_get_number_attr(o->ctx, KDUMP_ATTR_PAGE_SIZE, &info.page_bytes);

	if (!ks)
		ks = kdump_get_string_attr(o->ctx, KDUMP_ATTR_FILE_FORMAT, &format);
	if (ks)
		return fail(o, ks, err);
	if (kdump_get_string_attr(o->ctx, KDUMP_ATTR_ARCH_NAME, &arch))
		arch = ""; /* its header has no sane utsname */
	snprintf(info.format, sizeof(info.format), "%s", format);
	snprintf(info.arch, sizeof(info.arch), "%s", arch);
	memcpy(buf, &info, sizeof(info));
	*ret_n = sizeof(info);
	return INQ_OK;
}

/* The next pfn from `from` on whose bit is set, or is clear; the end where there is none. */
static uint64_t next_bit(const struct opened *o, kdump_bmp_t *map, uint64_t from, int set)
{
	kdump_addr_t at = from;
	kdump_status ks = !map  ? KDUMP_ERR_NODATA
			  : set ? kdump_bmp_find_set(map, &at)
				: kdump_bmp_find_clear(map, &at);

	return ks || at > o->max_pfn ? o->max_pfn : at;
}

/* What begins at or behind pfn: pages of the file, or such as the machine had besides. */
static struct libkdump_run run_at(const struct opened *o, uint64_t pfn)
{
	struct libkdump_run r = {pfn, o->max_pfn, 0};

	if (!o->in_file)
		return r; /* who reads finds out */
	uint64_t file = next_bit(o, o->in_file, pfn, 1);
	uint64_t memory = next_bit(o, o->in_memory, pfn, 1);
	if (memory < file) {
		uint64_t end = next_bit(o, o->in_memory, memory, 0);
		return (struct libkdump_run){memory, end < file ? end : file, 1};
	}
	return (struct libkdump_run){file, next_bit(o, o->in_file, file, 0), 0};
}

static enum inq_status tell_runs(const struct opened *o, uint64_t pfn, uint8_t *buf, size_t *ret_n)
{
	size_t nr = 0;

	while (nr < LIBKDUMP_RUNS && pfn < o->max_pfn) {
		struct libkdump_run r = run_at(o, pfn);
		if (r.first >= r.end)
			break;
		memcpy(buf + nr++ * sizeof(r), &r, sizeof(r));
		pfn = r.end;
	}
	*ret_n = nr * sizeof(struct libkdump_run);
	return INQ_OK;
}

static enum inq_status tell_pages(const struct opened *o, uint64_t pfn, uint64_t nr, uint8_t *buf,
				  size_t *ret_n)
{
	if (nr > LIBKDUMP_BATCH)
		nr = LIBKDUMP_BATCH;
	for (uint64_t i = 0; i < nr; i++) {
		uint8_t *page = buf + nr + i * LIBKDUMP_PAGE;
		size_t n = LIBKDUMP_PAGE;
		kdump_status ks =
			kdump_read(o->ctx, KDUMP_MACHPHYSADDR, (pfn + i) * LIBKDUMP_PAGE, page, &n);
		buf[i] = (uint8_t)(ks ? status_of(ks) : n < LIBKDUMP_PAGE ? INQ_EABSENT : INQ_OK);
	}
	*ret_n = (size_t)nr * (1 + LIBKDUMP_PAGE);
	return INQ_OK;
}

enum inq_status libkdump_serve(void *state, const struct child_call *call, uint8_t *buf,
			       size_t room, size_t *ret_n, struct inq_err *err)
{
	const struct opened *o = state;

	if (room < LIBKDUMP_ROOM)
		return inq_fail(err, INQ_ELIMIT, "no room for an answer");
	switch ((enum libkdump_call)call->arg[0]) {
	case LIBKDUMP_INFO:
		return tell_info(o, buf, ret_n, err);
	case LIBKDUMP_RUN:
		return tell_runs(o, call->arg[1], buf, ret_n);
	case LIBKDUMP_PAGES:
		return tell_pages(o, call->arg[1], call->arg[2], buf, ret_n);
	}
	return inq_fail(err, INQ_EUSAGE, "no such call");
}
