/*
 * Knows which child reads which debug file, and believes nothing that it answers before it was
 * checked.
 */
#include "symbols/debug_info.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/order.h"
#include "base/scope.h"
#include "base/span.h"
#include "symbols/debug_cache.h"
#include "symbols/debug_job.h"

enum { LINES_KEPT = 256 }; /* a power of two */
enum { SECONDS = 20, MAX_RANGES = 1 << 21, MAX_SECTIONS = 4096 };
#define MEMORY ((size_t)1 << 30) /* bytes: a kernel's .debug_info, decompressed, has 170 MB */

struct debug_info {
	char *path, *cache;
	int fd;
	struct child *child;
	struct job_info head;
	struct job_section *section;
	size_t nr_sections;
	struct list {
		struct job_range *at; /* ascending, none overlapping; NULL: nobody has asked */
		size_t nr;
	} addresses, variables;
	uint8_t *answer; /* JOB_ROOM bytes */
	/* Answers of before, by address: equal stacks ask the same again and again. */
	struct kept {
		uint64_t addr;
		uint8_t *p; /* NULL: none */
		size_t n;
	} kept[LINES_KEPT];
};

void debug_info_close(struct debug_info *d)
{
	if (!d)
		return;
	child_stop(d->child);
	if (d->fd >= 0)
		close(d->fd);
	for (size_t i = 0; i < LINES_KEPT; i++)
		free(d->kept[i].p);
	free(d->section);
	free(d->addresses.at);
	free(d->variables.at);
	free(d->answer);
	free(d->path);
	free(d->cache);
	free(d);
}
INQ_DEFINE_SCOPE(struct debug_info, debug_info_close)

const char *debug_info_path(const struct debug_info *d)
{
	return d->path;
}

const char *debug_info_build_id(const struct debug_info *d)
{
	return d->head.build_id;
}

static enum inq_status nonsense(struct inq_err *err)
{
	return inq_fail(err, INQ_ECORRUPT, "libdwarf answers nonsense");
}

static enum inq_status ask(struct debug_info *d, const struct child_call *call, size_t *ret_n,
			   struct inq_err *err)
{
	return child_ask(d->child, call, d->answer, JOB_ROOM, ret_n, err);
}

static enum inq_status read_head(struct debug_info *d, struct inq_err *err)
{
	const struct child_call call = {.arg = {JOB_INFO}};
	struct job_info *info = &d->head;
	size_t n = 0;
	enum inq_status st = ask(d, &call, &n, err);

	if (st)
		return st;
	if (n != sizeof(*info))
		return nonsense(err);
	memcpy(info, d->answer, n);
	info->build_id[sizeof(info->build_id) - 1] = '\0';
	if (info->build_id[strspn(info->build_id, "0123456789abcdef")])
		return nonsense(err);
	if (!info->info_bytes)
		return inq_fail(err, INQ_ENOTFOUND, "it has no debug information");
	return INQ_OK;
}

/* All records of one kind, which the child hands out in as many answers as it takes. */
static enum inq_status read_all(struct debug_info *d, enum job_call what, size_t bytes, size_t max,
				void **ret, size_t *ret_nr, struct inq_err *err)
{
	uint8_t *all = NULL;
	size_t nr = 0, n = 1;
	enum inq_status st = INQ_OK;

	while (!st && n) {
		const struct child_call call = {.arg = {what, nr}};
		st = ask(d, &call, &n, err);
		if (!st && n % bytes)
			st = nonsense(err);
		else if (!st && n / bytes > max - nr)
			st = inq_fail(err, INQ_ELIMIT, "more than %zu of them", max);
		uint8_t *p = st || !n ? NULL : realloc(all, nr * bytes + n);
		if (!st && n && !p)
			st = inq_fail(err, INQ_ENOMEM, "out of memory");
		if (!p)
			break;
		all = p;
		memcpy(all + nr * bytes, d->answer, n);
		nr += n / bytes;
	}
	if (st) {
		free(all);
		return st;
	}
	*ret = all;
	*ret_nr = nr;
	return INQ_OK;
}

static enum inq_status read_sections(struct debug_info *d, struct inq_err *err)
{
	void *p = NULL;
	enum inq_status st = read_all(d, JOB_LOADED, sizeof(*d->section), MAX_SECTIONS, &p,
				      &d->nr_sections, err);

