/* inquest sql: any question, from the command line, from a pipe, or at a prompt. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analyzers/collect/collectors.h"
#include "cli/commands.h"
#include "cli/say.h"
#include "cli/session.h"
#include "views/query.h"

enum { NEED_MAX = 64 };

struct needs {
	bool rules, all, spaces;
	bool collector[NEED_MAX]; /* by collector_at */
};

static void free_text(char **p)
{
	free(*p);
}

/* What a question reads says what to collect; SQLite itself knows what it reads. */
static void note_table(void *ctx, const char *table)
{
	static const char *const of_rules[] = {"finding", "evidence", "unevaluated"};
	static const char *const of_all[] = {"run", "gap", "addr_name", "sqlite_schema",
					     "sqlite_master"};
	struct needs *n = ctx;

	for (size_t i = 0; i < sizeof(of_rules) / sizeof(*of_rules); i++)
		n->rules |= !strcmp(table, of_rules[i]);
	for (size_t i = 0; i < sizeof(of_all) / sizeof(*of_all); i++)
		n->all |= !strcmp(table, of_all[i]);
	n->spaces |= !strcmp(table, "space");
	for (size_t i = 0; i < NEED_MAX && collector_at(i); i++)
		n->collector[i] |= !strcmp(table, collector_at(i)->table);
}

/*
 * Tables that the question may read: a name of ours stands in it as it is, and who asks for the
 * schema gets all.  Making every table would cost more than finding a kernel does.
 */
static enum inq_status prepare_tables(struct session *s, const char *sql, struct inq_err *err)
{
	bool all = strcasestr(sql, "sqlite_") || strcasestr(sql, "pragma");
	enum inq_status st = INQ_OK;

	for (size_t i = 0; !st && s->machine && collector_at(i); i++)
		if (all || strcasestr(sql, collector_at(i)->table))
			st = store_create_table(s->store, collector_at(i), err);
	return st;
}

static enum inq_status answer(struct session *s, const char *sql, enum view_form form,
			      struct inq_err *err)
{
	struct needs n = {0};
	enum inq_status st = prepare_tables(s, sql, err);

	if (!st)
		st = query_tables(s->store, sql, note_table, &n, err);
	if (!st && n.all)
		st = session_need(s, "*", err);
	for (size_t i = 0; !st && i < NEED_MAX && collector_at(i); i++)
		if (n.collector[i])
			st = session_need(s, collector_at(i)->table, err);
	if (!st && n.spaces) /* finding the kernel brings one */
		st = session_need(s, "kernel", err);
	if (!st && n.rules)
		st = session_need(s, "finding", err);
	return st ? st : query_print(s->store, sql, form, stdout, err);
}

/* False: there shall be no other question. */
static bool answer_at_prompt(struct session *s, const char *sql, enum view_form form)
{
	struct inq_err err = {0};

	if (!answer(s, sql, form, &err))
		return true;
	if (err.status != INQ_EINTR || !cli_forget_interrupt()) {
		(void)cli_fail(NULL, &err, NULL);
		return err.status != INQ_EINTR;
	}
	fflush(stdout);
	fputs("\ninquest: stopped\n", stderr);
	return true;
}

/* Ctrl-C drops the half-typed question, as shells do. */
static bool dropped_line(void)
{
	if (!cli_forget_interrupt())
		return false;
	clearerr(stdin);
	puts("");
	return true;
}

/* A mistake at the prompt is shown, and the prompt goes on. */
static int prompt(struct session *s, enum view_form form)
{
	INQ_SCOPED(free_text) char *text = calloc(1, 1);
	INQ_SCOPED(free_text) char *line = NULL;
	size_t cap = 0, len = 0;

	printf("Tables: inquest schema.  A question ends with a semicolon, Ctrl-D ends.\n");
	for (;;) {
		fputs(len ? "    ...> " : "inquest> ", stdout);
		fflush(stdout);
		ssize_t n = getline(&line, &cap, stdin);
		if (n < 0 && dropped_line()) {
			text[len = 0] = '\0';
			continue;
		}
		char *more = n > 0 ? realloc(text, len + (size_t)n + 1) : NULL;
		if (!more)
			break;
		text = more;
		memcpy(text + len, line, (size_t)n + 1);
		len += (size_t)n;
		if (strspn(text, " \t\n") < len && !query_complete(text))
			continue;
		if (!answer_at_prompt(s, text, form))
			break;
		text[len = 0] = '\0';
	}
	puts("");
	fflush(stdout);
	if (cli_interrupted())
		cli_die_of_interrupt();
	return CLI_GOOD;
}

static int run(const struct cli_args *a)
{
	INQ_SCOPED(session_close_scope_) struct session *s = NULL;
	INQ_SCOPED(free_text) char *text = NULL;
	enum view_form form = a->json ? VIEW_FORM_JSON : VIEW_FORM_TEXT;
	struct inq_err err = {0};
	size_t cap = 0;
	const struct session_plan plan = {
		.file = a->arg[0], .vmlinux = a->vmlinux, .verbose = a->verbose, .base = a->base};
	enum inq_status st = session_open(&plan, &s, &err);

	if (!st && a->nr_args < 2 && isatty(STDIN_FILENO))
		return prompt(s, form);
	if (!st && a->nr_args < 2 && getdelim(&text, &cap, '\0', stdin) < 0)
		return cli_fail_usage("inquest help sql", "sql: no question on standard input");
	if (!st)
		st = answer(s, text ? text : a->arg[1], form, &err);
	return st ? cli_fail(a->arg[0], &err, st == INQ_EUSAGE ? "try inquest schema" : NULL)
		  : CLI_GOOD;
}

const struct cli_command cli_cmd_sql = {
	.name = "sql",
	.usage = "[--json] FILE [QUERY]",
	.doc = "ask anything in SQL",
	.help = "  inquest sql guest.core \"SELECT cpu, mode, hex64(rip) FROM cpu\"\n"
		"  inquest sql guest.core < questions.sql\n"
		"  inquest sql guest.core                    at a prompt\n"
		"\n"
		"Only the tables that a question reads are collected.  Nothing can be changed.\n"
		"`inquest schema` explains the tables, `inquest show --sql VIEW` the queries that\n"
		"the views are made of.\n",
	.options = CLI_JSON | CLI_VERBOSE | CLI_BASE | CLI_VMLINUX,
	.min_args = 1,
	.max_args = 2,
	.run = run,
};
