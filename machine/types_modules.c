/*
 * Knows where the kernel keeps its modules' type information: struct module.btf_data is gone when a
 * module has started, what was parsed of it stays in the list btf_modules.
 * Source: Linux kernel/bpf/btf.c (struct btf_module, btf_parse_module), kernel/module/main.c
 * (do_init_module).
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <inquest/names.h>

#include "machine/machine.h"
#include "machine/types.h"

enum { MAX_MODULES = 4096, NAME = 64 };
#define MAX_ALL (UINT64_C(256) << 20) /* bytes of all modules' together */

struct fields {
	struct inq_field list, btf; /* struct btf_module */
	struct inq_field data, bytes, name;
};

static const struct inq_shape_member of_module[] = {
	{offsetof(struct fields, list), "list"}, {offsetof(struct fields, btf), "btf"}, {0}};
static const struct inq_shape_member of_btf[] = {{offsetof(struct fields, data), "data"},
						 {offsetof(struct fields, bytes), "data_size"},
						 {offsetof(struct fields, name), "name"},
						 {0}};

static enum inq_status add(struct machine_types *t, struct btf *btf, struct machine_bytes bytes,
			   struct inq_err *err)
{
	struct machine_module_types *grown =
		reallocarray(t->modules, t->nr_modules + 1, sizeof(*grown));

	if (!grown)
		return inq_fail(err, INQ_ENOMEM, "types of %zu modules", t->nr_modules + 1);
	t->modules = grown;
	t->modules[t->nr_modules++] = (struct machine_module_types){btf, bytes};
	return INQ_OK;
}

/* What one struct btf tells; damage leaves that module out. */
static enum inq_status take(const struct inq_machine *m, const struct fields *f, uint64_t at,
			    uint64_t *total, struct machine_types *t, struct inq_err *err)
{
	uint64_t data = 0, n = 0;
	char name[NAME] = "";
	size_t chars = f->name.size < NAME - 1 ? f->name.size : NAME - 1;
	struct machine_bytes bytes = {0};
	struct btf *btf = NULL;
	enum inq_status st = inq_read_field(m, at, &f->data, &data, err);

	if (!st)
		st = inq_read_field(m, at, &f->bytes, &n, err);
	if (!st)
		st = inq_read_kernel(m, at + f->name.off, name, chars, err);
	if (!st && (n < BTF_HEADER || n > BTF_MAX_BYTES || (*total += n) > MAX_ALL))
		st = inq_fail(err, INQ_ELIMIT, "types of a module: %" PRIu64 " bytes", n);
	if (!st)
		st = machine_bytes(inq_machine_kernel(m)->virt, data, (size_t)n, &bytes, err);
	if (!st)
		st = btf_open(bytes.p, bytes.n, t->btf, name, &btf, err);
	if (!st)
		st = add(t, btf, bytes, err);
	if (st) {
		btf_close(btf);
		machine_bytes_deinit(&bytes);
	}
	return st;
}

static enum inq_status take_all(const struct inq_machine *m, const struct fields *f,
				struct inq_walk *w, struct machine_types *t, struct inq_err *err)
{
	uint64_t at = 0, btf = 0, total = 0;
	bool more = false;
	struct inq_err why;
	enum inq_status st;

	while (!(st = inq_walk_next(w, &at, NULL, &more, &why)) && more) {
		st = inq_read_field(m, at, &f->btf, &btf, &why);
		if (!st)
			st = take(m, f, btf, &total, t, &why);
		if (machine_passes(st))
			return inq_fail(err, st, "types of modules: %s", why.msg);
		if (st)
			t->partial = true;
	}
	if (machine_passes(st))
		return inq_fail(err, st, "types of modules: %s", why.msg);
	t->partial |= st != INQ_OK;
	return INQ_OK;
}

enum inq_status machine_types_modules(const struct inq_machine *m, struct machine_types *t,
				      struct inq_err *err)
{
	struct inq_symbol list;
	struct fields f = {0};
	struct inq_walk *w = NULL;
	struct inq_err why;
	enum inq_status st = inq_symbol_named(m, "btf_modules", 0, &list, &why);

	if (!st)
		st = inq_shape(m, "struct btf_module", of_module, &f, NULL, &why);
	if (!st)
		st = inq_shape(m, "struct btf", of_btf, &f, NULL, &why);
	if (!st)
		st = inq_walk_open(m, INQ_WALK_LIST, list.addr, f.list.off, MAX_MODULES, &w, &why);
	if (!st)
		st = take_all(m, &f, w, t, &why);
	inq_walk_close(w);
	/* without names there may be modules all the same */
	t->partial |= st != INQ_OK;
	return machine_passes(st) ? inq_fail(err, st, "%s", why.msg) : INQ_OK;
}
