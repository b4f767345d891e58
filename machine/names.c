/*
 * Knows whose symbol an address is, and what the kernel itself would call it.
 * Source: Linux kernel/kallsyms.c (get_symbol_pos), kernel/module/kallsyms.c
 * (find_kallsyms_symbol).
 */
#include "machine/names.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/block.h"
#include "base/order.h"
#include "machine/machine.h"

#define HIGH_HALF UINT64_C(0xffff800000000000)

void machine_names_destroy(struct machine_names *n)
{
	if (!n)
		return;
	kallsyms_close(n->kernel);
	machine_modules_destroy(n->modules);
	free(n->all);
	free(n->hash);
	free(n);
}

enum inq_status machine_names(const struct inq_machine *m, struct machine_names **ret,
			      struct inq_err *err)
{
	struct machine_made *made = m->made;

	if (!made)
		return inq_fail(err, INQ_EABSENT, "no names: the machine was not opened");
	if (!made->names) {
		struct machine_names *n = calloc(1, sizeof(*n));
		if (!n)
			return inq_fail(err, INQ_ENOMEM, "names");
		n->st = machine_names_find(m, &n->kernel, &n->why);
		if (machine_passes(n->st)) {
			enum inq_status st = inq_fail(err, n->st, "%s", n->why.msg);
			machine_names_destroy(n);
			return st;
		}
		made->names = n;
	}
	*ret = made->names;
	return made->names->st ? inq_fail(err, made->names->st, "%s", made->names->why.msg)
			       : INQ_OK;
}

size_t machine_names_at(const struct kallsyms *k, uint64_t addr)
{
	size_t n = ORDER_UPTO(k->symbol, k->nr, addr, addr);

	/* of several at one address the first */
	return n ? ORDER_BELOW(k->symbol, n, addr, k->symbol[n - 1].addr) : k->nr;
}

size_t machine_names_scan(const struct kallsyms *k, const char *name, size_t from)
{
	while (from < k->nr && strcmp(k->text + k->symbol[from].name + 1, name) != 0)
		from++;
	return from;
}

static const char *name_of(const struct kallsyms *k, size_t i)
{
	return k->text + k->symbol[i].name + 1;
}

/* What an assembler makes up to tell data from code, or for constants: no address is called so. */
static bool is_mapping(const char *name)
{
	return (name[0] == '.' && name[1] == 'L') || (name[0] == '$' && name[1] && !name[2]);
}

/* From symbol i to the next address that has one; 0: there is none on this side. */
static uint64_t distance(const struct kallsyms *k, size_t i)
{
	uint64_t addr = k->symbol[i].addr;

	for (; i < k->nr; i++)
		if (k->symbol[i].addr != addr && !is_mapping(name_of(k, i)))
			return (addr < HIGH_HALF) == (k->symbol[i].addr < HIGH_HALF)
				       ? k->symbol[i].addr - addr
				       : 0;
	return 0;
}

/* Of a module a symbol's reach ends with its region, too. */
static uint64_t reach(const struct machine_module *of, const struct kallsyms *k, size_t i)
{
	uint64_t addr = k->symbol[i].addr, bytes = distance(k, i);

	for (size_t r = 0; r < MACHINE_MODULE_REGIONS; r++) {
		uint64_t off = addr - of->region[r].addr;
		if (off < of->region[r].bytes && (!bytes || bytes > of->region[r].bytes - off))
			return of->region[r].bytes - off;
	}
	return bytes;
}

static void describe(const struct machine_names *n, uint32_t module, size_t i,
		     struct inq_symbol *ret)
{
	const struct machine_modules *mods = n->modules;
	const struct kallsyms *k = module ? mods->of[module - 1].names : n->kernel;
	const char *text = k->text + k->symbol[i].name;

	*ret = (struct inq_symbol){
		.addr = k->symbol[i].addr,
		.size = module ? reach(&mods->of[module - 1], k, i) : distance(k, i),
		.name = text + 1,
		.module = module ? mods->pub[module - 1].name : NULL,
		.type = *text,
	};
}

