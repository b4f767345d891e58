/* Knows where lines break.  Text is escaped already: it holds no control characters. */
#include "base/wrap.h"

#include <stdint.h>
#include <string.h>

static int width_of(const char *text, size_t n)
{
	int w = 0;

	for (size_t i = 0; i < n; i++)
		w += ((uint8_t)text[i] & 0xc0) != 0x80;
	return w;
}

void text_put_wrapped(FILE *out, const char *text, int column, int indent)
{
	int at_start = 1; /* of a line: a word too long for any line stands there alone */

	while (*text) {
		size_t gap = strspn(text, " "), n = strcspn(text + gap, " ");
		int w = width_of(text + gap, n);
		if (!n)
			break;
		if (!at_start && column + (int)gap + w > TEXT_WIDE) {
			fprintf(out, "\n%*s", indent, "");
			column = indent;
			at_start = 1;
		}
		if (!at_start) {
			fprintf(out, "%*s", (int)gap, "");
			column += (int)gap;
		}
		fwrite(text + gap, 1, n, out);
		column += w;
		at_start = 0;
		text += gap + n;
	}
	fputc('\n', out);
}

void text_put_entry(FILE *out, int indent, const char *name, int width, const char *text)
{
	int w = width_of(name, strlen(name)), pad = w < width ? width - w : 0;

	fprintf(out, "%*s%s%*s ", indent, "", name, pad, "");
	text_put_wrapped(out, text, indent + w + pad + 1, indent + width + 1);
}
