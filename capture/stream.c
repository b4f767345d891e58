/*
 * Knows how QEMU is made to give its guest's whole state away: stopped, migrated into a pipe, and
 * continued.  Works with every QEMU from 7.2 on; `fd:` with a pipe is what all of them take.
 * Source: QEMU's qapi/migration.json, docs/devel/migration/main.rst, monitor/qmp-cmds.c (qmp_cont).
 */
#include "capture/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "snap/out.h"

enum { CHUNK = 1 << 20, LOOK_MS = 200 };

/* Capabilities under which memory does not go through the stream, or not as it is. */
static const char *const unwanted[] = {
	"xbzrle",        "multifd",
	"postcopy-ram",  "compress",
	"rdma-pin-all",  "mapped-ram",
	"x-colo",        "background-snapshot",
	"auto-converge", "release-ram",
	"return-path",   "x-ignore-shared",
	"dirty-bitmaps", "pause-before-switchover",
};

static uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	(void)clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

enum inq_status capture_stream_open(struct capture_stream *s, const char *socket,
				    struct inq_err *err)
{
	INQ_SCOPED(capture_qmp_json_scope) struct json_object *status = NULL;

	*s = (struct capture_stream){.was_running = false};
	enum inq_status st = capture_qmp_open(&s->qmp, socket, err);
	if (!st)
		st = capture_qmp_run(&s->qmp, "query-status", NULL, -1, &status, err);
	s->was_running = !st && capture_qmp_bool(status, "running", false);
	return st;
}

static bool is_unwanted(const char *capability)
{
	for (size_t i = 0; i < sizeof(unwanted) / sizeof(*unwanted); i++)
		if (capability && !strcmp(unwanted[i], capability))
			return true;
	return false;
}

/* {"capabilities": [...]} with those that are on and unwanted; NULL: there are none. */
static struct json_object *capabilities_of(const struct json_object *all, bool state)
{
	struct json_object *list = json_object_new_array(), *args;
	bool any = false;

	for (size_t i = 0; list && i < json_object_array_length(all); i++) {
		const struct json_object *c = json_object_array_get_idx(all, i);
		const char *name = capture_qmp_text(c, "capability");
		if (!is_unwanted(name) || !capture_qmp_bool(c, "state", false))
			continue;
		struct json_object *one = json_object_new_object();
		json_object_object_add(one, "capability", json_object_new_string(name));
		json_object_object_add(one, "state", json_object_new_boolean(state));
		json_object_array_add(list, one);
		any = true;
	}
	if (!any) {
		json_object_put(list);
		return NULL;
	}
	args = json_object_new_object();
	json_object_object_add(args, "capabilities", list);
	return args;
}

static enum inq_status set_capabilities(struct capture_stream *s, struct inq_err *err)
{
	INQ_SCOPED(capture_qmp_json_scope) struct json_object *all = NULL;
	enum inq_status st =
		capture_qmp_run(&s->qmp, "query-migrate-capabilities", NULL, -1, &all, err);

	if (st || !json_object_is_type(all, json_type_array))
		return st;
	struct json_object *off = capabilities_of(all, false);
	if (!off)
		return INQ_OK;
	s->capabilities = capabilities_of(all, true);
	return capture_qmp_run(&s->qmp, "migrate-set-capabilities", off, -1, NULL, err);
}

/* The guest stands still meanwhile: no limit of bytes per second. */
static enum inq_status set_bandwidth(struct capture_stream *s, struct inq_err *err)
{
	static const char key[] = "max-bandwidth";
	INQ_SCOPED(capture_qmp_json_scope) struct json_object *all = NULL;
	struct json_object *was, *args;
	enum inq_status st =
		capture_qmp_run(&s->qmp, "query-migrate-parameters", NULL, -1, &all, err);

	if (st || !json_object_object_get_ex(all, key, &was))
		return st;
	s->parameters = json_object_new_object();
	json_object_object_add(s->parameters, key, json_object_get(was));
	args = json_object_new_object();
	json_object_object_add(args, key, json_object_new_int64(INT64_C(1) << 40));
	return capture_qmp_run(&s->qmp, "migrate-set-parameters", args, -1, NULL, err);
}

static enum inq_status write_all(int fd, const char *p, size_t n, struct inq_err *err)
{
	while (n) {
		ssize_t done = write(fd, p, n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return inq_fail(err, INQ_EIO, "the guest's stream: %s", strerror(errno));
		p += done;
		n -= (size_t)done;
	}
	return INQ_OK;
}

/* Until QEMU closes its end, or a signal wants us to end. */
static enum inq_status drain(int from, int to, struct inq_err *err)
{
	static char chunk[CHUNK];