static bool is_in_image(const struct inq_machine *m, const struct kallsyms *k, uint64_t addr)
{
	const struct inq_kernel *kn = inq_machine_kernel(m);

	if ((kn->known & INQ_KERNEL_TEXT) && addr < kn->text)
		return false;
	if ((kn->known & INQ_KERNEL_LAST) && addr > kn->last)
		return false;
	return addr >= HIGH_HALF && addr <= k->symbol[k->nr - 1].addr;
}

static bool has_addr(const struct machine_module *of, uint64_t addr)
{
	for (size_t r = 0; r < MACHINE_MODULE_REGIONS; r++)
		if (addr - of->region[r].addr < of->region[r].bytes)
			return true;
	return false;
}

/* Number + 1 of the module that addr lies in; 0: none. */
static uint32_t module_at(const struct machine_modules *mods, uint64_t addr)
{
	for (size_t i = 0; i < mods->nr; i++)
		if (has_addr(&mods->of[i], addr))
			return (uint32_t)i + 1;
	return 0;
}

/* The same as machine_names_at, of those by which an address is called. */
static size_t called_at(const struct kallsyms *k, uint64_t addr)
{
	size_t i = machine_names_at(k, addr);

	while (i < k->nr && is_mapping(name_of(k, i))) {
		uint64_t at = k->symbol[i].addr;
		if (i + 1 < k->nr && k->symbol[i + 1].addr == at)
			i++; /* another one at the same address */
		else
			i = at ? machine_names_at(k, at - 1) : k->nr;
	}
	/* one whose name is lost: by another one at the same address */
	while (i + 1 < k->nr && !*name_of(k, i) && k->symbol[i + 1].addr == k->symbol[i].addr)
		i++;
	return i;
}

enum inq_status inq_symbol_at(const struct inq_machine *m, uint64_t addr, struct inq_symbol *ret,
			      struct inq_err *err)
{
	struct machine_names *n = NULL;
	const struct kallsyms *k = NULL;
	uint32_t module = 0;
	enum inq_status st = machine_names(m, &n, err);

	if (st)
		return st;
	if (is_in_image(m, n->kernel, addr)) {
		k = n->kernel;
	} else if (addr >= HIGH_HALF) {
		if ((st = machine_modules(m, n, err)))
			return st;
		module = module_at(n->modules, addr);
		k = module ? n->modules->of[module - 1].names : NULL;
	}
	size_t i = k ? called_at(k, addr) : 0;
	if (!k || i == k->nr ||
	    (module && !has_addr(&n->modules->of[module - 1], k->symbol[i].addr)))
		return inq_fail_at(err, INQ_ENOTFOUND, addr, "no symbol at 0x%" PRIx64, addr);
	if (!*name_of(k, i))
		return inq_fail_at(err, INQ_ENOTFOUND, addr, "no name for 0x%" PRIx64 "; %s", addr,
				   k->why.msg);
	describe(n, module, i, ret);
	return INQ_OK;
}

static int by_address(const void *a, const void *b)
{
	const struct machine_name *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	if (x->module != y->module)
		return x->module < y->module ? -1 : 1;
	return (x->i > y->i) - (x->i < y->i);
}

static size_t append(struct machine_name *to, size_t at, const struct kallsyms *k, uint32_t module)
{
	for (size_t i = 0; k && i < k->nr; i++)
		to[at++] = (struct machine_name){k->symbol[i].addr, module, (uint32_t)i};
	return at;
}

/* All names of all, once. */
static enum inq_status all(const struct inq_machine *m, struct machine_names **ret,
			   struct inq_err *err)
{
	struct machine_names *n = NULL;
	enum inq_status st = machine_names(m, &n, err);

	if (!st)
		st = machine_modules(m, n, err);
	if (st)
		return st;
	*ret = n;
	if (n->all)
		return INQ_OK;
	size_t nr = n->kernel->nr, at;
	for (size_t i = 0; i < n->modules->nr; i++)
		nr += n->modules->pub[i].nr_symbols;
	n->all = block_alloc(nr, sizeof(*n->all));
	if (!n->all)
		return inq_fail(err, INQ_ENOMEM, "%zu names", nr);
	at = append(n->all, 0, n->kernel, 0);
	for (uint32_t i = 0; i < n->modules->nr; i++)
		at = append(n->all, at, n->modules->of[i].names, i + 1);
	n->nr_all = at;
	qsort(n->all, n->nr_all, sizeof(*n->all), by_address);
	return INQ_OK;
}

