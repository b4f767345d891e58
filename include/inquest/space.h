/*
 * Address spaces.  An address means nothing without its space, so no call takes one alone.
 * Spaces stack: file <- host physical <- (EPT/NPT) guest physical <- guest virtual.  The view of
 * memory that a CPU has while in SMM is a space of its own over guest physical.
 */
#ifndef INQ_SPACE_H
#define INQ_SPACE_H

#include <inquest/err.h>

struct inq_space;

/* One piece of a space that can be looked at where it lies. */
struct inq_run {
	enum inq_run_kind {
		INQ_RUN_BYTES,  /* at p, borrowed for as long as the dump is open */
		INQ_RUN_ZERO,   /* known to be zero; the dump stores nothing */
		INQ_RUN_ABSENT, /* exists, was not dumped: unknown */
		INQ_RUN_PACKED, /* known, but compressed in the file: inq_read unpacks it */
	} kind;
	const uint8_t *p; /* NULL unless INQ_RUN_BYTES */
	size_t len;       /* bytes */
};

typedef enum inq_status inq_read_fn(const struct inq_space *self, uint64_t addr, void *buf,
				    size_t n, struct inq_err *err);
typedef enum inq_status inq_runs_fn(const struct inq_space *self, uint64_t addr, size_t n,
				    struct inq_run *ret, struct inq_err *err);

/* Embed as the first member of a struct that knows more; read and runs get it as self. */
struct inq_space {
	int64_t space_id; /* its row in the space table; given by machine_open */
	const char *name; /* for messages and the space table: "phys", "smm", "cpu0-virt" */
	inq_read_fn *read;
	inq_runs_fn *runs;             /* NULL when nobody can tell pieces apart */
	const struct inq_space *lower; /* where this one finds its bytes; NULL at the file */
};

/*
 * Read n bytes at addr.  All or nothing: on failure buf is unspecified.
 * Errors: INQ_EABSENT, INQ_EFAULT (err->addr = first bad byte), INQ_EUSAGE when addr + n wraps.
 */
INQ_MUST enum inq_status inq_read(const struct inq_space *sp, uint64_t addr, void *buf, size_t n,
				  struct inq_err *err);

/*
 * The piece at addr, 1 to n bytes long, without a copy; go on at addr + ret->len.
 * An absent page is a piece here.  Errors: INQ_EFAULT, INQ_EUNSUPPORTED (use inq_read),
 * INQ_EUSAGE when n is 0 or addr + n wraps.
 */
INQ_MUST enum inq_status inq_runs(const struct inq_space *sp, uint64_t addr, size_t n,
				  struct inq_run *ret, struct inq_err *err);

#endif
