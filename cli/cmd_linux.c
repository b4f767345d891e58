/* inquest ps, log, mod, sys, runq, pages: views of a Linux kernel by their short names. */
#include <string.h>

#include "cli/say.h"
#include "cli/show.h"
#include "machine/place.h"

#define OPTIONS (CLI_JSON | CLI_SQL | CLI_VERBOSE | CLI_BASE | CLI_VMLINUX)

/* select: a text that the view selects by, or NULL. */
static int show(const struct cli_args *a, const char *view, const char *select)
{
	struct view_ref from = {.text = {select}};
	uint64_t cpu = 0;

	if (a->cpu && (!machine_number(a->cpu, strlen(a->cpu), &cpu) || cpu > INT32_MAX))
		return cli_fail_usage("inquest help", "--cpu %s is no number", a->cpu);
	if (a->cpu) {
		from.part[VIEW_REF_CPU] = (int64_t)cpu;
		from.known = 1U << VIEW_REF_CPU;
	}
	if (!a->sql && !a->nr_args)
		return cli_fail_usage("inquest help", "argument missing: a dump or an index");
	return cli_show(view_find(view), select || a->cpu ? &from : NULL, a,
			a->nr_args ? a->arg[0] : NULL);
}

static int run_ps(const struct cli_args *a)
{
	return show(a, a->forest ? "task-tree" : "tasks", a->state);
}

const struct cli_command cli_cmd_ps = {
	.name = "ps",
	.usage = "[--json | --sql] [--state S,...] [--cpu N] [--forest] FILE",
	.doc = "list the tasks of a Linux",
	.help = "  inquest ps guest.core                every thread\n"
		"  inquest ps --state D,R guest.core    those that run or cannot be woken\n"
		"  inquest ps --cpu 1 guest.core        those of CPU 1\n"
		"  inquest ps --forest guest.core       each below its parent\n"
		"\n"
		"R running or ready, S sleeps, D sleeps and no signal wakes it, I the same and\n"
		"idle, T stopped, t traced, P parked, Z zombie, X dead.  > marks what a CPU runs.\n"
		"In SQL: table task; `inquest show task` tells all of each.\n",
	.options = OPTIONS | CLI_STATE | CLI_CPU | CLI_FOREST,
	.max_args = 1,
	.run = run_ps,
};

static int run_log(const struct cli_args *a)
{
	return show(a, "log", a->kind);
}

const struct cli_command cli_cmd_log = {
	.name = "log",
	.usage = "[--json | --sql] [--kind K,...] FILE",
	.doc = "print the log of a Linux kernel (dmesg)",
	.help = "  inquest log guest.core\n"
		"  inquest log --kind panic,oops guest.core    only lines that begin such a "
		"report\n"
		"\n"
		"Kinds are panic, oops, bug, lockup, stall (RCU), hung (task), oom, mce, warning.\n"
		"What was being written, or was written over meanwhile, is a gap: `inquest show\n"
		"gaps` lists them.  In SQL: table log.\n",
	.options = OPTIONS | CLI_KIND,
	.max_args = 1,
	.run = run_log,
};

static int run_mod(const struct cli_args *a)
{
	return show(a, "modules", NULL);
}

const struct cli_command cli_cmd_mod = {
	.name = "mod",
	.usage = "[--json | --sql] FILE",
	.doc = "list the modules of a Linux kernel",
	.help = "  inquest mod guest.core\n"
		"\n"
		"TAINTS: O out of tree, E unsigned, P proprietary, C staging, K live patch.\n"
		"In SQL: table module.\n",
	.options = OPTIONS,
	.max_args = 1,
	.run = run_mod,
};

static int run_sys(const struct cli_args *a)
{
	return show(a, "system", NULL);
}

const struct cli_command cli_cmd_sys = {
	.name = "sys",
	.usage = "[--json | --sql] FILE",
	.doc = "tell release, times, load, memory and panic of a Linux",
	.help = "  inquest sys guest.core\n"
		"\n"
		"Times are those of the last tick.  Counts of memory lack what CPUs have not yet\n"
		"handed in.  In SQL: table sysinfo.\n",
	.options = OPTIONS,
	.max_args = 1,
	.run = run_sys,
};

static int run_runq(const struct cli_args *a)
{
	return show(a, "cpu-os", NULL);
}

const struct cli_command cli_cmd_runq = {
	.name = "runq",
	.usage = "[--json | --sql] [--cpu N] FILE",
	.doc = "tell what each CPU runs, as a Linux kernel sees it",
	.help = "  inquest runq guest.core\n"
		"\n"
		"READY counts tasks that run or could; PREEMPT is the depth of preempt_disable(),\n"
		"IRQ that of interrupts; TICKLESS: its tick is stopped; BEHIND: ticks that it\n"
		"missed.  Lockup detectors and RCU stand in SQL: table cpu_os.\n",
	.options = OPTIONS | CLI_CPU,
	.max_args = 1,
	.run = run_runq,
};

static int run_pages(const struct cli_args *a)
{
	return show(a, "pages", a->flags);
}

const struct cli_command cli_cmd_pages = {
	.name = "pages",
	.usage = "[--json | --sql] [--flags F,...] FILE",
	.doc = "list the struct pages of a Linux, by their flags",
	.help = "  inquest pages --flags dirty guest.core           that have the flag\n"
		"  inquest pages --flags locked,lru guest.core      that have both\n"
		"  inquest sql guest.core \"SELECT type, count(*) FROM page GROUP BY type\"\n"
		"\n"
		"Flags are those of the kernel's own enum pageflags.  In SQL: page(has, lacks),\n"
		"which takes conditions on pfn, flags and mapping where it reads.  FILE is a "
		"dump.\n",
	.options = OPTIONS | CLI_FLAGS,
	.max_args = 1,
	.run = run_pages,
};
