/* Struct pages: one row each, as they are found. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "analyzers/collect/linux.h"
#include "analyzers/collect/linux_page.h"
#include "analyzers/collect/linux_zone.h"
#include "analyzers/live/table.h"

enum { ARG_HAS, ARG_LACKS };
enum {
	COL_PFN, /* the first three can be asked for in ranges */
	COL_FLAGS,
	COL_MAPPING,
	COL_NAMES,
	COL_TYPE,
	COL_REFS,
	COL_MAPS,
	COL_ORDER,
	COL_INDEX,
	COL_PRIVATE,
	COL_HEAD,
	COL_PAGE,
	COL_STATE,
	COL_COUNT,
	COL_NODE,
	COL_ZONE,
	COL_SECTION,
	COL_CACHE,
	COL_CACHE_NAME
};

static const struct live_column cols[] = {
	{"pfn", "INTEGER", "page number: physical address / 4096"},
	{"flags", "INTEGER", "as they are, with node and zone in the upper bits"},
	{"mapping", "INTEGER",
	 "address_space, or with low bits set anon_vma, ...; NULL: none, or a slab or page with a "
	 "type"},
	{"names", "TEXT", "flags by name, as this kernel's enum pageflags has them"},
	{"type", "TEXT",
	 "buddy (free), slab, anon, file, ksm, movable, tail, reserved, table, offline, guard, "
	 "other; unused: nobody refers to it"},
	{"refcount", "INTEGER", "references to it"},
	{"mapcount", "INTEGER", "times that it is mapped; NULL: it has a type instead"},
	{"ord", "INTEGER", "order of a free block, or of a compound's head; NULL: neither"},
	{"idx", "INTEGER", "index in its mapping; NULL: as there"},
	{"private", "INTEGER", "buffers, swap entry, order of a free block, ..."},
	{"head", "INTEGER", "address of the struct page of its compound's head; NULL: no tail"},
	{"page", "INTEGER", "address of its struct page"},
	{"state", "TEXT", "page; absent: struct pages that are not in the dump, from pfn on"},
	{"count", "INTEGER", "1; of those that are absent, how many"},
	{"node", "INTEGER", "NUMA node, as flags say; NULL: which bits of them is not proved"},
	{"zone", "TEXT", "zone, as flags say: DMA, DMA32, Normal, ...; NULL: the same"},
	{"section", "INTEGER", "section of memory, where flags have it (without vmemmap)"},
	{"cache", "INTEGER", "of a slab: address of its kmem_cache"},
	{"cache_name", "TEXT", "of a slab: name of its cache"},
	{0},
};
static const struct live_column args[] = {
	{"has", "", "names of flags with commas between them: only pages that have all"},
	{"lacks", "", "the same: only pages that have none of them"},
	{0},
};

/* Looked up once: a query may ask for one page after the other. */
struct kept {
	bool known;
	struct page_shape shape;
	struct page_map map;
	struct linux_zones zones;
	struct linux_slab_shape slab;
	bool has_slab;
};

struct state {
	const struct inq_machine *m;
	const struct kept *of;
	struct page_scan *scan;
	struct page_row row;
};

static enum inq_status take_flags(const struct page_shape *shape, sqlite3_value *v, uint64_t *ret,
				  struct inq_err *err)
{
	if (!v)
		return INQ_OK;
	if (sqlite3_value_type(v) == SQLITE_INTEGER) {
		*ret = (uint64_t)sqlite3_value_int64(v);
		return INQ_OK;
	}
	const char *names = (const char *)sqlite3_value_text(v);
	return names ? page_flag_bits(shape, names, ret, err)
		     : inq_fail(err, INQ_ENOMEM, "names of flags");
}

/* In signed order; page numbers are never negative. */
static void take_ranges(const struct live_call *call, struct page_filter *f)
{
	const struct live_range *pfn = &call->range[COL_PFN];

	f->first = pfn->first < 0 ? 0 : (uint64_t)pfn->first;
	f->last = pfn->last < 0 ? 0 : (uint64_t)pfn->last;
	f->flags_first = call->range[COL_FLAGS].first;
	f->flags_last = call->range[COL_FLAGS].last;
	f->mapping_first = call->range[COL_MAPPING].first;
	f->mapping_last = call->range[COL_MAPPING].last;
}

static enum inq_status find_pages(const struct inq_machine *m, struct kept *k, struct inq_err *err)
{
	if (k->known)
		return INQ_OK;
	if (!linux_here(m))
		return inq_fail(err, INQ_EABSENT, "no Linux was found in the dump");
	enum inq_status st = linux_page_shape(m, &k->shape, err);
	if (st)
		return st;
	page_map_deinit(&k->map);
	st = linux_page_map(m, &k->shape, &k->map, err);
	if (st)
		return st;
	linux_zones_find(m, &k->shape, &k->map, &k->zones);
	k->has_slab = !linux_slab_shape(m, &k->slab, NULL);
	k->known = true;
	return INQ_OK;
}

static enum inq_status open_pages(const struct live_call *call, void *state, struct inq_err *err)
{
	struct state *s = state;
	struct kept *k = call->kept;
	struct page_filter f = page_all;
	enum inq_status st = find_pages(call->m, k, err);

	st = st ? st : take_flags(&k->shape, call->arg[ARG_HAS], &f.has, err);
	st = st ? st : take_flags(&k->shape, call->arg[ARG_LACKS], &f.lacks, err);
	if (st)
		return st;
	take_ranges(call, &f);
	s->m = call->m;
	s->of = k;
	return page_scan_open(&k->map, &k->shape, &f, call->host->progress, call->host->ctx,
			      &s->scan, err);
}

