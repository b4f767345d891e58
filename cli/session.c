/* Knows which file is what, which index belongs to which dump, and what must be collected when. */
#include "cli/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analyzers/collect/collectors.h"
#include "analyzers/rules.h"
#include "cli/fence.h"
#include "cli/places.h"
#include "loader/loaders.h"
#include "symbols/build_id.h"
#include "views/query.h"

static void free_text(char **p)
{
	free(*p);
}

static int on_stop(void *ctx)
{
	struct session *s = ctx;

	if (s->doing && !s->quiet)
		cli_progress_show(&s->progress, s->doing);
	return cli_interrupted() || (s->escaped && s->escaped());
}

/* done and total are bytes. */
static bool live_progress(void *ctx, uint64_t done, uint64_t total)
{
	struct session *s = ctx;
	char text[64];

	if (total)
		snprintf(text, sizeof(text), "%u %% of %" PRIu64 " MiB",
			 (unsigned int)(done / (total / 100 + 1)), total >> 20);
	else
		snprintf(text, sizeof(text), "%" PRIu64 " MiB", done >> 20);
	if (!s->quiet)
		cli_progress_show(&s->progress, text);
	return !cli_interrupted() && !(s->escaped && s->escaped());
}

const struct inq_machine *session_machine(struct session *s)
{
	struct inq_err why = {0};

	if (s->machine || !s->dump || s->live_machine)
		return s->machine ? s->machine : s->live_machine;
	if (machine_open(s->dump, &s->live_machine, &why) && !s->quiet)
		cli_note(s->file, "its memory cannot be looked at: %s", why.msg);
	if (s->live_machine) {
		machine_debug_where(s->live_machine, &s->debug);
		machine_on_search(s->live_machine, live_progress, s);
	}
	return s->live_machine;
}

static const struct inq_machine *live_machine(void *ctx)
{
	return session_machine(ctx);
}

/* Debug files are looked for when they are needed, so what came of it is told last. */
static void tell_debug_files(const struct session *s)
{
	const struct inq_machine *m = s->machine ? s->machine : s->live_machine;
	const char *note;

	for (size_t i = 0; m && (note = machine_debug_note(m, i)); i++)
		cli_note("debug files", "%s", note);
}

/* What a debug file may lie beside, and where debuginfod's client puts what it fetched. */
static void note_debug_places(struct session *s, const struct session_plan *plan)
{
	const char *fetched = getenv("DEBUGINFOD_CACHE_PATH");

	s->debug_beside = places_folder_of(plan->file);
	s->debug_by_given = plan->vmlinux ? places_folder_of(plan->vmlinux) : NULL;
	s->debug_fetched = fetched ? strdup(fetched) : places_cache("debuginfod_client");
	s->debug_cache = places_debug_cache();
	s->debug = (struct machine_debug){.given = plan->vmlinux,
					  .by_given = s->debug_by_given,
					  .beside = s->debug_beside,
					  .fetched = s->debug_fetched,
					  .cache = s->debug_cache};
}

void session_close(struct session *s)
{
	if (!s)
		return;
	if (s->verbose)
		tell_debug_files(s);
	store_destroy(s->store);
	machine_close(s->live_machine);
	machine_close(s->machine);
	inq_dump_close(s->dump);
	free(s->index);
	free(s->debug_beside);
	free(s->debug_by_given);
	free(s->debug_fetched);
	free(s->debug_cache);
	free(s);
}

static uint64_t hash_text(uint64_t h, const char *text)
{
	/* FNV-1a; the NUL goes in too, so that no text runs into the next */
	for (const char *c = text ? text : ""; h = (h ^ (uint8_t)*c) * UINT64_C(0x100000001b3), *c;
	     c++)
		;
	return h;
}

/* What this program would collect and ask: an index made by one that knew other tables or rules
   does not answer for it. */
static void describe_self(char *text, size_t n)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; collector_at(i); i++) {
		h = hash_text(h, collector_at(i)->table);
		for (const struct inq_column *c = collector_at(i)->cols; c->name; c++)
			h = hash_text(h, c->name);
	}
	for (const struct inq_rule *r = analyzers_rules; r->id; r++) {
		const char *const parts[] = {r->id,  r->severity, r->confidence, r->title,
					     r->why, r->fix,      r->sql};
		for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
			h = hash_text(h, parts[i]);
	}
	snprintf(text, n, "%s %016" PRIx64, INQ_VERSION, h);
}

static enum inq_status check_meta(struct store *store, const char *key, const char *expected,
				  const char *complaint, struct inq_err *err)
{
	INQ_SCOPED(free_text) char *value = NULL;
	char sql[96];

	snprintf(sql, sizeof(sql), "SELECT max(value) FROM meta WHERE key = '%s'", key);
	enum inq_status st = query_text(store, sql, &value, err);
	if (st)
		return st;
	return value && !strcmp(value, expected) ? INQ_OK
						 : inq_fail(err, INQ_EUNSUPPORTED, "%s", complaint);
}

