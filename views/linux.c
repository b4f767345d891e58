/*
 * Views of what a Linux kernel keeps: tasks, its log, modules, the system, CPUs, pages.  ?5
 * selects: of tasks their states, of log lines their kinds, of pages flags that they have.
 */
#include "views/views.h"

/* A list of texts, which clang-format does not understand. */
/* clang-format off */
#define FACT(nr, of, name, text, value)                                                            \
	" SELECT machine_id, " of " AS key, " #nr " AS nr, '" name "' AS fact, " text " AS text, "   \
	value " AS value FROM "

#define OF_TASK(nr, name, text) FACT(nr, "task", name, text, "NULL") "task UNION ALL"
#define HEX(col) KNOWN(col, "printf('0x%x', " col ")")
#define AT_TASK(nr, name, col) FACT(nr, "task", name, HEX(col), col) "task UNION ALL"
/* printf makes 0 of what is unknown. */
#define KNOWN(col, text) "iif(" col " IS NULL, NULL, " text ")"
#define MS(col) KNOWN(col, "printf('%d.%03d s', " col " / 1000000000, " col " / 1000000 % 1000)")
/* An index has frames of all tasks; of a dump this one's stack is climbed, and no other. */
#define STACK_LINES(of, from)                                                                      \
	" SELECT " of ", 100 + nr, '#' || nr, " VIEW_CALLED(f) ", pc FROM " from " AND nr IS NOT"  \
	" NULL UNION ALL SELECT " of ", 1000, 'cut', why, NULL FROM " from " AND complete = 0"
#define TASK_FACTS                                                                                 \
	OF_TASK(1, "name", "comm")                                                                 \
	OF_TASK(2, "pid", "pid")                                                                   \
	OF_TASK(3, "process", "tgid")                                                              \
	OF_TASK(4, "parent", "ppid")                                                               \
	OF_TASK(5, "state", "state || printf(', 0x%x', state_bits)")                               \
	OF_TASK(6, "cpu", "cpu || iif(on_cpu, ', running', '')")                                   \
	OF_TASK(7, "flags", KNOWN("flags", "printf('0x%x', flags) || iif(kthread, ', kernel thread', '')"))        \
	OF_TASK(8, "priority", "prio || ', policy ' || policy")                                    \
	OF_TASK(9, "user time", MS("utime_ns"))                                                    \
	OF_TASK(10, "system time", MS("stime_ns"))                                                 \
	OF_TASK(11, "started", MS("start_ns") " || ' after boot'")                                 \
	OF_TASK(12, "switches", "nvcsw || ' of its own will, ' || nivcsw || ' not'")               \
	AT_TASK(13, "task_struct", "task")                                                         \
	AT_TASK(14, "stack", "stack")                                                              \
	AT_TASK(15, "stack pointer", "sp")                                                         \
	AT_TASK(16, "memory", "mm")                                                                \
	AT_TASK(17, "parent task", "parent")                                                       \
	STACK_LINES("f.machine_id, f.task", "frame f WHERE true") " UNION ALL"                     \
	STACK_LINES("t.machine_id, t.task", "task t, bt(t.task) f WHERE (?3 IS NULL OR"            \
		    " t.task = ?3) AND NOT EXISTS (SELECT 1 FROM frame k WHERE"                    \
		    " k.machine_id = t.machine_id AND k.task = t.task)")

