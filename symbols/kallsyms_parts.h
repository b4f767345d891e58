/* What finding the tables of kallsyms and decoding them share.  For symbols/kallsyms*.c only. */
#ifndef SYMBOLS_KALLSYMS_PARTS_H
#define SYMBOLS_KALLSYMS_PARTS_H

#include <stdbool.h>

#include "symbols/kallsyms.h"

enum {
	KALLSYMS_TOKENS = 256,
	KALLSYMS_COPY = 16, /* bytes of a token can be copied at once, whatever its length */
	KALLSYMS_TOKEN_TEXT = 65536 + KALLSYMS_MAX_NAME, /* offsets have 16 bits */
	KALLSYMS_MAX_TEXT = 256 << 20,                   /* of all names, unpacked */
	KALLSYMS_NAMELESS_BYTES = 2,                     /* no letter, no name: a lost one's text */
};

struct kallsyms_tokens {
	uint16_t at[KALLSYMS_TOKENS], len[KALLSYMS_TOKENS]; /* len without the NUL */
	size_t bytes; /* of text: all tokens with their NULs */
	char text[KALLSYMS_TOKEN_TEXT + KALLSYMS_COPY];
};

/* Errors: INQ_ECORRUPT (they contradict each other), INQ_EABSENT, INQ_EFAULT. */
INQ_MUST enum inq_status kallsyms_tokens_read(const struct inq_space *sp, uint64_t table,
					      uint64_t index, struct kallsyms_tokens *ret,
					      struct inq_err *err);

/* Bytes of the packed name at p behind the *ret_head that tell so; 0: there is none in n bytes. */
static inline size_t kallsyms_packed(const uint8_t *p, size_t n, size_t *ret_head)
{
	size_t len = n ? p[0] : 0;

	*ret_head = 1;
	if (len & 0x80) { /* before 6.1 a plain length: no name had 128 tokens */
		if (n < 2)
			return 0;
		len = (len & 0x7f) | (size_t)p[1] << 7;
		*ret_head = 2;
	}
	return len && len < KALLSYMS_MAX_NAME && len <= n - *ret_head ? len : 0;
}

/* Bytes of the name of len tokens at p, with its letter and a NUL; 0: more than a name can have. */
static inline size_t kallsyms_text_bytes(const struct kallsyms_tokens *t, const uint8_t *p,
					 size_t len)
{
	size_t bytes = 1;

	for (size_t i = 0; i < len; i++)
		bytes += t->len[p[i]];
	return bytes > KALLSYMS_MAX_NAME + 1 ? 0 : bytes;
}

/* The same unpacked; behind its NUL.  to has KALLSYMS_COPY bytes more than that. */
char *kallsyms_expand(const struct kallsyms_tokens *t, const uint8_t *p, size_t len, char *to);

/* While decoding. */
struct kallsyms_work {
	const struct inq_space *sp;
	struct kallsyms *k;
	uint8_t *names;     /* from the first to the tokens */
	size_t room;        /* bytes of it, */
	size_t names_bytes; /* that were read: to the first hole */
	struct kallsyms_tokens tokens;
};

/*
 * Into w->k the names that are left where not all are there; the others are lost.
 * Errors: INQ_ECORRUPT (none is left), INQ_ELIMIT, INQ_ENOMEM.
 */
INQ_MUST enum inq_status kallsyms_unpack_part(struct kallsyms_work *w, struct inq_err *err);

/*
 * The addresses of nr symbols as place says, and how many of them are lower than the one before.
 * Errors: INQ_EABSENT, INQ_EFAULT, INQ_ENOMEM.
 */
INQ_MUST enum inq_status kallsyms_addresses(const struct inq_space *sp,
					    const struct inq_kallsyms_place *place, size_t nr,
					    struct kallsyms_symbol *ret, size_t *ret_descents,
					    struct inq_err *err);

/* The first bytes of n at addr, as many as can be read. */
size_t kallsyms_read_some(const struct inq_space *sp, uint64_t addr, uint8_t *buf, size_t n);

#endif
