/* Views of backtraces. */
#include "views/views.h"

#define CALLED                                                                                     \
	"iif(b.mode = 'kernel', '', b.mode || ' ') || iif(note IS NULL, function, function || '  " \
	"' "                                                                                       \
	"|| note)"
#define WHY "'(' || why || ')'"

const struct view view_group_stack[] = {
	{
		.name = "cpu-frames",
		.title = "Backtraces of CPUs",
		.doc = "how each CPU came to where it is",
		.needs = {"cpu"},
		.sql = "SELECT c.machine_id, c.cpu, pc, NULL, c.cpu, coalesce(nr, ''), pc,"
		       " coalesce(how, ''), coalesce(" CALLED
		       ", '') || iif(complete = 0, iif(function IS NULL, '', '  ') || " WHY ", '')"
		       " FROM cpu c, bt_cpu(c.cpu) b WHERE " VIEW_OF_CPU(
			       c) " ORDER BY c.machine_id, c.sample_id, c.cpu, nr",
		.col = {{"CPU", VIEW_DEC, 3},
			{"#", VIEW_TEXT, 2},
			{"ADDRESS", VIEW_HEX, 18},
			{"HOW", VIEW_TEXT, 9},
			{"FUNCTION", VIEW_TEXT, 24}},
	},
	{0},
};
