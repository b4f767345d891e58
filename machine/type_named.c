/* Knows how people, and C, write the name of a type. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine/types.h"

enum { NAME = 128, MAX_POINTERS = 8 };

#define ANY                                                                                        \
	(BTF_BIT(BTF_TYPEDEF) | BTF_BIT(BTF_INT) | BTF_BIT(BTF_FLOAT) | BTF_BIT(BTF_STRUCT) |      \
	 BTF_BIT(BTF_UNION) | BTF_BIT(BTF_ENUM) | BTF_BIT(BTF_ENUM64))

/* A type's name, taken apart. */
struct named {
	char name[NAME];
	unsigned kinds; /* that may have it */
	struct inq_type shape;
};

/* The next word, or sign, of a type; n is its length, 0 at the end. */
static const char *next_word(const char *p, size_t *ret_n)
{
	while (isspace((unsigned char)*p))
		p++;
	size_t n = 0;
	while (isalnum((unsigned char)p[n]) || p[n] == '_')
		n++;
	*ret_n = n ? n : *p != 0;
	return p;
}

static bool is(const char *p, size_t n, const char *word)
{
	return strlen(word) == n && !strncmp(p, word, n);
}

static unsigned kinds_of(const char *p, size_t n)
{
	return is(p, n, "struct")  ? BTF_BIT(BTF_STRUCT)
	       : is(p, n, "union") ? BTF_BIT(BTF_UNION)
	       : is(p, n, "enum")  ? BTF_BIT(BTF_ENUM) | BTF_BIT(BTF_ENUM64)
				   : 0;
}

static enum inq_status fail_text(const char *text, struct inq_err *err)
{
	return inq_fail(err, INQ_EUSAGE, "%s: not the name of a type", text);
}

static enum inq_status add_word(struct named *t, const char *p, size_t n)
{
	size_t have = strlen(t->name);

	if (have + 1 + n >= sizeof(t->name))
		return INQ_EUSAGE;
	if (have)
		t->name[have++] = ' ';
	memcpy(t->name + have, p, n);
	t->name[have + n] = 0;
	return INQ_OK;
}

/* "[16]", "[]"; *p stands behind the opening bracket. */
static enum inq_status take_elements(const char **p, struct named *t)
{
	char *end;

	if (t->shape.elements)
		return INQ_EUSAGE;
	t->shape.elements = INQ_ANY_NUMBER;
	*p += strspn(*p, " ");
	if (isdigit((unsigned char)**p)) {
		t->shape.elements = strtoull(*p, &end, 0);
		*p = end + strspn(end, " ");
	}
	if (**p != ']' || !t->shape.elements)
		return INQ_EUSAGE;
	++*p;
	return INQ_OK;
}

static enum inq_status take_apart(const char *text, struct named *ret, struct inq_err *err)
{
	enum inq_status st = INQ_OK;
	size_t n;

	*ret = (struct named){.kinds = 0};
	for (const char *p = text; !st && (p = next_word(p, &n)) && n;) {
		const char *word = p;
		p += n;
		if (is(word, n, "*"))
			st = ret->shape.elements || ++ret->shape.pointers > MAX_POINTERS
				     ? INQ_EUSAGE
				     : INQ_OK;
		else if (is(word, n, "["))
			st = take_elements(&p, ret);
		else if (is(word, n, "const") || is(word, n, "volatile"))
			continue;
		else if (ret->shape.pointers || ret->shape.elements ||
			 !(isalpha((unsigned char)*word) || *word == '_'))
			st = INQ_EUSAGE;
		else if (!ret->kinds && !*ret->name && kinds_of(word, n))
			ret->kinds = kinds_of(word, n);
		else
			st = add_word(ret, word, n);
	}
	return st || !*ret->name ? fail_text(text, err) : INQ_OK;
}

/* What compilers call the types that people write shorter. */
static const char *in_full(const char *name)
{
	static const char *const full[][2] = {
		{"unsigned", "unsigned int"},
		{"long", "long int"},
		{"short", "short int"},
		{"unsigned long", "long unsigned int"},
		{"unsigned long int", "long unsigned int"},
		{"unsigned short", "short unsigned int"},
		{"unsigned short int", "short unsigned int"},
		{"long long", "long long int"},
		{"unsigned long long", "long long unsigned int"},
		{"unsigned long long int", "long long unsigned int"},
	};

	for (size_t i = 0; i < sizeof(full) / sizeof(*full); i++)
		if (!strcmp(full[i][0], name))
			return full[i][1];
	return name;
}

