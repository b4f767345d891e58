/*
 * Knows how QEMU's migration streams are written down: the frame, RAM, and devices together with
 * the description of them that ends a stream.  Source: QEMU's docs/devel/migration/main.rst,
 * migration/savevm.c, ram.c, vmstate.c.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "words.h"

enum { ID = 7, PAGE = 4096 }; /* number of every section here; bytes */

static void put_be(struct text *t, uint64_t v, size_t width)
{
	for (size_t i = width; i-- > 0;)
		built_put_le(t->b, v >> 8 * i & 0xff, 1);
}

static void put_string(struct text *t, const char *s)
{
	put_be(t, strlen(s), 1);
	built_put(t->b, s, strlen(s));
}

static void put_footer(struct text *t)
{
	put_be(t, 0x7e, 1);
	put_be(t, ID, 4);
}

static void say_be(struct text *t)
{
	for (size_t i = 2; i < t->nr_words; i++)
		put_be(t, text_number(t, t->word[i]), (size_t)text_number(t, t->word[1]));
}

/* qemu MACHINE [CAPABILITY...]: header and configuration */
static void say_qemu(struct text *t)
{
	const char *machine = text_word(t, 1);

	built_put(t->b, "QEVM", 4);
	put_be(t, 3, 4);
	put_be(t, 7, 1);
	put_be(t, strlen(machine), 4);
	built_put(t->b, machine, strlen(machine));
	if (t->nr_words == 2)
		return;
	put_be(t, 5, 1);
	put_string(t, "configuration/capabilities");
	put_be(t, 1, 4);
	put_be(t, t->nr_words - 2, 4);
	for (size_t i = 2; i < t->nr_words; i++)
		put_string(t, t->word[i]);
}

/* ram NAME=BYTES...: the list of blocks */
static void say_ram(struct text *t)
{
	uint64_t bytes[MAX_WORDS], total = 0;

	for (size_t i = 1; i < t->nr_words; i++)
		total += bytes[i] = text_number(t, text_cut(t, t->word[i]));
	put_be(t, 1, 1);
	put_be(t, ID, 4);
	put_string(t, "ram");
	put_be(t, 0, 4);
	put_be(t, 4, 4);
	put_be(t, total | 4, 8);
	for (size_t i = 1; i < t->nr_words; i++) {
		put_string(t, t->word[i]);
		put_be(t, bytes[i], 8);
	}
	put_be(t, 0x10, 8);
	put_footer(t);
}

/* pages part | pages end: what follows, up to eos */
static void say_pages(struct text *t)
{
	put_be(t, !strcmp(text_word(t, 1), "end") ? 3 : 2, 1);
	put_be(t, ID, 4);
}

static void say_eos(struct text *t)
{
	put_be(t, 0x10, 8);
	put_footer(t);
}

static void put_packed(struct text *t, const uint8_t *p, size_t n)
{
	uLongf packed_n = compressBound(n);
	uint8_t *packed = malloc(packed_n);

	if (!packed || compress(packed, &packed_n, p, n) != Z_OK)
		abort();
	put_be(t, packed_n, 4);
	built_put(t->b, packed, packed_n);
	free(packed);
}

/* page BLOCK OFFSET zero|raw|packed BYTES...; BLOCK - is that of the page before */
static void say_page(struct text *t)
{
	const char *block = text_word(t, 1), *how = text_word(t, 3);
	uint64_t flags = !strcmp(how, "zero") ? 2 : !strcmp(how, "raw") ? 8 : 0x100;
	bool same = !strcmp(block, "-");
	size_t n = 0;
	uint8_t *p = flags == 2 ? NULL : text_bytes_from(t, 4, &n);

	put_be(t, text_number(t, text_word(t, 2)) | flags | (same ? 0x20 : 0), 8);
	if (!same)
		put_string(t, block);
	if (flags == 2)
		put_be(t, 0, 1);
	else if (flags == 8)
		built_put(t->b, p, n);
	else
		put_packed(t, p, n);
	free(p);
}

