/*
 * Knows where a guest-physical address lies in the file: binary search over the extents, then the
 * zero bitmap (snapshot.h), then the file itself, which may have shrunk since.
 */
#include <inttypes.h>

#include "loader/dump.h"

enum { CHECKED = 16 * LOADER_PAGE };

static const struct inq_extent *extent_at(const struct loader_dump *d, uint64_t addr)
{
	const struct inq_extent *e = loader_extent_from(d->extents, d->pub.nr_extents, addr);

	return e && e->first <= addr ? e : NULL;
}

static int bit(const struct loader_dump *d, uint64_t page)
{
	return page < d->nr_zero_bits && (d->zero_bits[page / 8] >> (page % 8) & 1);
}

/* Bytes from off on, n at most, whose pages all have the bit of the first; off: from page zero_at.
 */
static size_t same_bits(const struct loader_dump *d, uint64_t zero_at, uint64_t off, size_t n)
{
	uint64_t page = zero_at + off / LOADER_PAGE;
	uint64_t last = zero_at + (off + (n - 1)) / LOADER_PAGE;
	int zero = bit(d, page);
	uint8_t same = zero ? 0xff : 0;

	for (uint64_t at = page + 1; at <= last;) {
		if (at % 8 == 0 && at + 8 <= d->nr_zero_bits && d->zero_bits[at / 8] == same)
			at += 8;
		else if (bit(d, at) == zero)
			at++;
		else
			return (size_t)((at - zero_at) * LOADER_PAGE - off);
	}
	return n;
}

void loader_block_piece(const struct loader_dump *d, loader_block_fn *block_at, uint64_t addr,
			size_t n, struct loader_piece *ret)
{
	struct loader_block *b = &ret->block;

	block_at(d, addr, b);
	uint64_t off = addr - b->first;
	ret->run.len = n < b->bytes - off ? n : (size_t)(b->bytes - off);
	if (b->codec == LOADER_ZERO)
		ret->run.kind = INQ_RUN_ZERO;
	if (b->codec < LOADER_ZLIB && b->codec != LOADER_RAW)
		return;
	ret->run.kind = INQ_RUN_PACKED;
	ret->run.p =
		b->codec == LOADER_RAW ? loader_bytes(d, b->off + off, ret->run.len, NULL) : NULL;
	if (ret->run.p) {
		ret->run.kind = INQ_RUN_BYTES;
		ret->off = (size_t)(b->off + off);
	}
}

enum inq_status loader_phys_piece(const struct loader_dump *d, uint64_t addr, size_t n,
				  struct loader_piece *ret, struct inq_err *err)
{
	const struct inq_extent *e = extent_at(d, addr);

	if (!e)
		return inq_fail_at(err, INQ_EFAULT, addr, "0x%" PRIx64 ": no memory there", addr);
	if (n - 1 > e->last - addr)
		n = (size_t)(e->last - addr) + 1;
	*ret = (struct loader_piece){.run = {.kind = INQ_RUN_ABSENT, .len = n}};
	if (e->kind != INQ_EXTENT_BYTES)
		return INQ_OK;
	if (d->block_at) {
		loader_block_piece(d, d->block_at, addr, n, ret);
		return INQ_OK;
	}

	uint64_t zero_at = d->zero_at ? d->zero_at[e - d->extents] : LOADER_NO_BITS;
	uint64_t off = addr - e->first;
	if (d->zero_bits && zero_at != LOADER_NO_BITS) {
		uint64_t from_page = off + e->first % LOADER_PAGE; /* bits are for whole pages */
		ret->run.len = same_bits(d, zero_at, from_page, n);
		ret->not_zero = !bit(d, zero_at + from_page / LOADER_PAGE);
		if (!ret->not_zero) {
			ret->run.kind = INQ_RUN_ZERO;
			return INQ_OK;
		}
	}
	ret->off = (size_t)(e->file_off + off);
	ret->run.kind = INQ_RUN_BYTES;
	ret->run.p = loader_memory(d)->p + ret->off;
	return INQ_OK;
}

static int is_zero(const uint8_t *p, size_t n)
{
	return !n || (!p[0] && !memcmp(p, p + 1, n - 1));
}

/*
 * A page that is zero in the file while its bit is clear was not zero in the guest: a copy that
 * lost data, which must not pass for a zero.  How many of the n bytes that were read may be used.
 */
static size_t believable(const struct loader_dump *d, const struct loader_piece *pc, uint64_t addr,
			 const uint8_t *read, size_t n)
{
	for (size_t at = 0, len; pc->not_zero && at < n; at += len) {
		size_t in_page = (addr + at) % LOADER_PAGE, page = pc->off + at - in_page;
		size_t whole = d->map->n - page < LOADER_PAGE ? d->map->n - page : LOADER_PAGE;
		len = LOADER_PAGE - in_page < n - at ? LOADER_PAGE - in_page : n - at;
		if (is_zero(read + at, len) && is_zero(d->map->p + page, whole))
			return at;
	}
	return n;
}

