/* Words joined by commas in a caller's buffer, cut when it is full.  For the describe functions. */
#ifndef ARCH_X86_64_SAY_H
#define ARCH_X86_64_SAY_H

#include <inquest/err.h>

struct say {
	char *buf;
	size_t n; /* of buf, at least 1 */
	size_t len;
};

/* Begin with an empty text.  n may be 0: then nothing is written at all. */
void x86_64_say_init(struct say *s, char *buf, size_t n);

/* Add ", " (unless it is the first) and the words. */
void x86_64_say(struct say *s, const char *fmt, ...) INQ_PRINTF(2, 3);

#endif
