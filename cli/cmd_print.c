/* inquest print: an object of the kernel's memory, as its type says. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/memory.h"
#include "cli/say.h"
#include "machine/expr.h"
#include "machine/types.h"

#define INDENT "substr('                        ', 1, 2 * depth)"

static const struct form {
	const char *cells;
	struct view_col col[VIEW_COLS];
} for_people = {"printf('%x', offset), " INDENT
		" || iif(depth = 0, type || iif(cpu IS NULL, '', ' of cpu ' || cpu), member),"
		" iif(depth = 0 AND value = '', 'at ' || hex64(o.addr), value)",
		{{"OFFSET", VIEW_TEXT, 6}, {"MEMBER", VIEW_TEXT, 30}, {"VALUE", VIEW_TEXT, 8}}},
  for_programs = {"cpu, depth, path, type, o.addr, offset, value, raw",
		  {{"CPU", VIEW_DEC, 1},
		   {"DEPTH", VIEW_DEC, 1},
		   {"PATH", VIEW_TEXT, 1},
		   {"TYPE", VIEW_TEXT, 1},
		   {"ADDRESS", VIEW_HEX, 1},
		   {"OFFSET", VIEW_DEC, 1},
		   {"VALUE", VIEW_TEXT, 1},
		   {"RAW", VIEW_DEC, 1}}};

static void free_text(char **p)
{
	free(*p);
}

/* Which type a list's objects have: the expression without its path.  To be freed. */
static char *type_of(const char *expr)
{
	size_t n = strcspn(expr, ".");
	const char *arrow = strstr(expr, "->");

	if (arrow && (size_t)(arrow - expr) < n)
		n = (size_t)(arrow - expr);
	return strndup(expr + strspn(expr, "*"), n - strspn(expr, "*"));
}

/* xarray and maple are kinds of trees; anything else is a member. */
static const char *kind_of(const struct cli_args *a)
{
	if (a->list)
		return "list";
	return !strcmp(a->tree, "xarray") || !strcmp(a->tree, "maple") ? a->tree : "rbtree";
}

/* object() of each that a list or tree holds. */
static int walk_sql(const struct cli_args *a, char **ret)
{
	const char *kind = kind_of(a), *member = a->list ? a->list : a->tree;
	INQ_SCOPED(free_text) char *expr = cli_quote(a->arg[1]);
	INQ_SCOPED(free_text) char *head = cli_quote(a->arg[2]);
	INQ_SCOPED(free_text) char *type = type_of(a->arg[1]);
	INQ_SCOPED(free_text) char *quoted = type ? cli_quote(type) : NULL;
	INQ_SCOPED(free_text) char *in = cli_quote(member);
	bool embedded = kind != a->tree;

	if (!expr || !head || !quoted || !in)
		return -1;
	return asprintf(ret, "walk('%s', %s%s%s%s%s) w, object(%s, w.addr) o", kind, head,
			embedded ? ", " : "", embedded ? quoted : "", embedded ? ", " : "",
			embedded ? in : "", expr);
}

static int object_sql(const struct cli_args *a, char **ret)
{
	INQ_SCOPED(free_text) char *expr = cli_quote(a->arg[1]);
	INQ_SCOPED(free_text) char *addr = a->nr_args > 2 ? cli_quote(a->arg[2]) : strdup("NULL");
	bool all = a->cpu && !strcmp(a->cpu, "all");

	if (!expr || !addr)
		return -1;
	return asprintf(ret, "object(%s, %s, %s) o", expr, addr,
			all      ? "'all'"
			: a->cpu ? a->cpu
				 : "NULL");
}

static bool check(const struct cli_args *a)
{
	bool walks = a->list || a->tree;
	uint64_t cpu;

	if (a->list && a->tree)
		(void)cli_fail_usage("inquest help print", "either --list or --tree");
	else if (walks && a->nr_args < 3)
		(void)cli_fail_usage("inquest help print", "%s: where does it begin?",
				     a->list ? "--list" : "--tree");
	else if (a->cpu && a->nr_args > 2)
		(void)cli_fail_usage("inquest help print", "--cpu is for per-CPU variables");
	else if (a->cpu && strcmp(a->cpu, "all") != 0 &&
		 (!machine_number(a->cpu, strlen(a->cpu), &cpu) || cpu >= UINT32_MAX))
		(void)cli_fail_usage("inquest help print", "--cpu %s: no number, and not all",
				     a->cpu);
	else
		return true;
	return false;
}

