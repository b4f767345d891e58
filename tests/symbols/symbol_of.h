/* The files that meson.build compiles from lines.c, and their symbols. */
#ifndef TESTS_SYMBOL_OF_H
#define TESTS_SYMBOL_OF_H

#include <stddef.h>
#include <stdint.h>

/* The value of a symbol, and the number of its section; fails the test when there is none. */
uint64_t symbol_of(const char *path, const char *name, size_t *ret_section);

#endif
