/*
 * Knows how a kernel packs its symbols: a name is a length (one byte, or two with the first one's
 * top bit set) and so many bytes, each of them a token; the first character is the type's letter.
 * Addresses are offsets from the lowest one; with CONFIG_KALLSYMS_ABSOLUTE_PERCPU (x86-64 until
 * 6.15) those that count are negative, and the others are values of their own.
 * Source: Linux scripts/kallsyms.c (write_src), kernel/kallsyms.c (kallsyms_sym_address,
 * kallsyms_expand_symbol), commit 73bbb94466fd (long names, 6.1).
 */
#include "symbols/kallsyms.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/block.h"
#include "base/scope.h"
#include "base/span.h"
#include "symbols/kallsyms_parts.h"

enum {
	PAGE = 4096,
	MAX_NAMES = 64 << 20, /* bytes of kallsyms_names */
};

INQ_DEFINE_SCOPE(struct kallsyms, kallsyms_close)

void kallsyms_close(struct kallsyms *k)
{
	if (!k)
		return;
	free(k->symbol);
	free(k->text);
	free(k);
}

size_t kallsyms_read_some(const struct inq_space *sp, uint64_t addr, uint8_t *buf, size_t n)
{
	size_t at = 0;

	if (!inq_read(sp, addr, buf, n, NULL))
		return n;
	while (at < n) {
		size_t len = PAGE - (addr + at) % PAGE;
		len = len < n - at ? len : n - at;
		if (inq_read(sp, addr + at, buf + at, len, NULL))
			break;
		at += len;
	}
	return at;
}

enum inq_status kallsyms_tokens_read(const struct inq_space *sp, uint64_t table, uint64_t index,
				     struct kallsyms_tokens *ret, struct inq_err *err)
{
	uint8_t b[KALLSYMS_INDEX_BYTES];
	enum inq_status st = inq_read(sp, index, b, sizeof(b), err);
	struct span s = span_of(b, sizeof(b));

	if (st)
		return inq_wrap(err, st, "kallsyms_token_index");
	size_t n = kallsyms_read_some(sp, table, (uint8_t *)ret->text, KALLSYMS_TOKEN_TEXT);
	for (size_t i = 0; i < KALLSYMS_TOKENS; i++) {
		size_t at = span_u16le(&s);
		size_t len = at < n ? strnlen(ret->text + at, n - at) : n;
		if (at + len >= n || len >= KALLSYMS_MAX_NAME || (i && at != ret->bytes))
			return inq_fail(
				err, INQ_ECORRUPT,
				"kallsyms_token_index: token %zu is not at 0x%zx of the table", i,
				at);
		ret->at[i] = (uint16_t)at;
		ret->len[i] = (uint16_t)len;
		ret->bytes = at + len + 1;
	}
	return INQ_OK;
}

/* Most are negative when only those that count are. */
static bool has_absolute(const uint8_t *p, size_t nr)
{
	size_t negative = 0;

	for (size_t i = 0; i < nr; i++)
		negative += p[4 * i + 3] >> 7;
	return negative > nr / 2;
}

static uint64_t address_of(uint32_t off, uint64_t base, bool absolute)
{
	if (!absolute)
		return base + off;
	return (int32_t)off >= 0 ? off : base - 1 - (uint64_t)(int64_t)(int32_t)off;
}

enum inq_status kallsyms_addresses(const struct inq_space *sp,
				   const struct inq_kallsyms_place *place, size_t nr,
				   struct kallsyms_symbol *ret, size_t *ret_descents,
				   struct inq_err *err)
{
	size_t width = place->relative_base ? 4 : 8;
	uint8_t *p = block_alloc(nr, width), base_bytes[8] = {0};
	struct span base = span_of(base_bytes, sizeof(base_bytes)), s = span_of(p, nr * width);

	if (!p)
		return inq_fail(err, INQ_ENOMEM, "%zu addresses", nr);
	enum inq_status st = inq_read(sp, place->offsets, p, nr * width, err);
	if (!st && place->relative_base)
		st = inq_read(sp, place->relative_base, base_bytes, sizeof(base_bytes), err);
	uint64_t lowest = span_u64le(&base);
	bool absolute = width == 4 && has_absolute(p, nr);
	*ret_descents = 0;
	for (size_t i = 0; i < nr && !st; i++) {
		ret[i].addr =
			width == 8 ? span_u64le(&s) : address_of(span_u32le(&s), lowest, absolute);
		*ret_descents += i && ret[i].addr < ret[i - 1].addr;
	}
	free(p);
	return inq_wrap(err, st, "kallsyms_offsets");
}

static void work_destroy(struct kallsyms_work *w)
{
	if (w)
		free(w->names);
	free(w);
}
INQ_DEFINE_SCOPE(struct kallsyms_work, work_destroy)

/* Of the offsets: they end at relative_base, but for one of 0 that pads.  0: unknown. */
static size_t count_offsets(const struct kallsyms_work *w)
{
	const struct inq_kallsyms_place *at = &w->k->place;
	uint8_t b[12];
	struct span s = span_of(b, sizeof(b));

	if (at->relative_base <= at->offsets || inq_read(w->sp, at->relative_base - 4, b, 12, NULL))
		return 0;
	bool pads = !span_u32le(&s);
	if (!span_u64le(&s)) /* never a kernel's: it is lost, too */
		return 0;
	return (size_t)((at->relative_base - at->offsets) / 4 - pads);
}

