/* Knows which types a machine has, and in which order they are asked. */
#include "machine/types.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <inquest/names.h>

#include "machine/machine.h"

static void drop_modules(struct machine_types *t)
{
	for (size_t i = 0; i < t->nr_modules; i++) {
		btf_close(t->modules[i].btf);
		machine_bytes_deinit(&t->modules[i].bytes);
	}
	free(t->modules);
	t->modules = NULL;
	t->nr_modules = 0;
}

void machine_types_destroy(struct machine_types *t)
{
	if (!t)
		return;
	drop_modules(t);
	btf_close(t->btf);
	machine_bytes_deinit(&t->bytes);
	free(t);
}

static enum inq_status find_kernel(const struct inq_machine *m, struct machine_types *t,
				   struct inq_err *err)
{
	const struct inq_kernel *k = NULL;
	struct inq_symbol start, stop;
	enum inq_status none = machine_kernel_for(m, "types", &k, err);

	if (none)
		return none;
	if (!inq_symbol_named(m, "__start_BTF", 0, &start, NULL) &&
	    !inq_symbol_named(m, "__stop_BTF", 0, &stop, NULL) && stop.addr > start.addr &&
	    !machine_types_at(m, start.addr, stop.addr - start.addr, t, NULL))
		return INQ_OK;
	return machine_types_search(m, t, err);
}

/* Looked for once, whatever the dump says of it. */
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
		made->types = t;
		/* names may ask for types while they are looked for */
		t->st = inq_fail(&t->why, INQ_EABSENT, "types are being looked for");
		t->st = find_kernel(m, t, &t->why);
		if (machine_passes(t->st)) {
			enum inq_status st = inq_fail(err, t->st, "%s", t->why.msg);
			made->types = NULL;
			machine_types_destroy(t);
			return st;
		}
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
	if (modules && !t->modules_asked) {
		t->modules_asked = true; /* first: they are looked for by types */
		st = machine_types_modules(m, t, err);
		if (st) {
			drop_modules(t);
			t->modules_asked = false;
		}
	}
	*ret = t;
	return st;
}
