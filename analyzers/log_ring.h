/*
 * Linux's ring buffers of log records, out of any space: the one of 5.10 and later (descriptors,
 * infos and text apart) and the one before it.  Where members lie is told; nothing else is
 * known of the kernel.  Every record stands for itself: one that is torn or gone is a gap.
 */
#ifndef ANALYZERS_LOG_RING_H
#define ANALYZERS_LOG_RING_H

#include <inquest/types.h>

/* Members, and sizes in bytes.  What has an optional member's name may be missing. */
struct log_prb_shape {
	struct inq_field count_bits, descs, infos, head_id,
		tail_id;                     /* printk_ringbuffer.desc_ring */
	struct inq_field size_bits, data;    /* its text_data_ring */
	struct inq_field state, begin, next; /* prb_desc */
	struct inq_field seq, ts, text_len, caller, facility, level; /* printk_info */
	uint64_t ring_size, desc_size, info_size;
};

struct log_old_shape {
	struct inq_field ts, len, text_len, facility, level, caller; /* printk_log */
	uint64_t size;
};
struct log_old {
	uint64_t buf;                 /* address of the buffer */
	uint32_t buf_len;             /* bytes */
	uint32_t first;               /* offset in it of the oldest record */
	uint64_t first_seq, next_seq; /* numbers of that one, and of the one to come */
};

struct log_record {
	uint64_t seq, ts_ns;
	int64_t facility, level, caller; /* -1: unknown; caller: pid, or bit 31 and a CPU */
	uint64_t addr;                   /* of its text; of its info when it has none */
	const char *text;                /* borrowed until the call returns; no NUL at its end */
	size_t n;                        /* bytes of it */
	bool open;                       /* a line to which more may be added */
};

/* Both yield INQ_OK to go on. */
struct log_sink {
	enum inq_status (*record)(void *ctx, const struct log_record *r, struct inq_err *err);
	/* What could not be seen: length bytes at addr. */
	enum inq_status (*gap)(void *ctx, uint64_t addr, uint64_t length, const struct inq_err *why,
			       struct inq_err *err);
	void *ctx;
};

/*
 * All records of the printk_ringbuffer at addr, oldest first.  A head that cannot be read is one
 * gap.  Errors: INQ_ENOMEM, and what the sink says.
 */
INQ_MUST enum inq_status log_prb_each(const struct inq_space *sp, uint64_t addr,
				      const struct log_prb_shape *shape,
				      const struct log_sink *sink, struct inq_err *err);
/* The same for the ring of kernels before 5.10. */
INQ_MUST enum inq_status log_old_each(const struct inq_space *sp, const struct log_old *ring,
				      const struct log_old_shape *shape,
				      const struct log_sink *sink, struct inq_err *err);

/* What a line reports: "panic", "oops", "bug", "lockup", ... ; NULL: nothing of that kind. */
const char *log_kind(const char *text, size_t n);

#endif