/* It lies in front of the names, so it is often missing with the first of them. */
static enum inq_status read_count(struct kallsyms_work *w, struct inq_err *err)
{
	uint8_t b[4] = {0};
	enum inq_status st = inq_read(w->sp, w->k->place.num_syms, b, sizeof(b), err);
	struct span s = span_of(b, sizeof(b));
	size_t told = st ? 0 : span_u32le(&s);

	w->k->nr = told ? told : count_offsets(w);
	if (w->k->nr && inq_is_damage(st))
		st = INQ_OK;
	if (!st && (!w->k->nr || w->k->nr > KALLSYMS_MAX))
		st = inq_fail(err, INQ_ELIMIT, "%zu symbols, %d at most", w->k->nr, KALLSYMS_MAX);
	return inq_wrap(err, st, "kallsyms_num_syms");
}

/* The names end before the tokens in every layout; how long they are nothing tells. */
static enum inq_status read_names(struct kallsyms_work *w, struct inq_err *err)
{
	const struct inq_kallsyms_place *at = &w->k->place;
	uint64_t room = at->token_table - at->names;

	if (at->token_table <= at->names || room > MAX_NAMES)
		return inq_fail(err, INQ_ELIMIT, "kallsyms_names: not in front of its tokens");
	w->names = block_alloc(room, 1);
	if (!w->names)
		return inq_fail(err, INQ_ENOMEM, "kallsyms_names");
	w->room = room;
	w->names_bytes = kallsyms_read_some(w->sp, at->names, w->names, room);
	return INQ_OK;
}

/* Bytes of all names, each with a NUL; 0: they are not all there. */
static size_t measure(const struct kallsyms_work *w)
{
	const uint8_t *p = w->names, *end = p + w->names_bytes;
	size_t total = 0, head;

	for (size_t i = 0; i < w->k->nr; i++) {
		size_t len = kallsyms_packed(p, (size_t)(end - p), &head);
		size_t bytes = len ? kallsyms_text_bytes(&w->tokens, p + head, len) : 0;
		if (!bytes)
			return 0;
		p += head + len;
		total += bytes;
	}
	return total;
}

char *kallsyms_expand(const struct kallsyms_tokens *t, const uint8_t *p, size_t n, char *to)
{
	for (size_t i = 0; i < n; i++) {
		const char *token = t->text + t->at[p[i]];
		size_t len = t->len[p[i]];
		memcpy(to, token,
		       KALLSYMS_COPY); /* one instruction; what is too much is gone over */
		if (len > KALLSYMS_COPY)
			memcpy(to, token, len);
		to += len;
	}
	*to++ = 0;
	return to;
}

static enum inq_status unpack(struct kallsyms_work *w, struct inq_err *err)
{
	const uint8_t *p = w->names, *end = p + w->names_bytes;
	size_t bytes = measure(w);
	struct kallsyms *k = w->k;

	if (!bytes)
		return kallsyms_unpack_part(w, err);
	if (bytes > KALLSYMS_MAX_TEXT)
		return inq_fail(err, INQ_ELIMIT, "kallsyms_names: %zu bytes of names", bytes);
	k->text = block_alloc(bytes + KALLSYMS_COPY, 1);
	k->symbol = block_alloc(k->nr, sizeof(*k->symbol));
	if (!k->text || !k->symbol)
		return inq_fail(err, INQ_ENOMEM, "%zu names", k->nr);
	char *to = k->text;
	for (size_t i = 0; i < k->nr; i++) {
		size_t head, len = kallsyms_packed(p, (size_t)(end - p), &head);
		k->symbol[i].name = (uint32_t)(to - k->text);
		k->symbol[i].nr = (uint32_t)i;
		to = kallsyms_expand(&w->tokens, p + head, len, to);
		p += head + len;
	}
	k->text_bytes = bytes;
	return INQ_OK;
}

static int by_address(const void *a, const void *b)
{
	const struct kallsyms_symbol *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return (x->nr > y->nr) - (x->nr < y->nr);
}

static enum inq_status place_symbols(struct kallsyms_work *w, struct inq_err *err)
{
	struct kallsyms *k = w->k;
	size_t descents = 0;
	enum inq_status st = kallsyms_addresses(w->sp, &k->place, k->nr, k->symbol, &descents, err);

	if (!st && descents) /* never as the kernel was built: somebody wrote into it */
		qsort(k->symbol, k->nr, sizeof(*k->symbol), by_address);
	return st;
}

enum inq_status kallsyms_open(const struct inq_space *sp, const struct inq_kallsyms_place *place,
			      struct kallsyms **ret, struct inq_err *err)
{
	INQ_SCOPED(kallsyms_close_scope_) struct kallsyms *k = calloc(1, sizeof(*k));
	INQ_SCOPED(work_destroy_scope_) struct kallsyms_work *w = calloc(1, sizeof(*w));

	if (!k || !w)
		return inq_fail(err, INQ_ENOMEM, "kallsyms");
	k->place = *place;
	w->sp = sp;
	w->k = k;
	enum inq_status st = read_count(w, err);
	if (!st)
		st = kallsyms_tokens_read(sp, place->token_table, place->token_index, &w->tokens,
					  err);
	if (!st)
		st = read_names(w, err);
	if (!st)
		st = unpack(w, err);
	if (!st)
		st = place_symbols(w, err);
	if (st)
		return st;
	*ret = inq_take(k);
	return INQ_OK;
}
