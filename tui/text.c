/* Knows how wide characters are, in the locale's eyes: wcwidth(3). */
#include "tui/text.h"

#include <limits.h>
#include <stdint.h>
#include <string.h>

#include "base/text.h"

/* Joiners, marks and overrides of direction take no column, but move what stands around them. */
static bool reorders(wchar_t wc)
{
	return (wc >= 0x200b && wc <= 0x200f) || (wc >= 0x2028 && wc <= 0x202e) ||
	       (wc >= 0x2060 && wc <= 0x206f) || wc == 0xfeff;
}

static wchar_t decode(const uint8_t *t, size_t n)
{
	uint32_t wc = n == 1 ? t[0] : t[0] & (0x7fU >> n);

	for (size_t i = 1; i < n; i++)
		wc = wc << 6 | (t[i] & 0x3f);
	return (wchar_t)wc;
}

size_t tui_glyph(const char *t, wchar_t *ret_wc, int *ret_width)
{
	const uint8_t *b = (const uint8_t *)t;
	size_t n = text_printable(b, strnlen(t, 4));

	if (!*t)
		return 0;
	*ret_wc = n ? decode(b, n) : L'?';
	*ret_width = wcwidth(*ret_wc);
	if (*ret_width < 0 || *ret_width > 2 || reorders(*ret_wc)) {
		*ret_wc = L'?';
		*ret_width = 1;
	}
	return n ? n : 1;
}

int tui_text_width(const char *t)
{
	int width = 0, w;
	wchar_t wc;

	for (size_t n; width < INT_MAX / 2 && (n = tui_glyph(t, &wc, &w)); t += n)
		width += w;
	return width;
}

size_t tui_text_break(const char *t, int columns, const char **ret_next)
{
	size_t at = 0, space = 0, n;
	int used = 0, w;
	wchar_t wc;

	while ((n = tui_glyph(t + at, &wc, &w)) && (!at || used + w <= columns)) {
		if (wc == L' ')
			space = at;
		used += w;
		at += n;
	}
	if (t[at] && t[at] != ' ' && space)
		at = space;
	*ret_next = t + at + (t[at] == ' ');
	return at;
}

/* The left edge cuts a wide character: its right half remains, as a space. */
static bool skip_glyph(struct tui_clip *c, int width)
{
	int shown = width - c->skip;

	c->skip = shown > 0 ? 0 : -shown;
	return shown > 0;
}

bool tui_clip_next(struct tui_clip *c, wchar_t *ret_wc, int *ret_width)
{
	size_t n;

	while (c->room > 0 && (n = tui_glyph(c->at, ret_wc, ret_width))) {
		bool cut = c->skip > 0;
		c->at += n;
		if (cut && !skip_glyph(c, *ret_width))
			continue;
		if (cut || *ret_width > c->room) {
			*ret_wc = L' ';
			*ret_width = 1;
		}
		c->room -= *ret_width;
		return true;
	}
	return false;
}
