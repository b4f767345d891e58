/* Knows the shape of every command line: inquest COMMAND [OPTION...] FILE, or inquest FILE. */
#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/say.h"

#define CLI_ENTRY(n) &cli_cmd_##n,
static const struct cli_command *const commands[] = {CLI_COMMANDS(CLI_ENTRY)};
enum { NR_COMMANDS = sizeof(commands) / sizeof(*commands) };

const struct cli_command *cli_command_at(int i)
{
	return i < NR_COMMANDS ? commands[i] : NULL;
}

const struct cli_command *cli_command_find(const char *name)
{
	for (int i = 0; i < NR_COMMANDS; i++)
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	return NULL;
}

/*
 * Every option: how it is written, whose bit says that a command takes it (0: all do), and where in
 * struct cli_args it goes: a text or, without a value, a flag.
 */
static const struct known {
	const char *name; /* long; NULL: only a letter */
	char letter;      /* or 0 */
	bool has_value;
	unsigned bit;
	size_t at; /* offset of a const char *, or of a bool */
} known[] = {
#define TEXT(name, letter, bit, member)                                                            \
	{                                                                                          \
		name, letter, true, bit, offsetof(struct cli_args, member)                         \
	}
#define FLAG(name, letter, bit, member)                                                            \
	{                                                                                          \
		name, letter, false, bit, offsetof(struct cli_args, member)                        \
	}
	FLAG("json", 0, CLI_JSON, json),
	FLAG("sql", 0, CLI_SQL, sql),
	TEXT("output", 'o', CLI_OUTPUT, output),
	FLAG("help", 'h', 0, help),
	FLAG("version", 0, 0, version),
	FLAG("verbose", 0, CLI_VERBOSE, verbose),
	TEXT("format", 0, CLI_FORMAT, format),
	TEXT("limit", 0, CLI_LIMIT, limit),
	TEXT("base", 0, CLI_BASE, base_text),
	TEXT("qmp", 0, CLI_QMP, qmp),
	FLAG("resume", 0, CLI_RESUME, resume),
	TEXT("vmlinux", 0, CLI_VMLINUX, vmlinux),
	TEXT("cpu", 0, CLI_CPU, cpu),
	TEXT("list", 0, CLI_LIST, list),
	TEXT("tree", 0, CLI_TREE, tree),
	TEXT("state", 0, CLI_STATE, state),
	TEXT("kind", 0, CLI_KIND, kind),
	TEXT("flags", 0, CLI_FLAGS, flags),
	FLAG("forest", 0, CLI_FOREST, forest),
	FLAG("lines", 'l', CLI_LINES, lines),
	FLAG("args", 0, CLI_ARGS, args),
	FLAG("locals", 0, CLI_LOCALS, locals),
	FLAG(NULL, 'a', CLI_ALL, all),
	FLAG(NULL, 'c', CLI_CPUS, cpus),
};
enum { NR_KNOWN = sizeof(known) / sizeof(*known), FIRST_LONG = 256 };

struct parsed {
	struct cli_args args;
	unsigned used; /* CLI_JSON... */
	uint64_t base;
};

/* The same for getopt_long: a long option's number is its place behind FIRST_LONG. */
static void describe(struct option *longs, char *letters)
{
	*letters++ = ':'; /* a missing value is told from an unknown option */
	for (int i = 0; i < NR_KNOWN; i++) {
		if (known[i].name)
			*longs++ = (struct option){
				known[i].name, known[i].has_value ? required_argument : no_argument,
				NULL, FIRST_LONG + i};
		if (known[i].letter)
			*letters++ = known[i].letter;
		if (known[i].letter && known[i].has_value)
			*letters++ = ':';
	}
	*longs = (struct option){0};
	*letters = '\0';
}

static const struct known *known_by(int opt)
{
	if (opt >= FIRST_LONG)
		return &known[opt - FIRST_LONG];
	for (int i = 0; i < NR_KNOWN; i++)
		if (known[i].letter == opt)
			return &known[i];
	return NULL;
}

static void note_option(struct parsed *p, const struct known *k)
{
	char *to = (char *)&p->args + k->at;
	const bool yes = true;

	if (k->has_value)
		memcpy(to, &optarg, sizeof(optarg));
	else
		memcpy(to, &yes, sizeof(yes));
	p->used |= k->bit;
}

