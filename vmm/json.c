/* Knows the grammar of RFC 8259, as far as a flat object goes, and UTF-8 (RFC 3629). */
#include "vmm/json.h"

#include <string.h>

struct reader {
	const char *at, *start, *end;
	char *to; /* next byte of room */
	struct inq_err *err;
};

static enum inq_status wrong(const struct reader *r, const char *what)
{
	return inq_fail(r->err, INQ_EUSAGE, "%s at byte %zu", what, (size_t)(r->at - r->start));
}

static void skip_blanks(struct reader *r)
{
	while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\r'))
		r->at++;
}

static bool take(struct reader *r, char c)
{
	skip_blanks(r);
	if (r->at == r->end || *r->at != c)
		return false;
	r->at++;
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hex digits; false when there are none. */
static bool hex4(struct reader *r, uint32_t *ret)
{
	uint32_t v = 0;

	if (r->end - r->at < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		int d = hex_digit(r->at[i]);

		if (d < 0)
			return false;
		v = v << 4 | (uint32_t)d;
	}
	r->at += 4;
	*ret = v;
	return true;
}

static void put_utf8(struct reader *r, uint32_t c)
{
	if (c < 0x80) {
		*r->to++ = (char)c;
		return;
	}
	int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
	*r->to++ = (char)((0xff00u >> (more + 1) | c >> 6 * more) & 0xff);
	while (more--)
		*r->to++ = (char)(0x80 | (c >> 6 * more & 0x3f));
}

/* Behind \u; an escape is at least as long as the UTF-8 it becomes. */
static enum inq_status read_unicode(struct reader *r)
{
	uint32_t c, low;

	if (!hex4(r, &c))
		return wrong(r, "\\u wants four hex digits");
	if (c >= 0xd800 && c < 0xdc00) {
		if (r->end - r->at < 2 || r->at[0] != '\\' || r->at[1] != 'u')
			return wrong(r, "half a surrogate pair");
		r->at += 2;
		if (!hex4(r, &low) || low < 0xdc00 || low > 0xdfff)
			return wrong(r, "half a surrogate pair");
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	} else if (c >= 0xdc00 && c < 0xe000) {
		return wrong(r, "half a surrogate pair");
	}
	if (!c)
		return wrong(r, "a zero byte");
	put_utf8(r, c);
	return INQ_OK;
}

static enum inq_status read_escape(struct reader *r)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	char c = (char)(r->at < r->end ? *r->at++ : '\0');
	const char *hit = c ? strchr(from, c) : NULL;

	if (c == 'u')
		return read_unicode(r);
	if (!hit)
		return wrong(r, "unknown escape");
	*r->to++ = to[hit - from];
	return INQ_OK;
}

/* A character of more than one byte, copied as it is. */
static enum inq_status read_utf8(struct reader *r)
{
	static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
	uint8_t lead = (uint8_t)*r->at;
	int more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
	uint32_t c = lead & (0x3fu >> more);

	if (lead < 0xc2 || lead > 0xf4 || r->end - r->at <= more)
		return wrong(r, "not UTF-8");
	for (int i = 1; i <= more; i++) {
		uint8_t b = (uint8_t)r->at[i];

		if ((b & 0xc0) != 0x80)
			return wrong(r, "not UTF-8");
		c = c << 6 | (b & 0x3f);
	}
	if (c < least[more] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return wrong(r, "not UTF-8");
	for (int i = 0; i <= more; i++)
		*r->to++ = *r->at++;
	return INQ_OK;
}

/* Behind the opening quote. */
static enum inq_status read_string(struct reader *r, const char **ret)
{
	enum inq_status st = INQ_OK;
	const char *begin = r->to;

