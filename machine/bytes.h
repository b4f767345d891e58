/* A stretch of a space that is parsed in place. */
#ifndef MACHINE_BYTES_H
#define MACHINE_BYTES_H

#include <inquest/space.h>

struct machine_bytes {
	const uint8_t *p; /* n bytes */
	size_t n;
	uint8_t *own; /* the same, when they had to be copied; else NULL */
};

/*
 * n bytes at addr: where they lie, if they lie in one piece in the file, else copied.  The caller
 * has capped n.  Errors: INQ_EABSENT, INQ_EFAULT, INQ_ENOMEM.
 */
INQ_MUST enum inq_status machine_bytes(const struct inq_space *sp, uint64_t addr, size_t n,
				       struct machine_bytes *ret, struct inq_err *err);
void machine_bytes_deinit(struct machine_bytes *b);

/* n bytes at addr to buf, page by page where it must be; what cannot be read is zero. */
void machine_read_there(const struct inq_space *sp, uint64_t addr, uint8_t *buf, size_t n);

/* As machine_bytes, but what cannot be read is zero.  Errors: INQ_ENOMEM. */
INQ_MUST enum inq_status machine_bytes_there(const struct inq_space *sp, uint64_t addr, size_t n,
					     struct machine_bytes *ret, struct inq_err *err);

#endif
