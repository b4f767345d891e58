/*
 * Knows how the kernel begins a report.  Sources: kernel/panic.c, arch/x86/mm/fault.c,
 * arch/x86/kernel/{dumpstack,traps}.c, lib/bug.c, kernel/watchdog.c, kernel/watchdog_hld.c,
 * kernel/rcu/tree_stall.h, kernel/hung_task.c, mm/oom_kill.c, mm/page_alloc.c, mm/kasan/report.c.
 */
#include <string.h>

#include "analyzers/log_ring.h"

/* The first that the line begins with counts; those with anywhere may stand behind a prefix. */
static const struct {
	const char *kind, *words;
	int anywhere;
} kinds[] = {
	{"panic", "Kernel panic - not syncing", 0},
	{"lockup", "BUG: soft lockup", 1},
	{"lockup", "hard LOCKUP", 1},
	{"lockup", "BUG: workqueue lockup", 1},
	{"stall", "rcu: INFO: rcu_", 0},
	{"stall", "INFO: rcu_", 0},
	{"stall", "rcu: rcu_preempt kthread", 0},
	{"stall", "rcu: rcu_sched kthread", 0},
	{"oops", "Oops: ", 0},
	{"oops", "BUG: kernel NULL pointer dereference", 0},
	{"oops", "BUG: unable to handle", 0},
	{"oops", "general protection fault", 0},
	{"oops", "invalid opcode: ", 0},
	{"oops", "divide error: ", 0},
	{"oops", "stack segment: ", 0},
	{"oops", "traps: PANIC: double fault", 0},
	{"oops", "PANIC: double fault", 0},
	{"bug", "kernel BUG at ", 0},
	{"bug", "BUG: ", 0},
	{"hung", "INFO: task ", 0},
	{"oom", "Out of memory: ", 0},
	{"oom", "Memory cgroup out of memory: ", 0},
	{"oom", "oom-kill:", 0},
	{"mce", "mce: [Hardware Error]: ", 0},
	{"mce", "[Hardware Error]: ", 1},
	{"warning", "WARNING: ", 0},
	{"warning", "------------[ cut here ]", 0},
	{"warning", "list_add corruption", 0},
	{"warning", "list_del corruption", 0},
	{"warning", "refcount_t: ", 0},
};

const char *log_kind(const char *text, size_t n)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		size_t len = strlen(kinds[i].words);
		if (n < len)
			continue;
		if (kinds[i].anywhere ? memmem(text, n, kinds[i].words, len) != NULL
				      : !memcmp(text, kinds[i].words, len))
			return kinds[i].kind;
	}
	return NULL;
}
