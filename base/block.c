/* Knows how to get huge pages for a part of the heap: madvise(2), MADV_HUGEPAGE. */
#include "base/block.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE (UINT64_C(2) << 20)

enum { LEAST = 256 << 10 }; /* of less, filling a huge page with zeros costs more than it saves */

void *block_alloc(size_t nr, size_t bytes)
{
	size_t n;

	if (__builtin_mul_overflow(nr, bytes, &n) || n > SIZE_MAX / 2)
		return NULL;
	if (n < LEAST)
		return malloc(n ? n : 1);
	n = (n + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
	void *p = aligned_alloc(HUGE_PAGE, n);
	if (p)
		(void)madvise(p, n, MADV_HUGEPAGE); /* a wish: without, it is only slower */
	return p;
}

void *block_alloc_zeroed(size_t nr, size_t bytes)
{
	void *p = block_alloc(nr, bytes);

	return p ? memset(p, 0, nr * bytes) : NULL;
}
