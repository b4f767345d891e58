/* Bounded reads from untrusted bytes.  The first overrun sticks; check once at the end. */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const uint8_t *p;
	size_t left; /* bytes */
	bool bad;    /* sticky: some read ran past the end */
};

static inline struct span span_of(const void *p, size_t n)
{
	return (struct span){.p = p, .left = n};
}

/* n bytes, or NULL and a sticky failure.  Never a partial result. */
static inline const uint8_t *span_take(struct span *s, size_t n)
{
	if (s->bad || n > s->left) {
		s->bad = true;
		return NULL;
	}
	const uint8_t *at = s->p;
	s->p += n;
	s->left -= n;
	return at;
}

static inline void span_skip(struct span *s, size_t n)
{
	(void)span_take(s, n);
}

/* Little-endian integers at any alignment; 0 after a failure. */
static inline uint64_t span_le(struct span *s, size_t n)
{
	const uint8_t *b = span_take(s, n);
	uint64_t v = 0;

	for (size_t i = 0; b && i < n; i++)
		v |= (uint64_t)b[i] << (8 * i);
	return v;
}

static inline uint8_t span_u8(struct span *s)
{
	return (uint8_t)span_le(s, 1);
}

static inline uint16_t span_u16le(struct span *s)
{
	return (uint16_t)span_le(s, 2);
}

static inline uint32_t span_u32le(struct span *s)
{
	return (uint32_t)span_le(s, 4);
}

static inline uint64_t span_u64le(struct span *s)
{
	return span_le(s, 8);
}

/* Big-endian, likewise. */
static inline uint64_t span_be(struct span *s, size_t n)
{
	const uint8_t *b = span_take(s, n);
	uint64_t v = 0;

	for (size_t i = 0; b && i < n; i++)
		v = v << 8 | b[i];
	return v;
}

/* A little-endian integer at an offset of a buffer, for tables of offsets; false beyond its end. */
static inline bool span_at(const void *p, size_t n, size_t off, size_t width, uint64_t *ret)
{
	if (off > n)
		return false;
	struct span s = span_of((const uint8_t *)p + off, n - off);
	*ret = span_le(&s, width);
	return !s.bad;
}

#endif
