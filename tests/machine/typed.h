/* A kernel in a small memory, with types that a test builds.  For tests. */
#ifndef TESTS_MACHINE_TYPED_H
#define TESTS_MACHINE_TYPED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "machine/machine.h"
#include "machine/types.h"
#include "tests/machine/flat.h"
#include "tests/symbols/btf_build.h"

struct typed {
	struct flat memory;
	struct btf_build build;
	struct machine_types types;
	struct machine_made made;
	struct inq_kernel kernel;
	struct inq_machine m;
};

/* It points into itself: it stays where it is. */
static inline void typed_open(struct typed *t, void build_types(struct btf_build *b))
{
	struct inq_err err;

	*t = (struct typed){.memory.base = {.name = "kernel", .read = flat_read}};
	build_types(&t->build);
	size_t n = btf_build_finish(&t->build);
	if (btf_open(t->build.out, n, NULL, NULL, &t->types.btf, &err))
		fail_msg("%s", err.msg);
	t->types.modules_asked = true;
	t->kernel = (struct inq_kernel){.os = "linux", .virt = &t->memory.base};
	t->made = (struct machine_made){.types = &t->types, .kernel = &t->kernel};
	t->m = (struct inq_machine){.made = &t->made};
}

static inline void typed_close(struct typed *t)
{
	btf_close(t->types.btf);
}

#endif
