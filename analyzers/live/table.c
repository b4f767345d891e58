/*
 * Knows how SQLite asks a table-valued function for rows: an eponymous virtual table whose hidden
 * columns are the arguments.  Source: sqlite.org/vtab.html, "Table-valued functions".
 */
#include "analyzers/live/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/sql.h"

#define ENTRY(n) &live_##n,
static const struct live_table *const tables[] = {LIVE_TABLES(ENTRY)};
enum { NR_TABLES = sizeof(tables) / sizeof(*tables) };

const struct live_doc *live_doc_at(size_t i)
{
	return i < NR_TABLES ? &tables[i]->doc : NULL;
}

/* What SQLite hands back to every callback. */
struct module {
	const struct live_table *t;
	const struct live_host *host;
};
struct vtab {
	sqlite3_vtab base;
	struct module of;
	int nr_cols;
	void *kept;                         /* NULL: not needed yet */
	const struct inq_machine *kept_for; /* whose that is */
};
struct cursor {
	sqlite3_vtab_cursor base;
	void *state; /* NULL: not begun, or behind the last row */
	sqlite3_int64 row;
};

static int count(const struct live_column *c)
{
	int n = 0;

	while (c[n].name)
		n++;
	return n;
}

enum inq_status live_space(const struct inq_machine *m, sqlite3_value *v, struct machine_where *ret,
			   struct inq_err *err)
{
	if (sqlite3_value_type(v) == SQLITE_INTEGER)
		return machine_space_nr(m, sqlite3_value_int64(v), ret, err);
	const char *text = (const char *)sqlite3_value_text(v);
	if (!text)
		return inq_fail(err, INQ_ENOMEM, "name of a space");
	return machine_space_named(m, text, strlen(text), ret, err);
}

enum inq_status live_addr(const struct machine_where *w, sqlite3_value *v, uint64_t *ret,
			  struct inq_err *err)
{
	if (sqlite3_value_type(v) == SQLITE_INTEGER) {
		*ret = (uint64_t)sqlite3_value_int64(v);
		return INQ_OK;
	}
	const char *text = (const char *)sqlite3_value_text(v);
	return text ? machine_address(w, text, ret, err) : inq_fail(err, INQ_ENOMEM, "address");
}

static int report(struct vtab *v, enum inq_status st, const struct inq_err *err)
{
	if (st == INQ_ENOMEM)
		return SQLITE_NOMEM;
	if (st == INQ_EINTR)
		return SQLITE_INTERRUPT;
	sqlite3_free(v->base.zErrMsg);
	v->base.zErrMsg = sqlite3_mprintf("%s: %s", v->of.t->doc.name, err->msg);
	return SQLITE_ERROR;
}

static int declare(sqlite3 *db, const struct live_doc *d)
{
	INQ_SCOPED(sql_str_free_scope_) sqlite3_str *s = sqlite3_str_new(db);

	sqlite3_str_appendall(s, "CREATE TABLE x(");
	for (int i = 0; d->cols[i].name; i++)
		sqlite3_str_appendf(s, "%s\"%w\" %s", i ? ", " : "", d->cols[i].name,
				    d->cols[i].type);
	for (int i = 0; d->args[i].name; i++)
		sqlite3_str_appendf(s, ", \"%w\" HIDDEN", d->args[i].name);
	sqlite3_str_appendall(s, ")");
	return sqlite3_str_errcode(s) ? SQLITE_NOMEM
				      : sqlite3_declare_vtab(db, sqlite3_str_value(s));
}

static int on_connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **ret,
		      char **ret_err)
{
	const struct module *m = aux;
	struct vtab *v = calloc(1, sizeof(*v));

	(void)argc;
	(void)argv;
	(void)ret_err;
	if (!v)
		return SQLITE_NOMEM;
	v->of = *m;
	v->nr_cols = count(m->t->doc.cols);
	/* no view or trigger of a found index shall read memory */
	int rc = sqlite3_vtab_config(db, SQLITE_VTAB_DIRECTONLY);
	if (!rc)
		rc = declare(db, &m->t->doc);
	if (rc) {
		free(v);
		return rc;
	}
	*ret = &v->base;
	return SQLITE_OK;
}

static void drop_kept(struct vtab *v)
{
	if (v->kept && v->of.t->drop)
		v->of.t->drop(v->kept);
	free(v->kept);
	v->kept = NULL;
}

/* False: no memory. */
static bool keep(struct vtab *v, const struct inq_machine *m)
{
	if (v->kept && v->kept_for != m)
		drop_kept(v);
	v->kept_for = m;
	if (!v->kept && v->of.t->kept_bytes)
		v->kept = calloc(1, v->of.t->kept_bytes);
	return v->kept || !v->of.t->kept_bytes;
}

