/* What the files about debug files share.  For machine/lines*.c only. */
#ifndef MACHINE_LINES_PARTS_H
#define MACHINE_LINES_PARTS_H

#include "machine/lines.h"
#include "machine/module_sections.h"
#include "symbols/debug_file.h"
#include "symbols/debug_info.h"

enum { LINES_NOTES = 32 };

/* Of one module, once an address of it was asked for. */
struct lines_module {
	struct machine_sections sections;
	struct debug_info *file; /* NULL: there is none, and why */
	struct inq_err why;
};

struct machine_lines {
	struct machine_debug where;
	bool looked;
	struct debug_info *kernel;    /* NULL: there is none, or nobody has looked */
	struct lines_module **module; /* as inq_modules numbers them; NULL: nobody has asked */
	size_t nr_modules;
	char note[LINES_NOTES][320];
	size_t nr_notes;
};

/* For people: what came of looking at a file; those too many are dropped. */
void lines_note(struct machine_lines *l, const char *fmt, ...) INQ_PRINTF(2, 3);

/*
 * Open a file if there is one, and keep it if it is of the build that is wanted: one of another
 * build would name everything wrong.  whose: "the kernel".  given: it was named by somebody, and is
 * believed where no build is known.  NULL: a note says why, unless there is no such file.
 */
struct debug_info *lines_try_file(struct machine_lines *l, const char *path, const char *whose,
				  const char *build_id, bool given);

/* The debug file of the code at addr, and the address there.  Errors: those of inq_lines_at. */
INQ_MUST enum inq_status lines_file_at(const struct inq_machine *m, uint64_t addr,
				       struct debug_info **ret, uint64_t *ret_at,
				       struct inq_err *err);

/*
 * The debug file of the module that addr lies in, and the address there.
 * Errors: INQ_ENOTFOUND (in no module: *err is left alone; in none of its sections), INQ_EABSENT
 * (there is no such file), INQ_ENOMEM.
 */
INQ_MUST enum inq_status lines_of_module(const struct inq_machine *m, uint64_t addr,
					 struct debug_info **ret, uint64_t *ret_at,
					 struct inq_err *err);
void lines_modules_destroy(struct machine_lines *l);

#endif
