/*
 * usage: same_memory DUMP DUMP...  Does each dump hold the first one's memory?  Every page that
 * both have is compared; pages that one lacks are counted.  Exit 1 when bytes differ.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <inquest/dump.h>

enum { PAGE = 4096 };

struct count {
	uint64_t same, differ, lacks;
};

static void compare_extent(const struct inq_dump *a, const struct inq_dump *b,
			   const struct inq_extent *e, struct count *c)
{
	static uint8_t pa[PAGE], pb[PAGE];

	for (uint64_t at = e->first; at < e->last; at += PAGE) {
		size_t n = e->last - at < PAGE ? (size_t)(e->last - at) + 1 : PAGE;
		if (inq_read(a->phys, at, pa, n, NULL))
			continue;
		if (inq_read(b->phys, at, pb, n, NULL))
			c->lacks++;
		else if (memcmp(pa, pb, n))
			c->differ++;
		else
			c->same++;
	}
}

static int compare(const struct inq_dump *a, const char *path)
{
	struct inq_dump *b;
	struct inq_err err;
	struct count c = {0};

	if (inq_dump_open(path, &b, &err)) {
		fprintf(stderr, "%s\n", err.msg);
		return 2;
	}
	for (size_t i = 0; i < a->nr_extents; i++)
		if (a->extents[i].kind == INQ_EXTENT_BYTES)
			compare_extent(a, b, &a->extents[i], &c);
	printf("%s: %" PRIu64 " pages the same, %" PRIu64 " differ, %" PRIu64 " lacks\n", path,
	       c.same, c.differ, c.lacks);
	inq_dump_close(b);
	return c.differ || !c.same;
}

int main(int argc, char **argv)
{
	struct inq_dump *a;
	struct inq_err err;
	int code = 0;

	if (argc < 3) {
		fprintf(stderr, "usage: same_memory DUMP DUMP...\n");
		return 2;
	}
	if (inq_dump_open(argv[1], &a, &err)) {
		fprintf(stderr, "%s\n", err.msg);
		return 2;
	}
	for (int i = 2; i < argc && !code; i++)
		code = compare(a, argv[i]);
	inq_dump_close(a);
	return code;
}
