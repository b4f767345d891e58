/*
 * Knows how BTF lies in memory.  Nothing in it is believed: each type's place is checked when it is
 * opened, each number that leads elsewhere when it is followed.
 * Source: Linux Documentation/bpf/btf.rst; include/uapi/linux/btf.h; kernel/bpf/btf.c
 * (btf_parse_module: a module's types and strings are numbered behind those of its base).
 */
#include "symbols/btf.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/block.h"

enum {
	MAGIC = 0xeb9f,
	VERSION = 1,
	TYPE_BYTES = 12,      /* struct btf_type */
	MAX_CHAIN = 64,       /* typedefs and qualifiers in a row: more is a loop */
	TYPES_PER_BUCKET = 4, /* few of them have names */
};

/* Types by name. */
struct names {
	uint32_t *bucket;    /* nr_buckets ids, 0: empty.  NULL: not made yet */
	uint32_t *next;      /* of each type from the first on: the next id in its bucket, or 0 */
	uint32_t nr_buckets; /* a power of two */
};

struct btf {
	const uint8_t *types; /* nr_bytes */
	const char *strings;  /* nr_chars; the last is NUL */
	uint32_t nr_bytes, nr_chars;
	const struct btf *base;
	uint32_t first, end; /* ids */
	uint32_t first_char; /* of the strings: those of the base have the numbers below */
	uint32_t *at;        /* of each type, from first on: its offset in types */
	struct names names, functions; /* made when first asked for: half of all are functions */
	char *module;
};

/* The caller checked that there are 4 bytes; they need not be aligned. */
static uint32_t word(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v)); /* some hundred thousands of them: a span is too slow */
	return le32toh(v);
}

struct header {
	uint32_t bytes, type_off, type_len, str_off, str_len;
};

/* False: no BTF of the version that there is. */
static bool read_header(const uint8_t *p, struct header *h)
{
	if (p[0] != (MAGIC & 0xff) || p[1] != MAGIC >> 8 || p[2] != VERSION || p[3])
		return false;
	h->bytes = word(p + 4);
	h->type_off = word(p + 8);
	h->type_len = word(p + 12);
	h->str_off = word(p + 16);
	h->str_len = word(p + 20);
	return true;
}

/* Where it ends, 0: it contradicts itself. */
static size_t end_of(const struct header *h)
{
	uint64_t types = (uint64_t)h->bytes + h->type_off + h->type_len;
	uint64_t chars = (uint64_t)h->bytes + h->str_off + h->str_len;
	uint64_t end = types > chars ? types : chars;

	if (h->bytes < BTF_HEADER || h->bytes > 4096 || h->bytes % 4 || h->type_off % 4 ||
	    h->type_len % 4 || !h->str_len || end > BTF_MAX_BYTES)
		return 0;
	return (size_t)end;
}

size_t btf_looks_like(const void *p, size_t n)
{
	struct header h;

	/* before it is read, any four bytes may be the magic: types follow the header at once */
	return n >= BTF_HEADER && read_header(p, &h) && !h.type_off && h.str_off >= h.type_len
		       ? end_of(&h)
		       : 0;
}

/* Bytes behind the common part of a type. */
static uint64_t more_bytes(enum btf_kind kind, uint32_t nr)
{
	switch (kind) {
	case BTF_INT:
	case BTF_VAR:
	case BTF_DECL_TAG:
		return 4;
	case BTF_ARRAY:
		return 12;
	case BTF_ENUM:
	case BTF_FUNC_PROTO:
		return UINT64_C(8) * nr;
	case BTF_STRUCT:
	case BTF_UNION:
	case BTF_DATASEC:
	case BTF_ENUM64:
		return UINT64_C(12) * nr;
	case BTF_VOID:
	case BTF_PTR:
	case BTF_FWD:
	case BTF_TYPEDEF:
	case BTF_VOLATILE:
	case BTF_CONST:
	case BTF_RESTRICT:
	case BTF_FUNC:
	case BTF_FLOAT:
	case BTF_TYPE_TAG:
	case BTF_NR_KINDS:
		break;
	}
	return 0;
}

static enum btf_kind kind_of(uint32_t info)
{
	return (enum btf_kind)(info >> 24 & 0x1f);
}

