/*
 * Fuzz target: any bytes as the ring of printk's records.  Input: u8, bit 0: the ring of before
 * 5.10, bit 1: where members lie is told, each as offset (u16), size, shift and bits (u8) in the
 * order of struct log_prb_shape or log_old_shape, then the sizes (u16); of the old ring its length
 * and first (u32), and both numbers (u64).  The rest is memory, from 0 on and again and again.
 */
#include <string.h>

#include "analyzers/collect/linux_log.h"
#include "tests/fuzz/blobs.h"
#include "tests/fuzz/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { IS_OLD = 1, IS_TOLD = 2, MAX_TOLD = 256, MAX_TEXT = 65535 };

struct told {
	unsigned int calls;
	uint8_t text[MAX_TEXT + 1];
};

/* As they lie in Linux 6.1 and 5.4. */
static const struct log_prb_shape prb_real = {
	.count_bits = {.off = 0, .size = 4},
	.descs = {.off = 8, .size = 8},
	.infos = {.off = 16, .size = 8},
	.head_id = {.off = 24, .size = 8},
	.tail_id = {.off = 32, .size = 8},
	.size_bits = {.off = 40, .size = 4},
	.data = {.off = 48, .size = 8},
	.state = {.off = 0, .size = 8},
	.begin = {.off = 8, .size = 8},
	.next = {.off = 16, .size = 8},
	.seq = {.off = 0, .size = 8},
	.ts = {.off = 8, .size = 8},
	.text_len = {.off = 16, .size = 2},
	.caller = {.off = 20, .size = 4},
	.facility = {.off = 18, .size = 1},
	.level = {.off = 19, .size = 1, .shift = 5, .bits = 3},
	.ring_size = 80,
	.desc_size = 24,
	.info_size = 88,
};
static const struct log_old_shape old_real = {
	.ts = {.off = 0, .size = 8},
	.len = {.off = 8, .size = 2},
	.text_len = {.off = 10, .size = 2},
	.facility = {.off = 14, .size = 1},
	.level = {.off = 15, .size = 1, .shift = 5, .bits = 3},
	.size = 16,
};

/* No kernel has so many that they matter here, but a ring may say so. */
static enum inq_status counted(struct told *t, struct inq_err *err)
{
	return ++t->calls < MAX_TOLD ? INQ_OK : inq_fail(err, INQ_ELIMIT, "enough");
}

static enum inq_status on_record(void *ctx, const struct log_record *r, struct inq_err *err)
{
	static char line[LINUX_LOG_LINE];
	struct told *t = ctx;

	MUST(r->n <= MAX_TEXT && r->text);
	memcpy(t->text, r->text, r->n); /* a sanitizer sees each byte */
	(void)log_kind(r->text, r->n);
	linux_log_text(r->text, r->n, line, sizeof(line));
	MUST(strlen(line) == r->n);
	return counted(t, err);
}

static enum inq_status on_gap(void *ctx, uint64_t addr, uint64_t length, const struct inq_err *why,
			      struct inq_err *err)
{
	(void)addr;
	(void)length;
	MUST(why->status != INQ_OK && *why->msg && memchr(why->msg, 0, sizeof(why->msg)));
	return counted(ctx, err);
}

static struct inq_field take_field(struct span *s)
{
	struct inq_field f = {.off = span_u16le(s)};

	f.size = span_u8(s);
	f.shift = span_u8(s) % 8; /* as inq_field_for makes it of any member */
	f.bits = span_u8(s) % 65;
	return f;
}

static struct log_prb_shape take_prb(struct span *s)
{
	struct log_prb_shape p = {0};
	struct inq_field *const fields[] = {
		&p.count_bits, &p.descs,  &p.infos,    &p.head_id, &p.tail_id, &p.size_bits,
		&p.data,       &p.state,  &p.begin,    &p.next,    &p.seq,     &p.ts,
		&p.text_len,   &p.caller, &p.facility, &p.level,
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		*fields[i] = take_field(s);
	p.ring_size = span_u16le(s);
	p.desc_size = span_u16le(s);
	p.info_size = span_u16le(s);
	return p;
}

static struct log_old_shape take_old(struct span *s)
{
	struct log_old_shape o = {0};
	struct inq_field *const fields[] = {&o.ts,       &o.len,   &o.text_len,
					    &o.facility, &o.level, &o.caller};

	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		*fields[i] = take_field(s);
	o.size = span_u16le(s);
	return o;
}

static enum inq_status each(uint8_t what, struct span *s, const struct log_sink *sink,
			    struct inq_err *err)
{
	if (what & IS_OLD) {
		const struct log_old_shape shape = what & IS_TOLD ? take_old(s) : old_real;
		struct log_old ring = {.buf_len = span_u32le(s)};
		ring.first = span_u32le(s);
		ring.first_seq = span_u64le(s);
		ring.next_seq = span_u64le(s);
		const struct fuzz_memory m = fuzz_memory("kernel", *s);
		return log_old_each(&m.base, &ring, &shape, sink, err);
	}
	const struct log_prb_shape shape = what & IS_TOLD ? take_prb(s) : prb_real;
	const struct fuzz_memory m = fuzz_memory("kernel", *s);
	return log_prb_each(&m.base, 0, &shape, sink, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct told told;
	const struct log_sink sink = {on_record, on_gap, &told};
	struct span s = span_of(data, n);
	struct inq_err err = {0};

	told.calls = 0;
	uint8_t what = span_u8(&s);
	enum inq_status st = each(what, &s, &sink, &err);
	MUST(told.calls < MAX_TOLD ? !st : st == INQ_ELIMIT);
	return 0;
}
