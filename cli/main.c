/* Knows the shape of every command line: inquest COMMAND [OPTION...] FILE, or inquest FILE. */
#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <signal.h>
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

enum {
	OPT_JSON = 256,
	OPT_SQL,
	OPT_HELP,
	OPT_VERSION,
	OPT_VERBOSE,
	OPT_FORMAT,
	OPT_LIMIT,
	OPT_BASE,
	OPT_QMP,
	OPT_RESUME,
	OPT_VMLINUX,
	OPT_CPU,
	OPT_LIST,
	OPT_TREE,
	OPT_STATE,
	OPT_KIND,
	OPT_FLAGS,
	OPT_FOREST
};

static const struct option long_options[] = {{"json", no_argument, NULL, OPT_JSON},
					     {"sql", no_argument, NULL, OPT_SQL},
					     {"output", required_argument, NULL, 'o'},
					     {"help", no_argument, NULL, OPT_HELP},
					     {"version", no_argument, NULL, OPT_VERSION},
					     {"verbose", no_argument, NULL, OPT_VERBOSE},
					     {"format", required_argument, NULL, OPT_FORMAT},
					     {"limit", required_argument, NULL, OPT_LIMIT},
					     {"base", required_argument, NULL, OPT_BASE},
					     {"qmp", required_argument, NULL, OPT_QMP},
					     {"resume", no_argument, NULL, OPT_RESUME},
					     {"vmlinux", required_argument, NULL, OPT_VMLINUX},
					     {"cpu", required_argument, NULL, OPT_CPU},
					     {"list", required_argument, NULL, OPT_LIST},
					     {"tree", required_argument, NULL, OPT_TREE},
					     {"state", required_argument, NULL, OPT_STATE},
					     {"kind", required_argument, NULL, OPT_KIND},
					     {"flags", required_argument, NULL, OPT_FLAGS},
					     {"forest", no_argument, NULL, OPT_FOREST},
					     {0}};

struct parsed {
	struct cli_args args;
	bool help, version;
	unsigned used; /* CLI_JSON... */
	uint64_t base;
	const char *bad_base; /* what stands there is no address; NULL: it is */
};

static void note_base(struct parsed *p)
{
	char *end;

	errno = 0;
	p->base = strtoull(optarg, &end, 0);
	p->bad_base = errno || end == optarg || *end || *optarg == '-' ? optarg : NULL;
	p->args.base = &p->base;
	p->used |= CLI_BASE;
}

/* What selects rows of a view. */
static bool note_selection(struct parsed *p, int opt)
{
	switch (opt) {
	case OPT_STATE:
		p->args.state = optarg;
		p->used |= CLI_STATE;
		return true;
	case OPT_KIND:
		p->args.kind = optarg;
		p->used |= CLI_KIND;
		return true;
	case OPT_FLAGS:
		p->args.flags = optarg;
		p->used |= CLI_FLAGS;
		return true;
	case OPT_FOREST:
		p->args.forest = true;
		p->used |= CLI_FOREST;
		return true;
	default:
		return false;
	}
}

static void note_option(struct parsed *p, int opt)
{
	if (note_selection(p, opt))
		return;
	switch (opt) {
	case OPT_JSON:
		p->args.json = true;
		p->used |= CLI_JSON;
		break;
	case OPT_SQL:
		p->args.sql = true;
		p->used |= CLI_SQL;
		break;
	case 'o':
		p->args.output = optarg;
		p->used |= CLI_OUTPUT;
		break;
	case OPT_VERBOSE:
		p->args.verbose = true;
		p->used |= CLI_VERBOSE;
		break;
	case OPT_FORMAT:
		p->args.format = optarg;
		p->used |= CLI_FORMAT;
		break;
	case OPT_LIMIT:
		p->args.limit = optarg;
		p->used |= CLI_LIMIT;
		break;
	case OPT_BASE:
		note_base(p);
		break;
	case OPT_QMP:
		p->args.qmp = optarg;
		p->used |= CLI_QMP;
		break;
	case OPT_RESUME:
		p->args.resume = true;
		p->used |= CLI_RESUME;
		break;
	case OPT_VMLINUX:
		p->args.vmlinux = optarg;
		p->used |= CLI_VMLINUX;
		break;
	case OPT_CPU:
		p->args.cpu = optarg;
		p->used |= CLI_CPU;
		break;
	case OPT_LIST:
		p->args.list = optarg;
		p->used |= CLI_LIST;
		break;
	case OPT_TREE:
		p->args.tree = optarg;
		p->used |= CLI_TREE;
		break;
	case 'a':
		p->args.all = true;
		p->used |= CLI_ALL;
		break;
	case 'c':
		p->args.cpus = true;
		p->used |= CLI_CPUS;
		break;
	case OPT_VERSION:
		p->version = true;
		break;
	default:
		p->help = true;
	}
}

/* Yields CLI_GOOD, or has said what is wrong. */
static int parse(int argc, char **argv, struct parsed *p)
{
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":hao:c", long_options, NULL)) != -1) {
		if (opt == ':')
			return cli_fail_usage("inquest help", "option %s needs a value",
					      argv[optind - 1]);
		if (opt == '?' && optopt && optopt < 256)
			return cli_fail_usage("inquest help", "unknown option -%c", optopt);
		if (opt == '?')
			return cli_fail_usage("inquest help", "unknown option %s",
					      argv[optind - 1]);
		note_option(p, opt);
	}
	p->args.arg = argv + optind;
	p->args.nr_args = argc - optind;
	return CLI_GOOD;
}

static int check(const struct cli_command *c, const struct parsed *p)
{
	static const char *const names[] = {
		"--json", "--sql",   "--output", "--verbose", "--format", "--limit",
		"--base", "--qmp",   "--resume", "--vmlinux", "--cpu",    "--list",
		"--tree", "--state", "--kind",   "--flags",   "--forest"};
	char hint[64];

	snprintf(hint, sizeof(hint), "inquest help %s", c->name);
	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++)
		if ((p->used & ~c->options) >> i & 1)
			return cli_fail_usage(hint, "%s takes no option %s", c->name, names[i]);
	if (p->used & ~c->options & (CLI_ALL | CLI_CPUS))
		return cli_fail_usage(hint, "%s takes no option -%c", c->name,
				      p->used & ~c->options & CLI_ALL ? 'a' : 'c');
	if (p->bad_base)
		return cli_fail_usage(hint, "%s: --base %s is no address", c->name, p->bad_base);
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

	if (p->version) {
		puts("inquest " INQ_VERSION);
		return CLI_GOOD;
	}
	if (p->help || !p->args.nr_args) {
		struct cli_args help = {.arg = p->args.arg, .nr_args = c ? 1 : 0};
		if (!p->help)
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
