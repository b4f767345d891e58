/*
 * Knows which dumps only libkdumpfile reads, and reads their memory through a child in which it
 * may crash: LKCD (Linux 2.4 and 2.6 of SUSE and others), diskdump (Red Hat's before kdump).
 * Nothing the child answers is believed before it was checked.  Not SADUMP: version 0.5.1 yields
 * the first page of a stretch for all of its pages.
 */
#include "loader/libkdump.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "loader/dump.h"

enum { DEATHS = 20, SECONDS = 60 };
#define MEMORY ((size_t)1 << 30)    /* bytes: an index of 64 TiB of pages would not fit */
#define MAX_PFN (UINT64_C(1) << 40) /* 52 bits of address */

/* Of the dump: the child, and the pages that it answered last. */
struct foreign {
	pthread_mutex_t lock;
	struct child *child;
	uint64_t pfn, nr; /* of batch; nr 0: empty */
	uint64_t next;    /* who asks for this one reads on: give more at once */
	uint8_t batch[LIBKDUMP_ROOM];
	char death[DEATHS][96]; /* what it died of; handed out, so never written again */
	size_t nr_deaths;
};

static const uint8_t lkcd_magic[8] = {0xed, 0x23, 0x8f, 0x61, 0x73, 0x01, 0x19, 0xa8};
static const char diskdump_magic[8] = {'D', 'I', 'S', 'K', 'D', 'U', 'M', 'P'};
static const char sadump_magic[8] = {'s', 'a', 'd', 'u', 'm', 'p', 0, 0};

static int probe(struct span head)
{
	const uint8_t *p = span_take(&head, 8);

	return p && (!memcmp(p, lkcd_magic, 8) || !memcmp(p, diskdump_magic, 8) ||
		     !memcmp(p, sadump_magic, 8))
		       ? 60
		       : 0;
}

