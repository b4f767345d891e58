/*
 * The sections of an ELF file with debug information, each looked at only when it is asked for:
 * out of the mapped file, decompressed, or relocated.  For the child that libdwarf runs in.
 */
#ifndef SYMBOLS_DEBUG_ELF_H
#define SYMBOLS_DEBUG_ELF_H

#include <inquest/err.h>
#include <stdbool.h>

#include "base/span.h"
#include "symbols/build_id.h"

/* What libdwarf knows by name, and this program needs. */
enum debug_section {
	DEBUG_INFO,
	DEBUG_ABBREV,
	DEBUG_LINE,
	DEBUG_LINE_STR,
	DEBUG_STR,
	DEBUG_STR_OFFSETS,
	DEBUG_ADDR,
	DEBUG_RANGES,
	DEBUG_RNGLISTS,
	DEBUG_ARANGES,
	DEBUG_LOC,
	DEBUG_LOCLISTS,
	DEBUG_FRAME,
	DEBUG_SECTIONS,
};

struct debug_elf;

/*
 * The file stays open as long as this.  Errors: INQ_EUNSUPPORTED (no ELF file of x86-64),
 * INQ_ENOMEM.
 */
INQ_MUST enum inq_status debug_elf_open(int fd, struct debug_elf **ret_elf, struct inq_err *err);

/* ".debug_info", ... */
const char *debug_section_name(enum debug_section s);

/* Bytes of it, decompressed; 0: the file has none.  Looks at the table of sections only. */
uint64_t debug_elf_size(const struct debug_elf *e, enum debug_section s);

/* The same span each time.  Errors: INQ_ENOTFOUND, INQ_EUNSUPPORTED, INQ_ECORRUPT, INQ_ENOMEM. */
INQ_MUST enum inq_status debug_elf_section(struct debug_elf *e, enum debug_section s,
					   struct span *ret, struct inq_err *err);

/*
 * Modules are linked when they are loaded: their sections have no addresses yet.  Debug information
 * of such a file counts from one that is made up of the section's number.
 */
bool debug_elf_relocatable(const struct debug_elf *e);
uint64_t debug_elf_made_up(size_t section);

/* The nth section that is loaded to memory, from 0; false behind the last. */
struct debug_loaded {
	const char *name; /* as long as the file is open */
	uint64_t addr;    /* as the debug information has it */
	uint64_t bytes;
};
bool debug_elf_loaded(const struct debug_elf *e, size_t nth, struct debug_loaded *ret);

#endif
