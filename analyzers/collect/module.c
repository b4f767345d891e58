/* Modules of the kernel.  Sources: include/linux/module.h; sizes as /proc/modules adds them up. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "analyzers/collect/collectors.h"
#include "analyzers/collect/linux.h"

static const struct inq_column cols[] = {
	{"module", INQ_ADDR, "address of its struct module"},
	{"name", INQ_TEXT, "name"},
	{"state", INQ_TEXT, "live, coming, going, unformed"},
	{"base", INQ_ADDR, "first address of its code"},
	{"text_bytes", INQ_INT, "bytes of its code"},
	{"bytes", INQ_INT, "bytes of all that it has loaded"},
	{"refs", INQ_INT, "how often it is in use"},
	{"used_by", INQ_TEXT, "names of modules that use it"},
	{"taints", INQ_TEXT, "O out of tree, E unsigned, P proprietary, ...; empty: none"},
	{"version", INQ_TEXT, "as it says itself"},
	{"srcversion", INQ_TEXT, "checksum of its sources"},
	{"build_id", INQ_TEXT, "hex digits"},
	{0},
};

enum {
	NAME = 64,
	VERSION = 64,
	USERS = 1024,
	BUILD_ID = 20,
	MOST = 65536,
	AREAS = 16,   /* of struct module_memory, at most */
	REF_BASE = 1, /* kernel/module/main.c: MODULE_REF_BASE, while it is loaded */
};

struct module_shape {
	struct inq_field list, name, state, refs, users, taints, version, srcversion, build_id;
	struct inq_field base, bytes, text_bytes, init_bytes; /* to 6.3: core_layout, init_layout */
	struct inq_field area;                                /* since 6.4: an array of areas */
	struct inq_field area_base, area_size;                /* of struct module_memory */
	struct inq_field use_list, use_source;                /* of struct module_use */
	uint64_t size, area_bytes;
};

#define MOD(f, at, ...) LINUX_MEMBER(struct module_shape, f, at, __VA_ARGS__)
static const struct inq_shape_member members[] = {
	MOD(list, "list"),
	MOD(name, "name"),
	MOD(state, "state"),
	MOD(refs, "refcnt.counter", .optional = true),
	MOD(users, "source_list", .optional = true),
	MOD(taints, "taints", .optional = true),
	MOD(version, "version", .optional = true),
	MOD(srcversion, "srcversion", .optional = true),
	MOD(build_id, "build_id", .optional = true),
	MOD(base, "core_layout.base", .optional = true),
	MOD(bytes, "core_layout.size", .optional = true),
	MOD(text_bytes, "core_layout.text_size", .optional = true),
	MOD(init_bytes, "init_layout.size", .optional = true),
	MOD(area, "mem", .optional = true),
	{0},
};
static const struct inq_shape_member area_members[] = {
	MOD(area_base, "base"),
	MOD(area_size, "size"),
	{0},
};
static const struct inq_shape_member use_members[] = {
	MOD(use_list, "source_list"),
	MOD(use_source, "source"),
	{0},
};

struct modules {
	const struct inq_machine *m;
	struct inq_sink *out;
	struct module_shape shape;
	struct object mod;
};

static enum inq_status find_shape(const struct inq_machine *m, struct module_shape *s,
				  struct inq_err *err)
{
	enum inq_status st = inq_shape(m, "struct module", members, s, &s->size, err);

	if (!st && s->area.size)
		st = inq_shape(m, "struct module_memory", area_members, s, &s->area_bytes, err);
	if (!st && inq_shape(m, "struct module_use", use_members, s, NULL, NULL))
		s->use_list.size = 0;
	if (!st && !s->base.size && !s->area_bytes)
		st = inq_fail(err, INQ_ENOTFOUND, "struct module tells not where its code is");
	return st;
}

/* A field of area i of struct module. */
static bool area_get(const struct modules *t, uint64_t i, const struct inq_field *f, uint64_t *ret)
{
	struct inq_field at = *f;

	at.off += t->shape.area.off + (uint32_t)(i * t->shape.area_bytes);
	return object_get(&t->mod, &at, ret);
}

struct place {
	struct inq_value base, text_bytes, bytes;
};

static struct place place_of(const struct modules *t)
{
	const struct module_shape *s = &t->shape;
	struct place p = {object_addr(&t->mod, &s->base), object_int(&t->mod, &s->text_bytes),
			  object_int(&t->mod, &s->bytes)};
	uint64_t base = 0, text = 0, sum = 0, size = 0;

	if (!s->area.size) {
		if (p.bytes.kind == INQ_INT && object_get(&t->mod, &s->init_bytes, &size))
			p.bytes.i += (int64_t)size;
		return p;
	}
	for (uint64_t i = 0; i < AREAS && (i + 1) * s->area_bytes <= s->area.size; i++) {
		if (!area_get(t, i, &s->area_size, &size))
			return p;
		sum += size;
		text = i ? text : size; /* MOD_TEXT is the first */
	}
	if (area_get(t, 0, &s->area_base, &base))
		p = (struct place){INQ_V_ADDR(base), INQ_V_INT(text), INQ_V_INT(sum)};
	return p;
}