static int on_disconnect(sqlite3_vtab *base)
{
	drop_kept((struct vtab *)base);
	free(base);
	return SQLITE_OK;
}

/* Conditions on one column, a letter each in idxStr behind the column's digit. */
static char condition_of(int op)
{
	switch (op) {
	case SQLITE_INDEX_CONSTRAINT_EQ:
		return '=';
	case SQLITE_INDEX_CONSTRAINT_GE:
		return 'g';
	case SQLITE_INDEX_CONSTRAINT_GT:
		return 'G';
	case SQLITE_INDEX_CONSTRAINT_LE:
		return 'l';
	case SQLITE_INDEX_CONSTRAINT_LT:
		return 'L';
	default:
		return 0;
	}
}

enum { CONDITIONS_MAX = 12, COST_ALL = 1000, COST_RANGE = 100, COST_ONE = 10 };

/* SQLite checks each of these conditions again: what is handed over only spares rows. */
static int take_ranges(const struct vtab *v, sqlite3_index_info *info, int nr)
{
	char text[2 * CONDITIONS_MAX + 1];
	int n = 0, cost = COST_ALL;

	for (int i = 0; i < info->nConstraint && n < 2 * CONDITIONS_MAX; i++) {
		int col = info->aConstraint[i].iColumn;
		char op = condition_of(info->aConstraint[i].op);
		if (col < 0 || col >= v->of.t->nr_ranges || !op || !info->aConstraint[i].usable)
			continue;
		info->aConstraintUsage[i].argvIndex = ++nr;
		text[n++] = (char)('0' + col);
		text[n++] = op;
		int one = op == '=' && !col ? COST_ONE : COST_RANGE;
		cost = one < cost ? one : cost;
	}
	text[n] = '\0';
	info->estimatedCost = cost;
	if (v->of.t->nr_ranges && !info->idxNum && info->nOrderBy == 1 &&
	    !info->aOrderBy[0].iColumn && !info->aOrderBy[0].desc)
		info->orderByConsumed = 1;
	if (!n)
		return SQLITE_OK;
	info->idxStr = sqlite3_mprintf("%s", text);
	info->needToFreeIdxStr = 1;
	return info->idxStr ? SQLITE_OK : SQLITE_NOMEM;
}

/* Which arguments there are goes to idxNum; their values come in that order, then those of the
   conditions. */
static int on_best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
	const struct vtab *v = (const struct vtab *)base;
	int at[LIVE_MAX_ARGS], nr = 0;

	memset(at, -1, sizeof(at));
	for (int i = 0; i < info->nConstraint; i++) {
		int arg = info->aConstraint[i].iColumn - v->nr_cols;
		if (arg < 0 || info->aConstraint[i].op != SQLITE_INDEX_CONSTRAINT_EQ)
			continue;
		if (!info->aConstraint[i].usable)
			return SQLITE_CONSTRAINT; /* its value is known in another order of joins */
		at[arg] = i;
	}
	for (int arg = 0; arg < LIVE_MAX_ARGS; arg++) {
		if (at[arg] < 0)
			continue;
		info->aConstraintUsage[at[arg]].argvIndex = ++nr;
		info->aConstraintUsage[at[arg]].omit = 1;
		info->idxNum |= 1 << arg;
	}
	return take_ranges(v, info, nr);
}

static int on_open(sqlite3_vtab *base, sqlite3_vtab_cursor **ret)
{
	struct cursor *c = calloc(1, sizeof(*c));

	(void)base;
	if (!c)
		return SQLITE_NOMEM;
	*ret = &c->base;
	return SQLITE_OK;
}

static void end(struct cursor *c)
{
	const struct vtab *v = (const struct vtab *)c->base.pVtab;

	if (c->state && v->of.t->close)
		v->of.t->close(c->state);
	free(c->state);
	c->state = NULL;
}

static int on_close(sqlite3_vtab_cursor *base)
{
	end((struct cursor *)base);
	free(base);
	return SQLITE_OK;
}

static int on_next(sqlite3_vtab_cursor *base)
{
	struct cursor *c = (struct cursor *)base;
	struct vtab *v = (struct vtab *)base->pVtab;
	struct inq_err err; /* filled on failure only: rows come by the million */
	bool more = false;
	enum inq_status st = v->of.t->next(c->state, &more, &err);

	c->row++;
	if (st || !more)
		end(c);
	return st ? report(v, st, &err) : SQLITE_OK;
}

/* False: an argument that is needed is unknown, so no row is known either. */
static bool take_args(const struct vtab *v, int mask, sqlite3_value **argv, struct live_call *call)
{
	for (int arg = 0, at = 0; arg < LIVE_MAX_ARGS; arg++)
		if (mask >> arg & 1 && sqlite3_value_type(argv[at++]) != SQLITE_NULL)
			call->arg[arg] = argv[at - 1];
	for (int arg = 0; arg < v->of.t->doc.nr_needed; arg++)
		if (!call->arg[arg])
			return false;
	return true;
}

