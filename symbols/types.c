/*
 * Knows what C makes of the kinds of BTF: sizes, members by path, declarations.  What a hostile BTF
 * nests in itself ends at a depth, and at a number of steps.
 */
#include <inquest/types.h>

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/btf.h"

enum {
	POINTER = 8,         /* bytes, x86-64 */
	MAX_DEPTH = 32,      /* of arrays in arrays, of anonymous members in such */
	MAX_LOOKS = 1 << 20, /* members looked at for one path */
	MAX_PARTS = 64,      /* of a path */
};

static struct inq_type of(const struct btf *b, uint32_t id)
{
	return (struct inq_type){.unit = b, .id = id};
}

static bool bare_of(struct inq_type t, struct btf_type *ret)
{
	return t.unit && btf_bare(t.unit, t.id, ret);
}

/* A product, 0 where it does not fit: nothing in memory is as large. */
static uint64_t times(uint64_t a, uint64_t b)
{
	uint64_t product;

	return __builtin_mul_overflow(a, b, &product) ? 0 : product;
}

static uint64_t size_of(const struct btf *b, uint32_t id, int depth)
{
	struct btf_type t;
	struct btf_array a;

	if (depth == MAX_DEPTH || !btf_bare(b, id, &t))
		return 0;
	if (btf_array(&t, &a))
		return times(a.nr, size_of(t.of, a.type, depth + 1));
	return t.kind == BTF_PTR ? POINTER : t.size;
}

uint64_t inq_type_size(struct inq_type t)
{
	uint64_t one = t.pointers ? POINTER : t.unit ? size_of(t.unit, t.id, 0) : 0;

	return !t.elements ? one : t.elements == INQ_ANY_NUMBER ? 0 : times(t.elements, one);
}

static enum inq_type_kind kind_of(enum btf_kind kind)
{
	static const enum inq_type_kind as[BTF_NR_KINDS] = {
		[BTF_INT] = INQ_TYPE_INT,       [BTF_FLOAT] = INQ_TYPE_FLOAT,
		[BTF_PTR] = INQ_TYPE_POINTER,   [BTF_ARRAY] = INQ_TYPE_ARRAY,
		[BTF_STRUCT] = INQ_TYPE_STRUCT, [BTF_UNION] = INQ_TYPE_UNION,
		[BTF_ENUM] = INQ_TYPE_ENUM,     [BTF_ENUM64] = INQ_TYPE_ENUM,
		[BTF_FUNC] = INQ_TYPE_FUNC,     [BTF_FUNC_PROTO] = INQ_TYPE_FUNC,
		[BTF_FWD] = INQ_TYPE_FORWARD,
	};

	return as[kind];
}

/* A function's prototype; false: t is none. */
static bool proto_of(struct btf_type *t)
{
	return t->kind == BTF_FUNC_PROTO ||
	       (t->kind == BTF_FUNC && btf_bare(t->of, t->type, t) && t->kind == BTF_FUNC_PROTO);
}

void inq_type_info(struct inq_type t, struct inq_type_info *ret)
{
	struct btf_type b;
	struct btf_int i = {0};
	struct btf_array a = {0};

	*ret = (struct inq_type_info){.name = "", .size = inq_type_size(t)};
	if (t.elements || t.pointers) {
		ret->kind = t.elements ? INQ_TYPE_ARRAY : INQ_TYPE_POINTER;
		ret->nr = t.elements;
		return;
	}
	if (!bare_of(t, &b))
		return;
	(void)btf_int(&b, &i);
	ret->kind = kind_of(b.kind);
	ret->name = b.name;
	ret->nr = btf_array(&b, &a) ? a.nr : b.nr;
	ret->is_signed = i.is_signed || (ret->kind == INQ_TYPE_ENUM && b.flag);
	/* compilers mark no type as char: its name tells */
	ret->is_char = i.is_char || (b.kind == BTF_INT && b.size == 1 && strstr(b.name, "char"));
	ret->is_bool = i.is_bool;
	if (ret->kind == INQ_TYPE_FUNC && proto_of(&b))
		ret->nr = b.nr;
}

struct inq_type inq_type_target(struct inq_type t)
{
	struct btf_type b;
	struct btf_array a;

	if (t.elements) {
		t.elements = 0;
		return t;
	}
	if (t.pointers) {
		t.pointers--;
		return t;
	}
	if (!bare_of(t, &b))
		return (struct inq_type){0};
	if (btf_array(&b, &a))
		return of(b.of, a.type);
	if (b.kind == BTF_PTR || (kind_of(b.kind) == INQ_TYPE_FUNC && proto_of(&b)))
		return of(b.of, b.type);
	return (struct inq_type){0};
}

static void set_member(const struct btf_type *t, const struct btf_part *p, struct inq_member *ret)
{
	uint64_t size = size_of(t->of, p->type, 0);

	*ret = (struct inq_member){
		.name = p->name,
		.bit_offset = p->bit_offset,
		.bits = p->bits,
		.size = size > UINT32_MAX ? 0 : (uint32_t)size,
		.type = of(t->of, p->type),
	};
}

