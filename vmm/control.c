/*
 * Knows the lines of the control socket.  A few clients at a time, asked in turn; a line that is
 * too long, no JSON, or no request is answered with an error, and the lines behind it are still
 * heard.  A client that does not read its answers is not heard until it does.
 */
#include "vmm/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "vmm/json.h"

struct client {
	int fd; /* -1: nobody */
	char line[VMM_JSON_BYTES + 1];
	size_t have;   /* bytes in line */
	bool too_long; /* throwing away the rest of a line */
	char *rest;    /* of an answer that its socket has no room for; heap */
	size_t nr_rest;
};

struct vmm_control {
	struct sockaddr_un addr;
	int listener; /* -1: none */
	bool bound;
	struct client client[VMM_CONTROL_CLIENTS];
	unsigned asker; /* whose request was the last */
};

/* Nobody listens there any more. */
static bool is_stale(const struct sockaddr_un *addr)
{
	struct stat sb;
	/* a full queue would make it wait for who listens there */
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool refused = fd >= 0 && connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) &&
		       errno == ECONNREFUSED;

	if (fd >= 0)
		close(fd);
	return refused && !lstat(addr->sun_path, &sb) && S_ISSOCK(sb.st_mode);
}

static int bind_private(int fd, const struct sockaddr_un *addr)
{
	mode_t old = umask(0177);
	int r = bind(fd, (const struct sockaddr *)addr, sizeof(*addr)), e = errno;

	umask(old);
	errno = e;
	return r;
}

enum inq_status vmm_control_create(struct vmm_control **ret, const char *path, struct inq_err *err)
{
	struct vmm_control *c = calloc(1, sizeof(*c));

	if (!c)
		return inq_fail(err, INQ_ENOMEM, "control socket");
	c->listener = -1;
	for (unsigned i = 0; i < VMM_CONTROL_CLIENTS; i++)
		c->client[i].fd = -1;
	c->addr.sun_family = AF_UNIX;
	if (!*path || strlen(path) >= sizeof(c->addr.sun_path)) {
		free(c);
		return inq_fail(err, INQ_EUSAGE, "--control %.120s: 1 to %zu bytes; give a shorter",
				path, sizeof(c->addr.sun_path) - 1);
	}
	strcpy(c->addr.sun_path, path);
	c->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r = c->listener < 0 ? -1 : bind_private(c->listener, &c->addr);
	if (r && c->listener >= 0 && errno == EADDRINUSE && is_stale(&c->addr)) {
		unlink(path);
		r = bind_private(c->listener, &c->addr);
	}
	c->bound = !r;
	if (r || listen(c->listener, 2 * VMM_CONTROL_CLIENTS)) {
		enum inq_status st = inq_fail(err, INQ_EUSAGE, "--control %s: %s; give another",
					      path, strerror(errno));
		vmm_control_destroy(c);
		return st;
	}
	*ret = c;
	return INQ_OK;
}

static void hang_up(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	free(c->rest);
	*c = (struct client){.fd = -1};
}

void vmm_control_destroy(struct vmm_control *c)
{
	if (!c)
		return;
	if (c->bound)
		unlink(c->addr.sun_path);
	if (c->listener >= 0)
		close(c->listener);
	for (unsigned i = 0; i < VMM_CONTROL_CLIENTS; i++)
		hang_up(&c->client[i]);
	free(c);
}

/* As much as the socket takes now; hangs up on one that is gone. */
static size_t send_some(struct client *c, const char *p, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t sent = send(c->fd, p + done, n - done, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent > 0) {
			done += (size_t)sent;
		} else if (sent < 0 && errno == EAGAIN) {
			return done;
		} else if (!sent || errno != EINTR) {
			hang_up(c);
			return n;
		}
	}
	return done;
}

/* What does not go out now waits; there is never more than one answer. */
static void send_all(struct client *c, const char *p, size_t n)
{
	size_t done = send_some(c, p, n);

	if (done == n)
		return;
	c->rest = malloc(n - done);
	if (!c->rest) {
		hang_up(c);
		return;
	}
	memcpy(c->rest, p + done, n - done);
	c->nr_rest = n - done;
}

