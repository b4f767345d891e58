/*
 * page_cost.c's reader that is as fast as the machine allows: where each page lies is known before
 * the time is taken, and a page costs one memcpy, or one call of libdeflate.
 */
#include <libdeflate.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/dump.h"
#include "page_cost.h"

/* Where a page is in the file, that is mapped; packed: bytes of it, 0: as it is. */
struct entry {
	const uint8_t *p;
	size_t packed;
};

struct limit {
	const struct entry *entry; /* by number of the page */
	uint64_t nr;
	struct libdeflate_decompressor *deflate;
};

static void find_page(struct loader_dump *d, uint64_t addr, struct entry *ret)
{
	struct loader_block b = {0};
	struct inq_run run;

	if (d->block_at)
		d->block_at(d, addr, &b);
	if (b.codec == LOADER_ZLIB && b.off + b.packed <= d->map->n)
		*ret = (struct entry){d->map->p + b.off, b.packed};
	else if (!inq_runs(d->pub.phys, addr, PAGE, &run, NULL) && run.kind == INQ_RUN_BYTES &&
		 run.len == PAGE)
		*ret = (struct entry){run.p, 0};
}

void *reader_open(const char *path)
{
	struct inq_dump *dump = NULL;
	struct inq_err err = {0};
	struct limit *l = calloc(1, sizeof(*l));

	if (!l || inq_dump_open(path, &dump, &err) || !dump->nr_extents) {
		fprintf(stderr, "%s: %s\n", path, err.msg);
		return NULL;
	}
	l->nr = dump->extents[dump->nr_extents - 1].last / PAGE + 1;
	struct entry *all = calloc(l->nr, sizeof(*all));
	l->entry = all;
	l->deflate = libdeflate_alloc_decompressor();
	for (size_t i = 0; all && i < dump->nr_extents; i++)
		for (uint64_t at = dump->extents[i].first; at <= dump->extents[i].last; at += PAGE)
			find_page((struct loader_dump *)dump, at, &all[at / PAGE]);
	return all && l->deflate ? l : NULL;
}

void *reader_clone(void *reader)
{
	struct limit *l = malloc(sizeof(*l));

	if (l)
		*l = *(struct limit *)reader;
	if (l)
		l->deflate = libdeflate_alloc_decompressor();
	return l && l->deflate ? l : NULL;
}

int reader_page(void *reader, uint64_t addr, uint8_t *buf)
{
	const struct limit *l = reader;
	const struct entry *e = addr / PAGE < l->nr ? &l->entry[addr / PAGE] : NULL;

	if (!e || !e->p)
		return -1;
	if (e->packed)
		return libdeflate_zlib_decompress(l->deflate, e->p, e->packed, buf, PAGE, NULL);
	memcpy(buf, e->p, PAGE);
	return 0;
}