enum inq_status inq_nr_symbols(const struct inq_machine *m, size_t *ret, struct inq_err *err)
{
	struct machine_names *n = NULL;
	enum inq_status st = all(m, &n, err);

	if (!st)
		*ret = n->nr_all;
	return st;
}

bool inq_symbol_nth(const struct inq_machine *m, size_t i, struct inq_symbol *ret)
{
	struct machine_names *n = NULL;

	if (all(m, &n, NULL) || i >= n->nr_all)
		return false;
	describe(n, n->all[i].module, n->all[i].i, ret);
	return true;
}

size_t inq_symbol_first(const struct inq_machine *m, uint64_t addr)
{
	struct machine_names *n = NULL;

	return all(m, &n, NULL) ? 0 : ORDER_BELOW(n->all, n->nr_all, addr, addr);
}

/* Clang's link-time optimization renames static functions: name.llvm.123. */
static size_t plain_length(const char *name)
{
	const char *dot = strchrnul(name, '.');
	const char *suffix = *dot ? strstr(dot, ".llvm.") : NULL;

	return suffix ? (size_t)(suffix - name) : *dot ? strlen(name) : (size_t)(dot - name);
}

static bool is_named(const char *have, const char *name, size_t len)
{
	return !strncmp(have, name, len) && (!have[len] || plain_length(have) == len);
}

static size_t hash_of(const char *name, size_t n)
{
	return (size_t)XXH3_64bits(name, n);
}

/* Chains, as hundreds of names are equal; from the last on, so that they go up by address. */
static enum inq_status make_hash(struct machine_names *n, struct inq_err *err)
{
	const struct kallsyms *k = n->kernel;
	size_t size = 1024;

	if (n->hash)
		return INQ_OK;
	while (size < k->nr)
		size *= 2;
	n->hash = block_alloc_zeroed(size + k->nr, sizeof(*n->hash));
	if (!n->hash)
		return inq_fail(err, INQ_ENOMEM, "%zu names", k->nr);
	n->hash_mask = size - 1;
	n->next = n->hash + size;
	for (size_t i = k->nr; i-- > 0;) {
		const char *name = name_of(k, i);
		if (!*name) /* lost */
			continue;
		uint32_t *head = &n->hash[hash_of(name, plain_length(name)) & n->hash_mask];
		n->next[i] = *head;
		*head = (uint32_t)i + 1;
	}
	return INQ_OK;
}

/* Number *nth of the kernel's; what there are less is taken from *nth. */
static bool find_in_kernel(const struct machine_names *n, const char *name, size_t *nth,
			   struct inq_symbol *ret)
{
	size_t len = strlen(name);

	for (size_t at = n->hash[hash_of(name, plain_length(name)) & n->hash_mask]; at;
	     at = n->next[at - 1]) {
		size_t i = at - 1;
		if (is_named(name_of(n->kernel, i), name, len) && !(*nth)--) {
			describe(n, 0, i, ret);
			return true;
		}
	}
	return false;
}

/* The same of all modules, or that one. */
static bool find_in_modules(const struct machine_names *n, const char *module, size_t module_len,
			    const char *name, size_t *nth, struct inq_symbol *ret)
{
	size_t len = strlen(name);

	for (uint32_t j = 0; j < n->modules->nr; j++) {
		const struct kallsyms *k = n->modules->of[j].names;
		if (!k || (module && !(strlen(n->modules->pub[j].name) == module_len &&
				       !memcmp(n->modules->pub[j].name, module, module_len))))
			continue;
		for (size_t i = 0; i < k->nr; i++) {
			if (is_named(name_of(k, i), name, len) && !(*nth)--) {
				describe(n, j + 1, i, ret);
				return true;
			}
		}
	}
	return false;
}

enum inq_status inq_symbol_named(const struct inq_machine *m, const char *name, size_t nth,
				 struct inq_symbol *ret, struct inq_err *err)
{
	const char *colon = strchr(name, ':'), *bare = colon ? colon + 1 : name;
	struct machine_names *n = NULL;
	size_t left = nth;
	enum inq_status st = machine_names(m, &n, err);

