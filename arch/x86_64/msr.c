/* Knows how MSRs are called; the names that KVM lists, and their neighbours.  See msr.def. */
#include "arch/x86_64/msr.h"

#include <stddef.h>
#include <stdlib.h>

static const struct msr_name {
	uint32_t index;
	const char *name;
} names[] = {
#define MSR(at, text) {at, text},
#include "arch/x86_64/msr.def"
#undef MSR
};

static int compare(const void *key, const void *entry)
{
	uint32_t x = *(const uint32_t *)key, y = ((const struct msr_name *)entry)->index;

	return (x > y) - (x < y);
}

const char *x86_64_msr_name(uint32_t index)
{
	const struct msr_name *n =
		bsearch(&index, names, sizeof(names) / sizeof(*names), sizeof(*names), compare);

	return n ? n->name : NULL;
}
