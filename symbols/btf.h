/*
 * BTF: the types of a Linux kernel or of one of its modules, as the kernel carries them itself.
 * Source: Linux Documentation/bpf/btf.rst, include/uapi/linux/btf.h.
 */
#ifndef SYMBOLS_BTF_H
#define SYMBOLS_BTF_H

#include <stdbool.h>

#include <inquest/err.h>

#include "base/scope.h"

/* include/uapi/linux/btf.h */
enum btf_kind {
	BTF_VOID = 0,
	BTF_INT,
	BTF_PTR,
	BTF_ARRAY,
	BTF_STRUCT,
	BTF_UNION,
	BTF_ENUM,
	BTF_FWD,
	BTF_TYPEDEF,
	BTF_VOLATILE,
	BTF_CONST,
	BTF_RESTRICT,
	BTF_FUNC,
	BTF_FUNC_PROTO,
	BTF_VAR,
	BTF_DATASEC,
	BTF_FLOAT,
	BTF_DECL_TAG,
	BTF_TYPE_TAG,
	BTF_ENUM64,
	BTF_NR_KINDS
};
#define BTF_BIT(kind) (1u << (kind))

enum {
	BTF_HEADER = 24,          /* bytes: all that version 1 has */
	BTF_MAX_BYTES = 64 << 20, /* of one; Linux (BTF_MAX_SIZE) loads 16 MiB at most */
	BTF_MAX_TYPES = 1 << 22,  /* base and module together */
};

struct btf;

/* One type. */
struct btf_type {
	const struct btf *of; /* whose: asked for one of the base, it is the base */
	uint32_t id;
	enum btf_kind kind;
	const char *name; /* "": none.  Lives as long as the bytes */
	bool flag;        /* kind_flag: bit-fields in members, a union's FWD, a signed enum */
	uint32_t size;    /* bytes: INT, ENUM, ENUM64, STRUCT, UNION, FLOAT, DATASEC; else 0 */
	uint32_t type;    /* id of what PTR, TYPEDEF, FUNC, VAR ... are about, FUNC_PROTO returns */
	uint32_t nr;      /* members, enumerators, parameters, variables */
	uint32_t more;    /* what follows: offset in the types */
};

/* Member, parameter, variable of a section; those of a kind fill what it has. */
struct btf_part {
	const char *name;
	uint32_t type;
	uint32_t bit_offset; /* member */
	uint32_t bits;       /* of a bit-field, or 0 */
	uint32_t off, size;  /* bytes: variable of a section */
};

/* An array, an integer. */
struct btf_array {
	uint32_t type, nr;
};
struct btf_int {
	bool is_signed, is_char, is_bool;
	uint32_t off, bits;
};

/*
 * Where the bytes of a BTF end that begins at p, by its header; 0: none begins there.  Of n bytes
 * BTF_HEADER at least are looked at, the others need not be there.
 */
size_t btf_looks_like(const void *p, size_t n);

/*
 * Understand n bytes at p, which must outlive it, as must base: NULL, or what a module's refers to.
 * module, copied, is NULL for the kernel.  Every type's place is checked now, what it says when it
 * is asked for.  Errors: INQ_ECORRUPT, INQ_EUNSUPPORTED (another version, a kind that we do not
 * know: names it), INQ_ELIMIT, INQ_ENOMEM.
 */
INQ_MUST enum inq_status btf_open(const void *p, size_t n, const struct btf *base,
				  const char *module, struct btf **ret, struct inq_err *err);
void btf_close(struct btf *b); /* accepts NULL */
INQ_DEFINE_SCOPE(struct btf, btf_close)

const char *btf_module(const struct btf *b); /* NULL: the kernel's */
uint32_t btf_first(const struct btf *b);     /* its first type; those below are the base's */
uint32_t btf_end(const struct btf *b);       /* one behind its last type */

/* False: there is no such type, or it cannot be read.  Id 0 is void. */
bool btf_type(const struct btf *b, uint32_t id, struct btf_type *ret);
/* Part i < t->nr of STRUCT, UNION, FUNC_PROTO, DATASEC. */
bool btf_part(const struct btf_type *t, uint32_t i, struct btf_part *ret);
/* Enumerator i < t->nr of ENUM, ENUM64; the value is extended to 64 bits by its sign. */
bool btf_enumerator(const struct btf_type *t, uint32_t i, const char **ret_name, uint64_t *ret);
bool btf_array(const struct btf_type *t, struct btf_array *ret);
bool btf_int(const struct btf_type *t, struct btf_int *ret);

/* Behind typedefs, const, volatile, restrict and tags; false: it leads nowhere. */
bool btf_bare(const struct btf *b, uint32_t id, struct btf_type *ret);

/*
 * The first type of that name whose kind has its bit (BTF_BIT) in kinds, from id `from` on, of this
 * one alone: not of its base.  Functions are asked for alone (BTF_BIT(BTF_FUNC)).  Makes the index
 * of names when it is first asked. Errors: INQ_ENOTFOUND, INQ_ENOMEM.
 */
INQ_MUST enum inq_status btf_find(const struct btf *b, const char *name, unsigned kinds,
				  uint32_t from, uint32_t *ret_id, struct inq_err *err);

#endif