static void describe(struct text *t, const char *fmt, ...) INQ_PRINTF(2, 3);
static void describe(struct text *t, const char *fmt, ...)
{
	va_list ap;

	if (!t->described)
		t->described = open_memstream(&t->description, &t->description_n);
	va_start(ap, fmt);
	vfprintf(t->described, fmt, ap);
	va_end(ap);
}

static size_t width_of(const char *type)
{
	const char *digits = type + strcspn(type, "0123456789");

	return (size_t)atoi(digits) / 8;
}

/* NAME:TYPE=VALUE, where NAME may be OUTER/INNER: a structure; a buffer's value is bytes */
static void put_field(struct text *t, char *word)
{
	char *value = text_cut(t, word), *type = strchr(word, ':'), *inner = strchr(word, '/');
	size_t n = 0;
	uint8_t *bytes = NULL;

	if (!type)
		text_mistake(t, "'%s' has no type", word);
	*type++ = '\0';
	if (!strcmp(type, "buffer")) {
		struct text parts = {.file = t->file, .line = t->line};
		while (value && parts.nr_words < MAX_WORDS)
			parts.word[parts.nr_words++] = strsep(&value, ",");
		bytes = text_bytes_from(&parts, 0, &n);
		built_put(t->b, bytes, n);
		free(bytes);
	} else {
		n = width_of(type);
		put_be(t, text_number(t, value), n);
	}
	if (inner)
		describe(t,
			 "{\"name\":\"%.*s\",\"type\":\"struct\",\"size\":%zu,\"struct\":"
			 "{\"vmsd_name\":\"s\",\"fields\":[",
			 (int)(inner - word), word, n);
	describe(t, "{\"name\":\"%s\",\"type\":\"%s\",\"size\":%zu}", inner ? inner + 1 : word,
		 type, n);
	if (inner)
		describe(t, "]}}");
}

/* device NAME INSTANCE FIELD... [+SUBSECTION FIELD...] */
static void say_device(struct text *t)
{
	const char *name = text_word(t, 1);
	bool in_sub = false, first = true;

	put_be(t, 4, 1);
	put_be(t, ID, 4);
	put_string(t, name);
	put_be(t, text_number(t, text_word(t, 2)), 4);
	put_be(t, 1, 4);
	describe(t, "%s{\"name\":\"%s\",\"instance_id\":%s,\"version\":1,\"fields\":[",
		 t->nr_described++ ? "," : "{\"page_size\":4096,\"devices\":[", name, t->word[2]);
	for (size_t i = 3; i < t->nr_words; i++) {
		if (t->word[i][0] == '+') {
			put_be(t, 5, 1);
			put_string(t, t->word[i] + 1);
			put_be(t, 1, 4);
			describe(t, "%s{\"vmsd_name\":\"%s\",\"version\":1,\"fields\":[",
				 in_sub ? "]}," : "],\"subsections\":[", t->word[i] + 1);
			in_sub = first = true;
			continue;
		}
		describe(t, "%s", first ? "" : ",");
		first = false;
		put_field(t, t->word[i]);
	}
	describe(t, in_sub ? "]}]}" : "]}");
	put_footer(t);
}

/* described: the end of the stream, and what describes its devices */
static void say_described(struct text *t)
{
	describe(t, t->nr_described ? "]}" : "{\"page_size\":4096,\"devices\":[]}");
	fclose(t->described);
	put_be(t, 0, 1);
	put_be(t, 6, 1);
	put_be(t, t->description_n, 4);
	built_put(t->b, t->description, t->description_n);
	free(t->description);
	t->described = NULL;
}

static const struct {
	const char *name;
	void (*say)(struct text *t);
} statements[] = {
	{"be", say_be},   {"qemu", say_qemu}, {"ram", say_ram},       {"pages", say_pages},
	{"eos", say_eos}, {"page", say_page}, {"device", say_device}, {"described", say_described},
};

bool text_say_stream(struct text *t)
{
	for (size_t i = 0; i < sizeof(statements) / sizeof(*statements); i++) {
		if (strcmp(statements[i].name, t->word[0]) != 0)
			continue;
		statements[i].say(t);
		return true;
	}
	return false;
}
