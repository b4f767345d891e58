/* Knows how views can misbehave: many rows, wide, failing, of several CPUs, with hostile text. */
#include "tests/tui/fake.h"

#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

static const struct view views[] = {
	{.name = "findings",
	 .title = "Findings",
	 .doc = "what is wrong",
	 .col = {{"SEVERITY", VIEW_TEXT, 8},
		 {"RULE", VIEW_TEXT, 0},
		 {"CPU", VIEW_DEC, 3},
		 {"WHAT", VIEW_TEXT, 0}},
	 .opens = "evidence"},
	{.name = "evidence",
	 .title = "Evidence",
	 .doc = "which rows prove it",
	 .col = {{"TABLE", VIEW_TEXT, 0}, {"TEXT", VIEW_TEXT, 0}}},
	{.name = "insns",
	 .title = "Code",
	 .doc = "decoded code around RIP",
	 .col = {{"CPU", VIEW_DEC, 3},
		 {"LOOP", VIEW_TEXT, 0},
		 {"ADDRESS", VIEW_HEX, 18},
		 {"CODE", VIEW_TEXT, 0}},
	 .mark = "LOOP"},
	{.name = "many",
	 .title = "Many",
	 .doc = "more rows than are kept",
	 .col = {{"N", VIEW_DEC, 0}}},
	{.name = "broken",
	 .title = "Broken",
	 .doc = "fails before its first row",
	 .col = {{"N", VIEW_DEC, 0}}},
	{.name = "torn",
	 .title = "Torn",
	 .doc = "fails behind its first row",
	 .col = {{"N", VIEW_DEC, 0}}},
	{.name = "uncollected",
	 .title = "Uncollected",
	 .doc = "its tables cannot be collected, one row is there",
	 .col = {{"N", VIEW_DEC, 0}}},
	{.name = "empty", .title = "Empty", .doc = "no rows", .col = {{"N", VIEW_DEC, 0}}},
	{.name = "loop",
	 .title = "Loop",
	 .doc = "opens itself, each time another",
	 .col = {{"N", VIEW_DEC, 0}},
	 .opens = "loop"},
	{.name = "crash",
	 .title = "Crash",
	 .doc = "reading it ends the program by a signal",
	 .col = {{"N", VIEW_DEC, 0}}},
	{.name = "stuck",
	 .title = "Stuck",
	 .doc = "reading it never ends",
	 .col = {{"N", VIEW_DEC, 0}}},
	{.name = "long",
	 .title = "Long",
	 .doc = "texts of more than one line",
	 .col = {{"N", VIEW_DEC, 4}, {"TEXT", VIEW_TEXT, 0}}},
	{.name = "wide",
	 .title = "Wide",
	 .doc = "\xe6\xb7\xb1\xe3\x81\x84 text",
	 .col = {{"NAME", VIEW_TEXT, 0}, {"TEXT", VIEW_TEXT, 0}, {"UNKNOWN", VIEW_TEXT, 0}}},
	{.name = "endless",
	 .title = "Endless",
	 .doc = "reading it ends when Esc is pressed",
	 .col = {{"N", VIEW_DEC, 0}}},
};

const struct view *view_at(size_t i)
{
	return i < sizeof(views) / sizeof(*views) ? &views[i] : NULL;
}

const struct view *view_find(const char *name)
{
	for (size_t i = 0; i < sizeof(views) / sizeof(*views); i++)
		if (!strcmp(views[i].name, name))
			return &views[i];
	return NULL;
}

struct rows {
	const struct view_ref *from;
	view_row_fn *fn;
	void *ctx;
	enum inq_status st;
	struct inq_err *err;
};

/* machine 1, and the row's other parts where they are not negative */
static void row(struct rows *r, int64_t cpu, int64_t number, const char *const *cell)
{
	struct view_ref ref = {.part = {1, cpu, 0, number},
			       .known = 1U << VIEW_REF_MACHINE |
					(uint32_t)(cpu >= 0) << VIEW_REF_CPU |
					(uint32_t)(number >= 0) << VIEW_REF_ROW};

	if (r->from && r->from->known >> VIEW_REF_CPU & 1 && cpu >= 0 &&
	    r->from->part[VIEW_REF_CPU] != cpu)
		return;
	if (!r->st)
		r->st = r->fn(r->ctx, &ref, cell, r->err);
}

static void row_number(struct rows *r, int64_t n)
{
	char text[24];
	const char *cell[] = {text};

	snprintf(text, sizeof(text), "%" PRId64, n);
	row(r, -1, n, cell);
}

