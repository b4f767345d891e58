/* Knows in which order a person wants to read it: the verdict first, what was not seen last. */
#include "cli/report.h"
#include "base/wrap.h"

#include <stdlib.h>
#include <string.h>

#include "store/rank.h"
#include "views/query.h"

enum { CPUS_SHOWN = 16, GAPS_SHOWN = 5 };

struct report {
	struct session *s;
	FILE *out;
	bool colour;
	int nr;    /* rows printed by the running query */
	long left; /* further ones, not printed */
	const char *sep;
};

static void free_text(char **p)
{
	free(*p);
}

static const char *text_of(const char *cell)
{
	return cell ? cell : "-";
}

/* Severity as a word that catches the eye. */
static void put_severity(const struct report *r, const char *severity)
{
	bool severe = !strcmp(severity, "fatal") || !strcmp(severity, "error");

	if (r->colour)
		fputs(severe ? "\033[1;31m" : "\033[33m", r->out);
	fputs(severity, r->out);
	if (r->colour)
		fputs("\033[0m", r->out);
}

static enum inq_status put_evidence(void *ctx, int nr_cols, const char *const *cell,
				    struct inq_err *err)
{
	const struct report *r = ctx;

	(void)nr_cols;
	(void)err;
	text_put_entry(r->out, 4, text_of(cell[0]), 11, text_of(cell[1]));
	return INQ_OK;
}

static enum inq_status put_evidence_of(struct report *r, long long finding_id, struct inq_err *err)
{
	char sql[160];

	snprintf(sql, sizeof(sql),
		 "SELECT tbl, text FROM evidence WHERE finding_id = %lld ORDER BY nr", finding_id);
	return query_each(r->s->store, sql, put_evidence, r, err);
}

/* finding_id, severity, confidence, rule, title, detail or subject, why, fix */
static enum inq_status put_verdict(void *ctx, int nr_cols, const char *const *cell,
				   struct inq_err *err)
{
	struct report *r = ctx;
	(void)nr_cols;
	if (r->nr++)
		fputc('\n', r->out);
	put_severity(r, text_of(cell[1]));
	fputs(": ", r->out);
	text_put_wrapped(r->out, text_of(cell[4]), (int)strlen(text_of(cell[1])) + 2, 2);
	fputs("  ", r->out);
	text_put_wrapped(r->out, text_of(cell[5]), 2, 2);
	fprintf(r->out, "  Evidence (rule %s, %s)\n", text_of(cell[3]), text_of(cell[2]));
	enum inq_status st = put_evidence_of(r, strtoll(text_of(cell[0]), NULL, 10), err);
	if (st)
		return st;
	text_put_entry(r->out, 2, "Why", 5, text_of(cell[6]));
	text_put_entry(r->out, 2, "Next", 5, text_of(cell[7]));
	return INQ_OK;
}

/* severity, rule, detail */
static enum inq_status put_other(void *ctx, int nr_cols, const char *const *cell,
				 struct inq_err *err)
{
	struct report *r = ctx;
	int n = (int)strlen(text_of(cell[0]));

	(void)nr_cols;
	(void)err;
	if (!r->nr++)
		fputs("\nOther findings\n", r->out);
	fputs("  ", r->out);
	put_severity(r, text_of(cell[0]));
	fprintf(r->out, "%*s ", n < 8 ? 8 - n : 0, "");
	fprintf(r->out, "%s\n%*s", text_of(cell[1]), 11, "");
	text_put_wrapped(r->out, text_of(cell[2]), 11, 11);
	return INQ_OK;
}

