/* Knows how a machine and its dump become the rows that every other row refers to. */
#include <string.h>

#include "base/text.h"
#include "store/internal.h"

/* A NUL-padded field of a header; unknown when empty. */
static int bind_field(sqlite3_stmt *q, int at, const char *text, size_t size)
{
	size_t n = strnlen(text, size);

	return n ? sqlite3_bind_text(q, at, text, (int)n, SQLITE_STATIC) : sqlite3_bind_null(q, at);
}

static const char *reason_name(uint32_t reason)
{
	switch (reason) {
	case INQ_SNAP_WHY_COMMAND:
		return "command";
	case INQ_SNAP_WHY_SHUTDOWN:
		return "shutdown";
	case INQ_SNAP_WHY_KVM_ERROR:
		return "kvm-error";
	case INQ_SNAP_WHY_PANIC:
		return "panic";
	case INQ_SNAP_WHY_HANG:
		return "hang";
	case INQ_SNAP_WHY_SMM:
		return "smm";
	case INQ_SNAP_WHY_EXIT:
		return "exit";
	case INQ_SNAP_WHY_FAIL_ENTRY:
		return "fail-entry";
	default:
		return NULL;
	}
}

static int bind_nonce(sqlite3_stmt *q, int at, const uint8_t *nonce, size_t n)
{
	char hex[2 * 16 + 1];

	n = n < 16 ? n : 16;
	text_hex(nonce, n, hex);
	return sqlite3_bind_text(q, at, hex, (int)(2 * n), SQLITE_TRANSIENT);
}

static int bind_header(sqlite3_stmt *q, const struct inq_snap_header *h)
{
	int bad = bind_field(q, 7, h->producer, sizeof(h->producer));

	if (!bad)
		bad = sql_bind_text(q, 8, reason_name(h->reason));
	if (!bad)
		bad = bind_field(q, 9, h->reason_text, sizeof(h->reason_text));
	if (!bad && h->reason_vcpu != INQ_SNAP_VM)
		bad = sqlite3_bind_int64(q, 10, h->reason_vcpu);
	if (!bad)
		bad = bind_nonce(q, 11, h->nonce, sizeof(h->nonce));
	return bad ? bad : sqlite3_bind_int64(q, 12, (int64_t)h->t_realtime_ns);
}

static int bind_dump(sqlite3_stmt *q, int64_t dump_id, const struct inq_dump *d)
{
	int bad = sqlite3_bind_int64(q, 1, dump_id);

	if (!bad)
		bad = sql_bind_text(q, 2, d->content_id);
	if (!bad)
		bad = sql_bind_text(q, 3, d->path);
	if (!bad)
		bad = sql_bind_text(q, 4, d->format);
	if (!bad)
		bad = sql_bind_text(q, 5, d->variant);
	if (!bad)
		bad = sqlite3_bind_int64(q, 6, (int64_t)d->file_bytes);
	return bad || !d->header ? bad : bind_header(q, d->header);
}

static enum inq_status add_dump(struct store *s, int64_t dump_id, const struct inq_dump *d,
				struct inq_err *err)
{
	INQ_SCOPED(sql_stmt_free_scope_) sqlite3_stmt *q = NULL;
	INQ_SCOPED(sql_stmt_free_scope_) sqlite3_stmt *meta = NULL;
	enum inq_status st = sql_prepare(
		s->db,
		"INSERT OR IGNORE INTO dump(dump_id, content_id, path, format, variant, file_bytes,"
		" producer, reason, reason_text, reason_cpu, nonce, t_ns)"
		" VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		&q, err);

	if (!st && bind_dump(q, dump_id, d))
		st = sql_fail(s->db, INQ_EIO, "bind", err);
	if (!st)
		st = sql_done(q, "dump", err);
	if (!st)
		st = sql_prepare(s->db, "INSERT OR IGNORE INTO meta VALUES('content_id', ?1)",
				 &meta, err);
	if (!st && sql_bind_text(meta, 1, d->content_id))
		st = sql_fail(s->db, INQ_EIO, "bind", err);
	return st ? st : sql_done(meta, "meta", err);
}

static enum inq_status add_row(struct store *s, int64_t dump_id, const struct inq_machine *m,
			       struct inq_err *err)
{
	INQ_SCOPED(sql_stmt_free_scope_) sqlite3_stmt *q = NULL;
	enum inq_status st =
		sql_prepare(s->db, "INSERT INTO machine VALUES(?, ?, ?, ?, ?, ?)", &q, err);

	if (st)
		return st;
	int bad = sqlite3_bind_int64(q, 1, m->machine_id) || sqlite3_bind_int64(q, 2, dump_id) ||
		  (m->parent && sqlite3_bind_int64(q, 3, m->parent->machine_id)) ||
		  sql_bind_text(q, 4, m->kind) || sql_bind_text(q, 5, m->arch) ||
		  sqlite3_bind_int64(q, 6, m->nr_cpus);
	return bad ? sql_fail(s->db, INQ_EIO, "bind", err) : sql_done(q, "machine", err);
}

enum inq_status store_add_spaces(struct store *s, const struct inq_machine *m, struct inq_err *err)
{
	INQ_SCOPED(sql_stmt_free_scope_) sqlite3_stmt *q = NULL;
	enum inq_status st =
		sql_prepare(s->db, "INSERT OR IGNORE INTO space VALUES(?, ?, ?, ?)", &q, err);

