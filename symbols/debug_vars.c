/*
 * Knows what DWARF says of variables, and how C writes their types.  Source: DWARF 5, 4.1 "Data
 * Object Entries", 5 "Type Entries".
 */
#include "symbols/debug_vars.h"

#include <libdwarf/dwarf.h>
#include <stdio.h>

enum { MAX_TYPE_HOPS = 32, ADDR_EXPR = 9 /* DW_OP_addr and an address */ };

/* True when the location is a plain address. */
static bool address_of(Dwarf_Die die, uint64_t *ret)
{
	Dwarf_Attribute a = NULL;
	Dwarf_Error why = NULL;
	Dwarf_Unsigned n = 0;
	Dwarf_Ptr p = NULL;

	if (dwarf_attr(die, DW_AT_location, &a, &why) != DW_DLV_OK)
		return false;
	bool ok = dwarf_formexprloc(a, &n, &p, &why) == DW_DLV_OK && n == ADDR_EXPR &&
		  *(const uint8_t *)p == DW_OP_addr;
	if (ok)
		memcpy(ret, (const uint8_t *)p + 1, sizeof(*ret));
	dwarf_dealloc_attribute(a);
	return ok;
}

struct adding {
	struct debug_ranges *to;
	struct debug_unit *unit;
	bool ok;
};

static void take_variable(struct adding *a, Dwarf_Die die)
{
	Dwarf_Half tag = 0;
	Dwarf_Error why = NULL;
	Dwarf_Off off = 0;
	uint64_t addr;

	if (dwarf_tag(die, &tag, &why) != DW_DLV_OK || tag != DW_TAG_variable ||
	    !address_of(die, &addr) || dwarf_dieoffset(die, &off, &why) != DW_DLV_OK)
		return;
	const char *name = debug_die_name(a->unit, die);
	uint64_t key = name ? job_name_key(name) : 0;
	if (name)
		a->ok = debug_ranges_add(a->to, key, key, a->unit->window.off + off);
}

/* Those of the file; what functions have for themselves nobody asks for by name. */
static void take_variables(struct adding *a)
{
	Dwarf_Die die = NULL, next = NULL;
	Dwarf_Error why = NULL;

	if (dwarf_child(a->unit->die, &die, &why) != DW_DLV_OK)
		return;
	while (die && a->ok) {
		take_variable(a, die);
		if (dwarf_siblingof_b(a->unit->window.dbg, die, 1, &next, &why) != DW_DLV_OK)
			next = NULL;
		dwarf_dealloc_die(die);
		die = next;
	}
	if (die)
		dwarf_dealloc_die(die);
}

enum inq_status debug_index_vars(struct debug_file *f, struct debug_ranges *ret,
				 struct inq_err *err)
{
	struct debug_ranges r = {0};
	uint64_t end = debug_elf_size(f->elf, DEBUG_INFO), bytes = 0;
	enum inq_status st = INQ_OK;

	for (uint64_t off = 0; !st && off < end; off += bytes) {
		struct adding a = {&r, NULL, true};
		st = debug_unit_bytes(f, off, &bytes, err);
		if (st || debug_unit_open(f, off, true, &a.unit, NULL))
			continue;
		take_variables(&a);
		if (!a.ok)
			st = inq_fail(err, INQ_ELIMIT, "too many variables");
	}
	if (!st)
		debug_ranges_sort(&r);
	else
		debug_ranges_free(&r);
	*ret = r;
	return st;
}

/* The unit that holds off: units follow each other, each tells where the next one begins. */
static enum inq_status open_holder(struct debug_file *f, uint64_t off, struct debug_unit **ret,
				   struct inq_err *err)
{
	uint64_t at = 0, bytes = 0;
	enum inq_status st = INQ_OK;

	while (!(st = debug_unit_bytes(f, at, &bytes, err)) && off - at >= bytes)
		at += bytes;
	return st ? st : debug_unit_open(f, at, true, ret, err);
}

/* What is put behind the name of a type. */
struct decoration {
	unsigned pointers;
	bool array, counted;
	uint64_t elements;
};

/* Dimensions are multiplied: all that lies there, one behind the other. */
static void take_dimensions(const struct debug_unit *u, Dwarf_Die array, struct decoration *d)
{
	Dwarf_Die die = NULL, next = NULL;
	Dwarf_Error why = NULL;
	uint64_t n = 0;

	if (!d->array)
		d->elements = d->counted = 1;
	d->array = true;
	if (dwarf_child(array, &die, &why) != DW_DLV_OK)
		die = NULL;
	d->counted = d->counted && die;
	for (; die; die = next) {
		if (debug_die_number(u, die, DW_AT_upper_bound, &n))
			n++;
		else if (!debug_die_number(u, die, DW_AT_count, &n))
			d->counted = false;
		if (__builtin_mul_overflow(d->elements, n, &d->elements))
			d->counted = false;
		if (dwarf_siblingof_b(u->window.dbg, die, 1, &next, &why) != DW_DLV_OK)
			next = NULL;
		dwarf_dealloc_die(die);
	}
}

