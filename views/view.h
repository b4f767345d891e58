/*
 * A view is a query with headings.  The commands, the report and the TUI draw the same views.
 * How to add one: an entry in views/<group>.c, the group in views.h, golden text in tests/golden.
 */
#ifndef VIEWS_VIEW_H
#define VIEWS_VIEW_H

#include <stdio.h>

#include <inquest/err.h>

struct store;

enum { VIEW_COLS = 12, VIEW_NEEDS = 8, VIEW_TEXTS = 2 };

/* Which row this is: what Enter hands to the view that it opens. */
enum view_ref_part { VIEW_REF_MACHINE, VIEW_REF_CPU, VIEW_REF_ADDR, VIEW_REF_ROW, VIEW_REF_PARTS };
struct view_ref {
	int64_t part[VIEW_REF_PARTS];
	uint32_t known; /* one bit per part: a finding has no address, a page no row */
	/* What a person typed, for views of memory: a space, an address.  NULL: nothing. */
	const char *text[VIEW_TEXTS];
};

enum view_fmt { VIEW_TEXT, VIEW_DEC, VIEW_HEX /* 0x..., unsigned */ };

struct view_col {
	const char *head;
	enum view_fmt fmt;
	int width; /* characters at least; the last column may be stretched */
};

/* Of the rows of dis(): an instruction, and the symbol that it leads to. */
#define VIEW_NAMED_INSN "text || coalesce(' <' || sym(target) || '>', '')"

/*
 * What an address of a CPU's own code is called, "function+0xoff/0xsize [module]", or NULL: for
 * a view that needs addr_name behind its tables.  Who runs an inner guest runs code that is not the
 * kernel's.
 */
#define VIEW_NAME(t, col)                                                                          \
	"iif(EXISTS (SELECT 1 FROM space s WHERE s.machine_id = " #t ".machine_id"                 \
	" AND s.name = 'nested' || " #t ".cpu), NULL,"                                             \
	" (SELECT n.name FROM addr_name n WHERE n.machine_id = " #t ".machine_id"                  \
	" AND n.addr = " #t "." #col "))"

/* Of a frame: whose code it is, where that is not the kernel's, its function, what is to be said.
 */
#define VIEW_CALLED(t)                                                                             \
	"iif(" #t ".mode = 'kernel', '', " #t ".mode || ' ') || " #t                               \
	".function || coalesce('  ' || " #t ".note, '')"

struct view {
	const char *name, *title;
	const char *doc; /* one line for `inquest views` */
	/* Tables that the query reads, ends at NULL or VIEW_NEEDS; of the tables of every index
	   only "finding" (run the rules) and "addr_name" (names of the addresses in those before
	   it) stand here, and "*" is all that can be collected. */
	const char *needs[VIEW_NEEDS];
	const char *reads; /* one more, as far as it is stored already: not collected for it */
	/*
	 * Columns: machine_id, cpu, addr, row (NULL where a row has none), then one per heading.
	 * ?1 to ?4 are the same four of the row that opened this view; NULL when opened alone, so
	 * queries say (?1 IS NULL OR machine_id = ?1).  ?5 and ?6 are its texts.
	 */
	const char *sql;
	struct view_col col[VIEW_COLS]; /* ends at a NULL head */
	const char *opens;              /* view that Enter opens, or NULL */
	const char *mark;               /* column (by heading) whose non-empty cell marks the row */
};

const struct view *view_find(const char *name); /* NULL: no such view */
const struct view *view_at(size_t i);           /* NULL behind the last */

/* One row: who it is, and its finished cells, one per heading, safe for any terminal; "-" is
   unknown.  Borrowed until the callback returns. */
typedef enum inq_status view_row_fn(void *ctx, const struct view_ref *ref, const char *const *cell,
				    struct inq_err *err);

/* Call fn for each row until it fails.  from: the row that opened this view, or NULL. */
INQ_MUST enum inq_status view_each(struct store *s, const struct view *v,
				   const struct view_ref *from, view_row_fn *fn, void *ctx,
				   struct inq_err *err);

/* What `inquest show NAME` prints: aligned text (headings, then rows; a long last cell is broken
   at 80 columns and goes on below itself), JSON ({"view":..., "rows":[{...}]}), or the SQL. */
enum view_form { VIEW_FORM_TEXT, VIEW_FORM_JSON, VIEW_FORM_SQL };
INQ_MUST enum inq_status view_print(struct store *s, const struct view *v,
				    const struct view_ref *from, enum view_form form, FILE *out,
				    struct inq_err *err);

#endif
