/* Knows how options are read, and the lines that wrong ones get. */
#include "vmm/options.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_OPTIONS = 64, FIRST_ID = 256, HELP_ID = FIRST_ID + MAX_OPTIONS };

int vmm_complain(const char *what, const char *why, const char *advice)
{
	fprintf(stderr, "inquest-vmm: %s: %s; %s\n", what, why, advice);
	return VMM_EXIT_USAGE;
}

int vmm_fail(enum inq_status st, const struct inq_err *err)
{
	fprintf(stderr, "inquest-vmm: %s\n", err->msg);
	return st == INQ_EUSAGE ? VMM_EXIT_USAGE : VMM_EXIT_GUEST;
}

static bool number(const char *text, uint64_t least, uint64_t most, uint64_t *ret)
{
	char *end;

	errno = 0;
	uint64_t v = strtoull(text, &end, 0);
	if (errno || end == text || *end || *text == '-' || v < least || v > most)
		return false;
	*ret = v;
	return true;
}

static int no_number(const struct vmm_command *c, const struct vmm_option *o, const char *value)
{
	char what[64], why[96], advice[64];

	snprintf(what, sizeof(what), "--%s %.32s", o->name, value);
	snprintf(why, sizeof(why), "not a number from %" PRIu64 " to %" PRIu64, o->least, o->most);
	snprintf(advice, sizeof(advice), "see inquest-vmm %s --help", c->name);
	return vmm_complain(what, why, advice);
}

static int take(const struct vmm_command *c, const struct vmm_option *o, const char *value,
		void *to)
{
	char *at = (char *)to + o->at;
	const bool yes = true;
	uint64_t n = 0;

	if (o->kind == VMM_OPTION_NUMBER || o->kind == VMM_OPTION_UNSIGNED)
		if (!number(value, o->least, o->most, &n))
			return no_number(c, o, value);
	unsigned few = (unsigned)n;
	switch (o->kind) {
	case VMM_OPTION_FLAG:
		memcpy(at, &yes, sizeof(yes));
		break;
	case VMM_OPTION_TEXT:
		memcpy(at, &value, sizeof(value));
		break;
	case VMM_OPTION_NUMBER:
		memcpy(at, &n, sizeof(n));
		break;
	case VMM_OPTION_UNSIGNED:
		memcpy(at, &few, sizeof(few));
		break;
	case VMM_OPTION_TAKE: {
		int bad = o->take(value, to);
		if (bad)
			return bad;
		break;
	}
	}
	if (o->given_at)
		memcpy((char *)to + o->given_at, &yes, sizeof(yes));
	return -1;
}

/* For getopt: ids count from FIRST_ID in the order of the table. */
static void list(const struct vmm_option *o, struct option *ret)
{
	int n = 0;

	for (; o && o->name && n < MAX_OPTIONS; o++, n++)
		*ret++ = (struct option){.name = o->name,
					 .has_arg = o->kind == VMM_OPTION_FLAG ? no_argument
									       : required_argument,
					 .val = FIRST_ID + n};
	*ret++ = (struct option){.name = "help", .has_arg = no_argument, .val = HELP_ID};
	*ret = (struct option){0};
}

int vmm_options_parse(const struct vmm_command *c, int argc, char **argv, void *to,
		      const char **ret_operand)
{
	struct option known[MAX_OPTIONS + 2];
	const char *see = "see inquest-vmm --help";
	int id, end = -1;

	list(c->option, known);
	opterr = 0;
	while (end < 0 && (id = getopt_long(argc, argv, ":h", known, NULL)) != -1) {
		if (id == ':')
			return vmm_complain(argv[optind - 1], "wants a value", see);
		if (id == '?')
			return vmm_complain(argv[optind - 1], "unknown option", see);
		if (id == 'h' || id == HELP_ID) {
			fputs(c->help, stdout);
			return VMM_EXIT_OK;
		}
		end = take(c, &c->option[id - FIRST_ID], optarg, to);
	}
	if (end >= 0)
		return end;
	*ret_operand = c->operand && optind < argc ? argv[optind++] : NULL;
	if (optind < argc)
		return vmm_complain(argv[optind], "not expected here", see);
	return -1;
}
