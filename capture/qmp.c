/*
 * Knows QMP: one JSON object a line, a greeting first, events between answers.  Source: QEMU's
 * docs/interop/qmp-spec.rst.
 */
#include "capture/qmp.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { DEPTH = 32, PATIENCE = 60 /* seconds for an answer */ };

const char *capture_qmp_text(const struct json_object *j, const char *key)
{
	struct json_object *v;

	if (!j || !json_object_object_get_ex(j, key, &v) ||
	    !json_object_is_type(v, json_type_string))
		return NULL;
	return json_object_get_string(v);
}

bool capture_qmp_bool(const struct json_object *j, const char *key, bool otherwise)
{
	struct json_object *v;

	if (!j || !json_object_object_get_ex(j, key, &v) ||
	    !json_object_is_type(v, json_type_boolean))
		return otherwise;
	return json_object_get_boolean(v);
}

/* Bytes that came, at least one. */
static enum inq_status receive(struct capture_qmp *q, struct inq_err *err)
{
	ssize_t n;

	do
		n = recv(q->fd, q->buf, sizeof(q->buf), 0);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return inq_fail(err, INQ_EIO, "%s: %s", q->path,
				n == 0            ? "QEMU closed the socket"
				: errno == EAGAIN ? "no answer: is another monitor connected to it?"
						  : strerror(errno));
	q->at = 0;
	q->end = (size_t)n;
	return INQ_OK;
}

/* The next object, whichever it is; the caller's. */
static enum inq_status read_object(struct capture_qmp *q, struct json_object **ret,
				   struct inq_err *err)
{
	json_tokener_reset(q->tokener);
	for (;;) {
		enum inq_status st = q->at < q->end ? INQ_OK : receive(q, err);
		if (st)
			return st;
		*ret = json_tokener_parse_ex(q->tokener, q->buf + q->at, (int)(q->end - q->at));
		enum json_tokener_error e = json_tokener_get_error(q->tokener);
		q->at += json_tokener_get_parse_end(q->tokener);
		if (*ret && json_object_is_type(*ret, json_type_object))
			return INQ_OK;
		json_object_put(*ret);
		if (e != json_tokener_continue)
			return inq_fail(err, INQ_EUNSUPPORTED, "%s: does not speak QMP", q->path);
	}
}

/* All of text, and fd with its first byte. */
static enum inq_status send_text(struct capture_qmp *q, const char *text, int fd,
				 struct inq_err *err)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {.room = {0}};
	size_t left = strlen(text);

	while (left) {
		struct iovec io = {.iov_base = (char *)(uintptr_t)text, .iov_len = left};
		struct msghdr msg = {.msg_iov = &io, .msg_iovlen = 1};
		if (fd >= 0) {
			msg.msg_control = control.room;
			msg.msg_controllen = sizeof(control.room);
			control.head = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
							.cmsg_type = SCM_RIGHTS,
							.cmsg_len = CMSG_LEN(sizeof(int))};
			memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
		}
		ssize_t n = sendmsg(q->fd, &msg, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return inq_fail(err, INQ_EIO, "%s: %s", q->path, strerror(errno));
		text += n;
		left -= (size_t)n;
		fd = -1;
	}
	return INQ_OK;
}

/* The answer, without the events before it. */
static enum inq_status read_answer(struct capture_qmp *q, const char *command,
				   struct json_object **ret, struct inq_err *err)
{
	for (;;) {
		struct json_object *j = NULL, *v;
		enum inq_status st = read_object(q, &j, err);
		if (st)
			return st;
		if (json_object_object_get_ex(j, "return", &v)) {
			if (ret)
				*ret = json_object_get(v);
			json_object_put(j);
			return INQ_OK;
		}
		if (json_object_object_get_ex(j, "error", &v)) {
			const char *why = capture_qmp_text(v, "desc");
			st = inq_fail(err, INQ_EIO, "%s: QEMU refuses %s: %s", q->path, command,
				      why ? why : "it does not say why");
			json_object_put(j);
			return st;
		}
		json_object_put(j); /* an event */
	}
}

enum inq_status capture_qmp_run(struct capture_qmp *q, const char *command,
				struct json_object *args, int fd, struct json_object **ret_return,
				struct inq_err *err)
{
	struct json_object *j = json_object_new_object();
	enum inq_status st = INQ_OK;

	if (!j || json_object_object_add(j, "execute", json_object_new_string(command)) ||
	    (args && json_object_object_add(j, "arguments", args)))
		st = inq_fail(err, INQ_ENOMEM, "%s: %s", q->path, command);
	if (!st)
		st = send_text(q, json_object_to_json_string_ext(j, JSON_C_TO_STRING_PLAIN), fd,
			       err);
	if (!st)
		st = send_text(q, "\n", -1, err);
	json_object_put(j);
	return st ? st : read_answer(q, command, ret_return, err);
}

static enum inq_status connect_to(struct capture_qmp *q, const char *path, struct inq_err *err)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	struct timeval patience = {.tv_sec = PATIENCE};

	if (strlen(path) >= sizeof(to.sun_path))
		return inq_fail(err, INQ_EUSAGE, "%s: longer than the name of a socket can be",
				path);
	strcpy(to.sun_path, path);
	q->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (q->fd < 0 || connect(q->fd, (const struct sockaddr *)&to, sizeof(to)))
		return inq_fail(
			err, INQ_EIO,
			"%s: cannot connect: %s; QEMU makes it by -qmp unix:%s,server=on,wait=off",
			path, strerror(errno), path);
	(void)setsockopt(q->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return INQ_OK;
}

static enum inq_status read_greeting(struct capture_qmp *q, struct inq_err *err)
{
	INQ_SCOPED(capture_qmp_json_scope) struct json_object *j = NULL;
	enum inq_status st = read_object(q, &j, err);
	struct json_object *v;
	int part[3] = {0};

	if (st)
		return st;
	if (!json_object_object_get_ex(j, "QMP", &v))
		return inq_fail(err, INQ_EUNSUPPORTED, "%s: does not speak QMP", q->path);
	static const char *const parts[] = {"major", "minor", "micro"};
	struct json_object *version = NULL, *qemu = NULL, *n;
	if (json_object_object_get_ex(v, "version", &version))
		(void)json_object_object_get_ex(version, "qemu", &qemu);
	for (size_t i = 0; i < 3; i++)
		if (qemu && json_object_object_get_ex(qemu, parts[i], &n))
			part[i] = json_object_get_int(n);
	(void)snprintf(q->version, sizeof(q->version), "%d.%d.%d", part[0], part[1], part[2]);
	return INQ_OK;
}

enum inq_status capture_qmp_open(struct capture_qmp *q, const char *path, struct inq_err *err)
{
	*q = (struct capture_qmp){.fd = -1, .path = path, .tokener = json_tokener_new_ex(DEPTH)};
	enum inq_status st =
		q->tokener ? connect_to(q, path, err) : inq_fail(err, INQ_ENOMEM, "%s", path);

	if (!st)
		st = read_greeting(q, err);
	return st ? st : capture_qmp_run(q, "qmp_capabilities", NULL, -1, NULL, err);
}

void capture_qmp_close(struct capture_qmp *q)
{
	if (q->tokener) {
		json_tokener_free(q->tokener);
		close(q->fd);
	}
	*q = (struct capture_qmp){.fd = -1};
}
