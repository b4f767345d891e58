/*
 * Knows how a space is cut into pieces that threads search side by side, and how a hit that lies
 * across two pages far apart in the file is found all the same: the end of what came before is kept
 * and searched together with the beginning of what follows.
 */
#include "machine/search.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/cores.h"

enum {
	CHUNK = 3 << 18,    /* bytes that one thread takes at once: they stay in its own cache */
	CHUNKS = 256,       /* of one round; rounds begin small, so that first hits come soon */
	HITS_MAX = 1 << 16, /* of one chunk; the search goes on behind them in the next round */
	BUFFER = CHUNK + MACHINE_PATTERN_MAX, /* a chunk and what a hit reaches over: one read */
	ZEROS = 64 << 10,
	BULK = 64 << 10, /* bytes from which on a copy is cheaper than looking where they lie */
	PAGE = 4096,
};

struct chunk {
	uint64_t first, last; /* hits begin in here */
	uint64_t *hits;
	size_t nr, cap;
	uint64_t done, unseen; /* bytes that were read, and that could not be */
	bool full;             /* hits end where there was no room any more */
	bool no_memory;
};

struct machine_search {
	const struct inq_machine *m;
	const struct inq_space *sp;
	uint64_t at, last; /* the next round begins here */
	bool ended;
	struct machine_pattern pt;
	machine_search_go_fn *go;
	void *ctx;
	struct chunk chunk[CHUNKS];
	size_t nr_chunks, round; /* in this round; room of the next */
	size_t chunk_at, hit_at; /* what next() yields */
	_Atomic size_t taken;
	uint64_t done, total, unseen;
};

/* One thread's view of what it searches. */
struct scan {
	const struct machine_search *s;
	struct chunk *c;
	uint64_t at, end; /* inclusive; behind the chunk by what a hit may reach over */
	uint8_t seam[2 * MACHINE_PATTERN_MAX];
	size_t kept; /* bytes before at, in seam */
	uint8_t buf[BUFFER];
};

static bool keep_hit(struct chunk *c, uint64_t addr)
{
	if (addr < c->first || addr > c->last)
		return true;
	if (c->nr == HITS_MAX) {
		c->full = true;
		return false;
	}
	if (c->nr == c->cap) {
		size_t cap = c->cap ? 2 * c->cap : 64;
		uint64_t *more = realloc(c->hits, cap * sizeof(*more));
		c->no_memory = !more;
		if (!more)
			return false;
		c->hits = more;
		c->cap = cap;
	}
	c->hits[c->nr++] = addr;
	return true;
}

/* Hits that begin in the first `starts` of n bytes. */
static bool scan_bytes(struct scan *sc, const uint8_t *p, size_t n, uint64_t addr, size_t starts)
{
	const struct machine_pattern *pt = &sc->s->pt;

	for (size_t at = 0; (at = machine_pattern_find(pt, p, n, addr, at)) < starts; at++)
		if (!keep_hit(sc->c, addr + at))
			return false;
	return true;
}

/* n bytes at sc->at: together with what was kept, then alone. */
static bool scan_piece(struct scan *sc, const uint8_t *p, size_t n)
{
	size_t reach = sc->s->pt.n - 1, head = n < reach ? n : reach;
	bool more = true;

	if (sc->kept) {
		memcpy(sc->seam + sc->kept, p, head);
		more = scan_bytes(sc, sc->seam, sc->kept + head, sc->at - sc->kept, sc->kept);
	}
	if (more)
		more = scan_bytes(sc, p, n, sc->at, n);
	if (n >= reach) {
		memcpy(sc->seam, p + n - reach, reach);
		sc->kept = reach;
	} else { /* head is all of p, and stands behind what was kept */
		memcpy(sc->seam + sc->kept, p, head);
		size_t all = sc->kept + head, keep = all < reach ? all : reach;
		memmove(sc->seam, sc->seam + (all - keep), keep);
		sc->kept = keep;
	}
	sc->c->done += n;
	return more;
}

/* False: sc->at was the last address. */
static bool go_on(struct scan *sc, uint64_t n)
{
	if (n > sc->end - sc->at)
		return false;
	sc->at += n;
	return true;
}

