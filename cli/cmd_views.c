/* inquest views, rules, schema, formats: what there is to ask for. */
#include <stdio.h>
#include <string.h>

#include "analyzers/collect/collectors.h"
#include "analyzers/live/live.h"
#include "analyzers/rules.h"
#include "base/wrap.h"
#include "cli/commands.h"
#include "cli/say.h"
#include "loader/loaders.h"
#include "store/schema.h"
#include "views/view.h"

static int run_views(const struct cli_args *a)
{
	const struct view *v;

	(void)a;
	for (size_t i = 0; (v = view_at(i)); i++)
		text_put_entry(stdout, 0, v->name, 14, v->doc);
	return CLI_GOOD;
}

const struct cli_command cli_cmd_views = {
	.name = "views",
	.usage = "",
	.doc = "list the views that show, the report and the TUI know",
	.help = "  inquest views\n",
	.run = run_views,
};

static void join_tables(const char *const *tables, char *buf, size_t n)
{
	buf[0] = '\0';
	for (int i = 0; i < INQ_RULE_NEEDS && tables[i]; i++) {
		strncat(buf, i ? " " : "", n - strlen(buf) - 1);
		strncat(buf, tables[i], n - strlen(buf) - 1);
	}
}

static int explain_rule(const struct inq_rule *r)
{
	char needs[256], uses[256];

	join_tables(r->needs, needs, sizeof(needs));
	join_tables(r->uses, uses, sizeof(uses));
	const char *const lines[][2] = {
		{"rule", r->id},           {"title", r->title},
		{"severity", r->severity}, {"confidence", r->confidence},
		{"why", r->why},           {"next", r->fix},
		{"needs", needs},          {"uses", uses},
		{"source", r->source},     {"proof", r->proof ? r->proof : "unproven"}};
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		if (*lines[i][1])
			text_put_entry(stdout, 0, lines[i][0], 11, lines[i][1]);
	puts("");
	fputs(r->sql + strspn(r->sql, "\n"), stdout);
	return CLI_GOOD;
}

static int run_rules(const struct cli_args *a)
{
	int nr = 0, nr_proven = 0;

	for (const struct inq_rule *r = analyzers_rules; r->id; r++) {
		nr++;
		nr_proven += r->proof != NULL;
		if (a->nr_args && !strcmp(a->arg[0], r->id))
			return explain_rule(r);
		if (!a->nr_args) {
			char text[256];
			snprintf(text, sizeof(text), "%s (%s, %s)", r->title, r->severity,
				 r->confidence);
			text_put_entry(stdout, 0, r->id, 18, text);
		}
	}
	if (a->nr_args)
		return cli_fail_usage("inquest rules", "no rule named %s", a->arg[0]);
	printf("\n%d rules, %d of them proven on a dump, %d unproven\n", nr, nr_proven,
	       nr - nr_proven);
	return CLI_GOOD;
}

const struct cli_command cli_cmd_rules = {
	.name = "rules",
	.usage = "[RULE]",
	.doc = "list what can be found to be wrong, or explain one rule",
	.help = "  inquest rules\n"
		"  inquest rules smm-tight-loop   why it is wrong, and the question in SQL\n",
	.max_args = 1,
	.run = run_rules,
};

static void put_tells(const char *name, const struct loader_tells *t)
{
	static const char *const much[] = {
		[LOADER_NO] = "-", [LOADER_SOME] = "some", [LOADER_YES] = "yes"};

	printf("%-15s%-11s%-9s%-6s%-7s%-6s%s\n", name, much[t->registers], much[t->control],
	       much[t->msrs], much[t->lapic], much[t->smm], much[t->nested]);
}

static int run_formats(const struct cli_args *a)
{
	const struct inq_loader *l;

	(void)a;
	printf("%-15s%-11s%-9s%-6s%-7s%-6s%s\n", "format", "registers", "control", "MSRs", "LAPIC",
	       "SMM", "nested");
	for (size_t i = 0; (l = loader_at(i)); i++)
		put_tells(l->name, &l->tells);
	puts("\nsome: it depends on the program that wrote the file\n");
	for (size_t i = 0; (l = loader_at(i)); i++) {
		text_put_entry(stdout, 0, l->name, 14, l->doc);
		text_put_entry(stdout, 0, "", 14, l->carries);
	}
	text_put_entry(stdout, 0, "index", 14, "an index that inquest made of any of these");
	return CLI_GOOD;
}

const struct cli_command cli_cmd_formats = {
	.name = "formats",
	.usage = "",
	.doc = "list the formats of files that can be opened, and what each tells",
	.help = "  inquest formats\n"
		"\n"
		"A file is known by its content, never by its name.  docs/formats.md says what of\n"
		"each format is known and unknown.\n",
	.run = run_formats,
};

static const char *kind_name(enum inq_kind kind)
{
	switch (kind) {
	case INQ_INT:
		return "INTEGER";
	case INQ_ADDR:
		return "ADDRESS";
	case INQ_TEXT:
		return "TEXT";
	case INQ_BLOB:
		return "BLOB";
	case INQ_NULL:
		break;
	}
	return "?";
}

static void put_column(const char *name, const char *type, const char *doc)
{
	char head[64];

	snprintf(head, sizeof(head), "%-14s %.*s", name, (int)strcspn(type, " "), type);
	text_put_entry(stdout, 2, head, 22, doc);
}

