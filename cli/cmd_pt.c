/* inquest pt: how an address is translated. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/memory.h"
#include "cli/say.h"

static const struct form {
	const char *cells;
	struct view_col col[VIEW_COLS];
} for_people = {"substr('        ', 1, 2 * depth) || space, tbl, idx, addr, entry,"
		" flags || iif(flags = '', '', ': ') || verdict",
		{{"SPACE", VIEW_TEXT, 5},
		 {"TABLE", VIEW_TEXT, 5},
		 {"INDEX", VIEW_DEC, 5},
		 {"AT", VIEW_HEX, 10},
		 {"ENTRY", VIEW_HEX, 10},
		 {"VERDICT", VIEW_TEXT, 8}}},
  for_programs = {"depth, space, input, tbl, idx, addr, lower, entry, flags, ok, verdict",
		  {{"DEPTH", VIEW_DEC, 1},
		   {"SPACE", VIEW_TEXT, 1},
		   {"INPUT", VIEW_HEX, 1},
		   {"TABLE", VIEW_TEXT, 1},
		   {"INDEX", VIEW_DEC, 1},
		   {"AT", VIEW_HEX, 1},
		   {"IN", VIEW_TEXT, 1},
		   {"ENTRY", VIEW_HEX, 1},
		   {"FLAGS", VIEW_TEXT, 1},
		   {"OK", VIEW_DEC, 1},
		   {"VERDICT", VIEW_TEXT, 1}}};

static int run(const struct cli_args *a)
{
	struct cli_place p;
	char sql[512];
	int code = CLI_FAILED;

	if (cli_place_open(a, a->arg[1], &p)) {
		const struct form *f = a->json ? &for_programs : &for_people;
		struct view v = {.name = "pt", .sql = sql};
		memcpy(v.col, f->col, sizeof(v.col));
		snprintf(sql, sizeof(sql),
			 "SELECT %" PRId64 ", NULL, addr, NULL, %s FROM pt_walk('%s', 0x%" PRIx64
			 ")",
			 p.m->machine_id, f->cells, p.where.name, p.addr);
		code = cli_place_print(&p, a, &v);
	}
	cli_place_close(&p);
	return code;
}

const struct cli_command cli_cmd_pt = {
	.name = "pt",
	.usage = "[--json | --sql] FILE SPACE:ADDRESS",
	.doc = "translate an address, with what every page table says of it",
	.help = "  inquest pt guest.core cpu0:rip\n"
		"  inquest pt guest.core cr3=0x1a000:0x400000\n"
		"  inquest pt guest.core nested0-virt:0x1000   in both dimensions\n"
		"\n"
		"Every entry is shown with its bits and its verdict: reserved bits and features\n"
		"that this CPU lacks are named, an entry that was not dumped is no entry that is\n"
		"not present.  Where a hypervisor's tables (EPT, NPT) lie below a guest's, the\n"
		"walk that finds an entry stands indented above it.  `inquest help mem` explains\n"
		"SPACE:ADDRESS.  In SQL the same is pt_walk(space, address).\n",
	.options = CLI_JSON | CLI_SQL | CLI_VERBOSE | CLI_BASE,
	.min_args = 2,
	.max_args = 2,
	.run = run,
};
