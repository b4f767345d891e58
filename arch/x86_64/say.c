/* Knows how to join words without ever leaving the buffer. */
#include "arch/x86_64/say.h"

#include <stdarg.h>
#include <stdio.h>

void x86_64_say_init(struct say *s, char *buf, size_t n)
{
	*s = (struct say){.buf = buf, .n = n};
	if (n)
		buf[0] = '\0';
}

static void advance(struct say *s, int wrote)
{
	if (wrote > 0)
		s->len += (size_t)wrote;
	if (s->len >= s->n)
		s->len = s->n ? s->n - 1 : 0;
}

void x86_64_say(struct say *s, const char *fmt, ...)
{
	va_list ap;

	if (s->len)
		advance(s, snprintf(s->buf + s->len, s->n - s->len, ", "));
	va_start(ap, fmt);
	advance(s, vsnprintf(s->buf + s->len, s->n - s->len, fmt, ap));
	va_end(ap);
}
