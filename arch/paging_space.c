/* Knows how to read through page tables, and how to say where a walk ended. */
#include "arch/paging.h"

#include <inttypes.h>

static enum inq_status fail_walk(const struct paging_space *ps, const struct paging_walk *w,
				 uint64_t va, struct inq_err *err)
{
	enum inq_status st = w->verdict == PAGING_ABSENT ? INQ_EABSENT : INQ_EFAULT;
	const char *why = paging_verdict_name(w->verdict);

	if (!w->nr_steps)
		return inq_fail_at(err, st, va, "%s: 0x%" PRIx64 ": %s", ps->base.name, va, why);

	const struct paging_step *s = &w->step[w->nr_steps - 1];
	unsigned int idx = paging_index(&ps->mode, s->level, va);
	if (w->verdict == PAGING_ABSENT || w->verdict == PAGING_UNREADABLE)
		return inq_fail_at(err, st, va, "%s: 0x%" PRIx64 ": %s[%u] at 0x%" PRIx64 ": %s",
				   ps->base.name, va, paging_table_name(s->level), idx,
				   s->entry_addr, why);
	return inq_fail_at(err, st, va, "%s: 0x%" PRIx64 ": %s[%u] = 0x%" PRIx64 ": %s",
			   ps->base.name, va, paging_table_name(s->level), idx, s->entry, why);
}

/* The space below failed at err->addr of the piece at pa: say it in addresses of this one. */
static enum inq_status fail_below(const struct paging_space *ps, uint64_t va, uint64_t pa,
				  enum inq_status st, struct inq_err *err)
{
	uint64_t bad = va;

	if (!err)
		return st;
	if (st == INQ_EABSENT || st == INQ_EFAULT)
		bad += err->addr - pa;
	err->addr = bad;
	return inq_wrap(err, st, "%s: 0x%" PRIx64, ps->base.name, bad);
}

/* Bytes from va to the end of its naturally aligned block of size bytes, n at most. */
static size_t piece(uint64_t va, uint64_t size, size_t n)
{
	uint64_t left = size - (va & (size - 1));

	return left < n ? (size_t)left : n;
}

static enum inq_status paging_read(const struct inq_space *self, uint64_t va, void *buf, size_t n,
				   struct inq_err *err)
{
	const struct paging_space *ps = (const struct paging_space *)self;
	uint8_t *out = buf;

	if (!ps->mode.levels) {
		enum inq_status st = inq_read(self->lower, va, buf, n, err);
		return st ? fail_below(ps, va, va, st, err) : INQ_OK;
	}
	while (n) {
		struct paging_walk w;
		paging_walk(&ps->mode, self->lower, va, &w);
		if (w.verdict != PAGING_OK)
			return fail_walk(ps, &w, va, err);

		size_t len = piece(va, w.page_bytes, n);
		enum inq_status st = inq_read(self->lower, w.pa, out, len, err);
		if (st)
			return fail_below(ps, va, w.pa, st, err);
		out += len;
		va += len;
		n -= len;
	}
	return INQ_OK;
}

static enum inq_status paging_runs(const struct inq_space *self, uint64_t va, size_t n,
				   struct inq_run *ret, struct inq_err *err)
{
	const struct paging_space *ps = (const struct paging_space *)self;
	struct paging_walk w;

	paging_walk(&ps->mode, self->lower, va, &w);
	if (w.verdict == PAGING_ABSENT) { /* all that hangs below the lost entry is unknown */
		int shift = paging_shift(&ps->mode, w.step[w.nr_steps - 1].level);
		*ret = (struct inq_run){INQ_RUN_ABSENT, NULL, piece(va, UINT64_C(1) << shift, n)};
		return INQ_OK;
	}
	if (w.verdict != PAGING_OK)
		return fail_walk(ps, &w, va, err);

	size_t len = ps->mode.levels ? piece(va, w.page_bytes, n) : n;
	enum inq_status st = inq_runs(self->lower, w.pa, len, ret, err);
	return st ? fail_below(ps, va, w.pa, st, err) : INQ_OK;
}

void paging_space_init(struct paging_space *ps, const char *name, const struct inq_space *phys,
		       const struct paging_mode *mode)
{
	*ps = (struct paging_space){
		.base = {.name = name,
			 .read = paging_read,
			 .runs = phys->runs ? paging_runs : NULL,
			 .lower = phys},
		.mode = *mode,
	};
}

const struct paging_space *paging_space_of(const struct inq_space *sp)
{
	return sp->read == paging_read ? (const struct paging_space *)sp : NULL;
}

enum inq_status paging_resolve(const struct inq_space *sp, uint64_t addr,
			       const struct inq_space **ret_space, uint64_t *ret_addr,
			       struct inq_err *err)
{
	const struct paging_space *ps;
	struct paging_walk w;
	uint64_t at = addr;
	const struct inq_space *in = sp;

	for (; (ps = paging_space_of(in)); in = in->lower, at = w.pa) {
		paging_walk(&ps->mode, in->lower, at, &w);
		if (w.verdict == PAGING_OK)
			continue;
		enum inq_status st = fail_walk(ps, &w, at, err);
		if (in == sp)
			return st;
		if (err)
			err->addr = addr;
		return inq_wrap(err, st, "%s: 0x%" PRIx64, sp->name, addr);
	}
	*ret_space = in;
	*ret_addr = at;
	return INQ_OK;
}
