/*
 * Knows how an LKCD dump lies in its file, as a writer.  Source: LKCD's dump.h as s390-tools and
 * libkdumpfile describe it (version 9, x86-64).
 */
#include "foreign_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { PAGE = FOREIGN_PAGE, CAP = 1 << 20 };

struct out {
	uint8_t *p;
	size_t n;
};

static void room(const struct out *o, size_t n)
{
	if (o->n + n <= CAP)
		return;
	fprintf(stderr, "foreign_file: too long\n");
	abort();
}

static void put(struct out *o, const void *p, size_t n)
{
	room(o, n);
	memcpy(o->p + o->n, p, n);
	o->n += n;
}

static void put_le(struct out *o, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		put(o, &(uint8_t){(uint8_t)(v >> 8 * i)}, 1);
}

/* Zeros to this place. */
static void pad(struct out *o, size_t to)
{
	room(o, to - o->n);
	o->n = to;
}

static struct out start(void)
{
	struct out o = {.p = calloc(1, CAP)};

	if (!o.p)
		abort();
	return o;
}

static void put_page(struct out *o, uint64_t pfn)
{
	uint8_t page[PAGE];

	memset(page, (int)(pfn + 1) & 0xff, sizeof(page));
	put(o, page, sizeof(page));
}

static void put_lkcd_header(struct out *o, size_t nr, bool packed, const char *machine)
{
	const char *const uts[] = {"Linux", "node", "2.6.5-7", "#1", machine, "(none)"};
	static const char panic[256] = "Oops";

	put_le(o, UINT64_C(0xa8190173618f23ed), 8);
	put_le(o, 9, 4);   /* version */
	put_le(o, 758, 4); /* bytes of this header */
	put_le(o, 8, 4);   /* all pages */
	put_le(o, PAGE, 4);
	put_le(o, 0, 8);
	put_le(o, UINT64_C(0xffff880000000000), 8);
	put_le(o, UINT64_C(0xa8190173618f23ed), 8);
	put_le(o, nr, 4);
	put(o, panic, sizeof(panic));
	put_le(o, 1, 8); /* time */
	put_le(o, 0, 8);
	for (size_t i = 0; i < 6; i++) {
		char field[65] = "";
		memcpy(field, uts[i], strlen(uts[i]));
		put(o, field, sizeof(field));
	}
	put_le(o, 0, 8);              /* current task */
	put_le(o, packed ? 2 : 0, 4); /* gzip */
	put_le(o, 0, 8);
	put_le(o, 65536, 8); /* where pages begin */
}

static void put_lkcd_cpus(struct out *o)
{
	put_le(o, 0xdeaddead, 8);
	put_le(o, 2, 4);
	put_le(o, 16 + 168 + 8 + 168 + 24, 4);
	for (uint64_t i = 0; i < 21; i++)
		put_le(o, 0x100 + i, 8);
	put_le(o, 1, 4); /* CPUs */
	put_le(o, 0, 4);
	for (uint64_t i = 0; i < 21; i++)
		put_le(o, 0x100 + i, 8);
}

static void put_lkcd_page(struct out *o, uint64_t pfn, bool packed)
{
	struct out page = start();
	uint8_t z[2 * PAGE];
	uLongf n = sizeof(z);

	put_page(&page, pfn);
	put_le(o, pfn * PAGE, 8);
	if (packed && compress(z, &n, page.p, PAGE) == Z_OK) {
		put_le(o, n, 4);
		put_le(o, 2, 4);
		put(o, z, n);
	} else {
		put_le(o, PAGE, 4);
		put_le(o, 1, 4);
		put(o, page.p, PAGE);
	}
	free(page.p);
}

struct foreign_file lkcd_build(const uint64_t *pfn, size_t nr, bool packed, const char *machine)
{
	struct out o = start();

	put_lkcd_header(&o, nr, packed, machine);
	put_lkcd_cpus(&o);
	pad(&o, 65536);
	for (size_t i = 0; i < nr; i++)
		put_lkcd_page(&o, pfn[i], packed);
	put_le(&o, 0, 8);
	put_le(&o, 0, 4);
	put_le(&o, 4, 4); /* the end */
	return (struct foreign_file){o.p, o.n, 65536};
}