	d->section = p;
	for (size_t i = 0; i < d->nr_sections; i++)
		d->section[i].name[JOB_SECTION_MAX - 1] = '\0';
	return st;
}

static enum inq_status ask_list(struct debug_info *d, struct list *l, enum job_call what,
				const struct debug_cache_key *key, struct inq_err *err)
{
	void *p = NULL;
	size_t nr = 0;
	enum inq_status st = read_all(d, what, sizeof(*l->at), MAX_RANGES, &p, &nr, err);

	if (st)
		return st;
	l->at = p;
	if (!debug_ranges_sorted(l->at, nr))
		return nonsense(err);
	l->nr = nr;
	debug_cache_save(key, l->at, nr);
	return INQ_OK;
}

/* One of the lists, of the cache or of the child. */
static enum inq_status read_list(struct debug_info *d, struct list *l, enum job_call what,
				 const char *suffix, struct inq_err *err)
{
	const struct debug_cache_key key = {.folder = d->cache,
					    .suffix = suffix,
					    .build_id = d->head.build_id,
					    .info_bytes = d->head.info_bytes,
					    .line_bytes = d->head.line_bytes};

	if (!l->at && debug_cache_load(&key, &l->at, &l->nr, NULL)) {
		enum inq_status st = ask_list(d, l, what, &key, err);
		if (st)
			return st;
	}
	return l->nr ? INQ_OK : inq_fail(err, INQ_ENOTFOUND, "it tells none");
}

enum inq_status debug_info_open(const char *path, const char *cache, struct debug_info **ret,
				struct inq_err *err)
{
	INQ_SCOPED(debug_info_close_scope_) struct debug_info *d = calloc(1, sizeof(*d));

	if (!d)
		return inq_fail(err, INQ_ENOMEM, "debug information");
	d->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (d->fd < 0)
		return inq_fail(err, INQ_EIO, "cannot open: %s", strerror(errno));
	d->path = strdup(path);
	d->cache = cache ? strdup(cache) : NULL;
	d->answer = malloc(JOB_ROOM);
	if (!d->path || !d->answer || (cache && !d->cache))
		return inq_fail(err, INQ_ENOMEM, "debug information");
	const struct child_job job = {.name = "libdwarf",
				      .fd = d->fd,
				      .open = debug_job_open,
				      .serve = debug_job_serve,
				      .room = JOB_ROOM,
				      .memory = MEMORY,
				      .seconds = SECONDS};
	enum inq_status st = child_start(&job, &d->child, err);
	if (!st)
		st = read_head(d, err);
	if (!st)
		st = read_sections(d, err);
	if (!st)
		*ret = inq_take(d);
	return st;
}

bool debug_info_section(const struct debug_info *d, const char *name, uint64_t *ret_addr,
			uint64_t *ret_bytes)
{
	for (size_t i = 0; i < d->nr_sections; i++) {
		if (strcmp(d->section[i].name, name) != 0)
			continue;
		*ret_addr = d->section[i].addr;
		*ret_bytes = d->section[i].bytes;
		return true;
	}
	return false;
}

static const struct job_range *range_of(const struct list *l, uint64_t key)
{
	size_t n = ORDER_BELOW(l->at, l->nr, last, key);

	return n < l->nr && l->at[n].first <= key ? &l->at[n] : NULL;
}

/* n bytes of the answer as a text of its own; NULL when there is none. */
static const char *take_text(struct span *s, size_t n, struct inq_lines *ret, size_t *used)
{
	const uint8_t *p = n > JOB_NAME_MAX ? NULL : span_take(s, n);
	char *to = ret->text + *used;

	if (!p || !n || n >= sizeof(ret->text) - *used || memchr(p, 0, n))
		return NULL;
	memcpy(to, p, n);
	to[n] = '\0';
	*used += n + 1;
	return to;
}

enum inq_status debug_info_take_lines(const uint8_t *p, size_t n, struct inq_lines *ret,
				      struct inq_err *err)
{
	struct span s = span_of(p, n);
	size_t used = 0;

	ret->nr = 0;
	while (s.left && ret->nr < INQ_LINES_FRAMES) {
		struct inq_line_frame *to = &ret->frame[ret->nr];
		const uint8_t *head = span_take(&s, sizeof(struct job_frame));
		struct job_frame f;
		if (!head)
			return nonsense(err);
		memcpy(&f, head, sizeof(f));
		*to = (struct inq_line_frame){
			.line = f.line, .column = f.column, .inlined = f.inlined != 0};
		to->function = take_text(&s, f.function_bytes, ret, &used);
		to->file = take_text(&s, f.file_bytes, ret, &used);
		if (s.bad || f.function_bytes > JOB_NAME_MAX || f.file_bytes > JOB_NAME_MAX)
			return nonsense(err);
		ret->nr++;
	}
	return ret->nr ? INQ_OK : nonsense(err);
}

