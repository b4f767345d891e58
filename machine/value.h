/* A value of the kernel's memory as its type says. */
#ifndef MACHINE_VALUE_H
#define MACHINE_VALUE_H

#include <inquest/types.h>

enum { MACHINE_VALUE_TEXT = 320 };

struct machine_value {
	bool opens;    /* it has parts: a struct, a union, an array of such; then text is "" */
	bool is_known; /* raw */
	uint64_t raw;  /* the integer, enumerator or pointer, sign-extended */
	char text[MACHINE_VALUE_TEXT]; /* may hold any bytes of the dump but NUL */
};

/*
 * The value of a member, or with bits 0 of anything of mb->type, whose first byte is at addr in the
 * kernel's memory; bit_offset counts modulo 8.  What cannot be read says why in text: never an
 * error.
 */
void machine_value(const struct inq_machine *m, const struct inq_member *mb, uint64_t addr,
		   struct machine_value *ret);

#endif
