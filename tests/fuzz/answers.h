/* In place of base/child.c: a child whose answers are the input.  Link with --wrap of its three
 * functions. */
#ifndef FUZZ_ANSWERS_H
#define FUZZ_ANSWERS_H

#include "base/span.h"

/*
 * What every call from now on is answered with, one after the other: a status (u8, of enum
 * inq_status), the length of a piece (u16), how often it follows itself (u8), the piece.  Where
 * they end, children die.  The bytes are borrowed.
 */
void fuzz_answers(struct span answers);

#endif
