/*
 * Views of backtraces: of tasks, of CPUs, and equal ones counted; those with lines climb the stacks
 * of the open dump.  ?5: PIDs with commas.  ?6: how much of it, as bt() takes it; NULL: lines.
 */
#include "views/views.h"

#define SHORT(f) "coalesce(substr(" f ", 1, nullif(instr(" f ", '+'), 0) - 1), " f ")"
#define WHY "'(' || why || ')'"
#define CHOSEN_TASKS                                                                               \
	"chosen AS (SELECT * FROM task t WHERE " VIEW_OF_CPU(                                      \
		t) " AND (?3 IS NULL OR task = ?3) AND (?5 IS NULL OR instr(',' || ?5 || ',',"     \
		   " ',' || pid || ',')))"
/* What has no name in the debug file is the frame's last row, which the kernel's names name. */
#define CALLED_WITH_LINE(t)                                                                        \
	"coalesce(" VIEW_CALLED(                                                                   \
		t) ", '?') || coalesce('  ' || file || coalesce(':' || line, ''), '')"             \
		   " || coalesce('  (' || args || ')', '') || coalesce('  {' || locals || '}', "   \
		   "'')"
#define HEADS                                                                                      \
	{"#", VIEW_TEXT, 2}, {"ADDRESS", VIEW_HEX, 18}, {"HOW", VIEW_TEXT, 9},                     \
	{                                                                                          \
		"FUNCTION", VIEW_TEXT, 24                                                          \
	}

const struct view view_group_stack[] = {
	{
		.name = "frames",
		.title = "Backtraces",
		.doc = "how each task came to where it is",
		.needs = {"task", "frame"},
		.sql = "WITH " CHOSEN_TASKS ","
		       " line AS (SELECT machine_id, task, -1 AS nr, '' AS mark, task AS addr,"
		       " coalesce(state, '?') AS how, comm AS text FROM chosen UNION ALL"
		       " SELECT f.machine_id, f.task, nr, nr, pc, how, " VIEW_CALLED(
			       f) " FROM frame f JOIN chosen c ON c.machine_id = f.machine_id"
				  " AND c.task = f.task UNION ALL"
				  " SELECT f.machine_id, f.task, nr + 0.5, '', pc, '', " WHY
				  " FROM frame f JOIN chosen c ON c.machine_id = f.machine_id"
				  " AND c.task = f.task WHERE complete = 0)"
				  " SELECT l.machine_id, cpu, addr, NULL, iif(nr < 0, pid, "
				  "''), mark, "
				  "addr,"
				  " how, text FROM line l JOIN chosen c ON c.machine_id = "
				  "l.machine_id"
				  " AND c.task = l.task ORDER BY l.machine_id, pid, l.task, nr",
		.col = {{"PID", VIEW_TEXT, 5}, HEADS},
		.opens = "place",
	},
	{
		.name = "cpu-frames",
		.title = "Backtraces of CPUs",
		.doc = "how each CPU came to where it is",
		.needs = {"cpu"},
		.sql = "SELECT c.machine_id, c.cpu, pc, NULL, c.cpu, coalesce(nr, ''), pc,"
		       " coalesce(how, ''), coalesce(" VIEW_CALLED(
			       b) ", '') || iif(complete = 0, iif(function IS NULL, '', '  ') "
				  "|| " WHY ", '')"
				  " FROM cpu c, bt_cpu(c.cpu) b WHERE " VIEW_OF_CPU(
					  c) " ORDER BY c.machine_id, c.sample_id, c.cpu, nr",
		.col = {{"CPU", VIEW_DEC, 3}, HEADS},
		.opens = "dis",
	},
	{
		.name = "frame-lines",
		.title = "Backtraces with lines",
		.doc = "backtraces of tasks, with source lines and inlined functions",
		.needs = {"task"},
		.sql = "WITH " CHOSEN_TASKS ","
		       " got AS MATERIALIZED (SELECT c.machine_id, c.task, b.* FROM chosen c,"
		       " bt(c.task, coalesce(?6, 'lines')) b),"
		       " line AS (SELECT machine_id, task, -1 AS nr, 0 AS depth, '' AS mark,"
		       " task AS addr, coalesce(state, '?') AS how, comm AS text FROM chosen UNION "
		       "ALL"
		       " SELECT machine_id, task, nr, depth, iif(inlined, '', nr), pc, "
		       "how, " CALLED_WITH_LINE(
			       got) " FROM got WHERE nr IS NOT NULL UNION ALL"
				    " SELECT machine_id, task, coalesce(nr, 0) + 0.5, 0, '', pc, "
				    "'', " WHY " FROM got WHERE complete = 0)"
				    " SELECT l.machine_id, cpu, addr, NULL, iif(nr < 0, pid, ''), "
				    "mark, addr, how,"
				    " text FROM line l JOIN chosen c ON c.machine_id = l.machine_id"
				    " AND c.task = l.task ORDER BY l.machine_id, pid, l.task, nr, "
				    "depth",
		.col = {{"PID", VIEW_TEXT, 5}, HEADS},
		.opens = "place",
	},
	{
		.name = "cpu-frame-lines",
		.title = "Backtraces of CPUs with lines",
		.doc = "backtraces of CPUs, with source lines and inlined functions",
		.needs = {"cpu"},
		.sql = "SELECT c.machine_id, c.cpu, pc, NULL, c.cpu, iif(inlined, '',"
		       " coalesce(nr, '')), pc, coalesce(how, ''), iif(nr IS NULL, "
		       "'', " CALLED_WITH_LINE(
			       b) ") || iif(complete = 0, iif(nr IS NULL, '', '  ') || " WHY
				  ", '') FROM cpu c, bt_cpu(c.cpu, coalesce(?6, 'lines')) b "
				  "WHERE " VIEW_OF_CPU(
					  c) " ORDER BY c.machine_id, c.sample_id, c.cpu, nr, "
					     "depth",
		.col = {{"CPU", VIEW_DEC, 3}, HEADS},
		.opens = "dis",
	},
	{
		.name = "stacks",
		.title = "Equal backtraces",
		.doc = "how many tasks came the same way",
		.needs = {"task", "frame"},
		.sql = "WITH named AS (SELECT machine_id, task, nr, " SHORT(
			"function") " AS name FROM frame WHERE mode <> 'user'"
				    " ORDER BY machine_id, task, nr),"
				    " one AS (SELECT machine_id, task, group_concat(name, ' < ') "
				    "AS way"
				    " FROM named GROUP BY machine_id, task)"
				    " SELECT machine_id, NULL, min(task), NULL, count(*),"
				    " (SELECT min(pid) || iif(count(*) > 1, '..', '') FROM task t"
				    " WHERE t.machine_id = one.machine_id AND t.task = "
				    "min(one.task)), way"
				    " FROM one WHERE " VIEW_OF_MACHINE(
					    one) " GROUP BY machine_id, way"
						 " ORDER BY machine_id, count(*) DESC, min(task)",
		.col = {{"TASKS", VIEW_DEC, 5},
			{"PID", VIEW_TEXT, 7},
			{"FUNCTIONS", VIEW_TEXT, 24}},
		.opens = "frames",
	},
	{0},
};
