/*
 * Views of the kernel's types, through the functions that read the open dump.  ?4 is a type's id,
 * ?5 its name as people write it.
 */
#include "views/views.h"

#define INDENT "substr('                ', 1, 2 * depth)"

const struct view view_group_type[] = {
	{
		.name = "types",
		.title = "Types",
		.doc = "structs, unions and enums of the kernel and its modules",
		.sql = "SELECT ?1, NULL, NULL, id, count(*), coalesce(module, ''), type"
		       " FROM type_member GROUP BY id ORDER BY type",
		.col = {{"ROWS", VIEW_DEC, 6}, {"MODULE", VIEW_TEXT, 8}, {"TYPE", VIEW_TEXT, 40}},
		.opens = "type",
	},
	{
		.name = "type",
		.title = "Type",
		.doc = "members of a type, where they lie, and holes",
		.sql = "SELECT ?1, NULL, NULL, id, coalesce(offset || iif(bit IS NULL, '', '.' || "
		       "bit), value), coalesce(size, bits || ' bits', ''), " INDENT
		       " || iif(kind IN ('hole', 'padding'), '(' || kind || ')',"
		       " iif(declaration = '', member, declaration))"
		       " FROM type_member WHERE of_type = coalesce(?5, ?4)"
		       " AND coalesce(?5, ?4) IS NOT NULL",
		.col = {{"OFFSET", VIEW_TEXT, 8}, {"SIZE", VIEW_TEXT, 8}, {"MEMBER", VIEW_TEXT, 8}},
	},
	{0},
};