static struct kept *kept_at(struct debug_info *d, uint64_t addr)
{
	return &d->kept[(addr ^ addr >> 8 ^ addr >> 16) % LINES_KEPT];
}

/* Without memory for it, the same is asked again. */
static void keep_lines(struct debug_info *d, uint64_t addr, size_t n)
{
	struct kept *k = kept_at(d, addr);
	uint8_t *p = malloc(n ? n : 1);

	if (!p)
		return;
	memcpy(p, d->answer, n);
	free(k->p);
	*k = (struct kept){addr, p, n};
}

enum inq_status debug_info_lines(struct debug_info *d, uint64_t addr, struct inq_lines *ret,
				 struct inq_err *err)
{
	enum inq_status st = read_list(d, &d->addresses, JOB_RANGES, "ranges", err);
	const struct kept *k = kept_at(d, addr);
	size_t n = 0;

	if (st)
		return st;
	if (k->p && k->addr == addr)
		return debug_info_take_lines(k->p, k->n, ret, err);
	const struct job_range *r = range_of(&d->addresses, addr);
	if (!r)
		return inq_fail(err, INQ_ENOTFOUND, "no unit has that address");
	const struct child_call call = {.arg = {JOB_LINES, r->unit, addr}};
	st = ask(d, &call, &n, err);
	if (!st && !(st = debug_info_take_lines(d->answer, n, ret, err)))
		keep_lines(d, addr, n);
	return st;
}

/* A text of the answer; false: it has no end. */
static bool take_fixed(const char *from, size_t room, char *to, size_t n)
{
	size_t len = strnlen(from, room);

	if (len == room || len >= n)
		return false;
	memcpy(to, from, len + 1);
	return true;
}

enum inq_status debug_info_take_var(const uint8_t *p, size_t n, const char *name,
				    struct debug_var *ret, struct inq_err *err)
{
	struct job_var v;

	if (n != sizeof(v))
		return nonsense(err);
	memcpy(&v, p, n);
	ret->addr = v.addr;
	if (!memchr(v.name, 0, sizeof(v.name)) ||
	    !take_fixed(v.type, sizeof(v.type), ret->type, sizeof(ret->type)))
		return nonsense(err);
	return !strcmp(v.name, name) ? INQ_OK : inq_fail(err, INQ_ENOTFOUND, "no such variable");
}

enum inq_status debug_info_var(struct debug_info *d, const char *name, struct debug_var *ret,
			       struct inq_err *err)
{
	enum inq_status st = read_list(d, &d->variables, JOB_VARS, "vars", err);
	size_t n = 0;

	if (st)
		return st;
	const struct job_range *r = range_of(&d->variables, job_name_key(name));
	if (!r)
		return inq_fail(err, INQ_ENOTFOUND, "no such variable");
	const struct child_call call = {.arg = {JOB_VAR, r->unit}};
	st = ask(d, &call, &n, err);
	return st ? st : debug_info_take_var(d->answer, n, name, ret, err);
}

enum inq_status debug_info_scope(struct debug_info *d, uint64_t addr, struct debug_scope *ret,
				 struct inq_err *err)
{
	enum inq_status st = read_list(d, &d->addresses, JOB_RANGES, "ranges", err);
	size_t n = 0;

	if (st)
		return st;
	const struct job_range *r = range_of(&d->addresses, addr);
	if (!r)
		return inq_fail(err, INQ_ENOTFOUND, "no unit has that address");
	const struct child_call call = {.arg = {JOB_SCOPE, r->unit, addr}};
	st = ask(d, &call, &n, err);
	return st ? st : debug_info_take_scope(d->answer, n, ret, err);
}

enum inq_status debug_info_saved(struct debug_info *d, uint64_t addr, struct debug_saved_regs *ret,
				 struct inq_err *err)
{
	const struct child_call call = {.arg = {JOB_SAVED, addr}};
	size_t n = 0;
	enum inq_status st = ask(d, &call, &n, err);

	return st ? st : debug_info_take_saved(d->answer, n, ret, err);
}