/* Has it got all of its answer? */
static bool flush(struct client *c)
{
	if (!c->rest)
		return true;
	size_t done = send_some(c, c->rest, c->nr_rest);
	if (c->fd < 0)
		return false;
	c->nr_rest -= done;
	memmove(c->rest, c->rest + done, c->nr_rest);
	if (c->nr_rest)
		return false;
	free(c->rest);
	c->rest = NULL;
	return true;
}

static void send_object(struct client *c, bool ok, const char *more, const char *error)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	if (!f) {
		hang_up(c); /* it would wait for ever */
		return;
	}
	fprintf(f, "{\"ok\":%s", ok ? "true" : "false");
	if (*more)
		fprintf(f, ",%s", more);
	if (error) {
		fputs(",\"error\":", f);
		vmm_json_print(f, error);
	}
	fputs("}\n", f);
	if (fclose(f))
		hang_up(c);
	else if (c->fd >= 0)
		send_all(c, text, n);
	free(text);
}

void vmm_control_done(struct vmm_control *c, const char *more)
{
	send_object(&c->client[c->asker], true, more, NULL);
}

void vmm_control_refuse(struct vmm_control *c, const char *text)
{
	send_object(&c->client[c->asker], false, "", text);
}

enum { TAKES_FILE = 1, TAKES_VCPU = 2, NEEDS_VCPU = 4, TAKES_N = 8, TAKES_INJECTION = 16 };
static const struct {
	const char *name;
	enum vmm_verb verb;
	unsigned takes;
} verbs[] = {
	{"snapshot", VMM_VERB_SNAPSHOT, TAKES_FILE},
	{"pause", VMM_VERB_PAUSE, 0},
	{"resume", VMM_VERB_RESUME, 0},
	{"nmi", VMM_VERB_NMI, TAKES_VCPU},
	{"smi", VMM_VERB_SMI, TAKES_VCPU},
	{"step", VMM_VERB_STEP, TAKES_VCPU | NEEDS_VCPU | TAKES_N},
	{"inject", VMM_VERB_INJECT, TAKES_INJECTION},
	{"quit", VMM_VERB_QUIT, 0},
};

static enum inq_status check_member(const struct vmm_json_member *m, unsigned takes,
				    unsigned nr_vcpus, struct vmm_request *q, struct inq_err *err)
{
	if (!strcmp(m->key, "do"))
		return INQ_OK;
	if (takes & TAKES_INJECTION)
		return vmm_injection_member(&q->inject, m, nr_vcpus, err);
	if (takes & TAKES_FILE && !strcmp(m->key, "file")) {
		if (!m->text || !*m->text || strlen(m->text) >= sizeof(q->file))
			return inq_fail(err, INQ_EUSAGE, "file: not the name of a file");
		strcpy(q->file, m->text);
	} else if (takes & TAKES_VCPU && !strcmp(m->key, "vcpu")) {
		if (!m->is_number || m->number >= nr_vcpus)
			return inq_fail(err, INQ_EUSAGE, "vcpu: not 0 to %u", nr_vcpus - 1);
		q->vcpu = (uint32_t)m->number;
		q->vcpu_given = true;
	} else if (takes & TAKES_N && !strcmp(m->key, "n")) {
		if (!m->is_number || !m->number || m->number > VMM_MAX_STEPS)
			return inq_fail(err, INQ_EUSAGE, "n: not 1 to %d", VMM_MAX_STEPS);
		q->n = (uint32_t)m->number;
	} else {
		return inq_fail(err, INQ_EUSAGE, "'%.64s' is not expected here", m->key);
	}
	return INQ_OK;
}

static enum inq_status unknown(const char *verb, struct inq_err *err)
{
	char names[128] = "";

	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++) {
		strncat(names, i ? ", " : "", sizeof(names) - strlen(names) - 1);
		strncat(names, verbs[i].name, sizeof(names) - strlen(names) - 1);
	}
	return inq_fail(err, INQ_EUSAGE, "unknown verb '%.64s'; %s", verb, names);
}

