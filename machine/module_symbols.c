/*
 * Knows the symbol table that a module brought along, as the kernel keeps it.
 * Source: Linux include/linux/module.h (struct mod_kallsyms), kernel/module/kallsyms.c
 * (add_kallsyms, find_kallsyms_symbol); elf(5), Elf64_Sym.
 */
#include "machine/names.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <inquest/types.h>

#include "base/scope.h"
#include "base/span.h"

enum {
	SYM_BYTES = 24,
	MAX_SYMBOLS = 1 << 18,
	MAX_STRINGS = 16 << 20,
	PAGE = 4096,
	UNDEFINED = 0, /* SHN_UNDEF */
};
INQ_DEFINE_SCOPE(struct kallsyms, kallsyms_close)

struct table_offs {
	struct inq_field symtab, num, strtab, typetab;
};
#define OFFS(f) offsetof(struct table_offs, f)
static const struct inq_shape_member members[] = {
	{OFFS(symtab), "symtab"},
	{OFFS(num), "num_symtab"},
	{OFFS(strtab), "strtab"},
	{OFFS(typetab), "typetab", .optional = true}, /* since Linux 5.2 */
	{0},
};

/* The four pointers, and how far the strings reach as the symbols say. */
struct table {
	uint64_t symtab, num, strtab, typetab;
	uint8_t *syms, *types; /* types NULL: unknown */
	uint8_t *strings;
	size_t strings_bytes;
};

static void table_deinit(struct table *t)
{
	free(t->syms);
	free(t->types);
	free(t->strings);
}

static enum inq_status read_table(const struct inq_machine *m, uint64_t addr, struct table *t,
				  struct inq_err *err)
{
	struct table_offs o;
	enum inq_status st = inq_shape(m, "struct mod_kallsyms", members, &o, NULL, err);

	if (!st)
		st = inq_read_field(m, addr, &o.symtab, &t->symtab, err);
	if (!st)
		st = inq_read_field(m, addr, &o.num, &t->num, err);
	if (!st)
		st = inq_read_field(m, addr, &o.strtab, &t->strtab, err);
	if (!st && o.typetab.size)
		st = inq_read_field(m, addr, &o.typetab, &t->typetab, err);
	if (!st && t->num > MAX_SYMBOLS)
		st = inq_fail(err, INQ_ELIMIT, "%" PRIu64 " symbols, %d at most", t->num,
			      MAX_SYMBOLS);
	return st;
}

static uint32_t name_at(const struct table *t, size_t i)
{
	struct span s = span_of(t->syms + i * SYM_BYTES, SYM_BYTES);

	return span_u32le(&s);
}

/* Where the last name starts the symbols tell, where it ends only its NUL. */
static enum inq_status read_strings(const struct inq_machine *m, struct table *t,
				    struct inq_err *err)
{
	size_t last = 0, at = 0;

	for (size_t i = 0; i < t->num; i++)
		last = name_at(t, i) > last ? name_at(t, i) : last;
	if (last > MAX_STRINGS)
		return inq_fail(err, INQ_ELIMIT, "strtab: more than %d bytes", MAX_STRINGS);
	t->strings_bytes = last + KALLSYMS_MAX_NAME;
	t->strings = calloc(1, t->strings_bytes);
	if (!t->strings)
		return inq_fail(err, INQ_ENOMEM, "strtab: %zu bytes", t->strings_bytes);
	while (at < t->strings_bytes) {
		size_t len = PAGE - (t->strtab + at) % PAGE;
		len = len < t->strings_bytes - at ? len : t->strings_bytes - at;
		if (inq_read_kernel(m, t->strtab + at, t->strings + at, len, err))
			break;
		at += len;
	}
	/* what follows the strings need not be there */
	return at > last ? INQ_OK : inq_wrap(err, err->status, "strtab");
}

static enum inq_status read_parts(const struct inq_machine *m, struct table *t, struct inq_err *err)
{
	t->syms = calloc(t->num + 1, SYM_BYTES);
	t->types = t->typetab ? calloc(t->num + 1, 1) : NULL;
	if (!t->syms || (t->typetab && !t->types))
		return inq_fail(err, INQ_ENOMEM, "%" PRIu64 " symbols", t->num);
	enum inq_status st = inq_read_kernel(m, t->symtab, t->syms, t->num * SYM_BYTES, err);
	if (st)
		return inq_wrap(err, st, "symtab");
	if (t->types && inq_read_kernel(m, t->typetab, t->types, t->num, NULL)) {
		free(t->types);
		t->types = NULL;
	}
	return read_strings(m, t, err);
}

static size_t put(const struct table *t, size_t i, struct kallsyms *k, size_t at)
{
	struct span s = span_of(t->syms + i * SYM_BYTES, SYM_BYTES);
	uint32_t name = span_u32le(&s);
	span_skip(&s, 2); /* st_info, st_other */
	uint16_t shndx = span_u16le(&s);
	uint64_t value = span_u64le(&s);
	size_t room = t->strings_bytes - name;
	const char *text = (const char *)t->strings + name;
	size_t len = strnlen(text, room < KALLSYMS_MAX_NAME ? room : KALLSYMS_MAX_NAME);

	if (shndx == UNDEFINED || len == KALLSYMS_MAX_NAME || len == room || !len)
		return at;
	k->symbol[k->nr++] = (struct kallsyms_symbol){value, (uint32_t)at, (uint32_t)i};
	k->text[at++] = t->types ? (char)t->types[i] : 0;
	memcpy(k->text + at, text, len + 1);
	return at + len + 1;
}

/* Bytes of all names with their letters: a name can be shared, so no more than fit 32 bits. */
static uint64_t measure(const struct table *t)
{
	uint64_t total = 1;

	for (size_t i = 0; i < t->num; i++) {
		size_t room = t->strings_bytes - name_at(t, i);
		const char *text = (const char *)t->strings + name_at(t, i);
		total += strnlen(text, room < KALLSYMS_MAX_NAME ? room : KALLSYMS_MAX_NAME) + 2;
	}
	return total;
}

static int by_address(const void *a, const void *b)
{
	const struct kallsyms_symbol *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return (x->nr > y->nr) - (x->nr < y->nr);
}

static enum inq_status make(const struct table *t, struct kallsyms **ret, struct inq_err *err)
{
	INQ_SCOPED(kallsyms_close_scope_) struct kallsyms *k = calloc(1, sizeof(*k));

	if (!k)
		return inq_fail(err, INQ_ENOMEM, "symbols of a module");
	k->symbol = calloc(t->num + 1, sizeof(*k->symbol));
	k->text = malloc(measure(t));
	if (!k->symbol || !k->text)
		return inq_fail(err, INQ_ENOMEM, "%" PRIu64 " symbols", t->num);
	for (size_t i = 0; i < t->num; i++)
		k->text_bytes = put(t, i, k, k->text_bytes);
	qsort(k->symbol, k->nr, sizeof(*k->symbol), by_address);
	*ret = inq_take(k);
	return INQ_OK;
}

enum inq_status machine_module_symbols(const struct inq_machine *m, uint64_t addr,
				       struct kallsyms **ret, struct inq_err *err)
{
	INQ_SCOPED(table_deinit) struct table t = {0};
	enum inq_status st = read_table(m, addr, &t, err);

	if (!st)
		st = read_parts(m, &t, err);
	return st ? st : make(&t, ret, err);
}
