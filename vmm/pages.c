/*
 * Knows how pages become runs of writes and holes.  The first time a zero page is just not written;
 * later one may lie in the file already, and is written over.
 */
#include "vmm/pages.h"

#include <stdlib.h>

#include "vmm/parts.h"

enum inq_status vmm_pages_init(struct vmm_pages *p, const struct vmm_memory *mem,
			       struct snap_out *o, struct inq_err *err)
{
	*p = (struct vmm_pages){.mem = mem, .o = o};
	p->nr = vmm_parts_memory_bytes(mem) / VMM_PAGE;
	p->zero_bytes = (p->nr + 7) / 8;
	p->zero = calloc(1, p->zero_bytes);
	return p->zero ? INQ_OK : inq_fail(err, INQ_ENOMEM, "zero bitmap");
}

void vmm_pages_deinit(struct vmm_pages *p)
{
	free(p->zero);
	p->zero = NULL;
}

static void mark(struct vmm_pages *p, uint64_t page, uint64_t nr, bool zero)
{
	for (; nr; nr--, page++) {
		uint8_t bit = (uint8_t)(1u << (page % 8));

		if (zero)
			p->zero[page / 8] |= bit;
		else
			p->zero[page / 8] &= (uint8_t)~bit;
	}
}

/* A stretch of a region: bytes in memory, and their place among all pages. */
struct stretch {
	const uint8_t *at, *end;
	uint64_t page;
};

/* Bytes that may be anything: runs of pages that are zero or not, each with one write at most. */
static enum inq_status put_stretch(struct vmm_pages *p, struct stretch s, bool over,
				   struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	while (s.at < s.end && !st) {
		const uint8_t *run = s.at;
		bool zero = vmm_page_is_zero(run);

		while (s.at < s.end && vmm_page_is_zero(s.at) == zero)
			s.at += VMM_PAGE;
		uint64_t bytes = (uint64_t)(s.at - run);
		mark(p, s.page, bytes / VMM_PAGE, zero);
		if (!zero || over) {
			p->written_bytes += bytes;
			st = snap_out_write(p->o, run, bytes, p->memory_off + s.page * VMM_PAGE,
					    err);
		}
		s.page += bytes / VMM_PAGE;
	}
	return st;
}

static enum inq_status put_region(struct vmm_pages *p, const struct vmm_region *r, uint64_t page,
				  struct inq_err *err)
{
	const struct vmm_memory *m = p->mem;
	uint64_t at = r->off, end = r->off + r->bytes;
	enum inq_status st = INQ_OK;

	while (at < end && !st) {
		uint64_t from = at, to;

		vmm_memory_next_data(m, &from, &to, end);
		mark(p, page + (at - r->off) / VMM_PAGE, (from - at) / VMM_PAGE, true);
		st = put_stretch(p,
				 (struct stretch){m->ram + from, m->ram + to,
						  page + (from - r->off) / VMM_PAGE},
				 false, err);
		at = to;
	}
	return st;
}

enum inq_status vmm_pages_put_all(struct vmm_pages *p, struct inq_err *err)
{
	enum inq_status st = INQ_OK;
	uint64_t page = 0;

	for (unsigned i = 0; i < p->mem->nr_regions && !st; i++) {
		st = put_region(p, &p->mem->region[i], page, err);
		page += p->mem->region[i].bytes / VMM_PAGE;
	}
	return st;
}

static bool has(const uint8_t *bits, uint64_t i)
{
	return bits[i / 8] >> (i % 8) & 1;
}

static enum inq_status put_some_of(struct vmm_pages *p, const struct vmm_region *r, uint64_t page,
				   const uint8_t *which, struct inq_err *err)
{
	uint64_t first = r->off / VMM_PAGE, end = first + r->bytes / VMM_PAGE;
	enum inq_status st = INQ_OK;

	for (uint64_t i = first; i < end && !st; i++) {
		uint64_t from = i;

		while (i < end && has(which, i))
			i++;
		if (i > from)
			st = put_stretch(p,
					 (struct stretch){p->mem->ram + from * VMM_PAGE,
							  p->mem->ram + i * VMM_PAGE,
							  page + (from - first)},
					 true, err);
	}
	return st;
}

enum inq_status vmm_pages_put_some(struct vmm_pages *p, const uint8_t *which, struct inq_err *err)
{
	enum inq_status st = INQ_OK;
	uint64_t page = 0;

	for (unsigned i = 0; i < p->mem->nr_regions && !st; i++) {
		st = put_some_of(p, &p->mem->region[i], page, which, err);
		page += p->mem->region[i].bytes / VMM_PAGE;
	}
	return st;
}

uint64_t vmm_pages_nr_zero(const struct vmm_pages *p)
{
	uint64_t n = 0;

	for (uint64_t i = 0; i < p->zero_bytes; i++)
		n += (uint64_t)__builtin_popcount(p->zero[i]);
	return n;
}