	while (!st) {
		if (r->at == r->end)
			return wrong(r, "a string does not end");
		uint8_t c = (uint8_t)*r->at;
		if (c == '"')
			break;
		if (c < 0x20)
			return wrong(r, "a control character");
		if (c >= 0x80) {
			st = read_utf8(r);
		} else {
			r->at++;
			if (c == '\\')
				st = read_escape(r);
			else
				*r->to++ = (char)c;
		}
	}
	if (st)
		return st;
	r->at++;
	*r->to++ = '\0';
	*ret = begin;
	return INQ_OK;
}

static enum inq_status read_number(struct reader *r, struct vmm_json_member *m)
{
	const char *begin = r->at;
	uint64_t v = 0;

	for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++) {
		uint64_t digit = (uint64_t)(*r->at - '0');

		if (v > (UINT64_MAX - digit) / 10)
			return wrong(r, "too large a number");
		v = v * 10 + digit;
	}
	if (r->at - begin > 1 && *begin == '0')
		return wrong(r, "a number begins with 0");
	if (r->at < r->end && strchr(".eE", *r->at) && *r->at)
		return wrong(r, "not a whole number");
	m->number = v;
	m->is_number = true;
	return INQ_OK;
}

static bool take_word(struct reader *r, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(r->end - r->at) < n || memcmp(r->at, word, n) != 0)
		return false;
	r->at += n;
	return true;
}

static enum inq_status read_value(struct reader *r, struct vmm_json_member *m)
{
	skip_blanks(r);
	if (r->at < r->end && *r->at >= '0' && *r->at <= '9')
		return read_number(r, m);
	if (take(r, '"'))
		return read_string(r, &m->text);
	m->is_bool = true;
	m->number = 1;
	if (take_word(r, "true"))
		return INQ_OK;
	m->number = 0;
	if (take_word(r, "false"))
		return INQ_OK;
	return wrong(r, "not a string, whole number, true or false");
}

static enum inq_status read_member(struct reader *r, struct vmm_json *j)
{
	struct vmm_json_member m = {0};

	if (!take(r, '"'))
		return wrong(r, "a key in quotes is missing");
	enum inq_status st = read_string(r, &m.key);
	if (st)
		return st;
	if (vmm_json_get(j, m.key))
		return wrong(r, "a key comes twice");
	if (!take(r, ':'))
		return wrong(r, "':' is missing");
	st = read_value(r, &m);
	if (st)
		return st;
	if (j->nr == VMM_JSON_MEMBERS)
		return wrong(r, "too many members");
	j->member[j->nr++] = m;
	return INQ_OK;
}

enum inq_status vmm_json_read(const char *line, size_t n, struct vmm_json *ret, struct inq_err *err)
{
	struct reader r = {.at = line, .start = line, .end = line + n, .to = ret->room, .err = err};
	enum inq_status st = INQ_OK;

	ret->nr = 0;
	if (n > VMM_JSON_BYTES)
		return inq_fail(err, INQ_EUSAGE, "more than %d bytes", VMM_JSON_BYTES);
	if (!take(&r, '{'))
		return wrong(&r, "not a JSON object: '{' is missing");
	if (!take(&r, '}')) {
		do {
			st = read_member(&r, ret);
		} while (!st && take(&r, ','));
		if (!st && !take(&r, '}'))
			st = wrong(&r, "',' or '}' is missing");
	}
	skip_blanks(&r);
	if (!st && r.at != r.end)
		st = wrong(&r, "something stands behind the object");
	return st;
}

const struct vmm_json_member *vmm_json_get(const struct vmm_json *j, const char *key)
{
	for (unsigned i = 0; i < j->nr; i++)
		if (!strcmp(j->member[i].key, key))
			return &j->member[i];
	return NULL;
}

void vmm_json_print(FILE *to, const char *text)
{
	fputc('"', to);
	for (; *text; text++) {
		uint8_t c = (uint8_t)*text;

		if (c == '"' || c == '\\')
			fprintf(to, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			fprintf(to, "\\u%04x", c);
		else
			fputc(c, to);
	}
	fputc('"', to);
}
