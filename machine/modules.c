/*
 * Knows the kernel's list of modules, and what a module says of its memory: core_layout and
 * init_layout until Linux 6.3, since then mem[], one for each kind.
 * Source: Linux include/linux/module.h (struct module, enum mod_mem_type), kernel/module/main.c
 * (modules), kernel/module/procfs.c (m_show).
 */
#include "machine/names.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <inquest/types.h>

enum {
	MAX_MODULES = 4096,
	MAX_STRUCT = 1 << 16, /* bytes; a struct module has about 1000 */
	INIT_TEXT = 4,        /* MOD_INIT_TEXT */
	UNFORMED = 3,         /* MODULE_STATE_UNFORMED: nothing of it is set up yet */
};
/* What a module can map: arch/x86's room for all of them has 1.5 GiB at most. */
#define MAX_REGION UINT64_C(0x60000000)

/* Where things are in a struct module. */
struct module_offs {
	struct inq_field list, name, state, kallsyms;
	struct inq_field core, core_bytes, core_text, init, init_bytes, init_text;
	struct {
		struct inq_field addr, bytes;
	} mem[MACHINE_MODULE_REGIONS];
	uint64_t bytes;
};
#define OFFS(f) offsetof(struct module_offs, f)
#define MEM(i)                                                                                     \
	{OFFS(mem[i].addr), "mem[" #i "].base", .optional = true},                                 \
	{                                                                                          \
		OFFS(mem[i].bytes), "mem[" #i "].size", .optional = true                           \
	}

static const struct inq_shape_member members[] = {
	{OFFS(list), "list.next"},
	{OFFS(name), "name"},
	{OFFS(state), "state"},
	{OFFS(kallsyms), "kallsyms", .optional = true}, /* CONFIG_KALLSYMS */
	{OFFS(core), "core_layout.base", .optional = true},
	{OFFS(core_bytes), "core_layout.size", .optional = true},
	{OFFS(core_text), "core_layout.text_size", .optional = true},
	{OFFS(init), "init_layout.base", .optional = true},
	{OFFS(init_bytes), "init_layout.size", .optional = true},
	{OFFS(init_text), "init_layout.text_size", .optional = true},
	MEM(0),
	MEM(1),
	MEM(2),
	MEM(3),
	MEM(4),
	MEM(5),
	MEM(6),
	{0},
};

void machine_modules_destroy(struct machine_modules *mods)
{
	if (!mods)
		return;
	for (size_t i = 0; i < mods->nr; i++)
		kallsyms_close(mods->of[i].names);
	free(mods->of);
	free(mods->pub);
	free(mods);
}

/* One module that was read. */
struct raw {
	const struct module_offs *offs;
	const uint8_t *p;
};

/* 0 where the structure has no such member. */
static uint64_t field(const struct raw *r, const struct inq_field *f)
{
	uint64_t v = 0;

	return f->size && inq_field_of(f, r->p, r->offs->bytes, &v) ? v : 0;
}

static void add_region(struct machine_module *of, struct inq_module *pub, size_t i, uint64_t addr,
		       uint64_t bytes)
{
	if (!addr || !bytes || bytes > MAX_REGION || addr > UINT64_MAX - bytes)
		return;
	of->region[i].addr = addr;
	of->region[i].bytes = bytes;
	pub->bytes += bytes;
}

static void take_regions(const struct raw *r, struct machine_module *of, struct inq_module *pub)
{
	const struct module_offs *o = r->offs;

	if (o->mem[0].addr.size) {
		for (size_t i = 0; i < MACHINE_MODULE_REGIONS; i++)
			add_region(of, pub, i, field(r, &o->mem[i].addr),
				   field(r, &o->mem[i].bytes));
		pub->text_bytes = of->region[0].bytes;
		pub->init_text_bytes = of->region[INIT_TEXT].bytes;
	} else {
		add_region(of, pub, 0, field(r, &o->core), field(r, &o->core_bytes));
		add_region(of, pub, INIT_TEXT, field(r, &o->init), field(r, &o->init_bytes));
		pub->text_bytes = field(r, &o->core_text);
		pub->init_text_bytes = field(r, &o->init_text);
	}
	if (pub->text_bytes > of->region[0].bytes)
		pub->text_bytes = of->region[0].bytes;
	if (pub->init_text_bytes > of->region[INIT_TEXT].bytes)
		pub->init_text_bytes = of->region[INIT_TEXT].bytes;
	pub->base = pub->text = of->region[0].addr;
	pub->init_text = pub->init_text_bytes ? of->region[INIT_TEXT].addr : 0;
}

static void take_name(const struct raw *r, struct machine_module *of)
{
	const struct inq_field *f = &r->offs->name;
	size_t n = f->size < sizeof(of->name) ? f->size : sizeof(of->name) - 1;

	if (f->off <= r->offs->bytes && n <= r->offs->bytes - f->off)
		memcpy(of->name, r->p + f->off, n);
}

static enum inq_status take_names(const struct inq_machine *m, const struct raw *r,
				  struct machine_module *of, struct inq_module *pub)
{
	uint64_t table = field(r, &r->offs->kallsyms);

	if (pub->state == UNFORMED || !table)
		pub->damage =
			inq_fail(&of->why, INQ_EABSENT, "%s: it has no symbols yet", of->name);
	else
		pub->damage =
			inq_wrap(&of->why, machine_module_symbols(m, table, &of->names, &of->why),
				 "symbols of module %s", of->name);
	pub->nr_symbols = of->names ? of->names->nr : 0;
	return pub->damage == INQ_ENOMEM ? INQ_ENOMEM : INQ_OK;
}

static enum inq_status take_module(const struct inq_machine *m, struct machine_modules *mods,
				   uint64_t addr, const struct raw *r)
{
	struct machine_module *of = &mods->of[mods->nr];
	struct inq_module *pub = &mods->pub[mods->nr];

	*of = (struct machine_module){0};
	*pub = (struct inq_module){.addr = addr};
	take_name(r, of);
	pub->state = (unsigned int)field(r, &r->offs->state);
	if (pub->state != UNFORMED)
		take_regions(r, of, pub);
	mods->nr++;
	return take_names(m, r, of, pub);
}

static enum inq_status grow(struct machine_modules *mods, struct inq_err *err)
{
	size_t cap = mods->nr ? 2 * mods->nr : 64;

	if (mods->nr && (mods->nr < 64 || mods->nr & (mods->nr - 1)))
		return INQ_OK;
	struct inq_module *pub = reallocarray(mods->pub, cap, sizeof(*pub));
	if (pub)
		mods->pub = pub;
	struct machine_module *of = reallocarray(mods->of, cap, sizeof(*of));
	if (of)
		mods->of = of;
	return pub && of ? INQ_OK : inq_fail(err, INQ_ENOMEM, "%zu modules", cap);
}

/* Is it the head of a list?  One neighbour that says so is enough: the other can be torn. */
static bool is_list(const struct inq_machine *m, uint64_t head)
{
	uint64_t next, prev, back;

	if (!inq_read_u64(m, head, &next, NULL) && !inq_read_u64(m, next + 8, &back, NULL) &&
	    back == head)
		return true;
	return !inq_read_u64(m, head + 8, &prev, NULL) && !inq_read_u64(m, prev, &back, NULL) &&
	       back == head;
}

/* Others have called a variable so as well. */
static enum inq_status find_head(const struct inq_machine *m, const struct kallsyms *k,
				 uint64_t *ret, struct inq_err *err)
{
	bool any = false;

	for (size_t i = 0; (i = machine_names_scan(k, "modules", i)) < k->nr; i++) {
		any = true;
		*ret = k->symbol[i].addr;
		if (is_list(m, *ret))
			return INQ_OK;
	}
	return any ? inq_fail_at(err, INQ_ECORRUPT, *ret,
				 "modules at 0x%" PRIx64 ": not the head of a list", *ret)
		   : inq_fail(err, INQ_EABSENT, "no symbol is named modules");
}

static enum inq_status walk(const struct inq_machine *m, struct machine_modules *mods,
			    uint64_t head, const struct module_offs *offs, struct inq_err *err)
{
	struct inq_walk *w = NULL;
	uint8_t *buf = malloc(offs->bytes);
	struct raw r = {offs, buf};
	uint64_t addr = 0;
	bool more = false;
	enum inq_status st =
		buf ? inq_walk_open(m, INQ_WALK_LIST, head, offs->list.off, MAX_MODULES, &w, err)
		    : inq_fail(err, INQ_ENOMEM, "a module");

	while (!st && !(st = inq_walk_next(w, &addr, NULL, &more, err)) && more) {
		st = inq_read_kernel(m, addr, buf, offs->bytes, err);
		if (!st)
			st = grow(mods, err);
		if (!st && (st = take_module(m, mods, addr, &r)))
			st = inq_fail(err, st, "symbols of a module");
	}
	inq_walk_close(w);
	free(buf);
	return st;
}

/* Pointers into what has stopped growing. */
static void point(struct machine_modules *mods)
{
	for (size_t i = 0; i < mods->nr; i++) {
		mods->pub[i].name = mods->of[i].name;
		mods->pub[i].why = mods->pub[i].damage ? mods->of[i].why.msg : "";
	}
}

static enum inq_status find(const struct inq_machine *m, const struct machine_names *n,
			    struct machine_modules *mods)
{
	struct module_offs offs;
	uint64_t head = 0;
	enum inq_status st = find_head(m, n->kernel, &head, &mods->why);

	if (!st)
		st = inq_shape(m, "struct module", members, &offs, &offs.bytes, &mods->why);
	if (!st && (!offs.bytes || offs.bytes > MAX_STRUCT))
		st = inq_fail(&mods->why, INQ_ELIMIT, "struct module has %" PRIu64 " bytes",
			      offs.bytes);
	if (!st && walk(m, mods, head, &offs, &mods->cut) == INQ_ENOMEM)
		st = INQ_ENOMEM;
	return st;
}

enum inq_status machine_modules(const struct inq_machine *m, struct machine_names *n,
				struct inq_err *err)
{
	if (n->modules)
		return INQ_OK;
	if (n->finding_modules) /* types are asked what a module is, and may ask for modules' */
		return inq_fail(err, INQ_EABSENT, "modules are being looked for");
	struct machine_modules *mods = calloc(1, sizeof(*mods));
	if (!mods)
		return inq_fail(err, INQ_ENOMEM, "modules");
	n->finding_modules = true;
	mods->st = find(m, n, mods);
	n->finding_modules = false;
	if (mods->st == INQ_ENOMEM) {
		machine_modules_destroy(mods);
		return inq_fail(err, INQ_ENOMEM, "modules");
	}
	point(mods);
	n->modules = mods;
	return INQ_OK;
}
