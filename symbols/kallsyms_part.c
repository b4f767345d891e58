/*
 * Knows what is left of kallsyms_names when a part of it is not there.  Names have no places of
 * their own: each begins where the one before ends.  Only kallsyms_markers tells where every 256th
 * begins; it lies behind the names, and in front of the tokens or (6.2 to 6.4) of seqs_of_names.
 * Source: Linux kernel/kallsyms.c (get_symbol_offset), scripts/kallsyms.c (write_src), commit
 * 19bd8981dc2e (kallsyms_seqs_of_names, 6.2).
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/block.h"
#include "base/scope.h"
#include "base/span.h"
#include "symbols/kallsyms_parts.h"

enum {
	PAGE = 4096,
	BLOCK = 256, /* names to a marker */
	SEQ = 3,     /* bytes of an entry of kallsyms_seqs_of_names */
	ALIGN = 8,   /* of a table, at most */
};

/* While it is looked what is left. */
struct part {
	struct kallsyms_work *w;
	const uint8_t *p; /* from the first name to the tokens; zeros where nothing is */
	size_t n;
	uint8_t *absent; /* of each page: is nothing there? */
	uint32_t *at;    /* 1 + where in p each name begins; 0: lost */
	size_t bad;      /* the first place in p that makes no sense */
};

static void part_deinit(struct part *d)
{
	free(d->absent);
	free(d->at);
}

static size_t page_of(const struct part *d, size_t at)
{
	return (size_t)((d->w->k->place.names % PAGE + at) / PAGE);
}

/* What follows the first hole. */
static void read_rest(struct part *d)
{
	uint64_t names = d->w->k->place.names;

	for (size_t at = d->w->names_bytes, len; at < d->n; at += len) {
		len = PAGE - (size_t)((names + at) % PAGE);
		len = len < d->n - at ? len : d->n - at;
		if (!inq_read(d->w->sp, names + at, d->w->names + at, len, NULL))
			continue;
		memset(d->w->names + at, 0, len);
		d->absent[page_of(d, at)] = 1;
	}
}

/* *ret_last: its last byte, or that of its length where that is none of a name. */
static bool is_name(const struct part *d, size_t at, size_t *ret_last)
{
	size_t head, len = kallsyms_packed(d->p + at, d->n - at, &head);

	*ret_last = at + head + len - 1;
	return len && kallsyms_text_bytes(&d->w->tokens, d->p + at + head, len) &&
	       !d->absent[page_of(d, at)] && !d->absent[page_of(d, *ret_last)];
}

/*
 * What reaches into a page that makes no sense need not be what it seems; it may be the last name
 * of the block before.
 */
static void take_back(struct part *d, size_t i, size_t end, size_t bad)
{
	while (i && d->at[i - 1] && page_of(d, end - 1) >= page_of(d, bad)) {
		end = d->at[--i] - 1;
		d->at[i] = 0;
	}
	if (bad < d->bad)
		d->bad = bad;
}

/* Names first to end - 1, one behind the other from `at` on: where the last one ends; 0: lost. */
static size_t follow(struct part *d, size_t at, size_t first, size_t end)
{
	size_t last;

	for (size_t i = first; i < end; i++) {
		if (!is_name(d, at, &last)) {
			take_back(d, i, at, last);
			return 0;
		}
		d->at[i] = (uint32_t)at + 1;
		at = last + 1;
	}
	return at;
}

static void forget(struct part *d, size_t first, size_t end)
{
	memset(d->at + first, 0, (end - first) * sizeof(*d->at));
}

static bool ascend(const struct part *d, size_t markers, size_t nr)
{
	uint64_t last = 0, v;

	for (size_t i = 0; i < nr; i++, last = v)
		if (!span_at(d->p, d->n, markers + 4 * i, 4, &v) || v >= markers ||
		    (i ? v <= last : v != 0))
			return false;
	return true;
}

/* Each block of names from its marker on; does at least one end where the next one begins? */
static bool follow_markers(struct part *d, size_t markers, size_t nr)
{
	bool agree = false;
	uint64_t at = 0, next = 0;

	if (!ascend(d, markers, nr))
		return false;
	for (size_t i = 0; i < nr; i++, at = next) {
		size_t first = i * BLOCK;
		bool last = i + 1 == nr;
		size_t behind = last ? d->w->k->nr : first + BLOCK;
		size_t end = follow(d, (size_t)at, first, behind);
		if (last)
			next = end && end <= markers && markers - end < ALIGN ? end : markers;
		else
			(void)span_at(d->p, d->n, markers + 4 * (i + 1), 4, &next);
		agree = agree || (end && end == next);
		if (end && end != next) { /* a length in it was changed: nobody knows which */
			forget(d, first, behind);
			d->bad = at < d->bad ? (size_t)at : d->bad;
		}
	}
	return agree;
}

