/* Options of a command as a table: what is given lands in members of a struct. */
#ifndef VMM_OPTIONS_H
#define VMM_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <inquest/err.h>

enum { VMM_EXIT_OK = 0, VMM_EXIT_GUEST = 1, VMM_EXIT_USAGE = 2 };

enum vmm_option_kind {
	VMM_OPTION_FLAG,     /* bool */
	VMM_OPTION_TEXT,     /* const char * */
	VMM_OPTION_NUMBER,   /* uint64_t, from least to most */
	VMM_OPTION_UNSIGNED, /* unsigned, likewise */
	VMM_OPTION_TAKE,     /* take() does it */
};

/* Adding an option: a member in what the command fills, a line in its table, one in its help. */
struct vmm_option {
	const char *name;
	enum vmm_option_kind kind;
	size_t at;       /* of the member, in what is filled */
	size_t given_at; /* of a bool that tells that it was given; 0: none */
	uint64_t least, most;
	int (*take)(const char *value, void *to); /* exit code; complains itself */
};

struct vmm_command {
	const char *name, *help;
	const struct vmm_option *option; /* ends with an empty one */
	bool operand;                    /* takes one word that is no option */
};

/*
 * Fill *to from argv, argv[0] being the command's name.  Returns the exit code; -1: go on.  --help
 * prints .help and gives VMM_EXIT_OK.  *ret_operand: that word, or NULL.
 */
int vmm_options_parse(const struct vmm_command *c, int argc, char **argv, void *to,
		      const char **ret_operand);

/* One line on stderr, "what: why; advice"; the exit code. */
int vmm_complain(const char *what, const char *why, const char *advice);
int vmm_fail(enum inq_status st, const struct inq_err *err);

#endif