static enum inq_status put_findings(struct report *r, struct inq_err *err)
{
	r->nr = 0;
	enum inq_status st = query_each(
		r->s->store,
		"SELECT finding_id, severity, confidence, rule, title, coalesce(detail, subject),"
		" why, fix FROM finding WHERE " STORE_IS_SEVERE " ORDER BY " STORE_FINDING_ORDER,
		put_verdict, r, err);
	if (!st && !r->nr)
		fputs("Nothing of severity error or worse was found.\n", r->out);
	r->nr = 0;
	return st ? st
		  : query_each(r->s->store,
			       "SELECT severity, rule, coalesce(detail, subject) FROM finding"
			       " WHERE NOT " STORE_IS_SEVERE " ORDER BY " STORE_FINDING_ORDER,
			       put_other, r, err);
}

static enum inq_status put_header(void *ctx, int nr_cols, const char *const *cell,
				  struct inq_err *err)
{
	const struct report *r = ctx;

	(void)nr_cols;
	(void)err;
	fputc('\n', r->out);
	text_put_wrapped(r->out, text_of(cell[0]), 0, 2);
	return INQ_OK;
}

static const char header_sql[] =
	"SELECT coalesce(path, 'a dump') || ': ' || coalesce(variant, format) || ' of '"
	" || (SELECT CASE sum(nr_cpus) WHEN 0 THEN 'no known CPU' WHEN 1 THEN '1 CPU'"
	" ELSE sum(nr_cpus) || ' CPUs' END FROM machine)"
	" || coalesce(', by ' || producer, '')"
	" || coalesce(', taken ' || datetime(t_ns / 1000000000, 'unixepoch') || ' UTC', '')"
	" || coalesce(': ' || coalesce(reason_text, reason), '')"
	" || coalesce(' on cpu ' || reason_cpu, '') FROM dump";

/* Who else leads to that kernel; what does not agree is a finding. */
#define CONFIRMED                                                                                  \
	"(SELECT group_concat(DISTINCT upper(source)) FROM kernel_fact f"                          \
	" WHERE f.machine_id = k.machine_id AND source <> k.source"                                \
	" AND (fact = 'per_cpu' OR (fact = 'phys_base' AND value = k.phys_base)"                   \
	" OR (fact IN ('idt_handler', 'syscall_entry') AND addr_cmp(value, text) >= 0"             \
	" AND addr_cmp(value, last) <= 0)) AND k.source NOT LIKE source || ' %')"

static const char kernel_sql[] =
	"SELECT CASE WHEN os IS NULL THEN 'No Linux kernel: ' || note ELSE"
	" 'Linux' || coalesce(' ' || release, '') || coalesce(' at ' || hex64(text), '')"
	" || coalesce(', KASLR ' || hex64(kaslr_offset), '')"
	" || coalesce(', phys_base ' || iif(phys_base < 0, '-' || hex64(-phys_base),"
	" hex64(phys_base)), '')"
	" || coalesce(', ' || levels || ' levels', '')"
	" || ', found by ' || iif(source = 'cr3', 'CR3', replace(source, 'vmcoreinfo', "
	"'VMCOREINFO'))"
	" || coalesce(', confirmed by ' || replace(" CONFIRMED
	", ',', ', '), '') END FROM kernel k";

static enum inq_status put_kernel(void *ctx, int nr_cols, const char *const *cell,
				  struct inq_err *err)
{
	const struct report *r = ctx;

	(void)nr_cols;
	(void)err;
	text_put_wrapped(r->out, text_of(cell[0]), 0, 2);
	return INQ_OK;
}

static enum inq_status put_cpus(struct report *r, struct inq_err *err)
{
	INQ_SCOPED(free_text) char *n = NULL;
	enum inq_status st = query_text(r->s->store, "SELECT count(*) FROM cpu", &n, err);

	if (st)
		return st;
	long nr = n ? strtol(n, NULL, 10) : 0;
	if (nr < 1)
		return INQ_OK;
	if (nr <= CPUS_SHOWN)
		return view_print(r->s->store, view_find("cpus"), NULL, VIEW_FORM_TEXT, r->out,
				  err);
	fprintf(r->out, "%ld CPUs; inquest show cpus %s lists them\n", nr, r->s->file);
	return INQ_OK;
}

