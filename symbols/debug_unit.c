/*
 * Knows how to keep libdwarf from reading a kernel's 170 MB of .debug_info: a unit refers to
 * nothing outside of itself there but by DW_FORM_ref_addr, which compilers use only when they
 * optimise across units.  Source: DWARF 5, 7.5.1 "Unit Headers", 7.28 "Range List Table"; libdwarf
 * 20210528, libdwarf.h.
 */
#include "symbols/debug_unit.h"

#include <inttypes.h>
#include <libdwarf/dwarf.h>
#include <stdlib.h>

enum { MAX_HOPS = 4 }; /* from an instance to what it is an instance of */

enum inq_status debug_failed(Dwarf_Debug dbg, Dwarf_Error why, const char *doing,
			     struct inq_err *err)
{
	Dwarf_Unsigned code = why ? dwarf_errno(why) : 0;
	enum inq_status st = inq_fail(err, code == DW_DLE_ALLOC_FAIL ? INQ_ENOMEM : INQ_ECORRUPT,
				      "%s: %.150s", doing, why ? dwarf_errmsg(why) : "failed");

	if (why && dbg)
		dwarf_dealloc_error(dbg, why);
	return st;
}

/* libdwarf wants a section 0 that is none. */
static int section_info(void *obj, Dwarf_Half i, Dwarf_Obj_Access_Section *ret, int *error)
{
	const struct debug_window *w = obj;

	(void)error;
	*ret = (Dwarf_Obj_Access_Section){.name = ""};
	if (i > DEBUG_SECTIONS)
		return DW_DLV_NO_ENTRY;
	bool hidden = w->bare && (i - 1 == DEBUG_RNGLISTS || i - 1 == DEBUG_LOCLISTS);
	if (i && !hidden && debug_elf_size(w->elf, (enum debug_section)(i - 1))) {
		enum debug_section s = (enum debug_section)(i - 1);
		ret->name = debug_section_name(s);
		ret->size = s == DEBUG_INFO ? w->bytes : debug_elf_size(w->elf, s);
		ret->type = 1; /* SHT_PROGBITS */
	}
	return DW_DLV_OK;
}

static int load_section(void *obj, Dwarf_Half i, Dwarf_Small **ret, int *error)
{
	const struct debug_window *w = obj;
	struct span s;
	union {
		const uint8_t *in;
		uint8_t *out; /* libdwarf only reads */
	} p;

	if (!i || i > DEBUG_SECTIONS)
		return DW_DLV_NO_ENTRY;
	if (debug_elf_section(w->elf, (enum debug_section)(i - 1), &s, NULL)) {
		*error = DW_DLE_SECTION_ERROR;
		return DW_DLV_ERROR;
	}
	p.in = s.p + (i - 1 == DEBUG_INFO ? w->off : 0);
	*ret = p.out;
	return DW_DLV_OK;
}

static Dwarf_Endianness byte_order(void *obj)
{
	(void)obj;
	return DW_OBJECT_LSB;
}

static Dwarf_Small eight(void *obj)
{
	(void)obj;
	return 8;
}

static Dwarf_Unsigned section_count(void *obj)
{
	(void)obj;
	return DEBUG_SECTIONS + 1;
}

static const Dwarf_Obj_Access_Methods methods = {
	.get_section_info = section_info,
	.get_byte_order = byte_order,
	.get_length_size = eight,
	.get_pointer_size = eight,
	.get_section_count = section_count,
	.load_section = load_section,
};

/* *w has its .elf, .off and .bytes, and stays where it is. */
static enum inq_status open_window(struct debug_window *w, struct inq_err *err)
{
	Dwarf_Error why = NULL;

	w->access = (Dwarf_Obj_Access_Interface){w, &methods};
	switch (dwarf_object_init_b(&w->access, NULL, NULL, DW_GROUPNUMBER_ANY, &w->dbg, &why)) {
	case DW_DLV_OK:
		return INQ_OK;
	case DW_DLV_NO_ENTRY:
		return inq_fail(err, INQ_ENOTFOUND, "it has no debug information");
	default:
		w->dbg = NULL;
		return debug_failed(NULL, why, "its sections", err);
	}
}

