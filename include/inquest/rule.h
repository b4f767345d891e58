/*
 * A rule is questions in SQL: which rows are wrong, which rows prove it, which rows do not tell.
 * How to add one: a file analyzers/rules/<id>.sql, and fixtures in tests/rules: <id>.hit.sql and
 * one <id>.miss*.sql for every way in which a healthy machine looks alike.
 */
#ifndef INQ_RULE_H
#define INQ_RULE_H

#include <inquest/err.h>

enum { INQ_RULE_NEEDS = 8 };

struct inq_rule {
	const char *id;         /* kebab-case, the file's name: "cpu-hlt-if0" */
	const char *severity;   /* "info", "warning", "error", "fatal" */
	const char *confidence; /* "proof", "strong", "heuristic" */
	const char *title, *why, *fix, *source;
	const char *needs[INQ_RULE_NEEDS]; /* tables, ends at NULL; without one no verdict */
	const char *uses[INQ_RULE_NEEDS];  /* also read, but what they lack takes no verdict away */
	const char *proof; /* a dump on which it fires: docs/rules.md; NULL: unproven */
	/*
	 * Two or three SELECTs, each ended by a semicolon.  Findings: key, machine_id, subject,
	 * detail, and optionally severity, confidence, where a row is worse or milder than the
	 * rule's header. Evidence: key, machine_id, tbl, row (a rowid), text; in the order to be
	 * shown. A key is any value, unique in the rule and the machine. Undecided, wanted of a
	 * rule that reads columns which may be NULL: machine_id, tbl, message; at most one row per
	 * machine, where a NULL keeps the rule from saying no. There the rule counts as not
	 * evaluated, but what it found elsewhere stands.
	 */
	const char *sql;
};

#endif
