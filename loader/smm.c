/*
 * Knows what a CPU in SMM sees where KVM has a second address space: the pieces that this space has
 * of its own (the INQ_SNAP_SMRAM note) over everything else, which it shares with the first.
 */
#include "loader/dump.h"

#include "base/order.h"

/* The first piece that ends at addr or behind it; NULL when there is none. */
static const struct loader_overlay *overlay_from(const struct loader_dump *d, uint64_t addr)
{
	size_t n = ORDER_BELOW(d->overlays, d->nr_overlays, last, addr);

	return n < d->nr_overlays ? &d->overlays[n] : NULL;
}

enum inq_status loader_smm_piece(const struct loader_dump *d, uint64_t addr, size_t n,
				 struct loader_piece *ret, struct inq_err *err)
{
	const struct loader_overlay *o = overlay_from(d, addr);

	if (o && o->first > addr && n > o->first - addr)
		n = (size_t)(o->first - addr); /* what lies under is seen up to there */
	if (!o || o->first > addr)
		return loader_phys_piece(d, addr, n, ret, err);
	if (n - 1 > o->last - addr)
		n = (size_t)(o->last - addr) + 1;

	uint64_t off = addr - o->first;
	*ret = (struct loader_piece){.run = {.kind = INQ_RUN_ABSENT, .len = n}};
	if (d->smm_at) {
		loader_block_piece(d, d->smm_at, addr, n, ret);
		return INQ_OK;
	}
	if (off >= o->have)
		return INQ_OK; /* lost: what lies under it is something else */
	if (n > o->have - off)
		n = (size_t)(o->have - off);
	ret->off = (size_t)(o->off + off);
	ret->run = (struct inq_run){.kind = INQ_RUN_BYTES, .p = d->map->p + ret->off, .len = n};
	return INQ_OK;
}

static enum inq_status smm_read(const struct inq_space *self, uint64_t addr, void *buf, size_t n,
				struct inq_err *err)
{
	return loader_read_pieces((const struct loader_space *)self, loader_smm_piece, addr, buf, n,
				  err);
}

static enum inq_status smm_runs(const struct inq_space *self, uint64_t addr, size_t n,
				struct inq_run *ret, struct inq_err *err)
{
	return loader_run_piece((const struct loader_space *)self, loader_smm_piece, addr, n, ret,
				err);
}

void loader_smm_init(struct loader_dump *d)
{
	d->smm = (struct loader_space){
		.base = {.name = "smm", .read = smm_read, .runs = smm_runs, .lower = &d->phys.base},
		.dump = d};
	d->pub.smm = &d->smm.base;
}

int inq_dump_smram(const struct inq_dump *dump, size_t i, uint64_t *ret_first, uint64_t *ret_last)
{
	const struct loader_dump *d = (const struct loader_dump *)dump;

	if (i >= d->nr_overlays)
		return 0;
	*ret_first = d->overlays[i].first;
	*ret_last = d->overlays[i].last;
	return 1;
}
