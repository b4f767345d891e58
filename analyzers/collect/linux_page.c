/*
 * Knows SPARSEMEM: mem_section[root][section] has the address of a section's struct pages, less the
 * section's first page number.  Sources: include/linux/mmzone.h, mm/sparse.c
 * (sparse_encode_mem_map), arch/x86/include/asm/sparsemem.h, include/linux/page-flags.h.
 */
#include "analyzers/collect/linux_page.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/collect/linux.h"

enum {
	PAGE = 4096,
	HAS_MEM_MAP = 2,  /* SECTION_HAS_MEM_MAP of section_mem_map */
	MAP_FLAGS = 63,   /* its low bits: struct pages lie at multiples of 64 */
	PHYS_BITS_4 = 46, /* MAX_PHYSMEM_BITS with 4 levels of page tables, and with 5 */
	PHYS_BITS_5 = 52,
	SECTION_BITS = PAGE_SECTION_SHIFT + 12,
	SECTION_SIZE_MAX = 256, /* bytes of struct mem_section */
	ABSENT_ROOTS = 64,      /* so many roots in a row that cannot be read end it */
};

#define PAGE_FIELD(f, at, ...) LINUX_MEMBER(struct page_shape, f, at, __VA_ARGS__)
static const struct inq_shape_member members[] = {
	PAGE_FIELD(flags, "flags"),
	PAGE_FIELD(mapping, "mapping"),
	PAGE_FIELD(index, "index", .was = "__folio_index"),
	PAGE_FIELD(private, "private"),
	PAGE_FIELD(refcount, "_refcount.counter"),
	PAGE_FIELD(mapcount, "_mapcount.counter"),
	PAGE_FIELD(head, "compound_head", .was = "compound_info"),
	PAGE_FIELD(type, "page_type", .optional = true),
	PAGE_FIELD(order, "compound_order", .optional = true),
	{0},
};

/* Of names for one bit the first is its own; the others are what it means in some context. */
static enum inq_status name_flags(const struct inq_machine *m, struct page_shape *s,
				  struct inq_err *err)
{
	struct inq_type t;
	const char *name;
	uint64_t v = 0, end = PAGE_FLAGS;
	enum inq_status st = inq_type_named(m, "enum pageflags", &t, err);

	if (st)
		return st;
	if (inq_enum_value(m, "pageflags", "__NR_PAGEFLAGS", &end, NULL) || end > PAGE_FLAGS)
		end = PAGE_FLAGS;
	for (uint64_t i = 0; inq_type_enumerator(t, i, &name, &v); i++)
		if (v < end && !s->flag[v] && !strncmp(name, "PG_", 3))
			s->flag[v] = name + 3;
	return INQ_OK;
}

static int bit_of(const struct page_shape *s, const char *name)
{
	for (int i = 0; i < PAGE_FLAGS; i++)
		if (s->flag[i] && !strcmp(s->flag[i], name))
			return i;
	return -1;
}

/* enum pagetype of 6.12: numbers from 0xf0 on in the top byte. */
static void name_types(const struct inq_machine *m, struct page_shape *s)
{
	struct inq_type t;
	const char *name;
	uint64_t v = 0;

	if (inq_type_named(m, "enum pagetype", &t, NULL))
		return;
	for (uint64_t i = 0; inq_type_enumerator(t, i, &name, &v); i++) {
		if (strncmp(name, "PGTY_", 5) != 0 || (v & 0xff) < 0xf0 || (v & 0xff) == 0xff)
			continue;
		s->type_name[v & 15] = name + 5;
		s->typed_by_number = true;
	}
}

/*
 * A compound's order is in its second struct page: a member of struct page (to 6.5), of struct
 * folio (6.4), or the low byte of the flags there (since 6.6).
 */
static void find_order(const struct inq_machine *m, struct page_shape *s)
{
	struct inq_type folio;
	struct inq_member mb;

	if (s->order.size || inq_type_named(m, "struct folio", &folio, NULL))
		return;
	if (!inq_member(folio, "_folio_order", &mb, NULL) && inq_member_at(&mb) >= s->size) {
		s->order = inq_field_for(&mb);
		s->order.off -= (uint32_t)s->size;
	} else {
		s->order_in_flags = !inq_member(folio, "_flags_1", &mb, NULL);
	}
}

enum inq_status linux_page_shape(const struct inq_machine *m, struct page_shape *ret,
				 struct inq_err *err)
{
	struct page_shape s = {0};
	struct inq_member mb;
	enum inq_status st = inq_shape(m, "struct page", members, &s, &s.size, err);

