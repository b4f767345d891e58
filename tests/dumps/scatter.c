/*
 * A process whose page tables make a dump with paging have over 65535 segments: pages of which no
 * two neighbours are neighbours in memory, too.  It then computes for ever, so that its page tables
 * are a CPU's own.
 *
 * Chunks of pages are mapped in descending order of memory: QEMU keeps a list of segments, sorted
 * by physical address, and walks it from the start for each (softmmu/memory_mapping.c).  In another
 * order that takes minutes.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	PAGE = 4096,
	CHUNK = 512, /* pages */
	CHUNKS = 132,
	STRIDE = 203, /* odd: every page of a chunk comes once */
};
static const size_t chunk_bytes = (size_t)CHUNK * PAGE;

struct chunk {
	uint64_t pfn; /* of its first page */
	off_t at;     /* in the file */
};

static int descending(const void *a, const void *b)
{
	const struct chunk *x = a, *y = b;

	return x->pfn < y->pfn ? 1 : x->pfn > y->pfn ? -1 : 0;
}

/* Get memory for the chunk; its place in memory is in /proc/self/pagemap, 8 bytes a page. */
static int fill(struct chunk *c, int fd, int pagemap, off_t at)
{
	char *p = mmap(NULL, chunk_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, at);
	uint64_t entry = 0;

	if (p == MAP_FAILED)
		return -1;
	for (size_t i = 0; i < CHUNK; i++)
		p[i * STRIDE % CHUNK * PAGE] = 1;
	if (pread(pagemap, &entry, 8, (off_t)((uintptr_t)p / PAGE * 8)) != 8)
		return -1;
	c->pfn = entry & ((1ull << 55) - 1);
	c->at = at;
	return munmap(p, chunk_bytes);
}

int main(void)
{
	static struct chunk chunks[CHUNKS];
	int fd = memfd_create("scatter", 0), pagemap = open("/proc/self/pagemap", O_RDONLY);

	if (fd < 0 || pagemap < 0 || ftruncate(fd, CHUNKS * (off_t)chunk_bytes))
		return 1;
	for (int i = 0; i < CHUNKS; i++)
		if (fill(&chunks[i], fd, pagemap, i * (off_t)chunk_bytes))
			return 1;
	qsort(chunks, CHUNKS, sizeof(chunks[0]), descending);
	char *to = mmap(NULL, CHUNKS * chunk_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < CHUNKS; i++)
		if (mmap(to + (size_t)i * chunk_bytes, chunk_bytes, PROT_READ,
			 MAP_SHARED | MAP_FIXED | MAP_POPULATE, fd, chunks[i].at) == MAP_FAILED)
			return 1;
	puts("fact scattered yes");
	fflush(stdout);
	for (volatile unsigned long n = 0;; n++)
		;
}