static enum inq_status understand(const char *line, size_t n, unsigned nr_vcpus,
				  struct vmm_request *q, struct inq_err *err)
{
	struct vmm_json j;
	enum inq_status st = vmm_json_read(line, n, &j, err);
	size_t v = 0;

	if (st)
		return st;
	const struct vmm_json_member *verb = vmm_json_get(&j, "do");
	if (!verb || !verb->text)
		return inq_fail(err, INQ_EUSAGE, "\"do\" is missing");
	while (v < sizeof(verbs) / sizeof(*verbs) && strcmp(verbs[v].name, verb->text) != 0)
		v++;
	if (v == sizeof(verbs) / sizeof(*verbs))
		return unknown(verb->text, err);
	*q = (struct vmm_request){.verb = verbs[v].verb, .n = 1};
	for (unsigned i = 0; i < j.nr && !st; i++)
		st = check_member(&j.member[i], verbs[v].takes, nr_vcpus, q, err);
	if (!st && verbs[v].takes & TAKES_FILE && !*q->file)
		st = inq_fail(err, INQ_EUSAGE, "\"file\" is missing");
	if (!st && verbs[v].takes & NEEDS_VCPU && !q->vcpu_given)
		st = inq_fail(err, INQ_EUSAGE, "\"vcpu\" is missing");
	if (!st && verbs[v].takes & TAKES_INJECTION)
		st = vmm_injection_check(&q->inject, err);
	return st;
}

/* Who waits at the door comes in; one too many is told so. */
static void let_in(struct vmm_control *c)
{
	int fd;

	while ((fd = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		unsigned i = 0;

		while (i < VMM_CONTROL_CLIENTS && c->client[i].fd >= 0)
			i++;
		if (i < VMM_CONTROL_CLIENTS) {
			c->client[i].fd = fd;
			continue;
		}
		struct client extra = {.fd = fd};
		send_object(&extra, false, "", "no room for another client");
		hang_up(&extra);
	}
}

/* More bytes of the client; false: none now. */
static bool receive(struct client *c)
{
	ssize_t n = recv(c->fd, c->line + c->have, sizeof(c->line) - c->have, MSG_DONTWAIT);

	if (n > 0) {
		c->have += (size_t)n;
		return true;
	}
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		hang_up(c);
	return false;
}

/* A whole line out of what is there: its length without the newline; -1: none yet. */
static ssize_t whole_line(struct client *c)
{
	const char *end = memchr(c->line, '\n', c->have);

	if (!end && c->have == sizeof(c->line)) {
		c->have = 0;
		c->too_long = true;
	}
	return end ? end - c->line : -1;
}

static void drop(struct client *c, size_t n)
{
	c->have -= n;
	memmove(c->line, c->line + n, c->have);
}

enum { MAX_READS = 16 };

/* The next request of one client; the guest has to be attended, too, so not for long. */
static bool next_of(struct client *c, unsigned nr_vcpus, struct vmm_request *ret)
{
	struct inq_err err = {0};
	unsigned reads = 0;

	do {
		ssize_t n;

		while (c->fd >= 0 && flush(c) && (n = whole_line(c)) >= 0) {
			enum inq_status st =
				c->too_long ? inq_fail(&err, INQ_EUSAGE, "more than %d bytes",
						       VMM_JSON_BYTES)
					    : understand(c->line, (size_t)n, nr_vcpus, ret, &err);
			c->too_long = false;
			drop(c, (size_t)n + 1);
			if (!st)
				return true;
			send_object(c, false, "", err.msg);
		}
	} while (++reads < MAX_READS && c->fd >= 0 && !c->rest && receive(c));
	return false;
}

bool vmm_control_next(struct vmm_control *c, unsigned nr_vcpus, struct vmm_request *ret)
{
	let_in(c);
	for (unsigned i = 1; i <= VMM_CONTROL_CLIENTS; i++) {
		unsigned who = (c->asker + i) % VMM_CONTROL_CLIENTS;

		if (c->client[who].fd >= 0 && next_of(&c->client[who], nr_vcpus, ret)) {
			c->asker = who;
			return true;
		}
	}
	return false;
}