#define OF_SYS(nr, name, text) FACT(nr, "nr", name, text, "NULL") "sysinfo UNION ALL"
#define DATE(col) "datetime(" col " / 1000000000, 'unixepoch') || ' UTC'"
#define KIB(col) "(" col " / 1024) || ' KiB'"
#define LOAD(col) KNOWN(col, "printf('%d.%02d', " col " / 1000, " col " % 1000 / 10)")
#define SYS_FACTS                                                                                  \
	OF_SYS(1, "release", "release")                                                            \
	OF_SYS(2, "version", "version")                                                            \
	OF_SYS(3, "name", "nodename")                                                              \
	OF_SYS(4, "command line", "cmdline")                                                       \
	OF_SYS(5, "time", DATE("t_ns"))                                                            \
	OF_SYS(6, "booted", DATE("boot_ns"))                                                       \
	OF_SYS(7, "uptime", MS("uptime_ns"))                                                       \
	OF_SYS(8, "load", LOAD("load1") " || ' ' || " LOAD("load5") " || ' ' || " LOAD("load15"))  \
	OF_SYS(9, "memory", KIB("mem_total"))                                                      \
	OF_SYS(10, "free", KIB("mem_free"))                                                        \
	OF_SYS(11, "files", KIB("mem_file"))                                                       \
	OF_SYS(12, "anonymous", KIB("mem_anon"))                                                   \
	OF_SYS(13, "slabs", KIB("mem_slab"))                                                       \
	OF_SYS(14, "taints", "iif(taints = '', 'none', taints)")                                   \
	OF_SYS(15, "panic", "panic")                                                               \
	FACT(16, "nr", "panic cpu", "panic_cpu", "NULL") "sysinfo"
#define OF_RCU(nr, name, text) FACT(nr, "nr", name, text, "NULL") "rcu UNION ALL"
#define JIFFIES(col) "(" col " || ' jiffies')"
#define RCU_FACTS                                                                                  \
	OF_RCU(1, "grace period", "(gp_seq >> 2) || iif(in_progress, ', runs', ', none runs')")    \
	OF_RCU(2, "running for", JIFFIES("age"))                                                   \
	FACT(3, "nr", "its thread", "coalesce(gp_state_name, gp_state)", "gp_kthread")             \
	"rcu UNION ALL"                                                                            \
	OF_RCU(4, "did nothing for", JIFFIES("idle"))                                              \
	OF_RCU(5, "asked for", "iif(gp_flags = 0, 'nothing', iif(gp_flags & 1, 'a grace period ',"  \
	       " '') || iif(gp_flags & 2, 'quiescent states', ''))")                               \
	OF_RCU(6, "expedited", "expedited_seq >> 2")                                               \
	" SELECT machine_id, cpu, 100 + cpu, 'cpu ' || cpu,"                                       \
	" iif(rcu_holds, 'is waited for; ', '') || 'knows of ' || (rcu_gp_seq >> 2) ||"            \
	" coalesce(', ' || rcu_ticks || ' ticks in it', '') ||"                                    \
	" iif(rcu_gp_needed <> rcu_gp_seq, ', wants ' || (rcu_gp_needed >> 2), ''), task"          \
	" FROM cpu_os"
/* clang-format on */

#define CHOSEN(what) "(?5 IS NULL OR instr(',' || ?5 || ',', ',' || " what " || ','))"

/* A thread hangs below its process, that below its parent; what is below nothing is a root. */
#define UP                                                                                         \
	"up AS MATERIALIZED (SELECT t.machine_id, t.task, t.pid,"                                  \
	" CASE WHEN t.pid <> t.tgid THEN coalesce(l.task, t.parent) ELSE t.parent END AS above"    \
	" FROM task t LEFT JOIN task l ON l.machine_id = t.machine_id AND l.pid = t.tgid"          \
	" AND t.pid <> t.tgid)"
#define TREE                                                                                       \
	"tree AS (SELECT machine_id, task, 0 AS depth, printf('%08x', pid) AS path FROM up u"      \
	" WHERE above IS NULL OR above = task OR NOT EXISTS (SELECT 1 FROM task p"                 \
	" WHERE p.machine_id = u.machine_id AND p.task = u.above)"                                 \
	" UNION ALL SELECT u.machine_id, u.task, depth + 1, path || printf('%08x', u.pid)"         \
	" FROM tree JOIN up u ON u.machine_id = tree.machine_id AND u.above = tree.task"           \
	" AND u.above <> u.task WHERE depth < 64)"

