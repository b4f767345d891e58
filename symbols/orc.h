/*
 * ORC, the Linux kernel's own tables for unwinding, where they lie in its memory: two arrays beside
 * each other, of addresses and of what holds from there on.  Nothing is copied but what a look-up
 * touches.
 */
#ifndef SYMBOLS_ORC_H
#define SYMBOLS_ORC_H

#include <inquest/err.h>
#include <inquest/unwind.h>

/* Read n bytes of the kernel's memory, all or nothing. */
typedef enum inq_status symbols_orc_read_fn(void *ctx, uint64_t addr, void *buf, size_t n,
					    struct inq_err *err);

/* How the bits of an entry are numbered. */
enum symbols_orc_format {
	SYMBOLS_ORC_TYPE0, /* before Linux 6.4: CALL is type 0, the end of a stack a bit */
	SYMBOLS_ORC_TYPE2, /* CALL is type 2, the end of a stack type 1 */
};

struct symbols_orc {
	symbols_orc_read_fn *read;
	void *ctx;
	uint64_t ips, entries; /* addresses of the arrays: 4 and 6 bytes each */
	uint64_t nr;
	uint64_t first, last; /* code that the table speaks of */
	enum symbols_orc_format format;
};

enum { SYMBOLS_ORC_MOST = 1 << 24 }; /* entries; a kernel has 370,000 */

/*
 * A table of nr entries.  like: whose format it has, for a module's table, which is too small to
 * tell; or NULL.  Errors: INQ_ECORRUPT (not in order, or nothing that is an entry), INQ_ELIMIT, and
 * what read says.
 */
INQ_MUST enum inq_status symbols_orc_open(symbols_orc_read_fn *read, void *ctx, uint64_t ips,
					  uint64_t entries, uint64_t nr,
					  const struct symbols_orc *like, struct symbols_orc *ret,
					  struct inq_err *err);

/*
 * What holds at pc.  Errors: INQ_ENOTFOUND (the table does not speak of it), INQ_ECORRUPT (its
 * neighbours are not in order, or no such entry exists), and what read says.
 */
INQ_MUST enum inq_status symbols_orc_find(const struct symbols_orc *o, uint64_t pc,
					  struct inq_unwind_rule *ret, struct inq_err *err);

/* One entry's six bytes; false: there is no such entry. */
bool symbols_orc_decode(enum symbols_orc_format format, const uint8_t p[6],
			struct inq_unwind_rule *ret);

#endif
