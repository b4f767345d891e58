/* Knows numbers, bytes and key=value in the words of a line. */
#include "words.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void text_mistake(const struct text *t, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s:%u: ", t->file, t->line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(2);
}

uint64_t text_number(const struct text *t, const char *s)
{
	char *end;

	errno = 0;
	uint64_t v = strtoull(s ? s : "", &end, 0);
	if (!s || end == s || *end || errno)
		text_mistake(t, "'%s' is no number", s ? s : "");
	return v;
}

const char *text_word(const struct text *t, size_t i)
{
	if (i >= t->nr_words)
		text_mistake(t, "'%s' wants more words", t->word[0]);
	return t->word[i];
}

const char *text_value(const struct text *t, const char *key)
{
	size_t n = strlen(key);

	for (size_t i = 1; i < t->nr_words; i++)
		if (!strncmp(t->word[i], key, n) && t->word[i][n] == '=')
			return t->word[i] + n + 1;
	return NULL;
}

uint64_t text_value_or(const struct text *t, const char *key, uint64_t otherwise)
{
	const char *s = text_value(t, key);

	return s ? text_number(t, s) : otherwise;
}

uint32_t text_vcpu(const struct text *t)
{
	return (uint32_t)text_value_or(t, "vcpu", INQ_SNAP_VM);
}

char *text_cut(const struct text *t, char *w)
{
	char *eq = strchr(w, '=');

	if (!eq)
		text_mistake(t, "'%s' is not key=value", w);
	*eq = '\0';
	return eq + 1;
}

uint8_t *text_bytes_from(const struct text *t, size_t first, size_t *ret_n)
{
	uint8_t *all = NULL;
	size_t n = 0;

	for (size_t w = first; w < t->nr_words; w++) {
		const char *s = t->word[w], *end = s;
		uint8_t unit[256];
		size_t len = 0;
		if (*s == '\'') {
			for (s++; *s && *s != '\'' && len < sizeof(unit); s++)
				unit[len++] = (uint8_t)*s;
			end = s + (*s == '\'');
		} else {
			for (; isxdigit((unsigned char)end[0]) && isxdigit((unsigned char)end[1]) &&
			       len < sizeof(unit);
			     end += 2) {
				char two[3] = {end[0], end[1], '\0'};
				unit[len++] = (uint8_t)strtoul(two, NULL, 16);
			}
		}
		if (!len || (*end && *end != '*'))
			text_mistake(t, "'%s' is neither hex bytes nor 'text'", t->word[w]);
		size_t times = *end ? (size_t)text_number(t, end + 1) : 1;
		all = realloc(all, n + len * times + 1);
		if (!all)
			text_mistake(t, "out of memory");
		for (; times; times--, n += len)
			memcpy(all + n, unit, len);
	}
	*ret_n = n;
	return all;
}