/* Does this index hold all that this program would say, of this very dump? */
static enum inq_status check_fits(struct store *store, const struct inq_dump *dump,
				  struct inq_err *err)
{
	char self[64];
	enum inq_status st =
		check_meta(store, "content_id", dump->content_id, "index of another dump", err);

	describe_self(self, sizeof(self));
	return st ? st
		  : check_meta(store, "made_by", self, "made by another version of inquest", err);
}

enum inq_status session_save(struct session *s, const char *path, struct inq_err *err)
{
	char self[64];

	describe_self(self, sizeof(self));
	enum inq_status st = store_set_meta(s->store, "made_by", self, err);
	return st ? st : store_save(s->store, path, err);
}

char *session_index_path(const struct session *s)
{
	char *cached = places_beside_is_writable(s->file)
			       ? NULL
			       : places_index_cached(s->dump->content_id);

	return cached ? cached : places_index_beside(s->file);
}

/* Not having one is no failure; having one that does not fit is worth a note. */
static void use_index(struct session *s, const char *path)
{
	struct inq_err why = {0};
	struct store *store = NULL;

	if (!path || access(path, F_OK))
		return;
	enum inq_status st = store_open(path, &store, &why);
	if (!st)
		st = check_fits(store, s->dump, &why);
	if (!st) {
		s->store = store;
		s->index = strdup(path);
		return;
	}
	store_destroy(store);
	cli_note(path, "not used: %s; inquest index %s makes a new one", why.msg, s->file);
}

static enum inq_status open_machine(struct session *s, struct inq_err *err)
{
	enum inq_status st = machine_open(s->dump, &s->machine, err);

	if (!st) {
		machine_debug_where(s->machine, &s->debug);
		machine_on_search(s->machine, live_progress, s);
		st = store_create(&s->store, err);
	}
	return st ? st : store_add_machine(s->store, s->machine, err);
}

static enum inq_status open_dump(struct session *s, const struct session_plan *plan,
				 struct inq_err *err)
{
	enum inq_status st = plan->base ? inq_dump_open_raw(s->file, *plan->base, &s->dump, err)
					: inq_dump_open(s->file, &s->dump, err);

	if (st)
		return st;
	if (!plan->fresh) {
		INQ_SCOPED(free_text) char *beside = places_index_beside(s->file);
		INQ_SCOPED(free_text) char *cached = places_index_cached(s->dump->content_id);
		use_index(s, beside);
		if (!s->store)
			use_index(s, cached);
	}
	return s->store ? INQ_OK : open_machine(s, err);
}

static enum inq_status open_file(struct session *s, const struct session_plan *plan,
				 struct inq_err *err)
{
	if (!plan->base && store_is_index(s->file))
		return store_open(s->file, &s->store, err);
	return open_dump(s, plan, err);
}

/* Who did what: for people who wonder. */
static void tell(const struct session *s)
{
	for (size_t i = 0; s->dump && loader_at(i); i++)
		if (!strcmp(loader_at(i)->name, s->dump->format))
			cli_note(s->dump->format, "%s", loader_at(i)->doc);
	if (s->dump)
		cli_note(s->file,
			 "opened by %s as %s; stretches of memory: %zu, notes: %zu, damages: %zu",
			 s->dump->format, s->dump->variant, s->dump->nr_extents, s->dump->nr_blobs,
			 s->dump->nr_damages);
	if (s->index)
		cli_note(s->index, "its rows are used");
}

static enum inq_status ask_kernel(struct session *s, const char *column, char **ret_text,
				  struct inq_err *err)
{
	char sql[64];

	snprintf(sql, sizeof(sql), "SELECT max(%s) FROM kernel", column);
	return query_text(s->store, sql, ret_text, err);
}

/* Does the vmlinux belong to the kernel of the dump?  One of another build would name everything
   wrong. */
static enum inq_status check_vmlinux(struct session *s, const struct session_plan *plan,
				     struct inq_err *err)
{
	INQ_SCOPED(free_text) char *want = NULL;
	INQ_SCOPED(free_text) char *release = NULL;
	char have[SYMBOLS_BUILD_ID];
	enum inq_status st = symbols_build_id(plan->vmlinux, have, err);

	if (st)
		return inq_wrap(err, st, "--vmlinux %s", plan->vmlinux);
	if ((st = session_need(s, "kernel", err)) || (st = ask_kernel(s, "build_id", &want, err)) ||
	    (st = ask_kernel(s, "release", &release, err)))
		return st;
	if (!want) {
		cli_note(plan->vmlinux, "not checked: the dump tells no build id of its kernel");
		return INQ_OK;
	}
	if (strcmp(have, want) != 0)
		return inq_fail(err, INQ_ENOTFOUND,
				"--vmlinux is of build id %s, but the kernel%s%s has %s: %s", have,
				release ? " " : "", release ? release : "", want, plan->vmlinux);
	if (plan->verbose)
		cli_note(plan->vmlinux, "belongs to the kernel: build id %s", have);
	return INQ_OK;
}

