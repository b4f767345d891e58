/* One line of a written dump, cut into words; within tests/built only. */
#ifndef BUILT_WORDS_H
#define BUILT_WORDS_H

#include <inquest/err.h>
#include <stdio.h>

#include "text.h"

enum { MAX_WORDS = 128, MAX_LATE = 64 };

struct text {
	const char *file;
	unsigned int line;
	struct built *b;
	struct built_ask *asks;
	size_t max_asks, nr_asks;
	char *late[MAX_LATE]; /* poke and truncate: for the finished file */
	unsigned int late_line[MAX_LATE];
	size_t nr_late;
	FILE *described; /* devices of a stream of QEMU's, as JSON */
	char *description;
	size_t description_n, nr_described;
	char *word[MAX_WORDS + 1];
	size_t nr_words;
};

/* Says where, and ends the program: these are the tests' own files. */
__attribute__((noreturn)) void text_mistake(const struct text *t, const char *fmt, ...)
	INQ_PRINTF(2, 3);

uint64_t text_number(const struct text *t, const char *s);
const char *text_word(const struct text *t, size_t i);
/* The value of key=value among the words, or NULL. */
const char *text_value(const struct text *t, const char *key);
uint64_t text_value_or(const struct text *t, const char *key, uint64_t otherwise);
uint32_t text_vcpu(const struct text *t); /* or INQ_SNAP_VM */
/* Cut a word at '='; returns what is behind it. */
char *text_cut(const struct text *t, char *w);
/* Bytes from words: hex or 'text', each with an optional *times.  The caller frees. */
uint8_t *text_bytes_from(const struct text *t, size_t first, size_t *ret_n);

/* A field of a structure; the table ends at a NULL name. */
struct text_field {
	const char *name;
	size_t off, n;
};
/* Fill the words, each field=value (vcpu= is passed over), into a structure. */
void text_fill(const struct text *t, const struct text_field *f, uint8_t *at);

/* Statements of bytes.c: was it one of them? */
bool text_say_bytes(struct text *t);
/* Statements of windows.c. */
void text_say_windows(struct text *t);
void text_say_structure(struct text *t);
bool text_say_stream(struct text *t); /* of stream.c */
/* Statements of history.c. */
void text_say_steps(struct text *t);
void text_say_payload(struct text *t);

#endif
