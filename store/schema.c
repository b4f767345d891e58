/*
 * Knows the tables that every index has, whatever was collected: meta, dump, machine, space,
 * sample, run, gap, addr_name, finding, evidence, unevaluated.  One table of tables makes the
 * schema, the manual (`inquest schema`) and the check of a found index.
 */
#include "store/schema.h"

#include <string.h>

#include "store/internal.h"
#include "store/rank.h"

#define MACHINE                                                                                    \
	{                                                                                          \
		"machine_id", "INTEGER NOT NULL REFERENCES machine",                               \
			"the machine that it is about"                                             \
	}

static const struct store_column meta_cols[] = {
	{"key", "TEXT NOT NULL PRIMARY KEY", "schema_version, producer, content_id, made_by"},
	{"value", "TEXT", "its value"},
	{0}};

static const struct store_column dump_cols[] = {
	{"dump_id", "INTEGER PRIMARY KEY", "number of the dump in this index"},
	{"content_id", "TEXT NOT NULL", "128 bit of hash in hex: same content, same id"},
	{"path", "TEXT", "the file's name as it was given"},
	{"format", "TEXT NOT NULL", "loader that read it: elfcore"},
	{"variant", "TEXT", "kind of that format: inquest snapshot, elf core"},
	{"file_bytes", "INTEGER", "length of the file"},
	{"producer", "TEXT", "program that wrote it; NULL unless a snapshot"},
	{"reason", "TEXT", "why it was taken: command, shutdown, kvm-error, panic, hang, ..."},
	{"reason_text", "TEXT", "the same, in the producer's words"},
	{"reason_cpu", "INTEGER", "CPU that caused it; NULL: the whole machine"},
	{"nonce", "TEXT", "random mark of this snapshot, in hex"},
	{"t_ns", "INTEGER", "when its CPUs had stopped, nanoseconds since 1970"},
	{0}};

static const struct store_column machine_cols[] = {
	{"machine_id", "INTEGER PRIMARY KEY", "number of the machine, 1 is the dump's own"},
	{"dump_id", "INTEGER NOT NULL REFERENCES dump", "the dump that it was found in"},
	{"parent_id", "INTEGER REFERENCES machine", "its host; NULL for the dump's own machine"},
	{"kind", "TEXT NOT NULL", "vm, bare or guest"},
	{"arch", "TEXT NOT NULL", "instruction set: x86_64"},
	{"nr_cpus", "INTEGER NOT NULL", "CPUs that the dump knows of"},
	{0}};

static const struct store_column space_cols[] = {
	{"space_id", "INTEGER PRIMARY KEY", "number of the address space in this index"},
	MACHINE,
	{"name", "TEXT NOT NULL", "phys, smm, cpu0-virt"},
	{"lower_id", "INTEGER", "space where it finds its bytes; NULL at the file"},
	{0}};

static const struct store_column sample_cols[] = {
	MACHINE,
	{"sample_id", "INTEGER NOT NULL", "number of the picture, 0 is the snapshot itself"},
	{"t_ns", "INTEGER", "when, nanoseconds since 1970; NULL: unknown"},
	{"kind", "TEXT NOT NULL", "snapshot"},
	{0}};

static const struct store_column run_cols[] = {
	MACHINE,
	{"tbl", "TEXT NOT NULL", "table that the collector fills; no row: never tried"},
	{"state", "TEXT NOT NULL CHECK(state IN ('complete', 'partial', 'failed'))",
	 "complete, partial (see gap) or failed (then the table has no row)"},
	{"nr_rows", "INTEGER", "rows that it reported; NULL when it failed"},
	{"t_ns", "INTEGER", "how long it took, nanoseconds"},
	{"message", "TEXT", "why it failed, or what was left out"},
	{0}};

static const struct store_column gap_cols[] = {
	MACHINE,
	{"tbl", "TEXT NOT NULL", "table that lacks something for it; dump: the file itself"},
	{"space_id", "INTEGER REFERENCES space",
	 "space of addr; NULL: the file, where there is an addr"},
	{"addr", "INTEGER",
	 "where the part that could not be seen begins; NULL: no place in memory"},
	{"length", "INTEGER", "its bytes"},
	{"status", "TEXT NOT NULL", "absent (not dumped), fault (not mapped) or corrupt"},
	{"message", "TEXT NOT NULL", "the whole story"},
	{0}};

static const struct store_column addr_name_cols[] = {
	MACHINE,
	{"space_id", "INTEGER NOT NULL REFERENCES space", "space of addr"},
	{"addr", "INTEGER NOT NULL", "an address that another table holds"},
	{"name", "TEXT NOT NULL", "what is there: symbol+0x10"},
	{0}};

static const struct store_column finding_cols[] = {
	{"finding_id", "INTEGER PRIMARY KEY", "number of the finding"},
	MACHINE,
	{"rule", "TEXT NOT NULL", "id of the rule that says so"},
	{"key", "NOT NULL", "what tells the rule's findings apart"},
	{"severity", "TEXT NOT NULL CHECK(" STORE_SEVERITY_RANK " IS NOT NULL)",
	 "fatal, error, warning or info"},
	{"confidence", "TEXT NOT NULL CHECK(" STORE_CONFIDENCE_RANK " IS NOT NULL)",
	 "proof, strong or heuristic"},
	{"title", "TEXT NOT NULL", "what is wrong, in general"},
	{"subject", "TEXT NOT NULL", "with whom: cpu 1"},
	{"detail", "TEXT", "what exactly"},
	{"why", "TEXT NOT NULL", "why that is wrong"},
	{"fix", "TEXT NOT NULL", "what to look at next"},
	{0}};

