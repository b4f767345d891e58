/* Views of what is wrong: findings, one of them at length, and the rows that prove it. */
#include "store/rank.h"
#include "views/views.h"

#define FIELD(nr, name, text)                                                                      \
	" SELECT machine_id, finding_id, severity, confidence, " #nr " AS nr, '" name              \
	"' AS field, " text " AS text FROM finding"

/* CPU of an evidence row, whatever table it stands in. */
#define CPU_IN(t)                                                                                  \
	" WHEN '" t "' THEN (SELECT cpu FROM " t " t WHERE t.rowid = e.row"                        \
	" AND t.machine_id = e.machine_id)"

const struct view view_group_finding[] = {
	{
		.name = "findings",
		.title = "Findings",
		.doc = "what is wrong, the worst first",
		.needs = {"finding"},
		.sql = "SELECT f.machine_id, CASE WHEN subject GLOB 'cpu [0-9]*' THEN"
		       " CAST(substr(subject, 5) AS INTEGER) END, NULL, finding_id,"
		       " severity, rule, subject, coalesce(detail, title)"
		       " FROM finding f WHERE " VIEW_OF_MACHINE(f) " ORDER BY " STORE_FINDING_ORDER,
		.col = {{"SEVERITY", VIEW_TEXT, 8},
			{"RULE", VIEW_TEXT, 16},
			{"SUBJECT", VIEW_TEXT, 8},
			{"DETAIL", VIEW_TEXT, 20}},
		.opens = "finding",
	},
	{
		.name = "finding",
		.title = "Finding",
		.doc = "one finding at length: what, why, and what to look at next",
		.needs = {"finding"},
		.sql = "SELECT machine_id, NULL, NULL, finding_id, field, text FROM "
		       "(" FIELD(1, "finding", "title") " UNION ALL" FIELD(2, "subject", "subject") " UNION ALL" FIELD(3, "detail", "detail") " UNION ALL" FIELD(
			       4, "severity",
			       "severity") " UNION ALL" FIELD(5, "confidence",
							      "confidence") " UNION "
									    "ALL" FIELD(
										    6,
										    "ru"
										    "l"
										    "e",
										    "ru"
										    "l"
										    "e") " UNION "
											 "AL"
											 "L" FIELD(7, "why", "why") " UNION ALL" FIELD(
												 8,
												 "n"
												 "e"
												 "x"
												 "t",
												 "f"
												 "i"
												 "x") ") f WHERE " VIEW_OF_MACHINE(f) " AND (?4 IS NULL OR finding_id = ?4) ORDER BY " STORE_FINDING_ORDER
																      ", nr",
		.col = {{"FIELD", VIEW_TEXT, 10}, {"TEXT", VIEW_TEXT, 20}},
		.opens = "evidence",
	},
	{
		.name = "evidence",
		.title = "Evidence",
		.doc = "the rows that prove a finding",
		.needs = {"finding", "cpu", "smm", "loop", "loop_insn", "loop_gate", "insn"},
		.sql = "SELECT e.machine_id, CASE e.tbl" CPU_IN("cpu") CPU_IN("smm") CPU_IN("loop")
			CPU_IN("loop_insn") CPU_IN("loop_gate")
				CPU_IN("insn") " END, NULL, e.finding_id, f.subject, e.nr, e.tbl, "
					       "e.text"
					       " FROM evidence e JOIN finding f USING(machine_id, "
					       "finding_id)"
					       " WHERE " VIEW_OF_MACHINE(
						       e) " AND (?4 IS NULL OR e.finding_id = ?4)"
							  " ORDER BY " STORE_FINDING_ORDER ", e.nr",
		.col = {{"SUBJECT", VIEW_TEXT, 8},
			{"NR", VIEW_DEC, 2},
			{"TABLE", VIEW_TEXT, 9},
			{"EVIDENCE", VIEW_TEXT, 20}},
		.opens = "insns",
	},
	{
		.name = "unevaluated",
		.title = "Rules that could not be asked",
		.doc = "rules whose tables are missing or incomplete",
		.needs = {"finding"},
		.sql = "SELECT u.machine_id, NULL, NULL, NULL, rule, tbl, state, message"
		       " FROM unevaluated u WHERE " VIEW_OF_MACHINE(
			       u) " ORDER BY u.machine_id, rule, tbl",
		.col = {{"RULE", VIEW_TEXT, 16},
			{"TABLE", VIEW_TEXT, 9},
			{"STATE", VIEW_TEXT, 7},
			{"MESSAGE", VIEW_TEXT, 20}},
		.opens = "runs",
	},
	{0},
};