/* What it is about, what is said of it, of how many it is said */
static enum inq_status put_line(void *ctx, int nr_cols, const char *const *cell,
				struct inq_err *err)
{
	struct report *r = ctx;
	const long nr = strtol(text_of(cell[2]), NULL, 10);

	(void)nr_cols;
	(void)err;
	if (r->nr++ < GAPS_SHOWN) {
		fprintf(r->out, "  %s ", text_of(cell[0]));
		text_put_wrapped(r->out, text_of(cell[1]), (int)strlen(text_of(cell[0])) + 3, 4);
	} else {
		r->left += nr;
	}
	return INQ_OK;
}

static enum inq_status put_lines(struct report *r, const char *sql, const char *view,
				 struct inq_err *err)
{
	r->nr = 0;
	r->left = 0;
	enum inq_status st = query_each(r->s->store, sql, put_line, r, err);
	if (!st && r->left)
		fprintf(r->out, "  and %ld more: inquest show %s\n", r->left, view);
	return st;
}

/* Rows that say the same are one line, under the first one's name. */
#define AND_MORE "iif(count(*) > 1, ' and ' || (count(*) - 1) || ' more', '') || ':'"

/* What was not seen: never left out, however good the news above. */
static enum inq_status put_unknown(struct report *r, struct inq_err *err)
{
	INQ_SCOPED(free_text) char *counts = NULL;
	enum inq_status st = report_counts(r->s, &counts, err);

	if (st)
		return st;
	fprintf(r->out, "\n%s\n", counts);
	st = put_lines(r,
		       "SELECT 'rule ' || min(rule) || " AND_MORE
		       ", iif(tbl = '', '', 'table ' || tbl || ' ') || state"
		       " || coalesce(': ' || message, ''), count(*) FROM unevaluated"
		       " GROUP BY machine_id, tbl, state, message"
		       " ORDER BY machine_id, min(rule), tbl",
		       "unevaluated", err);
	return st ? st
		  : put_lines(r,
			      "SELECT iif(tbl = 'dump', 'damage', 'gap in ' || tbl) || " AND_MORE
			      ", message, count(*), min(rowid) FROM gap"
			      " GROUP BY machine_id, tbl = 'dump', message"
			      " ORDER BY tbl <> 'dump', machine_id, min(rowid)",
			      "gaps", err);
}

enum inq_status report_text(struct session *s, FILE *out, bool colour, struct inq_err *err)
{
	struct report r = {.s = s, .out = out, .colour = colour};
	enum inq_status st = put_findings(&r, err);

	if (!st)
		st = query_each(s->store, header_sql, put_header, &r, err);
	if (!st)
		st = query_each(s->store, kernel_sql, put_kernel, &r, err);
	if (!st)
		st = put_cpus(&r, err);
	return st ? st : put_unknown(&r, err);
}

enum inq_status report_counts(struct session *s, char **ret_text, struct inq_err *err)
{
	return query_text(s->store,
			  "SELECT f || iif(f = 1, ' finding, ', ' findings, ')"
			  " || u || iif(u = 1, ' rule', ' rules') || ' not evaluated, '"
			  " || g || iif(g = 1, ' gap', ' gaps')"
			  " FROM (SELECT count(*) AS f FROM finding),"
			  " (SELECT count(DISTINCT rule) AS u FROM unevaluated), (SELECT count(*) "
			  "AS g FROM gap)",
			  ret_text, err);
}

enum inq_status report_exit(struct session *s, int *ret_code, struct inq_err *err)
{
	INQ_SCOPED(free_text) char *n = NULL;
	enum inq_status st = query_text(
		s->store, "SELECT EXISTS (SELECT 1 FROM finding WHERE " STORE_IS_SEVERE ")", &n,
		err);

	if (!st)
		*ret_code = n && !strcmp(n, "1");
	return st;
}
