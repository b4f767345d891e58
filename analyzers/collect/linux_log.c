/*
 * Knows the names of what the log consists of.  Sources: kernel/printk/printk_ringbuffer.h,
 * kernel/printk/printk.c; of kernels before 5.10 the latter alone.
 */
#include "analyzers/collect/linux_log.h"

#include <string.h>

#include "analyzers/collect/linux.h"

#define PRB(f, p, ...) LINUX_MEMBER(struct log_prb_shape, f, p, __VA_ARGS__)
static const struct inq_shape_member ring_members[] = {
	PRB(count_bits, "desc_ring.count_bits"),
	PRB(descs, "desc_ring.descs"),
	PRB(infos, "desc_ring.infos"),
	PRB(head_id, "desc_ring.head_id.counter"),
	PRB(tail_id, "desc_ring.tail_id.counter"),
	PRB(size_bits, "text_data_ring.size_bits"),
	PRB(data, "text_data_ring.data"),
	{0},
};
static const struct inq_shape_member desc_members[] = {
	PRB(state, "state_var.counter"),
	PRB(begin, "text_blk_lpos.begin"),
	PRB(next, "text_blk_lpos.next"),
	{0},
};
static const struct inq_shape_member info_members[] = {
	PRB(seq, "seq"),
	PRB(ts, "ts_nsec"),
	PRB(text_len, "text_len"),
	PRB(caller, "caller_id", .optional = true),
	PRB(facility, "facility", .optional = true),
	PRB(level, "level", .optional = true),
	{0},
};

#define OLD(f, p, ...) LINUX_MEMBER(struct log_old_shape, f, p, __VA_ARGS__)
static const struct inq_shape_member old_members[] = {
	OLD(ts, "ts_nsec"),
	OLD(len, "len"),
	OLD(text_len, "text_len"),
	OLD(facility, "facility", .optional = true),
	OLD(level, "level", .optional = true),
	OLD(caller, "caller_id", .optional = true),
	{0},
};

static enum inq_status prb_shape(const struct inq_machine *m, struct log_prb_shape *ret,
				 struct inq_err *err)
{
	enum inq_status st =
		inq_shape(m, "struct printk_ringbuffer", ring_members, ret, &ret->ring_size, err);

	st = st ? st : inq_shape(m, "struct prb_desc", desc_members, ret, &ret->desc_size, err);
	return st ? st
		  : inq_shape(m, "struct printk_info", info_members, ret, &ret->info_size, err);
}

static enum inq_status each_old(const struct inq_machine *m, const struct log_sink *sink,
				struct inq_err *err)
{
	struct log_old_shape shape = {0};
	struct log_old ring = {0};
	uint64_t len = 0, first = 0;
	enum inq_status st =
		inq_shape(m, "struct printk_log", old_members, &shape, &shape.size, err);

	st = st ? st : linux_var(m, "log_buf", 8, &ring.buf, err);
	st = st ? st : linux_var(m, "log_buf_len", 4, &len, err);
	st = st ? st : linux_var(m, "log_first_idx", 4, &first, err);
	st = st ? st : linux_var(m, "log_first_seq", 8, &ring.first_seq, err);
	st = st ? st : linux_var(m, "log_next_seq", 8, &ring.next_seq, err);
	if (st)
		return st;
	ring.buf_len = (uint32_t)len;
	ring.first = (uint32_t)first;
	return log_old_each(linux_space(m), &ring, &shape, sink, err);
}

enum inq_status linux_log_each(const struct inq_machine *m, const struct log_sink *sink,
			       struct inq_err *err)
{
	struct log_prb_shape shape = {0};
	struct inq_type t;
	uint64_t at = 0, prb = 0;

	enum inq_status st = inq_var(m, "prb", &at, &t, err);
	if (st == INQ_ENOTFOUND)
		return each_old(m, sink, err);
	st = st ? st : inq_read_u64(m, at, &prb, err);
	st = st ? st : prb_shape(m, &shape, err);
	return st ? inq_wrap(err, st, "the log")
		  : log_prb_each(linux_space(m), prb, &shape, sink, err);
}

void linux_log_text(const char *text, size_t n, char *buf, size_t room)
{
	size_t len = n < room ? n : room - 1;

	for (size_t i = 0; i < len; i++)
		buf[i] = text[i] ? text[i] : ' ';
	buf[len] = '\0';
}