static bool skip_unseen(struct scan *sc, uint64_t n)
{
	uint64_t own = sc->at <= sc->c->last ? sc->c->last - sc->at + 1 : 0;

	sc->kept = 0;
	sc->c->unseen += n < own ? n : own; /* the next chunk counts what is behind */
	return go_on(sc, n);
}

static bool skip_hole(struct scan *sc)
{
	uint64_t next;

	sc->kept = 0;
	if (!machine_space_next(sc->s->m, sc->s->sp, sc->at, sc->end, &next))
		return false;
	if (next > sc->at) {
		sc->at = next;
		return true;
	}
	return go_on(sc, PAGE - sc->at % PAGE);
}

/* What does not lie in the file as it is; what cannot be read costs a page at a time. */
static bool scan_copy(struct scan *sc, uint64_t most, bool *ret_more)
{
	uint64_t left = sc->end - sc->at, page = PAGE - sc->at % PAGE;
	size_t n = most < BUFFER ? (size_t)most : BUFFER;
	struct inq_err err = {0};

	if (left < n)
		n = (size_t)left + 1;
	enum inq_status st = inq_read(sc->s->sp, sc->at, sc->buf, n, &err);
	if (st && n > page) {
		n = (size_t)page;
		st = inq_read(sc->s->sp, sc->at, sc->buf, n, &err);
	}
	if (st && err.addr > sc->at && err.addr - sc->at < n) {
		n = (size_t)(err.addr - sc->at);
		st = inq_read(sc->s->sp, sc->at, sc->buf, n, &err);
	}
	if (st == INQ_EFAULT)
		return skip_hole(sc);
	if (st)
		return skip_unseen(sc, n);
	*ret_more = scan_piece(sc, sc->buf, n);
	return go_on(sc, n);
}

/* One piece; false: the chunk is done. */
static bool scan_next(struct scan *sc)
{
	static const uint8_t zeros[ZEROS];
	uint64_t left = sc->end - sc->at;
	struct inq_run run;
	bool more = true;

	if (!sc->s->sp->runs)
		return scan_copy(sc, BUFFER, &more) && more;
	enum inq_status st =
		inq_runs(sc->s->sp, sc->at, left == UINT64_MAX ? left : left + 1, &run, NULL);
	if (st == INQ_EUNSUPPORTED)
		return scan_copy(sc, BUFFER, &more) && more;
	if (st)
		return skip_hole(sc);
	switch (run.kind) {
	case INQ_RUN_ABSENT:
		return skip_unseen(sc, run.len);
	case INQ_RUN_PACKED:
		return scan_copy(sc, run.len, &more) && more;
	case INQ_RUN_ZERO:
		run.p = zeros;
		run.len = run.len < sizeof(zeros) ? run.len : sizeof(zeros);
		break;
	case INQ_RUN_BYTES: /* looking at a file where it lies costs faults: base/mapping.h */
		if (run.len >= BULK)
			return scan_copy(sc, run.len, &more) && more;
		break;
	}
	return scan_piece(sc, run.p, run.len) && go_on(sc, run.len);
}

static void scan_chunk(struct scan *sc, struct chunk *c)
{
	uint64_t reach = sc->s->pt.n - 1;

	sc->c = c;
	sc->at = c->first;
	sc->kept = 0;
	sc->end = sc->s->last - c->last < reach ? sc->s->last : c->last + reach;
	while (scan_next(sc))
		;
}

static void *run_thread(void *arg)
{
	struct machine_search *s = arg;
	struct scan *sc = malloc(sizeof(*sc));

	if (sc)
		sc->s = s;
	for (size_t i; (i = atomic_fetch_add(&s->taken, 1)) < s->nr_chunks;) {
		s->chunk[i].no_memory = !sc;
		if (sc)
			scan_chunk(sc, &s->chunk[i]);
	}
	free(sc);
	return NULL;
}