/* The place of the type behind the one at *at; false: there is none that lies in the types whole.
 */
static enum inq_status step(const struct btf *b, uint32_t *at, struct inq_err *err)
{
	uint32_t info = word(b->types + *at + 4);
	enum btf_kind kind = kind_of(info);

	if (kind == BTF_VOID || kind >= BTF_NR_KINDS)
		return inq_fail(err, INQ_EUNSUPPORTED, "type %u at 0x%x is of kind %u", b->end, *at,
				kind);
	uint64_t bytes = TYPE_BYTES + more_bytes(kind, info & 0xffff);
	if (bytes > b->nr_bytes - *at)
		return inq_fail(err, INQ_ECORRUPT, "type %u at 0x%x goes on behind the last byte",
				b->end, *at);
	*at += (uint32_t)bytes;
	return INQ_OK;
}

static enum inq_status index_types(struct btf *b, struct inq_err *err)
{
	b->at = block_alloc(b->nr_bytes / TYPE_BYTES + (size_t)1, sizeof(*b->at));
	if (!b->at)
		return inq_fail(err, INQ_ENOMEM, "types of %u bytes", b->nr_bytes);
	for (uint32_t at = 0; at < b->nr_bytes;) {
		if (b->end >= BTF_MAX_TYPES)
			return inq_fail(err, INQ_ELIMIT, "more than %d types", BTF_MAX_TYPES);
		if (b->nr_bytes - at < TYPE_BYTES)
			return inq_fail(err, INQ_ECORRUPT, "type %u is cut at 0x%x", b->end, at);
		b->at[b->end - b->first] = at;
		enum inq_status st = step(b, &at, err);
		if (st)
			return st;
		b->end++;
	}
	return INQ_OK;
}

static enum inq_status set_sections(struct btf *b, const uint8_t *p, size_t n, struct inq_err *err)
{
	struct header h;

	if (n < BTF_HEADER || !read_header(p, &h))
		return inq_fail(err, INQ_EUNSUPPORTED, "no BTF of version %d", VERSION);
	if (!end_of(&h) || end_of(&h) > n)
		return inq_fail(err, INQ_ECORRUPT,
				"%zu bytes, types at 0x%x + 0x%x, strings at 0x%x + 0x%x", n,
				h.type_off, h.type_len, h.str_off, h.str_len);
	b->types = p + h.bytes + h.type_off;
	b->nr_bytes = h.type_len;
	b->strings = (const char *)p + h.bytes + h.str_off;
	b->nr_chars = h.str_len;
	if (b->strings[b->nr_chars - 1])
		return inq_fail(err, INQ_ECORRUPT, "the last string does not end");
	if (!b->base && *b->strings) /* that is the name of what has none */
		return inq_fail(err, INQ_ECORRUPT, "the first string is not empty");
	return INQ_OK;
}

static enum inq_status fill(struct btf *b, const void *p, size_t n, const struct btf *base,
			    const char *module, struct inq_err *err)
{
	b->base = base;
	enum inq_status st = set_sections(b, p, n, err);
	if (st)
		return st;
	b->first = b->end = base ? base->end : 1;
	b->first_char = base ? base->first_char + base->nr_chars : 0;
	if (b->first_char > UINT32_MAX - b->nr_chars)
		return inq_fail(err, INQ_ELIMIT, "strings of 4 GiB");
	if (module && !(b->module = strdup(module)))
		return inq_fail(err, INQ_ENOMEM, "a name");
	return index_types(b, err);
}

enum inq_status btf_open(const void *p, size_t n, const struct btf *base, const char *module,
			 struct btf **ret, struct inq_err *err)
{
	INQ_SCOPED(btf_close_scope_) struct btf *b = calloc(1, sizeof(*b));
	enum inq_status st =
		b ? fill(b, p, n, base, module, err) : inq_fail(err, INQ_ENOMEM, "no memory");

	if (st)
		return inq_wrap(err, st, "BTF of %s", module ? module : "the kernel");
	*ret = inq_take(b);
	return INQ_OK;
}

static void names_deinit(struct names *n)
{
	free(n->bucket);
	free(n->next);
}