/* A bound that is no integer spares nothing. */
static void narrow(struct live_range *r, char op, sqlite3_value *value)
{
	sqlite3_int64 v = sqlite3_value_int64(value);

	if (sqlite3_value_type(value) != SQLITE_INTEGER)
		return;
	if ((op == '=' || op == 'g' || op == 'G') && v > r->first)
		r->first = v;
	if ((op == '=' || op == 'l' || op == 'L') && v < r->last)
		r->last = v;
}

static void take_bounds(const char *idx, int mask, sqlite3_value **argv, struct live_call *call)
{
	int at = 0;

	for (int i = 0; i < LIVE_MAX_RANGES; i++)
		call->range[i] = (struct live_range){INT64_MIN, INT64_MAX};
	for (int arg = 0; arg < LIVE_MAX_ARGS; arg++)
		at += mask >> arg & 1;
	for (; idx && idx[0] && idx[1]; idx += 2)
		narrow(&call->range[idx[0] - '0'], idx[1], argv[at++]);
}

static int on_filter(sqlite3_vtab_cursor *base, int mask, const char *idx, int argc,
		     sqlite3_value **argv)
{
	struct cursor *c = (struct cursor *)base;
	struct vtab *v = (struct vtab *)base->pVtab;
	struct live_call call = {.host = v->of.host};
	int needed = (1 << v->of.t->doc.nr_needed) - 1;
	struct inq_err err = {0};

	(void)argc;
	end(c);
	c->row = 0;
	if ((mask & needed) != needed) {
		(void)inq_fail(&err, INQ_EUSAGE, "takes %d arguments at least",
			       v->of.t->doc.nr_needed);
		return report(v, INQ_EUSAGE, &err);
	}
	call.m = call.host->machine(call.host->ctx);
	if (!call.m || !take_args(v, mask, argv, &call))
		return SQLITE_OK;
	take_bounds(idx, mask, argv, &call);
	if (!keep(v, call.m))
		return SQLITE_NOMEM;
	call.kept = v->kept;
	c->state = calloc(1, v->of.t->state_bytes);
	if (!c->state)
		return SQLITE_NOMEM;
	enum inq_status st = v->of.t->open(&call, c->state, &err);
	if (!st)
		return on_next(base);
	end(c);
	return report(v, st, &err);
}

static int on_eof(sqlite3_vtab_cursor *base)
{
	return !((struct cursor *)base)->state;
}

static int on_column(sqlite3_vtab_cursor *base, sqlite3_context *ctx, int col)
{
	const struct cursor *c = (const struct cursor *)base;
	const struct vtab *v = (const struct vtab *)base->pVtab;

	if (col < v->nr_cols) /* the others are the caller's own arguments */
		v->of.t->column(c->state, col, ctx);
	return SQLITE_OK;
}

static int on_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *ret)
{
	*ret = ((struct cursor *)base)->row;
	return SQLITE_OK;
}

static const sqlite3_module callbacks = {
	.xConnect = on_connect,
	.xBestIndex = on_best_index,
	.xDisconnect = on_disconnect,
	.xOpen = on_open,
	.xClose = on_close,
	.xFilter = on_filter,
	.xNext = on_next,
	.xEof = on_eof,
	.xColumn = on_column,
	.xRowid = on_rowid,
};

/*
 * SQLite makes the table when it is first named, and asks the authorizer whether somebody may
 * create one: who may only ask questions would be refused.
 */
static enum inq_status connect_now(sqlite3 *db, const struct live_doc *d, struct inq_err *err)
{
	INQ_SCOPED(sql_stmt_free_scope_) sqlite3_stmt *q = NULL;
	char sql[96];

	snprintf(sql, sizeof(sql), "SELECT 1 FROM %s", d->name);
	return sql_prepare(db, sql, &q, err);
}

enum inq_status live_tables_register(sqlite3 *db, const struct live_host *host, struct inq_err *err)
{
	for (size_t i = 0; i < NR_TABLES; i++) {
		struct module *m = malloc(sizeof(*m));
		if (!m)
			return inq_fail(err, INQ_ENOMEM, "%s", tables[i]->doc.name);
		*m = (struct module){tables[i], host};
		/* frees m, also when it fails */
		if (sqlite3_create_module_v2(db, tables[i]->doc.name, &callbacks, m, free))
			return sql_fail(db, INQ_ENOMEM, tables[i]->doc.name, err);
		enum inq_status st = connect_now(db, &tables[i]->doc, err);
		if (st)
			return st;
	}
	return INQ_OK;
}