	for (;;) {
		struct pollfd p = {.fd = from, .events = POLLIN};
		int ready = poll(&p, 1, LOOK_MS);
		if (snap_out_signal())
			return inq_fail(err, INQ_EINTR, "interrupted");
		if (ready <= 0)
			continue;
		ssize_t n = read(from, chunk, sizeof(chunk));
		if (n < 0 && errno != EINTR)
			return inq_fail(err, INQ_EIO, "the guest's stream: %s", strerror(errno));
		if (n == 0)
			return INQ_OK;
		enum inq_status st = n > 0 ? write_all(to, chunk, (size_t)n, err) : INQ_OK;
		if (st)
			return st;
	}
}

static struct json_object *one_argument(const char *key, const char *value)
{
	struct json_object *args = json_object_new_object();

	if (args)
		json_object_object_add(args, key, json_object_new_string(value));
	return args;
}

/* QEMU closed the pipe: did it finish, or give up?  Its last steps may still be under way. */
static enum inq_status check_migrated(struct capture_stream *s, struct inq_err *err)
{
	for (;;) {
		INQ_SCOPED(capture_qmp_json_scope) struct json_object *info = NULL;
		enum inq_status st =
			capture_qmp_run(&s->qmp, "query-migrate", NULL, -1, &info, err);
		const char *status = capture_qmp_text(info, "status"),
			   *why = capture_qmp_text(info, "error-desc");
		if (st)
			return st;
		if (status && !strcmp(status, "completed")) {
			s->migrated = true;
			return INQ_OK;
		}
		if (!status || !strcmp(status, "failed") || !strcmp(status, "cancelled"))
			return inq_fail(err, INQ_EIO, "%s: QEMU's migration %s%s%s", s->qmp.path,
					status ? status : "did not begin", why ? ": " : "",
					why ? why : "");
		if (snap_out_signal())
			return inq_fail(err, INQ_EINTR, "interrupted");
		(void)poll(NULL, 0, LOOK_MS);
	}
}

static enum inq_status migrate(struct capture_stream *s, int to, struct inq_err *err)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return inq_fail(err, INQ_EIO, "pipe: %s", strerror(errno));
	enum inq_status st = capture_qmp_run(
		&s->qmp, "getfd", one_argument("fdname", "inquest-capture"), ends[1], NULL, err);
	close(ends[1]);
	if (!st)
		st = capture_qmp_run(&s->qmp, "migrate", one_argument("uri", "fd:inquest-capture"),
				     -1, NULL, err);
	if (!st)
		st = drain(ends[0], to, err);
	close(ends[0]);
	return st ? st : check_migrated(s, err);
}

enum inq_status capture_stream_take(struct capture_stream *s, int fd, struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	if (s->was_running) {
		s->stopped = true;
		st = capture_qmp_run(&s->qmp, "stop", NULL, -1, NULL, err);
	}
	s->t_realtime_ns = now_ns(CLOCK_REALTIME);
	s->t_monotonic_ns = now_ns(CLOCK_MONOTONIC);
	if (!st)
		st = set_capabilities(s, err);
	if (!st)
		st = set_bandwidth(s, err);
	return st ? st : migrate(s, fd, err);
}

/* A migration that still runs would keep the guest from going on. */
static void cancel(struct capture_stream *s)
{
	struct inq_err ignored;

	for (int i = 0; i < 50; i++) {
		INQ_SCOPED(capture_qmp_json_scope) struct json_object *info = NULL;
		if (capture_qmp_run(&s->qmp, "query-migrate", NULL, -1, &info, &ignored))
			return;
		const char *status = capture_qmp_text(info, "status");
		if (!status || !strcmp(status, "completed") || !strcmp(status, "failed") ||
		    !strcmp(status, "cancelled"))
			return;
		if (strcmp(status, "cancelling") != 0 &&
		    capture_qmp_run(&s->qmp, "migrate_cancel", NULL, -1, NULL, &ignored))
			return;
		(void)poll(NULL, 0, LOOK_MS);
	}
}

static enum inq_status set_back(struct capture_stream *s, const char *command,
				struct json_object **args, struct inq_err *err)
{
	return *args ? capture_qmp_run(&s->qmp, command, inq_take(*args), -1, NULL, err) : INQ_OK;
}

enum inq_status capture_stream_continue(struct capture_stream *s, struct inq_err *err)
{
	if (!s->qmp.tokener || s->qmp.fd < 0)
		return INQ_OK;
	if (!s->migrated)
		cancel(s);
	enum inq_status st = set_back(s, "migrate-set-capabilities", &s->capabilities, err);
	if (!st)
		st = set_back(s, "migrate-set-parameters", &s->parameters, err);
	if (!s->stopped)
		return st;
	enum inq_status go = capture_qmp_run(&s->qmp, "cont", NULL, -1, NULL, err);
	s->stopped = go != INQ_OK;
	return go ? go : st;
}

void capture_stream_close(struct capture_stream *s)
{
	json_object_put(s->capabilities);
	json_object_put(s->parameters);
	capture_qmp_close(&s->qmp);
}