static void find_left(struct part *d)
{
	size_t nr = d->w->k->nr, markers = (nr + BLOCK - 1) / BLOCK;

	for (size_t i = 0; i < 2 * 2 * ALIGN; i++) { /* two paddings, with and without numbers */
		size_t back = 4 * markers + i / 2 + i % 2 * SEQ * nr;
		if (back > d->n || (d->w->k->place.names + d->n - back) % 4)
			continue;
		if (follow_markers(d, d->n - back, markers))
			return;
		forget(d, 0, nr);
		d->bad = d->n;
	}
	(void)follow(d, 0, 0, nr);
}

static size_t unpacked(const struct part *d, size_t i, const uint8_t **ret, size_t *ret_len)
{
	size_t at = d->at[i] - 1, head;

	*ret_len = kallsyms_packed(d->p + at, d->n - at, &head);
	*ret = d->p + at + head;
	return kallsyms_text_bytes(&d->w->tokens, *ret, *ret_len);
}

/* Bytes of all names that are left, each with a NUL, behind one that is empty. */
static size_t measure(const struct part *d)
{
	const uint8_t *p;
	size_t total = KALLSYMS_NAMELESS_BYTES, len;

	for (size_t i = 0; i < d->w->k->nr; i++)
		total += d->at[i] ? unpacked(d, i, &p, &len) : 0;
	return total;
}

static void unpack(const struct part *d)
{
	struct kallsyms *k = d->w->k;
	char *to = k->text + KALLSYMS_NAMELESS_BYTES;
	const uint8_t *p;
	size_t len;

	memset(k->text, 0, KALLSYMS_NAMELESS_BYTES);
	for (size_t i = 0; i < k->nr; i++) {
		k->symbol[i].nr = (uint32_t)i;
		k->symbol[i].name = d->at[i] ? (uint32_t)(to - k->text) : 0;
		k->lost += !d->at[i];
		if (d->at[i]) {
			(void)unpacked(d, i, &p, &len);
			to = kallsyms_expand(&d->w->tokens, p, len, to);
		}
	}
}

static void say_what_is_lost(const struct part *d)
{
	struct kallsyms *k = d->w->k;
	bool absent = d->absent[page_of(d, d->bad)];

	k->hole = (k->place.names + d->bad) & ~(uint64_t)(PAGE - 1);
	(void)inq_fail_at(
		&k->why, absent ? INQ_EABSENT : INQ_ECORRUPT, k->hole,
		"%zu of the kernel's %zu names are lost: kallsyms_names is %s at 0x%" PRIx64,
		k->lost, k->nr, absent ? "absent" : "damaged", k->hole);
}

static enum inq_status keep(const struct part *d, struct inq_err *err)
{
	struct kallsyms *k = d->w->k;
	size_t bytes = measure(d);

	if (bytes == KALLSYMS_NAMELESS_BYTES || bytes > KALLSYMS_MAX_TEXT)
		return inq_fail(err, bytes > KALLSYMS_MAX_TEXT ? INQ_ELIMIT : INQ_ECORRUPT,
				"kallsyms_names: not %zu names at 0x%" PRIx64, k->nr,
				k->place.names);
	k->text = block_alloc(bytes + KALLSYMS_COPY, 1);
	k->symbol = block_alloc(k->nr, sizeof(*k->symbol));
	if (!k->text || !k->symbol)
		return inq_fail(err, INQ_ENOMEM, "%zu names", k->nr);
	k->text_bytes = bytes;
	unpack(d);
	if (k->lost)
		say_what_is_lost(d);
	return INQ_OK;
}

enum inq_status kallsyms_unpack_part(struct kallsyms_work *w, struct inq_err *err)
{
	INQ_SCOPED(part_deinit) struct part d = {.w = w, .p = w->names, .n = w->room};

	d.bad = d.n;
	d.absent = calloc(page_of(&d, d.n) + 1, 1);
	d.at = calloc(w->k->nr, sizeof(*d.at));
	if (!d.absent || !d.at)
		return inq_fail(err, INQ_ENOMEM, "%zu names", w->k->nr);
	read_rest(&d);
	find_left(&d);
	return keep(&d, err);
}
