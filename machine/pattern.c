/*
 * Knows how to find bytes faster than memory delivers them: two bytes of the pattern, the rarest in
 * a kernel's memory, are compared at 32 places at once; only where both fit the rest is looked at.
 */
#include "machine/pattern.h"

#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "machine/place.h"

enum { PAGE = 4096 };

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool push(struct machine_pattern *p, int byte, uint8_t mask)
{
	if (p->n == MACHINE_PATTERN_MAX)
		return false;
	p->bytes[p->n] = (uint8_t)byte;
	p->mask[p->n++] = mask;
	return true;
}

static bool parse_hex(const char *t, struct machine_pattern *p)
{
	for (; t[0] && t[1]; t += 2) {
		int high = nibble(t[0]), low = nibble(t[1]);
		bool any = t[0] == '.' && t[1] == '.';
		if ((!any && (high < 0 || low < 0)) ||
		    !push(p, any ? 0 : high << 4 | low, any ? 0 : 0xff))
			return false;
	}
	return !*t && p->n && p->mask[0] && p->mask[p->n - 1];
}

static bool parse_text(const char *t, bool wide, struct machine_pattern *p)
{
	bool fits = *t;

	for (; fits && *t; t++)
		fits = push(p, (uint8_t)*t, 0xff) && (!wide || push(p, 0, 0xff));
	return fits;
}

static bool parse_value(const char *t, size_t bytes, struct machine_pattern *p)
{
	const char *dash = strchr(t, '-');
	size_t n = dash ? (size_t)(dash - t) : strlen(t);

	p->is_value = true;
	p->n = bytes;
	if (!machine_number(t, n, &p->first))
		return false;
	p->last = p->first;
	if (dash && !machine_number(dash + 1, strlen(dash + 1), &p->last))
		return false;
	return p->first <= p->last && p->last <= UINT64_MAX >> (64 - 8 * bytes);
}

/* How often a byte stands in memory, roughly: zeros, then ones and what code and text are of. */
static int commonness(uint8_t b)
{
	return b == 0 ? 4 : b == 0xff ? 3 : b == 0x48 || b == 0x20 || b == 0x8b ? 2 : b < 0x10;
}

static void choose_probes(struct machine_pattern *p)
{
	size_t best = 0, second = p->n - 1;

	for (size_t i = 0; i < p->n; i++)
		if (p->mask[i] && commonness(p->bytes[i]) < commonness(p->bytes[best]))
			best = i;
	if (second == best)
		second = 0;
	for (size_t i = p->n; i-- > 0;)
		if (i != best && p->mask[i] &&
		    commonness(p->bytes[i]) < commonness(p->bytes[second]))
			second = i;
	p->probe[0] = best;
	p->probe[1] = second;
}

static const struct prefix {
	const char *name;
	enum { HEX, VALUE, TEXT, WIDE } kind;
	size_t bytes;
} prefixes[] = {
	{"hex:", HEX, 0},   {"u8:", VALUE, 1},  {"u16:", VALUE, 2},  {"u32:", VALUE, 4},
	{"u64:", VALUE, 8}, {"ptr:", VALUE, 8}, {"utf16:", WIDE, 0}, {"text:", TEXT, 0},
};

enum inq_status machine_pattern(const char *text, struct machine_pattern *ret, struct inq_err *err)
{
	static const struct prefix plain = {"", TEXT, 0};
	const struct prefix *p = &plain;
	bool good;

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
		if (!strncmp(text, prefixes[i].name, strlen(prefixes[i].name)))
			p = &prefixes[i];
	const char *rest = text + strlen(p->name);
	*ret = (struct machine_pattern){.n = 0};
	if (p->kind == HEX)
		good = parse_hex(rest, ret);
	else if (p->kind == VALUE)
		good = parse_value(rest, p->bytes, ret);
	else
		good = parse_text(rest, p->kind == WIDE, ret);
	if (!good)
		return inq_fail(err, INQ_EUSAGE,
				"%.40s: nothing to search for; %s, at most %d bytes", text,
				p->kind == HEX     ? "whole bytes, not .. at an end"
				: p->kind == VALUE ? "a number or FIRST-LAST that fits"
						   : "some text",
				MACHINE_PATTERN_MAX);
	if (!ret->is_value)
		choose_probes(ret);
	return INQ_OK;
}

static bool fits(const struct machine_pattern *pt, const uint8_t *p)
{
	for (size_t i = 0; i < pt->n; i++)
		if ((p[i] ^ pt->bytes[i]) & pt->mask[i])
			return false;
	return true;
}

/* nr: places where a hit may begin.  nr when there is none from `from` on. */
typedef size_t find_fn(const struct machine_pattern *pt, const uint8_t *p, size_t nr, size_t from);

static size_t find_plain(const struct machine_pattern *pt, const uint8_t *p, size_t nr, size_t from)
{
	const uint8_t *base = p + pt->probe[0];

	while (from < nr) {
		const uint8_t *at = memchr(base + from, pt->bytes[pt->probe[0]], nr - from);
		if (!at)
			return nr;
		from = (size_t)(at - base);
		if (fits(pt, p + from))
			return from;
		from++;
	}
	return nr;
}

