/*
 * The kernel's struct pages, as fast as memory can be read: section after section, a translation
 * for each piece that lies in one place, on all cores, in the order of their numbers.
 */
#ifndef ANALYZERS_PAGE_SCAN_H
#define ANALYZERS_PAGE_SCAN_H

#include <string.h>

#include <inquest/types.h>

#define PAGE_TYPE_BASE 0xf0000000U /* page_type that has one is not below, nor all ones */
enum { PAGE_FLAGS = 64, PAGE_SECTION_SHIFT = 27 - 12 }; /* asm/sparsemem.h: 128 MiB a section */

/* Members of struct page; what may be missing has size 0. */
struct page_shape {
	struct inq_field flags, mapping, index, private, refcount, mapcount;
	struct inq_field head;         /* compound_head */
	struct inq_field type;         /* page_type, where it has a member of its own name */
	struct inq_field order;        /* compound_order, of the page behind the head */
	bool order_in_flags;           /* it is the low byte of that page's flags */
	bool typed_by_number;          /* top byte of page_type is a number (6.12), not bits */
	bool has_kmemcg;               /* a type that 5.10 was the last to have */
	uint64_t size;                 /* bytes */
	int slab, reserved, head_flag; /* bits of flags; -1: none */
	const char *flag[PAGE_FLAGS];  /* names by bit, without PG_; NULL: none */
	const char *type_name[16];     /* typed_by_number: of numbers 0xf0 to 0xff, or NULL */
};

/* One section that has struct pages. */
struct page_section {
	uint64_t first; /* page number */
	uint64_t pages; /* address of the struct page of the first; 0: could not be told */
};
struct page_map {
	const struct inq_space *sp; /* where struct pages lie */
	struct page_section *section;
	size_t nr, cap;
	uint64_t per_section; /* pages */
};

/* What a row must be like.  Zeroed takes none: begin with page_all. */
struct page_filter {
	uint64_t first, last;            /* page numbers */
	uint64_t has, lacks;             /* bits of flags that are all set, all clear */
	int64_t flags_first, flags_last; /* signed, as SQL compares */
	int64_t mapping_first, mapping_last;
};
extern const struct page_filter page_all;

struct page_row {
	uint64_t pfn;
	uint64_t nr;         /* of pages: 1, or so many that are not in the dump */
	const uint8_t *p;    /* the struct page, until the next row; NULL: not in the dump */
	const uint8_t *next; /* the one behind it, or NULL */
	uint64_t addr;       /* of the struct page */
};

struct page_scan;
/* map and shape must outlive it.  go: see live_host.progress; NULL: never asked. */
INQ_MUST enum inq_status page_scan_open(const struct page_map *map, const struct page_shape *shape,
					const struct page_filter *filter,
					bool (*go)(void *ctx, uint64_t done, uint64_t total),
					void *ctx, struct page_scan **ret, struct inq_err *err);
void page_scan_close(struct page_scan *s); /* accepts NULL */
/* *ret_more false: that was all.  Errors: INQ_ENOMEM, INQ_EINTR. */
INQ_MUST enum inq_status page_scan_next(struct page_scan *s, struct page_row *ret, bool *ret_more,
					struct inq_err *err);

/* Add a section; heads are kept in order by the caller.  Errors: INQ_ENOMEM. */
INQ_MUST enum inq_status page_map_add(struct page_map *map, uint64_t first, uint64_t pages,
				      struct inq_err *err);
void page_map_deinit(struct page_map *map);

/* A field of the struct page at p, as fast as may be; 0 where this kernel has no such member. */
static inline uint64_t page_word(const struct page_shape *shape, const struct inq_field *f,
				 const uint8_t *p)
{
	uint64_t v = 0;
	uint32_t half;

	if (f->size == 8 && !f->bits) {
		memcpy(&v, p + f->off, sizeof(v)); /* x86-64's, on x86-64: the same byte order */
	} else if (f->size == 4 && !f->bits) {
		memcpy(&half, p + f->off, sizeof(half));
		v = f->is_signed ? (uint64_t)(int32_t)half : half;
	} else if (f->size) {
		(void)inq_field_of(f, p, shape->size, &v);
	}
	return v;
}
/* The same of members that are ints, as 6.1 declares some and later kernels others. */
static inline int64_t page_int(const struct page_shape *shape, const struct inq_field *f,
			       const uint8_t *p)
{
	return (int32_t)page_word(shape, f, p);
}

/*
 * Are mapping and index what they are called?  A slab, and pages with a type, keep other things
 * there.
 */
static inline bool page_has_mapping(const struct page_shape *s, const uint8_t *p)
{
	uint32_t type = (uint32_t)page_word(s, s->type.size ? &s->type : &s->mapcount, p);
	uint64_t flags = page_word(s, &s->flags, p);

	return (type < PAGE_TYPE_BASE || type == UINT32_MAX) &&
	       !(s->slab >= 0 && flags >> s->slab & 1);
}

/*
 * What one struct page says.  Values that such a page does not have are -1, or unknown as said.
 */
struct page_facts {
	uint64_t flags, mapping, index, private;
	int64_t refcount;
	int64_t mapcount; /* from 0; INT64_MIN: it has a type instead */
	int64_t order;    /* of a free block, or of a compound's head; -1: of neither, or unknown */
	uint64_t head;    /* address of the compound's head; 0: no tail */
	const char *type; /* "free", "slab", "anon", "file", ... */
};
void page_decode(const struct page_shape *shape, const struct page_row *row,
		 struct page_facts *ret);
/* "locked,dirty,lru"; n is 1 at least. */
void page_flag_names(const struct page_shape *shape, uint64_t flags, char *buf, size_t n);
/* Bits of names with commas between them, with or without PG_.  INQ_ENOTFOUND names the bad one. */
INQ_MUST enum inq_status page_flag_bits(const struct page_shape *shape, const char *names,
					uint64_t *ret, struct inq_err *err);

#endif