static void add_name(char *users, const char *name)
{
	size_t at = strlen(users), len = strnlen(name, NAME);

	if (at + len + 2 > USERS)
		return;
	if (at)
		users[at++] = ',';
	memcpy(users + at, name, len);
	users[at + len] = '\0';
}

/* module.source_list: a module_use for every module that uses this one. */
static struct inq_value users_of(const struct modules *t, char users[USERS])
{
	const struct module_shape *s = &t->shape;
	struct inq_walk *w = NULL;
	enum inq_status st = s->users.size && s->use_list.size ? INQ_OK : INQ_ENOTFOUND;

	*users = '\0';
	if (!st)
		st = inq_walk_open(t->m, INQ_WALK_LIST, t->mod.addr + s->users.off, s->use_list.off,
				   MOST, &w, NULL);
	while (!st) {
		uint64_t use = 0, user = 0;
		char name[NAME] = "";
		bool more = false;
		st = inq_walk_next(w, &use, NULL, &more, NULL);
		if (st || !more)
			break;
		st = inq_read_field(t->m, use, &s->use_source, &user, NULL);
		st = st ? st : linux_string(t->m, user + s->name.off, name, sizeof(name), NULL);
		if (!st)
			add_name(users, name);
	}
	inq_walk_close(w);
	return st ? INQ_V_NULL : INQ_V_TEXT(users);
}

static struct inq_value state_of(const struct modules *t)
{
	/* enum module_state */
	static const char *const names[] = {"live", "coming", "going", "unformed"};
	uint64_t v;

	return object_get(&t->mod, &t->shape.state, &v) && v < 4 ? INQ_V_TEXT(names[v])
								 : INQ_V_NULL;
}

static struct inq_value pointed(const struct modules *t, const struct inq_field *f,
				char buf[VERSION])
{
	uint64_t at;

	if (!object_get(&t->mod, f, &at) || !at || linux_string(t->m, at, buf, VERSION, NULL))
		return INQ_V_NULL;
	return v_text(buf);
}

static struct inq_value build_id_of(const struct modules *t, char hex[2 * BUILD_ID + 1])
{
	const struct inq_field *f = &t->shape.build_id;
	char raw[BUILD_ID + 1];
	bool any = false;

	if (f->size != BUILD_ID || !object_text(&t->mod, f, raw, sizeof(raw)))
		return INQ_V_NULL;
	for (int i = 0; i < BUILD_ID; i++) {
		snprintf(hex + 2 * i, 3, "%02x", (unsigned char)raw[i]);
		any = any || raw[i];
	}
	return any ? INQ_V_TEXT(hex) : INQ_V_NULL;
}

static enum inq_status put_module(const struct modules *t, struct inq_err *err)
{
	const struct module_shape *s = &t->shape;
	char name[NAME], users[USERS], taints[65] = "", version[VERSION], src[VERSION];
	char hex[2 * BUILD_ID + 1];
	struct place p = place_of(t);
	uint64_t mask = 0, refs = 0;
	bool named = object_text(&t->mod, &s->name, name, sizeof(name));
	bool tainted = object_get(&t->mod, &s->taints, &mask);
	bool counted = object_get(&t->mod, &s->refs, &refs);

	linux_taints(mask, taints);
	return INQ_ROW(t->out, err, INQ_V_ADDR(t->mod.addr), named ? INQ_V_TEXT(name) : INQ_V_NULL,
		       state_of(t), p.base, p.text_bytes, p.bytes,
		       counted ? INQ_V_INT((int64_t)refs - REF_BASE) : INQ_V_NULL,
		       users_of(t, users), tainted ? INQ_V_TEXT(taints) : INQ_V_NULL,
		       pointed(t, &s->version, version), pointed(t, &s->srcversion, src),
		       build_id_of(t, hex));
}

static enum inq_status on_module(void *ctx, uint64_t addr, struct inq_err *err)
{
	struct modules *t = ctx;
	struct inq_err why = {0};

	if (object_read(&t->mod, t->m, addr, t->shape.size, t->out, &why))
		return linux_gap(t->m, t->out, addr, t->shape.size, &why, err);
	return put_module(t, err);
}

static enum inq_status run(const struct inq_machine *m, struct inq_sink *out, struct inq_err *err)
{
	struct modules t = {.m = m, .out = out};
	struct inq_err why = {0};
	struct inq_type type;
	uint64_t head = 0;
	bool go = false;

	enum inq_status st = linux_start(m, out, &go, err);
	if (st || !go)
		return st;
	enum inq_status bad = inq_var(m, "modules", &head, &type, &why);
	bad = bad ? bad : find_shape(m, &t.shape, &why);
	return bad ? linux_gap(m, out, 0, 0, &why, err)
		   : linux_list_each(m, out, head, t.shape.list.off, MOST, on_module, &t, err);
}

const struct inq_collector collect_module = {
	.table = "module",
	.doc = "modules of the kernel that are loaded",
	.cols = cols,
	.nr_keys = 1,
	.run = run,
};