static void close_window(struct debug_window *w)
{
	Dwarf_Error why = NULL;

	if (w->dbg)
		(void)dwarf_object_finish(w->dbg, &why);
	w->dbg = NULL;
}

enum inq_status debug_file_whole(struct debug_file *f, Dwarf_Debug *ret, struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	if (!f->whole.dbg) {
		f->whole = (struct debug_window){.elf = f->elf,
						 .bytes = debug_elf_size(f->elf, DEBUG_INFO)};
		st = open_window(&f->whole, err);
	}
	*ret = f->whole.dbg;
	return st;
}

enum inq_status debug_unit_bytes(struct debug_file *f, uint64_t off, uint64_t *ret_bytes,
				 struct inq_err *err)
{
	struct span s;
	enum inq_status st = debug_elf_section(f->elf, DEBUG_INFO, &s, err);

	if (st)
		return st;
	if (off >= s.left)
		return inq_fail(err, INQ_ENOTFOUND, "no unit there");
	span_skip(&s, off);
	uint64_t left = s.left, n = span_u32le(&s);
	uint64_t head = n == UINT32_MAX ? 12 : 4; /* 7.4 "32-Bit and 64-Bit DWARF Formats" */
	if (n == UINT32_MAX)
		n = span_u64le(&s);
	if (s.bad || !n || n > left - head)
		return inq_fail(err, INQ_ECORRUPT, "unit 0x%" PRIx64 " goes on behind .debug_info",
				off);
	*ret_bytes = n + head;
	return INQ_OK;
}

static void close_unit(struct debug_unit *u)
{
	if (u->lines)
		dwarf_srclines_dealloc_b(u->lines);
	if (u->die)
		dwarf_dealloc_die(u->die);
	close_window(&u->window);
	*u = (struct debug_unit){0};
}

static const char *folder_of(Dwarf_Die die)
{
	char *folder = NULL;
	Dwarf_Error why = NULL;

	return dwarf_die_text(die, DW_AT_comp_dir, &folder, &why) == DW_DLV_OK ? folder : "";
}

static enum inq_status read_head(struct debug_unit *u, struct inq_err *err)
{
	Dwarf_Unsigned length, type_off, next;
	Dwarf_Half address, offset, extension, kind;
	Dwarf_Off abbrev;
	Dwarf_Sig8 sig;
	Dwarf_Error why = NULL;
	Dwarf_Debug dbg = u->window.dbg;

	if (dwarf_next_cu_header_d(dbg, 1, &length, &u->version, &abbrev, &address, &offset,
				   &extension, &sig, &type_off, &next, &kind, &why) != DW_DLV_OK)
		return debug_failed(dbg, why, "a unit's header", err);
	if (address != 8)
		return inq_fail(err, INQ_EUNSUPPORTED, "a unit with addresses of %u bytes",
				address);
	if (dwarf_siblingof_b(dbg, NULL, 1, &u->die, &why) != DW_DLV_OK)
		return debug_failed(dbg, why, "a unit", err);
	u->folder = folder_of(u->die);
	return INQ_OK;
}

static struct debug_unit *find_open(struct debug_file *f, uint64_t off, bool bare)
{
	for (size_t i = 0; i < JOB_OPEN_UNITS; i++)
		if (f->open[i].die && f->open[i].window.off == off &&
		    f->open[i].window.bare == bare)
			return &f->open[i];
	return NULL;
}

enum inq_status debug_unit_open(struct debug_file *f, uint64_t off, bool bare,
				struct debug_unit **ret, struct inq_err *err)
{
	uint64_t bytes = 0;

	*ret = find_open(f, off, bare);
	if (*ret)
		return INQ_OK;
	enum inq_status st = debug_unit_bytes(f, off, &bytes, err);
	if (st)
		return st;
	struct debug_unit *u = &f->open[f->next];
	f->next = (f->next + 1) % JOB_OPEN_UNITS;
	close_unit(u);
	u->window = (struct debug_window){.elf = f->elf, .off = off, .bytes = bytes, .bare = bare};
	st = open_window(&u->window, err);
	if (!st)
		st = read_head(u, err);
	if (st)
		close_unit(u);
	else
		*ret = u;
	return st;
}

