/*
 * Knows how a dump's text becomes a JSON string.  SQLite's own functions would leave DEL, C1 and
 * what is no UTF-8 as they are.  Source: RFC 8259, section 7.
 */
#include "store/json.h"

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

/* The control character that text begins with, DEL and C1 among them; 0: none.  *ret_n: its bytes.
 */
static unsigned control(const uint8_t *t, size_t left, size_t *ret_n)
{
	bool c1 = left > 1 && t[0] == 0xc2 && t[1] >= 0x80 && t[1] < 0xa0;

	*ret_n = c1 ? 2 : 1;
	return c1 ? t[1] : t[0] < 0x20 || t[0] == 0x7f ? t[0] : 0;
}

void store_json_text(sqlite3_str *s, const char *text, size_t n)
{
	const uint8_t *t = (const uint8_t *)text;

	sqlite3_str_appendchar(s, 1, '"');
	for (size_t len = 0; n; t += len, n -= len) {
		unsigned c = control(t, n, &len);
		if (c || !*t) {
			sqlite3_str_appendf(s, "\\u%04x", c);
			continue;
		}
		len = text_printable(t, n);
		if (!len)
			sqlite3_str_appendf(s, "\\\\x%02x", *t);
		else if (*t == '"' || *t == '\\')
			sqlite3_str_appendf(s, "\\%c", *t);
		else
			sqlite3_str_append(s, (const char *)t, (int)len);
		len += !len;
	}
	sqlite3_str_appendchar(s, 1, '"');
}
