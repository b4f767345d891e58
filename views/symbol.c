/* The kernel's symbols, through the functions that read the open dump.  ?5 is a name. */
#include "views/views.h"

const struct view view_group_symbol[] = {
	{
		.name = "symbols",
		.title = "Symbols",
		.doc = "symbols of the kernel and its modules, by address",
		.sql = "SELECT ?1, NULL, addr, NULL, addr, coalesce(size, ''), coalesce(type, ''),"
		       " name || coalesce(' [' || module || ']', '')"
		       " FROM symbol WHERE ?5 IS NULL OR name = ?5",
		.col = {{"ADDRESS", VIEW_HEX, 18},
			{"SIZE", VIEW_DEC, 7},
			{"TYPE", VIEW_TEXT, 4},
			{"NAME", VIEW_TEXT, 8}},
		.opens = "function",
	},
	{
		.name = "function",
		.title = "Function",
		.doc = "the code of a symbol of the kernel",
		.sql = "SELECT ?1, NULL, addr, NULL, addr, coalesce(bytes, ''), " VIEW_NAMED_INSN
		       " FROM dis('kernel', ?3, 1000)",
		.col = {{"ADDRESS", VIEW_HEX, 10},
			{"BYTES", VIEW_TEXT, 14},
			{"INSTRUCTION", VIEW_TEXT, 8}},
	},
	{0},
};
