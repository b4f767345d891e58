/* Knows how to follow members and pointers from a variable or an object on. */
#include "machine/expr.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "machine/place.h"
#include "machine/vars.h"

enum { NAME = 160, PATH = 256, MAX_ARROWS = 32 };

/* A text, taken apart. */
struct expr {
	unsigned stars;  /* before it */
	char base[NAME]; /* the variable, or the type */
	const char *path;
};

static enum inq_status take_apart(const char *text, bool is_type, struct expr *ret,
				  struct inq_err *err)
{
	*ret = (struct expr){.stars = 0};
	text += strspn(text, " ");
	while (*text == '*') {
		ret->stars++;
		text++;
	}
	size_t n = strcspn(text, is_type ? "." : ".[-");
	const char *arrow = strstr(text, "->");
	if (arrow && (size_t)(arrow - text) < n)
		n = (size_t)(arrow - text);
	if (!n || n >= sizeof(ret->base) || ret->stars > MAX_ARROWS)
		return inq_fail(err, INQ_EUSAGE, "%s: no %s to begin with", text,
				is_type ? "type" : "variable");
	memcpy(ret->base, text, n);
	ret->base[n] = 0;
	ret->path = text + n;
	return INQ_OK;
}

static void whole(struct machine_object *o, uint64_t addr, struct inq_type t)
{
	uint64_t size = inq_type_size(t);

	*o = (struct machine_object){
		.addr = addr,
		.mb = {.name = "", .type = t, .size = size > UINT32_MAX ? 0 : (uint32_t)size}};
}

/* The object leads on: become what its pointer leads to. */
static enum inq_status follow(const struct inq_machine *m, struct machine_object *o,
			      struct inq_err *err)
{
	struct inq_type_info info;
	uint64_t to = 0;
	char type[96];

	inq_type_info(o->mb.type, &info);
	if (info.kind != INQ_TYPE_POINTER) {
		inq_type_format(o->mb.type, o->mb.name, type, sizeof(type));
		return inq_fail(err, INQ_EUSAGE, "%s is no pointer", type);
	}
	enum inq_status st = inq_read_u64(m, o->addr, &to, err);
	if (!st && !to)
		st = inq_fail_at(err, INQ_EFAULT, o->addr, "%s at 0x%" PRIx64 " is NULL",
				 *o->mb.name ? o->mb.name : "the pointer", o->addr);
	if (!st)
		whole(o, to, inq_type_target(o->mb.type));
	return st;
}

static enum inq_status to_part(struct machine_object *o, const char *path, size_t n,
			       struct inq_err *err)
{
	char part[PATH];
	struct inq_member mb;

	if (n >= sizeof(part))
		return inq_fail(err, INQ_EUSAGE, "%s: too long", path);
	memcpy(part, path, n);
	part[n] = 0;
	enum inq_status st = inq_member(o->mb.type, part, &mb, err);
	if (st)
		return st;
	o->addr += mb.bit_offset / 8;
	mb.bit_offset %= 8;
	o->mb = mb;
	return INQ_OK;
}

static enum inq_status walk_path(const struct inq_machine *m, const char *path,
				 struct machine_object *o, struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	for (int i = 0; !st && *path; i++) {
		const char *arrow = strstr(path, "->");
		size_t n = arrow ? (size_t)(arrow - path) : strlen(path);
		if (i == MAX_ARROWS)
			return inq_fail(err, INQ_ELIMIT, "more than %d pointers", MAX_ARROWS);
		if (n)
			st = to_part(o, path, n, err);
		path += n;
		if (!st && arrow) {
			st = follow(m, o, err);
			path += 2;
			if (!*path)
				return inq_fail(err, INQ_EUSAGE, "no member behind ->");
		}
	}
	return st;
}

static enum inq_status start_at_variable(const struct inq_machine *m, const char *name,
					 uint32_t cpu, struct machine_object *ret,
					 struct inq_err *err)
{
	struct machine_var v;
	uint64_t base = 0;
	enum inq_status st = machine_var(m, name, &v, err);

	if (st)
		return st;
	if (v.is_per_cpu && cpu == MACHINE_NO_CPU)
		return inq_fail(err, INQ_EUSAGE, "%s: each CPU has one; --cpu says whose", name);
	if (!v.is_per_cpu && cpu != MACHINE_NO_CPU)
		return inq_fail(err, INQ_EUSAGE, "%s is no per-CPU variable", name);
	if (v.is_per_cpu && (st = inq_per_cpu_base(m, cpu, &base, err)))
		return st;
	if (!v.type.unit && !machine_var_by_debug_file(m, name, &v))
		return inq_fail(err, INQ_ENOTFOUND,
				"%s lies at 0x%" PRIx64 ", its type is unknown: print TYPE %s",
				name, v.addr, name);
	whole(ret, base + v.addr, v.type);
	return INQ_OK;
}

enum inq_status machine_object(const struct inq_machine *m, const char *text, const uint64_t *addr,
			       uint32_t cpu, struct machine_object *ret, struct inq_err *err)
{
	struct expr e;
	struct inq_type t;
	enum inq_status st = take_apart(text, addr != NULL, &e, err);

	if (!st && !addr)
		st = start_at_variable(m, e.base, cpu, ret, err);
	else if (!st && !(st = inq_type_named(m, e.base, &t, err)))
		whole(ret, *addr, t);
	if (!st)
		st = walk_path(m, e.path, ret, err);
	for (unsigned i = 0; !st && i < e.stars; i++)
		st = follow(m, ret, err);
	return st;
}

bool machine_object_per_cpu(const struct inq_machine *m, const char *text)
{
	struct expr e;
	struct machine_var v;

	return !take_apart(text, false, &e, NULL) && !machine_var(m, e.base, &v, NULL) &&
	       v.is_per_cpu;
}

enum inq_status machine_object_addr(const struct inq_machine *m, const char *text, uint64_t *ret,
				    struct inq_err *err)
{
	struct machine_object o;
	struct machine_var v;
	struct machine_where w;
	enum inq_status st;

	if (machine_number(text, strlen(text), ret))
		return INQ_OK;
	if (!machine_var(m, text, &v, NULL) && !v.is_per_cpu) { /* also one of unknown type */
		*ret = v.addr;
		return INQ_OK;
	}
	if ((st = machine_object(m, text, NULL, MACHINE_NO_CPU, &o, err)))
		return machine_place(m, text, &w, ret, NULL) ? st : INQ_OK;
	*ret = o.addr;
	return INQ_OK;
}
