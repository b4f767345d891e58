/* inquest dis: the code at a place. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/memory.h"
#include "cli/say.h"

enum { MOST = 1 << 20, FALLBACK = 24 };

/* What --format says of the code's size; NULL: nothing such. */
static const char *bits_of(const struct cli_args *a)
{
	if (!a->format)
		return "NULL";
	if (!strcmp(a->format, "16") || !strcmp(a->format, "32") || !strcmp(a->format, "64"))
		return a->format;
	(void)cli_fail_usage("inquest help dis", "%s: code has 16, 32 or 64 bits", a->format);
	return NULL;
}

static int run(const struct cli_args *a)
{
	const char *bits = bits_of(a);
	struct cli_place p;
	uint64_t n = 0;
	char sql[512];
	int code = CLI_FAILED;

	if (!bits || !cli_count(a, 2, "instructions", MOST, FALLBACK, &n))
		return CLI_FAILED;
	if (cli_place_open(a, a->arg[1], &p)) {
		const struct view v = {
			.name = "dis",
			.sql = sql,
			.col = {{"ADDRESS", VIEW_HEX, 10},
				{"BYTES", VIEW_TEXT, 14},
				{"INSTRUCTION", VIEW_TEXT, 8}},
		};
		snprintf(sql, sizeof(sql),
			 "SELECT %" PRId64
			 ", NULL, addr, NULL, addr, coalesce(bytes, ''), " VIEW_NAMED_INSN
			 " FROM dis('%s', 0x%" PRIx64 ", %" PRIu64 ", %s)",
			 p.m->machine_id, p.where.name, p.addr, n, bits);
		code = cli_place_print(&p, a, &v);
	}
	cli_place_close(&p);
	return code;
}

const struct cli_command cli_cmd_dis = {
	.name = "dis",
	.usage = "[--json | --sql] [--format BITS] FILE SPACE:ADDRESS [COUNT]",
	.doc = "disassemble the code at a place of memory",
	.help = "  inquest dis guest.core cpu0:rip                what CPU 0 runs next\n"
		"  inquest dis guest.core phys:0xffff0 4          what stands in memory\n"
		"  inquest dis --format 16 guest.core smm:0x38000 as 16-bit code\n"
		"\n"
		"Code has the size that the space's CPU runs in now, unless --format says 16, 32\n"
		"or 64.  What is no instruction and what cannot be read is said, and passed over.\n"
		"`inquest help mem` explains SPACE:ADDRESS.  In SQL the same is\n"
		"dis(space, address, count, bits).\n",
	.options = CLI_JSON | CLI_SQL | CLI_VERBOSE | CLI_BASE | CLI_FORMAT,
	.min_args = 2,
	.max_args = 3,
	.run = run,
};
