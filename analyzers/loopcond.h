/* What a value must be for a branch to be taken, and values that try it. */
#ifndef ANALYZERS_LOOPCOND_H
#define ANALYZERS_LOOPCOND_H

#include "analyzers/eval.h"

enum { LOOPCOND_TRIES = 4 };

struct loopcond {
	char text[160]; /* "value & 0x10 != 0" */
	uint64_t tries[LOOPCOND_TRIES];
	int nr_tries;
};

/*
 * The branch with condition cc, on flags f that speak of load g, is to be taken (or not).  False
 * when the flags do not say what they compare.  The tries are candidates, not yet proved.
 */
bool loopcond_of(const struct eval_flags *f, int cc, bool taken, const struct eval_load *g,
		 struct loopcond *ret);

#endif