static void foreign_free(void *own)
{
	struct foreign *f = own;

	child_stop(f->child);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

static enum inq_status start(struct loader_dump *d, struct foreign **ret, struct inq_err *err)
{
	struct foreign *f = calloc(1, sizeof(*f));

	if (!f)
		return inq_fail(err, INQ_ENOMEM, "out of memory");
	pthread_mutex_init(&f->lock, NULL);
	d->own = f;
	d->own_free = foreign_free;
	const struct child_job job = {.name = "libkdumpfile",
				      .fd = d->map->fd,
				      .open = libkdump_open,
				      .serve = libkdump_serve,
				      .room = LIBKDUMP_ROOM,
				      .memory = MEMORY,
				      .seconds = SECONDS};
	*ret = f;
	return child_start(&job, &f->child, err);
}

static enum inq_status read_info(struct loader_dump *d, struct foreign *f,
				 struct libkdump_info *info, struct inq_err *err)
{
	const struct child_call call = {.arg = {LIBKDUMP_INFO}};
	size_t n = 0;
	enum inq_status st = child_ask(f->child, &call, info, sizeof(*info), &n, err);

	if (st)
		return st;
	info->format[sizeof(info->format) - 1] = info->arch[sizeof(info->arch) - 1] = '\0';
	if (n != sizeof(*info) || info->max_pfn > MAX_PFN)
		return inq_fail(err, INQ_ECORRUPT, "libkdumpfile answers nonsense");
	if (*info->arch && strcmp(info->arch, "x86_64") != 0)
		return inq_fail(err, INQ_EUNSUPPORTED, "a dump of %s, not of x86-64", info->arch);
	if (info->page_bytes != LOADER_PAGE)
		return inq_fail(err, INQ_EUNSUPPORTED, "pages of %" PRIu64 " bytes",
				info->page_bytes);
	d->pub.variant = !strcmp(info->format, "lkcd") ? "LKCD dump" : "diskdump";
	return INQ_OK;
}

static enum inq_status add_run(struct loader_dump *d, const struct libkdump_run *r,
			       struct inq_err *err)
{
	if (d->pub.nr_extents >= LOADER_MAX_SEGMENTS)
		return inq_fail(err, INQ_ELIMIT, "more than %u stretches of memory",
				LOADER_MAX_SEGMENTS);
	return loader_extent(
		d,
		(struct inq_extent){.first = r->first * LOADER_PAGE,
				    .last = r->end * LOADER_PAGE - 1,
				    .kind = r->excluded ? INQ_EXTENT_EXCLUDED : INQ_EXTENT_BYTES,
				    .file_off = INQ_NO_OFFSET},
		err);
}

/* All runs from *pfn on that one answer holds; *ret_nr 0: there are no more. */
static enum inq_status read_runs(struct loader_dump *d, struct foreign *f, uint64_t max_pfn,
				 uint64_t *pfn, size_t *ret_nr, struct inq_err *err)
{
	const struct child_call call = {.arg = {LIBKDUMP_RUN, *pfn}};
	size_t n = 0;
	enum inq_status st = child_ask(f->child, &call, f->batch, sizeof(f->batch), &n, err);

	*ret_nr = n / sizeof(struct libkdump_run);
	for (size_t i = 0; !st && i < *ret_nr; i++) {
		struct libkdump_run r;
		memcpy(&r, f->batch + i * sizeof(r), sizeof(r));
		if (r.first < *pfn || r.end <= r.first || r.end > max_pfn)
			return inq_fail(err, INQ_ECORRUPT, "libkdumpfile answers nonsense");
		st = add_run(d, &r, err);
		*pfn = r.end;
	}
	return st;
}

/* A page on its own: what the child says, or what it dies of. */
static enum inq_status ask_pages(struct foreign *f, uint64_t pfn, uint64_t nr, struct inq_err *err)
{
	const struct child_call call = {.arg = {LIBKDUMP_PAGES, pfn, nr}};
	size_t n = 0;

	f->nr = 0;
	enum inq_status st = child_ask(f->child, &call, f->batch, sizeof(f->batch), &n, err);
	if (!st && n != nr * (1 + LOADER_PAGE))
		st = inq_fail(err, INQ_ECORRUPT, "libkdumpfile answers nonsense");
	if (st)
		return st;
	f->pfn = pfn;
	f->nr = nr;
	return INQ_OK;
}

/* Handed out for as long as the dump is open. */
static const char *remember(struct foreign *f, const struct inq_err *err)
{
	char why[sizeof(f->death[0])];

	snprintf(why, sizeof(why), "cannot be read: %.70s", err->msg);
	for (size_t i = 0; i < f->nr_deaths; i++)
		if (!strcmp(f->death[i], why))
			return f->death[i];
	if (f->nr_deaths == DEATHS)
		return "cannot be read: libkdumpfile failed again";
	memcpy(f->death[f->nr_deaths], why, sizeof(why));
	return f->death[f->nr_deaths++];
}

/* Who reads one page after the other gets many at once; one among them that kills is alone. */
static const char *fill_batch(struct foreign *f, uint64_t pfn)
{
	bool reads_on = pfn == f->next;
	struct inq_err err = {0};

	f->next = pfn + 1;
	if (reads_on && !ask_pages(f, pfn, LIBKDUMP_BATCH, &err)) {
		f->next = pfn + LIBKDUMP_BATCH;
		return NULL;
	}
	return ask_pages(f, pfn, 1, &err) ? remember(f, &err) : NULL;
}

static const char *copy_page(struct foreign *f, uint64_t pfn, uint8_t *out)
{
	if (pfn < f->pfn || pfn - f->pfn >= f->nr) {
		const char *why = fill_batch(f, pfn);
		if (why)
			return why;
	}
	uint64_t i = pfn - f->pfn;
	switch (f->batch[i]) {
	case INQ_OK:
		memcpy(out, f->batch + f->nr + i * LOADER_PAGE, LOADER_PAGE);
		return NULL;
	case INQ_EABSENT:
		return "is missing from the file";
	case INQ_EIO:
		return "can no longer be read from the file";
	default:
		return "is damaged in the file";
	}
}

static const char *fetch_page(const struct loader_dump *d, const struct loader_block *b,
			      uint8_t *out)
{
	struct foreign *f = d->own;

	pthread_mutex_lock(&f->lock);
	const char *why = copy_page(f, b->first / LOADER_PAGE, out);
	pthread_mutex_unlock(&f->lock);
	return why;
}

static void block_at(const struct loader_dump *d, uint64_t addr, struct loader_block *ret)
{
	(void)d;
	uint64_t first = addr - addr % LOADER_PAGE;
	*ret = (struct loader_block){
		.first = first, .bytes = LOADER_PAGE, .off = first, .codec = LOADER_FOREIGN};
}

static enum inq_status open_foreign(struct loader_dump *d, struct inq_err *err)
{
	const struct span head =
		span_of(d->map->p, d->map->n < LOADER_PAGE ? d->map->n : LOADER_PAGE);
	struct libkdump_info info = {0};
	struct foreign *f = NULL;
	uint64_t pfn = 0;
	size_t nr = 1;

	if (head.left >= 8 && !memcmp(head.p, sadump_magic, 8))
		return inq_fail(err, INQ_EUNSUPPORTED,
				"a sadump, which is not read: makedumpfile -c -x VMLINUX FILE NEW "
				"makes a kdump of it");
	enum inq_status st = start(d, &f, err);

	if (!st)
		st = read_info(d, f, &info, err);
	while (!st && nr)
		st = read_runs(d, f, info.max_pfn, &pfn, &nr, err);
	if (st)
		return st;
	if (!d->pub.nr_extents)
		return inq_fail(err, INQ_ECORRUPT, "holds no memory");
	d->block_at = block_at;
	d->fetch = fetch_page;
	st = loader_blocks_init(d, LOADER_PAGE, err);
	if (!st)
		st = loader_content_id(d, &head, 1, err);
	loader_phys_init(d);
	return st;
}

const struct inq_loader loader_libkdump = {
	.name = "libkdump",
	.doc = "LKCD and diskdump files, read by libkdumpfile in a process of its own",
	.carries = "memory",
	.tells = {LOADER_NO, LOADER_NO, LOADER_NO, LOADER_NO, LOADER_NO, LOADER_NO},
	.probe = probe,
	.open = open_foreign,
};