static void drop_pages(void *kept)
{
	page_map_deinit(&((struct kept *)kept)->map);
}

static void close_pages(void *state)
{
	page_scan_close(((struct state *)state)->scan);
}

static enum inq_status next_page(void *state, bool *ret_more, struct inq_err *err)
{
	struct state *s = state;

	return page_scan_next(s->scan, &s->row, ret_more, err);
}

static void put_some(sqlite3_context *ctx, bool known, uint64_t v)
{
	if (known)
		sqlite3_result_int64(ctx, (sqlite3_int64)v);
	else
		sqlite3_result_null(ctx);
}

static void put_names(const struct state *s, uint64_t flags, sqlite3_context *ctx)
{
	char names[512];

	page_flag_names(&s->of->shape, flags, names, sizeof(names));
	sqlite3_result_text(ctx, names, -1, SQLITE_TRANSIENT);
}

/* What one word tells. */
static void put_word(const struct state *s, int col, sqlite3_context *ctx)
{
	const struct page_shape *sh = &s->of->shape;
	const uint8_t *p = s->row.p;

	if (col == COL_FLAGS)
		put_some(ctx, true, page_word(sh, &sh->flags, p));
	else if (col == COL_REFS)
		put_some(ctx, true, (uint64_t)page_int(sh, &sh->refcount, p));
	else if (col == COL_INDEX)
		put_some(ctx, page_has_mapping(sh, p), page_word(sh, &sh->index, p));
	else if (col == COL_PRIVATE)
		put_some(ctx, true, page_word(sh, &sh->private, p));
	else if (col == COL_MAPPING)
		put_some(ctx, page_word(sh, &sh->mapping, p) && page_has_mapping(sh, p),
			 page_word(sh, &sh->mapping, p));
	else
		put_names(s, page_word(sh, &sh->flags, p), ctx);
}

static void put_decoded(const struct state *s, int col, sqlite3_context *ctx)
{
	struct page_facts f;

	page_decode(&s->of->shape, &s->row, &f);
	if (col == COL_TYPE) /* the name of a type lives as long as the machine */
		sqlite3_result_text(ctx, f.type, -1, SQLITE_STATIC);
	else if (col == COL_MAPS)
		put_some(ctx, f.mapcount != INT64_MIN, (uint64_t)f.mapcount);
	else if (col == COL_ORDER)
		put_some(ctx, f.order >= 0, (uint64_t)f.order);
	else
		put_some(ctx, f.head, f.head);
}

/* The number of a zone without a name is its name. */
static void put_zone(const struct linux_zones *z, uint64_t flags, sqlite3_context *ctx)
{
	uint64_t nr;
	char text[LINUX_ZONE_NAME];

	if (!page_bits_of(&z->layout.zone, flags, &nr))
		return;
	snprintf(text, sizeof(text), "%" PRIu64, nr);
	sqlite3_result_text(ctx, nr < LINUX_ZONES && *z->name[nr] ? z->name[nr] : text, -1,
			    SQLITE_TRANSIENT);
}

static void put_place(const struct state *s, int col, sqlite3_context *ctx)
{
	const struct linux_zones *z = &s->of->zones;
	uint64_t flags = page_word(&s->of->shape, &s->of->shape.flags, s->row.p), v = 0;

	if (col == COL_ZONE) {
		put_zone(z, flags, ctx);
	} else {
		bool known = page_bits_of(col == COL_NODE ? &z->layout.node : &z->layout.section,
					  flags, &v);
		put_some(ctx, known, v);
	}
}

/* A slab's first page knows whose it is, its other pages know that one. */
static void put_cache(const struct state *s, int col, sqlite3_context *ctx)
{
	uint64_t cache = 0;
	char name[64];
	uint8_t p[LINUX_PAGE_MAX];
	struct page_row head;
	struct page_facts f;

	linux_page_head(s->m, &s->of->shape, &s->row, p, &head, &f);
	if (!s->of->has_slab || strcmp(f.type, "slab") != 0 ||
	    linux_slab_cache(s->m, &s->of->slab, head.addr, &cache, name, sizeof(name), NULL))
		return;
	if (col == COL_CACHE)
		put_some(ctx, true, cache);
	else
		sqlite3_result_text(ctx, name, -1, SQLITE_TRANSIENT);
}

static void put_column(const void *state, int col, sqlite3_context *ctx)
{
	const struct state *s = state;

	if (col == COL_PFN)
		put_some(ctx, true, s->row.pfn);
	else if (col == COL_PAGE)
		put_some(ctx, s->row.p, s->row.addr);
	else if (col == COL_STATE)
		sqlite3_result_text(ctx, s->row.p ? "page" : "absent", -1, SQLITE_STATIC);
	else if (col == COL_COUNT)
		put_some(ctx, true, s->row.nr);
	else if (s->row.p &&
		 (col == COL_TYPE || col == COL_MAPS || col == COL_ORDER || col == COL_HEAD))
		put_decoded(s, col, ctx);
	else if (s->row.p && (col == COL_CACHE || col == COL_CACHE_NAME))
		put_cache(s, col, ctx);
	else if (s->row.p && col >= COL_NODE)
		put_place(s, col, ctx);
	else if (s->row.p)
		put_word(s, col, ctx);
}

const struct live_table live_page = {
	.doc = {.name = "page",
		.doc = "the kernel's struct pages, one row each, in order",
		.cols = cols,
		.args = args},
	.state_bytes = sizeof(struct state),
	.kept_bytes = sizeof(struct kept),
	.drop = drop_pages,
	.nr_ranges = COL_MAPPING + 1,
	.open = open_pages,
	.next = next_page,
	.column = put_column,
	.close = close_pages,
};