/* In one unit.  A structure of no members is one that was not known where it was used. */
static enum inq_status find_in(const struct btf *b, const struct named *t, struct inq_type *ret,
			       struct inq_err *err)
{
	const char *name = in_full(t->name);
	uint32_t id = 0;
	enum inq_status st;

	if (!strcmp(name, "void") && !t->kinds) {
		ret->unit = b;
		return INQ_OK;
	}
	if (t->kinds)
		st = btf_find(b, name, t->kinds, 0, &id, err);
	else if ((st = btf_find(b, name, ANY & ~(BTF_BIT(BTF_STRUCT) | BTF_BIT(BTF_UNION)), 0, &id,
				err)) == INQ_ENOTFOUND)
		st = btf_find(b, name, ANY, 0, &id, err);
	if (st == INQ_ENOTFOUND)
		st = btf_find(b, name, BTF_BIT(BTF_FWD), 0, &id, err);
	if (st == INQ_ENOTFOUND && !t->kinds)
		st = btf_find(b, name, BTF_BIT(BTF_FUNC), 0, &id, err);
	if (st)
		return st;
	ret->unit = b;
	ret->id = id;
	return INQ_OK;
}

static enum inq_status find(const struct inq_machine *m, const char *module, const char *name,
			    struct inq_type *ret, struct inq_err *err)
{
	const struct machine_types *all;
	struct named t;
	enum inq_status st = take_apart(name, &t, err);

	if (!st)
		st = machine_types(m, module != NULL, &all, err);
	if (st)
		return st;
	*ret = t.shape;
	for (size_t i = 0; module && i < all->nr_modules; i++)
		if (!strcmp(btf_module(all->modules[i].btf), module) &&
		    (st = find_in(all->modules[i].btf, &t, ret, err)) != INQ_ENOTFOUND)
			return st;
	if ((st = find_in(all->btf, &t, ret, err)) != INQ_ENOTFOUND || module)
		return st;
	if ((st = machine_types(m, true, &all, err)))
		return st;
	for (size_t i = 0; i < all->nr_modules; i++)
		if ((st = find_in(all->modules[i].btf, &t, ret, err)) != INQ_ENOTFOUND)
			return st;
	return inq_fail(err, INQ_ENOTFOUND, "the kernel has no type %s", name);
}

enum inq_status inq_type_named(const struct inq_machine *m, const char *name, struct inq_type *ret,
			       struct inq_err *err)
{
	return find(m, NULL, name, ret, err);
}

enum inq_status inq_type_in(const struct inq_machine *m, const char *module, const char *name,
			    struct inq_type *ret, struct inq_err *err)
{
	return find(m, module, name, ret, err);
}

/* Of any enum: kernels have some thousands, and nobody asks in a loop. */
static enum inq_status find_enumerator(const struct btf *b, const char *name, uint64_t *ret,
				       struct inq_err *err)
{
	for (uint32_t id = btf_first(b); id < btf_end(b); id++) {
		struct btf_type t;
		const char *has = NULL;
		for (uint32_t i = 0; btf_type(b, id, &t) && btf_enumerator(&t, i, &has, ret); i++)
			if (!strcmp(has, name))
				return INQ_OK;
	}
	return inq_fail(err, INQ_ENOTFOUND, "no enum has %s", name);
}

enum inq_status inq_enum_value(const struct inq_machine *m, const char *type, const char *name,
			       uint64_t *ret, struct inq_err *err)
{
	const struct machine_types *all;
	struct inq_type t;
	const char *has;
	uint64_t v;
	enum inq_status st = machine_types(m, false, &all, err);

	if (st)
		return st;
	if (!type)
		return find_enumerator(all->btf, name, ret, err);
	if ((st = inq_type_named(m, type, &t, err)))
		return st;
	for (uint64_t i = 0; inq_type_enumerator(t, i, &has, &v); i++)
		if (!strcmp(has, name)) {
			*ret = v;
			return INQ_OK;
		}
	return inq_fail(err, INQ_ENOTFOUND, "%s has no %s", type, name);
}

enum inq_status inq_member_of(const struct inq_machine *m, const char *type, const char *path,
			      struct inq_member *ret, struct inq_err *err)
{
	struct inq_type t;
	enum inq_status st = inq_type_named(m, type, &t, err);

	return st ? st : inq_member(t, path, ret, err);
}
