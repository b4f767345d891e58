/*
 * One index: a SQLite database, in memory or in a file.  Who runs collectors and rules on it calls
 * here; who asks questions takes store_db and speaks SQL.
 *
 * Tables of every index (store/schema.c): meta, dump, machine, space, sample, run, gap, addr_name,
 * finding, evidence, unevaluated.  The others are made from the collectors' column lists.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <inquest/collect.h>
#include <inquest/rule.h>

struct store;
struct sqlite3;

enum {
	STORE_SCHEMA_VERSION = 2, /* to be raised whenever a table of every index changes */
	STORE_APPLICATION_ID = 0x494e5158, /* "INQX" */
};

/* A fresh index in memory, with its framework tables and SQL functions (hex64, addr_*). */
INQ_MUST enum inq_status store_create(struct store **ret_store, struct inq_err *err);

/*
 * An index found in a file: hostile.  Opened read-only, defensive, schema untrusted, quick_check.
 * Errors: INQ_EIO, INQ_EUNSUPPORTED (no index of ours, or another schema version), INQ_ECORRUPT.
 */
INQ_MUST enum inq_status store_open(const char *path, struct store **ret_store,
				    struct inq_err *err);
void store_destroy(struct store *s); /* accepts NULL */

/* Is this file an index of ours, by its first bytes (SQLite header and application id)? */
int store_is_index(const char *path);

/* Write all of it to path: temporary name beside it, sync, rename.  Replaces path or fails whole.
 */
INQ_MUST enum inq_status store_save(struct store *s, const char *path, struct inq_err *err);

/* A fact about the index itself, for the table meta; replaces what stood there. */
INQ_MUST enum inq_status store_set_meta(struct store *s, const char *key, const char *value,
					struct inq_err *err);

struct sqlite3 *store_db(struct store *s);

/* Was it opened from a file?  Then nothing can be collected into it. */
int store_read_only(const struct store *s);

/*
 * Asked now and then while queries, collectors and rules run; once it yields non-zero they end
 * with INQ_EINTR.  fn may be NULL.
 */
typedef int store_stop_fn(void *ctx);
void store_on_stop(struct store *s, store_stop_fn *fn, void *ctx);

/* Rows of dump, machine (and its parents), space and sample; gaps from the dump's damages. */
INQ_MUST enum inq_status store_add_machine(struct store *s, const struct inq_machine *m,
					   struct inq_err *err);

/*
 * Run the collector for one machine, in one transaction, and record in run how it went and how
 * long it took.  Its failure removes its rows; the caller goes on with the next collector.
 * A collector that has run for that machine is not run again.
 */
INQ_MUST enum inq_status store_collect(struct store *s, const struct inq_collector *c,
				       const struct inq_machine *m, struct inq_err *err);

/* Create the collector's empty table unless it exists. */
INQ_MUST enum inq_status store_create_table(struct store *s, const struct inq_collector *c,
					    struct inq_err *err);

/*
 * Ask a rule about every machine, in one transaction: rows go to finding and evidence.  A machine
 * that lacks a needed table, or has only part of it, goes to unevaluated instead; one whose rows
 * lack a value that the rule needs goes there as well, beside what it found.  Asked again,
 * its new answer replaces the old one.  A rule may only read, calls only functions that compute,
 * and has a budget of steps and rows; one that fails goes to unevaluated as failed, for all
 * machines, and the caller goes on with the next.
 * Errors: INQ_EUSAGE (not such SELECTs, or a finding without evidence), INQ_ELIMIT (over the
 * budget), INQ_EIO, INQ_EINTR.
 */
INQ_MUST enum inq_status store_detect(struct store *s, const struct inq_rule *r,
				      struct inq_err *err);

#endif