enum inq_status session_open(const struct session_plan *plan, struct session **ret_session,
			     struct inq_err *err)
{
	INQ_SCOPED(session_close_scope_) struct session *s = calloc(1, sizeof(*s));

	if (!s)
		return inq_fail(err, INQ_ENOMEM, "session");
	s->file = plan->file;
	s->verbose = plan->verbose;
	note_debug_places(s, plan);
	cli_progress_start(&s->progress);
	fence_enter(plan);
	enum inq_status st = open_file(s, plan, err);
	if (st)
		return st;
	if (plan->verbose)
		tell(s);
	store_on_stop(s->store, on_stop, s);
	s->live = (struct live_host){live_machine, live_progress, s};
	if ((st = live_register(s->store, &s->live, err)))
		return st;
	if (plan->vmlinux && (st = check_vmlinux(s, plan, err)))
		return st;
	*ret_session = inq_take(s);
	return INQ_OK;
}

/* Failures of one part are recorded by the store; these two end everything. */
static enum inq_status go_on(struct session *s, enum inq_status st, const struct inq_err *why,
			     struct inq_err *err)
{
	if (!st)
		return INQ_OK;
	if (st == INQ_EINTR || cli_interrupted())
		return inq_fail(err, INQ_EINTR, "stopped");
	if (st == INQ_ENOMEM) {
		if (err)
			*err = *why;
		return st;
	}
	cli_progress_wipe(&s->progress);
	if (!s->quiet)
		cli_note(s->file, "%s", why->msg);
	return INQ_OK;
}

static enum inq_status need_collector(struct session *s, const struct inq_collector *c,
				      struct inq_err *err)
{
	struct inq_err why = {0};

	if (!c || !s->machine)
		return INQ_OK;
	if (cli_interrupted())
		return inq_fail(err, INQ_EINTR, "stopped");
	s->doing = c->doc;
	(void)on_stop(s);
	enum inq_status st = store_collect(s->store, c, s->machine, &why);
	s->doing = NULL;
	return go_on(s, st, &why, err);
}

static enum inq_status need_all(struct session *s, struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	for (size_t i = 0; !st && collector_at(i); i++)
		st = need_collector(s, collector_at(i), err);
	for (size_t i = 0; !st && s->machine && collector_at(i); i++)
		st = live_keep_names(s->store, collector_at(i), err);
	return st;
}

static enum inq_status need_tables(struct session *s, const char *const *tables,
				   struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	for (int i = 0; !st && i < INQ_RULE_NEEDS && tables[i]; i++)
		st = need_collector(s, collector_find(tables[i]), err);
	return st;
}

static enum inq_status ask_rule(struct session *s, const struct inq_rule *r, struct inq_err *err)
{
	struct inq_err why = {0};
	enum inq_status st = need_tables(s, r->needs, err);

	if (!st)
		st = need_tables(s, r->uses, err);
	if (st)
		return st;
	s->doing = r->title;
	(void)on_stop(s);
	st = store_detect(s->store, r, &why);
	s->doing = NULL;
	return go_on(s, st, &why, err);
}

static enum inq_status need_rules(struct session *s, struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	if (s->rules_asked || !s->machine)
		return INQ_OK;
	for (const struct inq_rule *r = analyzers_rules; !st && r->id; r++)
		st = ask_rule(s, r, err);
	s->rules_asked = !st;
	return st;
}

enum inq_status session_need(struct session *s, const char *table, struct inq_err *err)
{
	enum inq_status st;

	if (!strcmp(table, "*"))
		st = need_all(s, err);
	else if (!strcmp(table, "finding"))
		st = need_rules(s, err);
	else
		st = need_collector(s, collector_find(table), err);
	cli_progress_wipe(&s->progress);
	return st;
}

/* What the addresses in a view's tables are called; an index kept it.  They are the kernel's. */
static enum inq_status need_names(struct session *s, const struct view *v, struct inq_err *err)
{
	enum inq_status st = session_need(s, "kernel", err);

	for (int i = 0; !st && s->machine && i < VIEW_NEEDS && v->needs[i]; i++)
		if (collector_find(v->needs[i]))
			st = live_keep_names(s->store, collector_find(v->needs[i]), err);
	return st;
}

enum inq_status session_need_view(struct session *s, const struct view *v, struct inq_err *err)
{
	enum inq_status st = s->machine && v->reads
				     ? store_create_table(s->store, collector_find(v->reads), err)
				     : INQ_OK;

	for (int i = 0; !st && i < VIEW_NEEDS && v->needs[i]; i++)
		st = strcmp(v->needs[i], "addr_name") != 0 ? session_need(s, v->needs[i], err)
							   : need_names(s, v, err);
	return st;
}