/* Chunks of what may be mapped; none: the search has ended. */
static void cut_chunks(struct machine_search *s)
{
	for (s->nr_chunks = 0; !s->ended && s->nr_chunks < s->round; s->nr_chunks++) {
		struct chunk *c = &s->chunk[s->nr_chunks];
		uint64_t *hits = c->hits, first;
		size_t cap = c->cap;
		s->ended =
			s->at > s->last || !machine_space_next(s->m, s->sp, s->at, s->last, &first);
		if (s->ended)
			return;
		uint64_t last = s->last - first < CHUNK ? s->last : first + (CHUNK - 1);
		*c = (struct chunk){.first = first, .last = last, .hits = hits, .cap = cap};
		s->ended = last == s->last;
		s->at = last + 1;
	}
}

/* What a chunk had no room for is searched again, with all that follows. */
static void drop_behind_full(struct machine_search *s)
{
	for (size_t i = 0; i < s->nr_chunks; i++) {
		struct chunk *c = &s->chunk[i];
		s->done += c->done;
		s->unseen += c->unseen;
		if (!c->full)
			continue;
		s->ended = c->hits[c->nr - 1] == s->last;
		s->at = c->hits[c->nr - 1] + 1;
		s->nr_chunks = i + 1;
	}
}

static enum inq_status search_round(struct machine_search *s, struct inq_err *err)
{
	if (s->go && !s->go(s->ctx, s->done, s->total))
		return inq_fail(err, INQ_EINTR, "stopped");
	cut_chunks(s);
	s->chunk_at = s->hit_at = 0;
	s->taken = 0;
	if (!s->nr_chunks)
		return INQ_OK;
	cores_run(s->nr_chunks, run_thread, s);
	for (size_t i = 0; i < s->nr_chunks; i++)
		if (s->chunk[i].no_memory)
			return inq_fail(err, INQ_ENOMEM, "hits of a search");
	drop_behind_full(s);
	s->round = 2 * s->round < CHUNKS ? 2 * s->round : CHUNKS;
	return INQ_OK;
}

enum inq_status machine_search_next(struct machine_search *s, uint64_t *ret_addr, bool *ret_more,
				    struct inq_err *err)
{
	for (;;) {
		for (; s->chunk_at < s->nr_chunks; s->chunk_at++, s->hit_at = 0) {
			const struct chunk *c = &s->chunk[s->chunk_at];
			if (s->hit_at == c->nr)
				continue;
			*ret_addr = c->hits[s->hit_at++];
			*ret_more = true;
			return INQ_OK;
		}
		if (s->ended) {
			*ret_more = false;
			return INQ_OK;
		}
		enum inq_status st = search_round(s, err);
		if (st)
			return st;
	}
}

/* Bytes of physical memory in the range, of which nobody need ask page tables. */
static uint64_t total_of(const struct inq_machine *m, const struct inq_space *sp, uint64_t first,
			 uint64_t last)
{
	uint64_t n = 0;

	if (sp != m->dump->phys && sp != m->dump->smm)
		return 0;
	for (size_t i = 0; i < m->dump->nr_extents; i++) {
		const struct inq_extent *e = &m->dump->extents[i];
		uint64_t a = e->first > first ? e->first : first;
		uint64_t b = e->last < last ? e->last : last;
		if (a <= b)
			n += b - a + 1;
	}
	return n;
}

enum inq_status machine_search_open(const struct inq_machine *m, const struct inq_space *sp,
				    uint64_t first, uint64_t last, const struct machine_pattern *pt,
				    machine_search_go_fn *go, void *ctx,
				    struct machine_search **ret, struct inq_err *err)
{
	struct machine_search *s = calloc(1, sizeof(*s));

	if (!s)
		return inq_fail(err, INQ_ENOMEM, "search");
	s->m = m;
	s->sp = sp;
	s->at = first;
	s->last = last;
	s->ended = first > last;
	s->pt = *pt;
	s->go = go;
	s->ctx = ctx;
	s->round = 1;
	s->total = total_of(m, sp, first, last);
	*ret = s;
	return INQ_OK;
}

void machine_search_close(struct machine_search *s)
{
	for (size_t i = 0; s && i < CHUNKS; i++)
		free(s->chunk[i].hits);
	free(s);
}

uint64_t machine_search_unseen(const struct machine_search *s)
{
	return s->unseen;
}