	if (!st)
		st = make_hash(n, err);
	if (st)
		return st;
	if (!colon && find_in_kernel(n, bare, &left, ret))
		return INQ_OK;
	if ((st = machine_modules(m, n, err)))
		return st;
	if (find_in_modules(n, colon ? name : NULL, (size_t)(bare - name) - !!colon, bare, &left,
			    ret))
		return INQ_OK;
	if (nth == left)
		return inq_fail(err, INQ_ENOTFOUND, "no symbol is named %s%s%s", name,
				!colon && n->kernel->lost ? "; " : "",
				colon ? "" : n->kernel->why.msg);
	return inq_fail(err, INQ_ENOTFOUND, "only %zu symbols are named %s", nth - left, name);
}

bool inq_names_lost(const struct inq_machine *m, uint64_t *ret_page, struct inq_err *ret_why)
{
	struct machine_names *n = NULL;

	if (machine_names(m, &n, NULL) || !n->kernel->lost)
		return false;
	*ret_page = n->kernel->hole;
	*ret_why = n->kernel->why;
	return true;
}

/* first <= addr < behind, both symbols of the kernel; *ret_known: there are such. */
static bool is_between(const struct inq_machine *m, const char *first, const char *behind,
		       uint64_t addr, bool *ret_known)
{
	struct inq_symbol a, b;

	*ret_known = !inq_symbol_named(m, first, 0, &a, NULL) &&
		     !inq_symbol_named(m, behind, 0, &b, NULL);
	return *ret_known && addr >= a.addr && addr < b.addr;
}

bool inq_is_text(const struct inq_machine *m, uint64_t addr, const struct inq_module **ret_module)
{
	const struct inq_kernel *kn = inq_machine_kernel(m);
	struct machine_names *n = NULL;
	bool known = false, init_known;

	if (ret_module)
		*ret_module = NULL;
	if (is_between(m, "_stext", "_etext", addr, &known) ||
	    is_between(m, "_sinittext", "_einittext", addr, &init_known))
		return true;
	if (!known)
		return (kn->known & INQ_KERNEL_TEXT) && (kn->known & INQ_KERNEL_LAST) &&
		       addr >= kn->text && addr <= kn->last;
	if (machine_names(m, &n, NULL) || machine_modules(m, n, NULL))
		return false;
	uint32_t i = module_at(n->modules, addr);
	const struct inq_module *mod = i ? &n->modules->pub[i - 1] : NULL;
	if (!mod ||
	    (addr - mod->text >= mod->text_bytes && addr - mod->init_text >= mod->init_text_bytes))
		return false;
	if (ret_module)
		*ret_module = mod;
	return true;
}

bool inq_symbol_text(const struct inq_machine *m, uint64_t addr, char *buf, size_t n)
{
	struct inq_symbol s;
	char off[48] = "";

	if (n)
		*buf = 0;
	if (inq_symbol_at(m, addr, &s, NULL))
		return false;
	if (addr != s.addr && s.size)
		snprintf(off, sizeof(off), "+0x%" PRIx64 "/0x%" PRIx64, addr - s.addr, s.size);
	else if (addr != s.addr)
		snprintf(off, sizeof(off), "+0x%" PRIx64, addr - s.addr);
	snprintf(buf, n, "%s%s%s%s%s", s.name, off, s.module ? " [" : "", s.module ? s.module : "",
		 s.module ? "]" : "");
	return true;
}

enum inq_status inq_modules(const struct inq_machine *m, const struct inq_module **ret,
			    size_t *ret_nr, const char **ret_why, struct inq_err *err)
{
	struct machine_names *n = NULL;
	enum inq_status st = machine_names(m, &n, err);

	if (!st)
		st = machine_modules(m, n, err);
	if (!st && n->modules->st)
		st = inq_fail(err, n->modules->st, "%s", n->modules->why.msg);
	if (st)
		return st;
	*ret = n->modules->pub;
	*ret_nr = n->modules->nr;
	if (ret_why)
		*ret_why = n->modules->cut.msg;
	return INQ_OK;
}