#define TASK_CELLS "pid, tgid, ppid, cpu, state, iif(on_cpu, '>', ''), t.task"
#define TASK_HEADS                                                                                 \
	{"PID", VIEW_DEC, 5}, {"TGID", VIEW_DEC, 5}, {"PPID", VIEW_DEC, 5}, {"CPU", VIEW_DEC, 3},  \
		{"STATE", VIEW_TEXT, 5}, {"RUN", VIEW_TEXT, 3}, {"TASK", VIEW_HEX, 18},            \
	{                                                                                          \
		"COMM", VIEW_TEXT, 15                                                              \
	}

const struct view view_group_linux[] = {
	{
		.name = "tasks",
		.title = "Tasks",
		.doc = "every thread: state, CPU, name",
		.needs = {"task", "kernel"},
		.sql = "SELECT t.machine_id, cpu, t.task, t.rowid, " TASK_CELLS ", comm FROM task t"
		       " WHERE " VIEW_OF_CPU(t) " AND " CHOSEN(
			       "state") " ORDER BY t.machine_id, pid, cpu, t.task",
		.col = {TASK_HEADS},
		.opens = "task",
		.mark = "RUN",
	},
	{
		.name = "task-tree",
		.title = "Tasks, each below its parent",
		.doc = "the same, each below its parent",
		.needs = {"task", "kernel"},
		.sql = "WITH RECURSIVE " UP ", " TREE
		       " SELECT t.machine_id, cpu, t.task, t.rowid, " TASK_CELLS ","
		       " substr('                                ', 1, min(2 * coalesce(depth, 0),"
		       " 32)) || coalesce(comm, '?') FROM task t LEFT JOIN tree"
		       " ON tree.machine_id = t.machine_id AND tree.task = t.task"
		       " WHERE " VIEW_OF_CPU(t) " AND " CHOSEN(
			       "state") " ORDER BY t.machine_id, path IS NULL, path, pid, cpu, "
					"t.task",
		.col = {TASK_HEADS},
		.opens = "task",
		.mark = "RUN",
	},
	{
		.name = "task",
		.title = "Task",
		.doc = "one task at length, and how it came to where it is",
		.needs = {"task", "kernel"},
		.reads = "frame",
		.sql = "SELECT f.machine_id, NULL, value, NULL, fact, text FROM (" TASK_FACTS ") f"
		       " WHERE " VIEW_OF_MACHINE(f) " AND (?3 IS NULL OR key = ?3)"
						    " ORDER BY f.machine_id, key, nr",
		.col = {{"FACT", VIEW_TEXT, 13}, {"VALUE", VIEW_TEXT, 20}},
		.opens = "place",
	},
	{
		.name = "log",
		.title = "Kernel log",
		.doc = "the kernel's log; what reports a fault is named",
		.needs = {"log", "task", "kernel"},
		.sql = "SELECT l.machine_id, cpu, (SELECT task FROM task t WHERE t.machine_id ="
		       " l.machine_id AND t.pid = l.pid AND l.pid > 0), l.rowid,"
		       " printf('%5d.%06d', t_ns / 1000000000, t_ns / 1000 % 1000000),"
		       " coalesce(kind, ''), text FROM log l WHERE " VIEW_OF_CPU(l) " AND " CHOSEN(
			       "kind") " ORDER BY l.machine_id, seq, line",
		.col = {{"TIME", VIEW_TEXT, 12}, {"KIND", VIEW_TEXT, 7}, {"TEXT", VIEW_TEXT, 20}},
		.opens = "task",
		.mark = "KIND",
	},
	{
		.name = "modules",
		.title = "Modules",
		.doc = "modules of the kernel: where their code is, who uses them",
		.needs = {"module", "kernel"},
		.sql = "SELECT m.machine_id, NULL, base, m.rowid, base, bytes, refs, state, taints,"
		       " name, used_by FROM module m WHERE " VIEW_OF_MACHINE(
			       m) " ORDER BY m.machine_id, name, module",
		.col = {{"BASE", VIEW_HEX, 18},
			{"BYTES", VIEW_DEC, 8},
			{"REFS", VIEW_DEC, 4},
			{"STATE", VIEW_TEXT, 5},
			{"TAINTS", VIEW_TEXT, 6},
			{"NAME", VIEW_TEXT, 16},
			{"USED BY", VIEW_TEXT, 7}},
		.opens = "place",
	},
	{
		.name = "system",
		.title = "System",
		.doc = "the system as a whole: release, times, load, memory, panic",
		.needs = {"sysinfo", "kernel"},
		.sql = "SELECT f.machine_id, NULL, value, NULL, fact, text FROM (" SYS_FACTS ") f"
		       " WHERE " VIEW_OF_MACHINE(f) " ORDER BY f.machine_id, key, nr",
		.col = {{"FACT", VIEW_TEXT, 12}, {"VALUE", VIEW_TEXT, 20}},
	},
	{
		.name = "cpu-os",
		.title = "CPUs as the kernel sees them",
		.doc = "what each CPU runs, its tick, what it holds back",
		.needs = {"cpu_os", "kernel"},
		.sql = "SELECT c.machine_id, cpu, task, c.rowid, cpu, pid, nr_running, preempt,"
		       " hardirq_depth, need_resched, tick_stopped, jiffies_behind, softirqs, comm"
		       " FROM cpu_os c WHERE " VIEW_OF_CPU(c) " ORDER BY c.machine_id, sample_id,"
							      " cpu",
		.col = {{"CPU", VIEW_DEC, 3},
			{"PID", VIEW_DEC, 5},
			{"READY", VIEW_DEC, 5},
			{"PREEMPT", VIEW_DEC, 7},
			{"IRQ", VIEW_DEC, 3},
			{"RESCHED", VIEW_DEC, 7},
			{"TICKLESS", VIEW_DEC, 8},
			{"BEHIND", VIEW_DEC, 6},
			{"SOFTIRQS", VIEW_TEXT, 8},
			{"COMM", VIEW_TEXT, 12}},
		.opens = "task",
	},
	{
		.name = "rcu",
		.title = "RCU",
		.doc = "RCU: its grace period, and what of it each CPU has seen",
		.needs = {"rcu", "cpu_os", "kernel"},
		.sql = "SELECT f.machine_id, NULL, value, NULL, fact, text FROM (" RCU_FACTS ") f"
		       " WHERE " VIEW_OF_MACHINE(f) " ORDER BY f.machine_id, nr",
		.col = {{"FACT", VIEW_TEXT, 14}, {"VALUE", VIEW_TEXT, 20}},
		.opens = "task",
	},
	{
		.name = "pages",
		.title = "Pages",
		.doc = "struct pages: zone, type, references, flags, slab cache; of a dump, not of "
		       "an index",
		.sql = "SELECT ?1, NULL, page, NULL, pfn, zone, type, ord, refcount, mapcount,"
		       " mapping, iif(state = 'absent', count || ' struct pages are not in the"
		       " dump', trim(names || coalesce(' (' || cache_name || ')', '')))"
		       " FROM page(coalesce(?5, 0)) ORDER BY pfn",
		.col = {{"PFN", VIEW_HEX, 9},
			{"ZONE", VIEW_TEXT, 6},
			{"TYPE", VIEW_TEXT, 8},
			{"ORD", VIEW_DEC, 3},
			{"REFS", VIEW_DEC, 4},
			{"MAPS", VIEW_DEC, 4},
			{"MAPPING", VIEW_HEX, 18},
			{"FLAGS", VIEW_TEXT, 20}},
		.opens = "words",
	},
	{0},
};