#if defined(__x86_64__)
enum { STEP = 4 * 32 }; /* looking whether there is any hit costs as much as 32 comparisons */

/* Where both probes fit, of the 32 places from `from` on. */
__attribute__((target("avx2"))) static inline __m256i
fitting(const struct machine_pattern *pt, const uint8_t *from, __m256i a, __m256i b)
{
	__m256i va = _mm256_loadu_si256((const __m256i_u *)(from + pt->probe[0]));
	__m256i vb = _mm256_loadu_si256((const __m256i_u *)(from + pt->probe[1]));

	return _mm256_and_si256(_mm256_cmpeq_epi8(va, a), _mm256_cmpeq_epi8(vb, b));
}

/* The first hit in STEP places; STEP: there is none. */
__attribute__((target("avx2"))) static size_t find_step(const struct machine_pattern *pt,
							const uint8_t *p, __m256i a, __m256i b)
{
	for (size_t at = 0; at < STEP; at += 32) {
		unsigned int m = (unsigned int)_mm256_movemask_epi8(fitting(pt, p + at, a, b));
		for (; m; m &= m - 1)
			if (fits(pt, p + at + (size_t)__builtin_ctz(m)))
				return at + (size_t)__builtin_ctz(m);
	}
	return STEP;
}

__attribute__((target("avx2"))) static size_t find_avx2(const struct machine_pattern *pt,
							const uint8_t *p, size_t nr, size_t from)
{
	__m256i a = _mm256_set1_epi8((char)pt->bytes[pt->probe[0]]);
	__m256i b = _mm256_set1_epi8((char)pt->bytes[pt->probe[1]]);

	for (; from < nr && nr - from >= STEP; from += STEP) {
		const uint8_t *q = p + from;
		__m256i some = _mm256_or_si256(fitting(pt, q, a, b), fitting(pt, q + 32, a, b));
		__m256i more =
			_mm256_or_si256(fitting(pt, q + 64, a, b), fitting(pt, q + 96, a, b));
		__m256i any = _mm256_or_si256(some, more);
		size_t at = _mm256_testz_si256(any, any) ? STEP : find_step(pt, q, a, b);
		if (at < STEP)
			return from + at;
	}
	return find_plain(pt, p, nr, from);
}
#endif

static find_fn *best_find(void)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx2"))
		return find_avx2;
#endif
	return find_plain;
}

/* In blocks without a branch, which the compiler makes wide; the block with a hit once more. */
#define DEFINE_FIND_VALUE(type)                                                                    \
	static size_t find_##type(const struct machine_pattern *pt, const uint8_t *p, size_t nr,   \
				  size_t from)                                                     \
	{                                                                                          \
		type first = (type)pt->first, span = (type)(pt->last - pt->first), v[32];          \
                                                                                                   \
		for (; from < nr; from += 32) {                                                    \
			size_t n = nr - from < 32 ? nr - from : 32;                                \
			unsigned int any = 0;                                                      \
			memcpy(v, p + from * sizeof(type), n * sizeof(type));                      \
			for (size_t i = 0; i < n; i++)                                             \
				any |= (type)(v[i] - first) <= span;                               \
			for (size_t i = 0; any && i < n; i++)                                      \
				if ((type)(v[i] - first) <= span)                                  \
					return from + i;                                           \
		}                                                                                  \
		return nr;                                                                         \
	}
DEFINE_FIND_VALUE(uint8_t)
DEFINE_FIND_VALUE(uint16_t)
DEFINE_FIND_VALUE(uint32_t)
DEFINE_FIND_VALUE(uint64_t)

static size_t find_value(const struct machine_pattern *pt, const uint8_t *p, size_t n,
			 uint64_t addr, size_t from)
{
	static find_fn *const by_bytes[] = {
		[1] = find_uint8_t, [2] = find_uint16_t, [4] = find_uint32_t, [8] = find_uint64_t};
	size_t skip = (size_t)(-(addr + from) % pt->n) + from;

	if (skip > n || n - skip < pt->n)
		return n;
	size_t nr = (n - skip) / pt->n, at = by_bytes[pt->n](pt, p + skip, nr, 0);
	return at < nr ? skip + at * pt->n : n;
}

/* Of all other bytes not one is looked at. */
static size_t find_page(const struct machine_pattern *pt, const uint8_t *p, size_t n, uint64_t addr,
			size_t from)
{
	for (size_t at = from + -(addr + from) % PAGE; at < n && n - at >= pt->n; at += PAGE)
		if (!memcmp(p + at, pt->bytes, pt->n))
			return at;
	return n;
}

size_t machine_pattern_find(const struct machine_pattern *pt, const uint8_t *p, size_t n,
			    uint64_t addr, size_t from)
{
	if (pt->is_value)
		return find_value(pt, p, n, addr, from);
	if (pt->starts_page)
		return find_page(pt, p, n, addr, from);
	if (n < pt->n || from > n - pt->n)
		return n;
	size_t nr = n - pt->n + 1, at = best_find()(pt, p, nr, from);
	return at < nr ? at : n;
}
