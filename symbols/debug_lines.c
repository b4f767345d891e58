/*
 * Knows how a line table and nested DIEs tell which source an address comes from.  Source: DWARF 5,
 * 6.2 "Line Number Information", 3.3.8 "Inlined Subroutines".
 */
#include "symbols/debug_lines.h"

#include <libdwarf/dwarf.h>

#include "symbols/debug_job.h"

enum { MAX_DEPTH = 256 }; /* of blocks in blocks */

/* A function that addr lies in, and where in it: the outermost has the others inlined. */
struct level {
	const char *function;                       /* NULL: unknown */
	uint64_t call_file, call_line, call_column; /* where the next outer one calls it */
};

struct asked {
	struct debug_unit *unit;
	uint64_t addr;
	struct level level[JOB_FRAMES_MAX]; /* outermost first */
	size_t nr;
	const char *file; /* of the line table; NULL: unknown */
	uint64_t line, column;
};

static enum inq_status read_lines(struct debug_unit *u)
{
	Dwarf_Unsigned version;
	Dwarf_Small tables;
	Dwarf_Error why = NULL;

	if (!u->lines && dwarf_srclines_b(u->die, &version, &tables, &u->lines, &why) != DW_DLV_OK)
		u->lines = NULL;
	return u->lines ? INQ_OK : INQ_ENOTFOUND;
}

/* The row that is good for addr: the last of its sequence at or before it. */
static Dwarf_Line find_row(Dwarf_Line *row, Dwarf_Signed n, uint64_t addr)
{
	Dwarf_Error why = NULL;
	Dwarf_Addr at = 0, next = 0;
	Dwarf_Bool end = 1;

	if (n < 1 || dwarf_lineaddr(row[0], &at, &why) != DW_DLV_OK)
		return NULL;
	for (Dwarf_Signed i = 0; i + 1 < n; i++, at = next) {
		if (dwarf_lineaddr(row[i + 1], &next, &why) != DW_DLV_OK)
			return NULL;
		if (addr < at || addr >= next)
			continue;
		if (dwarf_lineendsequence(row[i], &end, &why) == DW_DLV_OK && !end)
			return row[i];
	}
	return NULL;
}

static void take_row(struct asked *q, Dwarf_Line row)
{
	Dwarf_Error why = NULL;
	Dwarf_Unsigned n = 0;
	char *file = NULL;

	if (dwarf_linesrc(row, &file, &why) == DW_DLV_OK)
		q->file = file;
	if (dwarf_lineno(row, &n, &why) == DW_DLV_OK)
		q->line = n;
	if (dwarf_lineoff_b(row, &n, &why) == DW_DLV_OK)
		q->column = n;
}

static void find_line(struct asked *q)
{
	Dwarf_Line *row = NULL;
	Dwarf_Signed n = 0;
	Dwarf_Error why = NULL;

	if (read_lines(q->unit) ||
	    dwarf_srclines_from_linecontext(q->unit->lines, &row, &n, &why) != DW_DLV_OK)
		return;
	Dwarf_Line hit = find_row(row, n, q->addr);
	if (hit)
		take_row(q, hit);
}

static void enter(void *ctx, Dwarf_Die die, bool is_function)
{
	struct asked *q = ctx;

	if (!is_function || q->nr == JOB_FRAMES_MAX)
		return;
	struct level *l = &q->level[q->nr++];

	*l = (struct level){.function = debug_die_name(q->unit, die)};
	if (!debug_die_number(q->unit, die, DW_AT_call_file, &l->call_file) ||
	    !debug_die_number(q->unit, die, DW_AT_call_line, &l->call_line))
		l->call_line = 0;
	if (!debug_die_number(q->unit, die, DW_AT_call_column, &l->call_column))
		l->call_column = 0;
}

/* Functions hold blocks and inlined functions, which hold more of them. */
static bool may_hold_code(Dwarf_Half tag, bool inside)
{
	return inside ? tag == DW_TAG_lexical_block || tag == DW_TAG_inlined_subroutine
		      : tag == DW_TAG_subprogram;
}

/* Of die and its siblings, the one that addr lies in; frees the others; NULL: none. */
static Dwarf_Die covering_of(const struct debug_unit *u, uint64_t addr, Dwarf_Die die, bool inside)
{
	Dwarf_Error why = NULL;

	while (die) {
		Dwarf_Half tag = 0;
		Dwarf_Die next = NULL;
		if (dwarf_tag(die, &tag, &why) == DW_DLV_OK && may_hold_code(tag, inside) &&
		    debug_die_covers(u, die, addr))
			return die;
		if (dwarf_siblingof_b(u->window.dbg, die, 1, &next, &why) != DW_DLV_OK)
			next = NULL;
		dwarf_dealloc_die(die);
		die = next;
	}
	return NULL;
}