/* Whether there is such an object: said before anything is printed, and without a query's name. */
static bool is_there(const struct cli_args *a, const struct inq_machine *m, struct inq_err *err)
{
	struct machine_object o;
	uint64_t addr = 0, cpu = MACHINE_NO_CPU;

	if (a->nr_args > 2 && machine_object_addr(m, a->arg[2], &addr, err))
		return false;
	if (a->list || a->tree || (a->cpu && !machine_number(a->cpu, strlen(a->cpu), &cpu)))
		return true; /* each of them tells */
	return !machine_object(m, a->arg[1], a->nr_args > 2 ? &addr : NULL, (uint32_t)cpu, &o, err);
}

static int print(const struct cli_args *a, struct session *s, const struct inq_machine *m)
{
	const struct form *f = a->json ? &for_programs : &for_people;
	enum view_form form = a->sql ? VIEW_FORM_SQL : a->json ? VIEW_FORM_JSON : VIEW_FORM_TEXT;
	INQ_SCOPED(free_text) char *from = NULL;
	INQ_SCOPED(free_text) char *sql = NULL;
	const struct machine_types *types;
	struct inq_err err = {0};
	int n = a->list || a->tree ? walk_sql(a, &from) : object_sql(a, &from);

	if (n >= 0)
		n = asprintf(&sql, "SELECT %" PRId64 ", o.cpu, o.addr, NULL, %s FROM %s",
			     m->machine_id, f->cells, from);
	if (n < 0) {
		(void)inq_fail(&err, INQ_ENOMEM, "query");
		return cli_fail(a->arg[0], &err, NULL);
	}
	struct view v = {.name = "print", .sql = sql};
	memcpy(v.col, f->col, sizeof(v.col));
	if (machine_types(m, false, &types, &err) || !is_there(a, m, &err) ||
	    view_print(s->store, &v, NULL, form, stdout, &err))
		return cli_fail(a->arg[0], &err, NULL);
	return CLI_GOOD;
}

static int run(const struct cli_args *a)
{
	INQ_SCOPED(session_close_scope_) struct session *s = NULL;
	struct cli_args with = *a;

	if (!check(a))
		return CLI_FAILED;
	with.lines = true; /* a debug file may be asked for a type: what it tells is kept */
	const struct inq_machine *m = cli_machine_open(&with, &s);
	return m ? print(a, s, m) : CLI_FAILED;
}

const struct cli_command cli_cmd_print = {
	.name = "print",
	.usage = "[--json | --sql] [--vmlinux VMLINUX] [--cpu N|all]\n"
		 "                     [--list MEMBER | --tree MEMBER] FILE WHAT [ADDRESS]",
	.doc = "print an object of the kernel's memory as its type says",
	.help = "  inquest print guest.core jiffies_64\n"
		"  inquest print guest.core init_task.comm\n"
		"  inquest print guest.core 'struct task_struct.mm->pgd' 0xffff888003a28000\n"
		"  inquest print guest.core 'struct module.name' modules --list list\n"
		"  inquest print guest.core 'struct task_struct.comm' init_task.tasks \\\n"
		"                --list tasks\n"
		"  inquest print guest.core current_task --cpu all\n"
		"\n"
		"WHAT and ADDRESS:\n" MACHINE_EXPR_HELP "\n"
		"An ADDRESS is 0x... or decimal, or a variable, or a part of one, whose place it\n"
		"is.  With --list it is the head of a list (struct list_head), with --tree the\n"
		"root of a red-black tree: every object is printed that has its node in MEMBER.\n"
		"--tree xarray and --tree maple print the entries of such.  A walk never goes in\n"
		"circles; what cuts it short is said.  Offsets are hexadecimal.  The type of a\n"
		"variable that the kernel does not tell is looked for in its debug file, if there\n"
		"is one (`inquest help line`).  In SQL the same\n"
		"are object(what, address, cpu) and walk(kind, head, type, member).\n",
	.options = CLI_JSON | CLI_SQL | CLI_VERBOSE | CLI_BASE | CLI_CPU | CLI_LIST | CLI_TREE |
		   CLI_VMLINUX,
	.min_args = 2,
	.max_args = 3,
	.run = run,
};
