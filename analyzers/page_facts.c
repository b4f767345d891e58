/*
 * Knows what the words of a struct page mean.  Sources: include/linux/mm_types.h, page-flags.h
 * (PAGE_TYPE_BASE and PAGE_MAPPING_FLAGS), mm/internal.h (buddy_order).
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "analyzers/page_scan.h"

/* Low bits of mapping. */
enum { ANON = 1, MOVABLE = 2, KSM = 3, MAPPING_BITS = 3 };
/*
 * Without numbers, a clear bit of page_type is a type, below a base that is all set.  To 5.10 a bit
 * for pages that a memory cgroup pays for (kmemcg) stood before those of tables.
 */
static const char *const bit_names[] = {"buddy", "offline", "table", "guard"};
static const char *const old_bit_names[] = {"buddy", "offline", "kmemcg", "table", "guard"};
enum { TYPE_FIRST_BIT = 7 };
enum { ORDER_MAX = 63 };

static bool flag(uint64_t flags, int bit)
{
	return bit >= 0 && flags >> bit & 1;
}

/* 6.1 and before keep the type where _mapcount is, later ones may name it apart. */
static const char *type_by_number(const struct page_shape *s, uint32_t v)
{
	return v >= PAGE_TYPE_BASE ? s->type_name[v >> 24 & 15] : NULL;
}

static const char *type_by_bits(const struct page_shape *s, uint32_t v)
{
	const char *const *names = s->has_kmemcg ? old_bit_names : bit_names;
	int nr = s->has_kmemcg ? 5 : 4;

	if ((v & PAGE_TYPE_BASE) != PAGE_TYPE_BASE || v == UINT32_MAX)
		return NULL;
	for (int i = 0; i < nr; i++)
		if (!(v >> (TYPE_FIRST_BIT + i) & 1))
			return names[i];
	return NULL;
}

static const char *kind_of(const struct page_shape *s, const struct page_facts *f,
			   const char *typed)
{
	if (typed)
		return typed;
	if (f->head)
		return "tail";
	if (flag(f->flags, s->slab))
		return "slab";
	if (flag(f->flags, s->reserved))
		return "reserved";
	switch (f->mapping & MAPPING_BITS) {
	case ANON:
		return "anon";
	case MOVABLE:
		return "movable";
	case KSM:
		return "ksm";
	default:
		return f->mapping ? "file" : f->refcount ? "other" : "unused";
	}
}

static int64_t order_of(const struct page_shape *s, const struct page_row *row,
			const struct page_facts *f, bool buddy)
{
	uint64_t v;

	if (buddy)
		return f->private <= ORDER_MAX ? (int64_t)f->private : -1;
	if (!flag(f->flags, s->head_flag) || !row->next)
		return -1;
	if (s->order_in_flags)
		v = page_word(s, &s->flags, row->next) & 0xff;
	else if (s->order.size)
		v = page_word(s, &s->order, row->next);
	else
		return -1;
	return v <= ORDER_MAX ? (int64_t)v : -1;
}

void page_decode(const struct page_shape *s, const struct page_row *row, struct page_facts *ret)
{
	const uint8_t *p = row->p;
	uint64_t head = page_word(s, &s->head, p);
	const struct inq_field *type_at = s->type.size ? &s->type : &s->mapcount;
	uint32_t type = (uint32_t)page_word(s, type_at, p);
	const char *typed = s->typed_by_number ? type_by_number(s, type) : type_by_bits(s, type);
	struct page_facts f = {.flags = page_word(s, &s->flags, p),
			       .mapping = page_word(s, &s->mapping, p),
			       .index = page_word(s, &s->index, p),
			       .private = page_word(s, &s->private, p),
			       .refcount = page_int(s, &s->refcount, p),
			       .head = head & 1 ? head - 1 : 0};

	if (f.head && typed && strcmp(typed, "buddy") != 0)
		typed = NULL; /* a tail keeps nothing of its own there */
	f.mapcount = typed ? INT64_MIN : page_int(s, &s->mapcount, p) + 1;
	f.order = order_of(s, row, &f, typed && !strcmp(typed, "buddy"));
	f.type = kind_of(s, &f, typed);
	*ret = f;
}

void page_flag_names(const struct page_shape *s, uint64_t flags, char *buf, size_t n)
{
	size_t at = 0;

	*buf = '\0';
	for (int i = 0; i < PAGE_FLAGS; i++) {
		if (!(flags >> i & 1) || !s->flag[i])
			continue;
		size_t len = strlen(s->flag[i]);
		if (at + len + 2 > n)
			return;
		if (at)
			buf[at++] = ',';
		memcpy(buf + at, s->flag[i], len + 1);
		at += len;
	}
}

static bool find_flag(const struct page_shape *s, const char *name, size_t n, uint64_t *bits)
{
	if (n > 3 && !strncmp(name, "PG_", 3)) {
		name += 3;
		n -= 3;
	}
	for (int i = 0; i < PAGE_FLAGS; i++)
		if (s->flag[i] && !strncmp(s->flag[i], name, n) && !s->flag[i][n]) {
			*bits |= 1ULL << i;
			return true;
		}
	return false;
}

enum inq_status page_flag_bits(const struct page_shape *s, const char *names, uint64_t *ret,
			       struct inq_err *err)
{
	uint64_t bits = 0;

	for (const char *at = names; *at;) {
		size_t n = strcspn(at, ",");
		if (n && !find_flag(s, at, n, &bits))
			return inq_fail(err, INQ_ENOTFOUND, "no page flag is named %.*s",
					(int)(n < 64 ? n : 64), at);
		at += n + (at[n] == ',');
	}
	*ret = bits;
	return INQ_OK;
}