/* How many of a piece's first n bytes the file still holds. */
static size_t good_of(const struct loader_dump *d, const struct loader_piece *pc, size_t n)
{
	if (d->flat) /* all or nothing: a piece is one page then */
		return loader_bytes_good(d, pc->off, n) ? n : 0;
	return mapping_good(loader_memory(d), pc->off, n);
}

/* Why nothing is known of a piece. */
static const char *absent_because(const struct loader_dump *d, const struct loader_piece *pc,
				  uint64_t addr)
{
	const struct inq_extent *e = extent_at(d, addr);

	if (pc->block.codec == LOADER_BAD)
		return "is damaged in the file: what it says of this page cannot be";
	if ((e && e->kind == INQ_EXTENT_EXCLUDED) || pc->block.codec == LOADER_EXCLUDED)
		return "was left out of the dump";
	return "is missing from the file";
}

/* Copy a piece; on success 0, else why the byte at *ret_good is not known. */
static const char *copy_piece(const struct loader_dump *d, const struct loader_piece *pc,
			      uint64_t addr, uint8_t *buf, size_t *ret_good)
{
	size_t n = pc->run.len;

	*ret_good = 0;
	if (pc->run.kind == INQ_RUN_ABSENT)
		return absent_because(d, pc, addr);
	if (pc->run.kind == INQ_RUN_PACKED)
		return loader_unpack(d, &pc->block, addr - pc->block.first, n, buf);
	if (pc->run.kind == INQ_RUN_ZERO) {
		memset(buf, 0, n);
		return NULL;
	}
	if (d->flat) {
		memcpy(buf, pc->run.p, n);
		*ret_good = good_of(d, pc, n);
	} else {
		*ret_good = mapping_copy(loader_memory(d), pc->off, buf, n);
	}
	if (*ret_good < n)
		return "can no longer be read from the file";
	*ret_good = believable(d, pc, addr, buf, n);
	return *ret_good < n ? "is zero in the file, but was not in the guest" : NULL;
}

enum inq_status loader_read_pieces(const struct loader_space *sp, loader_piece_fn *piece,
				   uint64_t addr, uint8_t *buf, size_t n, struct inq_err *err)
{
	while (n) {
		struct loader_piece pc = {.run.kind = INQ_RUN_ABSENT};
		size_t good;
		enum inq_status st = piece(sp->dump, addr, n, &pc, err);
		if (st)
			return inq_wrap(err, st, "%s", sp->base.name);
		const char *why = copy_piece(sp->dump, &pc, addr, buf, &good);
		if (why)
			return inq_fail_at(err, INQ_EABSENT, addr + good, "%s: 0x%" PRIx64 " %s",
					   sp->base.name, addr + good, why);
		addr += pc.run.len;
		buf += pc.run.len;
		n -= pc.run.len;
	}
	return INQ_OK;
}

enum inq_status loader_run_piece(const struct loader_space *sp, loader_piece_fn *piece,
				 uint64_t addr, size_t n, struct inq_run *ret, struct inq_err *err)
{
	struct loader_piece pc = {.run.kind = INQ_RUN_ABSENT};
	enum inq_status st = piece(sp->dump, addr, n, &pc, err);

	if (st)
		return inq_wrap(err, st, "%s", sp->base.name);
	if (pc.run.kind == INQ_RUN_BYTES) {
		if (pc.not_zero && pc.run.len > CHECKED)
			pc.run.len = CHECKED; /* looking at pages costs: not at more than this */
		size_t good = good_of(sp->dump, &pc, pc.run.len);
		good = believable(sp->dump, &pc, addr, pc.run.p, good);
		size_t page = LOADER_PAGE - addr % LOADER_PAGE;
		if (good)
			pc.run.len = good;
		else
			pc.run = (struct inq_run){.kind = INQ_RUN_ABSENT,
						  .len = page < pc.run.len ? page : pc.run.len};
	}
	*ret = pc.run;
	return INQ_OK;
}

static enum inq_status phys_read(const struct inq_space *self, uint64_t addr, void *buf, size_t n,
				 struct inq_err *err)
{
	return loader_read_pieces((const struct loader_space *)self, loader_phys_piece, addr, buf,
				  n, err);
}

static enum inq_status phys_runs(const struct inq_space *self, uint64_t addr, size_t n,
				 struct inq_run *ret, struct inq_err *err)
{
	return loader_run_piece((const struct loader_space *)self, loader_phys_piece, addr, n, ret,
				err);
}

void loader_phys_init(struct loader_dump *d)
{
	d->phys = (struct loader_space){
		.base = {.name = "phys", .read = phys_read, .runs = phys_runs}, .dump = d};
	d->pub.phys = &d->phys.base;
}
