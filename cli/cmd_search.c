/* inquest search: where something stands in memory. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/memory.h"
#include "cli/say.h"
#include "machine/search.h"
#include "views/query.h"

enum { FALLBACK = 1000 };

/* What was asked, and how it went. */
struct asking {
	struct session *s;
	uint64_t limit, nr; /* hits: most, so far */
	bool cut;           /* there are more */
	char unseen[24];    /* bytes; empty: all was seen */
};

static void free_text(char **p)
{
	free(*p);
}

/* SPACE or SPACE:FIRST-LAST to the arguments of search() in SQL. */
static bool range_of(const char *text, char *sql, size_t n)
{
	const char *colon = text ? strrchr(text, ':') : NULL, *dash;
	uint64_t first = 0, last = 0;

	if (!text || !colon) {
		(void)snprintf(sql, n, "'%.90s'", text ? text : "phys");
		return !text || strlen(text) <= 90;
	}
	dash = strchr(colon, '-');
	if (!dash || colon - text > 90 ||
	    !machine_number(colon + 1, (size_t)(dash - colon - 1), &first) ||
	    !machine_number(dash + 1, strlen(dash + 1), &last) || first > last)
		return false;
	(void)snprintf(sql, n, "'%.*s', 0x%" PRIx64 ", 0x%" PRIx64, (int)(colon - text), text,
		       first, last);
	return true;
}

static enum inq_status put_hit(void *ctx, int nr_cols, const char *const *cell, struct inq_err *err)
{
	struct asking *q = ctx;

	(void)nr_cols;
	(void)err;
	if (strcmp(cell[0], "hit") != 0) {
		snprintf(q->unseen, sizeof(q->unseen), "%s", cell[3]);
		return INQ_OK;
	}
	if (q->nr == q->limit) {
		q->cut = true;
		return INQ_OK;
	}
	if (!q->nr++)
		printf("%18s %-32s %s\n", "ADDRESS", "BYTES", "TEXT");
	cli_progress_wipe(&q->s->progress);
	printf("%18s %-32s %s\n", cell[1], cell[2], cell[4]);
	if (isatty(STDOUT_FILENO))
		fflush(stdout);
	return INQ_OK;
}

static enum inq_status answer(struct asking *q, const struct cli_args *a, const char *what,
			      const char *range, struct inq_err *err)
{
	INQ_SCOPED(free_text) char *sql = NULL;
	int n = asprintf(&sql,
			 "SELECT state, hex64(addr) AS addr, bytes, len, text FROM search(%s, %s)"
			 " LIMIT %" PRIu64,
			 what, range, q->limit + 1); /* one more tells that there is one */

	if (n < 0) {
		sql = NULL;
		return inq_fail(err, INQ_ENOMEM, "query");
	}
	if (a->sql) {
		printf("%s;\n", sql);
		return INQ_OK;
	}
	return a->json ? query_print(q->s->store, sql, VIEW_FORM_JSON, stdout, err)
		       : query_each(q->s->store, sql, put_hit, q, err);
}

static void conclude(const struct asking *q, const struct cli_args *a)
{
	cli_progress_wipe(&q->s->progress);
	if (a->json || a->sql)
		return;
	fflush(stdout);
	if (q->cut)
		cli_note(a->arg[0], "stopped after %" PRIu64 " hits; --limit allows more", q->nr);
	else if (!q->nr)
		cli_note(a->arg[0], "not found");
	if (*q->unseen)
		cli_note(a->arg[0],
			 "%s bytes of that memory are not in the dump, and were not searched",
			 q->unseen);
}

static int search(const struct cli_args *a, uint64_t limit, const char *range)
{
	INQ_SCOPED(session_close_scope_) struct session *s = NULL;
	INQ_SCOPED(free_text) char *what = cli_quote(a->arg[1]);
	const struct session_plan plan = {
		.file = a->arg[0], .verbose = a->verbose, .base = a->base};
	struct asking q = {.limit = limit};
	struct inq_err err = {0};
	enum inq_status st =
		what ? session_open(&plan, &s, &err) : inq_fail(&err, INQ_ENOMEM, "what to search");

	if (!st && !session_machine(s))
		return cli_fail_usage("the dump that it was made from",
				      "%s: an index has no memory", a->arg[0]);
	q.s = s;
	if (!st)
		st = answer(&q, a, what, range, &err);
	if (!st)
		conclude(&q, a);
	else if (s)
		cli_progress_wipe(&s->progress);
	return st ? cli_fail(a->arg[0], &err, NULL) : CLI_GOOD;
}

static int run(const struct cli_args *a)
{
	uint64_t limit = FALLBACK;
	char range[160];

	if (a->limit && (!machine_number(a->limit, strlen(a->limit), &limit) || !limit ||
			 limit > INT64_MAX - 1))
		return cli_fail_usage("inquest help search", "%s: no number of hits", a->limit);
	if (!range_of(a->nr_args > 2 ? a->arg[2] : NULL, range, sizeof(range)))
		return cli_fail_usage("inquest help search", "%s: no SPACE or SPACE:A-B",
				      a->arg[2]);
	return search(a, limit, range);
}

const struct cli_command cli_cmd_search = {
	.name = "search",
	.usage = "[--json | --sql] [--limit N] FILE WHAT [SPACE[:A-B]]",
	.doc = "search memory for bytes, text, values, pointers",
	.help = "  inquest search guest.core 'Linux version'\n"
		"  inquest search guest.core hex:0f01c1..c3 kernel\n"
		"  inquest search guest.core ptr:0x7ffe000-0x7ffefff phys:0-0xffffff\n"
		"\n"
		"WHAT is one of\n" MACHINE_PATTERN_HELP "\n"
		"All cores search, hits come as they are found, 1000 at most unless --limit says\n"
		"otherwise.  Ctrl-C stops.  Memory that is not in the dump is said, never passed\n"
		"over in silence.  SPACE is phys unless given, from address A to B or all of it;\n"
		"`inquest help mem` explains spaces.  In SQL the same is\n"
		"search(what, space, first, last).\n",
	.options = CLI_JSON | CLI_SQL | CLI_VERBOSE | CLI_BASE | CLI_LIMIT,
	.min_args = 2,
	.max_args = 3,
	.run = run,
};