	st = st ? st : name_flags(m, &s, err);
	if (st)
		return inq_wrap(err, st, "struct page");
	name_types(m, &s);
	/* 5.11 made one word of page.mem_cgroup and the mark that told whose it was */
	s.has_kmemcg = !inq_member_of(m, "struct page", "mem_cgroup", &mb, NULL);
	s.slab = bit_of(&s, "slab");
	s.reserved = bit_of(&s, "reserved");
	s.head_flag = bit_of(&s, "head");
	find_order(m, &s);
	*ret = s;
	return INQ_OK;
}

struct roots {
	const struct inq_machine *m;
	struct page_map *map;
	uint64_t pages_bytes;  /* of the struct pages of a section */
	uint64_t section_size; /* of struct mem_section */
	uint64_t at;           /* section_mem_map in it */
	uint64_t per_root;
	uint8_t page[PAGE]; /* one root */
};

static enum inq_status add_root(struct roots *r, uint64_t nr, uint64_t addr, struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	bool lost = inq_read_kernel(r->m, addr, r->page, r->per_root * r->section_size, NULL);

	for (uint64_t i = 0; !st && i < r->per_root; i++) {
		uint64_t section = nr * r->per_root + i, map = 0;
		if (lost) {
			st = page_map_add(r->map, section << PAGE_SECTION_SHIFT, 0, err);
			continue;
		}
		memcpy(&map, r->page + i * r->section_size + r->at, sizeof(map));
		if (map & HAS_MEM_MAP)
			st = page_map_add(r->map, section << PAGE_SECTION_SHIFT,
					  (map & ~(uint64_t)MAP_FLAGS) + section * r->pages_bytes,
					  err);
	}
	return st;
}

static enum inq_status each_root(struct roots *r, uint64_t table, struct inq_err *err)
{
	int bits = inq_machine_kernel(r->m)->levels == 5 ? PHYS_BITS_5 : PHYS_BITS_4;
	uint64_t nr = (1ULL << (bits - SECTION_BITS)) / r->per_root;
	uint64_t *root = calloc(nr, sizeof(*root));
	enum inq_status st = root ? inq_read_kernel(r->m, table, root, nr * sizeof(*root), err)
				  : inq_fail(err, INQ_ENOMEM, "sections of memory");

	for (uint64_t i = 0; !st && i < nr; i++)
		if (root[i])
			st = add_root(r, i, root[i], err);
	free(root);
	return st;
}

enum inq_status linux_page_map(const struct inq_machine *m, const struct page_shape *shape,
			       struct page_map *ret, struct inq_err *err)
{
	struct roots r = {.m = m, .map = ret};
	struct inq_type t, var;
	struct inq_member mb;
	uint64_t at = 0, table = 0;

	*ret = (struct page_map){.sp = linux_space(m), .per_section = 1ULL << PAGE_SECTION_SHIFT};
	enum inq_status st = inq_type_named(m, "struct mem_section", &t, err);
	st = st ? st : inq_member(t, "section_mem_map", &mb, err);
	st = st ? st : inq_var(m, "mem_section", &at, &var, err);
	st = st ? st : inq_read_u64(m, at, &table, err);
	if (st)
		return inq_wrap(err, st, "mem_section");
	r.section_size = inq_type_size(t);
	r.at = inq_member_at(&mb);
	r.pages_bytes = shape->size << PAGE_SECTION_SHIFT;
	if (!r.section_size || r.section_size > SECTION_SIZE_MAX || r.at + 8 > r.section_size)
		return inq_fail(err, INQ_ECORRUPT, "struct mem_section of %" PRIu64 " bytes",
				r.section_size);
	r.per_root = PAGE / r.section_size;
	return each_root(&r, table, err);
}

void linux_page_head(const struct inq_machine *m, const struct page_shape *shape,
		     const struct page_row *row, uint8_t p[LINUX_PAGE_MAX], struct page_row *ret,
		     struct page_facts *ret_facts)
{
	*ret = *row;
	page_decode(shape, row, ret_facts);
	if (!ret_facts->head || ret_facts->head >= row->addr || shape->size > LINUX_PAGE_MAX ||
	    inq_read_kernel(m, ret_facts->head, p, shape->size, NULL))
		return;
	*ret = (struct page_row){.nr = 1, .p = p, .addr = ret_facts->head};
	page_decode(shape, ret, ret_facts);
}