void btf_close(struct btf *b)
{
	if (!b)
		return;
	free(b->at);
	names_deinit(&b->names);
	names_deinit(&b->functions);
	free(b->module);
	free(b);
}

const char *btf_module(const struct btf *b)
{
	return b->module;
}

uint32_t btf_first(const struct btf *b)
{
	return b->first;
}

uint32_t btf_end(const struct btf *b)
{
	return b->end;
}

static const char *string_at(const struct btf *b, uint32_t off)
{
	while (b->base && off < b->first_char)
		b = b->base;
	return off - b->first_char < b->nr_chars ? b->strings + (off - b->first_char) : "";
}

static bool has_size(enum btf_kind kind)
{
	return BTF_BIT(kind) &
	       (BTF_BIT(BTF_INT) | BTF_BIT(BTF_ENUM) | BTF_BIT(BTF_ENUM64) | BTF_BIT(BTF_STRUCT) |
		BTF_BIT(BTF_UNION) | BTF_BIT(BTF_FLOAT) | BTF_BIT(BTF_DATASEC));
}

static bool has_parts(enum btf_kind kind)
{
	return BTF_BIT(kind) &
	       (BTF_BIT(BTF_ENUM) | BTF_BIT(BTF_ENUM64) | BTF_BIT(BTF_STRUCT) | BTF_BIT(BTF_UNION) |
		BTF_BIT(BTF_FUNC_PROTO) | BTF_BIT(BTF_DATASEC));
}

bool btf_type(const struct btf *b, uint32_t id, struct btf_type *ret)
{
	if (!id) {
		*ret = (struct btf_type){.of = b, .name = "void"};
		return true;
	}
	while (b->base && id < b->first)
		b = b->base;
	if (id < b->first || id >= b->end)
		return false;
	uint32_t at = b->at[id - b->first];
	const uint8_t *p = b->types + at;
	uint32_t info = word(p + 4), last = word(p + 8);
	enum btf_kind kind = kind_of(info);
	*ret = (struct btf_type){
		.of = b,
		.id = id,
		.kind = kind,
		.name = string_at(b, word(p)),
		.flag = info >> 31,
		.size = has_size(kind) ? last : 0,
		.type = has_size(kind) ? 0 : last,
		.nr = has_parts(kind) ? info & 0xffff : 0,
		.more = at + TYPE_BYTES,
	};
	/* again, for a file that somebody writes to meanwhile */
	return more_bytes(kind, info & 0xffff) <= b->nr_bytes - ret->more;
}

bool btf_part(const struct btf_type *t, uint32_t i, struct btf_part *ret)
{
	if (i >= t->nr || t->kind == BTF_ENUM || t->kind == BTF_ENUM64)
		return false;
	size_t bytes = t->kind == BTF_FUNC_PROTO ? 8 : 12;
	const uint8_t *p = t->of->types + t->more + bytes * i;
	struct btf_type var;

	*ret = (struct btf_part){.name = "", .type = word(p + 4)};
	if (t->kind != BTF_DATASEC)
		ret->name = string_at(t->of, word(p));
	if (t->kind == BTF_STRUCT || t->kind == BTF_UNION) {
		uint32_t off = word(p + 8); /* with kind_flag the upper 8 bits are a width */
		ret->bit_offset = t->flag ? off & 0xffffff : off;
		ret->bits = t->flag ? off >> 24 : 0;
	}
	if (t->kind == BTF_DATASEC) {
		ret->off = word(p + 4);
		ret->size = word(p + 8);
		ret->type = 0;
		if (!btf_type(t->of, word(p), &var) || var.kind != BTF_VAR)
			return false;
		ret->name = var.name;
		ret->type = var.type;
	}
	return true;
}

bool btf_enumerator(const struct btf_type *t, uint32_t i, const char **ret_name, uint64_t *ret)
{
	bool wide = t->kind == BTF_ENUM64;

	if (i >= t->nr || (!wide && t->kind != BTF_ENUM))
		return false;
	const uint8_t *p = t->of->types + t->more + (wide ? 12 : (size_t)8) * i;
	*ret_name = string_at(t->of, word(p));
	uint32_t low = word(p + 4);
	if (wide)
		*ret = (uint64_t)word(p + 8) << 32 | low;
	else /* the flag came with Linux 6.0, commit 6089fb325cf7; without it a sign is unknown */
		*ret = t->flag ? (uint64_t)(int64_t)(int32_t)low : low;
	return true;
}

