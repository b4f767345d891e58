/* What collectors of Linux share: structures of which parts may be missing, cells, gaps. */
#ifndef ANALYZERS_COLLECT_LINUX_H
#define ANALYZERS_COLLECT_LINUX_H

#include <inquest/types.h>

#include "analyzers/collect/values.h"

/* One line of a shape: the struct of inq_fields, the field, the path; then .was, .optional. */
#define LINUX_MEMBER(of, field, at, ...)                                                           \
	{                                                                                          \
		.slot = offsetof(of, field), .path = (at), __VA_ARGS__                             \
	}

/* Is the machine's kernel a Linux?  Tables of it are empty otherwise; table kernel says so. */
bool linux_here(const struct inq_machine *m);
/* And can its memory be looked at?  *ret_go false: it cannot, and where it is one, a gap says so.
 */
INQ_MUST enum inq_status linux_start(const struct inq_machine *m, struct inq_sink *out,
				     bool *ret_go, struct inq_err *err);
/* Where its virtual addresses are; NULL: unknown. */
const struct inq_space *linux_space(const struct inq_machine *m);

/*
 * A gap for what st and why say, so that the table goes on without it: damage, or names and types
 * that this kernel or dump lacks.  length 0: it has no place.  out NULL: nobody is told.  What is
 * our own failure comes back.
 */
INQ_MUST enum inq_status linux_gap(const struct inq_machine *m, struct inq_sink *out, uint64_t addr,
				   uint64_t length, const struct inq_err *why, struct inq_err *err);

/* A structure of the kernel, read at once.  What of it is not there is unknown. */
enum { OBJECT_MAX = 32768, OBJECT_BLOCK = 4096 };
struct object {
	const struct inq_machine *m;
	uint64_t addr;
	size_t n;
	uint16_t lost; /* bit i: block i, counted from addr rounded down, could not be read */
	uint8_t p[OBJECT_MAX];
};
/*
 * Read n bytes at addr; each block that cannot be read is a gap of the table.  Errors: INQ_ECORRUPT
 * (n is absurd), and what is our own failure.
 */
INQ_MUST enum inq_status object_read(struct object *o, const struct inq_machine *m, uint64_t addr,
				     uint64_t n, struct inq_sink *out, struct inq_err *err);
/* A field's value; false: this kernel has no such member, or it could not be read. */
bool object_get(const struct object *o, const struct inq_field *f, uint64_t *ret);
struct inq_value object_int(const struct object *o, const struct inq_field *f);
struct inq_value object_addr(const struct object *o, const struct inq_field *f); /* NULL if 0 */
/* A char array up to its NUL; n is 1 at least.  False: unknown. */
bool object_text(const struct object *o, const struct inq_field *f, char *buf, size_t n);

/*
 * Every object of a list, most at the most; at: from an object to its list_head.  Damage is a gap
 * and ends the list, not the table.  Errors: fn's, and what is our own failure.
 */
typedef enum inq_status linux_object_fn(void *ctx, uint64_t addr, struct inq_err *err);
INQ_MUST enum inq_status linux_list_each(const struct inq_machine *m, struct inq_sink *out,
					 uint64_t head, uint64_t at, uint64_t most,
					 linux_object_fn *fn, void *ctx, struct inq_err *err);

/* Text at an address, up to a NUL, most bytes at most; what cannot be read ends it. */
INQ_MUST enum inq_status linux_string(const struct inq_machine *m, uint64_t addr, char *buf,
				      size_t n, struct inq_err *err);

/* A variable of 1 to 8 bytes: width of them where nothing tells its type. */
INQ_MUST enum inq_status linux_var(const struct inq_machine *m, const char *name, uint32_t width,
				   uint64_t *ret, struct inq_err *err);

/* Letters of a mask of taints: "OE".  Documentation/admin-guide/tainted-kernels.rst. */
void linux_taints(uint64_t mask, char buf[65]);

#endif