bool debug_die_has(Dwarf_Die die, Dwarf_Half attr)
{
	Dwarf_Error why = NULL;
	Dwarf_Bool has = false;

	return dwarf_hasattr(die, attr, &has, &why) == DW_DLV_OK && has;
}

bool debug_die_number(const struct debug_unit *u, Dwarf_Die die, Dwarf_Half attr, uint64_t *ret)
{
	Dwarf_Attribute a = NULL;
	Dwarf_Error why = NULL;
	Dwarf_Unsigned n = 0;
	Dwarf_Signed sn = 0;

	if (dwarf_attr(die, attr, &a, &why) != DW_DLV_OK)
		return false;
	bool known = dwarf_formudata(a, &n, &why) == DW_DLV_OK;
	if (!known) {
		why = NULL;
		known = dwarf_formsdata(a, &sn, &why) == DW_DLV_OK;
		n = (Dwarf_Unsigned)sn;
	}
	dwarf_dealloc_attribute(a);
	(void)u;
	*ret = n;
	return known;
}

/* An attribute that has a range list, by offset or by index. */
static bool ranges_attr(Dwarf_Die die, Dwarf_Attribute *ret, Dwarf_Half *ret_form)
{
	Dwarf_Error why = NULL;

	if (dwarf_attr(die, DW_AT_ranges, ret, &why) != DW_DLV_OK)
		return false;
	if (dwarf_whatform(*ret, ret_form, &why) == DW_DLV_OK)
		return true;
	dwarf_dealloc_attribute(*ret);
	return false;
}

static bool list_offset(Dwarf_Attribute a, Dwarf_Unsigned *ret)
{
	Dwarf_Error why = NULL;
	Dwarf_Off off = 0;

	if (dwarf_global_formref(a, &off, &why) == DW_DLV_OK) {
		*ret = off;
		return true;
	}
	why = NULL;
	return dwarf_formudata(a, ret, &why) == DW_DLV_OK;
}

static bool each_entry(Dwarf_Rnglists_Head head, Dwarf_Unsigned n, debug_range_fn *each, void *ctx)
{
	for (Dwarf_Unsigned i = 0; i < n; i++) {
		unsigned len, code;
		Dwarf_Unsigned raw1, raw2, first, end;
		Dwarf_Bool missing = 0;
		Dwarf_Error why = NULL;
		if (dwarf_get_rnglists_entry_fields_a(head, i, &len, &code, &raw1, &raw2, &missing,
						      &first, &end, &why) != DW_DLV_OK)
			return false;
		if (code == DW_RLE_end_of_list)
			break;
		if (missing || code == DW_RLE_base_address || code == DW_RLE_base_addressx ||
		    first >= end)
			continue;
		if (!each(ctx, first, end - 1))
			break;
	}
	return true;
}

static bool each_range_5(const struct debug_unit *u, Dwarf_Attribute a, Dwarf_Half form,
			 Dwarf_Unsigned at, debug_range_fn *each, void *ctx)
{
	Dwarf_Rnglists_Head head = NULL;
	Dwarf_Unsigned n = 0, off;
	Dwarf_Error why = NULL;

	(void)u;
	if (dwarf_rnglists_get_rle_head(a, form, at, &head, &n, &off, &why) != DW_DLV_OK)
		return false;
	bool ok = each_entry(head, n, each, ctx);
	dwarf_dealloc_rnglists_head(head);
	return ok;
}

