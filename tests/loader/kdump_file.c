/* Knows how a kdump lies in its file, as a writer.  Source: makedumpfile's IMPLEMENTATION. */
#include "kdump_file.h"

#include <lzo/lzo1x.h>
#include <snappy-c.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

enum { BLOCK = KDUMP_PAGE, DESC = 24, ROOM = 2 * KDUMP_PAGE, RECORD = 16, FLAT_HEADER = 4096 };

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "kdump_file: %s\n", what);
	abort();
}

static void put(uint8_t *at, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		at[i] = (uint8_t)(v >> 8 * i);
}

void kdump_content(const struct kdump_page *page, uint8_t ret[KDUMP_PAGE])
{
	char line[32];
	int n = page->how == KDUMP_SAME ? snprintf(line, sizeof(line), "%c shared ", page->fill)
					: snprintf(line, sizeof(line), "%c %08llx ", page->fill,
						   (unsigned long long)page->pfn);

	for (size_t i = 0; i < KDUMP_PAGE; i++)
		ret[i] = (uint8_t)line[i % (size_t)n];
}

/* The page's bytes as they lie in the file, and the flags that say so. */
static size_t pack(const struct kdump_page *page, uint8_t out[ROOM], uint32_t *ret_flags)
{
	static uint8_t work[LZO1X_1_MEM_COMPRESS];
	uint8_t in[KDUMP_PAGE];
	uLongf z = ROOM;
	lzo_uint l = ROOM;
	size_t n = ROOM;

	kdump_content(page, in);
	switch (page->how) {
	case KDUMP_ZLIB:
		must(compress(out, &z, in, sizeof(in)) == Z_OK, "zlib");
		*ret_flags = 1;
		return z;
	case KDUMP_LZO:
		must(lzo1x_1_compress(in, sizeof(in), out, &l, work) == LZO_E_OK, "lzo");
		*ret_flags = 2;
		return l;
	case KDUMP_SNAPPY:
		must(!snappy_compress((const char *)in, sizeof(in), (char *)out, &n), "snappy");
		*ret_flags = 4;
		return n;
	case KDUMP_ZSTD:
		*ret_flags = 0x20;
		return ZSTD_compress(out, ROOM, in, sizeof(in), 1);
	case KDUMP_EXCLUDED:
	case KDUMP_PLAIN:
	case KDUMP_SAME:
	case KDUMP_BROKEN:
	case KDUMP_HUGE:
	case KDUMP_TWO:
		break;
	}
	memcpy(out, in, sizeof(in));
	*ret_flags = page->how == KDUMP_BROKEN || page->how == KDUMP_HUGE ? 1
		     : page->how == KDUMP_TWO                             ? 3
									  : 0;
	return page->how == KDUMP_BROKEN ? 100 : KDUMP_PAGE;
}

static void put_header(uint8_t *p, const struct kdump_spec *s, uint64_t max_pfn, size_t sub_blocks,
		       size_t bitmap_blocks)
{
	memcpy(p, "KDUMP   ", 8);
	put(p + 8, s->version ? s->version : 6, 4);
	snprintf((char *)p + 12 + 4 * 65, 65, "%s", s->machine ? s->machine : "x86_64");
	put(p + 424, s->status, 4);
	put(p + 428, BLOCK, 4);
	put(p + 432, sub_blocks, 4);
	put(p + 436, bitmap_blocks, 4);
	put(p + 440, max_pfn, 4);
	put(p + 460, 1, 4);
}

static void put_sub(uint8_t *p, const struct kdump_spec *s, uint64_t max_pfn, size_t info_at,
		    size_t notes_at)
{
	bool split = s->split_first || s->split_last;

	put(p, 0x35651584, 8); /* what QEMU writes for 35651584 */
	put(p + 12, split, 4);
	put(p + 16, s->split_first, 8);
	put(p + 24, s->split_last, 8);
	put(p + 32, s->vmcoreinfo ? info_at : 0, 8);
	put(p + 40, s->vmcoreinfo ? strlen(s->vmcoreinfo) : 0, 8);
	put(p + 48, s->notes_n ? notes_at : 0, 8);
	put(p + 56, s->notes_n, 8);
	put(p + 80, s->split_first, 8);
	put(p + 88, s->split_last, 8);
	put(p + 96, max_pfn, 8);
}

static bool in_part(const struct kdump_spec *s, uint64_t pfn)
{
	return (!s->split_first && !s->split_last) ||
	       (pfn >= s->split_first && pfn < s->split_last);
}