static const struct store_column evidence_cols[] = {
	MACHINE,
	{"finding_id", "INTEGER NOT NULL REFERENCES finding", "the finding that it proves"},
	{"nr", "INTEGER NOT NULL", "order in which to show it, from 1"},
	{"tbl", "TEXT NOT NULL", "table of the row that proves it"},
	{"row", "INTEGER NOT NULL", "rowid in that table"},
	{"text", "TEXT NOT NULL", "the row in words"},
	{0}};

static const struct store_column unevaluated_cols[] = {
	MACHINE,
	{"rule", "TEXT NOT NULL", "id of a rule that could not be asked"},
	{"tbl", "TEXT NOT NULL", "table that it needs and has not; empty: the rule itself failed"},
	{"state", "TEXT NOT NULL",
	 "missing, partial, failed, or unknown: rows lack a value it needs"},
	{"message", "TEXT", "the reason, where there is more to say"},
	{0}};

static const struct store_table tables[] = {
	{"meta", "facts about this index", meta_cols, NULL},
	{"dump", "the files that were read", dump_cols, NULL},
	{"machine", "machines found in the dump, guests included", machine_cols, NULL},
	{"space", "address spaces; no address means anything without one", space_cols,
	 "UNIQUE(machine_id, name)"},
	{"sample", "pictures of the CPUs' state", sample_cols,
	 "PRIMARY KEY(machine_id, sample_id)"},
	{"run", "how each collector went", run_cols, "PRIMARY KEY(machine_id, tbl)"},
	{"gap", "what could not be seen", gap_cols, "PRIMARY KEY(machine_id, tbl, space_id, addr)"},
	{"addr_name", "names of the addresses in the other tables", addr_name_cols,
	 "PRIMARY KEY(machine_id, space_id, addr)"},
	{"finding", "what is wrong", finding_cols, "UNIQUE(machine_id, rule, key)"},
	{"evidence", "the rows that prove a finding, and their text", evidence_cols,
	 "PRIMARY KEY(machine_id, finding_id, nr)"},
	{"unevaluated", "rules that could not be asked, and why", unevaluated_cols,
	 "PRIMARY KEY(machine_id, rule, tbl)"},
};
enum { NR_TABLES = sizeof(tables) / sizeof(*tables) };

const struct store_table *store_table_at(size_t i)
{
	return i < NR_TABLES ? &tables[i] : NULL;
}

/* The one text that creates the table; SQLite keeps it in sqlite_schema as it is. */
static void put_create(sqlite3_str *s, const struct store_table *t)
{
	sqlite3_str_appendf(s, "CREATE TABLE %s(", t->name);
	for (int i = 0; t->cols[i].name; i++)
		sqlite3_str_appendf(s, "%s%s %s", i ? ", " : "", t->cols[i].name, t->cols[i].type);
	if (t->keys)
		sqlite3_str_appendf(s, ", %s", t->keys);
	sqlite3_str_appendall(s, ")");
}

enum inq_status store_schema_create(sqlite3 *db, struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	for (int i = 0; !st && i < NR_TABLES; i++) {
		INQ_SCOPED(sql_str_free_scope_) sqlite3_str *s = sqlite3_str_new(db);
		put_create(s, &tables[i]);
		st = sqlite3_str_errcode(s) ? inq_fail(err, INQ_ENOMEM, "schema")
					    : sql_run(db, sqlite3_str_value(s), err);
	}
	return st;
}

/* A view, trigger, virtual table or computed column would run a stranger's code. */
static const char foreign_sql[] = "SELECT type || ' ' || name FROM sqlite_schema"
				  " WHERE NOT (type = 'index' AND sql IS NULL)"
				  "   AND NOT (type = 'table' AND sql LIKE 'CREATE TABLE %')"
				  " UNION ALL "
				  "SELECT 'computed column ' || s.name || '.' || c.name"
				  "  FROM sqlite_schema s, pragma_table_xinfo(s.name) c"
				  " WHERE s.type = 'table' AND c.hidden LIMIT 1";

static enum inq_status check_foreign(sqlite3 *db, struct inq_err *err)
{
	INQ_SCOPED(sql_stmt_free_scope_) sqlite3_stmt *q = NULL;
	enum inq_status st = sql_prepare(db, foreign_sql, &q, err);

	if (st)
		return st;
	int rc = sqlite3_step(q);
	if (rc == SQLITE_ROW)
		return inq_fail(err, INQ_ECORRUPT, "holds what no index holds: %.100s",
				(const char *)sqlite3_column_text(q, 0));
	return rc == SQLITE_DONE ? INQ_OK : sql_fail(db, INQ_ECORRUPT, "schema", err);
}

static enum inq_status check_table(sqlite3 *db, const struct store_table *t, struct inq_err *err)
{
	INQ_SCOPED(sql_str_free_scope_) sqlite3_str *s = sqlite3_str_new(db);
	INQ_SCOPED(sql_stmt_free_scope_) sqlite3_stmt *q = NULL;
	enum inq_status st = sql_prepare(
		db, "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?1", &q, err);

	put_create(s, t);
	if (st)
		return st;
	if (sqlite3_str_errcode(s) || sql_bind_text(q, 1, t->name))
		return inq_fail(err, INQ_ENOMEM, "schema");
	const char *sql =
		sqlite3_step(q) == SQLITE_ROW ? (const char *)sqlite3_column_text(q, 0) : NULL;
	return sql && !strcmp(sql, sqlite3_str_value(s))
		       ? INQ_OK
		       : inq_fail(err, INQ_ECORRUPT, "table %s is %s", t->name,
				  sql ? "not as we make it" : "missing");
}

enum inq_status store_schema_check(sqlite3 *db, struct inq_err *err)
{
	enum inq_status st = check_foreign(db, err);

	for (int i = 0; !st && i < NR_TABLES; i++)
		st = check_table(db, &tables[i], err);
	return st;
}
