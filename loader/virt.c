/*
 * Knows memory that a file holds by its linear address, not by its physical one: the pieces of a
 * mini dump.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "loader/dump.h"

enum inq_status loader_virt_add(struct loader_dump *d, uint64_t addr, uint64_t n, uint64_t off,
				struct inq_err *err)
{
	uint64_t left = off < d->map->n ? d->map->n - off : 0;

	if (n > left)
		n = left;
	if (!n || addr + (n - 1) < addr)
		return INQ_OK;
	if (d->nr_virt_extents == d->virt_cap) {
		size_t cap = d->virt_cap ? 2 * d->virt_cap : 32; /* each takes bytes in the file */
		struct inq_extent *grown = reallocarray(d->virt_extents, cap, sizeof(*grown));
		if (!grown)
			return inq_fail(err, INQ_ENOMEM, "%zu pieces of memory", cap);
		d->virt_extents = grown;
		d->virt_cap = cap;
	}
	d->virt_extents[d->nr_virt_extents++] = (struct inq_extent){
		.first = addr, .last = addr + (n - 1), .kind = INQ_EXTENT_BYTES, .file_off = off};
	return INQ_OK;
}

static int by_first(const void *a, const void *b)
{
	const struct inq_extent *ea = a, *eb = b;

	if (ea->first != eb->first)
		return ea->first < eb->first ? -1 : 1;
	return ea->file_off < eb->file_off ? -1 : ea->file_off > eb->file_off;
}

static enum inq_status virt_piece(const struct loader_dump *d, uint64_t addr, size_t n,
				  struct loader_piece *ret, struct inq_err *err)
{
	const struct inq_extent *e = loader_extent_from(d->virt_extents, d->nr_virt_extents, addr);

	(void)err;
	if (!e || e->first > addr) { /* mapped or not: a mini dump does not tell */
		uint64_t until = e ? e->first - addr : n;
		*ret = (struct loader_piece){
			.run = {.kind = INQ_RUN_ABSENT, .len = n < until ? n : (size_t)until},
			.block.codec = LOADER_EXCLUDED};
		return INQ_OK;
	}
	if (n - 1 > e->last - addr)
		n = (size_t)(e->last - addr) + 1;
	*ret = (struct loader_piece){.off = (size_t)(e->file_off + (addr - e->first))};
	ret->run = (struct inq_run){.kind = INQ_RUN_BYTES, .p = d->map->p + ret->off, .len = n};
	return INQ_OK;
}

static enum inq_status virt_read(const struct inq_space *self, uint64_t addr, void *buf, size_t n,
				 struct inq_err *err)
{
	return loader_read_pieces((const struct loader_space *)self, virt_piece, addr, buf, n, err);
}

static enum inq_status virt_runs(const struct inq_space *self, uint64_t addr, size_t n,
				 struct inq_run *ret, struct inq_err *err)
{
	return loader_run_piece((const struct loader_space *)self, virt_piece, addr, n, ret, err);
}

void loader_virt_init(struct loader_dump *d)
{
	size_t kept = 0;

	if (d->nr_virt_extents)
		qsort(d->virt_extents, d->nr_virt_extents, sizeof(*d->virt_extents), by_first);
	for (size_t i = 0; i < d->nr_virt_extents; i++) {
		struct inq_extent e = d->virt_extents[i];
		const struct inq_extent *before = kept ? &d->virt_extents[kept - 1] : NULL;
		if (before && e.last <= before->last)
			continue;
		if (before && e.first <= before->last) {
			e.file_off += before->last + 1 - e.first;
			e.first = before->last + 1;
		}
		d->virt_extents[kept++] = e;
	}
	d->nr_virt_extents = kept;
	d->virt = (struct loader_space){
		.base = {.name = "virt", .read = virt_read, .runs = virt_runs}, .dump = d};
	d->pub.virt = &d->virt.base;
}