/* Section 2.17.3 of DWARF 4: each counts from the unit's base, or from the last one selected. */
static bool each_range_4(const struct debug_unit *u, Dwarf_Die die, Dwarf_Unsigned at,
			 debug_range_fn *each, void *ctx)
{
	Dwarf_Ranges *r = NULL;
	Dwarf_Signed n = 0;
	Dwarf_Unsigned bytes;
	Dwarf_Off off;
	Dwarf_Addr base = 0;
	Dwarf_Error why = NULL;

	if (dwarf_lowpc(u->die, &base, &why) != DW_DLV_OK)
		base = 0;
	why = NULL;
	if (dwarf_get_ranges_b(u->window.dbg, at, die, &off, &r, &n, &bytes, &why) != DW_DLV_OK)
		return false;
	for (Dwarf_Signed i = 0; i < n && r[i].dwr_type != DW_RANGES_END; i++) {
		if (r[i].dwr_type == DW_RANGES_ADDRESS_SELECTION)
			base = r[i].dwr_addr2;
		else if (r[i].dwr_addr1 < r[i].dwr_addr2 &&
			 !each(ctx, base + r[i].dwr_addr1, base + r[i].dwr_addr2 - 1))
			break;
	}
	dwarf_ranges_dealloc(u->window.dbg, r, n);
	return true;
}

static bool low_high(Dwarf_Die die, uint64_t *ret_first, uint64_t *ret_last)
{
	Dwarf_Addr low, high;
	Dwarf_Half form;
	enum Dwarf_Form_Class class;
	Dwarf_Error why = NULL;

	if (dwarf_lowpc(die, &low, &why) != DW_DLV_OK ||
	    dwarf_highpc_b(die, &high, &form, &class, &why) != DW_DLV_OK)
		return false;
	if (class != DW_FORM_CLASS_ADDRESS)
		high += low;
	*ret_first = low;
	*ret_last = high - 1;
	return high > low;
}

bool debug_die_ranges(const struct debug_unit *u, Dwarf_Die die, debug_range_fn *each, void *ctx)
{
	Dwarf_Attribute a;
	Dwarf_Half form;
	Dwarf_Unsigned at = 0;
	uint64_t first, last;

	if (!ranges_attr(die, &a, &form)) {
		if (!low_high(die, &first, &last))
			return false;
		each(ctx, first, last);
		return true;
	}
	bool ok = list_offset(a, &at);
	if (ok)
		ok = u->version >= 5 ? each_range_5(u, a, form, at, each, ctx)
				     : each_range_4(u, die, at, each, ctx);
	dwarf_dealloc_attribute(a);
	return ok;
}

struct covering {
	uint64_t addr;
	bool hit;
};

static bool look_at_range(void *ctx, uint64_t first, uint64_t last)
{
	struct covering *c = ctx;

	c->hit = c->addr >= first && c->addr <= last;
	return !c->hit;
}

bool debug_die_covers(const struct debug_unit *u, Dwarf_Die die, uint64_t addr)
{
	struct covering c = {addr, false};

	return debug_die_ranges(u, die, look_at_range, &c) && c.hit;
}

Dwarf_Die debug_die_follow(const struct debug_unit *u, Dwarf_Die die, Dwarf_Half attr)
{
	Dwarf_Attribute a = NULL;
	Dwarf_Error why = NULL;
	Dwarf_Half form = 0;
	Dwarf_Off off = 0;
	Dwarf_Die to = NULL;

	if (dwarf_attr(die, attr, &a, &why) != DW_DLV_OK)
		return NULL;
	bool ok = dwarf_whatform(a, &form, &why) == DW_DLV_OK && form != DW_FORM_ref_addr &&
		  dwarf_global_formref(a, &off, &why) == DW_DLV_OK && off < u->window.bytes;
	dwarf_dealloc_attribute(a);
	if (!ok || dwarf_offdie_b(u->window.dbg, off, 1, &to, &why) != DW_DLV_OK)
		return NULL;
	return to;
}

const char *debug_die_name(const struct debug_unit *u, Dwarf_Die die)
{
	char *name = NULL;
	Dwarf_Error why = NULL;
	Dwarf_Die at = die;

	for (int hop = 0; at && hop < MAX_HOPS; hop++) {
		if (dwarf_diename(at, &name, &why) != DW_DLV_OK)
			name = NULL;
		Dwarf_Die next = name ? NULL : debug_die_follow(u, at, DW_AT_abstract_origin);
		if (!name && !next)
			next = debug_die_follow(u, at, DW_AT_specification);
		if (at != die)
			dwarf_dealloc_die(at);
		at = next;
	}
	if (at && at != die)
		dwarf_dealloc_die(at);
	return name;
}
