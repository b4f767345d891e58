/*
 * Knows how files of other formats are written down: bytes and integers in the order of the file,
 * and for what would be tedious a statement that computes it.
 * Source: LiME's doc/README; AVML src/image.rs; Snappy's framing_format.txt;
 * Volatility layers/vmware.py.
 */
#include "words.h"

#include <snappy-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 65536 };

static void say_le(struct text *t)
{
	uint64_t width = text_number(t, text_word(t, 1));

	for (size_t i = 2; i < t->nr_words; i++)
		built_put_le(t->b, text_number(t, t->word[i]), (size_t)width);
}

static void say_bytes(struct text *t)
{
	size_t n;
	uint8_t *p = text_bytes_from(t, 1, &n);

	built_put(t->b, p, n);
	free(p);
}

static void say_at(struct text *t)
{
	built_seek(t->b, (size_t)text_number(t, text_word(t, 1)));
}

/* Text with ` for a double quote and ~ for one that is escaped, as JSON within a string has it. */
static void say_json(struct text *t)
{
	size_t n;
	uint8_t *p = text_bytes_from(t, 1, &n);

	for (size_t i = 0; i < n; i++) {
		if (p[i] == '~')
			built_put(t->b, "\\\"", 2);
		else
			built_put(t->b, p[i] == '`' ? (const uint8_t *)"\"" : &p[i], 1);
	}
	free(p);
}

/* array BYTES OFFSET=VALUE ...: a structure as an array of numbers; values have 8 bytes. */
static void say_array(struct text *t)
{
	size_t n = (size_t)text_number(t, text_word(t, 1));
	uint8_t *p = calloc(1, n + 8);

	for (size_t i = 2; p && i < t->nr_words; i++) {
		char *v = strchr(t->word[i], '=');
		uint64_t value = text_number(t, v ? v + 1 : NULL);
		*v = '\0';
		memcpy(p + text_number(t, t->word[i]) % n, &value, 8);
	}
	for (size_t i = 0; p && i < n; i++) {
		char number[8];
		int len = snprintf(number, sizeof(number), "%c%d", i ? ',' : '[', p[i]);
		built_put(t->b, number, (size_t)len);
	}
	built_put(t->b, "]", 1);
	free(p);
}

static void say_base(struct text *t)
{
	built_set_base(t->b, text_number(t, text_word(t, 1)));
}

static void say_beside(struct text *t)
{
	built_beside(t->b, text_word(t, 1));
}

/* CRC-32C, reflected, and the rotation that Snappy's frames add. */
static uint32_t masked_crc32c(const uint8_t *p, size_t n)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < n; i++) {
		crc ^= p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	crc = ~crc;
	return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

static void put_chunk(struct built *b, const uint8_t *p, size_t n)
{
	size_t packed_n = snappy_max_compressed_length(n);
	char *packed = malloc(packed_n);

	if (!packed || snappy_compress((const char *)p, n, packed, &packed_n) != SNAPPY_OK)
		abort();
	bool smaller = packed_n < n; /* else as it is, as the encoder of AVML does */
	built_put_le(b, !smaller, 1);
	built_put_le(b, 4 + (smaller ? packed_n : n), 3);
	built_put_le(b, masked_crc32c(p, n), 4);
	built_put(b, smaller ? (const uint8_t *)packed : p, smaller ? packed_n : n);
	free(packed);
}

static void say_range(struct text *t)
{
	size_t n;
	bool avml = !strcmp(t->word[0], "avml");
	uint64_t first = text_number(t, text_word(t, 1));
	uint8_t *p = text_bytes_from(t, 2, &n);

	built_put(t->b, avml ? "AVML\2\0\0\0" : "EMiL\1\0\0\0", 8);
	built_put_le(t->b, first, 8);
	built_put_le(t->b, first + n - 1, 8);
	built_put_le(t->b, 0, 8);
	if (!avml) {
		built_put(t->b, p, n);
		free(p);
		return;
	}
	size_t at = built_tell(t->b);
	built_put(t->b, "\xff\6\0\0sNaPpY", 10);
	for (size_t done = 0; done < n; done += CHUNK)
		put_chunk(t->b, p + done, n - done < CHUNK ? n - done : CHUNK);
	built_put_le(t->b, built_tell(t->b) - at, 8);
	free(p);
}

/* tag NAME/INDEX/INDEX SIZE VALUE, or ... block|packed BYTES; "tag end" ends a group. */
static void say_tag(struct text *t)
{
	char name[64];
	uint32_t index[3];
	unsigned int nr = 0;

	snprintf(name, sizeof(name), "%s", text_word(t, 1));
	if (!strcmp(name, "end")) {
		built_put_le(t->b, 0, 2);
		return;
	}
	for (char *at = strchr(name, '/'); at && nr < 3; at = strchr(at + 1, '/')) {
		*at = '\0';
		index[nr++] = (uint32_t)strtoul(at + 1, NULL, 0);
	}
	const char *how = text_word(t, 2);
	bool packed = !strcmp(how, "packed"), block = packed || !strcmp(how, "block");
	size_t n = block ? 0 : (size_t)text_number(t, how), name_n = strlen(name);
	built_put_le(t->b, (packed ? 62 : block ? 63 : n) | nr << 6, 1);
	built_put_le(t->b, name_n, 1);
	built_put(t->b, name, name_n);
	for (unsigned int i = 0; i < nr; i++)
		built_put_le(t->b, index[i], 4);
	if (!block) {
		built_put_le(t->b, text_number(t, text_word(t, 3)), n);
		return;
	}
	uint8_t *p = text_bytes_from(t, 3, &n);
	built_put_le(t->b, n, 8);
	built_put_le(t->b, n, 8);
	built_put_le(t->b, 2, 2);
	built_put_le(t->b, 0, 2);
	built_put(t->b, p, n);
	free(p);
}

/* group NAME OFFSET SIZE: an entry of VMware's table */
static void say_group(struct text *t)
{
	char name[64] = "";

	snprintf(name, sizeof(name), "%s", text_word(t, 1));
	built_put(t->b, name, sizeof(name));
	built_put_le(t->b, text_number(t, text_word(t, 2)), 8);
	built_put_le(t->b, text_number(t, text_word(t, 3)), 8);
}

static const struct {
	const char *name;
	void (*say)(struct text *t);
} statements[] = {
	{"le", say_le},
	{"bytes", say_bytes},
	{"at", say_at},
	{"beside", say_beside},
	{"lime", say_range},
	{"avml", say_range},
	{"json", say_json},
	{"array", say_array},
	{"base", say_base},
	{"tag", say_tag},
	{"group", say_group},
	{"windows", text_say_windows},
	{"triage", text_say_structure},
	{"context", text_say_structure},
	{"special", text_say_structure},
	{"kdbg", text_say_structure},
};

bool text_say_bytes(struct text *t)
{
	for (size_t i = 0; i < sizeof(statements) / sizeof(*statements); i++) {
		if (strcmp(statements[i].name, t->word[0]) != 0)
			continue;
		statements[i].say(t);
		return true;
	}
	return false;
}
