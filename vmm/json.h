/*
 * One flat JSON object: strings, whole numbers, true, false.  Nothing else is needed here, so
 * nothing else is taken: no nesting, no fractions, no key twice (RFC 8259 allows to restrict).
 */
#ifndef VMM_JSON_H
#define VMM_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <inquest/err.h>

enum { VMM_JSON_MEMBERS = 8, VMM_JSON_BYTES = 4096 };

struct vmm_json_member {
	const char *key;
	const char *text; /* a string's value; NULL: none */
	uint64_t number;  /* a number's, or 1 and 0 for true and false */
	bool is_number, is_bool;
};

struct vmm_json {
	struct vmm_json_member member[VMM_JSON_MEMBERS];
	unsigned nr;
	char room[VMM_JSON_BYTES + VMM_JSON_MEMBERS * 2]; /* what key and text point to */
};

/* n: VMM_JSON_BYTES at most.  Errors: INQ_EUSAGE, saying what is wrong and at which byte. */
INQ_MUST enum inq_status vmm_json_read(const char *line, size_t n, struct vmm_json *ret,
				       struct inq_err *err);

/* NULL: no such member. */
const struct vmm_json_member *vmm_json_get(const struct vmm_json *j, const char *key);

/* A string with its quotes. */
void vmm_json_print(FILE *to, const char *text);

#endif
