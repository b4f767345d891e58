/* Views of the index itself: where it comes from, what it lacks, what else can be asked. */
#include "views/views.h"

#define FIELD(nr, name, value)                                                                     \
	" SELECT dump_id, " #nr " AS nr, '" name "' AS field, " value " AS value FROM dump"

/* A list of texts, which clang-format does not understand. */
/* clang-format off */
#define DUMP_FIELDS                                                     \
	FIELD(1, "path", "path") " UNION ALL"                           \
	FIELD(2, "format", "format") " UNION ALL"                       \
	FIELD(3, "variant", "variant") " UNION ALL"                     \
	FIELD(4, "bytes", "file_bytes") " UNION ALL"                    \
	FIELD(5, "content id", "content_id") " UNION ALL"               \
	FIELD(6, "producer", "producer") " UNION ALL"                   \
	FIELD(7, "reason", "reason") " UNION ALL"                       \
	FIELD(8, "reason text", "reason_text") " UNION ALL"             \
	FIELD(9, "reason cpu", "reason_cpu") " UNION ALL"               \
	FIELD(10, "nonce", "nonce") " UNION ALL"                        \
	FIELD(11, "taken", "datetime(t_ns / 1000000000, 'unixepoch') || ' UTC'")
/* clang-format on */

/* last - first + 1, by halves: as a whole it may overflow, and then SQLite answers with a REAL. */
#define LOW(v) "(" v " & 0xffffffff)"
#define LOW_BYTES "(" LOW("last") " - " LOW("first") " + 1)"
#define BYTES                                                                                      \
	"((((last >> 32) - (first >> 32) + (" LOW_BYTES " >> 32)) << 32) | (" LOW_BYTES            \
	" & 0xffffffff))"

const struct view view_group_index[] = {
	{
		.name = "dump",
		.title = "Dump",
		.doc = "the file: format, producer, why and when it was taken",
		.sql = "SELECT NULL, NULL, NULL, dump_id, field, value FROM (" DUMP_FIELDS
		       ") ORDER BY dump_id, nr",
		.col = {{"FIELD", VIEW_TEXT, 11}, {"VALUE", VIEW_TEXT, 20}},
	},
	{
		.name = "machines",
		.title = "Machines",
		.doc = "machines found in the dump",
		.sql = "SELECT m.machine_id, NULL, NULL, m.machine_id, "
		       "m.machine_id, parent_id, kind,"
		       " arch, nr_cpus FROM machine m "
		       "WHERE " VIEW_OF_MACHINE(m) " ORDER BY m.machine_id",
		.col = {{"MACHINE", VIEW_DEC, 7},
			{"HOST", VIEW_DEC, 4},
			{"KIND", VIEW_TEXT, 6},
			{"ARCH", VIEW_TEXT, 8},
			{"CPUS", VIEW_DEC, 4}},
		.opens = "cpus",
	},
	{
		.name = "spaces",
		.title = "Address spaces",
		.doc = "address spaces, and where each finds its bytes",
		.needs = {"kernel"}, /* finding it brings one */
		.sql = "SELECT s.machine_id, NULL, NULL, s.space_id, "
		       "s.machine_id, s.space_id, s.name,"
		       " l.name FROM space s LEFT JOIN space l ON "
		       "l.machine_id = s.machine_id"
		       " AND l.space_id = s.lower_id "
		       "WHERE " VIEW_OF_MACHINE(s) " ORDER BY s.machine_id, s.space_id",
		.col = {{"MACHINE", VIEW_DEC, 7},
			{"SPACE", VIEW_DEC, 5},
			{"NAME", VIEW_TEXT, 12},
			{"OVER", VIEW_TEXT, 12}},
		.opens = "memory",
	},
	{
		.name = "memory",
		.title = "Memory",
		.doc = "stretches of memory: in the file, absent, left out",
		.needs = {"mem_range"},
		.sql = "SELECT r.machine_id, NULL, first, r.rowid, s.name, first, last, " BYTES
		       ", r.kind"
		       " FROM mem_range r JOIN space s USING(machine_id, space_id)"
		       " WHERE " VIEW_OF_MACHINE(r) " ORDER BY r.machine_id, r.space_id, "
						    "first < 0, first",
		.col = {{"SPACE", VIEW_TEXT, 6},
			{"FIRST", VIEW_HEX, 18},
			{"LAST", VIEW_HEX, 18},
			{"BYTES", VIEW_HEX, 12},
			{"KIND", VIEW_TEXT, 8}},
		.opens = "mem",
	},
	{
		.name = "samples",
		.title = "Samples",
		.doc = "pictures of the CPUs that the dump holds",
		.sql = "SELECT s.machine_id, NULL, NULL, s.rowid, "
		       "s.machine_id, sample_id, kind,"
		       " datetime(t_ns / 1000000000, 'unixepoch') || ' "
		       "UTC' FROM sample s"
		       " WHERE " VIEW_OF_MACHINE(s) " ORDER BY s.machine_id, sample_id",
		.col = {{"MACHINE", VIEW_DEC, 7},
			{"SAMPLE", VIEW_DEC, 6},
			{"KIND", VIEW_TEXT, 8},
			{"TAKEN", VIEW_TEXT, 8}},
	},
	{
		.name = "runs",
		.title = "Collectors",
		.doc = "how each collector went, and how long it took",
		.needs = {"*"},
		.sql = "SELECT r.machine_id, NULL, NULL, r.rowid, tbl, "
		       "state, nr_rows, t_ns / 1000,"
		       " message FROM run r WHERE " VIEW_OF_MACHINE(
			       r) " ORDER BY r.machine_id, r.rowid",
		.col = {{"TABLE", VIEW_TEXT, 11},
			{"STATE", VIEW_TEXT, 8},
			{"ROWS", VIEW_DEC, 8},
			{"MICROSECONDS", VIEW_DEC, 8},
			{"MESSAGE", VIEW_TEXT, 8}},
		.opens = "gaps",
	},
	{
		.name = "gaps",
		.title = "Gaps",
		.doc = "what could not be seen",
		.needs = {"*"},
		.sql = "SELECT g.machine_id, NULL, addr, g.rowid, tbl,"
		       " coalesce(s.name, iif(g.space_id IS NULL AND addr IS NOT "
		       "NULL, 'file', NULL)), addr, length,"
		       " status, message FROM gap g LEFT JOIN space s "
		       "USING(machine_id, space_id)"
		       " WHERE " VIEW_OF_MACHINE(g) " ORDER BY g.machine_id, g.rowid",
		.col = {{"TABLE", VIEW_TEXT, 9},
			{"SPACE", VIEW_TEXT, 5},
			{"ADDRESS", VIEW_HEX, 10},
			{"BYTES", VIEW_HEX, 6},
			{"STATUS", VIEW_TEXT, 7},
			{"MESSAGE", VIEW_TEXT, 8}},
	},
	{
		.name = "tables",
		.title = "Tables",
		.doc = "tables of this index; `inquest schema TABLE` "
		       "explains one",
		.needs = {"*"},
		.sql = "SELECT NULL, NULL, NULL, t.rowid, t.name,"
		       " (SELECT group_concat(state, ' ') FROM run r WHERE "
		       "r.tbl = t.name),"
		       " (SELECT group_concat(name, ', ') FROM "
		       "pragma_table_info(t.name))"
		       " FROM sqlite_schema t WHERE type = 'table' ORDER "
		       "BY t.rowid",
		.col = {{"TABLE", VIEW_TEXT, 11},
			{"STATE", VIEW_TEXT, 8},
			{"COLUMNS", VIEW_TEXT, 20}},
	},
	{0},
};
