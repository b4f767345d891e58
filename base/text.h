/* Text from a dump is hostile: a task may be named with an escape sequence. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stddef.h>
#include <stdint.h>

/*
 * How many bytes at t a terminal may get as they are: one character, 1 to 4 bytes.
 * 0 when the next byte must be shown as \xNN: C0, DEL, C1, or not well-formed UTF-8.
 */
size_t text_printable(const uint8_t *t, size_t left);

/* The bytes as 2 * n digits, lower case, and a NUL. */
void text_hex(const uint8_t *p, size_t n, char *ret);

#endif
