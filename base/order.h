/* Searching what is in ascending order. */
#ifndef BASE_ORDER_H
#define BASE_ORDER_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* How many of nr elements, ascending by a uint64_t that lies at bytes into each, are below key. */
static inline size_t order_below(const void *a, size_t nr, size_t size, size_t at, uint64_t key)
{
	size_t low = 0, high = nr;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		uint64_t v;
		memcpy(&v, (const uint8_t *)a + mid * size + at, sizeof(v));
		if (v < key)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The same for a member's name: below key; at key or below. */
#define ORDER_BELOW(a, nr, member, key)                                                            \
	order_below((a), (nr), sizeof(*(a)), offsetof(__typeof__(*(a)), member), (key))
#define ORDER_UPTO(a, nr, member, key)                                                             \
	((key) == UINT64_MAX ? (nr) : ORDER_BELOW(a, nr, member, (key) + 1))

#endif