static Dwarf_Die first_child(Dwarf_Die die)
{
	Dwarf_Die child = NULL;
	Dwarf_Error why = NULL;

	return dwarf_child(die, &child, &why) == DW_DLV_OK ? child : NULL;
}

void debug_each_covering(const struct debug_unit *u, uint64_t addr, debug_covering_fn *each,
			 void *ctx)
{
	Dwarf_Die at = covering_of(u, addr, first_child(u->die), false);

	for (int depth = 0; at && depth < MAX_DEPTH; depth++) {
		Dwarf_Half tag = 0;
		Dwarf_Error why = NULL;
		if (dwarf_tag(at, &tag, &why) == DW_DLV_OK)
			each(ctx, at, tag != DW_TAG_lexical_block);
		Dwarf_Die inner = covering_of(u, addr, first_child(at), true);
		dwarf_dealloc_die(at);
		at = inner;
	}
	if (at)
		dwarf_dealloc_die(at);
}

/* Paths count from where the compiler ran; what it says of that folder helps nobody else. */
static const char *shorten(const struct debug_unit *u, const char *path)
{
	size_t n = strlen(u->folder);

	if (n && !strncmp(path, u->folder, n) && path[n] == '/')
		path += n + 1;
	while (path[0] == '.' && path[1] == '/')
		path += 2;
	return path;
}

static size_t put_text(uint8_t *to, const char *text, size_t n)
{
	if (n)
		memcpy(to, text, n);
	return n;
}

static size_t put_frame(const struct asked *q, const struct level *l, const char *file,
			uint64_t line, uint64_t column, bool inlined, uint8_t *to, size_t room)
{
	const char *path = file ? shorten(q->unit, file) : "";
	const char *function = l && l->function ? l->function : "";
	const struct job_frame fr = {
		.line = line <= INT32_MAX ? (uint32_t)line : 0,
		.column = column <= INT32_MAX ? (uint32_t)column : 0,
		.function_bytes = (uint32_t)strnlen(function, JOB_NAME_MAX),
		.file_bytes = (uint32_t)strnlen(path, JOB_NAME_MAX),
		.inlined = inlined,
	};

	if (room < sizeof(fr) + fr.function_bytes + fr.file_bytes)
		return 0;
	memcpy(to, &fr, sizeof(fr));
	size_t n = sizeof(fr);
	n += put_text(to + n, function, fr.function_bytes);
	n += put_text(to + n, path, fr.file_bytes);
	return n;
}

/* Version 5 counts files from 0, those before from 1; libdwarf's list always begins with 0. */
static const char *file_of(const struct asked *q, char **list, Dwarf_Signed n, uint64_t nr)
{
	uint64_t at = q->unit->version >= 5 ? nr : nr - 1;

	return at < (uint64_t)n ? list[at] : NULL;
}

/* Each frame but the innermost stands where it calls the one inlined into it. */
static size_t put_frames(const struct asked *q, uint8_t *buf, size_t room)
{
	char **list = NULL;
	Dwarf_Signed nr_files = 0;
	Dwarf_Error why = NULL;
	const char *file = q->file;
	uint64_t line = q->line, column = q->column;
	size_t n = 0;

	if (q->nr > 1 && dwarf_srcfiles(q->unit->die, &list, &nr_files, &why) != DW_DLV_OK)
		nr_files = 0;
	if (!q->nr)
		return put_frame(q, NULL, file, line, column, false, buf, room);
	for (size_t i = q->nr; i-- > 0;) {
		const struct level *l = &q->level[i];
		n += put_frame(q, l, file, line, column, i > 0, buf + n, room - n);
		file = l->call_line ? file_of(q, list, nr_files, l->call_file) : NULL;
		line = l->call_line;
		column = l->call_column;
	}
	return n;
}

enum inq_status debug_lines_at(struct debug_file *f, uint64_t unit, uint64_t addr, uint8_t *buf,
			       size_t room, size_t *ret_n, struct inq_err *err)
{
	struct asked q = {.addr = addr};
	enum inq_status st = debug_unit_open(f, unit, false, &q.unit, err);

	if (st)
		return st;
	find_line(&q);
	debug_each_covering(q.unit, addr, enter, &q);
	if (!q.nr && !q.line)
		return inq_fail(err, INQ_ENOTFOUND, "no line there");
	*ret_n = put_frames(&q, buf, room);
	return INQ_OK;
}