bool btf_array(const struct btf_type *t, struct btf_array *ret)
{
	if (t->kind != BTF_ARRAY)
		return false;
	const uint8_t *p = t->of->types + t->more;
	*ret = (struct btf_array){.type = word(p), .nr = word(p + 8)};
	return true;
}

bool btf_int(const struct btf_type *t, struct btf_int *ret)
{
	if (t->kind != BTF_INT)
		return false;
	uint32_t v = word(t->of->types + t->more);
	*ret = (struct btf_int){
		.is_signed = v >> 24 & 1,
		.is_char = v >> 25 & 1,
		.is_bool = v >> 26 & 1,
		.off = v >> 16 & 0xff,
		.bits = v & 0xff,
	};
	return true;
}

bool btf_bare(const struct btf *b, uint32_t id, struct btf_type *ret)
{
	const unsigned wraps = BTF_BIT(BTF_TYPEDEF) | BTF_BIT(BTF_CONST) | BTF_BIT(BTF_VOLATILE) |
			       BTF_BIT(BTF_RESTRICT) | BTF_BIT(BTF_TYPE_TAG) | BTF_BIT(BTF_VAR);

	for (int i = 0; i < MAX_CHAIN; i++) {
		if (!btf_type(b, id, ret))
			return false;
		if (!(BTF_BIT(ret->kind) & wraps))
			return true;
		id = ret->type;
	}
	return false;
}

/* FNV-1a. */
static uint32_t hash_of(const char *s)
{
	uint32_t h = 2166136261u;

	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 16777619u;
	return h ^ h >> 15;
}

/* Chains are made from the last type on, so that they go up. */
static void fill_names(const struct btf *b, unsigned kinds, struct names *n)
{
	for (uint32_t i = b->end - b->first; i-- > 0;) {
		const uint8_t *p = b->types + b->at[i];
		uint32_t name = word(p);
		if (!name || !(BTF_BIT(kind_of(word(p + 4))) & kinds))
			continue;
		uint32_t *head = &n->bucket[hash_of(string_at(b, name)) & (n->nr_buckets - 1)];
		n->next[i] = *head;
		*head = b->first + i;
	}
}

static enum inq_status index_names(const struct btf *b, unsigned kinds, struct names *ret,
				   struct inq_err *err)
{
	uint32_t nr = b->end - b->first;
	struct names n = {.nr_buckets = 16};

	while (n.nr_buckets < nr / TYPES_PER_BUCKET)
		n.nr_buckets *= 2;
	n.bucket = block_alloc_zeroed(n.nr_buckets, sizeof(*n.bucket));
	n.next = block_alloc_zeroed(nr + (size_t)1, sizeof(*n.next));
	if (!n.bucket || !n.next) {
		names_deinit(&n);
		return inq_fail(err, INQ_ENOMEM, "names of %u types", nr);
	}
	fill_names(b, kinds, &n);
	*ret = n;
	return INQ_OK;
}

enum inq_status btf_find(const struct btf *b, const char *name, unsigned kinds, uint32_t from,
			 uint32_t *ret_id, struct inq_err *err)
{
	union {
		const struct btf *in;
		struct btf *out; /* only the index is made late */
	} lazy = {b};
	bool function = kinds == BTF_BIT(BTF_FUNC);
	struct names *n = function ? &lazy.out->functions : &lazy.out->names;
	unsigned held = function ? BTF_BIT(BTF_FUNC) : ~BTF_BIT(BTF_FUNC);
	enum inq_status st = n->bucket ? INQ_OK : index_names(b, held, n, err);

	if (st)
		return st;
	uint32_t id = n->bucket[hash_of(name) & (n->nr_buckets - 1)];
	for (; id; id = n->next[id - b->first]) {
		struct btf_type t;
		if (id >= from && btf_type(b, id, &t) && BTF_BIT(t.kind) & kinds &&
		    !strcmp(t.name, name)) {
			*ret_id = id;
			return INQ_OK;
		}
	}
	return inq_fail(err, INQ_ENOTFOUND, "no type %s", name);
}
