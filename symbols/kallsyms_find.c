/*
 * Knows where the tables of kallsyms lie to each other, so that one that is easy to tell leads to
 * all.  Behind one another, each at a multiple of 8 (or of 4):
 *	until 6.4: offsets, relative_base, num_syms, names, markers, (6.2: seqs_of_names,)
 *		   token_table, token_index
 *	from 6.5:  num_syms, names, markers, token_table, token_index, offsets, relative_base,
 *		   seqs_of_names
 * Without CONFIG_KALLSYMS_BASE_RELATIVE (possible until 6.10) a table of addresses takes the place
 * of offsets and relative_base.
 * Source: Linux scripts/kallsyms.c (write_src, output_label), commit 404bad70fcf7.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/span.h"
#include "symbols/kallsyms_parts.h"

enum {
	PAGE = 4096,
	ALIGN = 8,
	LEAST = 16,       /* symbols; of fewer a table of them cannot be told from other bytes */
	BLOCK = 256,      /* names to a marker */
	NEAR = 2 << 20,   /* the names of a usual kernel lie within; then twice as far, ... */
	FAR = 64 << 20,   /* ... until here */
	STEPS = 64 << 20, /* names that are looked at in vain, at most */
};
#define HIGH_HALF UINT64_C(0xffff800000000000)

size_t kallsyms_find_index(const uint8_t *p, size_t n)
{
	for (size_t at = 0; n >= KALLSYMS_INDEX_BYTES && at <= n - KALLSYMS_INDEX_BYTES; at += 4) {
		size_t i = 0;
		if (p[at] | p[at + 1] | p[at + 3]) /* 0, and one token cannot be that long */
			continue;
		for (unsigned int last = 0, next; i + 1 < KALLSYMS_TOKENS; i++, last = next) {
			const uint8_t *q = p + at + 2 * (i + 1);
			next = q[0] | (unsigned int)q[1] << 8;
			if (next <= last || next - last > KALLSYMS_MAX_NAME)
				break;
		}
		if (i + 1 == KALLSYMS_TOKENS)
			return at;
	}
	return n;
}

/* The table of tokens ends with the last one and at most 7 NULs in front of the index. */
static enum inq_status find_tokens(const struct inq_space *sp, struct inq_kallsyms_place *at,
				   struct kallsyms_tokens *tokens, struct inq_err *err)
{
	uint8_t b[2];
	enum inq_status st =
		inq_read(sp, at->token_index + KALLSYMS_INDEX_BYTES - sizeof(b), b, sizeof(b), err);
	struct span s = span_of(b, sizeof(b));

	if (st)
		return inq_wrap(err, st, "kallsyms_token_index");
	uint64_t least = (span_u16le(&s) + UINT64_C(2) + 3) & ~UINT64_C(3);
	for (uint64_t back = least; back < least + KALLSYMS_MAX_NAME && back <= at->token_index;
	     back += 4) {
		at->token_table = at->token_index - back;
		st = kallsyms_tokens_read(sp, at->token_table, at->token_index, tokens, err);
		if (!st && tokens->bytes <= back && back - tokens->bytes < ALIGN)
			return INQ_OK;
	}
	return inq_fail(err, INQ_ENOTFOUND, "no tokens in front of 0x%" PRIx64, at->token_index);
}

/* What lies in front of the tokens. */
struct before {
	const uint8_t *p;
	size_t n;
	size_t steps; /* that are left */
};

/* Do the offsets of every 256th name stand at `at`?  They are there only if the names are names. */
static bool are_markers(const struct before *b, size_t names, size_t at, size_t nr)
{
	size_t head;
	uint64_t marker;

	for (size_t i = 0, name = names; i < nr; i++) {
		if (i % BLOCK == 0 && (!span_at(b->p, b->n, at + i / BLOCK * 4, 4, &marker) ||
				       marker != name - names))
			return false;
		name += kallsyms_packed(b->p + name, b->n - name, &head) + head;
	}
	return true;
}

/* nr names at `at`, and their markers. */
static bool are_names(struct before *b, size_t at, size_t nr)
{
	size_t end = at, head;

	for (size_t i = 0; i < nr; i++) {
		size_t len = kallsyms_packed(b->p + end, b->n - end, &head);
		if (!len || !b->steps)
			return false;
		b->steps--;
		end += head + len;
	}
	for (size_t align = ALIGN; align >= 4; align /= 2)
		if (are_markers(b, at, (end + align - 1) & ~(align - 1), nr))
			return true;
	return false;
}

/* num_syms is in front of the names; both as distances from the end of b. */
struct found {
	size_t num_syms, names, nr;
};

