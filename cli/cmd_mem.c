/* inquest mem: the bytes at a place. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/memory.h"
#include "cli/say.h"
#include "machine/name_addr.h"

enum { MOST = 16 << 20, FALLBACK = 256 };

/* What is said in place of bytes that cannot be read. */
#define UNREAD "iif(state = 'absent', 'not dumped', 'not mapped') || printf(', 0x%x bytes', len)"

/* The query's own columns: those of a view's row, then these. */
static const struct form {
	const char *name, *cells;
	struct view_col col[VIEW_COLS];
} forms[] = {
	{"hex",
	 "addr, coalesce(hex, " UNREAD "), coalesce(text, '')",
	 {{"ADDRESS", VIEW_HEX, 18}, {"BYTES", VIEW_TEXT, 39}, {"TEXT", VIEW_TEXT, 16}}},
	{"words",
	 "addr, coalesce(words, " UNREAD "), coalesce(text, '')",
	 {{"ADDRESS", VIEW_HEX, 18}, {"WORDS", VIEW_TEXT, 37}, {"TEXT", VIEW_TEXT, 16}}},
	{"text",
	 "addr, coalesce(text, " UNREAD ")",
	 {{"ADDRESS", VIEW_HEX, 18}, {"TEXT", VIEW_TEXT, 16}}},
	{"json",
	 "addr, len, state, iif(bytes IS NULL, NULL, lower(hex(bytes))), message",
	 {{"ADDRESS", VIEW_HEX, 18},
	  {"LEN", VIEW_DEC, 1},
	  {"STATE", VIEW_TEXT, 1},
	  {"BYTES", VIEW_TEXT, 1},
	  {"MESSAGE", VIEW_TEXT, 1}}},
};

static const struct form *form_of(const struct cli_args *a)
{
	const char *name = a->json ? "json" : a->format ? a->format : "hex";

	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++)
		if (!strcmp(forms[i].name, name) && (a->json || strcmp(name, "json") != 0))
			return &forms[i];
	(void)cli_fail_usage("inquest help mem", "%s: no format; there are hex, words, text", name);
	return NULL;
}

static int run(const struct cli_args *a)
{
	struct cli_place p;
	uint64_t n = 0;
	char sql[512];
	int code = CLI_FAILED;
	const struct form *f = form_of(a);

	if (!f || !cli_count(a, 2, "bytes", MOST, FALLBACK, &n))
		return CLI_FAILED;
	if (cli_place_open(a, a->arg[1], &p)) {
		struct view v = {.name = "mem", .sql = sql};
		memcpy(v.col, f->col, sizeof(v.col));
		snprintf(sql, sizeof(sql),
			 "SELECT %" PRId64 ", NULL, addr, NULL, %s FROM mem_line('%s', 0x%" PRIx64
			 ", %" PRIu64 ")",
			 p.m->machine_id, f->cells, p.where.name, p.addr, n);
		code = cli_place_print(&p, a, &v);
	}
	cli_place_close(&p);
	return code;
}

const struct cli_command cli_cmd_mem = {
	.name = "mem",
	.usage = "[--json | --sql] [--format F] FILE SPACE:ADDRESS [BYTES]",
	.doc = "print the bytes at a place of memory",
	.help = "  inquest mem guest.core phys:0x1000           256 bytes of physical memory\n"
		"  inquest mem guest.core cpu0:rsp 64           the stack of CPU 0\n"
		"  inquest mem guest.core cr3=0x1a000:0x400000  as the process with those tables\n"
		"  inquest mem guest.core linux_banner          what the kernel calls so\n"
		"\n"
		"--format is hex, words or text.  An ADDRESS is 0x... or decimal, or a register\n"
		"where the space is a CPU's, then maybe +NUMBER or -NUMBER; or\n" MACHINE_NAME_HELP
		"A SPACE is\n" MACHINE_SPACE_HELP "\n"
		"What was not dumped and what nothing is mapped at is said, and passed over.  In\n"
		"SQL the same is mem_line(space, address, bytes), and mem() yields the bytes.\n",
	.options = CLI_JSON | CLI_SQL | CLI_VERBOSE | CLI_BASE | CLI_FORMAT,
	.min_args = 2,
	.max_args = 3,
	.run = run,
};