static int explain_framework(const struct store_table *t)
{
	printf("%s: %s\n", t->name, t->doc);
	for (int i = 0; t->cols[i].name; i++) {
		/* "key" of finding has any type */
		int untyped = !strncmp(t->cols[i].type, "NOT", 3);
		put_column(t->cols[i].name, untyped ? "ANY" : t->cols[i].type, t->cols[i].doc);
	}
	return CLI_GOOD;
}

static int explain_collected(const struct inq_collector *c)
{
	printf("%s: %s\n", c->table, c->doc);
	put_column("machine_id", "INTEGER", "the machine that it is about");
	for (int i = 0; c->cols[i].name; i++)
		put_column(c->cols[i].name, kind_name(c->cols[i].kind), c->cols[i].doc);
	printf("  key: machine_id");
	for (int i = 0; i < c->nr_keys; i++)
		printf(", %s", c->cols[i].name);
	puts("");
	return CLI_GOOD;
}

/* A function that yields rows: what it takes is not optional up to nr_needed. */
static int explain_live(const struct live_doc *l)
{
	printf("%s: %s\n", l->name, l->doc);
	for (int i = 0; l->cols[i].name; i++)
		put_column(l->cols[i].name, l->cols[i].type, l->cols[i].doc);
	printf("  arguments, while the dump is open:\n");
	for (int i = 0; l->args[i].name; i++)
		put_column(l->args[i].name, i < l->nr_needed ? "NEEDED" : "", l->args[i].doc);
	return CLI_GOOD;
}

static int run_schema(const struct cli_args *a)
{
	const struct store_table *t;
	const struct inq_collector *c;
	const struct live_doc *l;

	for (size_t i = 0; (t = store_table_at(i)); i++) {
		if (a->nr_args && !strcmp(a->arg[0], t->name))
			return explain_framework(t);
		if (!a->nr_args)
			text_put_entry(stdout, 0, t->name, 14, t->doc);
	}
	for (size_t i = 0; (c = collector_at(i)); i++) {
		if (a->nr_args && !strcmp(a->arg[0], c->table))
			return explain_collected(c);
		if (!a->nr_args)
			text_put_entry(stdout, 0, c->table, 14, c->doc);
	}
	for (size_t i = 0; (l = live_doc_at(i)); i++) {
		if (a->nr_args && !strcmp(a->arg[0], l->name))
			return explain_live(l);
		if (!a->nr_args)
			text_put_entry(stdout, 0, l->name, 14, l->doc);
	}
	return a->nr_args ? cli_fail_usage("inquest schema", "no table named %s", a->arg[0])
			  : CLI_GOOD;
}

const struct cli_command cli_cmd_schema = {
	.name = "schema",
	.usage = "[TABLE]",
	.doc = "list the tables, or explain the columns of one",
	.help = "  inquest schema            all tables\n"
		"  inquest schema cpu        its columns\n"
		"\n"
		"NULL is unknown, never 0.  An ADDRESS is an INTEGER in two's complement: compare\n"
		"and add addresses with hex64(a), addr_add(a, n), addr_in(a, start, length) and\n"
		"addr_cmp(a, b) only.\n",
	.max_args = 1,
	.run = run_schema,
};

static int run_help(const struct cli_args *a)
{
	const struct cli_command *c = a->nr_args ? cli_command_find(a->arg[0]) : NULL;

	if (a->nr_args && !c)
		return cli_fail_usage("inquest help", "no command named %s", a->arg[0]);
	if (c) {
		printf("usage: inquest %s%s%s\n%s\n\n%s", c->name, *c->usage ? " " : "", c->usage,
		       c->doc, c->help);
		return CLI_GOOD;
	}
	fputs("Inquest finds out why a machine died.\n"
	      "\n"
	      "  inquest guest.core              look around (on a terminal), else the report\n"
	      "  inquest report guest.core       what is wrong, and which rows prove it\n"
	      "  inquest show cpus guest.core    one view of it\n"
	      "  inquest sql guest.core \"SELECT cpu, hex64(rip) FROM cpu\"\n"
	      "\n"
	      "Commands (inquest help COMMAND shows examples):\n",
	      stdout);
	for (int i = 0; (c = cli_command_at(i)); i++) {
		text_put_entry(stdout, 2, c->name, 9, c->doc);
	}
	fputs("\n"
	      "FILE is a dump, or an index made by inquest index; its content decides.\n"
	      "Options, where a command takes them: --json, --sql, -o FILE, --format, --limit;\n"
	      "--vmlinux FILE, refused unless it is the kernel's own, by build id;\n"
	      "--help, --version; --verbose, for all that open FILE, says which loader reads it\n"
	      "and which sandbox it is read in; --base ADDRESS, for the same, says that FILE is\n"
	      "memory without a header, from there on.  NO_COLOR turns colours off.\n"
	      "Exit codes: 0 nothing of severity error or worse; 1 report found such; 2 usage\n"
	      "error or unreadable input.\n",
	      stdout);
	return CLI_GOOD;
}

const struct cli_command cli_cmd_help = {
	.name = "help",
	.usage = "[COMMAND]",
	.doc = "this, or the examples of one command",
	.help = "  inquest help report\n",
	.max_args = 1,
	.run = run_help,
};