bool inq_type_member(struct inq_type t, uint64_t i, struct inq_member *ret)
{
	struct btf_type b;
	struct btf_part p;

	if (t.elements || t.pointers || !bare_of(t, &b) || i > UINT32_MAX)
		return false;
	if (b.kind == BTF_FUNC && !proto_of(&b))
		return false;
	if (b.kind == BTF_DATASEC || !btf_part(&b, (uint32_t)i, &p))
		return false;
	set_member(&b, &p, ret);
	return true;
}

bool inq_type_enumerator(struct inq_type t, uint64_t i, const char **ret_name, uint64_t *ret)
{
	struct btf_type b;

	return !t.elements && !t.pointers && bare_of(t, &b) && i < b.nr &&
	       btf_enumerator(&b, (uint32_t)i, ret_name, ret);
}

const char *inq_type_enum_name(struct inq_type t, uint64_t value)
{
	const char *name;
	uint64_t v;

	for (uint64_t i = 0; inq_type_enumerator(t, i, &name, &v); i++)
		if (v == value)
			return name;
	return NULL;
}

const char *inq_type_module(struct inq_type t)
{
	return t.unit ? btf_module(t.unit) : NULL;
}

/* A search for one name among members, those of anonymous ones included. */
struct hunt {
	const char *name;
	size_t n;
	unsigned looks;
	struct inq_member *out;
};

static bool hunt_in(struct hunt *h, const struct btf_type *t, uint64_t bit, int depth)
{
	struct btf_part p;
	struct btf_type inner;

	if ((t->kind != BTF_STRUCT && t->kind != BTF_UNION) || depth == MAX_DEPTH)
		return false;
	for (uint32_t i = 0; btf_part(t, i, &p) && h->looks < MAX_LOOKS; i++) {
		h->looks++;
		if (!strncmp(p.name, h->name, h->n) && !p.name[h->n]) {
			set_member(t, &p, h->out);
			h->out->bit_offset += bit;
			return true;
		}
		if (!*p.name && btf_bare(t->of, p.type, &inner) &&
		    hunt_in(h, &inner, bit + p.bit_offset, depth + 1))
			return true;
	}
	return false;
}

static enum inq_status fail_member(struct inq_type t, const char *name, size_t n,
				   struct inq_err *err)
{
	char type[96];

	inq_type_format(t, NULL, type, sizeof(type));
	return inq_fail(err, INQ_ENOTFOUND, "%s has no member %.*s", type, (int)n, name);
}

/* mb is at what the path has led to; go on to the member of that name. */
static enum inq_status to_member(const char *name, size_t n, struct inq_member *mb,
				 struct inq_err *err)
{
	struct btf_type t;
	struct inq_member found;
	struct hunt h = {.name = name, .n = n, .out = &found};

	if (!n)
		return inq_fail(err, INQ_EUSAGE, "a member's name is missing before: %s", name);
	if (mb->type.elements || mb->type.pointers || !bare_of(mb->type, &t) ||
	    !hunt_in(&h, &t, 0, 0))
		return fail_member(mb->type, name, n, err);
	found.bit_offset += mb->bit_offset;
	*mb = found;
	return INQ_OK;
}

/* The same for an element; *path stands behind the bracket. */
static enum inq_status to_element(const char **path, struct inq_member *mb, struct inq_err *err)
{
	struct inq_type_info info;
	char *end;

	inq_type_info(mb->type, &info);
	if (!isdigit((unsigned char)**path))
		return inq_fail(err, INQ_EUSAGE, "no number between brackets: [%s", *path);
	uint64_t i = strtoull(*path, &end, 0);
	if (*end != ']')
		return inq_fail(err, INQ_EUSAGE, "no number between brackets: [%s", *path);
	if (info.kind != INQ_TYPE_ARRAY)
		return inq_fail(err, INQ_EUSAGE, "no array before [%s", *path);
	/* 0 elements: as many as there is room for */
	if (info.nr && i >= info.nr)
		return inq_fail(err, INQ_EUSAGE, "[%" PRIu64 "] of %" PRIu64 " elements", i,
				info.nr);
	*path = end + 1;
	mb->type = inq_type_target(mb->type);
	uint64_t size = inq_type_size(mb->type);
	if (i > UINT32_MAX || size > UINT32_MAX)
		return inq_fail(err, INQ_ELIMIT, "[%" PRIu64 "] is too far away", i);
	mb->bit_offset += i * size * 8;
	mb->bits = 0;
	mb->size = (uint32_t)size;
	return INQ_OK;
}

enum inq_status inq_member(struct inq_type t, const char *path, struct inq_member *ret,
			   struct inq_err *err)
{
	uint64_t size = inq_type_size(t);
	struct inq_member mb = {
		.name = "", .type = t, .size = size > UINT32_MAX ? 0 : (uint32_t)size};

	if (!*path)
		return inq_fail(err, INQ_EUSAGE, "no member is named");
	for (int i = 0; *path; i++) {
		enum inq_status st;
		if (i == MAX_PARTS)
			return inq_fail(err, INQ_ELIMIT, "a path of more than %d parts", MAX_PARTS);
		if (*path == '[') {
			path++;
			st = to_element(&path, &mb, err);
		} else {
			path += *path == '.';
			size_t n = strcspn(path, ".[");
			st = to_member(path, n, &mb, err);
			path += n;
		}
		if (st)
			return st;
	}
	*ret = mb;
	return INQ_OK;
}