	for (size_t i = 0; !st && i < m->nr_spaces; i++) {
		const struct inq_space *sp = m->spaces[i];
		int bad = sqlite3_bind_int64(q, 1, sp->space_id) ||
			  sqlite3_bind_int64(q, 2, m->machine_id) ||
			  sql_bind_text(q, 3, sp->name) ||
			  (sp->lower ? sqlite3_bind_int64(q, 4, sp->lower->space_id)
				     : sqlite3_bind_null(q, 4));
		st = bad ? sql_fail(s->db, INQ_EIO, "bind", err) : sql_done(q, "space", err);
	}
	return st;
}

static enum inq_status add_sample(struct store *s, const struct inq_machine *m, struct inq_err *err)
{
	INQ_SCOPED(sql_stmt_free_scope_) sqlite3_stmt *q = NULL;
	enum inq_status st = sql_prepare(s->db, "INSERT INTO sample VALUES(?, ?, ?, ?)", &q, err);

	if (st)
		return st;
	int bad = sqlite3_bind_int64(q, 1, m->machine_id) ||
		  sqlite3_bind_int64(q, 2, m->sample.sample_id) ||
		  (m->sample.t_known && sqlite3_bind_int64(q, 3, m->sample.t_ns)) ||
		  sql_bind_text(q, 4, m->sample.kind);
	return bad ? sql_fail(s->db, INQ_EIO, "bind", err) : sql_done(q, "sample", err);
}

/* State that is older than the snapshot is a picture of its own; it has notes of that kind. */
static enum inq_status add_older(struct store *s, const struct inq_machine *m, uint32_t sample,
				 enum inq_snap_kind kind, const char *name, struct inq_err *err)
{
	INQ_SCOPED(sql_stmt_free_scope_) sqlite3_stmt *q = NULL;
	bool any = false;

	for (size_t i = 0; i < m->dump->nr_blobs && !any; i++)
		any = m->dump->blobs[i].kind == kind && m->dump->blobs[i].sample == sample;
	if (!any)
		return INQ_OK;
	enum inq_status st = sql_prepare(
		s->db, "INSERT OR IGNORE INTO sample VALUES(?1, ?2, NULL, ?3)", &q, err);
	if (st)
		return st;
	int bad = sqlite3_bind_int64(q, 1, m->machine_id) || sqlite3_bind_int64(q, 2, sample) ||
		  sql_bind_text(q, 3, name);
	return bad ? sql_fail(s->db, INQ_EIO, "bind", err) : sql_done(q, "sample", err);
}

static int bind_damage(sqlite3_stmt *q, const struct inq_machine *m, const struct inq_damage *d)
{
	const struct inq_space *phys = m->dump->phys;

	return sqlite3_bind_int64(q, 1, m->machine_id) ||
	       (d->in_memory && phys ? sqlite3_bind_int64(q, 2, phys->space_id)
				     : sqlite3_bind_null(q, 2)) ||
	       sqlite3_bind_int64(q, 3, (int64_t)d->addr) ||
	       sqlite3_bind_int64(q, 4, (int64_t)d->length) ||
	       sql_bind_text(q, 5, inq_status_name(d->status)) ||
	       bind_field(q, 6, d->message, sizeof(d->message));
}

static enum inq_status add_damages(struct store *s, const struct inq_machine *m,
				   struct inq_err *err)
{
	INQ_SCOPED(sql_stmt_free_scope_) sqlite3_stmt *q = NULL;
	enum inq_status st = sql_prepare(
		s->db,
		"INSERT OR IGNORE INTO gap VALUES(?1, 'dump', ?2, ?3, ?4, ?5, coalesce(?6, ?5))",
		&q, err);

	for (size_t i = 0; !st && i < m->dump->nr_damages; i++)
		st = bind_damage(q, m, &m->dump->damages[i]) ? sql_fail(s->db, INQ_EIO, "bind", err)
							     : sql_done(q, "gap", err);
	return st;
}

/* The dump is described by its own machine; a guest in it shares that row. */
static enum inq_status add_all(struct store *s, const struct inq_machine *m, struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	if (!m->parent)
		st = add_dump(s, 1, m->dump, err);
	if (!st)
		st = add_row(s, 1, m, err);
	if (!st)
		st = store_add_spaces(s, m, err);
	if (!st)
		st = add_sample(s, m, err);
	if (!st && !m->parent)
		st = add_older(s, m, INQ_SNAP_LAST_SEEN, INQ_SNAP_LAST_KNOWN, "last-known", err);
	if (!st)
		st = add_older(s, m, INQ_SNAP_TWIN, INQ_SNAP_RIPS, "twin", err);
	return st || m->parent ? st : add_damages(s, m, err);
}

/* Is the machine there already? */
static enum inq_status known(struct store *s, int64_t machine_id, bool *ret_known,
			     struct inq_err *err)
{
	INQ_SCOPED(sql_stmt_free_scope_) sqlite3_stmt *q = NULL;
	enum inq_status st =
		sql_prepare(s->db, "SELECT 1 FROM machine WHERE machine_id = ?1", &q, err);

	if (!st && sqlite3_bind_int64(q, 1, machine_id))
		st = sql_fail(s->db, INQ_EIO, "bind", err);
	if (!st)
		*ret_known = sqlite3_step(q) == SQLITE_ROW;
	return st;
}

enum inq_status store_add_machine(struct store *s, const struct inq_machine *m, struct inq_err *err)
{
	bool twice = false;
	enum inq_status st = known(s, m->machine_id, &twice, err);

	if (st || twice)
		return st;
	if (m->parent)
		st = store_add_machine(s, m->parent, err);
	if (!st)
		st = sql_run(s->db, "SAVEPOINT machine", err);
	if (st)
		return st;
	st = add_all(s, m, err);
	if (st) {
		(void)sql_run(s->db, "ROLLBACK TO machine", NULL);
		(void)sql_run(s->db, "RELEASE machine", NULL);
		return inq_wrap(err, st, "machine %lld", (long long)m->machine_id);
	}
	return sql_run(s->db, "RELEASE machine", err);
}
