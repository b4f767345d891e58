/* What to search memory for. */
#ifndef MACHINE_PATTERN_H
#define MACHINE_PATTERN_H

#include <stdbool.h>

#include <inquest/err.h>

enum { MACHINE_PATTERN_MAX = 256 };

struct machine_pattern {
	size_t n; /* bytes of one hit */
	/* bytes: where mask is 0xff they must be the same; of the others there is none at the ends
	 */
	uint8_t bytes[MACHINE_PATTERN_MAX], mask[MACHINE_PATTERN_MAX];
	size_t probe[2]; /* the two that are looked at first, the rarer ones */
	/* or a little-endian value of n bytes at an address that is a multiple of n */
	bool is_value;
	uint64_t first, last;
	bool starts_page; /* bytes without a mask, and hits count at a multiple of 4096 only */
};

/* For --help: how to write one. */
#define MACHINE_PATTERN_HELP                                                                       \
	"  hex:f4eb..fd       bytes; .. is any byte\n"                                             \
	"  u8: u16: u32: u64: a little-endian value, or FIRST-LAST: any between, at an\n"          \
	"                     address that is a multiple of its size\n"                            \
	"  ptr:FIRST-LAST     the same as u64: pointers into that range\n"                         \
	"  ptr:NAME           pointers to or into what the kernel calls so\n"                      \
	"  utf16:TEXT         text of two bytes a character\n"                                     \
	"  text:TEXT, or TEXT the bytes of the text itself\n"

/* Errors: INQ_EUSAGE. */
INQ_MUST enum inq_status machine_pattern(const char *text, struct machine_pattern *ret,
					 struct inq_err *err);

/*
 * The first hit at from or behind it in n bytes at p, the first of which has address addr; n when
 * there is none that lies in them whole.
 */
size_t machine_pattern_find(const struct machine_pattern *pt, const uint8_t *p, size_t n,
			    uint64_t addr, size_t from);

#endif