static const char *keyword_of(Dwarf_Half tag)
{
	switch (tag) {
	case DW_TAG_structure_type:
		return "struct ";
	case DW_TAG_union_type:
		return "union ";
	case DW_TAG_enumeration_type:
		return "enum ";
	default:
		return "";
	}
}

static void write_type(const char *keyword, const char *name, const struct decoration *d, char *to,
		       size_t n)
{
	char stars[MAX_TYPE_HOPS + 2] = " ", count[32] = "";

	memset(stars + 1, '*', d->pointers);
	if (d->array && d->counted)
		snprintf(count, sizeof(count), " [%llu]", (unsigned long long)d->elements);
	else if (d->array)
		snprintf(count, sizeof(count), " []");
	int len = snprintf(to, n, "%s%s%s%s", keyword, name, d->pointers ? stars : "", count);
	if (len < 0 || (size_t)len >= n)
		*to = '\0'; /* half a type is another one */
}

/* Whether what die adds can be written; pointers to arrays and functions cannot. */
static bool decorate(const struct debug_unit *u, Dwarf_Die die, Dwarf_Half tag,
		     struct decoration *d)
{
	if (tag == DW_TAG_array_type) {
		if (d->pointers)
			return false;
		take_dimensions(u, die, d);
	} else if (tag == DW_TAG_pointer_type) {
		d->pointers++;
	}
	return tag == DW_TAG_array_type || tag == DW_TAG_pointer_type || tag == DW_TAG_const_type ||
	       tag == DW_TAG_volatile_type || tag == DW_TAG_restrict_type ||
	       tag == DW_TAG_atomic_type;
}

/* "struct page *[16]"; "": it has no name, or C's way to write it is longer than this. */
static void type_of(const struct debug_unit *u, Dwarf_Die die, char *to, size_t n)
{
	struct decoration d = {0};
	Dwarf_Error why = NULL;
	Dwarf_Die at = debug_die_follow(u, die, DW_AT_type);
	Dwarf_Half tag = 0;

	*to = '\0';
	for (int hop = 0; at && hop < MAX_TYPE_HOPS; hop++) {
		if (dwarf_tag(at, &tag, &why) != DW_DLV_OK || !decorate(u, at, tag, &d))
			break;
		Dwarf_Die next = debug_die_follow(u, at, DW_AT_type);
		dwarf_dealloc_die(at);
		at = next;
	}
	const char *name = at ? debug_die_name(u, at) : d.pointers ? "void" : NULL;
	bool plain = !at || *keyword_of(tag) || tag == DW_TAG_base_type || tag == DW_TAG_typedef;
	if (name && plain)
		write_type(at ? keyword_of(tag) : "", name, &d, to, n);
	else if (d.pointers && !d.array)
		snprintf(to, n, "void *"); /* to an array, a function, or what has no name */
	if (at)
		dwarf_dealloc_die(at);
}

/* The type stands at the declaration where the definition refers to one. */
static void type_text(const struct debug_unit *u, Dwarf_Die die, char *to, size_t n)
{
	Dwarf_Die declared = debug_die_follow(u, die, DW_AT_specification);

	type_of(u, die, to, n);
	if (!*to && declared)
		type_of(u, declared, to, n);
	if (declared)
		dwarf_dealloc_die(declared);
}

enum inq_status debug_var_at(struct debug_file *f, uint64_t off, uint8_t *buf, size_t room,
			     size_t *ret_n, struct inq_err *err)
{
	struct job_var v = {0};
	struct debug_unit *u = NULL;
	Dwarf_Error why = NULL;
	Dwarf_Die die = NULL;
	enum inq_status st = open_holder(f, off, &u, err);

	if (st)
		return st;
	if (room < sizeof(v))
		return inq_fail(err, INQ_ELIMIT, "no room for an answer");
	if (dwarf_offdie_b(u->window.dbg, off - u->window.off, 1, &die, &why) != DW_DLV_OK)
		return debug_failed(u->window.dbg, why, "a variable", err);
	const char *name = debug_die_name(u, die);
	bool known = name && address_of(die, &v.addr);
	if (known) {
		snprintf(v.name, sizeof(v.name), "%s", name);
		type_text(u, die, v.type, sizeof(v.type));
		memcpy(buf, &v, sizeof(v));
		*ret_n = sizeof(v);
	}
	dwarf_dealloc_die(die);
	return known ? INQ_OK : inq_fail(err, INQ_ENOTFOUND, "no variable there");
}