static void findings(struct rows *r)
{
	row(r, 1, 1, (const char *[]){"fatal", "smm-tight-loop", "1", "spins in SMM"});
	row(r, 0, 2, (const char *[]){"warning", "cpu-hlt-if0", "0", "halted for good"});
	row(r, -1, 3, (const char *[]){"info", "Smm-note", "-", "something else"});
}

static void insns(struct rows *r)
{
	for (int cpu = 0; cpu < 2; cpu++) {
		for (int i = 0; i < 40; i++) {
			char number[8], addr[24], code[24];
			snprintf(number, sizeof(number), "%d", cpu);
			snprintf(addr, sizeof(addr), "0x%016x", 0x8000U + 2U * (unsigned)i);
			snprintf(code, sizeof(code), "nop ; %d", i);
			bool loop = i >= 30 && i < 33;
			row(r, cpu, -1, (const char *[]){number, loop ? "loop" : "", addr, code});
		}
	}
}

static void wide(struct rows *r)
{
	char line[301];

	memset(line, 'x', sizeof(line));
	for (size_t i = 0; i < 30; i++)
		snprintf(line + 10 * i, 11, "%-9zu|", 10 * i);
	row(r, -1, 0, (const char *[]){"\xe6\xb7\xb1\xe3\x81\x84", line, "-"});
	row(r, -1, 1, (const char *[]){"a\xcc\x81", "\\x1b[2J", "known"});
	row(r, -1, 2, (const char *[]){"\x1b[31m\xff", "bytes that no view hands out", "-"});
}

static void row_long(struct rows *r, int64_t n)
{
	char number[24], text[200] = "short";

	snprintf(number, sizeof(number), "%" PRId64, n);
	for (size_t at = 0; n % 5 == 4 && at < 190; at += 10)
		snprintf(text + at, sizeof(text) - at, "word%-5zu ", at);
	row(r, -1, n, (const char *[]){number, text});
}

static void read_rows(const struct view *v, struct rows *r)
{
	if (!strcmp(v->name, "findings"))
		findings(r);
	else if (!strcmp(v->name, "evidence"))
		row(r, -1, -1,
		    (const char *[]){"finding", r->from && r->from->part[3] == 2 ? "two" : "one"});
	else if (!strcmp(v->name, "insns"))
		insns(r);
	else if (!strcmp(v->name, "wide"))
		wide(r);
	else if (!strcmp(v->name, "loop"))
		row_number(r, r->from ? r->from->part[VIEW_REF_ROW] + 1 : 0);
	else if (!strcmp(v->name, "crash"))
		raise(SIGSEGV);
	else if (!strcmp(v->name, "stuck"))
		while (!r->st)
			pause();
	else if (!strcmp(v->name, "long"))
		for (int64_t n = 0; n < 20; n++)
			row_long(r, n);
	else if (strcmp(v->name, "empty") != 0 && strcmp(v->name, "broken") != 0)
		row_number(r, 0);
	for (int64_t n = 1; !r->st && !strcmp(v->name, "many") && n < 200000; n++)
		row_number(r, n);
}

/* As a search through memory: it asks now and then, where there is a terminal to ask. */
static enum inq_status until_escape(const struct store *s, const struct view *v,
				    struct inq_err *err)
{
	while (s->escaped && !s->escaped())
		usleep(1000);
	return inq_fail(err, INQ_EINTR, "view %s: stopped", v->name);
}

enum inq_status view_each(struct store *s, const struct view *v, const struct view_ref *from,
			  view_row_fn *fn, void *ctx, struct inq_err *err)
{
	struct rows r = {.from = from, .fn = fn, .ctx = ctx, .err = err};

	s->reads++;
	if (!strcmp(v->name, "endless"))
		return until_escape(s, v, err);
	read_rows(v, &r);
	if (!r.st && (!strcmp(v->name, "broken") || !strcmp(v->name, "torn")))
		return inq_fail(err, INQ_EIO, "view %s: query: disk I/O error", v->name);
	return inq_wrap(err, r.st, "view %s", v->name);
}

static enum inq_status prepare(void *ctx, const struct view *v, struct inq_err *err)
{
	struct store *s = ctx;

	s->prepared++;
	if (!strcmp(v->name, "uncollected"))
		return inq_fail(err, INQ_EABSENT, "collector n: page was not dumped");
	return INQ_OK;
}

static void on_stop(void *ctx, bool (*stop)(void))
{
	((struct store *)ctx)->escaped = stop;
}

struct tui_source fake_source(struct store *s)
{
	return (struct tui_source){.store = s,
				   .title = "fake.core",
				   .prepare = prepare,
				   .on_stop = on_stop,
				   .ctx = s,
				   .first = "findings"};
}
