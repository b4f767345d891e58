/*
 * Knows how printk's rings are laid out.  Sources: kernel/printk/printk_ringbuffer.h and .c
 * (desc_read, data_block_size, get_data), of 5.9 and before kernel/printk/printk.c (log_store).
 */
#include "analyzers/log_ring.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>

enum { TEXT_MAX = 65536, STRUCT_MAX = 512, COUNT_BITS_MAX = 24, SIZE_BITS_MAX = 31, LONG = 8 };

/* Bits 63:62 of a descriptor's state; the others are its id. */
enum state { RESERVED, COMMITTED, FINALIZED, REUSABLE };
#define ID_MASK ((1ULL << 62) - 1)

/* 0 where the structure lacks it: shapes that need a member were refused before. */
static uint64_t field(const uint8_t *p, const struct inq_field *f)
{
	uint64_t v = 0;

	return inq_field_of(f, p, STRUCT_MAX, &v) ? v : 0;
}

static int64_t optional(const uint8_t *p, const struct inq_field *f)
{
	return f->size ? (int64_t)field(p, f) : -1;
}

struct prb {
	const struct inq_space *sp;
	const struct log_prb_shape *shape;
	const struct log_sink *sink;
	uint64_t nr, descs, infos, head, tail; /* the descriptors */
	uint64_t size, data;                   /* the text */
	uint8_t *text;                         /* TEXT_MAX */
};

static enum inq_status read_head(struct prb *r, uint64_t addr, struct inq_err *err)
{
	const struct log_prb_shape *s = r->shape;
	uint8_t ring[STRUCT_MAX] = {0};
	enum inq_status st = inq_read(r->sp, addr, ring, s->ring_size, err);

	if (st)
		return st;
	uint64_t count_bits = field(ring, &s->count_bits), size_bits = field(ring, &s->size_bits);
	if (count_bits > COUNT_BITS_MAX || size_bits > SIZE_BITS_MAX)
		return inq_fail_at(err, INQ_ECORRUPT, addr,
				   "2^%" PRIu64 " records in 2^%" PRIu64 " bytes", count_bits,
				   size_bits);
	r->nr = 1ULL << count_bits;
	r->size = 1ULL << size_bits;
	r->descs = field(ring, &s->descs);
	r->infos = field(ring, &s->infos);
	r->data = field(ring, &s->data);
	r->head = field(ring, &s->head_id) & ID_MASK;
	r->tail = field(ring, &s->tail_id) & ID_MASK;
	if (((r->head - r->tail) & ID_MASK) >= r->nr)
		return inq_fail_at(err, INQ_ECORRUPT, addr,
				   "ids 0x%" PRIx64 " to 0x%" PRIx64 " in a ring of %" PRIu64,
				   r->tail, r->head, r->nr);
	return INQ_OK;
}

/*
 * The block of text from lpos begin to next: *ret_addr is behind the id that it starts with.  It
 * lies in one piece; one that does not fit before the ring's end begins at the ring's start.
 */
static enum inq_status block(const struct prb *r, uint64_t begin, uint64_t next, uint64_t *ret_addr,
			     uint64_t *ret_n, struct inq_err *err)
{
	uint64_t at = begin & (r->size - 1), end = next & (r->size - 1);
	uint64_t wraps = (next & ~(r->size - 1)) - (begin & ~(r->size - 1));

	if (wraps == r->size && end)
		at = 0;
	else if (wraps == r->size)
		end = r->size; /* ends with the ring: allowed since 6.18 */
	else if (wraps)
		end = 0;
	if (end < at + LONG)
		return inq_fail(err, INQ_ECORRUPT, "text from position 0x%" PRIx64 " to 0x%" PRIx64,
				begin, next);
	*ret_addr = r->data + at + LONG;
	*ret_n = end - at - LONG;
	return INQ_OK;
}

/* The text of a descriptor; a record without any has odd positions. */
static enum inq_status read_text(const struct prb *r, const uint8_t *desc, uint64_t id,
				 struct log_record *rec, struct inq_err *err)
{
	uint64_t begin = field(desc, &r->shape->begin), next = field(desc, &r->shape->next);
	uint64_t addr = 0, room = 0, owner = 0;

