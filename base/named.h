/*
 * Named values, one behind the other: what a foreign VMM says of a CPU (INQ_BLOB_NAMED).  Each is
 * u32 length of the name, u32 length of the value, the name, the value; unaligned, little-endian.
 */
#ifndef BASE_NAMED_H
#define BASE_NAMED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeroed is empty; .failed sticks when memory ran out. */
struct named {
	uint8_t *p; /* n bytes, heap */
	size_t n, room;
	bool failed;
};

void named_add(struct named *b, const char *name, const void *value, size_t n);
void named_deinit(struct named *b);

/* The first value of that name in n bytes at p, which may be damaged; NULL: there is none. */
const uint8_t *named_find(const void *p, size_t n, const char *name, size_t *ret_n);
/* The same as an integer; false: there is none, or it has not 1 to 8 bytes. */
bool named_u64(const void *p, size_t n, const char *name, uint64_t *ret);

#endif
