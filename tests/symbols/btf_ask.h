/* All questions at once, for whoever damages a BTF. */
#ifndef TESTS_BTF_ASK_H
#define TESTS_BTF_ASK_H

#include <string.h>

#include <inquest/types.h>

#include "symbols/btf.h"

/* Everything that can be asked of it. */
static inline void btf_ask_all(const struct btf *b)
{
	for (uint32_t id = 0; id < btf_end(b) + 1; id++) {
		struct inq_type t = {.unit = b, .id = id};
		struct inq_type_info info;
		struct inq_member mb;
		const char *name;
		uint64_t v;
		char buf[100];

		inq_type_info(t, &info);
		inq_type_format(t, "x", buf, sizeof(buf));
		inq_type_format(inq_type_target(t), NULL, buf, sizeof(buf));
		for (uint64_t i = 0; inq_type_member(t, i, &mb); i++)
			(void)inq_field_for(&mb);
		for (uint64_t i = 0; inq_type_enumerator(t, i, &name, &v); i++)
			(void)strlen(name);
		(void)!inq_member(t, "tasks.next", &mb, NULL);
	}
}

#endif
