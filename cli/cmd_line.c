/* inquest line: the source line of an address, and the inlined functions that it lies in. */
#include <inquest/lines.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/memory.h"
#include "cli/say.h"

enum { MAX_ADDRS = 64 };

/* ADDRESS is one of the kernel, unless a space stands before it: cpu0:rip. */
static bool address_of(const struct inq_machine *m, const char *text, const char *file,
		       uint64_t *ret)
{
	struct machine_where where;
	struct inq_err err = {0};

	if (machine_number(text, strlen(text), ret) || !machine_place(m, text, &where, ret, &err))
		return true;
	(void)cli_fail(file, &err, "inquest help mem explains places");
	return false;
}

/* Why there are none is said here: rows cannot. */
static int check(const struct inq_machine *m, const char *file, uint64_t addr)
{
	static struct inq_lines l;
	struct inq_err err = {0};

	if (!inq_lines_at(m, addr, &l, &err))
		return CLI_GOOD;
	bool no_file = err.status == INQ_EABSENT && inq_machine_kernel(m)->os;
	return cli_fail(file, &err, no_file ? "docs/symbols.md says where it looks" : NULL);
}

static int print(struct session *s, const struct cli_args *a, const uint64_t *addr, int nr)
{
	char sql[256 + 24 * MAX_ADDRS];
	const struct view v = {
		.name = "line",
		.sql = sql,
		.col = {{"ADDRESS", VIEW_HEX, 18},
			{"FUNCTION", VIEW_TEXT, 12},
			{"INLINED", VIEW_TEXT, 7},
			{"SOURCE", VIEW_TEXT, 8}},
	};
	struct cli_place p = {.s = s};
	int n = snprintf(sql, sizeof(sql),
			 "SELECT 1, NULL, a.column1, NULL, a.column1, function,"
			 " iif(inlined, 'inlined', ''), file || ':' || line FROM (VALUES ");

	for (int i = 0; i < nr; i++)
		n += snprintf(sql + n, sizeof(sql) - (size_t)n, "%s(0x%" PRIx64 ")", i ? "," : "",
			      addr[i]);
	if (!nr) /* JSON of nothing */
		n += snprintf(sql + n, sizeof(sql) - (size_t)n, "(NULL)");
	snprintf(sql + n, sizeof(sql) - (size_t)n, ") a, lines(a.column1)");
	return cli_place_print(&p, a, &v);
}

static int answer(struct session *s, const struct cli_args *a)
{
	const struct inq_machine *m = session_machine(s);
	uint64_t addr[MAX_ADDRS];
	int nr = 0, code = CLI_GOOD;

	if (!m)
		return cli_fail_usage("the dump that it was made from",
				      "%s: an index has no memory", a->arg[0]);
	for (int i = 1; i < a->nr_args; i++) {
		if (!address_of(m, a->arg[i], a->arg[0], &addr[nr]))
			return CLI_FAILED;
		if (!a->sql && check(m, a->arg[0], addr[nr]))
			code = CLI_FAILED;
		else
			nr++;
	}
	int printed = nr || a->json ? print(s, a, addr, nr) : CLI_GOOD;
	return code ? code : printed;
}

static int run(const struct cli_args *a)
{
	INQ_SCOPED(session_close_scope_) struct session *s = NULL;
	const struct session_plan plan = {.file = a->arg[0],
					  .vmlinux = a->vmlinux,
					  .lines = true,
					  .verbose = a->verbose,
					  .base = a->base};
	struct inq_err err = {0};

	if (session_open(&plan, &s, &err))
		return cli_fail(a->arg[0], &err, NULL);
	return answer(s, a);
}

const struct cli_command cli_cmd_line = {
	.name = "line",
	.usage = "[--json | --sql] [--vmlinux VMLINUX] FILE ADDRESS...",
	.doc = "the source line of an address, with the functions inlined there",
	.help = "  inquest line guest.core cpu0:rip\n"
		"  inquest line guest.core 0xffffffff9c03d023 0xffffffff9c9c3643\n"
		"  inquest line --vmlinux vmlinux.debug guest.core cpu0:rip\n"
		"\n"
		"Lines need a file with debug information of that very kernel: the one given, one\n"
		"beside the dump (vmlinux, vmlinux.debug), or one that a debug package or\n"
		"debuginfod put on this machine.  --verbose says which one is used.  Where code\n"
		"was inlined, its function stands first, and the next row is where that one calls\n"
		"it.  Modules have files of their own (docs/symbols.md).\n"
		"\n"
		"ADDRESS is one of the kernel, or a place (`inquest help mem`).  In SQL the\n"
		"same is lines(address), and line(address) is the first one's text.\n",
	.options = CLI_JSON | CLI_SQL | CLI_VERBOSE | CLI_BASE | CLI_VMLINUX,
	.min_args = 2,
	.max_args = 1 + MAX_ADDRS,
	.run = run,
};
