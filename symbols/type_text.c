/*
 * Knows how C declares things: from the inside out, with parentheses where a pointer leads to an
 * array or a function.
 */
#include <inquest/types.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "symbols/btf.h"

enum { MAX_DEPTH = 24, MAX_STEPS = 1024, TEXT = 512 };

/* What is declared so far: parts are put before and behind it. */
struct text {
	char s[TEXT];
	bool inner_pointer; /* the outermost part is a pointer's star */
	int depth;
	int *steps; /* of all that belong to one declaration: parameters multiply */
};

static void before(struct text *t, const char *part)
{
	size_t n = strlen(part), have = strlen(t->s);

	if (n + have >= TEXT) {
		if (n >= TEXT)
			n = TEXT - 1;
		have = TEXT - 1 - n;
	}
	memmove(t->s + n, t->s, have);
	memcpy(t->s, part, n);
	t->s[n + have] = 0;
}

static void behind(struct text *t, const char *part)
{
	size_t have = strlen(t->s);

	snprintf(t->s + have, TEXT - have, "%s", part);
}

static void put_array(struct text *t, uint64_t nr)
{
	char part[32] = "[]";

	if (nr && nr != INQ_ANY_NUMBER)
		snprintf(part, sizeof(part), "[%" PRIu64 "]", nr);
	if (t->inner_pointer) {
		before(t, "(");
		behind(t, ")");
	}
	behind(t, part);
	t->inner_pointer = false;
}

static void put_pointer(struct text *t)
{
	before(t, "*");
	t->inner_pointer = true;
}

/* "struct task_struct" before what is declared. */
static void put_name(struct text *t, const char *word, const char *name)
{
	char part[160];

	snprintf(part, sizeof(part), "%s%s%.120s%s", word, *word && *name ? " " : "", name,
		 *t->s && *t->s != '[' ? " " : "");
	before(t, part);
	t->inner_pointer = false;
}

static void put_type(struct text *t, const struct btf *b, uint32_t id);

static void put_parameters(struct text *t, const struct btf_type *proto)
{
	struct btf_part p;

	if (t->inner_pointer) {
		before(t, "(");
		behind(t, ")");
	}
	behind(t, "(");
	for (uint32_t i = 0; btf_part(proto, i, &p) && *t->steps <= MAX_STEPS; i++) {
		struct text one = {.depth = t->depth, .steps = t->steps};
		snprintf(one.s, sizeof(one.s), "%s", p.name);
		if (p.type)
			put_type(&one, proto->of, p.type);
		else
			snprintf(one.s, sizeof(one.s), "...");
		if (i)
			behind(t, ", ");
		behind(t, one.s);
	}
	behind(t, proto->nr ? ")" : "void)");
	t->inner_pointer = false;
}

/* A qualifier of a pointer stands behind its star, any other before the name. */
static void put_qualifier(struct text *t, const struct btf_type *q, const char *word)
{
	struct btf_type to;
	char part[16];

	if (btf_type(q->of, q->type, &to) && to.kind == BTF_PTR) {
		snprintf(part, sizeof(part), "%s%s", word, *t->s ? " " : "");
		before(t, part);
		put_type(t, q->of, q->type);
		return;
	}
	put_type(t, q->of, q->type);
	snprintf(part, sizeof(part), "%s ", word);
	before(t, part);
}

static const char *word_of(const struct btf_type *b)
{
	switch ((int)b->kind) {
	case BTF_STRUCT:
		return "struct";
	case BTF_UNION:
		return "union";
	case BTF_ENUM:
	case BTF_ENUM64:
		return "enum";
	case BTF_FWD:
		return b->flag ? "union" : "struct";
	case BTF_CONST:
		return "const";
	case BTF_VOLATILE:
		return "volatile";
	case BTF_RESTRICT:
		return "restrict";
	default:
		return "";
	}
}

static void put_type(struct text *t, const struct btf *b, uint32_t id)
{
	struct btf_type now;
	struct btf_array a;

	if (++t->depth > MAX_DEPTH || ++*t->steps > MAX_STEPS || !btf_type(b, id, &now)) {
		put_name(t, "?", "");
		return;
	}
	switch ((int)now.kind) {
	case BTF_PTR:
		put_pointer(t);
		put_type(t, now.of, now.type);
		return;
	case BTF_ARRAY:
		(void)btf_array(&now, &a);
		put_array(t, a.nr);
		put_type(t, now.of, a.type);
		return;
	case BTF_FUNC_PROTO:
		put_parameters(t, &now);
		put_type(t, now.of, now.type);
		return;
	case BTF_CONST:
	case BTF_VOLATILE:
	case BTF_RESTRICT:
		put_qualifier(t, &now, word_of(&now));
		return;
	case BTF_TYPE_TAG:
	case BTF_VAR:
	case BTF_FUNC:
		put_type(t, now.of, now.type);
		return;
	default:
		put_name(t, word_of(&now), now.name);
	}
}

void inq_type_format(struct inq_type t, const char *name, char *buf, size_t n)
{
	int steps = 0;
	struct text out = {.steps = &steps};

	snprintf(out.s, sizeof(out.s), "%s", name ? name : "");
	if (t.elements)
		put_array(&out, t.elements);
	for (uint32_t i = 0; i < t.pointers && i < MAX_DEPTH; i++)
		put_pointer(&out);
	if (t.unit)
		put_type(&out, t.unit, t.id);
	else
		put_name(&out, "?", "");
	snprintf(buf, n, "%s", out.s);
}
