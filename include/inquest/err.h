/* One error type for the whole program.  A value on the caller's stack, never heap memory. */
#ifndef INQ_ERR_H
#define INQ_ERR_H

#include <stddef.h>
#include <stdint.h>

enum inq_status {
	INQ_OK = 0,
	INQ_ENOMEM,       /* allocation failed */
	INQ_EIO,          /* the operating system refused a read or a write */
	INQ_ECORRUPT,     /* the dump contradicts its own format */
	INQ_EUNSUPPORTED, /* a valid dump, a feature we lack */
	INQ_EABSENT,      /* the page exists but was not dumped; .addr is set */
	INQ_EFAULT,       /* no such page in that space; .addr is set */
	INQ_ENOTFOUND,    /* no such symbol, type, member, table */
	INQ_ELIMIT,       /* a hostile or absurd size was refused */
	INQ_EUSAGE,       /* the caller broke the contract */
	INQ_EINTR,        /* the user asked to stop */
};

/* Filled only on failure.  msg reads outermost first: "doing X: doing Y: cause". */
struct inq_err {
	enum inq_status status;
	uint64_t addr; /* address in the space named by msg, else 0 */
	char msg[256]; /* NUL-terminated, truncated with "..." */
};

#define INQ_MUST __attribute__((warn_unused_result))
#define INQ_PRINTF(f, a) __attribute__((format(printf, f, a)))

/* Damage in the target, which becomes a gap; any other failure is ours. */
static inline int inq_is_damage(enum inq_status st)
{
	return st == INQ_EABSENT || st == INQ_EFAULT || st == INQ_ECORRUPT;
}

/* Short lower-case name for the gap table: "absent", "fault", ...  Static. */
const char *inq_status_name(enum inq_status st);

/* Start a chain.  Returns st, so callers write `return inq_fail(...)`.  err may be NULL. */
enum inq_status inq_fail(struct inq_err *err, enum inq_status st, const char *fmt, ...)
	INQ_PRINTF(3, 4);

/* The same, and keeps addr: for INQ_EABSENT and INQ_EFAULT. */
enum inq_status inq_fail_at(struct inq_err *err, enum inq_status st, uint64_t addr, const char *fmt,
			    ...) INQ_PRINTF(4, 5);

/* The analyzer sees one file at a time: tell it that a failure's status is the one given. */
#ifdef __clang_analyzer__
#define inq_fail(err, st, ...) ((void)(inq_fail)(err, st, __VA_ARGS__), (st))
#endif

/* Add context in front of the chain.  Does nothing but return st when st is INQ_OK. */
enum inq_status inq_wrap(struct inq_err *err, enum inq_status st, const char *fmt, ...)
	INQ_PRINTF(3, 4);

#endif
