/* The commands.  To add one: cli/cmd_<name>.c with `const struct cli_command cli_cmd_<name>`, its
   name here, its file in meson.build, a golden text in tests/golden. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include <stdbool.h>
#include <stdint.h>

#define CLI_COMMANDS(X)                                                                            \
	X(report)                                                                                  \
	X(index)                                                                                   \
	X(show)                                                                                    \
	X(sys)                                                                                     \
	X(ps)                                                                                      \
	X(log)                                                                                     \
	X(runq)                                                                                    \
	X(mod)                                                                                     \
	X(pages)                                                                                   \
	X(vmcs)                                                                                    \
	X(vmcb)                                                                                    \
	X(why_entry_failed)                                                                        \
	X(sql)                                                                                     \
	X(bt)                                                                                      \
	X(mem)                                                                                     \
	X(pt)                                                                                      \
	X(dis)                                                                                     \
	X(line)                                                                                    \
	X(search)                                                                                  \
	X(sym)                                                                                     \
	X(print)                                                                                   \
	X(what)                                                                                    \
	X(type)                                                                                    \
	X(tui)                                                                                     \
	X(views)                                                                                   \
	X(rules)                                                                                   \
	X(schema)                                                                                  \
	X(capture)                                                                                 \
	X(formats)                                                                                 \
	X(help)

/* Exit codes. */
enum { CLI_GOOD = 0, CLI_FOUND = 1, CLI_FAILED = 2 };

/* What the command line says, taken apart. */
struct cli_args {
	bool json, sql, verbose, resume, help, version;
	bool all, cpus;        /* -a, -c */
	bool lines;            /* --lines */
	bool args, locals;     /* --args, --locals */
	const char *qmp;       /* --qmp, or NULL */
	const char *output;    /* -o, or NULL */
	const char *format;    /* --format, or NULL */
	const char *limit;     /* --limit, or NULL */
	const char *base_text; /* --base, or NULL */
	const uint64_t *base;  /* the same, once it is known to be a number */
	const char *vmlinux;   /* --vmlinux, or NULL */
	const char *cpu;       /* --cpu, or NULL */
	const char *list;      /* --list, or NULL */
	const char *tree;      /* --tree, or NULL */
	const char *state;     /* --state, or NULL */
	const char *kind;      /* --kind, or NULL */
	const char *flags;     /* --flags, or NULL */
	bool forest;
	char **arg; /* what is no option */
	int nr_args;
};

enum {
	CLI_JSON = 1,
	CLI_SQL = 2,
	CLI_OUTPUT = 4,
	CLI_VERBOSE = 8,
	CLI_FORMAT = 16,
	CLI_LIMIT = 32,
	CLI_BASE = 64,
	CLI_QMP = 128,
	CLI_RESUME = 256,
	CLI_VMLINUX = 512,
	CLI_CPU = 1024,
	CLI_LIST = 2048,
	CLI_TREE = 4096,
	CLI_STATE = 8192,
	CLI_KIND = 16384,
	CLI_FLAGS = 32768,
	CLI_FOREST = 65536,
	CLI_LINES = 131072,
	CLI_ARGS = 262144,
	CLI_LOCALS = 524288,
	CLI_ALL = 1 << 29,
	CLI_CPUS = 1 << 30,
};

struct cli_command {
	const char *name, *usage; /* "report", "[--json] FILE" */
	const char *doc;          /* one line */
	const char *help;         /* examples and the fine print, lines of at most 80 characters */
	unsigned options;         /* CLI_JSON... that it takes */
	int min_args, max_args;
	int (*run)(const struct cli_args *a); /* yields an exit code */
};

const struct cli_command *cli_command_at(int i); /* NULL behind the last */
const struct cli_command *cli_command_find(const char *name);

#define CLI_DECLARE(n) extern const struct cli_command cli_cmd_##n;
CLI_COMMANDS(CLI_DECLARE)
#undef CLI_DECLARE

#endif
