/* Text within 80 columns. */
#ifndef BASE_WRAP_H
#define BASE_WRAP_H

#include <stdio.h>

enum { TEXT_WIDE = 80 };

/*
 * Print text, broken between words, and a newline.  The cursor stands at column; lines after the
 * first begin at indent.
 */
void text_put_wrapped(FILE *out, const char *text, int column, int indent);

/* indent blanks, a name padded to width, a blank, and a text that goes on below itself. */
void text_put_entry(FILE *out, int indent, const char *name, int width, const char *text);

#endif
