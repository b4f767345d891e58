/* Views of what the CPUs execute: code around RIP, loops, what gates them, who could open a gate.
 */
#include "views/views.h"

/* A line of 80 characters holds the first bytes; insn.bytes has them all. */
#define SHORT_BYTES "CASE WHEN length(bytes) > 16 THEN substr(bytes, 1, 14) || '..' ELSE bytes END"

const struct view view_group_code[] = {
	{
		.name = "insns",
		.title = "Instructions",
		.doc = "code around RIP: => is next to run, * is in the CPU's loop",
		.needs = {"insn", "addr_name"},
		.sql = "SELECT i.machine_id, cpu, addr, i.rowid, cpu,"
		       " CASE WHEN is_rip AND in_loop THEN '=>*' WHEN is_rip THEN '=>'"
		       " WHEN in_loop THEN '  *' ELSE '' END,"
		       " addr, " SHORT_BYTES ", text || CASE WHEN mem_addr IS NULL THEN ''"
		       " ELSE '   ; ' || printf('0x%x', mem_addr) END || iif(is_rip,"
		       " coalesce('   ; at ' || " VIEW_NAME(
			       i, addr) ", ''), '')"
					" FROM insn i WHERE " VIEW_OF_CPU(
						i) " ORDER BY i.machine_id, sample_id, cpu, nr",
		.col = {{"CPU", VIEW_DEC, 3},
			{"MARK", VIEW_TEXT, 4},
			{"ADDRESS", VIEW_HEX, 10},
			{"BYTES", VIEW_TEXT, 14},
			{"INSTRUCTION", VIEW_TEXT, 24}},
		.opens = "loops",
		.mark = "MARK",
	},
	{
		.name = "loops",
		.title = "Loops",
		.doc = "per CPU the loop that it runs in, and whether it can end by itself",
		.needs = {"loop", "addr_name"},
		.sql = "SELECT l.machine_id, cpu, head, l.rowid, cpu, kind, head, nr_insns, "
		       "nr_gates,"
		       " intr_flag, smm, coalesce(coalesce(text || '; in ', 'in ') || " VIEW_NAME(
			       l,
			       head) ", text)"
				     " FROM loop l WHERE " VIEW_OF_CPU(
					     l) " ORDER BY l.machine_id, sample_id, cpu, l.rowid",
		.col = {{"CPU", VIEW_DEC, 3},
			{"KIND", VIEW_TEXT, 7},
			{"HEAD", VIEW_HEX, 10},
			{"INSNS", VIEW_DEC, 5},
			{"GATES", VIEW_DEC, 5},
			{"IF", VIEW_DEC, 2},
			{"SMM", VIEW_DEC, 3},
			{"TEXT", VIEW_TEXT, 8}},
		.opens = "loop-insns",
	},
	{
		.name = "loop-insns",
		.title = "The loop",
		.doc = "instructions of the loops, and the part that each plays",
		.needs = {"loop_insn", "addr_name"},
		.sql = "SELECT l.machine_id, cpu, addr, l.rowid, cpu, nr, addr, " SHORT_BYTES
		       ", coalesce(role, ''), text || coalesce(' <' || " VIEW_NAME(
			       l, target) " || '>', '')"
					  " FROM loop_insn l WHERE " VIEW_OF_CPU(
						  l) " ORDER BY l.machine_id, sample_id, cpu, nr",
		.col = {{"CPU", VIEW_DEC, 3},
			{"NR", VIEW_DEC, 3},
			{"ADDRESS", VIEW_HEX, 10},
			{"BYTES", VIEW_TEXT, 14},
			{"ROLE", VIEW_TEXT, 4},
			{"INSTRUCTION", VIEW_TEXT, 8}},
		.opens = "gates",
		.mark = "ROLE",
	},
	{
		.name = "gates",
		.title = "What the loops wait for",
		.doc = "memory that keeps a loop going: address, value, and what would end it",
		.needs = {"loop_gate"},
		.sql = "SELECT g.machine_id, cpu, linear, nr, cpu, space, phys, bytes, value, "
		       "class,"
		       " nr_writers, exit_cond"
		       " FROM loop_gate g WHERE " VIEW_OF_CPU(
			       g) " ORDER BY g.machine_id, sample_id, cpu, nr",
		.col = {{"CPU", VIEW_DEC, 3},
			{"SPACE", VIEW_TEXT, 5},
			{"ADDRESS", VIEW_HEX, 8},
			{"SIZE", VIEW_DEC, 4},
			{"VALUE", VIEW_HEX, 6},
			{"CLASS", VIEW_TEXT, 7},
			{"WRITERS", VIEW_DEC, 7},
			{"ENDS WHEN", VIEW_TEXT, 8}},
		.opens = "writers",
	},
	{
		.name = "writers",
		.title = "Who writes the gates",
		.doc = "instructions of other CPUs that could end a loop",
		.needs = {"gate_writer", "addr_name"},
		.sql = "SELECT w.machine_id, by_cpu, insn_addr, w.rowid, cpu, nr, by_cpu, "
		       "insn_addr,"
		       " how, text || coalesce('   ; at ' || " VIEW_NAME(
			       w, insn_addr) ", '')"
					     " FROM gate_writer w WHERE " VIEW_OF_CPU(
						     w) " AND (?4 IS NULL OR nr = ?4)"
							" ORDER BY w.machine_id, sample_id, cpu, "
							"nr, by_cpu, insn_addr",
		.col = {{"CPU", VIEW_DEC, 3},
			{"GATE", VIEW_DEC, 4},
			{"BY CPU", VIEW_DEC, 6},
			{"ADDRESS", VIEW_HEX, 10},
			{"HOW", VIEW_TEXT, 9},
			{"INSTRUCTION", VIEW_TEXT, 8}},
		.opens = "insns",
	},
	{0},
};