static void put_pages(struct kdump_file *f, const struct kdump_spec *s, size_t bitmap_blocks)
{
	uint8_t *first = f->p + f->bitmap_at, *second = first + bitmap_blocks / 2 * BLOCK;
	size_t desc = f->desc_at, data = f->n, shared = 0;

	for (size_t i = 0; i < s->nr; i++) {
		const struct kdump_page *page = &s->pages[i];
		uint8_t packed[ROOM];
		uint32_t flags = 0;
		first[page->pfn / 8] |= (uint8_t)(1u << page->pfn % 8);
		if (page->how == KDUMP_EXCLUDED)
			continue;
		second[page->pfn / 8] |= (uint8_t)(1u << page->pfn % 8);
		if (!in_part(s, page->pfn))
			continue;
		size_t n = pack(page, packed, &flags), at = data;
		if (page->how == KDUMP_SAME && shared)
			at = shared;
		if (at == data) {
			memcpy(f->p + data, packed, n);
			data += n;
		}
		if (page->how == KDUMP_SAME)
			shared = at;
		put(f->p + desc, at, 8);
		put(f->p + desc + 8, page->how == KDUMP_HUGE ? 0x7fffffff : n, 4);
		put(f->p + desc + 12, flags, 4);
		desc += DESC;
	}
	f->n = data;
}

struct kdump_file kdump_build(const struct kdump_spec *s)
{
	uint64_t max_pfn = s->pages[s->nr - 1].pfn + 1;
	size_t info_n = s->vmcoreinfo ? strlen(s->vmcoreinfo) : 0, nr_desc = 0;
	size_t info_at = BLOCK + 128, notes_at = (info_at + info_n + 3) & ~(size_t)3;
	size_t sub_blocks = (notes_at + s->notes_n - 1) / BLOCK;
	size_t bitmap_blocks = 2 * ((max_pfn / 8 + BLOCK) / BLOCK);
	struct kdump_file f = {.bitmap_at = (1 + sub_blocks) * BLOCK};

	for (size_t i = 0; i < s->nr; i++)
		nr_desc += s->pages[i].how != KDUMP_EXCLUDED && in_part(s, s->pages[i].pfn);
	f.desc_at = f.bitmap_at + bitmap_blocks * BLOCK;
	f.desc_n = nr_desc * DESC;
	f.n = f.desc_at + f.desc_n;
	f.p = calloc(1, f.n + s->nr * ROOM);
	must(f.p && lzo_init() == LZO_E_OK, "out of memory");
	put_header(f.p, s, max_pfn, sub_blocks, bitmap_blocks);
	put_sub(f.p + BLOCK, s, max_pfn, info_at, notes_at);
	if (s->vmcoreinfo)
		memcpy(f.p + info_at, s->vmcoreinfo, info_n);
	if (s->notes_n)
		memcpy(f.p + notes_at, s->notes, s->notes_n);
	put_pages(&f, s, bitmap_blocks);
	return f;
}

static void put_be(uint8_t *at, uint64_t v)
{
	put(at, __builtin_bswap64(v), 8);
}

static void put_record(struct kdump_file *out, uint64_t off, const uint8_t *p, size_t n)
{
	put_be(out->p + out->n, off);
	put_be(out->p + out->n + 8, n);
	memcpy(out->p + out->n + RECORD, p, n);
	out->n += RECORD + n;
}

struct kdump_file kdump_flatten(const struct kdump_file *f, size_t record, unsigned int seed,
				int ends)
{
	size_t nr = (f->n + record - 1) / record, *order = calloc(nr, sizeof(*order));
	struct kdump_file out = {.n = FLAT_HEADER};
	uint8_t wrong[64];

	out.p = calloc(1, FLAT_HEADER + f->n + (nr + 3) * (RECORD + sizeof(wrong)));
	must(out.p && order, "out of memory");
	memcpy(out.p, "makedumpfile", 12);
	put_be(out.p + 16, 1);
	put_be(out.p + 24, 1);
	memset(wrong, 0xee, sizeof(wrong));
	put_record(&out, 0, wrong, sizeof(wrong)); /* the true one follows */
	for (size_t i = 0; i < nr; i++)
		order[i] = i;
	for (size_t i = nr; i > 1; i--) {
		size_t with = (size_t)rand_r(&seed) % i, t = order[i - 1];
		order[i - 1] = order[with];
		order[with] = t;
	}
	for (size_t i = 0; i < nr; i++) {
		size_t at = order[i] * record;
		put_record(&out, at, f->p + at, f->n - at < record ? f->n - at : record);
	}
	put_be(out.p + out.n, UINT64_MAX);
	put_be(out.p + out.n + 8, UINT64_MAX);
	out.n += ends ? RECORD : 0;
	free(order);
	return out;
}
