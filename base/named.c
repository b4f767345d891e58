#include "base/named.h"

#include <stdlib.h>
#include <string.h>

#include "base/span.h"

enum { HEAD = 8 };

static bool make_room(struct named *b, size_t more)
{
	if (more <= b->room - b->n)
		return true;
	size_t room = 2 * b->room + more;
	uint8_t *grown = realloc(b->p, room);
	if (!grown) {
		b->failed = true;
		return false;
	}
	b->p = grown;
	b->room = room;
	return true;
}

static void put_u32(uint8_t *p, size_t v)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

void named_add(struct named *b, const char *name, const void *value, size_t n)
{
	size_t name_n = strlen(name);

	if (b->failed || n > UINT32_MAX || !make_room(b, HEAD + name_n + n))
		return;
	put_u32(b->p + b->n, name_n);
	put_u32(b->p + b->n + 4, n);
	memcpy(b->p + b->n + HEAD, name, name_n);
	if (n)
		memcpy(b->p + b->n + HEAD + name_n, value, n);
	b->n += HEAD + name_n + n;
}

void named_deinit(struct named *b)
{
	free(b->p);
	*b = (struct named){.p = NULL};
}

const uint8_t *named_find(const void *p, size_t n, const char *name, size_t *ret_n)
{
	struct span s = span_of(p, n);
	size_t want = strlen(name);

	while (s.left && !s.bad) {
		size_t name_n = span_u32le(&s), value_n = span_u32le(&s);
		const uint8_t *at = span_take(&s, name_n), *value = span_take(&s, value_n);
		if (at && value && name_n == want && !memcmp(at, name, want)) {
			*ret_n = value_n;
			return value;
		}
	}
	return NULL;
}

bool named_u64(const void *p, size_t n, const char *name, uint64_t *ret)
{
	size_t value_n = 0;
	const uint8_t *value = named_find(p, n, name, &value_n);

	return value && value_n && value_n <= 8 && span_at(value, value_n, 0, value_n, ret);
}