/* False: that is no address. */
static bool note_base(struct parsed *p)
{
	const char *text = p->args.base_text;
	char *end;

	if (!text)
		return true;
	errno = 0;
	p->base = strtoull(text, &end, 0);
	p->args.base = &p->base;
	return !errno && end != text && !*end && *text != '-';
}

/* Yields CLI_GOOD, or has said what is wrong. */
static int parse(int argc, char **argv, struct parsed *p)
{
	struct option longs[NR_KNOWN + 1];
	char letters[2 * NR_KNOWN + 2];
	int opt;

	describe(longs, letters);
	opterr = 0;
	while ((opt = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		if (opt == ':')
			return cli_fail_usage("inquest help", "option %s needs a value",
					      argv[optind - 1]);
		if (opt == '?' && optopt && optopt < 256)
			return cli_fail_usage("inquest help", "unknown option -%c", optopt);
		if (opt == '?')
			return cli_fail_usage("inquest help", "unknown option %s",
					      argv[optind - 1]);
		const struct known *k = known_by(opt);
		if (k)
			note_option(p, k);
	}
	p->args.arg = argv + optind;
	p->args.nr_args = argc - optind;
	return CLI_GOOD;
}

static int check(const struct cli_command *c, struct parsed *p)
{
	unsigned refused = p->used & ~c->options;
	char hint[64];

	snprintf(hint, sizeof(hint), "inquest help %s", c->name);
	for (int i = 0; i < NR_KNOWN; i++)
		if (known[i].bit & refused)
			return known[i].name ? cli_fail_usage(hint, "%s takes no option --%s",
							      c->name, known[i].name)
					     : cli_fail_usage(hint, "%s takes no option -%c",
							      c->name, known[i].letter);
	if (!note_base(p))
		return cli_fail_usage(hint, "%s: --base %s is no address", c->name,
				      p->args.base_text);
	if (p->args.output && !*p->args.output)
		return cli_fail_usage(hint, "%s: --output is empty", c->name);
	if (p->args.nr_args < c->min_args)
		return cli_fail_usage(hint, "%s: argument missing", c->name);
	if (p->args.nr_args > c->max_args)
		return cli_fail_usage(hint, "%s: argument %s is one too many", c->name,
				      p->args.arg[c->max_args]);
	return CLI_GOOD;
}

/* inquest FILE: look around on a terminal, read otherwise. */
static const struct cli_command *default_command(const struct parsed *p)
{
	if (!(p->used & ~(unsigned)(CLI_VERBOSE | CLI_BASE | CLI_VMLINUX)) &&
	    isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
		return &cli_cmd_tui;
	return &cli_cmd_report;
}

static int dispatch(struct parsed *p)
{
	const struct cli_command *c = p->args.nr_args ? cli_command_find(p->args.arg[0]) : NULL;

	if (p->args.version) {
		puts("inquest " INQ_VERSION);
		return CLI_GOOD;
	}
	if (p->args.help || !p->args.nr_args) {
		struct cli_args help = {.arg = p->args.arg, .nr_args = c ? 1 : 0};
		if (!p->args.help)
			return cli_fail_usage("inquest help", "no command and no file");
		return cli_cmd_help.run(&help);
	}
	if (c) {
		p->args.arg++;
		p->args.nr_args--;
	} else {
		if (access(p->args.arg[0], F_OK) && !strpbrk(p->args.arg[0], "./"))
			return cli_fail_usage("inquest help", "no command and no file named %s",
					      p->args.arg[0]);
		c = default_command(p);
	}
	int code = check(c, p);
	return code ? code : c->run(&p->args);
}

int main(int argc, char **argv)
{
	struct parsed p = {0};

	setlocale(LC_CTYPE, "");
	signal(SIGPIPE, SIG_DFL); /* a reader that has seen enough ends us without a word */
	signal(SIGXFSZ, SIG_IGN); /* the write fails instead, and says so */
	cli_catch_interrupt();
	int code = parse(argc, argv, &p);
	if (!code)
		code = dispatch(&p);
	return cli_flush(code);
}