	rec->text = (const char *)r->text;
	if (begin & 1 && next & 1) {
		/* NO_LPOS (3) is an empty line; FAILED_LPOS (1): no room was left for it */
		rec->n = 0;
		return begin == 1 ? inq_fail(err, INQ_ECORRUPT, "the kernel lost its text")
				  : INQ_OK;
	}
	enum inq_status st = block(r, begin, next, &addr, &room, err);
	st = st ? st : inq_read(r->sp, addr - LONG, &owner, LONG, err);
	if (!st && owner != id)
		st = inq_fail_at(err, INQ_ECORRUPT, addr - LONG,
				 "its text was written over by record id 0x%" PRIx64, owner);
	if (st)
		return st;
	rec->addr = addr;
	if (rec->n > room)
		rec->n = (size_t)room;
	return inq_read(r->sp, addr, r->text, rec->n, err);
}

static void read_info(const struct log_prb_shape *s, const uint8_t *info, struct log_record *rec)
{
	rec->seq = field(info, &s->seq);
	rec->ts_ns = field(info, &s->ts);
	rec->n = (size_t)(field(info, &s->text_len) & (TEXT_MAX - 1));
	rec->caller = optional(info, &s->caller);
	rec->facility = optional(info, &s->facility);
	rec->level = optional(info, &s->level);
}

/* desc_reserve moves head_id first: the descriptor may still be that of a turn before. */
static bool unborn(const struct prb *r, uint64_t sv)
{
	uint64_t last_turn = (r->head - r->nr) & ID_MASK;

	return !sv || (sv >> 62 == REUSABLE && (sv & ID_MASK) == last_turn);
}

/* *ret_gone: there is no record at this id, and none is missing. */
static enum inq_status read_record(const struct prb *r, uint64_t id, struct log_record *rec,
				   int *ret_gone, struct inq_err *err)
{
	uint8_t desc[STRUCT_MAX] = {0}, info[STRUCT_MAX] = {0};
	uint64_t at = id & (r->nr - 1), info_at = r->infos + at * r->shape->info_size;
	enum inq_status st = inq_read(r->sp, r->descs + at * r->shape->desc_size, desc,
				      r->shape->desc_size, err);

	if (st)
		return st;
	uint64_t sv = field(desc, &r->shape->state);
	enum state state = (enum state)(sv >> 62);
	*ret_gone = (state == REUSABLE && (sv & ID_MASK) == id) || (id == r->head && unborn(r, sv));
	if (*ret_gone)
		return INQ_OK;
	if ((sv & ID_MASK) != id)
		return inq_fail(err, INQ_ECORRUPT, "descriptor of id 0x%" PRIx64 " is 0x%" PRIx64,
				id, sv);
	if (state == RESERVED)
		return inq_fail(err, INQ_EABSENT, "a record was being written");
	st = inq_read(r->sp, info_at, info, r->shape->info_size, err);
	if (st)
		return st;
	read_info(r->shape, info, rec);
	rec->addr = info_at;
	rec->open = state == COMMITTED;
	return read_text(r, desc, id, rec, err);
}

static enum inq_status each_id(const struct prb *r, struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	for (uint64_t i = 0; !st && i <= ((r->head - r->tail) & ID_MASK); i++) {
		uint64_t id = (r->tail + i) & ID_MASK;
		struct log_record rec = {0};
		struct inq_err why = {0};
		int gone = 0;
		enum inq_status bad = read_record(r, id, &rec, &gone, &why);
		if (bad)
			st = r->sink->gap(r->sink->ctx,
					  r->descs + (id & (r->nr - 1)) * r->shape->desc_size,
					  r->shape->desc_size, &why, err);
		else if (!gone)
			st = r->sink->record(r->sink->ctx, &rec, err);
	}
	return st;
}

enum inq_status log_prb_each(const struct inq_space *sp, uint64_t addr,
			     const struct log_prb_shape *shape, const struct log_sink *sink,
			     struct inq_err *err)
{
	struct prb r = {.sp = sp, .shape = shape, .sink = sink};
	struct inq_err why = {0};
	enum inq_status st = INQ_OK;

