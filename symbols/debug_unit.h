/*
 * The units of a file with DWARF, opened one at a time: libdwarf gets a .debug_info that is just
 * the one unit, so it reads no other.  For the child that libdwarf runs in.
 */
#ifndef SYMBOLS_DEBUG_UNIT_H
#define SYMBOLS_DEBUG_UNIT_H

#include <libdwarf/libdwarf.h>

#include "symbols/debug_elf.h"

enum { JOB_OPEN_UNITS = 32 };

/* A .debug_info as libdwarf is to see it. */
struct debug_window {
	struct debug_elf *elf;
	uint64_t off, bytes; /* in .debug_info */
	bool bare;           /* libdwarf shall not see where code is: it reads all lists of that */
	Dwarf_Obj_Access_Interface access;
	Dwarf_Debug dbg;
};

struct debug_unit {
	struct debug_window window; /* .off: what its offsets count from */
	Dwarf_Die die;              /* of the unit itself */
	Dwarf_Half version;
	Dwarf_Line_Context lines; /* NULL: not read yet, or there are none */
	const char *folder;       /* where it was compiled; "": unknown */
};

struct debug_file {
	struct debug_elf *elf;
	struct debug_window whole; /* .dbg NULL: nobody has asked yet */
	Dwarf_Fde *fdes;           /* of .debug_frame; NULL: likewise */
	Dwarf_Signed nr_fdes;
	struct debug_unit open[JOB_OPEN_UNITS];
	size_t next; /* of open, the one to be closed next */
};

/* The last error of libdwarf as ours: INQ_ECORRUPT, INQ_ENOMEM. */
INQ_MUST enum inq_status debug_failed(Dwarf_Debug dbg, Dwarf_Error why, const char *doing,
				      struct inq_err *err);

/* Sections that say where to look in .debug_info, and that count from elsewhere: no unit needed. */
INQ_MUST enum inq_status debug_file_whole(struct debug_file *f, Dwarf_Debug *ret,
					  struct inq_err *err);

/*
 * Bytes of the unit at off in .debug_info, its header included.
 * Errors: INQ_ENOTFOUND (behind the last), INQ_ECORRUPT.
 */
INQ_MUST enum inq_status debug_unit_bytes(struct debug_file *f, uint64_t off, uint64_t *ret_bytes,
					  struct inq_err *err);

/*
 * The unit at off.  Good until JOB_OPEN_UNITS others were opened.
 * bare: without ranges of addresses, for who reads all units.
 * Errors: those of debug_unit_bytes, INQ_EUNSUPPORTED, INQ_ENOMEM.
 */
INQ_MUST enum inq_status debug_unit_open(struct debug_file *f, uint64_t off, bool bare,
					 struct debug_unit **ret, struct inq_err *err);

/*
 * Stretches of addresses of a function, a block or a unit, first and last inclusive.
 * each yields false to stop.  False: they could not be read, or there are none.
 */
typedef bool debug_range_fn(void *ctx, uint64_t first, uint64_t last);
bool debug_die_ranges(const struct debug_unit *u, Dwarf_Die die, debug_range_fn *each, void *ctx);
bool debug_die_covers(const struct debug_unit *u, Dwarf_Die die, uint64_t addr);

/* A number that an attribute holds; false: there is none. */
bool debug_die_number(const struct debug_unit *u, Dwarf_Die die, Dwarf_Half attr, uint64_t *ret);
/* In whatever form. */
bool debug_die_has(Dwarf_Die die, Dwarf_Half attr);
/* What an attribute refers to within the unit; to be freed; NULL: nothing. */
Dwarf_Die debug_die_follow(const struct debug_unit *u, Dwarf_Die die, Dwarf_Half attr);
/* Its name, or that of what it is an instance of; NULL: none. Lives as long as the unit. */
const char *debug_die_name(const struct debug_unit *u, Dwarf_Die die);

#endif
