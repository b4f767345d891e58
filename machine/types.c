/* Knows which types a machine has, and in which order they are asked. */
#include "machine/types.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine/machine.h"

void machine_types_destroy(struct machine_types *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->nr_modules; i++) {
		btf_close(t->modules[i].btf);
		machine_bytes_deinit(&t->modules[i].bytes);
	}
	free(t->modules);
	btf_close(t->btf);
	machine_bytes_deinit(&t->bytes);
	free(t);
}

static enum inq_status find_kernel(const struct inq_machine *m, struct machine_types *t,
				   struct inq_err *err)
{
	const struct inq_kernel *k = inq_machine_kernel(m);

	if (k->st)
		return inq_fail(err, k->st, "%s", k->note);
	if (!k->os)
		return inq_fail(err, INQ_EABSENT, "no kernel was found, hence no types");
	if (!k->virt)
		return inq_fail(err, INQ_EABSENT, "the kernel's page tables are unknown");
	return machine_types_search(m, t, err);
}

/* Looked for once, whatever comes of it. */
static enum inq_status ask(const struct inq_machine *m, struct machine_types **ret,
			   struct inq_err *err)
{
	struct machine_made *made = m->made;

	if (!made)
		return inq_fail(err, INQ_EABSENT, "no types: the machine was not opened");
	if (!made->types) {
		struct machine_types *t = calloc(1, sizeof(*t));
		if (!t)
			return inq_fail(err, INQ_ENOMEM, "types");
		t->st = find_kernel(m, t, &t->why);
		if (t->st == INQ_ENOMEM) {
			machine_types_destroy(t);
			return inq_fail(err, INQ_ENOMEM, "types");
		}
		made->types = t;
	}
	*ret = made->types;
	return INQ_OK;
}

enum inq_status machine_types(const struct inq_machine *m, bool modules,
			      const struct machine_types **ret, struct inq_err *err)
{
	struct machine_types *t = NULL;
	enum inq_status st = ask(m, &t, err);

	if (st || !t)
		return st;
	if (t->st)
		return inq_fail_at(err, t->st, t->why.addr, "%s", t->why.msg);
	(void)modules;
	*ret = t;
	return INQ_OK;
}