	if (shape->ring_size > STRUCT_MAX || shape->desc_size > STRUCT_MAX ||
	    shape->info_size > STRUCT_MAX)
		st = inq_fail(&why, INQ_ECORRUPT,
			      "structs of %" PRIu64 ", %" PRIu64 " and %" PRIu64 " bytes",
			      shape->ring_size, shape->desc_size, shape->info_size);
	st = st ? st : read_head(&r, addr, &why);
	if (st)
		return sink->gap(sink->ctx, addr, 1, &why, err);
	r.text = malloc(TEXT_MAX);
	if (!r.text)
		return inq_fail(err, INQ_ENOMEM, "text of the log");
	st = each_id(&r, err);
	free(r.text);
	return st;
}

/* One record at an offset of the old ring; *ret_len 0: the ring goes on at its start. */
static enum inq_status read_old(const struct inq_space *sp, const struct log_old *ring,
				const struct log_old_shape *s, uint32_t at, uint8_t *text,
				struct log_record *rec, uint32_t *ret_len, struct inq_err *err)
{
	uint8_t head[STRUCT_MAX] = {0};

	*ret_len = 0;
	if (at > ring->buf_len || ring->buf_len - at < s->size)
		return INQ_OK; /* no room for a head: as if it said 0 */
	enum inq_status st = inq_read(sp, ring->buf + at, head, s->size, err);
	if (st)
		return st;
	uint32_t len = (uint32_t)field(head, &s->len);
	rec->n = (size_t)(field(head, &s->text_len) & (TEXT_MAX - 1));
	if (!len)
		return INQ_OK;
	if (len < s->size || len > ring->buf_len - at || rec->n > len - s->size)
		return inq_fail_at(err, INQ_ECORRUPT, ring->buf + at,
				   "a record of %" PRIu32 " bytes with %zu of text", len, rec->n);
	rec->ts_ns = field(head, &s->ts);
	rec->facility = optional(head, &s->facility);
	rec->level = optional(head, &s->level);
	rec->caller = optional(head, &s->caller);
	rec->addr = ring->buf + at + s->size;
	rec->text = (const char *)text;
	*ret_len = len;
	return inq_read(sp, rec->addr, text, rec->n, err);
}

/* Records tell where the next one lies: behind one that cannot be read nothing is known. */
static enum inq_status each_old(const struct inq_space *sp, const struct log_old *ring,
				const struct log_old_shape *s, uint8_t *text,
				const struct log_sink *sink, struct inq_err *err)
{
	uint64_t seq = ring->first_seq, seen = 0;
	enum inq_status st = INQ_OK;

	for (uint32_t at = ring->first; !st && seq != ring->next_seq;) {
		struct log_record rec = {.seq = seq};
		struct inq_err why = {0};
		uint32_t len = 0;
		enum inq_status bad = read_old(sp, ring, s, at, text, &rec, &len, &why);
		seen += len ? len : at < ring->buf_len ? ring->buf_len - at : 0;
		if (!bad && (seen > ring->buf_len || (!len && !at)))
			bad = inq_fail(&why, INQ_ECORRUPT, "the ring does not come to its end");
		if (bad)
			return sink->gap(sink->ctx, ring->buf + at, s->size, &why, err);
		at = len ? at + len : 0;
		seq += len != 0;
		if (len)
			st = sink->record(sink->ctx, &rec, err);
	}
	return st;
}

enum inq_status log_old_each(const struct inq_space *sp, const struct log_old *ring,
			     const struct log_old_shape *shape, const struct log_sink *sink,
			     struct inq_err *err)
{
	struct inq_err why;

	if (shape->size > STRUCT_MAX || ring->buf_len > 1U << SIZE_BITS_MAX) {
		(void)inq_fail(&why, INQ_ECORRUPT,
			       "a ring of %" PRIu32 " bytes with heads of %" PRIu64, ring->buf_len,
			       shape->size);
		return sink->gap(sink->ctx, ring->buf, 1, &why, err);
	}
	uint8_t *text = malloc(TEXT_MAX);
	if (!text)
		return inq_fail(err, INQ_ENOMEM, "text of the log");
	enum inq_status st = each_old(sp, ring, shape, text, sink, err);
	free(text);
	return st;
}
