/*
 * Knows where DWARF tells which unit an address is of.  Source: DWARF 5, 6.1.2 "Lookup by Address".
 */
#include "symbols/debug_index.h"

#include <libdwarf/dwarf.h>
#include <stdlib.h>

enum { MAX_RANGES = 1 << 21, MAX_UNITS = 1 << 20 };

struct units {
	uint64_t *off; /* ascending */
	bool *told;    /* .debug_aranges has it */
	size_t nr, room;
};

void debug_ranges_free(struct debug_ranges *r)
{
	free(r->at);
	*r = (struct debug_ranges){0};
}

bool debug_ranges_add(struct debug_ranges *r, uint64_t first, uint64_t last, uint64_t unit)
{
	if (r->nr == r->room) {
		size_t room = r->room ? 2 * r->room : 1024;
		struct job_range *p = room > MAX_RANGES ? NULL : realloc(r->at, room * sizeof(*p));
		if (!p)
			return false;
		r->at = p;
		r->room = room;
	}
	r->at[r->nr++] = (struct job_range){first, last, unit};
	return true;
}

static enum inq_status add_unit(struct units *u, uint64_t off, struct inq_err *err)
{
	if (u->nr == u->room) {
		size_t room = u->room ? 2 * u->room : 1024;
		if (room > MAX_UNITS)
			return inq_fail(err, INQ_ELIMIT, "more than %d units", MAX_UNITS);
		uint64_t *p = realloc(u->off, room * sizeof(*p));
		if (p)
			u->off = p;
		bool *q = p ? realloc(u->told, room * sizeof(*q)) : NULL;
		if (!q)
			return inq_fail(err, INQ_ENOMEM, "units");
		u->told = q;
		u->room = room;
	}
	u->off[u->nr] = off;
	u->told[u->nr++] = false;
	return INQ_OK;
}

/* Looks at the beginning of each unit only. */
static enum inq_status list_units(struct debug_file *f, struct units *u, struct inq_err *err)
{
	uint64_t end = debug_elf_size(f->elf, DEBUG_INFO), bytes = 0;
	enum inq_status st = INQ_OK;

	if (!end)
		return inq_fail(err, INQ_ENOTFOUND, "it has no debug information");
	for (uint64_t off = 0; off < end; off += bytes) {
		if ((st = debug_unit_bytes(f, off, &bytes, err)))
			return st;
		if ((st = add_unit(u, off, err)))
			return st;
	}
	return st;
}

/* The unit that off lies in; u->nr: none. */
static size_t unit_of(const struct units *u, uint64_t off)
{
	size_t lo = 0, hi = u->nr;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (u->off[mid] <= off)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo ? lo - 1 : u->nr;
}

/* What the linker dropped is at 0. */
static bool add_range(struct debug_ranges *r, uint64_t first, uint64_t last, uint64_t unit)
{
	return !first || first > last || debug_ranges_add(r, first, last, unit);
}

static bool take_arange(Dwarf_Arange a, struct units *u, struct debug_ranges *r)
{
	Dwarf_Unsigned segment, segment_bytes, bytes;
	Dwarf_Addr first;
	Dwarf_Off die;
	Dwarf_Error why = NULL;

	if (dwarf_get_arange_info_b(a, &segment, &segment_bytes, &first, &bytes, &die, &why) !=
		    DW_DLV_OK ||
	    !bytes || bytes - 1 > UINT64_MAX - first)
		return true;
	size_t i = unit_of(u, die); /* of the unit's first DIE, which is in the unit */
	if (i == u->nr)
		return true;
	u->told[i] = true;
	return add_range(r, first, first + bytes - 1, u->off[i]);
}

static enum inq_status read_aranges(struct debug_file *f, struct units *u, struct debug_ranges *r,
				    struct inq_err *err)
{
	Dwarf_Debug dbg = NULL;
	Dwarf_Arange *list = NULL;
	Dwarf_Signed n = 0;
	Dwarf_Error why = NULL;
	bool ok = true;

	if (!debug_elf_size(f->elf, DEBUG_ARANGES))
		return INQ_OK;
	enum inq_status st = debug_file_whole(f, &dbg, err);
	if (st)
		return st;
	if (dwarf_get_aranges(dbg, &list, &n, &why) != DW_DLV_OK)
		return INQ_OK; /* then the units tell */
	for (Dwarf_Signed i = 0; i < n; i++) {
		ok = ok && take_arange(list[i], u, r);
		dwarf_dealloc(dbg, list[i], DW_DLA_ARANGE);
	}
	dwarf_dealloc(dbg, list, DW_DLA_LIST);
	return ok ? INQ_OK : inq_fail(err, INQ_ELIMIT, "too many stretches of addresses");
}

struct adding {
	struct debug_ranges *to;
	uint64_t unit;
	bool ok;
};

static bool take_range(void *ctx, uint64_t first, uint64_t last)
{
	struct adding *a = ctx;

	a->ok = add_range(a->to, first, last, a->unit);
	return a->ok;
}

/* A damaged unit is one whose addresses nobody knows; the others are good. */
static enum inq_status ask_units(struct debug_file *f, const struct units *u,
				 struct debug_ranges *r, struct inq_err *err)
{
	for (size_t i = 0; i < u->nr; i++) {
		struct adding a = {r, u->off[i], true};
		struct debug_unit *unit;
		if (u->told[i] || debug_unit_open(f, u->off[i], false, &unit, NULL))
			continue;
		(void)debug_die_ranges(unit, unit->die, take_range, &a);
		if (!a.ok)
			return inq_fail(err, INQ_ELIMIT, "too many stretches of addresses");
	}
	return INQ_OK;
}

static int by_first(const void *a, const void *b)
{
	const struct job_range *x = a, *y = b;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return x->unit < y->unit ? -1 : x->unit > y->unit;
}

/* Where two claim the same, the one that begins later has the rest: its text is the smaller. */
void debug_ranges_sort(struct debug_ranges *r)
{
	size_t kept = 0;

	if (r->nr)
		qsort(r->at, r->nr, sizeof(*r->at), by_first);
	for (size_t i = 0; i < r->nr; i++) {
		struct job_range *before = kept ? &r->at[kept - 1] : NULL;
		if (before && before->first == r->at[i].first)
			continue;
		if (before && before->last >= r->at[i].first)
			before->last = r->at[i].first - 1;
		r->at[kept++] = r->at[i];
	}
	r->nr = kept;
}

enum inq_status debug_index_ranges(struct debug_file *f, struct debug_ranges *ret,
				   struct inq_err *err)
{
	struct debug_ranges r = {0};
	struct units u = {0};
	enum inq_status st = list_units(f, &u, err);

	if (!st)
		st = read_aranges(f, &u, &r, err);
	if (!st)
		st = ask_units(f, &u, &r, err);
	free(u.off);
	free(u.told);
	if (st) {
		debug_ranges_free(&r);
		return st;
	}
	debug_ranges_sort(&r);
	*ret = r;
	return INQ_OK;
}