static bool find_count(struct before *b, struct found *ret)
{
	uint64_t nr, pad;

	for (size_t at = b->n & ~(size_t)3; at >= 4 && b->steps;) {
		at -= 4;
		if (!span_at(b->p, b->n, at, 4, &nr) || nr < LEAST || nr > (b->n - at) / 2)
			continue;
		/* what pads it to 8, or, where tables are aligned to 4, the first name */
		size_t names = span_at(b->p, b->n, at + 4, 4, &pad) && !pad ? at + 8 : at + 4;
		if (are_names(b, names, (size_t)nr)) {
			*ret = (struct found){b->n - at, b->n - names, (size_t)nr};
			return true;
		}
	}
	return false;
}

/* The last bytes in front of `end`, as many as can be read, to the end of buf. */
static size_t read_back(const struct inq_space *sp, uint64_t end, uint8_t *buf, size_t n)
{
	size_t got = 0;

	while (got < n) {
		size_t len = (end - got) % PAGE ? (size_t)((end - got) % PAGE) : PAGE;
		len = len < n - got ? len : n - got;
		if (inq_read(sp, end - got - len, buf + n - got - len, len, NULL))
			break;
		got += len;
	}
	return got;
}

static enum inq_status find_names(const struct inq_space *sp, struct inq_kallsyms_place *at,
				  size_t *ret_nr, struct inq_err *err)
{
	struct before b = {.steps = STEPS};
	bool found = false;

	for (size_t window = NEAR; window <= FAR && window < at->token_table && !found;
	     window *= 2) {
		struct found f;
		uint8_t *p = malloc(window);
		if (!p)
			return inq_fail(err, INQ_ENOMEM, "the names of symbols");
		b.n = read_back(sp, at->token_table, p, window);
		b.p = p + window - b.n;
		found = find_count(&b, &f);
		free(p);
		if (found) {
			at->num_syms = at->token_table - f.num_syms;
			at->names = at->token_table - f.names;
			*ret_nr = f.nr;
		}
		if (b.n < window)
			break;
	}
	return found ? INQ_OK
		     : inq_fail(err, INQ_ENOTFOUND, "no names in front of 0x%" PRIx64,
				at->token_table);
}

/* Addresses of symbols ascend, and most are the kernel's. */
static enum inq_status try_offsets(const struct inq_space *sp, const struct inq_kallsyms_place *at,
				   size_t nr, struct kallsyms_symbol *syms, bool *ret_fits,
				   struct inq_err *err)
{
	size_t descents = 0, kernel = 0;
	enum inq_status st = kallsyms_addresses(sp, at, nr, syms, &descents, err);

	*ret_fits = false;
	for (size_t i = 0; i < nr && !st; i++)
		kernel += syms[i].addr >= HIGH_HALF;
	*ret_fits = !st && descents < nr / 8 && kernel > nr / 2;
	return st == INQ_ENOMEM ? st : INQ_OK; /* what cannot be read does not fit */
}

static uint64_t aligned(uint64_t addr, uint64_t align)
{
	return (addr + align - 1) & ~(align - 1);
}

/* All places where they could be. */
static enum inq_status find_offsets(const struct inq_space *sp, struct inq_kallsyms_place *at,
				    size_t nr, struct inq_err *err)
{
	const uint64_t before = at->num_syms, behind = at->token_index + KALLSYMS_INDEX_BYTES;
	const uint64_t bytes = 4 * (uint64_t)nr;
	const struct {
		uint64_t offsets, base;
	} places[] = {
		{before - 8 - aligned(bytes, 8), before - 8},
		{before - 8 - bytes, before - 8},
		{aligned(behind, 8), aligned(aligned(behind, 8) + bytes, 8)},
		{behind, behind + bytes},
		{before - 2 * bytes, 0},
		{aligned(behind, 8), 0},
	};
	struct kallsyms_symbol *syms = calloc(nr, sizeof(*syms));
	enum inq_status st = syms ? INQ_OK : inq_fail(err, INQ_ENOMEM, "%zu addresses", nr);
	bool fits = false;

	for (size_t i = 0; i < sizeof(places) / sizeof(*places) && !fits && !st; i++) {
		at->offsets = places[i].offsets;
		at->relative_base = places[i].base;
		st = try_offsets(sp, at, nr, syms, &fits, err);
	}
	free(syms);
	if (!st && !fits)
		st = inq_fail(err, INQ_ENOTFOUND, "no addresses for the %zu names at 0x%" PRIx64,
			      nr, at->names);
	return st;
}

enum inq_status kallsyms_locate(const struct inq_space *sp, uint64_t index,
				struct inq_kallsyms_place *ret, struct inq_err *err)
{
	struct inq_kallsyms_place at = {.token_index = index};
	struct kallsyms_tokens *tokens = malloc(sizeof(*tokens));
	size_t nr = 0;

	if (!tokens)
		return inq_fail(err, INQ_ENOMEM, "tokens of names");
	enum inq_status st = find_tokens(sp, &at, tokens, err);
	free(tokens);
	if (!st)
		st = find_names(sp, &at, &nr, err);
	if (!st)
		st = find_offsets(sp, &at, nr, err);
	if (!st)
		*ret = at;
	return st;
}
