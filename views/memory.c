/*
 * Views of memory itself, through the functions that read the open dump; without one they have no
 * rows.  ?5 is a space and ?6 an address as people write them (hits: ?5 what, ?6 a space); else the
 * row's CPU and address count.
 */
#include "views/views.h"

/* No physical address has bit 63: one that has it is the kernel's, whoever's row it stands in. */
#define OF_SPACE "coalesce(?5, 'cpu' || ?2, iif(?3 < 0, 'kernel', NULL), 'phys')"
/* A CPU may run with page tables that leave the kernel out. */
#define OF_PLACE "iif(?3 < 0, 'kernel', " OF_SPACE ")"
#define AT_ADDR "coalesce(?6, ?3, 0)"
#define LINES "mem_line(" OF_SPACE ", " AT_ADDR ", 65536)"

/* What is said in place of bytes that cannot be read. */
#define UNREAD "iif(state = 'absent', 'not dumped', 'not mapped') || printf(', 0x%x bytes', len)"

const struct view view_group_memory[] = {
	{
		.name = "mem",
		.title = "Memory, bytes",
		.doc = "bytes of a space, 64 KiB from an address on",
		.sql = "SELECT ?1, ?2, addr, NULL, addr, coalesce(hex, " UNREAD
		       "), coalesce(text, '') FROM " LINES,
		.col = {{"ADDRESS", VIEW_HEX, 18},
			{"BYTES", VIEW_TEXT, 39},
			{"TEXT", VIEW_TEXT, 16}},
		.opens = "words",
	},
	{
		.name = "words",
		.title = "Memory, words",
		.doc = "the same as little-endian words of 8 bytes",
		.sql = "SELECT ?1, ?2, addr, NULL, addr, coalesce(words, " UNREAD
		       "), coalesce(text, '') FROM " LINES,
		.col = {{"ADDRESS", VIEW_HEX, 18},
			{"WORDS", VIEW_TEXT, 37},
			{"TEXT", VIEW_TEXT, 16}},
		.opens = "pt",
	},
	{
		.name = "text",
		.title = "Memory, text",
		.doc = "the same as text",
		.sql = "SELECT ?1, ?2, addr, NULL, addr, coalesce(text, " UNREAD ") FROM " LINES,
		.col = {{"ADDRESS", VIEW_HEX, 18}, {"TEXT", VIEW_TEXT, 16}},
		.opens = "mem",
	},
	{
		.name = "pt",
		.title = "Translation",
		.doc = "an address through its page tables, every entry with its verdict",
		.sql = "SELECT ?1, ?2, addr, NULL, substr('        ', 1, 2 * depth) || space, tbl,"
		       " idx, lower, addr, entry, flags || iif(flags = '', '', ': ') || verdict"
		       " FROM pt_walk(" OF_SPACE ", " AT_ADDR ")",
		.col = {{"OF", VIEW_TEXT, 5},
			{"TABLE", VIEW_TEXT, 5},
			{"INDEX", VIEW_DEC, 5},
			{"SPACE", VIEW_TEXT, 5},
			{"AT", VIEW_HEX, 10},
			{"ENTRY", VIEW_HEX, 10},
			{"VERDICT", VIEW_TEXT, 8}},
		.opens = "mem",
	},
	{
		.name = "dis",
		.title = "Code",
		.doc = "code of a space, 1000 instructions from an address on",
		.sql = "SELECT ?1, ?2, addr, NULL, addr, coalesce(bytes, ''), " VIEW_NAMED_INSN
		       " FROM dis(" OF_SPACE ", " AT_ADDR ", 1000)",
		.col = {{"ADDRESS", VIEW_HEX, 10},
			{"BYTES", VIEW_TEXT, 14},
			{"INSTRUCTION", VIEW_TEXT, 8}},
		.opens = "mem",
	},
	{
		.name = "place",
		.title = "Place",
		.doc = "what lies at an address of the kernel: code and its source, else words",
		.sql = "SELECT ?1, ?2, ?3, NULL, ?3, iif(inlined, 'inlined', 'source'),"
		       " coalesce(function, '?') || coalesce('  ' || file || coalesce(':' || line, "
		       "''),"
		       " '') FROM lines(iif(is_code(?3), ?3, NULL)) UNION ALL"
		       " SELECT ?1, ?2, addr, NULL, addr, coalesce(bytes, ''), " VIEW_NAMED_INSN
		       " FROM dis(" OF_PLACE ", iif(is_code(?3), ?3, NULL), 1000) UNION ALL"
		       " SELECT ?1, ?2, addr, NULL, addr, coalesce(words, " UNREAD
		       "), coalesce(text, '') FROM mem_line(" OF_PLACE
		       ", iif(is_code(?3), NULL, ?3), 65536)",
		.col = {{"ADDRESS", VIEW_HEX, 18},
			{"BYTES", VIEW_TEXT, 14},
			{"TEXT", VIEW_TEXT, 16}},
		.opens = "mem",
	},
	{
		.name = "hits",
		.title = "Search",
		.doc = "where something stands in memory; the TUI asks for what",
		.sql = "SELECT ?1, NULL, addr, NULL, coalesce(?6, 'phys'), addr,"
		       " coalesce(bytes, len || ' bytes are not in the dump'), coalesce(text, '')"
		       " FROM search(?5, coalesce(?6, 'phys'))",
		.col = {{"SPACE", VIEW_TEXT, 5},
			{"ADDRESS", VIEW_HEX, 18},
			{"BYTES", VIEW_TEXT, 32},
			{"TEXT", VIEW_TEXT, 16}},
		.opens = "mem",
	},
	{0},
};
